"""Rows of sparse matrices: the strongest entries of each, and products with the rows that matter."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def strongest(matrix: sparse.csr_matrix, k: int, column_hash: np.ndarray) -> sparse.csr_matrix:
    """The `k` largest entries of each row; of equal ones those whose column has the smallest hash.

    Parameters
    ----------
    matrix : csr_matrix of shape (n, m)
        Entries that are not stored count as absent.
    k : int
    column_hash : ndarray of shape (m,), uint64

    Examples
    --------
    >>> m = sparse.csr_matrix(np.array([[1., 3., 3., 2.], [0., 0., 5., 0.]]))
    >>> strongest(m, 2, np.array([3, 2, 1, 0])).toarray().tolist()
    [[0.0, 3.0, 3.0, 0.0], [0.0, 0.0, 5.0, 0.0]]
    """
    lengths = np.diff(matrix.indptr)
    long = np.flatnonzero(lengths > k)
    if not len(long):
        return matrix
    kept = np.ones(matrix.nnz, bool)
    for row in long:
        start, stop = matrix.indptr[row], matrix.indptr[row + 1]
        values = matrix.data[start:stop]
        limit = np.partition(values, len(values) - k)[len(values) - k]
        mine = values > limit
        equal = np.flatnonzero(values == limit)
        spare = k - int(mine.sum())
        if spare < len(equal):
            equal = equal[np.argsort(column_hash[matrix.indices[start:stop][equal]])[:spare]]
        mine[equal] = True
        kept[start:stop] = mine
    lengths[long] = k
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(matrix.indptr.dtype)
    return sparse.csr_matrix((matrix.data[kept], matrix.indices[kept], indptr), shape=matrix.shape)


def weighted_rows(weights: sparse.csr_matrix, table: sparse.csr_matrix) -> np.ndarray:
    """``weights @ table`` in float64, rounded to float32; only the rows of the table that are asked for are read.

    Parameters
    ----------
    weights : csr_matrix of shape (n, r)
    table : csr_matrix of shape (r, m)

    Returns
    -------
    ndarray of shape (n, m), float32

    Notes
    -----
    Sums that are equal but for the order of their terms are then equal, as in
    :func:`recnb.models.common.liked.steady_product`, without a float64 copy of the whole table.

    Examples
    --------
    >>> w = sparse.csr_matrix(np.array([[0., 2.], [1., 1.]]))
    >>> weighted_rows(w, sparse.csr_matrix(np.array([[1., 0.], [3., 4.]]))).tolist()
    [[6.0, 8.0], [4.0, 4.0]]
    """
    used, place = np.unique(weights.indices, return_inverse=True)
    narrow = sparse.csr_matrix(
        (weights.data.astype(np.float64), place.ravel(), weights.indptr),
        shape=(weights.shape[0], len(used)),
    )
    out = (narrow @ table[used].astype(np.float64)).toarray()
    return out.astype(np.float32)
