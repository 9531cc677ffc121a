"""How alike two rankings of the same items are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import kendalltau


def kendall(one: ArrayLike, other: ArrayLike) -> np.ndarray:
    """Kendall's tau-b between two rankings, row by row.

    Parameters
    ----------
    one, other : array of shape (n_rows, n_items) or (n_items,), float
        Scores of the same items, higher is better; NaN in either where an item is not ranked.

    Returns
    -------
    ndarray of shape (n_rows,), float64
        From -1 (turned round) to 1 (the same order), equal scores counted as tau-b does; NaN where a row has fewer
        than two items, or one ranking holds them all equal: there is no order to compare.

    References
    ----------
    M. Kendall, A new measure of rank correlation, Biometrika 30, 1938; The treatment of ties in ranking problems,
    Biometrika 33, 1945 (tau-b).

    Examples
    --------
    >>> kendall([[3, 2, 1], [3, 2, 1], [3, 2, 1]], [[30, 20, 10], [1, 2, 3], [5, 5, 5]])
    array([ 1., -1., nan])
    >>> kendall([1.0, np.nan, 2.0], [1.0, 9.0, 3.0])
    array([1.])
    """
    one, other = np.atleast_2d(np.asarray(one, float)), np.atleast_2d(np.asarray(other, float))
    out = np.full(len(one), np.nan)
    for row, (a, b) in enumerate(zip(one, other)):
        ranked = ~(np.isnan(a) | np.isnan(b))
        a, b = a[ranked], b[ranked]
        if len(a) > 1 and a.min() < a.max() and b.min() < b.max():
            out[row] = kendalltau(a, b).statistic
    return out
