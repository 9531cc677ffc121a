"""Intervals over users, paired differences and the correction for several comparisons.

Users are the units: a resample draws users with replacement, and every column (metric, model) of
one call sees the same resamples. All results are fixed by `seed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from recnb.errors import InputError

Floats = NDArray[np.float64]

_CHUNK_BYTES = 64 * 2**20  # counts of one chunk of resamples
_MIN_DRAWS = 1000
INTERVALS = ("percentile", "bca")
LEAST_USERS = 5
"""Below this many users there is no interval: resamples of so few cannot show what others would do."""


@dataclass(frozen=True)
class Difference:
    """A paired difference: first minus second, its interval, two-sided p and number of users."""

    difference: float
    low: float
    high: float
    p: float
    n: int


def resamples(n: int, draws: int, seed: int) -> Iterator[Floats]:
    """Bootstrap resamples of `n` units as counts: how often each resample holds each unit.

    Yields
    ------
    ndarray of shape (some draws, n), float64
        Each row sums to n; `draws` rows in all. Counts make a resample's sums one product
        ``counts @ values``, for all columns at once.

    Examples
    --------
    >>> counts = np.vstack(list(resamples(3, draws=1000, seed=0)))
    >>> counts.shape, set(counts.sum(axis=1).tolist())
    ((1000, 3), {3.0})
    """
    if draws < _MIN_DRAWS:
        raise InputError(
            f"draws is {draws}, too few for the ends of an interval",
            mend=f"use at least {_MIN_DRAWS}",
        )
    rng = np.random.default_rng(seed)
    step = max(1, min(draws, _CHUNK_BYTES // (8 * max(n, 1))))
    for start in range(0, draws, step):
        counts = np.empty((min(step, draws - start), n))
        for row in counts:
            row[:] = np.bincount(rng.integers(0, n, size=n), minlength=n)
        yield counts


def bootstrap(
    values: ArrayLike,
    weights: ArrayLike | None = None,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    interval: str = "percentile",
) -> tuple[Any, Any]:
    """Bootstrap interval, over users, of a mean or a weighted mean.

    Parameters
    ----------
    values : array-like of shape (n_users,) or (n_users, m), float
        Per-user values; the columns share their resamples.
    weights : array-like of shape (n_users,), float, optional
        At least 0. The statistic is then sum(w v) / sum(w), both sums resampled: the pooled
        value where w is a user's number of rows.
    draws : int, default 2000
        At least 1,000.
    seed : int
    level : float in (0, 1), default 0.95
    interval : {"percentile", "bca"}
        Percentiles of the draws, or those moved for bias and skewness (:func:`bca_ends`).

    Returns
    -------
    low, high : float each for one column, else ndarrays of shape (m,)
        NaN with fewer than :data:`LEAST_USERS` users: they say too little about others.

    Raises
    ------
    InputError
        With no user, NaN or infinite values, weights that are negative or sum to 0, or too few
        draws.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, sections 13.3 and 14.3.

    Notes
    -----
    Percentile ends are too narrow where few users have a value above 0, and "bca" mends a part of it; for paired
    *differences* "bca" covers less than percentiles do, so :func:`paired` has none. Where no or hardly any user has a
    hit no resample can show what a hit would be: the audit says so (`few_hits`) below 10 users with one. Coverage of
    each, with other intervals beside, stands in `results/coverage.json`.

    Examples
    --------
    >>> low, high = bootstrap(np.arange(100.0))
    >>> bool(low < 49.5 < high)
    True
    """
    columns = _columns(values)
    w = _weights(weights, len(columns))
    if not 0 < level < 1:
        raise InputError(f"level is {level}", mend="give a share between 0 and 1, such as 0.95")
    check_interval(interval)
    means = resampled_means(columns, w, draws, seed)
    if interval == "bca":
        observed = columns.mean(axis=0) if w is None else w @ columns / w.sum()
        pairs = zip(means.T, observed, without_each(columns, w).T)
        low, high = np.transpose([bca_ends(*column, level) for column in pairs])
    else:
        tail = (1 - level) / 2
        low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    if len(columns) < LEAST_USERS:
        low, high = np.full_like(low, np.nan), np.full_like(high, np.nan)
    return (float(low[0]), float(high[0])) if np.ndim(values) == 1 else (low, high)


def bca_ends(
    drawn: Floats, observed: float, without: Floats, level: float = 0.95
) -> tuple[float, float]:
    """Ends of a bias-corrected and accelerated bootstrap interval.

    Parameters
    ----------
    drawn : ndarray of shape (draws,)
        The statistic of each resample.
    observed : float
        The statistic of the sample.
    without : ndarray of shape (n,)
        The statistic without each unit (:func:`without_each`).
    level : float in (0, 1), default 0.95

    Returns
    -------
    low, high : float
        Those of the percentiles where the values are all equal.

    References
    ----------
    Efron, Better bootstrap confidence intervals, J. Am. Stat. Assoc. 1987, section 3.

    Examples
    --------
    >>> values = np.array([0.0] * 18 + [1.0, 1.0])
    >>> drawn = np.random.default_rng(0).choice(values, (2000, 20)).mean(axis=1)
    >>> ends = bca_ends(drawn, values.mean(), without_each(values[:, None])[:, 0])
    >>> [round(end, 2) for end in ends], np.quantile(drawn, [0.025, 0.975]).round(2).tolist()
    ([0.0, 0.3], [0.0, 0.25])
    """
    tail = (1 - level) / 2
    gaps = without.mean() - without
    if np.allclose(gaps, 0, atol=1e-15):
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return float(low), float(high)
    below = ((drawn < observed).mean() + (drawn <= observed).mean()) / 2
    half = 0.5 / len(drawn)
    bias = ndtri(np.clip(below, half, 1 - half))
    acceleration = (gaps**3).sum() / (6 * (gaps**2).sum() ** 1.5)
    moved = bias + ndtri(np.array([tail, 1 - tail]))
    low, high = np.quantile(drawn, ndtr(bias + moved / (1 - acceleration * moved)))
    return float(low), float(high)


def without_each(columns: Floats, w: Floats | None = None) -> Floats:
    """Means of the columns without each row in turn: the shape of `columns`, a row each."""
    if len(columns) < 2:
        return columns.copy()
    weights = np.ones(len(columns)) if w is None else w
    rest = np.maximum(weights.sum() - weights, 1e-300)
    return (weights @ columns - weights[:, None] * columns) / rest[:, None]


def check_interval(interval: str) -> None:
    """Raise at an unknown kind of interval."""
    if interval not in INTERVALS:
        raise InputError(f"interval='{interval}'", mend=f"one of {', '.join(INTERVALS)}")


def paired(
    a: ArrayLike,
    b: ArrayLike,
    draws: int = 2000,
    seed: int = 0,
    weights: ArrayLike | None = None,
    transform: Callable[[Floats], Floats] | None = None,
    level: float = 0.95,
) -> Difference:
    """Difference of two models on the same users: interval and p.

    The statistic is ``transform(mean of a) - transform(mean of b)``, means weighted where weights
    are given. The interval is a percentile bootstrap over users. p is a randomisation test: where
    the models do not differ, each user's two values could be exchanged, so the difference is
    recomputed with a fair coin per user, and p = (1 + number at least as large) / (1 + draws),
    two-sided. Without a transform this flips the signs of the per-user differences.

    Parameters
    ----------
    a, b : array-like of shape (n_users,), float
        Row i of both is the same user.
    draws, seed, level
        As in :func:`bootstrap`.
    weights : array-like of shape (n_users,), float, optional
        A user's weight in both means, such as the number of rows.
    transform : function of arrays, optional
        ``np.sqrt`` with per-user mean squared errors and row counts gives the pooled RMSE.

    References
    ----------
    Fisher, The Design of Experiments, 1935, section 21. Smucker, Allan and Carterette, A comparison
    of statistical significance tests for information retrieval evaluation, CIKM 2007, section 2.1.

    Examples
    --------
    >>> x = np.linspace(0, 1, 50)
    >>> result = paired(x + 0.1, x)
    >>> round(result.difference, 6), round(result.low, 6), round(result.p, 4), result.n
    (0.1, 0.1, 0.0005, 50)
    >>> paired(x, x).p
    1.0
    """
    x, y = _columns(a), _columns(b)
    if x.shape[1] != 1 or x.shape != y.shape:
        raise InputError(
            f"the two models have values of shape {np.shape(a)} and {np.shape(b)}",
            mend="give one value per user for both, users in the same order",
        )
    w = _weights(weights, len(x))
    change = transform if transform is not None else _same
    both = np.hstack([x, y])
    total = np.ones(len(x)) if w is None else w
    observed = change(total @ both / total.sum())
    means = change(resampled_means(both, w, draws, seed))
    tail = (1 - level) / 2
    low, high = np.quantile(means[:, 0] - means[:, 1], [tail, 1 - tail])
    if len(x) < LEAST_USERS:
        low = high = np.nan
    p = exchange_p(x[:, 0], y[:, 0], total, change, draws, seed)
    return Difference(float(observed[0] - observed[1]), float(low), float(high), p, len(x))


def holm(p: ArrayLike) -> Floats:
    """Adjust p values for several comparisons (Holm's step-down method).

    The family is what is given in one call: with it, the chance of *any* false difference among them is at most the
    level. :meth:`recnb.Evaluation.compare` gives the models compared with one reference in one metric; other
    metrics, groups and tables are other families, over which nothing is corrected.

    The smallest p is multiplied by m, the next by m - 1, and so on; a value is never below that
    of a smaller p, nor above 1.

    Parameters
    ----------
    p : array-like of shape (m,), float in [0, 1]

    Returns
    -------
    ndarray of shape (m,), in the order given

    References
    ----------
    Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6, 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise InputError(f"p values are {p!r}", mend="give a list of numbers between 0 and 1")
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def clustered(
    statistic: Callable[[Floats], float],
    groups: ArrayLike,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Bootstrap interval of any statistic of rows, resampling whole users.

    Parameters
    ----------
    statistic : function of row weights, ndarray of shape (n_rows,), to a number
        For example ``lambda w: accuracy_score(true, label, sample_weight=w)``. NaN where it is not
        defined for a resample; such resamples are left out.
    groups : array-like of shape (n_rows,)
        User of each row.
    draws, seed, level
        As in :func:`bootstrap`.

    Raises
    ------
    InputError
        Where more than 5 % of the resamples have no value.

    Examples
    --------
    >>> rows = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    >>> low, high = clustered(lambda w: (w @ rows) / w.sum(), ["a", "a", "b", "b", "c", "c"])
    >>> low, high
    (0.0, 1.0)
    """
    found, codes = np.unique(np.asarray(groups), return_inverse=True)
    values = [
        statistic(counts[codes]) for chunk in resamples(len(found), draws, seed) for counts in chunk
    ]
    return defined_interval(np.array(values), level)


def defined_interval(values: Floats, level: float) -> tuple[float, float]:
    """Percentiles of resampled values, NaN left out; more than 5 % NaN raise."""
    undefined = np.isnan(values)
    if undefined.mean() > 0.05:
        raise InputError(
            f"{undefined.mean():.0%} of the resamples have no value",
            mend="use data with more users, each class held by several of them",
        )
    tail = (1 - level) / 2
    low, high = np.quantile(values[~undefined], [tail, 1 - tail])
    return float(low), float(high)


def _same(values: Floats) -> Floats:
    return values


def _columns(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or not len(array):
        raise InputError(
            f"values have shape {array.shape}", mend="give (n_users,) or (n_users, m), n_users >= 1"
        )
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise InputError(
            "a value is NaN or infinite",
            row=row + 1,
            mend="leave users without a value out and state how many remain",
        )
    return array.reshape(len(array), -1)


def _weights(weights: ArrayLike | None, n: int) -> Floats | None:
    if weights is None:
        return None
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (n,) or not np.isfinite(w).all() or (w < 0).any() or w.sum() <= 0:
        raise InputError(
            f"weights of shape {w.shape} beside {n} users, or negative, not finite, or all 0",
            mend="give one number of at least 0 per user",
        )
    return w


def resampled_means(columns: Floats, w: Floats | None, draws: int, seed: int) -> Floats:
    """Means of every resample, shape (draws, m)."""
    n = len(columns)
    table = columns if w is None else np.column_stack([columns * w[:, None], w])
    sums = np.vstack([counts @ table for counts in resamples(n, draws, seed)])
    if w is None:
        return sums / n
    if (sums[:, -1] == 0).any():
        raise InputError("a resample has weight 0", mend="leave users with weight 0 out")
    return sums[:, :-1] / sums[:, -1:]


def exchange_p(
    a: Floats, b: Floats, w: Floats, change: Callable[[Floats], Floats], draws: int, seed: int
) -> float:
    """Two-sided p of the difference when each user's two values are exchanged by a fair coin."""
    total = w.sum()
    both = w @ (a + b) / total
    gap = w * (a - b) / total
    gap = gap[gap != 0]  # exchanging equal values changes nothing

    def spread(signed: Floats) -> Floats:
        # The two means add up to `both` and differ by `signed`, whichever values were exchanged.
        return np.abs(change((both + signed) / 2) - change((both - signed) / 2))

    observed = spread(np.array([gap.sum()]))[0]
    rng = np.random.default_rng([seed, 1])  # apart from the stream of the resamples
    step = max(1, min(draws, _CHUNK_BYTES // (8 * max(len(gap), 1))))
    reached = 0
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        bits = np.frombuffer(rng.bytes(rows * (len(gap) // 8 + 1)), dtype=np.uint8)
        coins = np.unpackbits(bits.reshape(rows, -1), axis=1, count=len(gap))
        signed = 2.0 * (coins.astype(np.float64) @ gap) - gap.sum()
        # Sums in another order differ in the last digits: equal up to those counts as reached.
        reached += int((spread(signed) >= observed - 1e-12 * np.abs(gap).sum()).sum())
    return (1 + reached) / (1 + draws)
