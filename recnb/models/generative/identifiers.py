"""Ids of few tokens for items: from vectors by residual quantisation, or at random."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from recnb.errors import InputError

QUANTISERS = ("kmeans", "rqvae")


@dataclass(frozen=True, eq=False)
class Identifiers:
    """The tokens of each item: levels of a code, and a last one that tells items of one code apart.

    Attributes
    ----------
    tokens : ndarray of shape (n_items, n_levels + 1), int64
        No two rows are alike. The last column counts the items of one code, in their order.
    books : list of ndarray of shape (n_codes, dim), float32
        Centres of each level, empty for random ids.

    Examples
    --------
    >>> told = Identifiers.of(np.array([[3, 1], [0, 2], [3, 1]]))
    >>> told.tokens.tolist(), told.sizes, told.collisions
    ([[3, 1, 0], [0, 2, 0], [3, 1, 1]], (4, 3, 2), 1)
    """

    tokens: np.ndarray
    books: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def of(cls, codes: np.ndarray, books: list[np.ndarray] | None = None) -> Identifiers:
        """Identifiers of items whose codes may be alike."""
        return cls(np.column_stack([codes, _nth_of_its_kind(codes)]), books or [])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Tokens of each level that occur, counted from 0 to the largest, or centres there are."""
        seen = self.tokens.max(axis=0, initial=0) + 1
        return tuple(
            max(int(n), len(self.books[at]) if at < len(self.books) else 0)
            for at, n in enumerate(seen)
        )

    @property
    def collisions(self) -> int:
        """Items whose code another item before them has."""
        return int((self.tokens[:, -1] > 0).sum())

    def with_vectors(self, vectors: np.ndarray) -> Identifiers:
        """With further items behind the known ones, by the nearest centres of their vectors.

        A new item that shares a code with `n` known ones gets `n` as its last token: never an id that is taken.
        """
        if not self.books:
            raise InputError("random ids say nothing of new items", mend="take ids from text")
        codes = np.concatenate([self.tokens[:, :-1], nearest_codes(vectors, self.books)])
        return Identifiers.of(codes, self.books)


def _nth_of_its_kind(codes: np.ndarray) -> np.ndarray:
    """How many rows before each are like it."""
    _, kind = np.unique(codes, axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    order = np.argsort(kind, kind="stable")
    starts = np.flatnonzero(np.diff(kind[order], prepend=-1))
    nth = np.empty(len(codes), np.int64)
    nth[order] = np.arange(len(codes)) - np.repeat(starts, np.diff(np.append(starts, len(codes))))
    return nth


def residual_kmeans(
    vectors: np.ndarray, n_codes: int = 256, n_levels: int = 3, seed: int = 0
) -> Identifiers:
    """Codes by k-means of the vectors, of what is left of them, and so on.

    Parameters
    ----------
    vectors : ndarray of shape (n_items, dim)
    n_codes, n_levels : int
        Centres of a level; fewer where fewer residuals are distinct.
    seed : int

    References
    ----------
    S. Rajput et al. (2023), "Recommender systems with generative retrieval", NeurIPS, section 3.1 and appendix
    (residual k-means beside RQ-VAE); X. Luo et al. (2024), "QARM", section 3.2.

    Examples
    --------
    >>> vectors = np.array([[0.0, 0], [0, 1], [9, 0], [9, 1], [9, 1]])
    >>> ids = residual_kmeans(vectors, n_codes=2, n_levels=2)
    >>> len({tuple(row) for row in ids.tokens.tolist()}), ids.collisions
    (5, 1)
    """
    from sklearn.cluster import KMeans

    rest, books = np.array(vectors, dtype=np.float32), []
    for level in range(n_levels):
        n = min(n_codes, len(np.unique(rest.round(6), axis=0)))
        means = KMeans(n, n_init=1, max_iter=50, random_state=seed + level).fit(rest)
        books.append(means.cluster_centers_.astype(np.float32))
        rest = rest - books[-1][means.predict(rest)]
    return Identifiers.of(nearest_codes(vectors, books), books)


def nearest_codes(vectors: np.ndarray, books: list[np.ndarray]) -> np.ndarray:
    """The nearest centre of each level for what the levels before leave: (n, n_levels), int64."""
    rest, out = np.array(vectors, dtype=np.float32), []
    for book in books:
        # the square of the residual is the same for all centres
        far = (book**2).sum(1) - 2 * rest @ book.T
        out.append(far.argmin(axis=1))
        rest = rest - book[out[-1]]
    return np.column_stack(out).astype(np.int64)


def random_codes(n_items: int, n_codes: int = 256, n_levels: int = 3, seed: int = 0) -> Identifiers:
    """Codes that say nothing of the items: the control."""
    rng = np.random.default_rng(seed)
    return Identifiers.of(rng.integers(0, n_codes, (n_items, n_levels)))


def interaction_vectors(pairs: object, dim: int, seed: int) -> np.ndarray:
    """Items' factors of a matrix of users and items: what interactions alone say of them.

    Parameters
    ----------
    pairs : csr_matrix of shape (n_users, n_items)
    dim : int
        Factors; fewer where the matrix has fewer.

    Returns
    -------
    ndarray of shape (n_items, dim), float32
        Of length 1, and 0 for an item without rows.
    """
    from sklearn.decomposition import TruncatedSVD

    n_users, n_items = pairs.shape  # type: ignore[attr-defined]
    if n_items == 1:
        return np.ones((1, 1), np.float32)
    svd = TruncatedSVD(max(1, min(dim, n_users - 1, n_items - 1)), random_state=seed)
    svd.fit(pairs)
    vectors = (svd.components_ * svd.singular_values_[:, None]).T
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)
