"""Items as weighted words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset, Text
from recnb.models.common.item_tables import check_terms, sentences, tfidf_vectors
from recnb.models.common.liked import history_rows
from recnb.models.content.model import ContentModel


class TfIdf(ContentModel):
    """Items as weighted words: liked words decide; the plain text model to beat.

    Parameters
    ----------
    text : Text, optional
        The item's sentence; by default the usual columns that the table has.
    way : {"auto", "mean", "ridge"}
        From liked vectors to scores, see :class:`~recnb.models.content.model.ContentModel`. "auto" is "ridge"
        without a validation part.
    l2 : float or "auto"
        Penalty of the ridge regression; 10 without a validation part.
    rank : int, None or "auto"
        Factors of the training pairs that likes are brought to; None leaves them as they are, as does "auto"
        without a validation part.
    min_items : int
        Words in fewer items are left out.
    max_share : float
        Words in a larger share of the items are left out, as a list of stop words of any language would do; not below
        100 items.
    ngrams : int
        Longest run of words that counts as a term.
    analyzer : {"word", "char_wb"}
        "char_wb" takes runs of 2 to 4 characters instead: for scripts without spaces.
    weights : {"binary", "log"}
        What a pair of count data weighs.

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
        way: str = "auto",
        l2: float | str = "auto",
        rank: int | str | None = "auto",
        min_items: int = 2,
        max_share: float = 0.2,
        ngrams: int = 2,
        analyzer: str = "word",
        weights: str = "binary",
    ) -> None:
        self.text = text
        self.way = way
        self.l2 = l2
        self.rank = rank
        self.min_items = min_items
        self.max_share = max_share
        self.ngrams = ngrams
        self.analyzer = analyzer
        self.weights = weights

    def check_data(self, train: Dataset) -> None:
        super().check_data(train)
        texts, shares = self._template()(train), (self.min_items, self.max_share)
        check_terms(texts, *shares, self.ngrams, self.analyzer)

    def _vectors(self, items: pd.DataFrame, learn: bool) -> tuple[sparse.csr_matrix, None]:
        if learn:
            self.columns_ = (self.text or Text()).chosen(items)
            self.terms_, self.idf_ = None, None
        words, self.terms_, self.idf_ = tfidf_vectors(
            sentences(self.text, self.columns_, items),
            self.min_items,
            self.max_share,
            self.ngrams,
            self.analyzer,
            self.terms_,
            self.idf_,
        )
        return words, None

    @available_if(lambda self: self.analyzer == "word")
    def word_reader(self, items: pd.DataFrame, **settings: Any) -> WordShares:
        """What each word of an item adds to a score, exactly; `items` and further settings change nothing here."""
        return WordShares(self)

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {"max_share": ("log", 0.02, 1.0), "ngrams": ("int", 1, 2)}


class WordShares:
    """Scores of a fitted :class:`TfIdf` as sums over the words of the scored item.

    Notes
    -----
    A score is linear in the item's vector, which has a number for every term. A term of two words gives each of them
    half. What a word adds is exact for this text; without the word the other weights would grow, since a vector has
    length 1.
    """

    exact = True

    def __init__(self, model: TfIdf) -> None:
        self.model = model

    def parts(self, history: np.ndarray, item: int) -> tuple[list[str], np.ndarray]:
        """Words of an item, in lower case, and what each adds to its score for a history.

        Parameters
        ----------
        history : ndarray of shape (n,), int
            Codes, each once.
        item : int

        Returns
        -------
        words : list of str
        values : ndarray of shape (n_words,), float64
            They add up to the score, but for ties.
        """
        model = self.model
        assert model.terms_ is not None
        row = model.words_[item]
        slopes = self._slopes(history)[row.indices] if len(history) else np.zeros(row.nnz)
        shares: dict[str, float] = {}
        for term, value in zip(model.terms_[row.indices], row.data * slopes):
            words = str(term).split()
            for word in words:
                shares[word] = shares.get(word, 0.0) + float(value) / len(words)
        return list(shares), np.array(list(shares.values()))

    def _slopes(self, history: np.ndarray) -> np.ndarray:
        """What a unit of each term adds, (n_terms,)."""
        model = self.model
        given = history_rows([np.asarray(history)], model.words_.shape[0])
        divisor = float(model._divisors(given)[0, 0])
        row: Any = given
        if model.rank_ is not None:
            n = len(model.factors_)
            row = np.zeros(given.shape)
            row[:, :n] = (given[:, :n] @ model.factors_) @ model.factors_.T
        inside = (row @ model.features_.astype(np.float64)) @ model.damping_
        slopes = model.basis_0_.astype(np.float64) @ np.asarray(inside).ravel()
        profile = row @ model.words_.astype(np.float64)
        profile = profile.toarray() if sparse.issparse(profile) else np.asarray(profile)
        return (slopes + model.outside_[0] * profile.ravel()) / divisor
