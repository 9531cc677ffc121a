"""Which places of a recommendation list hold a relevant item: the one input of all list metrics."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recnb.errors import InputError

_PLACES = 2**17  # list places handled at once: their scratch arrays stay in the cache
_TABLE_BYTES = 2**26  # most memory for the table of a RelevantItems


class RelevantItems:
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
    A hash table per user, as wide for all: the low bits of a code are its slot, and the slot holds the
    other bits, so slot and content together are the code. Where two relevant items of a user fall
    into one slot, the slot says so, and places that meet it are looked up by binary search among
    the items in such slots. The result is exact; memory stays bounded, a small table only sends more places to
    the search.

    Examples
    --------
    >>> RelevantItems(sparse.csr_array([[1, 0, 1], [0, 0, 0]])).counts
    array([2, 0])
    """

    def __init__(self, relevant: Any) -> None:
        self.matrix = _canonical(relevant)
        self.counts = _row_counts(self.matrix)
        n_users, n_items = self.matrix.shape
        # 16 to 32 slots per relevant item: then about 1 item in 40 shares its slot.
        slots = min(32 * self.matrix.nnz, _TABLE_BYTES // 2) // max(n_users, 1)
        self._shift = max(slots, 1).bit_length() - 1
        kind = np.min_scalar_type((max(n_items, 1) - 1 >> self._shift) + 2)
        self._empty, self._shared = kind.type(np.iinfo(kind).max - 1), kind.type(np.iinfo(kind).max)
        self._table = np.full(n_users << self._shift, self._empty, dtype=kind)
        codes = self.matrix.indices
        slot = np.repeat(np.arange(n_users) << self._shift, self.counts)
        slot += codes & ((1 << self._shift) - 1)
        rest = (codes >> self._shift).astype(kind)
        self._table[slot] = rest
        self._table[slot[self._table[slot] != rest]] = self._shared
        crowded = np.flatnonzero(self._table[slot] == self._shared)
        users = np.searchsorted(self.matrix.indptr, crowded, side="right") - 1
        self._crowded = users * np.int64(n_items) + codes[crowded]  # ascending, as the matrix is

    @property
    def shape(self) -> tuple[int, int]:
        """(n_users, n_items)."""
        return self.matrix.shape

    def slots(self, n_users: int, n_ranks: int) -> NDArray[np.intp]:
        """First slot of the user of each place, of lists that lie one after another."""
        return np.repeat(np.arange(n_users) << self._shift, n_ranks)

    def look_up(
        self, codes: NDArray[np.int64], start: int, slots: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        """Which codes (n, n_ranks) are relevant to their users, `start` the first; `slots` as above."""
        flat = codes.reshape(-1)
        slot = flat & ((1 << self._shift) - 1)
        slot += slots[: len(flat)]
        held = self._table[start << self._shift :].take(slot)
        np.right_shift(flat, self._shift, out=slot)
        found = held == slot.astype(held.dtype)
        undecided = np.flatnonzero(held == self._shared)
        if len(undecided):
            code = flat.take(undecided)
            keys = (start + undecided // codes.shape[1]) * np.int64(self.shape[1]) + code
            place = np.searchsorted(self._crowded, keys)
            at = self._crowded.take(place, mode="clip") if len(self._crowded) else keys + 1
            found[undecided] = (at == keys) & (code >= 0)
        return found.reshape(codes.shape)


def count_relevant(relevant: Any) -> NDArray[np.int64]:
    """Number of relevant items of each user: nonzero entries of each row.

    Parameters
    ----------
    relevant : RelevantItems, or scipy sparse array or matrix of shape (n_users, n_items)

    Returns
    -------
    ndarray of shape (n_users,), int64

    Examples
    --------
    >>> count_relevant(sparse.csr_array([[1, 0, 1], [0, 0, 0]]))
    array([2, 0])
    """
    return (
        relevant.counts
        if isinstance(relevant, RelevantItems)
        else _row_counts(_canonical(relevant))
    )


def hits(lists: NDArray[np.integer], relevant: Any) -> NDArray[np.bool_]:
    """Mark the places of each list that hold a relevant item.

    Parameters
    ----------
    lists : ndarray of shape (n_users, n_ranks), integer
        Item codes, best first; -1 is an empty place, which is a miss.
    relevant : RelevantItems, or scipy sparse array or matrix of shape (n_users, n_items)
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
    truth = relevant if isinstance(relevant, RelevantItems) else RelevantItems(relevant)
    n_users, n_ranks = lists.shape
    if truth.shape[0] != n_users:
        raise InputError(
            f"{n_users} lists stand beside the relevant items of {truth.shape[0]} users",
            mend="give one row of each per user, in the same order",
        )
    # Kept rank by rank: later sums over ranks then run along the users.
    found = np.empty((n_ranks, n_users), dtype=bool)
    step = max(_PLACES // max(n_ranks, 1), 1)
    slots = truth.slots(min(step, n_users), n_ranks)

    def mark(start: int) -> None:
        # User after user: the table is then read once, in order.
        block = _copy_rows(lists[start : start + step]).astype(np.int64, copy=False)
        _check_codes(block, truth.shape[1], start)
        _check_duplicates(block, truth.shape[1], start)
        found[:, start : start + step] = truth.look_up(block, start, slots).T

    starts = range(0, n_users, step)
    if len(starts) > 1 and (cpu_count() or 1) > 1:
        with ThreadPoolExecutor(cpu_count()) as pool:  # numpy works without the lock
            list(pool.map(mark, starts))
    else:
        for start in starts:
            mark(start)
    return found.T


def _copy_rows(block: NDArray[np.integer]) -> NDArray[np.integer]:
    """Contiguous copy; the first places of long lists are copied row by row, not one by one."""
    if not block.size or block.flags.c_contiguous or block.strides[1] != block.itemsize:
        return np.ascontiguousarray(block)
    return block.view(np.dtype((np.void, block.shape[1] * block.itemsize))).copy().view(block.dtype)


def _row_counts(csr: sparse.csr_array) -> NDArray[np.int64]:
    return np.diff(csr.indptr).astype(np.int64)


def _canonical(relevant: Any) -> sparse.csr_array:
    """Csr with sorted, single, nonzero entries; the caller's matrix is left as it is."""
    if not sparse.issparse(relevant):
        raise InputError(
            f"relevant is a {type(relevant).__name__}, not a scipy sparse matrix",
            mend="wrap it in scipy.sparse.csr_array",
        )
    csr = sparse.csr_array(relevant)
    if csr.has_canonical_format and csr.data.all():
        return csr
    csr = csr.copy()
    csr.sum_duplicates()
    csr.eliminate_zeros()
    return csr


def _check_codes(block: NDArray[np.int64], n_items: int, start: int) -> None:
    if block.size and (block.min() < -1 or block.max() >= n_items):
        row, rank = np.argwhere((block < -1) | (block >= n_items))[0]
        raise InputError(
            f"item code {block[row, rank]} is outside the catalogue of {n_items} items",
            row=int(start + row + 1),
            mend="use codes 0 to n_items - 1, and -1 for an empty place",
        )


def _check_duplicates(block: NDArray[np.int64], n_items: int, start: int) -> None:
    if block.shape[1] <= 16 and not _maybe_repeated(block, n_items):
        return
    small = block.max(initial=0) < 2**31
    ordered: NDArray[np.signedinteger] = np.sort(block.astype(np.int32) if small else block, axis=1)
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


def _maybe_repeated(block: NDArray[np.int64], n_items: int) -> bool:
    """Whether low bits repeat in a list: all pairs of places, for short lists faster than sorting."""
    n_ranks = block.shape[1]
    if block.min(initial=0) < 0:  # empty places become different numbers
        block = np.where(block < 0, -1 - np.arange(n_ranks), block)
    kind = np.uint16 if n_items < 2**16 - n_ranks else np.uint32
    low = block.T.astype(kind, order="C")
    return any((low[gap:] == low[:-gap]).any() for gap in range(1, n_ranks))
