"""Top-k lists from scores: exact, in bounded memory, with a stated rule for ties.

The usual way sorts or partitions every row of a score matrix. Here a row is first cut into short groups; the
k-th largest group maximum is a lower bound of the k-th largest score, so that one comparison of the maxima leaves
little more than k of 50,000 columns and only these are sorted. Products of factors are made tile by tile of items,
and the maxima of a tile are taken while it is in the cache: its scores are read from memory only where
a list needs them. Each step handles all rows of a block in one call, so that threads seldom wait for the interpreter.
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

_GROUP = 4
_WIDER = 16  # groups in a group of groups
_PIECE = 2**18  # values compared at once: the mask stays in the cache
_BLOCK_BYTES = 16 * 2**20
_PRODUCT_BYTES = 64 * 2**20  # a product of few users is slow
_TILE_ITEMS = 2048
_TILE_USERS = 1024  # most users of a product


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
    maxima, widest, tile = scores, scores, n_columns
    if _many(n_columns // _GROUP, k):
        # Group g holds columns g, g + width, g + 2 width, …: its maximum is a vectorised pass.
        tile = n_columns // _GROUP * _GROUP
        maxima = widest = scores[:, :tile].reshape(n_rows, _GROUP, -1).max(axis=1)
        if _many(maxima.shape[1] // _WIDER, k):
            wide = maxima[:, : maxima.shape[1] // _WIDER * _WIDER]
            widest = wide.reshape(n_rows, _WIDER, -1).max(axis=1)
    return _select(scores, maxima, _bound(widest, k), tile, k, row_hash, column_hash)


def _many(n_groups: int, k: int) -> bool:
    """Whether the maxima of so many groups bound the k-th best score closely."""
    return n_groups >= 4 * k


def _select(
    scores: np.ndarray,
    maxima: np.ndarray,
    bound: np.ndarray,
    tile: int,
    k: int,
    row_hash: np.ndarray,
    column_hash: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The best columns of each row, given the maxima of groups of columns and bounds of the k-th best.

    Each `tile` columns have groups of their own, spread evenly; columns left over at the end have none.
    `scores` and `maxima` lie in memory in the same order, row by row or column by column.
    """
    n_rows, n_groups = maxima.shape
    row, group = _reaching(maxima, bound)
    crowded = np.flatnonzero(np.bincount(row, minlength=n_rows) > 2 * k)
    size = _GROUP if maxima is not scores else 1
    over_row, over_column = _reaching(scores[:, n_groups * size :], bound)
    if len(crowded):
        few, over_few = ~np.isin(row, crowded), ~np.isin(over_row, crowded)
        row, group, over_row, over_column = (
            row[few],
            group[few],
            over_row[over_few],
            over_column[over_few],
        )
    over_column += n_groups * size

    width = tile // size
    at_tile, column = np.divmod(group, max(width, 1))
    column += at_tile * tile
    members = column[:, None] + np.arange(size) * width
    values = _take(scores, row[:, None], members)
    chosen = np.flatnonzero(values >= bound[row, None])
    row = row[chosen // size]
    parts = [
        (row, members.reshape(-1)[chosen], values.reshape(-1)[chosen]),
        (over_row, over_column, _take(scores, over_row, over_column)),
    ]
    for r in crowded:
        best = _cut(scores[r], bound[r], k, row_hash[r : r + 1], column_hash)
        parts.append((np.full(len(best), r), best, scores[r, best]))
    row, column, value = (np.concatenate(part) for part in zip(*parts))
    return _sort(row, column, value, n_rows, k, row_hash, column_hash)


def _bound(maxima: np.ndarray, k: int) -> np.ndarray:
    """The k-th largest maximum of each row: no more than its k-th largest score."""
    lowest = np.full(len(maxima), np.finfo(maxima.dtype).min, maxima.dtype)
    place = maxima.shape[1] - k
    if place <= 0:
        return lowest
    ordered = np.array(maxima, order="C")
    ordered.partition(place, axis=1)
    return np.maximum(lowest, ordered[:, place])


def _reaching(values: np.ndarray, bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the values that reach the bound of their row."""
    by_row = values.strides[1] == values.itemsize
    lines = values if by_row else values.T
    length = max(lines.shape[1], 1)
    step = max(_PIECE // length, 1)  # no large mask: fresh memory costs more than the search
    places = [np.empty(0, np.intp)]
    for start in range(0, len(lines), step):
        least = bound[start : start + step, None] if by_row else bound
        places.append(np.flatnonzero(lines[start : start + step] >= least) + start * length)
    line, place = np.divmod(np.concatenate(places), length)
    return (line, place) if by_row else (place, line)


def _take(scores: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    if scores.flags.c_contiguous:
        return scores.reshape(-1).take(row * scores.shape[1] + column)
    return scores.T.reshape(-1).take(column * len(scores) + row)


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
    row: np.ndarray,
    column: np.ndarray,
    value: np.ndarray,
    n_rows: int,
    k: int,
    row_hash: np.ndarray,
    column_hash: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The first k candidates of each row by falling score; rows with ties are sorted by hash too."""
    count = np.bincount(row, minlength=n_rows)
    # A line for each row: its candidates, then -inf. Sorting 16-bit numbers stably is a radix sort.
    order = np.argsort(row.astype(np.uint16) if n_rows < 2**16 else row, kind="stable")
    length = max(k, int(count.max(initial=0)))
    starts = (np.arange(n_rows) * length)[:, None]
    place = np.arange(len(row)) + np.repeat(starts[:, 0] - np.cumsum(count) + count, count)
    values = np.full((n_rows, length), -np.inf, value.dtype)
    columns = np.full((n_rows, length), -1)
    values.reshape(-1)[place] = value[order]
    columns.reshape(-1)[place] = column[order]

    order = np.argsort(-values, axis=1)
    best = values.reshape(-1).take(order[:, : k + 1] + starts)
    same = (best[:, 1:] == best[:, :-1]) & (best[:, 1:] > -np.inf)
    order = order[:, :k]
    tied = np.flatnonzero(same.any(axis=1))
    if len(tied):
        these = columns[tied]
        mixed = mix(column_hash[these], row_hash[tied, None])
        order[tied] = np.lexsort((these, mixed, -values[tied]), axis=1)[:, :k]
    return columns.reshape(-1).take(order + starts), best[:, :k]


class Product:
    """Scores that are the product of user and item factors.

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

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Scores of some users."""
        return self.left[start:stop] @ self.right

    def in_tiles(
        self, start: int, stop: int, k: int, room: _Room, finish: Callable[[np.ndarray, int], None]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """Scores of some users, item by item, as :func:`_select` reads them.

        The maxima of a tile of items are taken while its scores are in the cache. Before, `finish`
        may change them: it is called with the tile (n_items, n_users) and its first item.
        """
        users, items = np.ascontiguousarray(self.left[start:stop].T), self.right.T
        n_items, n_users = len(items), stop - start
        n_tiles = -(-n_items // _TILE_ITEMS)
        wider = _WIDER if _many(n_items // (_GROUP * _WIDER), k) else 1
        tile = n_items // n_tiles // (_GROUP * wider) * _GROUP * wider
        scores = room("scores", n_items, n_users)
        maxima = room("maxima", n_tiles, tile // _GROUP, n_users)
        widest = room("widest", n_tiles, tile // (_GROUP * wider), n_users) if wider > 1 else maxima
        for at in range(n_tiles):
            first = at * tile
            part = scores[first : first + tile if at + 1 < n_tiles else n_items]
            np.matmul(items[first : first + len(part)], users, out=part)
            finish(part, first)
            np.max(part[:tile].reshape(_GROUP, -1, n_users), axis=0, out=maxima[at])
            if wider > 1:
                np.max(maxima[at].reshape(wider, -1, n_users), axis=0, out=widest[at])
        bound = _bound(widest.reshape(-1, n_users).T, k)
        return scores.T, maxima.reshape(-1, n_users).T, bound, tile


class _Room(local):
    """Memory that each thread uses again: to map it afresh costs a fifth of a product."""

    def __call__(self, name: str, *shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        if len(self.__dict__.get(name, ())) < size:
            self.__dict__[name] = np.empty(size, np.float32)
        return self.__dict__[name][:size].reshape(shape)


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
    barred = None if allowed is None else ~allowed
    tiled = isinstance(score_block, Product) and _many(n_items // _GROUP, k)
    n_bytes = min(_PRODUCT_BYTES, _TILE_USERS * 4 * n_items) if tiled else _BLOCK_BYTES
    blocks = list(_ranges(n_users, n_items, n_bytes))
    room = _Room()

    def by_tiles(product: Product, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        n = stop - start
        known = None if exclude is None else exclude[start:stop].tocsc()

        def finish(part: np.ndarray, first: int) -> None:
            if not finite:
                check_scores(part.T, (n, len(part)), name)
            if barred is not None:
                part[barred[first : first + len(part)]] = -np.inf
            if known is not None:
                starts = known.indptr[first : first + len(part) + 1]
                item = np.repeat(np.arange(len(part)), np.diff(starts))
                part[item, known.indices[starts[0] : starts[-1]]] = -np.inf

        tiles = product.in_tiles(start, stop, k, room, finish)
        return _select(*tiles, k, user_hash[start:stop], item_hash)

    def by_rows(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        scores = score_block(start, stop)
        if not finite:
            check_scores(scores, (stop - start, n_items), name)
        if barred is not None or exclude is not None:
            # It may be the model's own table: leave it as it is.
            fits = scores.dtype == np.float32
            copy = room("scores", *scores.shape) if fits else np.empty_like(scores)
            np.copyto(copy, scores)
            scores = copy
        scores = np.ascontiguousarray(scores)
        if barred is not None:
            scores[:, barred] = -np.inf
        if exclude is not None:
            low, high = exclude.indptr[start], exclude.indptr[stop]
            rows = np.repeat(np.arange(stop - start), np.diff(exclude.indptr[start : stop + 1]))
            scores[rows, exclude.indices[low:high]] = -np.inf
        return _top_k(scores, k, user_hash[start:stop], item_hash)

    def work(block: tuple[int, int]) -> None:
        start, stop = block
        if tiled and isinstance(score_block, Product):
            best, values = by_tiles(score_block, start, stop)
        else:
            best, values = by_rows(start, stop)
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
