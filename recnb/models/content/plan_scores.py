"""Scores of some users and items by one plan after the other; what plans share is computed once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from recnb.models.common.item_tables import item_factors
from recnb.models.content.choice import Plan
from recnb.models.content.kernel import ItemKernel, inner


class PlanScores:
    """Scores by any plan, for the users and items that a validation part asks for.

    Parameters
    ----------
    kernel : ItemKernel
    weights : callable (share) -> list of float
        Of the kernel's parts.
    rows : csr_matrix of shape (n_users_asked, n_items)
        What the users liked.
    items : ndarray of int
        Codes of the items to score.
    liked : csr_matrix of shape (n_users, n_items)
        The training pairs, for the factors.

    Notes
    -----
    A kernel's eigenvectors are found once for a share, users' rows in their coordinates once for a share and rank: a
    plan then costs one damping of these coordinates and one product with the items.
    """

    def __init__(
        self,
        kernel: ItemKernel,
        weights: Callable[[float], list[float]],
        rows: sparse.csr_matrix,
        items: np.ndarray,
        liked: sparse.csr_matrix,
    ) -> None:
        self.kernel = kernel
        self.weights = weights
        self.rows = rows
        self.items = items
        self.liked = liked
        self._spectra: dict[float, tuple[np.ndarray, np.ndarray]] = {}
        self._sides: dict[int | None, tuple[np.ndarray, list[np.ndarray | None]]] = {}

    def __call__(self, plan: Plan) -> np.ndarray:
        """ndarray of shape (n_users_asked, n_items_asked), float64."""
        weights = self.weights(plan.share)
        if plan.share not in self._spectra:
            self._spectra[plan.share] = self.kernel.spectrum(weights)
        inside, kept, damp = self.kernel.damps(weights, plan.l2, self._spectra[plan.share])
        vectors = self._spectra[plan.share][1]
        left, outside = self._side(plan.rank)
        damped = left * inside - ((left @ vectors) * damp) @ vectors.T
        scores = damped @ self.kernel.features[self.items].T
        for weight, product in zip(kept, outside):
            if weight and product is not None:
                scores += weight * product
        return scores

    def _side(self, rank: int | None) -> tuple[np.ndarray, list[np.ndarray | None]]:
        """The users in the kernel's features, and their products with the parts that features do not hold whole."""
        if rank not in self._sides:
            rows = self.rows
            if rank is not None:
                factors = item_factors(self.liked, rank)
                rows = (rows @ factors) @ factors.T
            outside = [
                inner(rows, part, part[self.items]) if last else None
                for part, last in zip(self.kernel.parts, self.kernel.last)
            ]
            self._sides[rank] = (rows @ self.kernel.features, outside)
        return self._sides[rank]
