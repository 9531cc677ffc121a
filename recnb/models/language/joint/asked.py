"""What the validation part asks of a model that reads history and candidates: few candidates for few users."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recnb.data import Dataset, splits
from recnb.models.common.histories import Histories, Told
from recnb.models.common.validation import nobody_asked
from recnb.models.language.joint.drawing import Draws, ratings_of, shown
from recnb.progress import say_time, tell

USERS, WANTED, OTHERS = 200, 4, 20


@dataclass(eq=False)
class Asked:
    """Candidates of users of the validation part.

    Attributes
    ----------
    users : ndarray of int
        At most 200, in a drawn order.
    told : list of Told
        What is known of each.
    items : list of ndarray of int
        Of each up to 4 liked items of the validation part and 20 drawn ones; where ratings are predicted all rated
        ones.
    labels : list of ndarray of float
        1, 0, or ratings.
    """

    users: np.ndarray
    told: list[Told] = field(default_factory=list)
    items: list[np.ndarray] = field(default_factory=list)
    labels: list[np.ndarray] = field(default_factory=list)

    @property
    def n_pairs(self) -> int:
        """Candidates in all."""
        return sum(map(len, self.items))

    @classmethod
    def of(
        cls, train: Dataset, valid: Dataset, draws: Draws, rated: bool, max_history: int
    ) -> Asked:
        """The same for equal parts and seed, whatever the order of the tables.

        Raises
        ------
        InputError
            Nobody has a relevant row in `valid`.
        """
        history, targets = splits.fold_in(train, valid)
        known, wanted = Histories.of(history), Histories.of(targets)
        rng = np.random.default_rng([draws.seed, 2**20])
        of_row = np.repeat(np.arange(len(wanted.start) - 1), np.diff(wanted.start))
        counted = of_row if rated else of_row[wanted.liked]
        able = np.bincount(counted, minlength=len(wanted.start) - 1) > 0
        users = draws.by_id(able, rng)[:USERS]
        if not len(users):
            raise nobody_asked(train.name)
        ratings = ratings_of(wanted, targets) if rated else None
        asked = cls(users)
        for user in users.tolist():
            mine = np.arange(wanted.start[user], wanted.start[user + 1])
            end = int(known.start[user + 1])
            asked.told.append(shown(known, user, end, max_history, rated))
            if ratings is not None:
                asked.items.append(wanted.items[mine])
                asked.labels.append(ratings[mine])
                continue
            liked = wanted.items[mine[wanted.liked[mine]]][:WANTED]
            before = known.items[known.start[user] : end]
            taken = np.concatenate([wanted.items[mine], before])
            others = draws.others(rng, taken, OTHERS)
            asked.items.append(np.concatenate([liked, others]))
            asked.labels.append(np.repeat([1.0, 0.0], [len(liked), len(others)]))
        return asked

    def value(
        self, scores: Sequence[np.ndarray], scale: tuple[float, float] | None = None
    ) -> float:
        """How good scores are, higher is better.

        Parameters
        ----------
        scores : sequence of ndarray
            Of the candidates of each user.
        scale : tuple of two floats, optional
            Of ratings: minus the root mean squared error of scores cut to it. None: the mean area under the curve.
        """
        if scale is not None:
            away = np.concatenate(list(scores)).clip(*scale) - np.concatenate(self.labels)
            return -float(np.sqrt(np.mean(away**2)))
        areas = [area(row, labels == 1) for row, labels in zip(scores, self.labels)]
        return float(np.mean([a for a in areas if a is not None] or [0.5]))

    def heard(
        self,
        name: str,
        scores_of: Callable[[Any, Sequence[Told], Sequence[np.ndarray]], Sequence[np.ndarray]],
        scale: tuple[float, float] | None,
        more: int,
    ) -> Callable[[Any], float]:
        """The value of a network, as training asks for it after every epoch; what the others will take is said once.

        Parameters
        ----------
        name : str
            Of the model.
        scores_of : callable
            ``scores_of(network, told, items)``.
        scale
            As in :meth:`value`.
        more : int
            Passes after the first one at most, that which calibrates among them.
        """
        takes: list[float] = []

        def value(network: Any) -> float:
            told_of(name, self)
            start = time.perf_counter()
            reached = self.value(scores_of(network, self.told, self.items), scale)
            takes.append(time.perf_counter() - start)
            if len(takes) == 1:
                what = f"{name}: {self.n_pairs:,} validation pairs, at most {more} times more"
                say_time(what, more * takes[0])
            return reached

        return value


def told_of(name: str, asked: Asked) -> None:
    """Tell whoever listens that the validation pairs are being judged."""
    tell(f"{name}: {asked.n_pairs:,} validation pairs", 0, 1)


def area(scores: np.ndarray, wanted: np.ndarray) -> float | None:
    """Area under the curve of one user; None where one side is missing.

    Examples
    --------
    >>> area(np.array([3.0, 1.0, 2.0]), np.array([True, False, False])), area(np.ones(2), np.ones(2, bool))
    (1.0, None)
    """
    high, low = scores[wanted], scores[~wanted]
    if not (len(high) and len(low)):
        return None
    return float(np.mean((high[:, None] > low) + 0.5 * (high[:, None] == low)))
