"""The two sides of a factorisation machine over relational data: users here, items there."""

from __future__ import annotations

import numpy as np
from scipy import sparse


class Side:
    """The features of users or of items: ids, members, content; a group of priors for each."""

    def __init__(
        self,
        told: np.ndarray,
        ids: bool,
        members: sparse.csr_matrix | None,
        content: list[sparse.csr_matrix],
    ) -> None:
        n = len(told)
        self.told, self.ids = told, ids
        parts = [sparse.identity(n, format="csr")] if ids else []
        parts += [] if members is None else [members]
        self.first = sum(p.shape[1] for p in parts)  # where the content begins
        self.content = sparse.hstack(content).tocsr() if content else sparse.csr_matrix((n, 0))
        self.matrix = sparse.hstack([*parts, *content]).tocsr().astype(float)
        self.groups = [p.shape[1] for p in [*parts, *content]]

    def answer(
        self, w: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Biases (n,), factors (n, samples * k), and the weights by which content speaks alone."""
        bias, factors = sum_up(self.matrix, w, v)
        n = len(self.told)
        # The untold have ids that are draws from the prior: the mean of the others says more.
        own_w, own_v = w[:, self.first :], v[:, self.first :]
        mean_w = w[:, :n][:, self.told].mean(axis=1) if self.ids else np.zeros(len(w))
        mean_v = v[:, :n][:, self.told].mean(axis=1) if self.ids else np.zeros((len(v), v.shape[2]))
        content_w = np.concatenate([mean_w[:, None], own_w], axis=1).astype(np.float32)
        content_v = np.concatenate([mean_v[:, None], own_v], axis=1).astype(np.float32)
        cold = ~self.told
        if cold.any():
            bias[cold], factors[cold] = content_answer(self.content[cold], content_w, content_v)
        return bias, factors, content_w, content_v


def content_answer(
    content: sparse.csr_matrix, w: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`sum_up` for rows that have content alone; the first weights stand for their ids."""
    ones = sparse.csr_matrix(np.ones((content.shape[0], 1)))
    return sum_up(sparse.hstack([ones, content]).tocsr(), w, v)


def sum_up(x: sparse.csr_matrix, w: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A side of the mean machine: what its rows add alone, and their factors.

    Parameters
    ----------
    x : csr_matrix of shape (n, d)
    w : ndarray of shape (samples, d)
    v : ndarray of shape (samples, d, k)

    Returns
    -------
    ndarray of shape (n,), float32
        Mean over samples of ``x w + (|x v|^2 - x^2 v^2) / 2``.
    ndarray of shape (n, samples * k), float32
        Sums ``x v`` side by side, over the root of the number of samples.

    Examples
    --------
    >>> x = sparse.csr_matrix([[1.0, 2.0]])
    >>> bias, factors = sum_up(x, np.array([[1.0, 1.0]]), np.array([[[3.0], [1.0]]]))
    >>> bias.tolist(), factors.tolist()  # 1 + 2 and the pair 1 * 2 * 3 * 1
    ([9.0], [[5.0]])
    """
    squares, bias, factors = x.multiply(x).tocsr(), np.zeros(x.shape[0]), []
    for own_w, own_v in zip(w.astype(float), v.astype(float)):
        sums = x @ own_v
        inner = (sums**2).sum(axis=1) - squares @ (own_v**2).sum(axis=1)
        bias += x @ own_w + inner / 2
        factors.append(sums.astype(np.float32))
    wide = np.hstack(factors) / np.float32(np.sqrt(len(w)))
    return (bias / len(w)).astype(np.float32), wide


def members(rated: sparse.csr_matrix) -> sparse.csr_matrix:
    """Ones where there is a rating, each row scaled to length 1; a row without ratings stays zero."""
    size = np.diff(rated.indptr)
    scale = np.repeat(1 / np.sqrt(np.maximum(size, 1)), size)
    return sparse.csr_matrix((scale, rated.indices, rated.indptr), shape=rated.shape)
