"""Interactions as sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse


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


class Matrices:
    """The matrices of a data set: a part of :class:`recnb.data.Dataset`."""

    interactions: Any
    feedback: str
    threshold: Any
    n_users: Any
    n_items: Any

    def pairs(self) -> sparse.csr_matrix:
        """Every pair that occurs, as ones: csr of shape (n_users, n_items), float32."""
        u, i = self.interactions["user"].to_numpy(), self.interactions["item"].to_numpy()
        return csr(u, i, np.ones(len(u), np.float32), (self.n_users, self.n_items), binary=True)

    def matrix(self, relevant_from: float | None = None) -> sparse.csr_matrix:
        """The interactions as a sparse matrix, csr of shape (n_users, n_items), float32.

        Parameters
        ----------
        relevant_from : float, optional
            Keep only pairs of at least this value, as ones.

        Returns
        -------
        csr_matrix
            Explicit: the rating (the latest one where a pair has several); pairs without a rating are left
            out. Count: the sum of ratings or, without ratings, the number of rows. Implicit: ones.
        """
        rows = self.interactions
        shape = (self.n_users, self.n_items)
        u, i = rows["user"].to_numpy(), rows["item"].to_numpy()
        if self.feedback == "implicit":
            return self.pairs()
        if self.feedback == "count":
            values = rows["rating"].fillna(1).to_numpy() if "rating" in rows else np.ones(len(rows))
            out = csr(u, i, values.astype(np.float32), shape)
        else:
            given = rows["rating"].notna().to_numpy()
            # Rows of a user stand in time order, so the last row of a pair is its latest rating.
            cell = u[given].astype(np.int64) * shape[1] + i[given]
            _, last = np.unique(cell[::-1], return_index=True)
            keep = np.flatnonzero(given)[len(cell) - 1 - last]
            values = rows["rating"].to_numpy(dtype=np.float32)[keep]
            out = csr(u[keep], i[keep], values, shape, keep_zeros=True)
        if relevant_from is not None:
            kept = out.data >= np.float32(relevant_from)
            coo = out.tocoo()
            out = csr(coo.row[kept], coo.col[kept], np.ones(kept.sum(), np.float32), shape)
        return out

    def positives(self) -> sparse.csr_matrix:
        """The relevant pairs as ones (`threshold` decides), csr of shape (n_users, n_items), float32."""
        if self.threshold is None:
            return self.pairs()
        return self.matrix(relevant_from=self.threshold)
