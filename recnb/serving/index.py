"""Nearest items to a vector: exact, by a graph, or by compressed lists, behind one interface."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recnb.errors import InputError
from recnb.optional import need

KINDS = ("exact", "hnsw", "ivfpq")
TARGET = 0.95  # recall@10 that an approximate index must reach to be chosen
FAST_ENOUGH = 0.5  # ms: an exact search below it is kept without building anything else
_QUERIES = 200
_SLACK = 1.5  # asked for beyond what the filter should leave
_ROUNDS = 2  # of asking for four times as many before all allowed items are compared
_BLOCK = 65_536  # items whose vectors are unpacked at a time
_FEW = 4096  # allowed items that are compared directly
_GRAPH_LINKS, _BREADTH_BUILT, _BREADTH = 32, 200, 64
_CODE_BITS = 4  # of a sub-quantiser: codes that stay in registers (fast scan)


@dataclass(frozen=True)
class IndexRecord:
    """What was measured when an index was built.

    Attributes
    ----------
    kind, factory : str
        The kind, and faiss's own name of it.
    recall : float
        Share of the true ten nearest items among the ten found, over `queries` queries.
    exact_ms, ms : float
        Milliseconds of a query on one thread, by the exact product and by this index.
    n_bytes : int
        Of the file.
    """

    kind: str
    factory: str
    recall: float
    queries: int
    exact_ms: float
    ms: float
    n_bytes: int = 0


class ItemIndex:
    """Inner-product search over item vectors, with filters, additions and removals.

    Parameters
    ----------
    index : faiss index
        Holds the vector of item code c at position c.
    record : IndexRecord
    removed : ndarray of int, optional
        Codes that are never found.

    Notes
    -----
    A filter never empties a list: the index is asked for more than the filter should take away, twice for four times
    as many again, and then all allowed items are compared. Below 4,096 allowed items they are compared at once. A
    removed item keeps its place and is barred, since graphs cannot forget; the next export drops it.

    References
    ----------
    Malkov & Yashunin (2018), "Efficient and robust approximate nearest neighbor search using hierarchical navigable
    small world graphs"; Jégou et al. (2011), "Product quantization for nearest neighbor search"; André et al. (2017),
    "Accelerated nearest neighbor search with Quick ADC" (fast scan).

    Examples
    --------
    >>> index = build_index(np.eye(4, dtype=np.float32), kind="exact")
    >>> index.search(np.array([[0.1, 0.9, 0.5, 0.0]]), k=2)[0].tolist()
    [[1, 2]]
    >>> index.search(np.array([[0.1, 0.9, 0.5, 0.0]]), k=2, allowed=np.array([1, 0, 0, 1], bool))[0].tolist()
    [[0, 3]]
    """

    def __init__(self, index: Any, record: IndexRecord, removed: np.ndarray | None = None) -> None:
        self._index, self.record = index, record
        self._alive = np.ones(index.ntotal, bool)
        if removed is not None:
            self._alive[removed] = False

    def __len__(self) -> int:
        """Items that can be found."""
        return int(self._alive.sum())

    @property
    def dim(self) -> int:
        return int(self._index.d)

    @property
    def n_places(self) -> int:
        """One more than the highest item code, removed ones counted."""
        return int(self._index.ntotal)

    def search(
        self, queries: np.ndarray, k: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `k` items with the largest inner product.

        Parameters
        ----------
        queries : ndarray of shape (n, dim)
        k : int
        allowed : ndarray of shape (n_places,) or (n, n_places), bool, optional
            The only items that may be found.

        Returns
        -------
        codes : ndarray of shape (n, k), int64
            Best first; -1 where fewer items are allowed.
        scores : ndarray of shape (n, k), float32
            NaN where there is no item.
        """
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dim or k < 1:
            raise InputError(
                f"queries of shape {queries.shape} with k={k}",
                mend=f"pass rows of {self.dim} numbers and k of at least 1",
            )
        if allowed is None and self._alive.all():
            return self._plain(queries, min(k, self.n_places), k)
        if allowed is None or allowed.ndim == 1:
            mask = self._alive if allowed is None else self._alive & allowed
            return self._filtered(queries, k, mask)
        parts = [
            self._filtered(q[None], k, self._alive & mask) for q, mask in zip(queries, allowed)
        ]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def compare(
        self, queries: np.ndarray, k: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`search`, by comparing every allowed item as the index keeps it."""
        mask = self._alive.copy()
        if allowed is not None:  # of a time when there were fewer items
            mask[: len(allowed)] &= allowed
            mask[len(allowed) :] = False
        return self._compared(np.asarray(queries, dtype=np.float32), k, np.flatnonzero(mask))

    def add(self, vectors: np.ndarray) -> np.ndarray:
        """Append items; they are found from now on. Returns their codes."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.dim or not np.isfinite(vectors).all():
            raise InputError(
                f"vectors of shape {vectors.shape}", mend=f"pass finite rows of {self.dim} numbers"
            )
        first = self.n_places
        self._index.add(vectors)
        self._alive = np.concatenate([self._alive, np.ones(len(vectors), bool)])
        return np.arange(first, self.n_places)

    def remove(self, codes: np.ndarray) -> None:
        """Never find these items again."""
        self._alive[np.asarray(codes, dtype=np.int64)] = False

    def vectors(self, codes: np.ndarray) -> np.ndarray:
        """The vectors of some items as the index keeps them: ndarray of shape (n, dim), float32."""
        codes = np.ascontiguousarray(codes, dtype=np.int64)
        keeper = getattr(self._index, "refine_index", self._index)
        if hasattr(keeper, "reconstruct_batch"):
            faiss = need("faiss", "an index")
            return faiss.downcast_index(keeper).reconstruct_batch(codes)
        return np.stack([keeper.reconstruct(int(code)) for code in codes])

    def save(self, path: Path) -> None:
        """Write faiss's own file."""
        need("faiss", "an index").write_index(self._index, str(path))

    @classmethod
    def read(cls, path: Path, record: IndexRecord, n: int, dim: int) -> ItemIndex:
        """Read a file that :meth:`save` wrote.

        Raises
        ------
        InputError
            It is no index of `n` vectors of `dim` numbers.
        """
        faiss = need("faiss", "an index")
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            reason = str(error).splitlines()[0][:120]
            raise InputError(
                f"no index that faiss reads ({reason})", file=str(path), mend="export again"
            ) from None
        if index.ntotal != n or index.d != dim or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise InputError(
                f"an index of {index.ntotal} vectors of {index.d} numbers, not {n} of {dim}",
                file=str(path),
                mend="export again",
            )
        return cls(_tuned(index), record)

    def _plain(self, queries: np.ndarray, ask: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        scores, codes = self._index.search(queries, ask)
        if ask < k:
            width = ((0, 0), (0, k - ask))
            codes, scores = np.pad(codes, width, constant_values=-1), np.pad(scores, width)
        return codes, np.where(codes >= 0, scores, np.nan).astype(np.float32)

    def _filtered(
        self, queries: np.ndarray, k: int, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        n_allowed = int(mask.sum())
        wanted = min(k, n_allowed)
        if n_allowed > _FEW:
            ask = int(_SLACK * k * self.n_places / n_allowed) + 16
            for _ in range(_ROUNDS):
                if ask >= self.n_places:
                    break
                codes, scores = self._plain(queries, ask, ask)
                kept = (codes >= 0) & mask[codes]
                if (kept.sum(axis=1) >= wanted).all():
                    order = np.argsort(~kept, axis=1, kind="stable")[:, :k]
                    take = np.take_along_axis
                    return take(codes, order, 1), take(scores, order, 1)
                ask *= 4
        return self._compared(queries, k, np.flatnonzero(mask))

    def _compared(
        self, queries: np.ndarray, k: int, codes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Exact products with some items alone."""
        found = np.full((len(queries), k), -1, np.int64)
        best = np.full((len(queries), k), np.nan, np.float32)
        if not len(codes):
            return found, best
        blocks = [codes[at : at + _BLOCK] for at in range(0, len(codes), _BLOCK)]
        scores = np.concatenate([queries @ self.vectors(block).T for block in blocks], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        found[:, : order.shape[1]] = codes[order]
        best[:, : order.shape[1]] = np.take_along_axis(scores, order, axis=1)
        return found, best


def build_index(
    vectors: np.ndarray,
    kind: str = "auto",
    queries: np.ndarray | None = None,
    target: float = TARGET,
    seed: int = 0,
) -> ItemIndex:
    """Build an index and measure it against the exact product.

    Parameters
    ----------
    vectors : ndarray of shape (n, dim)
    kind : {"auto", "exact", "hnsw", "ivfpq"}
        "auto" measures the exact product and keeps it where a query takes less than 0.5 ms; else it builds the graph
        and takes it where it is faster at a recall of at least `target`.
    queries : ndarray of shape (m, dim), optional
        What recall is measured with, such as users' vectors; by default items drawn at random.
    target : float
    seed : int

    Raises
    ------
    InputError
        No vectors, a number that is not finite, or an unknown kind.
    """
    if kind not in ("auto", *KINDS):
        raise InputError(f"index='{kind}'", mend=f"one of auto, {', '.join(KINDS)}")
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or not len(vectors) or not np.isfinite(vectors).all():
        raise InputError(f"vectors of shape {vectors.shape}", mend="pass finite rows, at least one")
    rng = np.random.default_rng(seed)
    source = vectors if queries is None else np.ascontiguousarray(queries, dtype=np.float32)
    asked = source[rng.choice(len(source), min(_QUERIES, len(source)), replace=False)]
    exact = _made("exact", vectors)
    truth, exact_ms = _timed(lambda q: exact.search(q, min(10, len(vectors)))[1], asked)
    record = IndexRecord("exact", "Flat", 1.0, len(asked), exact_ms, exact_ms)
    chosen = ItemIndex(exact, record)
    if kind == "exact" or (kind == "auto" and exact_ms < FAST_ENOUGH):
        return chosen
    wanted = "hnsw" if kind == "auto" else kind
    other = _made(wanted, vectors)
    found, ms = _timed(lambda q: other.search(q, min(10, len(vectors)))[1], asked)
    recall = float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(truth, found)]))
    record = IndexRecord(wanted, _factory(wanted, *vectors.shape), recall, len(asked), exact_ms, ms)
    if kind == "auto" and (recall < target or ms >= exact_ms):
        return chosen
    return ItemIndex(other, record)


def _factory(kind: str, n: int, dim: int) -> str:
    """faiss's name of a kind for so many vectors."""
    if kind == "exact":
        return "Flat"
    if kind == "hnsw":
        return f"HNSW{_GRAPH_LINKS},Flat"
    lists = int(np.clip(2 ** round(np.log2(4 * np.sqrt(n))), 1, 4096))
    lists = max(1, min(lists, n // 39))  # faiss wants 39 vectors to learn a centre
    parts = dim // 2 if dim % 2 == 0 else dim
    return f"IVF{lists},PQ{parts}x{_CODE_BITS}fs,Refine(SQ8)"


def _made(kind: str, vectors: np.ndarray) -> Any:
    faiss = need("faiss", "an index")
    n, dim = vectors.shape
    if kind == "ivfpq" and n < 39 * 16:
        raise InputError(f"{n} items are too few for ivfpq", mend="use exact or hnsw")
    index = faiss.index_factory(dim, _factory(kind, n, dim), faiss.METRIC_INNER_PRODUCT)
    if kind == "hnsw":
        index.hnsw.efConstruction = _BREADTH_BUILT
    if not index.is_trained:
        index.train(vectors)
    index.add(vectors)
    return _tuned(index)


def _tuned(index: Any) -> Any:
    """Search settings, which faiss does not write with every kind."""
    if hasattr(index, "hnsw"):
        index.hnsw.efSearch = _BREADTH
    if hasattr(index, "refine_index"):
        faiss = need("faiss", "an index")
        inner = faiss.downcast_index(index.base_index)
        inner.nprobe = max(1, min(inner.nlist, round(np.sqrt(inner.nlist))))
        index.k_factor = 8.0
    return index


def _timed(
    search: Callable[[np.ndarray], np.ndarray], queries: np.ndarray
) -> tuple[np.ndarray, float]:
    """What a search finds, and milliseconds of a query, asked one by one on one thread; the median."""
    faiss = need("faiss", "an index")
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        found, seconds = [], []
        for query in queries:
            start = time.perf_counter()
            found.append(search(query[None])[0])
            seconds.append(time.perf_counter() - start)
    finally:
        faiss.omp_set_num_threads(threads)
    return np.stack(found), 1000 * float(np.median(seconds))
