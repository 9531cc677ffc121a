"""Which places of a recommendation list hold a relevant item: the one input of all list metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recnb.errors import InputError

_BLOCK = 8192  # users at once: lists and scratch of a block stay in the cache


def count_relevant(relevant: Any) -> NDArray[np.int64]:
    """Number of relevant items of each user: nonzero entries of each row.

    Parameters
    ----------
    relevant : scipy sparse array or matrix of shape (n_users, n_items)
        Nonzero = relevant. Entries stored as zero are not relevant.

    Returns
    -------
    ndarray of shape (n_users,), int64

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> count_relevant(csr_array([[1, 0, 1], [0, 0, 0]]))
    array([2, 0])
    """
    return np.diff(_canonical(relevant).indptr).astype(np.int64)


def hits(lists: NDArray[np.integer], relevant: Any) -> NDArray[np.bool_]:
    """Mark the places of each list that hold a relevant item.

    Parameters
    ----------
    lists : ndarray of shape (n_users, n_ranks), integer
        Item codes, best first; -1 is an empty place, which is a miss.
    relevant : scipy sparse array or matrix of shape (n_users, n_items)
        Nonzero = relevant. Row i belongs to row i of `lists`.

    Returns
    -------
    ndarray of shape (n_users, n_ranks), bool

    Raises
    ------
    InputError
        Where a list names an item twice (duplicates would be counted twice: NDCG above 1), a code
        lies outside the catalogue, or the shapes do not fit. The row is named, counted from 1.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> relevant = csr_array([[1, 0, 0, 1], [0, 1, 0, 0]])
    >>> hits(np.array([[3, 2, 0], [0, 2, -1]]), relevant)
    array([[ True, False,  True],
           [False, False, False]])
    """
    lists = np.asarray(lists)
    if lists.ndim != 2 or not np.issubdtype(lists.dtype, np.integer):
        raise InputError(
            f"lists are {lists.dtype} of shape {lists.shape}, not integer (n_users, n_ranks)"
        )
    truth = _canonical(relevant)
    if truth.shape[0] != lists.shape[0]:
        raise InputError(
            f"{lists.shape[0]} lists stand beside the relevant items of {truth.shape[0]} users",
            mend="give one row of each per user, in the same order",
        )
    out = np.empty(lists.shape, dtype=bool)
    for start in range(0, len(lists), _BLOCK):
        block = np.ascontiguousarray(lists[start : start + _BLOCK])
        _check_codes(block, truth.shape[1], start)
        block = block.astype(truth.indices.dtype)  # int32 but for catalogues beyond 2^31
        _check_duplicates(block, start)
        out[start : start + _BLOCK] = _block_hits(block, truth[start : start + _BLOCK])
    return out


def _canonical(relevant: Any) -> sparse.csr_array:
    """Csr with sorted, single, nonzero entries; the caller's matrix is left as it is."""
    if not sparse.issparse(relevant):
        raise InputError(
            f"relevant is a {type(relevant).__name__}, not a scipy sparse matrix",
            mend="wrap it in scipy.sparse.csr_array",
        )
    csr = relevant.tocsr()
    if csr.has_canonical_format and csr.data.all():
        return csr
    csr = csr.copy()
    csr.sum_duplicates()
    csr.eliminate_zeros()
    return csr


def _check_codes(block: NDArray[np.integer], n_items: int, start: int) -> None:
    if block.size and (block.min() < -1 or block.max() >= n_items):
        row, rank = np.argwhere((block < -1) | (block >= n_items))[0]
        raise InputError(
            f"item code {block[row, rank]} is outside the catalogue of {n_items} items",
            row=int(start + row + 1),
            mend="use codes 0 to n_items - 1, and -1 for an empty place",
        )


def _check_duplicates(block: NDArray[np.integer], start: int) -> None:
    if block.shape[1] <= 16:  # all pairs of places: for short lists faster than sorting
        places = np.ascontiguousarray(block.T)
        twice = np.zeros(len(block), dtype=bool)
        for rank in range(1, len(places)):
            same = places[:rank] == places[rank]
            if same.any():
                twice |= same.any(axis=0) & (places[rank] >= 0)
    else:
        ordered = np.sort(block, axis=1)
        twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if twice.any():
        row = int(np.argmax(twice))
        items, counts = np.unique(block[row], return_counts=True)
        item = items[(counts > 1) & (items >= 0)][0]
        raise InputError(
            f"item code {item} stands more than once in the list",
            row=start + row + 1,
            mend="keep the first place of each item only",
        )


def _block_hits(block: NDArray[np.integer], truth: sparse.csr_array) -> NDArray[np.bool_]:
    """Read the entries (user, listed item) of a csr with sorted rows: binary search, compiled."""
    rows = np.repeat(np.arange(len(block), dtype=np.int32), block.shape[1])
    empty = block < 0
    codes = np.where(empty, 0, block).ravel()
    found = np.asarray(truth[rows, codes]).reshape(block.shape) != 0
    return found & ~empty
