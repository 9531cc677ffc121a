"""Rules on the columns of an items table: which items obey."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recnb.errors import InputError
from recnb.models.common.item_tables import split_value

_NUMBERS = 0.9  # of the filled cells of a column of text from which it is one of numbers
_CURRENCY = r"^\s*[$€£¥]\s*|\s*[$€£¥]\s*$"


def number_cells(column: pd.Series) -> np.ndarray:
    """A column as numbers: (n,), float64, NaN where a cell holds none. Text counts, and a currency sign goes.

    Examples
    --------
    >>> number_cells(pd.Series(["1989", "€ 12", "", None, "old"])).tolist()
    [1989.0, 12.0, nan, nan, nan]
    """
    if not pd.api.types.is_numeric_dtype(column):
        column = column.map(lambda cell: re.sub(_CURRENCY, "", cell) if isinstance(cell, str) else cell)  # fmt: skip
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def holds_numbers(column: pd.Series) -> bool:
    """Whether nine tenths of a column's filled cells are numbers, as text too: a file says 1989 in letters."""
    filled = np.array([not isinstance(cell, str) or bool(cell.strip()) for cell in column], bool)
    filled &= column.notna().to_numpy(bool)
    return bool(filled.any()) and np.isfinite(number_cells(column)[filled]).mean() >= _NUMBERS


@dataclass(frozen=True)
class Condition:
    """What one or several columns hold, or must not hold.

    Parameters
    ----------
    columns : tuple of str
        It holds where any of them does.
    values : tuple of str
        In lower case; parts of lists and of text between commas count each
        (:func:`recnb.models.common.item_tables.split_value`).
    low, high : float, optional
        Bounds of a number, both included; instead of `values`.
    wanted : bool
        False: an item obeys where the condition does not hold.

    Notes
    -----
    An item whose columns say nothing does not hold a wanted value, and holds no unwanted one either.
    """

    columns: tuple[str, ...]
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    wanted: bool = True

    def mask(self, items: pd.DataFrame) -> np.ndarray:
        """Which items obey: (n_items,), bool."""
        holds = np.zeros(len(items), bool)
        for column in self.columns:
            if column not in items:
                raise InputError(
                    f"the items have no column '{column}'",
                    column=column,
                    mend="name one that they have",
                )
            holds |= self._holds(items[column])
        return holds if self.wanted else ~holds

    def _holds(self, column: pd.Series) -> np.ndarray:
        if self.values:
            wanted = set(self.values)
            return np.array([not wanted.isdisjoint(split_value(v)) for v in column], dtype=bool)
        numbers = number_cells(column)
        low, high = self.low, self.high
        with np.errstate(invalid="ignore"):
            return (numbers >= (-np.inf if low is None else low)) & (
                numbers <= (np.inf if high is None else high)
            )

    def __str__(self) -> str:
        names = " or ".join(self.columns)
        if self.values:
            more = f" and {len(self.values) - 3} more" if len(self.values) > 3 else ""
            held = f"{names} is {', '.join(self.values[:3])}{more}"
        else:
            low = "" if self.low is None else f"{self.low:g} to "
            high = "any" if self.high is None else f"{self.high:g}"
            held = f"{names} is {low or 'at most '}{high}"
        return held if self.wanted else f"not ({held})"


@dataclass(frozen=True)
class Rule:
    """Conditions that an item must fulfil, all of them.

    Examples
    --------
    >>> items = pd.DataFrame({"genres": ["Horror, War", "Comedy", None], "year": [1979, 1994, 1985]})
    >>> no_horror = Condition(("genres",), ("horror",), wanted=False)
    >>> Rule((no_horror,)).mask(items), Rule((no_horror, Condition(("year",), high=1989))).mask(items)
    (array([False,  True,  True]), array([False, False,  True]))
    """

    conditions: tuple[Condition, ...] = ()

    @classmethod
    def of(cls, *conditions: Condition) -> Rule:
        """The rule of some conditions."""
        return cls(tuple(conditions))

    def mask(self, items: pd.DataFrame) -> np.ndarray:
        """Which items obey: (n_items,), bool. A rule without conditions is obeyed by all."""
        out = np.ones(len(items), bool)
        for condition in self.conditions:
            out &= condition.mask(items)
        return out

    def __bool__(self) -> bool:
        return bool(self.conditions)

    def __str__(self) -> str:
        return "; ".join(map(str, self.conditions)) or "no condition"


def joined(parts: Sequence[Condition]) -> list[Condition]:
    """Conditions of several names of one wish as one: the same columns and the same sign."""
    columns = tuple(dict.fromkeys(c for part in parts for c in part.columns))
    values = tuple(dict.fromkeys(v for part in parts for v in part.values))
    return [Condition(columns, values, wanted=parts[0].wanted)]
