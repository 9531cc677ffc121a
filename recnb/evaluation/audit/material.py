"""What several checks read, made once for a task: texts, words, pairs, counts, references."""

from __future__ import annotations

from functools import cached_property

import pandas as pd
from scipy import sparse

from recnb.data.text import Text
from recnb.errors import InputError
from recnb.evaluation.audit.facts import Facts
from recnb.evaluation.audit.reference import Reference
from recnb.evaluation.audit.words import table_of, words_of
from recnb.evaluation.findings import Finding
from recnb.evaluation.protocol import Task


class Material:
    """A task and what the checks make of it.

    Parameters
    ----------
    task : Task
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._words: dict[str, list[set[str]]] = {}

    @cached_property
    def texts(self) -> list[str] | None:
        """A sentence per item; None where the table has no text."""
        try:
            return Text()(self.task.dataset)
        except InputError:
            return None

    def words(self, axis: str) -> list[set[str]]:
        """The words of each item, or of each user."""
        if axis not in self._words:
            self._words[axis] = words_of(self.facts[axis].table)
        return self._words[axis]

    @cached_property
    def word_tables(self) -> dict[str, sparse.csr_matrix]:
        """Which words stand in the rows of the tables, by axis: (rows, words)."""
        return {axis: table_of(self.words(axis)) for axis in ("item", "user")}

    @cached_property
    def facts(self) -> dict[str, Facts]:
        """Counts and means by item and by user."""
        return {axis: Facts(self.task, axis) for axis in ("item", "user")}

    @cached_property
    def known(self) -> sparse.csr_matrix:
        """Known pairs: (users, items)."""
        return self.task.split.history.pairs().tocsr()

    @cached_property
    def test(self) -> sparse.csr_matrix:
        """Test pairs: (users, items)."""
        return self.task.split.test.pairs().tocsr()

    @cached_property
    def reference(self) -> Reference:
        """Simple references fitted on the known rows."""
        return Reference(self.task, max(self.task.protocol.ks))

    @property
    def items(self) -> pd.DataFrame:
        """The items table."""
        return self.task.dataset.items


def left_out(evidence: str, value: float, n: int) -> Finding:
    """A note that a check looked at a part of the data only, so that it stays affordable."""
    return Finding(
        "left_out", "note", value, n, evidence, "audit a part of the data to have it all looked at"
    )
