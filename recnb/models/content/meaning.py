"""Items as the vectors of a pretrained text encoder, alone or beside their words."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from recnb.data import Dataset, Text
from recnb.models.common.item_tables import check_terms, sentences, tfidf_vectors
from recnb.models.content.kernel import Vectors
from recnb.models.content.model import ContentModel
from recnb.recommender import Reads


class TextFrozen(ContentModel):
    """Items as the vectors of a pretrained text encoder that is not tuned.

    Parameters
    ----------
    encoder : str, optional
        Folder or name of the encoder; None means the default one of :class:`recnb.encoders.TextEncoder`.
    text : Text, optional
    way, l2, rank
        As in :class:`~recnb.models.content.words.TfIdf`.
    centre : bool
        Subtract the mean vector of the catalogue first: sentence vectors share a large common part.
    weights : {"binary", "log"}
        What a pair of count data weighs.
    """

    packages = ("torch", "transformers")
    needs_text = True
    shares: ClassVar[tuple[float, ...]] = (1.0,)

    def __init__(
        self,
        encoder: str | None = None,
        text: Text | None = None,
        way: str = "auto",
        l2: float | str = "auto",
        rank: int | str | None = "auto",
        centre: bool = True,
        weights: str = "binary",
    ) -> None:
        self.encoder = encoder
        self.text = text
        self.way = way
        self.l2 = l2
        self.rank = rank
        self.centre = centre
        self.weights = weights

    def reads(self) -> Reads:
        from recnb.encoders.loading import cited

        return Reads(modalities=("text",), language_models=(cited(self.encoder),))

    def _vectors(self, items: pd.DataFrame, learn: bool) -> tuple[Vectors | None, Vectors | None]:
        if learn:
            self.columns_ = (self.text or Text()).chosen(items)
        return None, self._meaning(sentences(self.text, self.columns_, items), learn)

    def _meaning(self, texts: list[str], learn: bool) -> np.ndarray:
        from recnb.encoders import TextEncoder

        encoder = TextEncoder() if self.encoder is None else TextEncoder(self.encoder)
        vectors = encoder.encode(texts)
        if learn:
            # Summed in the order of the texts, not of the catalogue.
            order = np.argsort(np.array(texts, dtype=object), kind="stable")
            shift = vectors[order].mean(axis=0, dtype=np.float64)
            self.shift_ = (shift if self.centre else 0 * shift).astype(np.float32)
        return vectors - self.shift_

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {"centre": ("choice", [True, False])}


class TextJoint(TextFrozen):
    """Items as a pretrained encoder's vectors and weighted words side by side: meaning and exact names.

    Parameters
    ----------
    encoder, text, way, l2, rank, centre, weights
        As in :class:`TextFrozen`.
    share : float or "auto"
        Of the encoder's inner product in the sum of both: 0 is :class:`~recnb.models.content.words.TfIdf`, 1 is
        :class:`TextFrozen`; 0.2 without a validation part.
    max_share, ngrams
        As in :class:`~recnb.models.content.words.TfIdf`.

    Notes
    -----
    Both parts alone are among the plans that "auto" chooses from.
    """

    shares: ClassVar[tuple[float, ...]] = (0.2, 0.35, 0.1, 0.5, 0.0, 0.7, 1.0)

    def __init__(
        self,
        encoder: str | None = None,
        text: Text | None = None,
        way: str = "auto",
        l2: float | str = "auto",
        rank: int | str | None = "auto",
        centre: bool = True,
        share: float | str = "auto",
        max_share: float = 0.2,
        ngrams: int = 2,
        weights: str = "binary",
    ) -> None:
        super().__init__(encoder, text, way, l2, rank, centre, weights)
        self.share = share
        self.max_share = max_share
        self.ngrams = ngrams

    def check_data(self, train: Dataset) -> None:
        super().check_data(train)
        check_terms(self._template()(train), 2, self.max_share, self.ngrams, "word")

    def _vectors(self, items: pd.DataFrame, learn: bool) -> tuple[Vectors | None, Vectors | None]:
        if learn:
            self.columns_ = (self.text or Text()).chosen(items)
            self.terms_, self.idf_ = None, None
        texts = sentences(self.text, self.columns_, items)
        words, self.terms_, self.idf_ = tfidf_vectors(
            texts, 2, self.max_share, self.ngrams, "word", self.terms_, self.idf_
        )
        return words, self._meaning(texts, learn)

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {**super().search_space(), "max_share": ("log", 0.02, 1.0)}
