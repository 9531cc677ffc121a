"""Intervals where the same users stand in several splits, and the split (its new items) is a sample too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from scipy.stats import norm, t

from recnb.errors import InputError


@dataclass(frozen=True)
class OverSplits:
    """A mean over users and splits: interval, two-sided p against 0, the mean of each split, standard error."""

    value: float
    low: float
    high: float
    p: float
    n_users: int
    by_split: dict[str, float]
    error: float = 0.0

    def as_share(self) -> OverSplits:
        """The same with an interval between 0 and 1, for a measure that lies there, such as NDCG; not for differences.

        The interval is taken on the logit and turned back, its half width there that of this one over
        value (1 - value). A mean of 0 or 1 keeps its own.

        References
        ----------
        L. Brown, T. Cai, A. DasGupta, Interval estimation for a binomial proportion, Statistical Science 2001 (the
        logit interval, here of a mean).

        Examples
        --------
        >>> low_hits = OverSplits(0.001, -0.0004, 0.0024, 0.16, 900, {"0": 0.001})
        >>> share = low_hits.as_share()
        >>> round(share.low, 5), round(share.high, 5)
        (0.00025, 0.00405)
        """
        if not 0 < self.value < 1:
            return self
        half = (self.high - self.low) / 2 / (self.value * (1 - self.value))
        ends = expit(logit(self.value) + np.array([-half, half]))
        return replace(self, low=float(ends[0]), high=float(ends[1]))


def over_splits(
    values: ArrayLike, users: ArrayLike, splits: ArrayLike, level: float = 0.95
) -> OverSplits:
    """Mean of per-user values (or paired differences) from several splits, with an interval over users *and* splits.

    A user counts once: values are averaged over the splits in which the user stands. Which items were drawn as
    new is chance as well, so the spread of the means of the splits is added to that of the users.

    Parameters
    ----------
    values : array-like of shape (n,), float
        One value per user and split; differences of two models on the same user and split are paired by this.
    users, splits : array-like of shape (n,)
        Who, and in which split.
    level : float in (0, 1), default 0.95

    Returns
    -------
    OverSplits
        With one split the interval is over users alone, and says nothing about other splits.

    Raises
    ------
    InputError
        A value is NaN or infinite, shapes differ, a user stands twice in a split, or there are fewer than two users.

    Notes
    -----
    Variance = var(user means) / n_users + var(split means) / n_splits, both with n - 1. Users' noise is in both terms,
    so the interval is a little wide where splits do not differ. Degrees of freedom by Satterthwaite: three splits that
    disagree give a wide interval, as they should.

    References
    ----------
    A. Owen, The pigeonhole bootstrap, Ann. Appl. Stat. 2007 (crossed random effects). F. Satterthwaite, An approximate
    distribution of estimates of variance components, Biometrics Bulletin 1946.

    Examples
    --------
    >>> found = over_splits([0.1, 0.2, 0.3, 0.2], ["a", "b", "a", "b"], [0, 0, 1, 1])
    >>> round(found.value, 6), found.n_users, {s: round(v, 6) for s, v in found.by_split.items()}
    (0.2, 2, {'0': 0.15, '1': 0.25})
    """
    numbers = np.asarray(values, dtype=np.float64)
    who, which = np.asarray(users), np.asarray(splits)
    if numbers.ndim != 1 or who.shape != numbers.shape or which.shape != numbers.shape:
        raise InputError(
            f"values {numbers.shape}, users {who.shape}, splits {which.shape}",
            mend="give one value, one user and one split per row",
        )
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers)))
        raise InputError("a value is NaN or infinite", row=row + 1, mend="leave the user out")
    people, user = np.unique(who, return_inverse=True)
    names, split = np.unique(which, return_inverse=True)
    if len(people) < 2:
        raise InputError("fewer than two users", mend="an interval needs several")
    if len(np.unique(user.astype(np.int64) * len(names) + split)) < len(numbers):
        raise InputError("a user stands twice in a split", mend="give one value per user and split")
    per_user = np.bincount(user, numbers) / np.bincount(user)
    per_split = np.bincount(split, numbers) / np.bincount(split)
    by_split = {str(name): float(value) for name, value in zip(names.tolist(), per_split)}
    mean, variance = float(per_user.mean()), float(per_user.var(ddof=1) / len(people))
    return _of_parts(mean, variance, len(people), by_split, level)


def with_splits(
    value: float,
    low: float,
    high: float,
    by_split: Mapping[Any, float],
    n_users: int,
    level: float = 0.95,
) -> OverSplits:
    """An interval over users alone made one over users and splits, where only its ends and the splits' values are kept.

    Also for statistics that are no mean of users' values, such as the difference of two pooled errors.

    Parameters
    ----------
    value, low, high : float
        Of all splits together, each user once, with an interval of `level` over users.
    by_split : mapping of split to float
        The same statistic in each.
    n_users : int
    level : float in (0, 1), default 0.95

    Returns
    -------
    OverSplits
        As :func:`over_splits`, the variance over users read from the half width: (high - low) / 2 normal quantiles.

    Raises
    ------
    InputError
        Ends in the wrong order, a number that is NaN or infinite, fewer than two users.

    Examples
    --------
    >>> found = with_splits(0.01, 0.006, 0.014, {0: -0.02, 1: 0.04, 2: 0.01}, n_users=900)
    >>> found.low < 0 < found.high, round(found.p, 2)
    (True, 0.62)
    """
    numbers = np.array([value, low, high, *by_split.values()], dtype=np.float64)
    if not np.isfinite(numbers).all() or low > high or n_users < 2 or not by_split:
        raise InputError(
            f"value {value}, interval {low} to {high}, {len(by_split)} splits, {n_users} users",
            mend="give finite numbers, low before high, at least one split and two users",
        )
    variance = float(((high - low) / 2 / norm.ppf((1 + level) / 2)) ** 2)
    named = {str(name): float(one) for name, one in by_split.items()}
    return _of_parts(float(value), variance, n_users, named, level)


def _of_parts(
    value: float, variance: float, n_users: int, by_split: dict[str, float], level: float
) -> OverSplits:
    """Variance over users and that of the means of the splits, put together."""
    parts = [(variance, n_users - 1)]
    if len(by_split) > 1:
        spread = float(np.var(list(by_split.values()), ddof=1))
        parts.append((spread / len(by_split), len(by_split) - 1))
    total = sum(v for v, _ in parts)
    if total <= 0:
        return OverSplits(value, value, value, 1.0 if value == 0 else 0.0, n_users, by_split)
    freedom = total**2 / sum(v**2 / df for v, df in parts)
    half = float(t.ppf((1 + level) / 2, freedom) * np.sqrt(total))
    p = float(2 * t.sf(abs(value) / np.sqrt(total), freedom))
    error = float(np.sqrt(total))
    return OverSplits(value, value - half, value + half, p, n_users, by_split, error)
