"""What lists are like, besides right: how broad, how concentrated, how popular, how varied.

`lists` is an integer array (n_users, n_ranks) of item codes, -1 for an empty place; empty places are
left out. A per-user value that has nothing to stand on (no recommendation, no history) is NaN; a
mean over users has to leave these out and say how many remain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from recnb.errors import InputError

Floats = NDArray[np.float64]
Lists = NDArray[np.integer]

_BLOCK = 4096


def coverage(lists: Lists, n_items: int) -> float:
    """Share of the catalogue that stands in at least one list.

    Examples
    --------
    >>> coverage(np.array([[0, 1], [0, -1]]), n_items=4)
    0.5
    """
    return float((_counts(lists, n_items) > 0).mean())


def gini(lists: Lists, n_items: int) -> float:
    """Gini coefficient of the items' numbers of recommendations, never recommended ones included.

    0 where every item is recommended equally often, (n_items - 1) / n_items where only one is.

    Raises
    ------
    InputError
        Where all lists are empty.

    Examples
    --------
    >>> gini(np.array([[0, 1], [2, 3]]), n_items=4), gini(np.array([[0], [0]]), n_items=4)
    (0.0, 0.75)
    """
    counts = np.sort(_counts(lists, n_items))
    if not counts.sum():
        raise InputError("all lists are empty, so the Gini coefficient is not defined")
    steps = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float((steps * counts).sum() / (n_items * counts.sum()))


def novelty(lists: Lists, popularity: ArrayLike, n_users: int) -> Floats:
    """Mean self-information of each list: -log2 of the share of users who know the item, in bits.

    Parameters
    ----------
    lists : ndarray of shape (n_users, n_ranks), integer
    popularity : array-like of shape (n_items,)
        Number of users of each item in the training data. An item that nobody used counts as if
        one user had, since its self-information would be infinite.
    n_users : int
        Number of users in the training data.

    References
    ----------
    Zhou et al., Solving the apparent diversity-accuracy dilemma, PNAS 107, 2010, equation for I.

    Examples
    --------
    Items known to 4 and to 1 of 8 users: (1 + 3) / 2 bits.

    >>> novelty(np.array([[0, 1], [-1, -1]]), popularity=[4, 1], n_users=8)
    array([ 2., nan])
    """
    known = np.asarray(popularity, dtype=np.float64)
    if n_users < 1 or (known < 0).any() or (known > n_users).any():
        raise InputError(f"an item is used by fewer than 0 or more than {n_users} users")
    return _list_mean(lists, -np.log2(np.maximum(known, 1) / n_users))


def popularity_lift(lists: Lists, history: Any, popularity: ArrayLike) -> Floats:
    """How much more popular a user's list is than the user's own history: ratio of means, less 1.

    0: as popular as the user's taste; 1: twice as popular.

    Parameters
    ----------
    lists : ndarray of shape (n_users, n_ranks), integer
    history : scipy sparse array or matrix of shape (n_users, n_items)
        Nonzero = the user's own items; row i belongs to row i of `lists`.
    popularity : array-like of shape (n_items,)
        Number of users of each item in the training data.

    References
    ----------
    Abdollahpouri, Mansoury, Burke and Mobasher, The unfairness of popularity bias in
    recommendation, 2019, section 4 (per user here, per group there).

    Examples
    --------
    A history of popularity (2 + 4) / 2, a list of popularity 6.

    >>> history = sparse.csr_array([[1, 1, 0]])
    >>> popularity_lift(np.array([[2, -1]]), history, popularity=[2, 4, 6])
    array([1.])
    """
    known = np.asarray(popularity, dtype=np.float64)
    own = (sparse.csr_array(history) != 0).astype(np.float64)
    if own.shape != (len(lists), len(known)):
        raise InputError(
            f"history has shape {own.shape} beside {len(lists)} lists and {len(known)} items"
        )
    count = own.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = np.where(count > 0, (own @ known) / count, np.nan)
        lift = _list_mean(lists, known) / usual - 1
    return np.where(usual > 0, lift, np.nan)


def serendipity(lists: Lists, hits: NDArray[np.bool_], expected: Lists) -> Floats:
    """Share of a list's places with a hit that a primitive recommender would not have listed.

    Parameters
    ----------
    lists : ndarray of shape (n_users, k), integer
    hits : ndarray of shape (n_users, k), bool
        Whether the place holds a relevant item (:func:`recnb.metrics.hits`).
    expected : ndarray of shape (n_users, any), integer
        The lists of the primitive recommender for the same users, such as popularity of the same length. The longer
        they are, the less is unexpected, so their name and length are part of the result.

    Returns
    -------
    ndarray of shape (n_users,)
        (hits whose item is not expected) / k, so never above precision. As there, an empty place is a miss and a user
        without recommendations scores 0.

    References
    ----------
    Ge, Delgado-Battenfeld and Jannach, Beyond accuracy: evaluating recommender systems by coverage and serendipity,
    RecSys 2010: useful items among those outside the list of a primitive model. Divided by k here.

    Examples
    --------
    Items 4 and 0 are right, but everybody is shown 0.

    >>> lists, right = np.array([[4, 0, 7, -1]]), np.array([[True, True, False, False]])
    >>> serendipity(lists, right, expected=np.array([[0, 1]]))
    array([0.25])
    """
    lists, expected = np.asarray(lists), np.asarray(expected)
    right = np.asarray(hits)
    if lists.ndim != 2 or right.shape != lists.shape or right.dtype != bool:
        raise InputError(
            f"hits are {right.dtype} of shape {right.shape} beside lists of shape {lists.shape}",
            mend="make them with recnb.metrics.hits from the same lists",
        )
    if expected.ndim != 2 or len(expected) != len(lists):
        raise InputError(
            f"expected has shape {expected.shape} beside {len(lists)} lists",
            mend="give the primitive recommender's lists of the same users, in the same order",
        )
    size = int(max(lists.max(initial=-1), expected.max(initial=-1))) + 1
    known = _membership(expected, size)
    listed = _checked(lists, size)
    if not listed.size:
        return np.zeros(len(lists))
    rows = np.repeat(np.arange(len(lists)), lists.shape[1])
    surprising = np.ones(lists.size, dtype=bool)
    filled = listed.ravel() >= 0
    codes = listed.ravel()[filled]
    surprising[filled] = np.asarray(known[rows[filled], codes]).ravel() == 0
    return (right & filled.reshape(lists.shape) & surprising.reshape(lists.shape)).mean(axis=1)


def intra_list_diversity(lists: Lists, vectors: ArrayLike) -> Floats:
    """1 minus the mean cosine over all pairs of items in each list.

    Parameters
    ----------
    lists : ndarray of shape (n_users, n_ranks), integer
        A list of fewer than two items has no pair: NaN.
    vectors : array-like of shape (n_items, n_dimensions), float
        Any scale; a vector of zeros has cosine 0 with every other.

    Notes
    -----
    With unit vectors v the sum of the cosines over ordered pairs is |sum v|^2 - sum |v|^2: no pair
    is ever formed.

    References
    ----------
    Ziegler, McNee, Konstan and Lausen, Improving recommendation lists through topic
    diversification, WWW 2005, section 3.3 (similarity summed there).

    Examples
    --------
    >>> vectors = [[1, 0], [2, 0], [0, 1]]
    >>> intra_list_diversity(np.array([[0, 1, -1], [0, 2, -1], [0, 1, 2]]), vectors).round(4)
    array([0.    , 1.    , 0.6667])
    """
    v = np.asarray(vectors, dtype=np.float64)
    if v.ndim != 2 or not np.isfinite(v).all():
        raise InputError(f"vectors have shape {v.shape} or hold NaN or infinite numbers")
    length = np.linalg.norm(v, axis=1)
    unit = v / np.where(length > 0, length, 1)[:, None]
    out = np.empty(len(lists))
    for start in range(0, len(lists), _BLOCK):
        listed = _membership(lists[start : start + _BLOCK], len(v))
        n = listed.sum(axis=1)
        cosines = np.square(listed @ unit).sum(axis=1) - listed @ (length > 0).astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            out[start : start + _BLOCK] = np.where(n > 1, 1 - cosines / (n * (n - 1)), np.nan)
    return out


def adherence(lists: Lists, obeys: NDArray[np.bool_]) -> Floats:
    """Share of each list that obeys a wish.

    Parameters
    ----------
    lists : ndarray of shape (n_users, n_ranks), integer
    obeys : ndarray of shape (n_items,), bool
        Whether an item obeys, by its attributes (:class:`recnb.models.Rule`).

    Returns
    -------
    ndarray of shape (n_users,)
        From 0 to 1; empty places are left out, an empty list is NaN.

    Examples
    --------
    >>> adherence(np.array([[0, 1], [1, -1], [-1, -1]]), np.array([False, True, True]))
    array([0.5, 1. , nan])
    """
    mask = np.asarray(obeys)
    if mask.dtype != bool or mask.ndim != 1:
        raise InputError(
            f"obeys is {mask.dtype} of shape {mask.shape}", mend="give a bool for each item"
        )
    return _list_mean(lists, mask.astype(np.float64))


def _checked(lists: Lists, n_items: int) -> Lists:
    lists = np.asarray(lists)
    if lists.ndim != 2 or not np.issubdtype(lists.dtype, np.integer):
        raise InputError(
            f"lists are {lists.dtype} of shape {lists.shape}, not integer (n_users, n_ranks)"
        )
    outside = (lists < -1) | (lists >= n_items)
    if outside.any():
        row, rank = np.argwhere(outside)[0]
        raise InputError(
            f"item code {lists[row, rank]} is outside the catalogue of {n_items} items",
            row=int(row) + 1,
        )
    return lists


def _counts(lists: Lists, n_items: int) -> NDArray[np.int64]:
    lists = _checked(lists, n_items)
    return np.bincount(lists[lists >= 0], minlength=n_items)


def _membership(lists: Lists, n_items: int) -> sparse.csr_array:
    lists = _checked(lists, n_items)
    filled = lists >= 0
    starts = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
    codes = lists[filled]
    return sparse.csr_array((np.ones(len(codes)), codes, starts), shape=(len(lists), n_items))


def _list_mean(lists: Lists, item_values: Floats) -> Floats:
    """Mean of the listed items' values, NaN for an empty list."""
    listed = _membership(lists, len(item_values))
    n = listed.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.where(n > 0, (listed @ item_values) / np.maximum(n, 1), np.nan)
