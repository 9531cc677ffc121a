"""One model fitted several times from other seeds: their mean, or one that has learned from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.composed import Composed
from recnb.recommender import Recommender


class Ensemble(Composed):
    """The mean score of a model fitted from several seeds.

    Parameters
    ----------
    model : Recommender
        Unfitted, with a setting `seed`.
    n : int
        Members.
    distil : bool
        Keep one model instead of `n`: fitted as the others are, and to the members' shares of the candidates besides
        (:meth:`recnb.models.TwoTower.learn_from`).
    taught : float
        Weight of what it learns from the members, against 1 less this of the rows.
    temperature : float
        By which the scores of both are divided there.
    student_epochs : int, optional
        Epochs of that one model; None: those of `model`.
    seed : int
        Members have seeds of their own, drawn from it.

    Notes
    -----
    Compare it with the mean of its members judged alone, not with one fit: a single seed is lucky or not. Members that
    trained for more epochs have larger scores and weigh more; the refit on all known rows gives all the same number.

    References
    ----------
    Lakshminarayanan et al. (2017), "Simple and scalable predictive uncertainty estimation using deep ensembles",
    section 2.4; Hinton et al. (2015), "Distilling the knowledge in a neural network", section 2.
    """

    _parts = ("model",)

    def __init__(
        self,
        model: Recommender,
        n: int = 5,
        distil: bool = False,
        taught: float = 0.5,
        temperature: float = 1.0,
        student_epochs: int | None = None,
        seed: int = 0,
    ) -> None:
        self.model = model
        self.n = n
        self.distil = distil
        self.taught = taught
        self.temperature = temperature
        self.student_epochs = student_epochs
        self.seed = seed

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        self._check()
        seeds = np.random.default_rng(self.seed).integers(0, 2**31, self.n)
        members = [clone(self.model).set_params(seed=int(seed)).fit(train, valid) for seed in seeds]
        epochs = [m.n_epochs_ for m in members if hasattr(m, "n_epochs_")]
        self.epochs_ = np.array(epochs, np.int64)  # of each member that counts them
        if self.distil:
            student = clone(self.model).set_params(seed=self.seed)
            if self.student_epochs is not None:
                student.set_params(n_epochs=self.student_epochs)
            student.learn_from(_Mean(members), self.taught, self.temperature)
            members = [student.fit(train, valid)]
        self.model_ = members

    def _check(self) -> None:
        kind = type(self.model).__name__
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 2:
            raise InputError(f"an ensemble of {self.n!r}", mend="a whole number of at least 2")
        if not self.model.seeded:
            raise InputError(
                f"{kind} draws nothing by chance: its fits are all alike",
                mend="name a seeded model",
            )
        if self.distil and not hasattr(self.model, "learn_from"):
            raise InputError(f"{kind} learns from no other model", mend="set distil=False")
        if not 0 < self.taught <= 1 or not self.temperature > 0:
            raise InputError(
                f"taught={self.taught!r}, temperature={self.temperature!r}",
                mend="above 0 and at most 1, above 0",
            )

    def chosen(self) -> dict[str, Any]:
        """The median number of the members' epochs, and that of the model that learned from them."""
        model = clone(self.model)
        if len(self.epochs_):
            model.set_params(n_epochs=int(np.median(self.epochs_)))
        out: dict[str, Any] = {"model": model}
        if self.distil:
            out["student_epochs"] = getattr(self.parts()[0], "n_epochs_", None)
        return out

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        return _mean_of(m.score(users, history) for m in self.parts())

    def score_among(
        self,
        users: np.ndarray,
        allowed: np.ndarray | None = None,
        barred: sparse.csr_matrix | None = None,
        history: Dataset | None = None,
    ) -> np.ndarray:
        return _mean_of(m.score_among(users, allowed, barred, history) for m in self.parts())

    def with_items(self, items: pd.DataFrame) -> Recommender:
        """A copy that also scores new items, where the model can."""
        return self._grown(items)

    @available_if(lambda self: all(hasattr(m, "predict") for m in self.parts()))
    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Mean of the predicted ratings: ndarray of shape (n,), float32."""
        return _mean_of(m.predict(users, items) for m in self.parts())  # type: ignore[attr-defined]


class _Mean:
    """A teacher: the mean of several."""

    def __init__(self, members: list[Recommender]) -> None:
        self.members = members

    def score(self, users: np.ndarray) -> np.ndarray:
        return _mean_of(m.score(users) for m in self.members)


def _mean_of(parts: Any) -> np.ndarray:
    arrays = list(parts)
    return (sum(arrays[1:], arrays[0].astype(np.float64)) / len(arrays)).astype(np.float32)
