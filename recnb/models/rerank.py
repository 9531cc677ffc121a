"""Two stages: the best few items of one model, ranked anew by another one that may look at each of them closely."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.blends import SCALES
from recnb.models.common.composed import Composed
from recnb.models.common.lifting import best_open, lifted, standardised
from recnb.models.common.validation import MOST_USERS, Validation
from recnb.progress import note
from recnb.recommender import Recommender, score_candidates

WEIGHTS = tuple(round(0.1 * i, 1) for i in range(11))  # of the second stage
_OFF = "so the second stage is switched off, and the lists are those of the first one alone"
FEW = 50  # validation users: fewer leave the weight to chance
MANY = 100  # candidates of a user, and validation users, where a second model names no other number
_CELLS = 2 * 10**7  # of one score matrix while the weight is chosen


class Rerank(Composed):
    """The best `n` items of a first model, ranked by a second one and the first one's score together.

    Parameters
    ----------
    first : Recommender
        Unfitted; it finds the candidates.
    second : Recommender
        Unfitted; it ranks them. One that has `score_candidates` is asked about them alone.
    n : int, optional
        Candidates of a user, among the items that may be listed; None: 100, or as many as the second model names
        (`usual_candidates`: 40 of a decoder, which takes about a thousand times as long for one as an encoder's score).
    weight : float, optional
        Of the second score, from 0 (the first model alone; the second one is then not asked at all) to 1 (the second
        one alone). None: the value of :data:`WEIGHTS` that gives the highest NDCG@10 on `valid`, the lowest of
        equal ones; a half without `valid`.
    scale : {"zscore", "rank"}
        How both scores are brought to one scale among a user's candidates.
    users : int, optional
        Validation users on which the weight is chosen where each pair costs; None: 100, or as many as the second model
        names (`usual_users`). Where pairs cost nothing, 1,000.
    seed : int, optional
        Set on the models that have one.

    Notes
    -----
    The candidates stand above all other items, which keep the order of the first model; equal scores keep it too. What
    is known of a user is no candidate, unless known items may be listed again.

    References
    ----------
    Liu et al. (2009), "Learning to rank for information retrieval", section 1.2; Covington et al. (2016), "Deep
    neural networks for YouTube recommendations", section 2, for the two stages.
    """

    _parts = ("first", "second")

    def __init__(
        self,
        first: Recommender,
        second: Recommender,
        n: int | None = None,
        weight: float | None = None,
        scale: str = "zscore",
        users: int | None = None,
        seed: int | None = None,
    ) -> None:
        self.first = first
        self.second = second
        self.n = n
        self.weight = weight
        self.scale = scale
        self.users = users
        self.seed = seed

    @property
    def uses_valid(self) -> bool:  # type: ignore[override]
        return self.weight is None or any(m.uses_valid for m in self.given())

    def search_space(self) -> dict[str, tuple]:
        """The settings of a second stage that judges given candidates: alone it would judge every pair."""
        if not hasattr(self.second, "score_candidates") or not hasattr(self.second, "search_space"):
            return {}
        return {f"second__{name}": spec for name, spec in self.second.search_space().items()}

    def map_parts(self, change: Callable[[Recommender], Recommender]) -> Composed:
        """An unfitted copy; a second stage that judges given candidates is left as it is."""
        apart = not hasattr(self.second, "score_candidates")
        second = change(self.second) if apart else clone(self.second)
        return clone(self).set_params(first=change(self.first), second=second)

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        for name in ("n", "users"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name}={value!r}", mend="a whole number of at least 1")
        if self.scale not in SCALES:
            raise InputError(f"scale='{self.scale}'", mend=f"one of {', '.join(SCALES)}")
        if self.weight is not None and not 0 <= self.weight <= 1:
            raise InputError(f"weight={self.weight!r}", mend="a number from 0 to 1")
        self._seconds = {"first": [0.0, 0], "second": [0.0, 0]}
        self.known_ = train.pairs().astype(bool)
        self.first_ = self._fitted(self.first, train, valid)
        self.second_ = self._fitted(self.second, train, valid)
        if self.weight is not None:
            self.weight_ = float(self.weight)
        elif valid is None:
            self.weight_ = 0.5
        else:
            self.weight_ = self._choose(train, valid)
        self._seconds = {"first": [0.0, 0], "second": [0.0, 0]}

    def _choose(self, train: Dataset, valid: Dataset) -> float:
        costly = hasattr(self.parts()[1], "score_candidates")
        usual: int = getattr(self.second, "usual_users", MANY)
        asked = usual if self.users is None else self.users
        validation = Validation.of(train, valid, asked if costly else MOST_USERS, _CELLS)
        users, barred = validation.users, validation.barred
        self.n_asked_ = len(users)
        if not len(users):
            return 0.5
        if costly:
            note(
                f"{self._called}: the weight is chosen on {len(users):,} validation users, at most {self.n_candidates} "
                "candidates each"
            )
        scores, items = self._candidates(users, validation.allowed, barred, validation.told)
        judged = self._judged(users, items, validation.told)
        values = [
            validation.value_of_scores(
                self._placed(scores, items, judged, weight)[:, validation.items]
            )
            for weight in WEIGHTS
        ]
        best = next(i for i, value in enumerate(values) if value >= max(values) - 1e-12)
        if not WEIGHTS[best]:
            note(f"{self._called}: the weight is 0, {_OFF}")
        self.weights_ = np.array([WEIGHTS, values])  # (2, n_weights): the grid and its values
        return WEIGHTS[best]

    @property
    def n_candidates(self) -> int:
        """Candidates of a user, the setting or what is usual for the second model."""
        usual: int = getattr(self.second, "usual_candidates", MANY)
        return usual if self.n is None else self.n

    @property
    def _called(self) -> str:
        return f"{type(self.first).__name__}>{type(self.second).__name__}"

    def remarks(self) -> tuple[str, ...]:
        """What the stages say, where the second one is switched off, and where few people chose its weight."""
        more = (*super().remarks(), *(line for part in self.parts() for line in part.remarks()))
        if not self.weight_:
            more = (*more, f"the weight of its second stage is 0, {_OFF}")
        asked = getattr(self, "n_asked_", FEW)
        if asked < FEW:
            more = (
                *more,
                f"{asked} validation users chose the weight of its second stage, {self.weight_:.1f}: "
                "other users might have chosen another",
            )
        return more

    def chosen(self) -> dict[str, Any]:
        """The weight, the number of candidates, and what the parts have chosen."""
        first, second = (clone(m).set_params(**m.chosen()) for m in self.parts())
        return {"n": self.n_candidates, "weight": self.weight_, "first": first, "second": second}

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        users = np.asarray(users)
        known = self.known_ if history is None else history.pairs()
        return self.score_among(users, None, known[users], history)

    def score_among(
        self,
        users: np.ndarray,
        allowed: np.ndarray | None = None,
        barred: sparse.csr_matrix | None = None,
        history: Dataset | None = None,
    ) -> np.ndarray:
        """As :meth:`score`; the candidates are among the items that may be listed."""
        users = np.asarray(users)
        if not self.weight_:
            with self._clock("first", len(users)):
                return self.parts()[0].score_among(users, allowed, barred, history)
        with self._clock("first", len(users)):
            scores, items = self._candidates(users, allowed, barred, history)
        with self._clock("second", len(users)):
            judged = self._judged(users, items, history)
        return self._placed(scores, items, judged, self.weight_)

    def candidates(
        self,
        users: np.ndarray,
        allowed: np.ndarray | None = None,
        barred: sparse.csr_matrix | None = None,
        history: Dataset | None = None,
    ) -> np.ndarray:
        """The items that the second stage looks at, in the first one's order: (n_users, n), int64, -1 where fewer.

        Parameters as in :meth:`Recommender.score_among`.
        """
        return self._candidates(np.asarray(users), allowed, barred, history)[1]

    def _candidates(
        self,
        users: np.ndarray,
        allowed: np.ndarray | None,
        barred: sparse.csr_matrix | None,
        history: Dataset | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores of the first model for all items, and its best `n` of those that may be listed."""
        return best_open(self.parts()[0], self.n_candidates, users, allowed, barred, history)

    def _judged(self, users: np.ndarray, items: np.ndarray, history: Dataset | None) -> np.ndarray:
        """Scores of the second model for the candidates: (n_users, n), minus infinity where there is none."""
        return score_candidates(self.parts()[1], users, items, history)

    def _placed(
        self, scores: np.ndarray, items: np.ndarray, judged: np.ndarray, weight: float
    ) -> np.ndarray:
        """Scores of all items: those of the first model, the candidates lifted above them in their new order."""
        there = items >= 0
        first = np.take_along_axis(scores, np.maximum(items, 0), axis=1)
        mixed = (1 - weight) * _scaled(first, there, self.scale)
        mixed += weight * _scaled(judged, there, self.scale)
        return lifted(scores, items, mixed)

    def _clock(self, stage: str, users: int) -> _Clock:
        if "_seconds" not in vars(self):  # read from disk
            self._seconds = {"first": [0.0, 0], "second": [0.0, 0]}
        return _Clock(self._seconds[stage], users)

    def costs(self) -> dict[str, float]:
        """Milliseconds a user of each stage, over all users scored since it was fitted."""
        measured = vars(self).get("_seconds", {})
        return {
            f"{stage}_stage_ms": 1000 * seconds / users
            for stage, (seconds, users) in measured.items()
            if users
        }

    def with_items(self, items: pd.DataFrame) -> Recommender:
        """A copy that also scores new items, where both models can."""
        out = self._grown(items)
        more = len(out.item_ids_) - self.known_.shape[1]
        out.known_ = sparse.csr_matrix(
            sparse.hstack(
                [self.known_, sparse.csr_matrix((self.known_.shape[0], more), dtype=bool)]
            )
        )
        return out


class _Clock:
    """Adds the seconds of a block, and its users, to a pair of sums."""

    def __init__(self, sums: list[Any], users: int) -> None:
        self.sums, self.users = sums, users

    def __enter__(self) -> None:
        self.start = time.perf_counter()

    def __exit__(self, *error: Any) -> None:
        self.sums[0] += time.perf_counter() - self.start
        self.sums[1] += self.users


def _scaled(values: np.ndarray, there: np.ndarray, scale: str) -> np.ndarray:
    """Values of each row where there are any: z-scores, or ranks from 0 to 1, equal ones alike; 0 elsewhere. float64.

    Examples
    --------
    >>> there = np.array([[True, True, True, False]])
    >>> _scaled(np.array([[1.0, 3.0, 3.0, 9.0]]), there, "rank").tolist()
    [[0.0, 0.75, 0.75, 0.0]]
    """
    if scale == "rank":
        n = there.sum(axis=1, keepdims=True)
        return _ranks(values.astype(np.float64), there) / np.maximum(n - 1, 1)
    return standardised(values, there)


def _ranks(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """How many of the row's values are lower, equal ones counted half."""
    out = np.zeros(values.shape)
    for row, (line, open_) in enumerate(zip(values, there)):
        kept = line[open_]
        ordered = np.sort(kept)
        below = np.searchsorted(ordered, kept, "left")
        out[row, open_] = (below + np.searchsorted(ordered, kept, "right") - 1) / 2
    return out
