"""A relative change between two models, paired by user: what differences on several data sets can be compared by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from recnb.errors import InputError
from recnb.metrics.over_splits import over_splits


@dataclass(frozen=True)
class Relative:
    """How much larger one mean is than another, as a share of it.

    Attributes
    ----------
    change, low, high : float
        0.1 is 10 % more; the ends of the interval are not symmetric.
    p : float
        Two-sided, against no change.
    log, error : float
        The logarithm of the ratio of means, and its standard error: what is pooled.
    n_users : int
    """

    change: float
    low: float
    high: float
    p: float
    log: float
    error: float
    n_users: int


def relative(
    values: ArrayLike,
    base: ArrayLike,
    users: ArrayLike | None = None,
    splits: ArrayLike | None = None,
    level: float = 0.95,
) -> Relative:
    """The ratio of two models' means over the same users, less one.

    Parameters
    ----------
    values, base : array-like of shape (n,), float at least 0
        Row i of both is the same user in the same split.
    users, splits : array-like of shape (n,), optional
        Who, and in which split, where users stand in several; every row is a user of one split by default.
    level : float in (0, 1), default 0.95

    Returns
    -------
    Relative

    Raises
    ------
    InputError
        A mean is not above 0, so that there is no ratio; shapes differ; fewer than two users.

    Notes
    -----
    The response ratio: the mean of ``a / mean(a) - b / mean(b) + log(mean(a) / mean(b))`` is the log of the ratio, and
    the spread of these terms over users gives its variance by the delta method, the pairing included. Over several
    splits a user counts once, and the spread of the splits is added (:func:`recnb.metrics.over_splits.over_splits`).

    References
    ----------
    Hedges, Gurevitch and Curtis, The meta-analysis of response ratios in experimental ecology, Ecology 80, 1999, eq. 1.

    Examples
    --------
    >>> found = relative([0.2, 0.4, 0.6, 0.4], [0.1, 0.2, 0.3, 0.2])
    >>> round(found.change, 6), found.n_users
    (1.0, 4)
    """
    a, b = np.asarray(values, dtype=np.float64), np.asarray(base, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(
            f"the two models have values of shape {a.shape} and {b.shape}",
            mend="give one value per user for both, users in the same order",
        )
    who = np.arange(len(a)) if users is None else np.asarray(users)
    which = np.zeros(len(a), int) if splits is None else np.asarray(splits)
    people, code = np.unique(who, return_inverse=True)
    if len(people) < 2:
        raise InputError("fewer than two users", mend="an interval needs several")
    n = np.bincount(code)
    means = [float((np.bincount(code, column) / n).mean()) for column in (a, b)]
    if not min(means) > 0:
        raise InputError(
            f"the means are {means[0]:.4g} and {means[1]:.4g}: there is no ratio",
            mend="use longer lists or more users",
        )
    log = float(np.log(means[0] / means[1]))
    found = over_splits(a / means[0] - b / means[1] + log, who, which, level)
    low, high = float(np.expm1(found.low)), float(np.expm1(found.high))
    return Relative(float(np.expm1(log)), low, high, found.p, log, found.error, found.n_users)
