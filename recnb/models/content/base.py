"""Content models: items as vectors of what they are, users as the mean of what they like."""

from __future__ import annotations

import copy
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.data import Dataset
from recnb.data.text import Text
from recnb.errors import InputError
from recnb.models.common.item_tables import (
    attribute_columns,
    attribute_names,
    item_factors,
    one_hot,
    tfidf_vectors,
    unit,
)
from recnb.models.common.liked import FromHistory
from recnb.models.common.new_items import new_items
from recnb.models.common.ridge import ridge
from recnb.recommender import Reads

MAPPINGS = ("ridge",)
Vectors: TypeAlias = np.ndarray | sparse.csr_matrix


class ContentModel(FromHistory):
    """Item vectors in, scores out; subclasses say where the vectors come from.

    A subclass implements ``_vectors(items, learn) -> (n, d)``: with `learn` it may fit what it needs (a vocabulary),
    without it turns new rows into vectors with what it has.

    Notes
    -----
    Without `mapping` the score is the cosine between an item and the mean of the liked items. With
    ``mapping="ridge"`` the item factors of a truncated SVD of the training pairs are predicted from the
    item vectors by ridge
    regression, and the score is the user's factors times the predicted ones: of all items, known ones too, so
    that the answer comes from the content alone. Either way an item needs no user to be scored; a user
    without history gets the popular items.
    """

    mapping: str | None
    n_factors: int
    l2: float

    def reads(self) -> Reads:
        return Reads(modalities=("text",))

    def _vectors(self, items: pd.DataFrame, learn: bool) -> Vectors:
        raise NotImplementedError

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        if self.mapping is not None and self.mapping not in MAPPINGS:
            raise InputError(f"mapping='{self.mapping}'", mend="None or 'ridge'")
        liked = self._learn_taste(train)
        self.vectors_ = unit(self._vectors(train.items, learn=True))
        if self.mapping is None:
            return
        factors = item_factors(liked, self.n_factors)
        used = self.popularity_ > 0
        start = np.zeros((self.vectors_.shape[1], factors.shape[1]))
        self.map_ = ridge(self.vectors_[used], factors[used], self.l2, start, steps=100).astype(
            np.float32
        )
        self.item_factors_ = factors.astype(np.float32)

    def _score_rows(self, rows: sparse.csr_matrix, users: np.ndarray) -> np.ndarray:
        if self.mapping is None:
            likeness = unit(rows @ self.vectors_) @ self.vectors_.T
            return likeness.toarray() if sparse.issparse(likeness) else likeness
        return (rows @ self.item_factors_) @ np.asarray(self.vectors_ @ self.map_).T

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "mapping": ("choice", [None, "ridge"]),
            "n_factors": ("int_log", 10, 100),
            "l2": ("log", 0.1, 30.0),
        }

    def with_items(self, items: pd.DataFrame) -> ContentModel:
        """A copy that also scores new items, which follow the known ones.

        Parameters
        ----------
        items : DataFrame
            Rows with the columns of the items table; `item_id` a column or the index.

        Raises
        ------
        InputError
            An id is known already.
        """
        table = new_items(items, self.item_ids_)
        new = unit(self._vectors(table, learn=False))
        out: Any = copy.copy(self)
        n = len(table)
        stack = sparse.vstack if sparse.issparse(new) else np.vstack
        out.vectors_ = stack([self.vectors_, new])
        if sparse.issparse(new):
            out.vectors_ = out.vectors_.tocsr()
        out.item_ids_ = np.concatenate([self.item_ids_, table.index.to_numpy(dtype=object)])
        out.popularity_ = np.pad(self.popularity_, (0, n))
        out.taste_ = self.taste_.copy()
        out.taste_.resize(self.taste_.shape[0], len(out.item_ids_))
        if self.mapping is not None:
            out.item_factors_ = np.pad(self.item_factors_, ((0, n), (0, 0)))
        return out


class TfIdf(ContentModel):
    """Items as weighted words: liked words decide; the plain text model to beat.

    Parameters
    ----------
    text : Text, optional
        The item's sentence; by default the usual columns that the table has.
    mapping : {None, "ridge"}
        See :class:`ContentModel`.
    n_factors : int
        Factors that "ridge" predicts.
    l2 : float
        Penalty of the ridge regression.
    min_items : int
        Words in fewer items are left out.
    max_share : float
        Words in a larger share of the items are left out, as a list of stop words of any language would do; not below
        100 items.
    ngrams : int
        Longest run of words that counts as a term.
    analyzer : {"word", "char_wb"}
        "char_wb" takes runs of 2 to 4 characters instead: for scripts without spaces.

    Notes
    -----
    Weight of a term: ``(1 + log tf) (1 + log((1 + n) / (1 + df)))``, rows scaled to length 1. Document frequencies come
    from the texts of the whole catalogue, new items among them; no interaction takes part in them.

    References
    ----------
    Salton & Buckley (1988), "Term-weighting approaches in automatic text retrieval", table 1.
    """

    needs_text = True

    def __init__(
        self,
        text: Text | None = None,
        mapping: str | None = None,
        n_factors: int = 20,
        l2: float = 1.0,
        min_items: int = 2,
        max_share: float = 0.2,
        ngrams: int = 2,
        analyzer: str = "word",
        weights: str = "binary",
    ) -> None:
        self.text = text
        self.mapping = mapping
        self.n_factors = n_factors
        self.l2 = l2
        self.min_items = min_items
        self.max_share = max_share
        self.ngrams = ngrams
        self.analyzer = analyzer
        self.weights = weights

    def _vectors(self, items: pd.DataFrame, learn: bool) -> Vectors:
        if learn:
            self.columns_ = (self.text or Text()).chosen(items)
            self.terms_, self.idf_ = None, None
        vectors, self.terms_, self.idf_ = tfidf_vectors(
            _sentences(self.text, self.columns_, items),
            self.min_items,
            self.max_share,
            self.ngrams,
            self.analyzer,
            self.terms_,
            self.idf_,
        )
        return vectors

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            **super().search_space(),
            "max_share": ("log", 0.02, 1.0),
        }


