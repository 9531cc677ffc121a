"""Exercises that know their answer: `check` tells a reader whether theirs is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

OPEN = "No answer yet: put yours in the cell above, run it, then run this cell again."
RIGHT, WRONG = "Right.", "Not yet."


@dataclass(frozen=True)
class Verdict:
    """What a check cell shows: `right` is None as long as there is no answer."""

    right: bool | None
    hint: str = ""

    def __repr__(self) -> str:
        if self.right is None:
            return OPEN
        return RIGHT if self.right else f"{WRONG} {self.hint}".rstrip()


def check(
    answer: Any,
    right: Any | Callable[[Any], bool | str],
    hint: str = "",
    *,
    within: float = 0.0,
) -> Verdict:
    """Tell whether an answer is right; the last line of a check cell.

    Parameters
    ----------
    answer : object
        What the reader set; None, or a tuple with None in it, is no answer yet.
    right : object or callable
        The right answer, or a function of the answer that returns True, False, or a text that says what is
        wrong. A truth value is only equal to a truth value, a number only to a number, an array to one of the
        same shape.
    hint : str
        Shown where the answer is wrong and `right` says nothing better.
    within : float
        How far a number may be from the right one.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> check(None, 0.5)
    No answer yet: put yours in the cell above, run it, then run this cell again.
    >>> check(0.51, 0.5, "Divide by the number of users.")
    Not yet. Divide by the number of users.
    >>> check(0.51, 0.5, within=0.02)
    Right.
    >>> check(0, False)
    Not yet.
    >>> check([1, 2], lambda items: len(set(items)) == 3 or "Three items, all different.")
    Not yet. Three items, all different.
    """
    if answer is None or (isinstance(answer, tuple) and any(part is None for part in answer)):
        return Verdict(None)
    try:
        told = right(answer) if callable(right) else _equal(answer, right, within)
    except Exception as error:  # an answer of another kind, such as text for an array
        return Verdict(False, hint or f"It cannot be read as an answer ({error}).")
    if isinstance(told, str):
        return Verdict(False, told)
    return Verdict(bool(told), hint)


def _equal(answer: Any, right: Any, within: float) -> bool:
    if isinstance(right, tuple):
        same = isinstance(answer, tuple) and len(answer) == len(right)
        return same and all(_equal(a, r, within) for a, r in zip(answer, right, strict=True))
    truth = bool | np.bool_
    if isinstance(right, truth) or isinstance(answer, truth):
        return isinstance(right, truth) and isinstance(answer, truth) and bool(right == answer)
    if isinstance(right, str):
        return isinstance(answer, str) and answer.strip() == right
    given, wanted = np.asarray(answer, dtype=float), np.asarray(right, dtype=float)
    return given.shape == wanted.shape and bool(
        np.allclose(given, wanted, rtol=0 if within else 1e-9, atol=within)
    )
