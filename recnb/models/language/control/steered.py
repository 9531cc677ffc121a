"""A model whose lists follow a wish."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.hashing import hash_ids
from recnb.models.common.composed import Composed
from recnb.models.common.validation import Validation
from recnb.models.language.control.ways import Fit, Way, way_of
from recnb.models.language.control.wish import Wish
from recnb.recommender import Reads, Recommender
from recnb.recommender.blocks import top_k_rows

SCALES = ("place", "score")
WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_USERS = 300  # of the validation part on which a weight is chosen


class Steered(Composed):
    """A base model whose lists follow a wish in words: "only before 1990", "no horror", "something lighter".

    Parameters
    ----------
    base : Recommender
        Unfitted; or fitted, through :func:`steer`.
    wish : str
        Empty: the base model's scores as they are.
    way : {"decoder", "filter", "history"} or Way
        How the wish is read (:mod:`recnb.models.language.control.ways`). One object shares its answers among models.
    weight : float, optional
        What a standard deviation of fit is worth: an item goes up as if its place were divided by e to this power.
        None: the highest of :data:`WEIGHTS` that keeps the price on `valid` below `price`; 1 without `valid`.
        A filter has none.
    price : float
        The share of the base model's NDCG@10 on `valid` that a chosen weight may cost.
    scale : {"place", "score"}
        "place": minus the logarithm of an item's place in the base list, plus the weight times the standardised
        fit. "score": the base score plus the weight times the fit as it is, for a base that scores by a product of
        user and item vectors: its user vectors are edited then.
    seed : int, optional
        Set on the base where it has one.

    Attributes
    ----------
    said_ : list of str
        What was understood of the wish; first, where it was cut, how much of it is read.
    steers_ : bool
        Whether it says anything about the items; else lists are those of the base.
    cut_ : int
        Words of the wish that are not read: 200 are, or 2,000 characters.

    Notes
    -----
    A filter puts what does not obey behind all that does, in the base's order. Items that a decoder was not asked
    about stand behind those it was. A wish that no item fulfils, or of which nothing was understood, changes nothing
    where a filter reads it; a decoder and a vector move the list for any words
    (:func:`recnb.models.language.control.measure.moved`).
    """

    _parts = ("base",)

    def __init__(
        self,
        base: Recommender,
        wish: str = "",
        way: str | Way = "decoder",
        weight: float | None = 1.0,
        price: float = 0.1,
        scale: str = "place",
        seed: int | None = None,
    ) -> None:
        self.base = base
        self.wish = wish
        self.way = way
        self.weight = weight
        self.price = price
        self.scale = scale
        self.seed = seed

    @property
    def cheap(self) -> bool:  # type: ignore[override]
        return False  # whatever the base costs, the way may ask about every item

    @property
    def uses_valid(self) -> bool:  # type: ignore[override]
        return self.weight is None or super().uses_valid

    def reads(self) -> Reads:
        """What the base reads, and the way."""
        return super().reads() | way_of(self.way).reads()

    @property
    def _fitted_base(self) -> Recommender:
        return self.parts()[0]

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        wish = self._checked()
        self.base_ = self._fitted(self.base, train, valid)
        self._read(wish, train)
        self.weight_ = 1.0 if self.weight is None else float(self.weight)
        if self.weight is None and valid is not None and self.steers_ and not self.hard_:
            self.weight_ = self._choose(train, valid)

    def _checked(self) -> Wish:
        way_of(self.way)
        if self.scale not in SCALES:
            raise InputError(f"scale='{self.scale}'", mend=f"one of {', '.join(SCALES)}")
        for name, value, most in (("weight", self.weight, np.inf), ("price", self.price, 1)):
            if value is not None and not 0 <= value < most:
                raise InputError(f"{name}={value!r}", mend=f"a number from 0, below {most:g}")
        return Wish.of(self.wish)

    def _read(self, wish: Wish, ds: Dataset) -> None:
        """What the wish says about the items."""
        popularity = np.bincount(ds.interactions["item"], minlength=ds.n_items)
        found = way_of(self.way).fit_of(wish, ds.items, popularity) if wish else Fit(None)
        self.steers_, self.hard_ = found.values is not None, found.hard
        self.fits_ = np.zeros(ds.n_items) if found.values is None else found.values
        self.said_ = [*([wish.cut_line] if wish.cut else []), *found.said]
        self.cut_ = wish.cut

    def _choose(self, train: Dataset, valid: Dataset) -> float:
        validation = Validation.of(train, valid, _USERS)
        scores = self._fitted_base.score_among(
            validation.users, validation.allowed, validation.barred, validation.told
        )
        base = validation.value_of_scores(scores[:, validation.items])
        values = [
            validation.value_of_scores(
                self._moved(
                    scores, validation.users, validation.allowed, validation.barred, weight
                )[:, validation.items]
            )
            for weight in WEIGHTS
        ]
        self.weights_ = np.array([WEIGHTS, values])  # (2, n_weights): the grid and its values
        return max(
            w for w, value in zip(WEIGHTS, values) if value >= (1 - self.price) * base or not w
        )

    def chosen(self) -> dict[str, Any]:
        """The weight, and what the base has chosen."""
        base = self._fitted_base
        return {"weight": self.weight_, "base": clone(self.base).set_params(**base.chosen())}

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        return self.score_among(users, history=history)

    def score_among(
        self,
        users: np.ndarray,
        allowed: np.ndarray | None = None,
        barred: sparse.csr_matrix | None = None,
        history: Dataset | None = None,
    ) -> np.ndarray:
        """As :meth:`score`; places are those among the items that may be listed."""
        users = np.asarray(users)
        scores = self._fitted_base.score_among(users, allowed, barred, history)
        if not self.steers_:
            return scores
        return self._moved(scores, users, allowed, barred, self.weight_)

    def _moved(
        self,
        scores: np.ndarray,
        users: np.ndarray,
        allowed: np.ndarray | None,
        barred: sparse.csr_matrix | None,
        weight: float,
    ) -> np.ndarray:
        if self.scale == "score" and not self.hard_:
            lowest = np.nanmin(self.fits_)
            fits = np.where(np.isnan(self.fits_), lowest - np.ptp(scores) - 1, self.fits_)
            return (scores + weight * fits).astype(np.float32)
        by_user, by_item = hash_ids(self.user_ids_)[users], hash_ids(self.item_ids_)
        order = places(scores, by_user, by_item, allowed, barred)
        return steered(order, self.fits_, weight, self.hard_)


def places(
    scores: np.ndarray,
    by_user: np.ndarray,
    by_item: np.ndarray,
    allowed: np.ndarray | None = None,
    barred: sparse.csr_matrix | None = None,
) -> np.ndarray:
    """Places of all items, 1 the best: (n_users, n_items), int64; what may not be listed shares the last one.

    `by_user` and `by_item` are hashes of ids, which break ties as lists do.
    """
    open_ = scores.astype(np.float32, copy=True)
    if allowed is not None:
        open_[:, ~allowed] = -np.inf
    if barred is not None:
        open_[barred.nonzero()] = -np.inf
    n = open_.shape[1]
    order = top_k_rows(open_, n, by_user, by_item)
    out = np.full(open_.shape, n, dtype=np.int64)
    row, place = np.nonzero(order >= 0)
    out[row, order[row, place]] = place + 1
    return out


def steered(order: np.ndarray, fits: np.ndarray, weight: float, hard: bool = False) -> np.ndarray:
    """Scores of items at given places, moved by how well they fit.

    Parameters
    ----------
    order : ndarray of shape (n_users, n_items), int
        From :func:`places`.
    fits : ndarray of shape (n_items,), float
        NaN where nobody asked.
    weight : float
        A standard deviation more of fit divides the place by e to this power.
    hard : bool
        Items of value 0 go behind all others instead.

    Returns
    -------
    ndarray of shape (n_users, n_items), float32

    Examples
    --------
    >>> order = np.array([[1, 2, 3, 4]])
    >>> np.argsort(-steered(order, np.array([0.0, 1.0, 0.0, 1.0]), 1.0, hard=True))
    array([[1, 3, 0, 2]])
    >>> np.argsort(-steered(order, np.array([-1.0, 0.0, np.nan, 1.0]), 1.0))
    array([[3, 1, 0, 2]])
    """
    out = -np.log(order)
    asked = ~np.isnan(fits)
    far = 1 + np.log(order.shape[1])
    if hard:
        return (out - far * (fits == 0)).astype(np.float32)
    values = np.where(asked, fits, 0.0)
    values = np.where(asked, values - values.sum() / max(asked.sum(), 1), 0.0)
    spread = np.sqrt((values**2).sum() / max(asked.sum(), 1))
    lift = weight * values / spread if spread > 0 else np.zeros_like(values)
    below = np.where(asked, 0.0, far + np.ptp(lift))
    return (out + lift - below).astype(np.float32)


def steer(
    model: Recommender,
    wish: str,
    ds: Dataset,
    way: str | Way = "decoder",
    weight: float = 1.0,
    scale: str = "place",
) -> Steered:
    """A fitted model whose lists follow a wish.

    Parameters
    ----------
    model : Recommender
        Fitted on `ds` or a part of it.
    wish : str
    ds : Dataset
        Its items are read.
    way, weight, scale
        As in :class:`Steered`.

    Returns
    -------
    Steered
        Fitted; `said_` says what was understood.

    Raises
    ------
    InputError
        The model is not fitted, or on other items.
    """
    if not isinstance(model, Recommender) or not model.fitted:
        raise InputError("the model to be steered is not fitted", mend="call fit first")
    if not np.array_equal(model.item_ids_, ds.item_ids):
        raise InputError(
            f"the model knows {len(model.item_ids_):,} items, the data set has {ds.n_items:,} or others",
            mend="pass the data set on which the model was fitted",
        )
    out = Steered(model, wish, way, weight, scale=scale)
    read = out._checked()
    out.remember(ds)
    out.user_ids_ = model.user_ids_
    out.base_, out.weight_ = model, float(weight)
    out._read(read, ds)
    return out
