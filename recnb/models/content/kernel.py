"""How alike items are by what they are, and how a ridge regression damps what all of them share."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy import linalg, sparse
from sklearn.utils.extmath import randomized_svd

Vectors: TypeAlias = np.ndarray | sparse.csr_matrix

DIRECTIONS = 512  # of a part that the ridge regression damps one by one
_EXACT = 2000  # rows or columns up to which all directions are found at once


class ItemKernel:
    """Directions in which item vectors vary, found once for every weight and penalty.

    Parameters
    ----------
    parts : sequence of ndarray or csr_matrix, each of shape (n_items, d), rows of length 1
        Words and an encoder's vectors, say.
    learn : ndarray of int
        The items that the regression learns from, in an order that does not depend on the tables.

    Notes
    -----
    A user's ridge regression of likes on item vectors has the scores ``r inv(K + l2 I) K``, with r the user's
    row of likes and K the weighted sum of the parts' inner products. In the eigenvectors of K, with values s, it
    is the sum of the inner products with the liked items, each direction damped by ``l2 / (s + l2)``: what many
    items share counts less, and with a large `l2` nothing is damped and the mean of the liked vectors is left.
    Directions beyond the first 512 of a part are damped alike, as the last of the 512.
    """

    def __init__(self, parts: Sequence[Vectors], learn: np.ndarray) -> None:
        self.parts = list(parts)
        found = [leading_directions(part[learn]) for part in self.parts]
        self.bases = [basis for basis, _ in found]
        self.last = [last for _, last in found]
        self.features = project(self.parts, self.bases)
        self.widths = [self.widths_of(p, b) for p, b in zip(self.parts, self.bases)]
        self.gram = self._gram(learn)

    def _gram(self, learn: np.ndarray) -> np.ndarray:
        learned = self.features[learn]
        return learned.T @ learned

    def learning_from(self, learn: np.ndarray) -> ItemKernel:
        """The same directions, damped by what other items, in the order given, share."""
        out = copy.copy(self)
        out.gram = self._gram(learn)
        return out

    @staticmethod
    def widths_of(part: Vectors, basis: np.ndarray | None) -> int:
        """Coordinates of a part."""
        return part.shape[1] if basis is None else basis.shape[1]

    def spectrum(self, weights: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues, falling, and eigenvectors of the weighted parts, in the coordinates of `features`."""
        scale = np.sqrt(np.repeat(np.asarray(weights, dtype=float), self.widths))
        values, vectors = linalg.eigh(self.gram * scale[:, None] * scale[None, :])
        return values[::-1].clip(0), scale[:, None] * vectors[:, ::-1]

    def damps(
        self, weights: Sequence[float], l2: float, spectrum: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, list[float], np.ndarray]:
        """What a penalty leaves of each feature, of each part's inner product, and takes from each eigenvector.

        Returns
        -------
        ndarray of shape (d,)
            0 for features of a part that they do not hold whole.
        list of float
            0 for a part that `features` hold whole.
        ndarray of shape (d,)
        """
        values, _ = spectrum
        rest = max([w * last for w, last in zip(weights, self.last)], default=0.0)
        kept = 1.0 if np.isinf(l2) else l2 / (rest + l2)
        damp = np.zeros_like(values) if np.isinf(l2) else kept - l2 / (values + l2)
        # V'V has the eigenvalues s: a direction of length s is damped from kept to l2 / (s + l2).
        inside = [kept * w * (last == 0) for w, last in zip(weights, self.last)]
        outside = [kept * w * (last > 0) for w, last in zip(weights, self.last)]
        return np.repeat(inside, self.widths), outside, damp.clip(0)

    def damping(
        self, weights: Sequence[float], l2: float, spectrum: tuple[np.ndarray, np.ndarray]
    ) -> tuple[list[float], np.ndarray]:
        """The weight of each part's inner product, and the matrix of shape (d, d) between features that damps it."""
        inside, outside, damp = self.damps(weights, l2, spectrum)
        vectors = spectrum[1]
        return outside, np.diag(inside) - (vectors * damp) @ vectors.T


def leading_directions(part: Vectors) -> tuple[np.ndarray | None, float]:
    """The right singular vectors that lead, and the squared singular value of the last of them.

    Returns
    -------
    basis : ndarray of shape (d, at most 512) or None
        None: the part's own columns, all of them.
    last : float
        0 where `basis` spans the whole.
    """
    n, d = part.shape
    if d <= DIRECTIONS and not sparse.issparse(part):
        return None, 0.0
    if min(n, d) > _EXACT:
        given = part.astype(np.float64)
        _, values, right = randomized_svd(
            given, DIRECTIONS, n_iter=2, power_iteration_normalizer="QR", random_state=0
        )
        return right.T, float(values[-1] ** 2)
    given = part.astype(np.float64)
    gram: Any = given @ given.T if n <= d else given.T @ given
    gram = gram.toarray() if sparse.issparse(gram) else gram
    squares, vectors = linalg.eigh(gram)
    squares, vectors = squares[::-1], vectors[:, ::-1]
    k = int(np.count_nonzero(squares > 1e-9 * max(squares[0], 1e-12)))
    whole, k = k <= DIRECTIONS, min(k, DIRECTIONS)
    basis = vectors[:, :k]
    if n <= d:
        basis = np.asarray(given.T @ basis) / np.sqrt(squares[:k])
    # A whole basis still leaves words that only new items have.
    return basis, float(squares[k - 1]) if k and not whole else 1e-12


def distinct_rows(parts: Sequence[Vectors]) -> tuple[np.ndarray, np.ndarray]:
    """Where each distinct row of the parts stands first, and the place of every row among these.

    Examples
    --------
    >>> distinct_rows([np.array([[1.0], [0.0], [1.0]])])
    (array([0, 1]), array([0, 1, 0]))
    """
    rows = [sparse.csr_matrix(part) if sparse.issparse(part) else part for part in parts]
    places: dict[bytes, int] = {}
    first: list[int] = []
    place = np.empty(parts[0].shape[0], np.int64)
    for i in range(len(place)):
        place[i] = places.setdefault(b"|".join(_content(part, i) for part in rows), len(places))
        if place[i] == len(first):
            first.append(i)
    return np.array(first, dtype=np.int64), place


def _content(part: Any, row: int) -> bytes:
    if not sparse.issparse(part):
        return np.ascontiguousarray(part[row]).tobytes()
    at = slice(part.indptr[row], part.indptr[row + 1])
    return part.indices[at].tobytes() + part.data[at].tobytes()


def project(parts: Sequence[Vectors], bases: Sequence[np.ndarray | None]) -> np.ndarray:
    """Items in the coordinates of the bases, side by side: ndarray of shape (n, d), float64."""
    out = [
        np.asarray(part @ basis if basis is not None else part, dtype=np.float64)
        for part, basis in zip(parts, bases)
    ]
    return np.hstack(out)


def inner(rows: sparse.csr_matrix | np.ndarray, part: Vectors, columns: Vectors) -> np.ndarray:
    """``rows @ part @ columns.T`` as float64, dense."""
    profile = rows @ (part.astype(np.float64))
    out: Any = profile @ columns.astype(np.float64).T
    return out.toarray() if sparse.issparse(out) else np.asarray(out)
