"""What could be revealed, per item and per user: counts and mean ratings, known and tested."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.evaluation.audit import accident
from recnb.evaluation.protocol import Task

Floats = np.ndarray


@dataclass(frozen=True)
class Facts:
    """Known and test rows of the units of one table.

    Parameters
    ----------
    task : Task
    axis : {"item", "user"}
    """

    task: Task
    axis: str

    @property
    def n(self) -> int:
        """Units: items or users."""
        return self.task.dataset.n_items if self.axis == "item" else self.task.dataset.n_users

    @property
    def table(self) -> pd.DataFrame:
        """The items or the users table."""
        return self.task.dataset.items if self.axis == "item" else self.task.dataset.users

    def _rows(self, part: str) -> pd.DataFrame:
        split = self.task.split
        return (split.history if part == "known" else split.test).interactions

    @cached_property
    def known(self) -> Floats:
        """Known rows of each unit."""
        return np.bincount(self._rows("known")[self.axis], minlength=self.n).astype(float)

    @cached_property
    def test(self) -> Floats:
        """Test rows of each unit."""
        return np.bincount(self._rows("test")[self.axis], minlength=self.n).astype(float)

    @cached_property
    def _kept(self) -> dict[bytes, float]:
        return {}

    @cached_property
    def others(self) -> int:
        """How many of the other kind have test rows: the most that a count can be."""
        other = "user" if self.axis == "item" else "item"
        return int(self._rows("test")[other].nunique())

    @cached_property
    def ratings(self) -> tuple[Floats, Floats, Floats, Floats, float] | None:
        """Known rows and mean, test rows and mean, and the variance of ratings within a unit; None without ratings."""
        if self.task.dataset.feedback != "explicit":
            return None
        sums = []
        for part in ("known", "test"):
            rows = self._rows(part)
            rows = rows[rows["rating"].notna()]
            n = np.bincount(rows[self.axis], minlength=self.n).astype(float)
            total = np.bincount(rows[self.axis], rows["rating"], self.n)
            with np.errstate(invalid="ignore"):
                sums += [n, total / n]
            if part == "known":
                wrong = (rows["rating"] - sums[1][rows[self.axis]]) ** 2
                variance = float(wrong.sum() / max(len(rows) - (n > 0).sum(), 1))
        return (*sums, variance)

    def reveals(self, x: Floats) -> tuple[str, float] | None:
        """What a number per unit knows that it cannot know fairly, and the share of chance scatter that is left."""
        noun = "it" if self.axis == "item" else "the user"
        left = accident.knows_counts(x, self.known, self.test, self.others, self._kept)
        if left is not None:
            return f"how often {noun} is tested", left
        if self.ratings is not None:
            left = accident.knows_means(x, *self.ratings)
            if left is not None:
                return "its mean test rating", left
        return None

    @cached_property
    def tested(self) -> sparse.csr_matrix:
        """Test pairs, a row per user."""
        return self.task.split.test.pairs().tocsr()
