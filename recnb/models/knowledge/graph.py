"""The graph of users, items and attribute values: its edges, and the matrix that spreads vectors along them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.errors import InputError
from recnb.models.common.item_tables import attribute_columns, attribute_names, one_hot
from recnb.models.common.sparse_rows import strongest


@dataclass(frozen=True, eq=False)
class Graph:
    """Edges of three relations.

    Attributes
    ----------
    liked : csr_matrix of shape (n_users, n_items)
        Ones: who likes what.
    facts : csr_matrix of shape (n_items, n_values)
        Ones: which item has which attribute value (creator, brand, category …); no columns where none are read.
    together : csr_matrix of shape (n_items, n_items), optional
        Symmetric ones: what the same people take.
    """

    liked: sparse.csr_matrix
    facts: sparse.csr_matrix
    together: sparse.csr_matrix | None = None

    @property
    def n_nodes(self) -> int:
        """Users, items and values, in this order."""
        return sum(self.liked.shape) + self.facts.shape[1]

    def spread(self, share: float, share_together: float = 0.0) -> sparse.csr_matrix:
        """The matrix that takes every node's vector to its neighbours': csr (n_nodes, n_nodes), float32.

        Each relation is divided by the roots of both degrees. An item hears its values with the weight `share`, items
        taken together with `share_together` and its users with the rest; of relations in which it has no edge the
        weight goes to the others, so that an item without users is all that its values say.

        Notes
        -----
        With ``share = 0`` and no other relation this is the matrix of LightGCN.
        """
        users = even(self.liked)
        values = even(self.facts)
        together = None if self.together is None else even(self.together)
        parts = [(1 - share - share_together, users.T), (share, values), (share_together, together)]
        weights = [
            weight * (np.diff(part.tocsr().indptr) > 0) if part is not None else 0.0
            for weight, part in parts
        ]
        total = np.asarray(sum(weights), float)
        scale = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
        from_users, from_values, from_items = (
            None if part is None else sparse.diags(np.asarray(weight * scale)) @ part
            for weight, (_, part) in zip(weights, parts)
        )
        n_items = self.liked.shape[1]
        middle = sparse.csr_matrix((n_items, n_items)) if from_items is None else from_items
        blocks = [[None, users, None], [from_users, middle, from_values], [None, values.T, None]]
        if not self.facts.shape[1]:
            blocks = [row[:2] for row in blocks[:2]]
        out = sparse.csr_matrix(sparse.bmat(blocks), dtype=np.float32)
        out.sort_indices()
        return out


def even(edges: sparse.spmatrix) -> sparse.csr_matrix:
    """Edges divided by the roots of both ends' degrees, float64.

    Examples
    --------
    >>> even(sparse.csr_matrix(np.array([[1.0, 1.0], [1.0, 0.0]]))).toarray().round(2).tolist()
    [[0.5, 0.71], [0.71, 0.0]]
    """
    edges = sparse.csr_matrix(edges, dtype=np.float64)
    degrees = (np.maximum(np.asarray(edges.sum(axis=axis)).ravel(), 1) for axis in (1, 0))
    left, right = (1 / np.sqrt(n) for n in degrees)  # a node without edges has none to divide
    return sparse.csr_matrix(sparse.diags(left) @ edges @ sparse.diags(right))


def taken_together(liked: sparse.csr_matrix, k: int, item_hash: np.ndarray) -> sparse.csr_matrix:
    """For each item the `k` items with the highest cosine of who likes them, made symmetric: csr of ones.

    Equal ones are kept by a hash of the ids.
    """
    n = np.sqrt(np.maximum(np.asarray(liked.sum(axis=0)).ravel(), 1))
    same = sparse.csr_matrix(liked.T.astype(np.float64) @ liked)
    same = sparse.csr_matrix(sparse.diags(1 / n) @ same @ sparse.diags(1 / n))
    same.setdiag(0)
    same.eliminate_zeros()
    kept = strongest(same.astype(np.float32), k, item_hash)
    kept = sparse.csr_matrix(kept.maximum(kept.T))
    kept.data[:] = 1
    return kept


@dataclass(frozen=True, eq=False)
class Facts:
    """Which attribute values items have, and how new items are read the same way.

    Attributes
    ----------
    columns : list of str
    names : ndarray of shape (n_values,), str objects
        ``column=value``; values of a single item connect nothing and are left out.
    bins : dict of str to list of float
        Edges of the bins of numeric columns.
    """

    columns: list[str]
    names: np.ndarray
    bins: dict[str, list[float]]

    @classmethod
    def of(cls, items: pd.DataFrame, columns: Sequence[str] | None) -> Facts:
        """Learn them from an items table.

        Parameters
        ----------
        items : DataFrame
        columns : sequence of str, or str, optional
            In a string joined by "+"; None means all but title and text whose values repeat.

        Raises
        ------
        InputError
            A named column is missing, empty or has one value for all items, or no two items share a value.
        """
        chosen = attribute_columns(items, columns)
        names, _, bins = attribute_names(items, chosen)
        counts = np.diff(one_hot(items, chosen, names, np.ones(len(names)), bins).tocsc().indptr)
        if not (counts > 1).any():
            raise InputError(
                f"no two items share a value of {', '.join(chosen)}",
                column=chosen[0],
                mend="name columns whose values repeat, or set share=0",
            )
        return cls(chosen, names[counts > 1], bins)

    def edges(self, items: pd.DataFrame) -> sparse.csr_matrix:
        """Ones where an item has a value: csr of shape (n_items, n_values)."""
        ones = np.ones(len(self.names))
        return one_hot(items, self.columns, self.names, ones, self.bins)
