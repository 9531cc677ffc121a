"""Recorded results: one row of a file in `results/` found by what it holds, and numbers as the pages print them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from recnb.metrics import holm

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
MINUS = "\u2212"


@cache
def content(name: str) -> dict[str, Any]:
    """A file of `results/`, by its name without `.json`."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def table(name: str, path: str = "records") -> list[dict[str, Any]]:
    """A list of rows in a file; `path` is dotted, a number picks from a list (`parts.0.rows`)."""
    part: Any = content(name)
    for key in path.split("."):
        part = part[int(key)] if key.isdigit() else part[key]
    return part


def row(name: str, path: str = "records", **wanted: Any) -> dict[str, Any]:
    """The one row that has these values.

    Raises
    ------
    LookupError
        No row has them, or several.
    """
    rows = [r for r in table(name, path) if all(r.get(k) == v for k, v in wanted.items())]
    if len(rows) != 1:
        raise LookupError(f"{len(rows)} rows of results/{name}.json {path} have {wanted}, not one")
    return rows[0]


def f(value: float, digits: int = 4) -> str:
    """A number without the zero before its point.

    Examples
    --------
    >>> f(0.41823), f(-0.0038), f(1.5, 1), f(12.0, 0)
    ('.4182', '−.0038', '1.5', '12')
    """
    text = f"{abs(value):.{digits}f}"
    text = text[1:] if text.startswith("0.") else text
    return (MINUS if value < 0 and float(text) != 0 else "") + text


def signed(value: float, digits: int = 4) -> str:
    """A difference, with its sign.

    Examples
    --------
    >>> signed(0.0324), signed(-0.002)
    ('+.0324', '−.0020')
    """
    return ("+" if value > 0 else "") + f(value, digits)


def pct(value: float, digits: int = 1) -> str:
    """A share as per cent, with its sign.

    Examples
    --------
    >>> pct(0.13), pct(-0.021)
    ('+13.0 %', '−2.1 %')
    """
    return signed(100 * value, digits) + " %"


def p_value(value: float) -> str:
    """A p as it is printed.

    Examples
    --------
    >>> p_value(0.0234), p_value(0.00002)
    ('.023', '< .001')
    """
    return "< .001" if value < 0.001 else f(value, 3)


def corrected(rows: Iterable[dict[str, Any]], p: str = "p") -> list[dict[str, Any]]:
    """The rows with `p_holm`: what they show together is one family of comparisons. Rows without a p are left out.

    Examples
    --------
    >>> [round(r["p_holm"], 3) for r in corrected([{"p": 0.01}, {"p": 0.04}, {"p": None}, {"p": 0.03}])]
    [0.03, 0.06, 0.06]
    """
    tested = [r for r in rows if r.get(p) is not None]
    return [{**r, "p_holm": float(h)} for r, h in zip(tested, holm([r[p] for r in tested]))]


def interval(of: dict[str, Any], digits: int = 4) -> str:
    """The interval of a row.

    Examples
    --------
    >>> interval({"low": 0.4072, "high": 0.4293}), interval({"low": -0.01, "high": 0.2}, 2)
    ('.4072 to .4293', '−.01 to .20')
    """
    return f"{f(of['low'], digits)} to {f(of['high'], digits)}"
