"""One user as a model knows him, and the model's scores had he known less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from recnb.data import Dataset
from recnb.data.order import event_order, liked_events
from recnb.errors import InputError
from recnb.recommender import Recommender

_CELLS = 2**24  # of a block of scores
_ALIKE = 1e-3  # standard deviations: rounding


@dataclass(frozen=True, eq=False)
class Asked:
    """A fitted model and one user's history.

    Attributes
    ----------
    model : Recommender
    history : ndarray of shape (n,), int64
        Codes of liked items, each once, the oldest first where an order is known.
    user : int, optional
        The user's code; None for a stranger.
    known : Dataset, optional
        What is known of all; needed where a model scores no histories by themselves, or scores its users otherwise.
    by_data : bool
        Histories are scored as rows of `known`, one call each.
    barred : ndarray of int64
        Items that are not listed, beside those of the history: had and not liked.
    """

    model: Recommender
    history: np.ndarray
    user: int | None = None
    known: Dataset | None = None
    by_data: bool = False
    barred: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def of(
        cls,
        model: Recommender,
        user: int,
        known: Dataset | None = None,
        barred: np.ndarray | None = None,
    ) -> Asked:
        """A user with the history that the model itself holds, else with that of `known`.

        Raises
        ------
        InputError
            Neither is there, the model does not look at histories, or the user has none.
        """
        if hasattr(model, "history_of"):
            history = model.history_of(user)
        elif known is not None:
            order = event_order(known)
            rows = order[known.interactions["user"].to_numpy()[order] == user]
            items = known.interactions["item"].to_numpy()[rows]
            history = items[liked_events(known)[rows]]
        else:
            raise InputError(
                f"{type(model).__name__} does not say what it knows of a user",
                mend="give the data that it was fitted on: --data on the command line, known=split.known in Python",
            )
        latest = list(dict.fromkeys(np.asarray(history)[::-1].tolist()))[::-1]
        if not latest:
            raise InputError(
                f"user '{model.user_ids_[user]}' has no liked item", mend="name another user"
            )
        codes = np.array(latest, dtype=np.int64)
        closed = np.zeros(0, np.int64) if barred is None else np.asarray(barred, dtype=np.int64)
        if _serves(model, user, codes):
            return cls(model, codes, user, known, False, closed)
        if known is None or not model.uses_history:
            raise InputError(
                f"{type(model).__name__} scores its users by more than a list of liked items",
                mend="give the known part of the split"
                if model.uses_history
                else "ask a model that takes histories (recnb models: new users)",
            )
        return cls(model, codes, user, known, True, closed)

    def scores(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """Scores had the user this history, for each of several: (n, n_items), float64."""
        serve = getattr(self.model, "score_histories", None)
        if self.by_data or serve is None:
            return np.vstack([self._with(history) for history in histories]).astype(np.float64)
        step = max(1, _CELLS // len(self.model.item_ids_))
        blocks = [serve(list(histories[at : at + step])) for at in range(0, len(histories), step)]
        return np.concatenate(blocks).astype(np.float64)

    def _with(self, history: np.ndarray) -> np.ndarray:
        assert self.known is not None and self.user is not None
        rows = self.known.interactions
        mine = (rows["user"] == self.user).to_numpy() & rows["item"].isin(history).to_numpy()
        return self.model.score(np.array([self.user]), self.known.rows(mine))

    def without(self, *items: int) -> np.ndarray:
        """The history less some items."""
        return self.history[~np.isin(self.history, items)]

    def standing(self, scores: np.ndarray, item: int) -> np.ndarray:
        """How far an item stands above the mean of all, in standard deviations: (n,) for rows of scores."""
        spread = scores.std(axis=1)
        return (scores[:, item] - scores.mean(axis=1)) / np.where(spread > 0, spread, 1)

    def rank(self, scores: np.ndarray, item: int) -> np.ndarray:
        """The item's place among all that the user has not had, from 1; (n,) for rows of scores."""
        open_ = np.ones(scores.shape[1], bool)
        open_[self.history] = False
        open_[self.barred] = False
        open_[item] = False
        return 1 + (scores[:, open_] > scores[:, [item]]).sum(axis=1)

    def best(self, k: int) -> np.ndarray:
        """The first `k` items that the user has not had; of equal scores the one of the lower code."""
        scores = self.scores([self.history])[0]
        scores[self.history] = -np.inf
        scores[self.barred] = -np.inf
        order = np.argsort(-scores, kind="stable")
        return order[: min(k, int(np.isfinite(scores).sum()))]


def _serves(model: Recommender, user: int, history: np.ndarray) -> bool:
    """Whether the model scores a list of liked items, and this user as anybody with the same list."""
    serve = getattr(model, "score_histories", None)
    if serve is None:
        return False
    rows = np.vstack([serve([history]), model.score(np.array([user]))]).astype(np.float64)
    spread = np.maximum(rows.std(axis=1, keepdims=True), 1e-12)
    one, other = (rows - rows.mean(axis=1, keepdims=True)) / spread
    return bool(np.abs(one - other).max() < _ALIKE)
