"""Item neighbours and EASE for whom the newest events count most: the order of events at no other cost."""

from __future__ import annotations

from recnb.models.classical.linear import EASE
from recnb.models.classical.neighbours import ItemKNN
from recnb.models.common.recency import RecentHistory

_DECAY = ("float", 0.3, 1.0)


class RecentItemKNN(RecentHistory, ItemKNN):
    """Item neighbours of a history whose events fade: each step back costs a factor `decay`.

    Parameters
    ----------
    decay : float
        Above 0, at most 1; 1 is :class:`ItemKNN`.
    k, similarity, shrinkage, weights
        As in :class:`ItemKNN`; a pair's weight is 1 when scores are asked for.

    Notes
    -----
    Similarities are learned from all pairs alike. The data need an order.

    References
    ----------
    Ludewig & Jannach (2018), "Evaluation of session-based recommendation algorithms", UMUAI, section 3.3 (decay within
    a session).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from recnb.data import Dataset
    >>> rows = pd.DataFrame({"user_id": list("aabbcc"), "item_id": list("xyxzxx"), "position": [0, 1, 0, 1, 0, 1]})
    >>> rows.loc[5, "item_id"] = "y"
    >>> RecentItemKNN(decay=0.5).fit(Dataset.from_frames(rows)).score(np.array([2])).round(4)
    array([[0.8165, 0.4082, 0.2887]], dtype=float32)
    """

    def __init__(
        self,
        decay: float = 0.7,
        k: int = 200,
        similarity: str = "cosine",
        shrinkage: float = 0.0,
        weights: str = "binary",
    ) -> None:
        super().__init__(k, similarity, shrinkage, weights)
        self.decay = decay

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {"decay": _DECAY, **ItemKNN.search_space()}


class RecentEASE(RecentHistory, EASE):
    """EASE for a history whose events fade: each step back costs a factor `decay`.

    Parameters
    ----------
    decay : float
        Above 0, at most 1; 1 is :class:`EASE`.
    l2, max_items, precision, weights
        As in :class:`EASE`; a pair's weight is 1 when scores are asked for.

    Notes
    -----
    The item weights are learned from all pairs alike. The data need an order.
    """

    def __init__(
        self,
        decay: float = 0.7,
        l2: float = 200.0,
        max_items: int = 10_000,
        precision: str = "float64",
        weights: str = "binary",
    ) -> None:
        super().__init__(l2, max_items, precision, weights)
        self.decay = decay

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {"decay": _DECAY, **EASE.search_space()}
