"""Rows as a table for the reader: the same text on every machine, no identifiers, no styles."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any


def _frame(rows: Iterable[Mapping[str, Any]]) -> Any:
    import pandas as pd

    frame = pd.DataFrame(list(rows))
    for name in frame.columns:
        if pd.api.types.is_float_dtype(frame[name]):
            whole = frame[name].dropna() % 1 == 0
            digits = 0 if whole.all() and name not in ("value", "low", "high") else 4
            frame[name] = [("" if math.isnan(x) else f"{x:.{digits}f}") for x in frame[name]]
    return frame.fillna("").astype(str)


def as_text(rows: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]) -> str:
    """Return rows and named facts as plain text.

    Parameters
    ----------
    rows : iterable of mappings
        One per line; what a row lacks stays empty. Fractions get four digits.
    facts : mapping
        One line each below the table.

    Examples
    --------
    >>> print(as_text([{"metric": "recall", "value": 0.5}], {"data": "grocery"}))
    metric  value
    recall 0.5000
    data: grocery
    """
    lines = [_frame(rows).to_string(index=False)]
    return "\n".join(lines + [f"{name}: {_short(value)}" for name, value in facts.items()])


def as_html(rows: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]) -> str:
    """Return the same table as HTML, every text escaped."""
    table = _frame(rows).to_html(index=False, border=0)
    named = "".join(f"<li>{escape(n)}: {escape(_short(v))}</li>" for n, v in facts.items())
    return table + (f"\n<ul>{named}</ul>" if named else "")


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
