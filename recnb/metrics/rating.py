"""Errors of predicted ratings, pooled over rows, and their per-user parts.

RMSE and MAE pool rows: every rating counts the same. Their intervals resample users, because the
rows of one user are not independent; the per-user mean and row count are what that needs:

    part = per_user_squared_error(users, true, predicted)
    bootstrap(part.mean, weights=part.weight)            # interval of the MSE; take the root
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recnb.errors import InputError

Floats = NDArray[np.float64]


class PerUser(NamedTuple):
    """Mean error of each user and the number of rows it stands for.

    `user`, `mean`, `weight` : ndarrays of shape (n_users with rows,), by ascending user code.
    The pooled value is sum(weight * mean) / sum(weight).
    """

    user: NDArray[np.int64]
    mean: Floats
    weight: Floats


def mae(true: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute error, in rating units.

    Parameters
    ----------
    true, predicted : array-like of shape (n_rows,), float
        NaN and infinite values raise :class:`InputError`, as does an empty array.

    Examples
    --------
    >>> mae([4, 2], [3, 5])
    2.0
    """
    t, p = _pair(true, predicted)
    return float(np.abs(t - p).mean())


def mse(true: ArrayLike, predicted: ArrayLike) -> float:
    """Mean squared error, in squared rating units; arguments as in :func:`mae`.

    Examples
    --------
    >>> mse([4, 2], [3, 5])
    5.0
    """
    t, p = _pair(true, predicted)
    return float(np.square(t - p).mean())


def rmse(true: ArrayLike, predicted: ArrayLike) -> float:
    """Root of the mean squared error, in rating units; arguments as in :func:`mae`.

    Examples
    --------
    >>> rmse([4, 2], [3, 3])
    1.0
    """
    return float(np.sqrt(mse(true, predicted)))


def per_user_squared_error(users: ArrayLike, true: ArrayLike, predicted: ArrayLike) -> PerUser:
    """Mean squared error and row count of each user.

    Parameters
    ----------
    users : array-like of shape (n_rows,), integer
        User code of each row.
    true, predicted : array-like of shape (n_rows,), float

    Examples
    --------
    >>> part = per_user_squared_error([0, 7, 7], [4, 4, 2], [3, 4, 4])
    >>> part.user, part.mean, part.weight
    (array([0, 7]), array([1., 2.]), array([1., 2.]))
    """
    t, p = _pair(true, predicted)
    return _per_user(users, np.square(t - p))


def per_user_absolute_error(users: ArrayLike, true: ArrayLike, predicted: ArrayLike) -> PerUser:
    """Mean absolute error and row count of each user; see :func:`per_user_squared_error`.

    Examples
    --------
    >>> per_user_absolute_error([0, 7, 7], [4, 4, 2], [3, 4, 4]).mean
    array([1., 1.])
    """
    t, p = _pair(true, predicted)
    return _per_user(users, np.abs(t - p))


def _per_user(users: ArrayLike, errors: Floats) -> PerUser:
    codes = np.asarray(users)
    if codes.shape != errors.shape or not np.issubdtype(codes.dtype, np.integer):
        raise InputError(
            f"users are {codes.dtype} of shape {codes.shape} beside {len(errors)} ratings",
            mend="give one whole number per row",
        )
    found, place = np.unique(codes, return_inverse=True)
    weight = np.bincount(place).astype(np.float64)
    return PerUser(found.astype(np.int64), np.bincount(place, weights=errors) / weight, weight)


def _pair(true: ArrayLike, predicted: ArrayLike) -> tuple[Floats, Floats]:
    t, p = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if t.ndim != 1 or t.shape != p.shape or not len(t):
        raise InputError(
            f"true has shape {t.shape} and predicted {p.shape}",
            mend="give two arrays of the same length, with at least one row",
        )
    for name, values in (("true", t), ("predicted", p)):
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise InputError(f"the {name} rating is {values[row]}", row=row + 1)
    return t, p
