"""What content models share: item vectors in, scores of known and of new items out."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.item_tables import item_factors, unit
from recnb.models.common.liked import FromHistory, counts, history_rows, liked_pairs
from recnb.models.common.new_items import grown_ids, new_items
from recnb.models.common.validation import Validation, more_new_items
from recnb.models.content.choice import Plan, Trial, choose
from recnb.models.content.kernel import ItemKernel, Vectors, distinct_rows, inner, project
from recnb.models.content.plan_scores import PlanScores
from recnb.recommender import Reads

WAYS = ("auto", "mean", "ridge")
PENALTIES = (10.0, 30.0, 3.0, 100.0, 1.0, np.inf)  # the usual one first; infinite is the mean
RANKS: tuple[int | None, ...] = (None, 100, 20)
_CELLS = 5 * 10**6  # of one score matrix while a plan is chosen


class ContentModel(FromHistory):
    """Item vectors in, scores out; subclasses say where the vectors come from.

    A subclass implements ``_vectors(items, learn) -> (words, meaning)``, either of which may be None: with `learn`
    it may fit what it needs (a vocabulary), without it turns new rows into vectors with what it has.

    Notes
    -----
    ``way="mean"``: the score is the cosine between an item and the mean of the liked vectors. ``way="ridge"``:
    for each user a ridge regression of the likes on the item vectors, ``l2 r inv(K + l2 I) K`` over the number of
    likes, with K the cosines between items. It is the mean cosine to the liked items with the directions that
    many items share damped (:class:`~recnb.models.content.kernel.ItemKernel`); a large `l2` leaves the mean. With
    a `rank` the user's likes are first brought to that many factors of the training pairs, so that what is liked
    by the same people counts too; on sparse data the factors are noise. Either way an item needs no user to be
    scored; a user without history gets the popular items.

    Settings that are "auto" are chosen by NDCG@10 on the validation part where `fit` is given one (new items among
    themselves where most of its items are new), and then another than the usual one only where it is clearly better
    (:func:`~recnb.models.content.choice.choose`). Where it has fewer than 500 new items, more items are hidden, as
    many at a time (:func:`~recnb.models.common.validation.more_new_items`), for thirty items tell little.
    """

    uses_valid = True
    shares: ClassVar[tuple[float, ...]] = (0.0,)  # of the encoder; the usual one first

    way: str
    l2: float | str
    rank: int | str | None
    weights: str

    def reads(self) -> Reads:
        return Reads(modalities=("text",))

    def _vectors(self, items: pd.DataFrame, learn: bool) -> tuple[Vectors | None, Vectors | None]:
        raise NotImplementedError

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        shares, penalties, ranks = self._shares(), self._penalties(), self._ranks()
        self._learn_liked(train)
        self._keep_vectors(self._vectors(train.items, learn=True))
        kernel = ItemKernel(self._parts(), _used(train, self.popularity_))
        plan = Plan(shares[0], penalties[0], ranks[0])
        if valid is not None and len(shares) * len(penalties) * len(ranks) > 1:
            parts = [(train, valid), *more_new_items(train, valid)]
            trials = [self._trial(kernel, *part) for part in parts]
            plan = choose(shares, penalties, ranks, trials)
        self._settle(kernel, plan)

    def _trial(self, kernel: ItemKernel, train: Dataset, valid: Dataset) -> Trial:
        """Plans learned from some rows, tried on others."""
        validation = Validation.of(train, valid, cells=_CELLS)
        liked = liked_pairs(train, self.weights)
        rows = liked if validation.told is None else liked_pairs(validation.told, self.weights)
        scores = PlanScores(
            kernel.learning_from(_used(train, counts(liked))),
            self._weights,
            rows[validation.users].astype(np.float64),
            validation.items,
            liked,
        )
        return Trial(validation, scores)

    def _shares(self) -> tuple[float, ...]:
        if getattr(self, "share", "auto") == "auto":
            return self.shares
        share = _number("share", self.share)  # type: ignore[attr-defined]
        if not 0 <= share <= 1:
            raise InputError(f"share={share:g}", mend="from 0 (words) to 1 (encoder), or auto")
        return (share,)

    def _penalties(self) -> tuple[float, ...]:
        if self.way not in WAYS:
            raise InputError(f"way='{self.way}'", mend=f"one of {', '.join(WAYS)}")
        penalties: tuple[float, ...] = PENALTIES
        if self.l2 != "auto":
            penalties = (_number("l2", self.l2), np.inf)
        if self.way == "mean":
            penalties = (np.inf,)
        elif self.way == "ridge":
            penalties = tuple(p for p in penalties if p < np.inf)
        if not all(p > 0 for p in penalties) or not penalties:
            raise InputError(f"l2={self.l2}", mend="a number above 0, or auto")
        return penalties

    def _ranks(self) -> tuple[int | None, ...]:
        if self.rank == "auto":
            return RANKS
        rank = None if self.rank is None else int(_number("rank", self.rank))
        if rank is not None and rank < 1:
            raise InputError(f"rank={self.rank}", mend="a number above 0, None, or auto")
        return (rank,)

    def _keep_vectors(self, vectors: tuple[Vectors | None, Vectors | None]) -> None:
        words, meaning = vectors
        if words is not None:
            self.words_ = unit(words)
        if meaning is not None:
            self.meaning_ = unit(meaning)
        # Items of one text have one score: it is computed once and handed to each of them.
        self.first_, self.place_ = distinct_rows(self._parts())

    def _parts(self) -> list[Vectors]:
        return [getattr(self, name) for name in ("words_", "meaning_") if hasattr(self, name)]

    def _weights(self, share: float) -> list[float]:
        weights = {"words_": 1 - share, "meaning_": share}
        return [w for name, w in weights.items() if hasattr(self, name)]

    def _settle(self, kernel: ItemKernel, plan: Plan) -> None:
        """Keep what scoring by a plan needs."""
        self.way_ = "mean" if np.isinf(plan.l2) else "ridge"
        self.l2_ = None if np.isinf(plan.l2) else plan.l2
        self.share_, self.rank_ = plan.share, plan.rank
        weights = self._weights(plan.share)
        outside, self.damping_ = kernel.damping(weights, plan.l2, kernel.spectrum(weights))
        self.outside_ = np.array(outside)
        self.features_ = kernel.features.astype(np.float32)
        for i, basis in enumerate(kernel.bases):
            if basis is not None:
                setattr(self, f"basis_{i}_", basis.astype(np.float32))
        if plan.rank is not None:
            self.factors_ = item_factors(self.liked_, plan.rank)
            self._spread_factors()

    def _spread_factors(self) -> None:
        rows = np.zeros((self.factors_.shape[1], len(self.item_ids_)))
        rows[:, : len(self.factors_)] = self.factors_.T
        self.factor_scores_ = self._likeness(rows)  # of distinct items

    def chosen(self) -> dict[str, Any]:
        """The way, and what it needs, to keep when refitting."""
        found: dict[str, Any] = {"way": self.way_, "rank": self.rank_}
        if self.l2_ is not None:
            found["l2"] = self.l2_
        return {**found, **({"share": self.share_} if hasattr(self, "share") else {})}

    def _score_rows(self, rows: sparse.csr_matrix, users: np.ndarray | None) -> np.ndarray:
        return (self._sums(rows) / self._divisors(rows))[:, self.place_]

    def _sums(self, rows: sparse.csr_matrix) -> np.ndarray:
        """Scores of the distinct items before they are divided: sums over the items of each row."""
        if self.rank_ is None:
            return self._likeness(rows)
        return (rows[:, : len(self.factors_)] @ self.factors_) @ self.factor_scores_

    def _divisors(self, rows: sparse.csr_matrix) -> np.ndarray:
        """What a row's sums are divided by, (n, 1)."""
        if self.way_ == "mean" and self.rank_ is None:
            return self._lengths(rows)
        return np.diff(rows.indptr).clip(1)[:, None]

    def history_parts(self, history: np.ndarray, items: np.ndarray) -> np.ndarray:
        """What each item of a history adds to the scores of some items: see :meth:`FromHistory.history_parts`."""
        n = self.liked_.shape[1]
        singles = history_rows([np.array([code]) for code in history], n)
        whole = self._divisors(history_rows([np.asarray(history)], n))
        return self._sums(singles)[:, self.place_[items]] / whole

    def _lengths(self, rows: sparse.csr_matrix) -> np.ndarray:
        """Lengths of the sums of some rows of item vectors; 1 for an empty row."""
        squares = np.zeros(rows.shape[0])
        for weight, part in zip(self._weights(self.share_), self._parts()):
            profile = rows @ part.astype(np.float64)
            product = profile.multiply(profile) if sparse.issparse(profile) else profile**2
            squares += weight * np.asarray(product.sum(axis=1)).ravel()
        return np.sqrt(np.where(squares > 0, squares, 1))[:, None]

    def _likeness(self, rows: sparse.csr_matrix | np.ndarray) -> np.ndarray:
        """Damped inner products of the sums of some rows of items with every distinct item, float64."""
        features = self.features_.astype(np.float64)
        out = ((rows @ features) @ self.damping_) @ features[self.first_].T
        for weight, part in zip(self.outside_, self._parts()):
            if weight:
                out += weight * inner(rows, part, part[self.first_])
        return out

    def with_items(self, items: pd.DataFrame) -> ContentModel:
        """A copy that also scores new items, which follow the known ones.

        Parameters
        ----------
        items : DataFrame
            Rows with the columns of the items table; `item_id` a column or the index.

        Raises
        ------
        InputError
            An id is known already, or stands twice.
        """
        table = new_items(items, self.item_ids_)
        old = self._parts()
        new = [unit(v) for v in self._vectors(table, learn=False) if v is not None]
        out: Any = copy.copy(self)
        names = [name for name in ("words_", "meaning_") if hasattr(self, name)]
        for name, known, added in zip(names, old, new):
            setattr(out, name, stacked(known, added))
        bases = [getattr(self, f"basis_{i}_", None) for i in range(len(new))]
        out.features_ = np.vstack([self.features_, project(new, bases).astype(np.float32)])
        out.first_, out.place_ = distinct_rows(out._parts())
        out.item_ids_ = grown_ids(self.item_ids_, table)
        out.popularity_ = np.pad(self.popularity_, (0, len(table)))
        out.liked_ = self.liked_.copy()
        out.liked_.resize(self.liked_.shape[0], len(out.item_ids_))
        if self.rank_ is not None:
            out._spread_factors()
        return out


def _used(train: Dataset, popularity: np.ndarray) -> np.ndarray:
    """Codes of the items that somebody likes, in the order of the ids: the order of the catalogue changes no sum."""
    used = np.flatnonzero(popularity)
    return used[np.argsort(train.item_ids[used])]


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{name}='{value}'", mend="a number, or auto")
    return float(value)


def stacked(known: Vectors, added: Vectors) -> Vectors:
    """Rows of one kind under each other."""
    if sparse.issparse(known):
        return sparse.vstack([known, added]).tocsr()
    return np.vstack([known, added])
