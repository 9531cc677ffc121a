"""How far lists obey a rule, and how far a wish has moved them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recnb.metrics import adherence, bootstrap, kendall
from recnb.models.language.control.rules import Rule


@dataclass(frozen=True)
class Measured:
    """A mean over users with its interval; users without a value are left out."""

    value: float
    low: float
    high: float
    n_users: int

    @classmethod
    def of(cls, values: np.ndarray, draws: int = 2000, seed: int = 0) -> Measured:
        """The mean of per-user values and its percentile bootstrap interval."""
        held = values[~np.isnan(values)]
        if not len(held):
            return cls(np.nan, np.nan, np.nan, 0)
        return cls(float(held.mean()), *bootstrap(held, draws=draws, seed=seed), len(held))


def adherence_of(
    lists: np.ndarray, rule: Rule, items: pd.DataFrame, draws: int = 2000, seed: int = 0
) -> Measured:
    """Share of the lists that obeys a rule on item columns, mean over users with its interval.

    Parameters
    ----------
    lists : ndarray of shape (n_users, n_ranks), int
        Item codes, -1 where a list is short.
    rule : Rule
    items : DataFrame
        The items table, by code.
    draws, seed
        Of the bootstrap over users.
    """
    return Measured.of(adherence(lists, rule.mask(items)), draws, seed)


def moved(
    scores: np.ndarray, base: np.ndarray, k: int = 10, n: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """How far steered scores are from those of the base.

    Parameters
    ----------
    scores, base : ndarray of shape (n_users, n_items)
        Of the same users; minus infinity where an item may not be listed.
    k : int
        Length of the lists.
    n : int
        Items of the base's list whose order is compared.

    Returns
    -------
    overlap : ndarray of shape (n_users,)
        Share of the base's best `k` that are among the steered best `k`.
    tau : ndarray of shape (n_users,)
        Kendall's tau-b between both orders of the base's best `n` (:func:`recnb.metrics.kendall`).

    Examples
    --------
    >>> base = np.array([[4.0, 3.0, 2.0, 1.0]])
    >>> [x.tolist() for x in moved(base, base, k=2)], [x.tolist() for x in moved(-base, base, k=2)]
    ([[1.0], [1.0]], [[0.0], [-1.0]])
    """
    overlap, tau = np.empty(len(base)), np.empty(len(base))
    for row, (new, old) in enumerate(zip(scores, base)):
        before, after = np.argsort(-old, kind="stable"), np.argsort(-new, kind="stable")
        overlap[row] = len(set(before[:k]) & set(after[:k])) / k
        best = before[: min(n, int(np.isfinite(old).sum()))]
        tau[row] = kendall(old[best], new[best])[0]
    return overlap, tau
