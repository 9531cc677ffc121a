"""Which places of a recommendation list hold a relevant item: the one input of all list metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recnb.errors import InputError

_PLACES = 2**16  # list places handled at once: their scratch arrays stay in the cache
_TABLE_BYTES = 2**26  # most memory for the table of a Truth


class Truth:
    """The relevant items of each user, made ready to be looked up by many lists.

    Functions that take relevant items accept a csr and build this themselves; build it once where
    several models are judged on the same truth.

    Parameters
    ----------
    relevant : scipy sparse array or matrix of shape (n_users, n_items)
        Nonzero = relevant. Entries stored as zero are not relevant, repeated ones count once.

    Attributes
    ----------
    matrix : csr of shape (n_users, n_items), sorted and without zeros
    counts : ndarray of shape (n_users,), int64
        Number of relevant items.

    Notes
    -----
    Most places of a list are misses. A table with one byte for each user and each value of the
    codes' low bits (a Bloom filter with one hash function) rules most of them out in one step; the
    few places left are looked up in the matrix by binary search, so the result is exact.

    References
    ----------
    Bloom, Space/time trade-offs in hash coding with allowable errors, CACM 13, 1970.

    Examples
    --------
    >>> Truth(sparse.csr_array([[1, 0, 1], [0, 0, 0]])).counts
    array([2, 0])
    """

    def __init__(self, relevant: Any) -> None:
        self.matrix = _canonical(relevant)
        self.counts = _row_counts(self.matrix)
        n_users = max(self.matrix.shape[0], 1)
        # About 16 slots per relevant item: then 1 miss in 16 is looked up in vain.
        wanted = max(16 * self.matrix.nnz // n_users, 16)
        self._width = 2 ** int(np.log2(max(min(wanted * 2 - 1, _TABLE_BYTES // n_users), 1)))
        self._table = np.zeros(n_users * self._width, dtype=bool)
        first_slot = np.repeat(np.arange(len(self.counts)) * self._width, self.counts)
        self._table[first_slot + (self.matrix.indices & (self._width - 1))] = True

    @property
    def shape(self) -> tuple[int, int]:
        """(n_users, n_items)."""
        return self.matrix.shape

    def maybe(self, by_rank: NDArray[np.int64], start: int) -> NDArray[np.intp]:
        """Flat places of `by_rank` (n_ranks, users from `start` on) that are not surely misses."""
        slots = by_rank & (self._width - 1)
        slots += np.arange(start, start + by_rank.shape[1]) * self._width
        return np.flatnonzero(self._table.take(slots))


def count_relevant(relevant: Any) -> NDArray[np.int64]:
    """Number of relevant items of each user: nonzero entries of each row.

    Parameters
    ----------
    relevant : Truth, or scipy sparse array or matrix of shape (n_users, n_items)

    Returns
    -------
    ndarray of shape (n_users,), int64

    Examples
    --------
    >>> count_relevant(sparse.csr_array([[1, 0, 1], [0, 0, 0]]))
    array([2, 0])
    """
    return relevant.counts if isinstance(relevant, Truth) else _row_counts(_canonical(relevant))


def hits(lists: NDArray[np.integer], relevant: Any) -> NDArray[np.bool_]:
    """Mark the places of each list that hold a relevant item.

    Parameters
    ----------
    lists : ndarray of shape (n_users, n_ranks), integer
        Item codes, best first; -1 is an empty place, which is a miss.
    relevant : Truth, or scipy sparse array or matrix of shape (n_users, n_items)
        Nonzero = relevant. Row i belongs to row i of `lists`.

    Returns
    -------
    ndarray of shape (n_users, n_ranks), bool
        Stored rank by rank (Fortran order), so that sums over ranks run along the users.

    Raises
    ------
    InputError
        Where a list names an item twice (duplicates would be counted twice: NDCG above 1), a code
        lies outside the catalogue, or the shapes do not fit. The row is named, counted from 1.

    Examples
    --------
    >>> relevant = sparse.csr_array([[1, 0, 0, 1], [0, 1, 0, 0]])
    >>> hits(np.array([[3, 2, 0], [0, 2, -1]]), relevant)
    array([[ True, False,  True],
           [False, False, False]])
    """
    lists = np.asarray(lists)
    if lists.ndim != 2 or not np.issubdtype(lists.dtype, np.integer):
        raise InputError(
            f"lists are {lists.dtype} of shape {lists.shape}, not integer (n_users, n_ranks)"
        )
    truth = relevant if isinstance(relevant, Truth) else Truth(relevant)
    n_users, n_ranks = lists.shape
    if truth.shape[0] != n_users:
        raise InputError(
            f"{n_users} lists stand beside the relevant items of {truth.shape[0]} users",
            mend="give one row of each per user, in the same order",
        )
    found = np.zeros((n_ranks, n_users), dtype=bool)
    places, users, codes = [], [], []
    step = max(_PLACES // max(n_ranks, 1), 1)
    for start in range(0, n_users, step):
        # One contiguous row per rank: each step then runs along the users, where it is fast.
        by_rank = np.ascontiguousarray(lists[start : start + step].T, dtype=np.int64)
        _check_codes(by_rank, truth.shape[1], start)
        _check_duplicates(by_rank, start)
        left = truth.maybe(by_rank, start)
        rank, user = np.divmod(left, by_rank.shape[1])
        user += start
        places.append(rank * n_users + user)
        users.append(user)
        codes.append(by_rank.take(left))
    if places:
        place, user, code = map(np.concatenate, (places, users, codes))
        filled = code >= 0
        place, user, code = place[filled], user[filled], code[filled]
        found.reshape(-1)[place] = np.asarray(truth.matrix[user, code]).ravel() != 0
    return found.T


def _row_counts(csr: sparse.csr_array) -> NDArray[np.int64]:
    return np.diff(csr.indptr).astype(np.int64)


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


def _check_codes(by_rank: NDArray[np.int64], n_items: int, start: int) -> None:
    if by_rank.size and (by_rank.min() < -1 or by_rank.max() >= n_items):
        row, rank = np.argwhere((by_rank.T < -1) | (n_items <= by_rank.T))[0]
        raise InputError(
            f"item code {by_rank[rank, row]} is outside the catalogue of {n_items} items",
            row=int(start + row + 1),
            mend="use codes 0 to n_items - 1, and -1 for an empty place",
        )


def _check_duplicates(by_rank: NDArray[np.int64], start: int) -> None:
    places = by_rank.astype(np.int32) if by_rank.max(initial=0) < 2**31 else by_rank
    if len(places) <= 16:  # all pairs of places: for short lists faster than sorting
        twice = np.zeros(places.shape[1], dtype=bool)
        for rank in range(1, len(places)):
            same = places[:rank] == places[rank]
            if same.any():
                twice |= same.any(axis=0) & (places[rank] >= 0)
    else:
        ordered = np.sort(places.T, axis=1)
        twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if twice.any():
        row = int(np.argmax(twice))
        items, counts = np.unique(by_rank[:, row], return_counts=True)
        item = items[(counts > 1) & (items >= 0)][0]
        raise InputError(
            f"item code {item} stands more than once in the list",
            row=start + row + 1,
            mend="keep the first place of each item only",
        )
