"""`Split`: what is known, what is judged, and how it was cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd

from recnb.data.checks.cells import PARTS
from recnb.data.dataset import Dataset
from recnb.errors import InputError
from recnb.hashing import hash_ids, mix

TRAIN, VALID, TEST, GIVEN, VALID_GIVEN = 0, 1, 2, 3, 4
_LEARNERS = 3011  # a seed of its own: the hash that orders ties knows nothing of it
# The functions of recnb.data.splits by name: a split is made anew with ties in another order.
MAKERS: dict[str, Callable[..., Split]] = {}


@dataclass(frozen=True, eq=False)
class Split:
    """A data set divided once; every model is judged on the same one.

    Attributes
    ----------
    dataset : Dataset
    part : ndarray of shape (n_interactions,), int8
        0 train, 1 valid, 2 test; for cold users also 3 (a test user's given rows) and 4 (a validation user's).
    name : str
        The function that made it.
    settings : dict
        Its arguments.
    candidates, valid_candidates : ndarray of int or None
        The shelf: the codes of the new items in `cold_item`, else None (the whole catalogue).
    """

    dataset: Dataset
    part: np.ndarray
    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    candidates: np.ndarray | None = None
    valid_candidates: np.ndarray | None = None

    def _rows(self, *parts: int) -> Dataset:
        rows = self.dataset.rows(np.isin(self.part, parts))
        return rows.with_tie_seed(self.tie_seed)

    @property
    def tie_seed(self) -> int:
        """Of the hash that orders events of one time: in the cut, and in the histories of the parts."""
        return int(self.settings.get("tie_seed", self.dataset.tie_seed))

    @cached_property
    def train(self) -> Dataset:
        """What a model learns from while settings are chosen."""
        return self._rows(TRAIN)

    @cached_property
    def valid(self) -> Dataset | None:
        """What settings are chosen on; None where no validation part was asked for."""
        return self._rows(VALID) if (self.part == VALID).any() else None

    @cached_property
    def test(self) -> Dataset:
        """What is judged. Nothing before the judgement may see it."""
        return self._rows(TEST)

    @cached_property
    def known(self) -> Dataset:
        """Train and valid (and a validation user's given rows): what is known on the day of the test."""
        return self._rows(TRAIN, VALID, VALID_GIVEN)

    @cached_property
    def history(self) -> Dataset:
        """The rows that are given when scores are asked for: known, plus the given rows of cold users."""
        return self._rows(TRAIN, VALID, VALID_GIVEN, GIVEN)

    @cached_property
    def inner(self) -> Split:
        """The split on which settings are chosen: train against valid, with this one's test rows taken out."""
        if self.valid is None:
            raise InputError(
                f"the {self.name} split has no validation part", mend="make it with valid=0.1"
            )
        kept = np.isin(self.part, (TRAIN, VALID, VALID_GIVEN))
        part = np.select(
            [self.part[kept] == VALID, self.part[kept] == VALID_GIVEN], [TEST, GIVEN], TRAIN
        ).astype(np.int8)
        return Split(
            self.dataset.rows(kept),
            part,
            f"{self.name}:inner",
            self.settings,
            self.valid_candidates,
        )

    @cached_property
    def digest(self) -> str:
        """Identity of the split: sha256 of the data set's digest and every row's part, 16 hex digits."""
        h = sha256(self.dataset.digest.encode() + self.part.astype(np.int8).tobytes())
        if self.candidates is not None:
            h.update(self.candidates.astype("<i8").tobytes())
        return h.hexdigest()[:16]

    @cached_property
    def tied_users(self) -> int:
        """Test users whose cut runs through rows of one time, so that the tie order decides what is judged."""
        ds, order = self.dataset, self.dataset.order
        if order is None or not self._breaks_ties:
            return 0
        rows = ds.interactions
        clock = rows[order].to_numpy()
        if self.name == "global_time":
            first = clock[self.part == TEST].min()
            cut = (self.part != TEST) & (clock == first)
            return (
                int(rows["user"][(clock == first) & (self.part == TEST)].nunique())
                if cut.any()
                else 0
            )
        is_test = self.part == TEST
        first = pd.Series(clock[is_test]).groupby(rows["user"].to_numpy()[is_test]).min()
        last = pd.Series(clock[~is_test]).groupby(rows["user"].to_numpy()[~is_test]).max()
        both = pd.concat([first, last], axis=1, keys=["first", "last"]).dropna()
        return int((both["first"] == both["last"]).sum())

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be said of the cut: that it runs through rows of one time."""
        if self.name != "global_time" or not self.tied_users:
            return ()
        clock = self.dataset.interactions[self.dataset.order].to_numpy()
        at = clock[self.part == TEST].min()
        n = int((clock == at).sum())
        return (
            f"the global cut runs through {n:,} rows of one {self.dataset.order} ({at:g}): a seeded hash decides "
            f"which of them are test, for {self.tied_users:,} users",
        )

    @property
    def _breaks_ties(self) -> bool:
        # An inner split has its settings from the outer one, which was cut with other rows.
        return "tie_seed" in self.settings and self.name in MAKERS

    def with_tie_seed(self, tie_seed: int) -> Split:
        """The same split with ties in time broken in another order."""
        if not self._breaks_ties:
            raise InputError(f"the {self.name} split breaks no ties", mend="ask a split by time")
        return MAKERS[self.name](self.dataset, **{**self.settings, "tie_seed": tie_seed})

    def with_dataset(self, dataset: Dataset) -> Split:
        """The same division of another view of the same rows (another threshold of relevance)."""
        return replace(self, dataset=dataset)

    def with_learners(self, n: int) -> Split:
        """The same question, answered after learning from `n` people: what a new place's first rows are worth.

        Of a split whose judged users have no training rows, such as :func:`recnb.splits.cold_user`.

        Parameters
        ----------
        n : int
            Of the users with training rows, drawn by a hash of their ids, so that the first ten of a hundred are the
            ten; all of them where there are fewer. The rows of users who are judged stay as they are: nobody else's
            history is told less.

        Returns
        -------
        Split
            Its name ends in how many people are learned from.

        Raises
        ------
        InputError
            No whole number of at least 1: a model is fitted on something. Or users who are judged have training rows,
            and would be learned from whatever `n` is.
        """
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            raise InputError(f"n={n!r}", mend="a whole number of at least 1")
        user = self.dataset.interactions["user"].to_numpy()
        judged = np.unique(user[self.part != TRAIN])
        both = np.intersect1d(judged, user[self.part == TRAIN])
        if len(both):
            raise InputError(
                f"{len(both):,} users who are judged in the {self.name} split have training rows, and are learned "
                f"from beside any {n:,}",
                mend="take a cold_user split",
            )
        others = np.setdiff1d(user, judged)
        order = np.argsort(
            mix(hash_ids(self.dataset.user_ids[others]), seed=_LEARNERS), kind="stable"
        )
        learners = others[order[:n]]
        kept = np.isin(user, np.concatenate([judged, learners]))
        return replace(
            self,
            dataset=self.dataset.rows(kept),
            part=self.part[kept],
            name=f"{self.name}:{len(learners)}",
        )

    def frame(self) -> pd.DataFrame:
        """One row per interaction: `user_id`, `item_id`, `part` (train, valid, test, given), and the order.

        :func:`predefined` reads it back where a pair occurs once.
        """
        rows = self.dataset.interactions
        names = np.array([*PARTS, "given", "given"], dtype=object)
        out = pd.DataFrame(
            {
                "user_id": self.dataset.user_ids[rows["user"]],
                "item_id": self.dataset.item_ids[rows["item"]],
                "part": names[self.part],
            }
        )
        for column in ("timestamp", "position"):
            if column in rows:
                out[column] = rows[column]
        return out

    def __repr__(self) -> str:
        counts = np.bincount(self.part, minlength=3)
        return (
            f"Split({self.name}, {self.dataset.name!r}: train {counts[TRAIN]:,}, valid {counts[VALID]:,}, "
            f"test {counts[TEST]:,})"
        )
