"""Ridge regression of many targets on sparse rows, without ever forming a square matrix."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def ridge(
    x: sparse.csr_matrix | np.ndarray,
    target: np.ndarray,
    l2: float,
    start: np.ndarray,
    steps: int = 20,
) -> np.ndarray:
    """``inv(x'x + l2 I) x'target`` by conjugate gradients from `start`, all columns at once.

    Examples
    --------
    >>> x = sparse.csr_matrix(np.array([[1., 0.], [0., 2.]]))
    >>> ridge(x, np.array([[2.], [5.]]), 1.0, np.zeros((2, 1))).round(6)  # 2 / 2 and 10 / 5
    array([[1.],
           [2.]])
    """
    w = start.copy()
    rest = x.T @ (target - x @ w) - l2 * w
    way = rest.copy()
    size = (rest**2).sum(axis=0)
    for _ in range(steps):
        if not (size > 1e-12).any():
            break
        ahead = x.T @ (x @ way) + l2 * way
        step = size / np.maximum((way * ahead).sum(axis=0), 1e-30)
        w += step * way
        rest -= step * ahead
        new = (rest**2).sum(axis=0)
        way = rest + (new / np.maximum(size, 1e-30)) * way
        size = new
    return w
