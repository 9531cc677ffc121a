"""Ratings from ids, from who rated what, and from what the item's text says: one factorisation machine."""

from __future__ import annotations

import contextlib
import copy
import io
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.data import Dataset
from recnb.data.text import Text
from recnb.encoders import cited, whiten
from recnb.errors import InputError
from recnb.models.common.item_tables import attribute_names, one_hot, sentences
from recnb.models.common.liked import by_id
from recnb.models.common.new_items import grown_ids, new_items
from recnb.models.ratings.baseline import RatingModel
from recnb.models.ratings.relational import Side, content_answer, members
from recnb.optional import need_myfm
from recnb.recommender import Reads


class TextBFM(RatingModel):
    """Bayesian factorisation machine over ids, implicit parts, item text and attributes.

    Parameters
    ----------
    n_factors : int
    n_epochs : int
        Gibbs samples of a chain.
    burn_in : int
        The first samples of a chain, which are thrown away.
    n_chains : int
        Chains from different starts, averaged. A chain stays near one of the many solutions, so
        two chains do better than one of twice the length.
    item_ids : bool
        Without them an item is only what is said of it: a model of text alone.
    implicit : bool
        A user is also the set of rated items, and an item the set of its raters, each member
        weighing 1/sqrt(size) (SVD++ and its mirror image). Training rows only.
    use_text : bool
    encoder : str, optional
        Folder or name of a frozen encoder; None means the default of
        :class:`recnb.encoders.TextEncoder`.
    text : Text, optional
    n_text : int
        Leading whitened directions of the encoder's vectors.
    item_columns, user_columns : tuple of str
        Columns of the tables as one-hot values; numbers in ten bins.
    seed : int

    Notes
    -----
    All features belong to one side, so a row of either side is written once, not once a rating, and
    a sample predicts ``w0 + a_u + b_i + p_u . q_i`` where p and q are sums of the side's feature
    vectors and a and b hold its linear terms and the products within the side. The mean over
    samples is one product of longer factors. An item without ratings takes the mean of the known
    items' id vectors, plus its text and attributes; so does a user. A history changes nothing.

    References
    ----------
    Freudenthaler, Schmidt-Thieme & Rendle (2011), "Bayesian factorization machines".
    Rendle, Zhang & Koren (2019), "On the difficulty of evaluating baselines", section 4 (the
    implicit parts of both sides). Rendle (2013), "Scaling factorization machines to relational
    data", VLDB (sides written once).

    Examples
    --------
    >>> rows = pd.DataFrame({"user_id": list("aabb"), "item_id": list("xyxy"), "rating": [5, 3, 3, 1]})
    >>> ds = Dataset.from_frames(rows, feedback="explicit", scale=(1, 5))
    >>> model = TextBFM(n_factors=1, n_epochs=30, burn_in=10, use_text=False).fit(ds)
    >>> high, low = model.predict(np.array([0, 1]), np.array([0, 1]))
    >>> bool(high > low)
    True
    """

    seeded = True

    def __init__(
        self,
        n_factors: int = 10,
        n_epochs: int = 70,
        burn_in: int = 20,
        n_chains: int = 2,
        item_ids: bool = True,
        implicit: bool = True,
        use_text: bool = True,
        encoder: str | None = None,
        text: Text | None = None,
        n_text: int = 20,
        item_columns: tuple[str, ...] = (),
        user_columns: tuple[str, ...] = (),
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.n_epochs = n_epochs
        self.burn_in = burn_in
        self.n_chains = n_chains
        self.item_ids = item_ids
        self.implicit = implicit
        self.use_text = use_text
        self.encoder = encoder
        self.text = text
        self.n_text = n_text
        self.item_columns = item_columns
        self.user_columns = user_columns
        self.seed = seed

    @property
    def needs_text(self) -> bool:  # type: ignore[override]
        return self.use_text

    def reads(self) -> Reads:
        modalities = ("text",) * self.use_text + ("attributes",) * bool(self.item_columns)
        language_models = (cited(self.encoder),) if self.use_text else ()
        return Reads("pairs", modalities, language_models, bool(self.user_columns))

    @property
    def packages(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("myfm", *(("torch", "transformers") if self.use_text else ()))

    def _learn(self, ratings: sparse.csr_matrix, train: Dataset, valid: Dataset | None) -> None:
        if not 0 <= self.burn_in < self.n_epochs or self.n_chains < 1:
            raise InputError(
                f"n_epochs={self.n_epochs}, burn_in={self.burn_in}, n_chains={self.n_chains}",
                mend="keep at least one sample of one chain",
            )
        if not (self.item_ids or self.implicit or self.use_text or self.item_columns):
            raise InputError("nothing is said of an item", mend="give it ids, text or columns")
        # In the order of the ids, so that the order of the catalogue changes nothing.
        u, i = by_id(train)
        rated = ratings[u][:, i].tocsr()
        rated.sort_indices()
        told_users, told_items = rated.getnnz(axis=1) > 0, rated.getnnz(axis=0) > 0
        user_content = self._user_content(train.users.iloc[u])
        item_content = self._item_content(train.items.iloc[i], told_items)
        who = members(rated) if self.implicit else None
        whom = members(rated.T.tocsr()) if self.implicit else None
        left = Side(told_users, True, who, user_content)
        right = Side(told_items, self.item_ids, whom, item_content)
        samples = self._sample(rated, left, right)

        n = left.matrix.shape[1]
        self.offset_ = float(np.mean([s.w0 for s in samples]))
        w, v = np.array([s.w for s in samples]), np.array([s.V for s in samples])
        user_bias, user_factors, _, _ = left.answer(w[:, :n], v[:, :n])
        item_bias, item_factors, self.content_w_, self.content_v_ = right.answer(w[:, n:], v[:, n:])
        back_u, back_i = np.argsort(u), np.argsort(i)
        self.user_bias_, self.user_factors_ = user_bias[back_u], user_factors[back_u]
        self.item_bias_, self.item_factors_ = item_bias[back_i], item_factors[back_i]

    def _sample(self, rated: sparse.csr_matrix, left: Side, right: Side) -> list[Any]:
        myfm = need_myfm("bfm_text")
        pairs = rated.tocoo()
        rows = [
            myfm.RelationBlock(pairs.row, left.matrix),
            myfm.RelationBlock(pairs.col, right.matrix),
        ]
        samples: list[Any] = []
        for start in np.random.SeedSequence(self.seed).generate_state(self.n_chains):
            model = myfm.MyFMGibbsRegressor(rank=self.n_factors, random_seed=int(start >> 1))
            with contextlib.redirect_stderr(io.StringIO()):  # its bar cannot be turned off
                model.fit(
                    None,
                    pairs.data.astype(float),
                    X_rel=rows,
                    n_iter=self.n_epochs,
                    n_kept_samples=self.n_epochs - self.burn_in,
                    group_shapes=left.groups + right.groups,
                )
            samples += model.predictor_.samples
        return samples

    def _user_content(self, users: pd.DataFrame) -> list[sparse.csr_matrix]:
        if not self.user_columns:
            return []
        columns = _present(users, self.user_columns, "users")
        names, _, bins = attribute_names(users, columns)
        return [one_hot(users, columns, names, np.ones(len(names)), bins)]

    def _item_content(self, items: pd.DataFrame, told: np.ndarray) -> list[sparse.csr_matrix]:
        if self.use_text:
            self.text_columns_ = (self.text or Text()).chosen(items)
            vectors = self._encode(items)[0][told]
            dim = max(min(self.n_text, vectors.shape[1], len(vectors) - 1), 1)
            # Whitening is affine: what it does to zero and to the axes tells it whole.
            probes = np.vstack([np.zeros(vectors.shape[1]), np.eye(vectors.shape[1])])
            seen = whiten(probes, fit_on=vectors, dim=dim) / np.sqrt(dim)
            self.text_shift_ = seen[0].astype(np.float32)
            self.text_map_ = (seen[1:] - seen[0]).astype(np.float32)
        if self.item_columns:
            columns = _present(items, self.item_columns, "items")
            self.names_, _, self.bins_ = attribute_names(items[told], columns)
        return self._describe(items)

    def _describe(self, items: pd.DataFrame) -> list[sparse.csr_matrix]:
        """What is said of items, from the first day of their lives on."""
        out = []
        if self.use_text:
            vectors, told = self._encode(items)
            # An item without text lies in the middle.
            out.append(
                sparse.csr_matrix((vectors @ self.text_map_ + self.text_shift_) * told[:, None])
            )
        if self.item_columns:
            columns = _present(items, self.item_columns, "items")
            ones = np.ones(len(self.names_))
            out.append(one_hot(items, columns, self.names_, ones, self.bins_))
        return out

    def _encode(self, items: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        from recnb.encoders import TextEncoder

        encoder = TextEncoder() if self.encoder is None else TextEncoder(self.encoder)
        told = sentences(self.text, self.text_columns_, items)
        return encoder.encode(told), np.array([bool(s.strip()) for s in told])

    def _raw(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        scores = self.user_factors_[users] @ self.item_factors_.T
        return self.offset_ + scores + self.user_bias_[users, None] + self.item_bias_[None, :]

    def _raw_pairs(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        out = self.offset_ + self.user_bias_[users] + self.item_bias_[items]
        for start in range(0, len(users), 4096):
            at = slice(start, start + 4096)
            left, right = self.user_factors_[users[at]], self.item_factors_[items[at]]
            out[at] += np.einsum("nd,nd->n", left, right)
        return out

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        # Where text speaks of an item it need not stand last for want of ratings.
        if self.use_text or self.item_columns:
            return self._raw(np.asarray(users), history).astype(np.float32)
        return super().score(users, history)

    def with_items(self, items: pd.DataFrame) -> TextBFM:
        """A copy that also predicts for new items, which follow the known ones.

        Parameters
        ----------
        items : DataFrame
            Rows with the columns of the items table; `item_id` a column or the index.

        Raises
        ------
        InputError
            An id is known already, or the model reads neither text nor columns.
        """
        if not (self.use_text or self.item_columns):
            raise InputError("the model knows items by their ids alone", mend="use_text=True")
        table = new_items(items, self.item_ids_)
        bias, factors = content_answer(
            sparse.hstack(self._describe(table)).tocsr(), self.content_w_, self.content_v_
        )
        out = copy.copy(self)
        out.item_bias_ = np.concatenate([self.item_bias_, bias])
        out.item_factors_ = np.vstack([self.item_factors_, factors])
        out.item_ids_ = grown_ids(self.item_ids_, table)
        out.n_ratings_ = np.pad(self.n_ratings_, (0, len(table)))
        return out

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {"n_factors": ("int_log", 4, 32), "n_text": ("int_log", 5, 80)}


def _present(table: pd.DataFrame, columns: tuple[str, ...], what: str) -> list[str]:
    for name in columns:
        if name not in table:
            raise InputError(
                f"the {what} have no column '{name}'", column=name, mend="name one that they have"
            )
    return list(columns)
