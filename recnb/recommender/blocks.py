"""Top-k lists from scores: exact, in bounded memory, with a stated rule for ties.

The usual way sorts or partitions every row of a score matrix. Here a row is first cut into short groups; the
k-th largest group maximum is a lower bound of the k-th largest score, so that one comparison leaves little more
than k of 50,000 columns and only these are sorted. Each step handles all rows of a block in one call, so that
threads seldom wait for the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from threading import local

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from recnb.errors import InputError
from recnb.hashing import mix

_GROUP = 8
_BLOCK_BYTES = 16 * 2**20
_PRODUCT_BYTES = 64 * 2**20  # a product of few rows is slow


def top_k_rows(
    scores: np.ndarray, k: int, row_hash: np.ndarray, column_hash: np.ndarray
) -> np.ndarray:
    """The `k` best columns of each row, best first.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_columns), float
        Minus infinity marks a column that must not be listed; no value is NaN.
    k : int
    row_hash : ndarray of shape (n_rows,), uint64
    column_hash : ndarray of shape (n_columns,), uint64
        Equal scores are ordered by the hash of their row and column together, then by column.

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
    return _top_k(np.ascontiguousarray(scores), k, row_hash, column_hash)[0]


def _top_k(
    scores: np.ndarray, k: int, row_hash: np.ndarray, column_hash: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Columns as in :func:`top_k_rows` and their scores, minus infinity where a list is short."""
    columns = np.empty((len(scores), k), np.int64)
    values = np.empty((len(scores), k), scores.dtype)
    for start, stop in _ranges(len(scores), scores.shape[1], _BLOCK_BYTES):
        columns[start:stop], values[start:stop] = _top_k_of_few(
            scores[start:stop], k, row_hash[start:stop], column_hash
        )
    return columns, values


def _top_k_of_few(
    scores: np.ndarray, k: int, row_hash: np.ndarray, column_hash: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same for rows that fit in the cache together."""
    n_rows, n_columns = scores.shape
    depth = 2 if n_columns >= 4 * k * _GROUP**2 else int(n_columns >= 4 * k * _GROUP)
    width = n_columns // _GROUP**depth
    grouped = width * _GROUP**depth
    levels = [scores]
    for _ in range(depth):
        # Group g holds columns g, g + width, g + 2 width, …: its maximum is a vectorised pass.
        wide = levels[-1][:, : width * _GROUP ** (depth + 1 - len(levels))]
        levels.append(wide.reshape(n_rows, _GROUP, -1).max(axis=1))
    bound = np.full(n_rows, np.finfo(scores.dtype).min, scores.dtype)
    if width > k:
        np.maximum(bound, np.partition(levels[-1], width - k, axis=1)[:, width - k], out=bound)

    near = levels[-1] >= bound[:, None]
    crowded = np.flatnonzero(np.count_nonzero(near, axis=1) > 2 * k)
    over = scores[:, grouped:] >= bound[:, None]  # columns left over by the groups
    near[crowded], over[crowded] = False, False
    row, column = np.divmod(np.flatnonzero(near), max(width, 1))
    for level in reversed(levels[:-1]):
        row, column = _members(level, row, column, width, bound)
        width *= _GROUP
    over_row, over_column = np.nonzero(over)
    parts = [(row, column), (over_row, over_column + grouped)]
    for r in crowded:
        best = _cut(scores[r], bound[r], k, row_hash[r : r + 1], column_hash)
        parts.append((np.full(len(best), r), best))
    row, column = (np.concatenate(part) for part in zip(*parts))
    return _sort(scores, row, column, k, row_hash, column_hash)


def _members(
    level: np.ndarray, row: np.ndarray, group: np.ndarray, width: int, bound: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the members of some groups that reach the bound of their row."""
    places = row * level.shape[1] + group + (np.arange(_GROUP) * width)[:, None]
    chosen = np.flatnonzero(level.take(places) >= bound[row])
    member, chosen = np.divmod(chosen, max(len(row), 1))
    return row[chosen], group[chosen] + member * width


def _cut(
    row: np.ndarray, bound: float, k: int, row_hash: np.ndarray, column_hash: np.ndarray
) -> np.ndarray:
    """The k best columns of a row with many ties, in no order: hashes only where they decide."""
    found = np.flatnonzero(row >= bound)
    if len(found) <= k:
        return found
    values = row[found]
    last = np.partition(values, len(values) - k)[len(values) - k]
    above, level = found[values > last], found[values == last]
    by_hash = np.argsort(mix(column_hash[level], row_hash), kind="stable")
    return np.concatenate([above, level[by_hash[: k - len(above)]]])


def _sort(
    scores: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    k: int,
    row_hash: np.ndarray,
    column_hash: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The first k candidates of each row by falling score; rows with ties are sorted by hash too."""
    n_rows = len(scores)
    count = np.bincount(row, minlength=n_rows)
    # A line for each row: its candidates, then -inf. Sorting 16-bit numbers stably is a radix sort.
    order = np.argsort(row.astype(np.uint16) if n_rows < 2**16 else row, kind="stable")
    length = max(k, int(count.max(initial=0)))
    row, column = row[order], column[order]
    place = np.arange(len(row)) + (np.arange(n_rows) * length - np.cumsum(count) + count)[row]
    values = np.full((n_rows, length), -np.inf, scores.dtype)
    columns = np.full((n_rows, length), -1)
    values.reshape(-1)[place] = scores.reshape(-1)[row * scores.shape[1] + column]
    columns.reshape(-1)[place] = column

    order = np.argsort(-values, axis=1)
    best = np.take_along_axis(values, order[:, : k + 1], axis=1)
    same = (best[:, 1:] == best[:, :-1]) & (best[:, 1:] > -np.inf)
    order = order[:, :k]
    tied = np.flatnonzero(same.any(axis=1))
    if len(tied):
        these = columns[tied]
        mixed = mix(column_hash[these], row_hash[tied, None])
        order[tied] = np.lexsort((these, mixed, -values[tied]), axis=1)[:, :k]
    return np.take_along_axis(columns, order, axis=1), best[:, :k]


class Product:
    """Scores that are the product of user and item factors, written where the caller says.

    Parameters
    ----------
    left : ndarray of shape (n_users, n_factors), float32
    right : ndarray of shape (n_factors, n_items), float32

    Examples
    --------
    >>> Product(np.ones((3, 2), np.float32), np.ones((2, 2), np.float32))(0, 1)
    array([[2., 2.]], dtype=float32)
    """

    def __init__(self, left: np.ndarray, right: np.ndarray):
        self.left, self.right = left, right

    def __call__(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """Scores of some users, in `out` where it is given."""
        return np.matmul(self.left[start:stop], self.right, out=out)


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
        Called with ascending blocks; with ``threads > 1`` from several threads. What it returns is not
        written to. A :class:`Product` needs no new memory for each block.
    k : int
    user_hash, item_hash : ndarray of uint64
    exclude : csr_matrix of shape (n_users, n_items), optional
        Stored entries are never listed, whatever their value (a rating may be 0).
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
    n_bytes = _PRODUCT_BYTES if isinstance(score_block, Product) else _BLOCK_BYTES
    blocks = list(_ranges(n_users, n_items, n_bytes))
    own = local()

    def room(n: int) -> np.ndarray:
        # Each thread writes to one place: to map fresh memory costs a fifth of a product.
        if not hasattr(own, "scores"):
            own.scores = np.empty((blocks[0][1], n_items), np.float32)
        return own.scores[:n]

    def work(block: tuple[int, int]) -> None:
        start, stop = block
        if isinstance(score_block, Product):
            scores = score_block(start, stop, room(stop - start))
        else:
            scores = score_block(start, stop)
        if not finite:
            check_scores(scores, (stop - start, n_items), name)
        if (barred is not None or exclude is not None) and not isinstance(score_block, Product):
            # It may be the model's own table: leave it as it is.
            copy = room(stop - start) if scores.dtype == np.float32 else np.empty_like(scores)
            np.copyto(copy, scores)
            scores = copy
        scores = np.ascontiguousarray(scores)
        if barred is not None:
            scores[:, barred] = -np.inf
        if exclude is not None:
            low, high = exclude.indptr[start], exclude.indptr[stop]
            rows = np.repeat(np.arange(stop - start), np.diff(exclude.indptr[start : stop + 1]))
            scores[rows, exclude.indices[low:high]] = -np.inf
        best, values = _top_k(scores, k, user_hash[start:stop], item_hash)
        items[start:stop] = best
        kept[start:stop] = np.where(best >= 0, values, np.nan)

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
    return _ranges(n_users, n_items, _BLOCK_BYTES)


def _ranges(n_rows: int, n_columns: int, n_bytes: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows whose float32 scores fill so many bytes."""
    size = max(1, n_bytes // (4 * max(n_columns, 1)))
    for start in range(0, n_rows, size):
        yield start, min(start + size, n_rows)


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
