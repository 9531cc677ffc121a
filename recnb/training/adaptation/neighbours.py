"""Which items the same people used: pairs to learn from without any label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError


@dataclass(frozen=True)
class Neighbours:
    """Items that were used by the same people more often than by chance.

    Attributes
    ----------
    weights : csr_matrix of shape (n_items, n_items), float32
        Symmetric, empty diagonal; the shares in which neighbours are drawn.
    """

    weights: sparse.csr_matrix

    @property
    def items(self) -> np.ndarray:
        """Codes of the items that have a neighbour."""
        return np.flatnonzero(np.diff(self.weights.indptr))

    def draw(self, items: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A neighbour of each item, by its weight; int64."""
        start, stop = self.weights.indptr[items], self.weights.indptr[items + 1]
        total = np.concatenate([[0.0], np.cumsum(self.weights.data, dtype=np.float64)])
        at = total[start] + rng.random(len(items)) * (total[stop] - total[start])
        place = np.searchsorted(total, at, side="right") - 1
        return self.weights.indices[np.clip(place, start, stop - 1)].astype(np.int64)

    def are(self, items: np.ndarray) -> np.ndarray:
        """Which of these are neighbours of each other: (n, n), bool."""
        return self.weights[items][:, items].toarray() > 0


def used_together(
    train: Dataset, k: int = 10, least: int = 2, shrinkage: float = 5.0
) -> Neighbours:
    """The `k` nearest neighbours of each item by the people who liked both.

    Parameters
    ----------
    train : Dataset
        Only these rows are looked at: items without rows have no neighbours.
    k : int
    least : int
        People who must have liked both.
    shrinkage : float
        Added to the denominator of the cosine: few common people say little.

    Raises
    ------
    InputError
        No two items have enough people in common.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"user_id": list("aabbc"), "item_id": list("xyxyz")})
    >>> used_together(Dataset.from_frames(rows)).weights.nonzero()
    (array([0, 1], dtype=int32), array([1, 0], dtype=int32))
    """
    liked = train.positives().astype(np.float32)
    liked.data[:] = 1.0
    common = (liked.T @ liked).tocoo()
    keep = (common.row != common.col) & (common.data >= least)
    row, column, count = common.row[keep], common.col[keep], common.data[keep]
    if not len(row):
        raise InputError(
            f"no two items of '{train.name}' were liked by {least} people both",
            mend="lower `least`, give more rows, or use method='simcse'",
        )
    n = np.asarray(liked.sum(axis=0)).ravel()
    cosine = count / (np.sqrt(n[row] * n[column]) + shrinkage)
    order = np.lexsort((column, -cosine, row))
    row, column, cosine = row[order], column[order], cosine[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    near = rank < k
    shape = (train.n_items, train.n_items)
    one_way = sparse.csr_matrix((cosine[near], (row[near], column[near])), shape=shape)
    weights = one_way.maximum(one_way.T).tocsr().astype(np.float32)
    weights.sort_indices()
    return Neighbours(weights)
