"""Intervals where the same users stand in several splits, and the split (its new items) is a sample too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t

from recnb.errors import InputError


@dataclass(frozen=True)
class OverSplits:
    """A mean over users and splits: its interval, two-sided p against 0, and the mean of each split."""

    value: float
    low: float
    high: float
    p: float
    n_users: int
    by_split: dict[str, float]


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
    parts = [(per_user.var(ddof=1) / len(people), len(people) - 1)]
    if len(names) > 1:
        parts.append((per_split.var(ddof=1) / len(names), len(names) - 1))
    variance = sum(v for v, _ in parts)
    mean = float(per_user.mean())
    by_split = {str(name): float(value) for name, value in zip(names.tolist(), per_split)}
    if variance <= 0:
        return OverSplits(mean, mean, mean, 1.0 if mean == 0 else 0.0, len(people), by_split)
    freedom = variance**2 / sum(v**2 / df for v, df in parts)
    half = float(t.ppf((1 + level) / 2, freedom) * np.sqrt(variance))
    p = float(2 * t.sf(abs(mean) / np.sqrt(variance), freedom))
    return OverSplits(mean, mean - half, mean + half, p, len(people), by_split)
