"""Is a ranking by uplift right? Qini curve and uplift among the first, weighted by propensities, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recnb.errors import InputError
from recnb.hashing import mix
from recnb.metrics.intervals import resamples

Floats = np.ndarray


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its interval."""

    value: float
    low: float
    high: float


def qini_curve(
    score: Floats,
    treated: np.ndarray,
    outcome: Floats,
    propensity: Floats,
    weights: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Gain of treating the best-scored share of all, for every share.

    Returns
    -------
    share : ndarray of shape (n + 1,)
        From 0 to 1.
    gain : ndarray of shape (n + 1,)
        Outcomes gained a row of all, when that share is treated: the cumulated sum of the outcomes of treated rows over
        their propensities less those of the others over theirs, over n.

    Notes
    -----
    Ties are broken by a hash of the row number. With a constant propensity and equal arms this is the curve of
    Radcliffe up to a factor.

    References
    ----------
    Radcliffe, Using control groups to target on predicted lift, Direct Marketing Analytics Journal, 2007.
    """
    order = _best_first(score)
    gains = _gain(treated, outcome, propensity)[order]
    w = np.ones(len(score)) if weights is None else np.asarray(weights, np.float64)[order]
    return _curve(gains, w)


def _best_first(score: Floats) -> np.ndarray:
    return np.lexsort((mix(np.arange(len(score), dtype=np.uint64)), -score))


def _curve(gains: Floats, w: Floats) -> tuple[Floats, Floats]:
    """The curve of rows that are in order."""
    total = w.sum()
    return np.append(0.0, np.cumsum(w) / total), np.append(0.0, np.cumsum(w * gains) / total)


def qini(
    score: Floats, treated: np.ndarray, outcome: Floats, propensity: Floats,
    unit: np.ndarray | None = None, draws: int = 1000, seed: int = 0, level: float = 0.95,
) -> Interval:  # fmt: skip
    """Area between the Qini curve and the line of a random order, with an interval over units.

    Parameters
    ----------
    score, treated, outcome, propensity : ndarrays of shape (n,)
    unit : ndarray of shape (n,), optional
        What is resampled; None: rows.
    draws, seed, level

    Examples
    --------
    >>> t = np.array([1, 0] * 200)
    >>> y = np.where(np.arange(400) < 200, t, 0.0)
    >>> found = qini(-np.arange(400.0), t, y, np.full(400, 0.5))
    >>> round(found.value, 3), found.low > 0
    (0.126, True)
    """

    order = _best_first(score)
    gains = _gain(treated, outcome, propensity)[order]

    def area(weights: Floats | None) -> float:
        share, gain = _curve(gains, np.ones(len(score)) if weights is None else weights[order])
        steps = np.diff(share)
        return float(((gain[1:] + gain[:-1]) / 2 * steps).sum() - gain[-1] / 2)

    return _interval(area, len(score), unit, draws, seed, level)


def uplift_at(
    score: Floats, treated: np.ndarray, outcome: Floats, propensity: Floats, share: float = 0.1,
    unit: np.ndarray | None = None, draws: int = 1000, seed: int = 0, level: float = 0.95,
) -> Interval:  # fmt: skip
    """Mean effect among the best-scored share of rows, with an interval over units.

    Raises
    ------
    InputError
        The share is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise InputError(f"share={share}", mend="give a share above 0, at most 1")
    first = _best_first(score)[: max(1, round(share * len(score)))]
    gains = _gain(treated, outcome, propensity)

    def mean(weights: Floats | None) -> float:
        w = np.ones(len(score)) if weights is None else weights
        total = w[first].sum()
        return float((w[first] * gains[first]).sum() / total) if total else np.nan

    return _interval(mean, len(score), unit, draws, seed, level)


def _gain(treated: np.ndarray, outcome: Floats, propensity: Floats) -> Floats:
    if not ((propensity > 0) & (propensity < 1)).all():
        raise InputError("a propensity is 0 or 1", mend="leave out who could not be otherwise")
    return np.where(treated == 1, outcome / propensity, -outcome / (1 - propensity))


def _interval(
    statistic, n: int, unit: np.ndarray | None, draws: int, seed: int, level: float
) -> Interval:
    codes = np.arange(n) if unit is None else np.unique(unit, return_inverse=True)[1]
    drawn = [
        statistic(counts[codes])
        for chunk in resamples(int(codes.max()) + 1, draws, seed)
        for counts in chunk
    ]
    tail = (1 - level) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return Interval(statistic(None), float(low), float(high))
