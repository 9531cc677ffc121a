"""Top-k lists from scores: exact, in bounded memory, with a stated rule for ties.

The usual way sorts or partitions every row of a score matrix. Here a row is first cut into short groups; the
k-th largest group maximum is a lower bound of the k-th largest score, so that one comparison leaves a few hundred
candidates of 50,000 and only these are sorted. Two threads work on blocks of users that stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from recnb.data.hashing import mix
from recnb.errors import InputError

_GROUP = 16
_BLOCK_BYTES = 16 * 2**20


def top_k_rows(
    scores: np.ndarray, k: int, row_hash: np.ndarray, column_hash: np.ndarray
) -> np.ndarray:
    """The `k` best columns of each row, best first.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_columns), float32
        Minus infinity marks a column that must not be listed.
    k : int
    row_hash : ndarray of shape (n_rows,), uint64
    column_hash : ndarray of shape (n_columns,), uint64
        Equal scores are ordered by the hash of their row and column together.

    Returns
    -------
    ndarray of shape (n_rows, k), int64
        -1 where fewer than k columns may be listed.

    Examples
    --------
    >>> h = np.arange(4, dtype=np.uint64)
    >>> top_k_rows(np.array([[.1, .9, -np.inf, .5]], np.float32), 4, h[:1], h)
    array([[ 1,  3,  0, -1]])
    """
    n_rows, n_columns = scores.shape
    out = np.full((n_rows, k), -1, np.int64)
    width = n_columns // _GROUP
    if width < 2 * k:
        for r in range(n_rows):
            found = np.flatnonzero(scores[r] > -np.inf)
            out[r] = _best(found, scores[r][found], k, row_hash[r], column_hash)
        return out
    # Group g holds columns g, g + width, g + 2 width, ...: its maximum is a vectorised pass without a gather.
    groups = scores[:, : width * _GROUP].reshape(n_rows, _GROUP, width).max(axis=1)
    bound = np.partition(groups, width - k, axis=1)[:, width - k]
    steps = (np.arange(_GROUP) * width)[:, None]
    rest = np.arange(width * _GROUP, n_columns)
    for r in range(n_rows):
        row = scores[r]
        near = np.concatenate([(np.flatnonzero(groups[r] >= bound[r]) + steps).ravel(), rest])
        values = row.take(near)
        listed = values >= bound[r] if bound[r] > -np.inf else values > -np.inf
        out[r] = _best(near[listed], values[listed], k, row_hash[r], column_hash)
    return out


def _best(
    found: np.ndarray, values: np.ndarray, k: int, row_hash: np.uint64, column_hash: np.ndarray
) -> np.ndarray:
    """The k best of the found columns, padded with -1."""
    if len(found) > 4 * k:
        near = values >= np.partition(values, len(values) - k)[len(values) - k]
        found, values = found[near], values[near]
    order = np.argsort(-values, kind="stable")
    descending = values[order]
    if (descending[1:] == descending[:-1]).any():
        order = np.lexsort((mix(column_hash[found], row_hash), -values))
    best = found[order[:k]]
    return best if len(best) == k else np.append(best, np.full(k - len(best), -1, np.int64))


def rank_blocks(
    n_users: int,
    n_items: int,
    score_block: Callable[[int, int], np.ndarray],
    k: int,
    user_hash: np.ndarray,
    item_hash: np.ndarray,
    exclude: sparse.csr_matrix | None = None,
    allowed: np.ndarray | None = None,
    name: str = "the model",
    threads: int = 1,
    finite: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Score blocks of users and keep the best `k` items of each.

    Parameters
    ----------
    n_users, n_items : int
    score_block : callable (start, stop) -> ndarray of shape (stop - start, n_items), float32
        Called with ascending blocks; with ``threads > 1`` from several threads.
    k : int
    user_hash, item_hash : ndarray of uint64
    exclude : csr_matrix of shape (n_users, n_items), optional
        Nonzero entries are never listed.
    allowed : ndarray of shape (n_items,), bool, optional
        The only items that may be listed.
    name : str
        Named in errors.
    threads : int
    finite : bool
        The caller has made sure that scores are finite (products of finite factors).

    Returns
    -------
    items : ndarray of shape (n_users, k), int64
        -1 where a list is short.
    scores : ndarray of shape (n_users, k), float32
        NaN where a list is short.

    Raises
    ------
    InputError
        A score is NaN or infinite, or a block has another shape.
    """
    items = np.full((n_users, k), -1, np.int64)
    kept = np.full((n_users, k), np.nan, np.float32)
    barred = None if allowed is None else np.flatnonzero(~allowed)

    def work(block: tuple[int, int]) -> None:
        start, stop = block
        scores = score_block(start, stop)
        if not finite:
            check_scores(scores, (stop - start, n_items), name)
        if barred is not None or exclude is not None:
            scores = scores if scores.flags.writeable and scores.flags.owndata else scores.copy()
        if barred is not None:
            scores[:, barred] = -np.inf
        if exclude is not None:
            low, high = exclude.indptr[start], exclude.indptr[stop]
            rows = np.repeat(np.arange(stop - start), np.diff(exclude.indptr[start : stop + 1]))
            scores[rows, exclude.indices[low:high]] = -np.inf
        best = top_k_rows(scores, k, user_hash[start:stop], item_hash)
        items[start:stop] = best
        picked = np.take_along_axis(scores, np.maximum(best, 0), axis=1)
        kept[start:stop] = np.where(best >= 0, picked, np.nan)

    blocks = list(user_blocks(n_users, n_items))
    if threads > 1 and len(blocks) > 1:
        # Each thread multiplies with one BLAS thread: blocks, not products, are shared out.
        with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, blocks))
    else:
        for block in blocks:
            work(block)
    return items, kept


def user_blocks(n_users: int, n_items: int) -> Iterator[tuple[int, int]]:
    """Ranges of users whose scores fill about 16 MB."""
    size = max(1, _BLOCK_BYTES // (4 * max(n_items, 1)))
    for start in range(0, n_users, size):
        yield start, min(start + size, n_users)


def n_threads() -> int:
    """Processors that this machine has (BLAS may use as many)."""
    return cpu_count() or 1


def check_scores(scores: np.ndarray, shape: tuple[int, int], name: str) -> None:
    """Raise unless scores have this shape and are finite."""
    if not isinstance(scores, np.ndarray) or scores.shape != shape:
        got = getattr(scores, "shape", type(scores).__name__)
        raise InputError(
            f"{name} gave scores of shape {got}, expected {shape}", mend="mend its score()"
        )
    if scores.dtype.kind != "f":
        raise InputError(f"{name} gave scores of type {scores.dtype}", mend="give float32")
    # The sum of a row is finite unless an entry is not (or float32 overflows: then look closely).
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = ~np.isfinite(scores.sum(axis=1, dtype=np.float32))
    if suspicious.any() and not np.isfinite(scores[suspicious]).all():
        bad = int(np.flatnonzero(~np.isfinite(scores).all(axis=1))[0])
        raise InputError(
            f"{name} gave a NaN or infinite score (row {bad} of the block)",
            mend="look for a division by zero or training that diverged",
        )
