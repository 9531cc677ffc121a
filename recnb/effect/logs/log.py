"""A log: what was shown to whom, with what chance, and what followed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from recnb.effect.logs import checks
from recnb.errors import InputError

OUTCOMES = checks.OUTCOMES
Ints = np.ndarray
Floats = np.ndarray


@dataclass(frozen=True, eq=False)
class Log:
    """Shown items, one row each, checked; ids are strings in the tables and codes in the arrays.

    Attributes
    ----------
    table : DataFrame
        `item_id`; `user_id`, `slate_id`, `position` (int, from 1), `timestamp`, `propensity` where they are given; the
        outcomes that are given, of `click` and `conversion` (0 or 1), `revenue` and `satisfaction` (any number); and
        the other columns as they came.
    item_ids : ndarray of str, shape (n_items,)
        What could be shown. Row numbers are the codes.
    context_ids : ndarray of str, shape (n_contexts,)
        What a policy sees: the column `context`, else the user; one context where there is neither.
    name : str
    notes : tuple of str
        What was guessed at the door, and what the log lacks.

    Notes
    -----
    The *propensity* of a row is the chance, under the policy that made the log, that this item stands at this place
    for this context. The *unit* of resampling is the user; where there are none the slate, else the row.
    """

    table: pd.DataFrame
    item_ids: np.ndarray
    context_ids: np.ndarray
    name: str = "log"
    notes: tuple[str, ...] = ()

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        items: Sequence[str] | np.ndarray | None = None,
        name: str = "log",
        file: str = "log",
        notes: Sequence[str] = (),
    ) -> Log:
        """Check a table and make a log of it.

        Parameters
        ----------
        frame : DataFrame
            One row per item shown; columns as in :class:`Log`.
        items : sequence of str, optional
            Everything that could have been shown; None means what the log shows.
        name, file : str
            `file` is named in errors.
        notes : sequence of str

        Raises
        ------
        InputError
            A column is missing or a cell has no meaning; the place and the mend are named.

        Examples
        --------
        >>> log = Log.from_frame(pd.DataFrame({"user_id": ["u", "v"], "item_id": ["a", "b"],
        ...                                    "propensity": [0.5, 0.5], "click": [1, 0]}))
        >>> log.n, log.outcomes, log.mean("click")
        (2, ('click',), 0.5)
        """
        table, said = checks.checked(frame, file)
        shown = np.unique(table["item_id"].to_numpy(dtype=object))
        catalogue = shown if items is None else checks.catalogue(items, shown, file)
        if len(catalogue) < 2:
            raise InputError(
                f"every row shows item '{catalogue[0]}'",
                file=file,
                column="item_id",
                mend="no other policy can be judged on it: give rows of at least two items",
            )
        column = next((c for c in ("context", "user_id") if c in table), None)
        contexts = np.array(["all"], dtype=object)
        if column is not None:
            contexts = np.unique(table[column].to_numpy(dtype=object))
        return cls(table, catalogue, contexts, name, (*notes, *said))

    def __repr__(self) -> str:
        return (
            f"<Log {self.name}: {self.n:,} rows, {len(self.context_ids):,} contexts, {len(self.item_ids):,} items, "
            f"{', '.join(self.outcomes)}>"
        )

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.table)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What followed and was logged."""
        return tuple(c for c in OUTCOMES if c in self.table)

    @cached_property
    def item(self) -> Ints:
        """Item code of each row, shape (n,)."""
        return pd.Index(self.item_ids).get_indexer(pd.Index(self.table["item_id"]))

    @cached_property
    def context(self) -> Ints:
        """Context code of each row, shape (n,)."""
        column = next((c for c in ("context", "user_id") if c in self.table), None)
        if column is None:
            return np.zeros(self.n, np.int64)
        return pd.Index(self.context_ids).get_indexer(pd.Index(self.table[column]))

    @cached_property
    def unit(self) -> Ints:
        """Unit of resampling of each row, shape (n,), 0 to n_units - 1."""
        for column in ("user_id", "slate_id"):
            if column in self.table:
                return pd.factorize(self.table[column])[0].astype(np.int64)
        return np.arange(self.n)

    @property
    def unit_name(self) -> str:
        """What is resampled."""
        return next((w for c, w in _UNITS if c in self.table), "rows")

    @cached_property
    def slate(self) -> Ints:
        """Slate of each row, shape (n,); a slate a row where there are none."""
        if "slate_id" not in self.table:
            return np.arange(self.n)
        return pd.factorize(self.table["slate_id"])[0].astype(np.int64)

    @cached_property
    def position(self) -> Ints:
        """Place of each row, from 1, shape (n,); 1 where none is logged."""
        if "position" not in self.table:
            return np.ones(self.n, np.int64)
        return self.table["position"].to_numpy(dtype=np.int64)

    @property
    def propensity(self) -> Floats | None:
        """Chance of each row, shape (n,); None where it is not logged."""
        if "propensity" not in self.table:
            return None
        return self.table["propensity"].to_numpy(dtype=np.float64)

    @property
    def estimated(self) -> bool:
        """Whether the propensities are estimates."""
        return bool(self.table.attrs.get("estimated_propensity", False))

    def outcome(self, name: str) -> Floats:
        """Values of an outcome, shape (n,).

        Raises
        ------
        InputError
            It is not logged.
        """
        if name not in self.outcomes:
            raise InputError(
                f"'{name}' is no outcome of {self.name} (it has {', '.join(self.outcomes)})",
                mend="name one of these",
            )
        return self.table[name].to_numpy(dtype=np.float64)

    def mean(self, name: str) -> float:
        """Mean of an outcome over the rows: what the logging policy earned."""
        return float(self.outcome(name).mean())

    @property
    def assumption(self) -> str | None:
        """What must hold for estimated propensities to be right; None where nothing is known of it."""
        return self.table.attrs.get("assumption")

    @property
    def doubt(self) -> str | None:
        """What in the log speaks against that assumption; None where nothing does."""
        return self.table.attrs.get("doubt")

    def with_propensity(
        self,
        values: Floats,
        note: str | None = None,
        assumption: str | None = None,
        doubt: str | None = None,
    ) -> Log:
        """The same log with other propensities; a note says that they are estimates."""
        table = self.table.assign(propensity=np.asarray(values, np.float64))
        checks.propensities(table, self.name)
        table.attrs["estimated_propensity"] = note is not None
        table.attrs["assumption"], table.attrs["doubt"] = assumption, doubt
        return replace(self, table=table, notes=self.notes + ((note,) if note else ()))

    def rows(self, kept: np.ndarray, name: str | None = None) -> Log:
        """The log of some rows (a mask, or row numbers), over the same items and contexts."""
        chosen = np.asarray(kept)
        at = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        table = self.table.iloc[at].reset_index(drop=True)
        if not len(table):
            raise InputError(f"no row of {self.name} is left", mend="keep at least one")
        return replace(self, table=table, name=name or self.name)

    @cached_property
    def digest(self) -> str:
        """Identity of rows, items and contexts, 16 hex digits."""
        h = hashlib.sha256()
        for part in (self.item_ids, self.context_ids):
            h.update("\x00".join(map(str, part)).encode())
        known = [c for c in checks.COLUMNS if c in self.table]
        h.update(",".join(known).encode())
        h.update(pd.util.hash_pandas_object(self.table[known], index=False).to_numpy().tobytes())
        return h.hexdigest()[:16]


_UNITS = (("user_id", "users"), ("slate_id", "slates"))
