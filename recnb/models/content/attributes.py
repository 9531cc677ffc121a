"""Items as their attributes."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from scipy import sparse

from recnb.models.common.item_tables import (
    attribute_columns,
    attribute_names,
    constant_remark,
    one_hot,
)
from recnb.models.content.model import ContentModel
from recnb.recommender import Reads


class Attributes(ContentModel):
    """Items as their attributes (category, brand, year …), each value a coordinate.

    Parameters
    ----------
    columns : sequence of str, or str, optional
        Columns of the items table, in a string joined by "+". None means all but title and text whose values repeat.
    way, l2, rank, weights
        As in :class:`~recnb.models.content.words.TfIdf`.

    Notes
    -----
    Lists and strings with commas or bars give a coordinate for each part; numbers are put in ten bins of equal size.
    A coordinate weighs ``1 + log(n / df)``: rare values say more.
    """

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        way: str = "auto",
        l2: float | str = "auto",
        rank: int | str | None = "auto",
        weights: str = "binary",
    ) -> None:
        self.columns = columns
        self.way = way
        self.l2 = l2
        self.rank = rank
        self.weights = weights

    def reads(self) -> Reads:
        return Reads(modalities=("attributes",))

    def _vectors(self, items: pd.DataFrame, learn: bool) -> tuple[sparse.csr_matrix, None]:
        if learn:
            self.columns_ = attribute_columns(items, self.columns)
            self.names_, self.idf_, self.bins_ = attribute_names(items, self.columns_)
            self.remarks_ = list(constant_remark(items, self.columns_, self.columns))
        return one_hot(items, self.columns_, self.names_, self.idf_, self.bins_), None

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {}
