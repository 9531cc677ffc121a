"""Masks over codes and sparse matrices of them."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recnb.errors import InputError


def checked_mask(mask: np.ndarray | None, n: int, name: str) -> np.ndarray:
    """A boolean mask over `n` codes; all of them where None is given."""
    if mask is None:
        return np.ones(n, bool)
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != (n,):
        raise InputError(
            f"{name} is {mask.dtype} of shape {mask.shape}, expected bool of shape ({n},)",
            mend="pass a mask over the codes",
        )
    return mask


def csr(
    u: np.ndarray,
    i: np.ndarray,
    values: np.ndarray,
    shape: tuple[int, int],
    binary: bool = False,
    keep_zeros: bool = False,
) -> sparse.csr_matrix:
    """Rows of codes and values as a sparse matrix of this shape, float32; what stands twice is summed."""
    out = sparse.coo_matrix((values, (u, i)), shape=shape).tocsr()  # sums what stands twice
    if binary:
        out.data[:] = 1
    if not keep_zeros:
        out.eliminate_zeros()
    out.sort_indices()
    return out.astype(np.float32)
