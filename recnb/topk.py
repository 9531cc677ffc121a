"""Top-k lists from scores: exact, in bounded memory, with a stated rule for ties.

The usual way sorts or partitions every row of a score matrix. Here a row is first cut into short groups; the
k-th largest group maximum is a lower bound of the k-th largest score, so that one comparison leaves little more
than k of 50,000 columns and only these are sorted. Each step handles all rows of a block in one call, so that
threads seldom wait for the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import isqrt
from os import cpu_count
from threading import local

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
    return _top_k(scores, k, row_hash, column_hash)[0]


def _top_k(
    scores: np.ndarray, k: int, row_hash: np.ndarray, column_hash: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Columns as in :func:`top_k_rows` and their scores, minus infinity where a list is short."""
    n_rows, n_columns = scores.shape
    flat = scores.reshape(-1)
    # k groups must stand out among many, and fewer columns may be left over than there are groups.
    size = max(1, min(_GROUP, n_columns // (4 * k), isqrt(n_columns)))
    width = n_columns // size
    # Group g holds columns g, g + width, g + 2 width, ...: its maximum is a vectorised pass without a gather.
    groups = scores[:, : size * width].reshape(n_rows, size, width)
    groups = groups.max(axis=1) if size > 1 else groups[:, 0]
    bound = np.full(n_rows, np.finfo(scores.dtype).min, scores.dtype)
    if width > k:
        np.maximum(bound, np.partition(groups, width - k, axis=1)[:, width - k], out=bound)
    near = groups >= bound[:, None]
    found = np.flatnonzero(near)
    count = np.diff(np.searchsorted(found, np.arange(n_rows + 1) * width))
    crowded = np.flatnonzero(count > 4 * k)
    if len(crowded):
        near[crowded], count[crowded] = False, 0
        found = np.flatnonzero(near)

    # The candidates of all rows, row by row.
    row = np.repeat(np.arange(n_rows), count)
    first = found + row * (n_columns - width)
    places = first[:, None] + np.arange(size) * width
    values = flat.take(places)
    chosen = np.flatnonzero(values >= bound[row][:, None])
    row = row[chosen // size]
    values, columns = values.ravel()[chosen], places.ravel()[chosen] - row * n_columns

    # A line for each row: the columns that the groups left over, its candidates, and -inf to the end.
    rest = n_columns - size * width
    count = np.bincount(row, minlength=n_rows)
    length = max(k, rest + int(count.max(initial=0)))
    value_lines = np.full((n_rows, length), -np.inf, scores.dtype)
    column_lines = np.full((n_rows, length), -1)
    if rest:
        value_lines[:, :rest] = over = scores[:, size * width :]
        column_lines[:, :rest] = np.where(over > -np.inf, np.arange(size * width, n_columns), -1)
    place = (
        np.arange(len(row)) + (np.arange(n_rows) * length + rest - np.cumsum(count) + count)[row]
    )
    value_lines.reshape(-1)[place] = values
    column_lines.reshape(-1)[place] = columns
    for r in crowded:
        best = _cut(scores[r], bound[r], k, row_hash[r : r + 1], column_hash)
        value_lines[r], column_lines[r] = -np.inf, -1
        value_lines[r, : len(best)], column_lines[r, : len(best)] = scores[r, best], best
    return _sort_lines(value_lines, column_lines, k, row_hash, column_hash)


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


def _sort_lines(
    values: np.ndarray,
    columns: np.ndarray,
    k: int,
    row_hash: np.ndarray,
    column_hash: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The first k of each line by falling value; lines in which values tie are sorted by hash too."""
    order = np.argsort(-values, axis=1)
    best = np.take_along_axis(values, order[:, : k + 1], axis=1)
    same = (best[:, 1:] == best[:, :-1]) & (best[:, 1:] > -np.inf)
    order = order[:, :k]
    tied = np.flatnonzero(same.any(axis=1))
    if len(tied):
        these = columns[tied]
        mixed = mix(column_hash[these], row_hash[tied, None])
        order[tied] = np.lexsort((these, mixed, -values[tied]), axis=1)[:, :k]
    return np.take_along_axis(columns, order, axis=1), np.take_along_axis(values, order, axis=1)


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
    blocks = list(user_blocks(n_users, n_items))
    own = local()

    def score(start: int, stop: int) -> np.ndarray:
        # A thread writes all its products to one place: fresh memory costs a fifth of a product.
        if not isinstance(score_block, Product):
            return score_block(start, stop)
        if not hasattr(own, "scores"):
            own.scores = np.empty((blocks[0][1], n_items), np.float32)
        return score_block(start, stop, own.scores[: stop - start])

    def work(block: tuple[int, int]) -> None:
        start, stop = block
        scores = score(start, stop)
        if not finite:
            check_scores(scores, (stop - start, n_items), name)
        if (barred is not None or exclude is not None) and not isinstance(score_block, Product):
            scores = scores.copy()  # it may be the model's own table
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