class TextFrozen(ContentModel):
    """Items as the vectors of a pretrained text encoder that is not tuned.

    Parameters
    ----------
    encoder : str, optional
        Folder or name of the encoder; None means the default one of :class:`recnb.encoders.TextEncoder`.
    text : Text, optional
    mapping : {None, "ridge"}
        See :class:`ContentModel`.
    n_factors : int
    l2 : float
    centre : bool
        Subtract the mean vector of the catalogue first: sentence vectors share a large common part.
    """

    packages = ("torch", "transformers")
    needs_text = True

    def __init__(
        self,
        encoder: str | None = None,
        text: Text | None = None,
        mapping: str | None = None,
        n_factors: int = 20,
        l2: float = 1.0,
        centre: bool = True,
        weights: str = "binary",
    ) -> None:
        self.encoder = encoder
        self.text = text
        self.mapping = mapping
        self.n_factors = n_factors
        self.l2 = l2
        self.centre = centre
        self.weights = weights

    def reads(self) -> Reads:
        from recnb.encoders.loading import cited

        return Reads(modalities=("text",), language_models=(cited(self.encoder),))

    def _vectors(self, items: pd.DataFrame, learn: bool) -> Vectors:
        from recnb.encoders import TextEncoder

        if learn:
            self.columns_ = (self.text or Text()).chosen(items)
        encoder = TextEncoder() if self.encoder is None else TextEncoder(self.encoder)
        vectors = encoder.encode(_sentences(self.text, self.columns_, items))
        if learn:
            shift = vectors.mean(axis=0) if self.centre else np.zeros(vectors.shape[1])
            self.shift_ = shift.astype(np.float32)
        return vectors - self.shift_

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            **super().search_space(),
            "centre": ("choice", [True, False]),
        }


class TextJoint(TextFrozen):
    """Items as a pretrained encoder's vectors and weighted words side by side: meaning and exact names.

    Parameters
    ----------
    encoder, text, mapping, n_factors, l2, centre
        As in :class:`TextFrozen`.
    share : float
        Length of the encoder's vector against the words' vector of length 1.
    max_share, ngrams
        As in :class:`TfIdf`.

    Notes
    -----
    The ridge regression on both parts is one on the sum of their kernels, the words' and `share` squared times
    the encoder's.
    """

    def __init__(
        self,
        encoder: str | None = None,
        text: Text | None = None,
        mapping: str | None = "ridge",
        n_factors: int = 20,
        l2: float = 3.0,
        centre: bool = True,
        share: float = 0.5,
        max_share: float = 0.2,
        ngrams: int = 2,
        weights: str = "binary",
    ) -> None:
        super().__init__(encoder, text, mapping, n_factors, l2, centre, weights)
        self.share = share
        self.max_share = max_share
        self.ngrams = ngrams

    def _vectors(self, items: pd.DataFrame, learn: bool) -> Vectors:
        dense = unit(super()._vectors(items, learn)) * np.float32(self.share)
        if learn:
            self.terms_, self.idf_ = None, None
        words, self.terms_, self.idf_ = tfidf_vectors(
            _sentences(self.text, self.columns_, items),
            2,
            self.max_share,
            self.ngrams,
            "word",
            self.terms_,
            self.idf_,
        )
        return sparse.hstack([unit(words), sparse.csr_matrix(dense)]).tocsr()

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            **super().search_space(),
            "max_share": ("log", 0.02, 1.0),
            "share": ("log", 0.1, 2.0),
        }


class Attributes(ContentModel):
    """Items as their attributes (category, brand, year …), each value a coordinate.

    Parameters
    ----------
    columns : sequence of str, optional
        Columns of the items table. None means all but title and text whose values repeat.
    mapping : {None, "ridge"}
        See :class:`ContentModel`.
    n_factors : int
    l2 : float

    Notes
    -----
    Lists and strings with commas or bars give a coordinate for each part; numbers are put in ten bins of equal size.
    A coordinate weighs ``1 + log(n / df)``: rare values say more.
    """

    def __init__(
        self,
        columns: tuple[str, ...] | None = None,
        mapping: str | None = None,
        n_factors: int = 20,
        l2: float = 1.0,
        weights: str = "binary",
    ) -> None:
        self.columns = columns
        self.mapping = mapping
        self.n_factors = n_factors
        self.l2 = l2
        self.weights = weights

    def reads(self) -> Reads:
        return Reads(modalities=("attributes",))

    def _vectors(self, items: pd.DataFrame, learn: bool) -> Vectors:
        if learn:
            self.columns_ = attribute_columns(items, self.columns)
            self.names_, self.idf_, self.bins_ = attribute_names(items, self.columns_)
        return one_hot(items, self.columns_, self.names_, self.idf_, self.bins_)


def _sentences(text: Text | None, columns: list[str], items: pd.DataFrame) -> list[str]:
    template = text or Text()
    chosen = Text(*columns, max_words=template.max_words, labels=template.labels)
    return chosen(items)
