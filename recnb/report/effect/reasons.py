"""The page of `recnb reasons`: a sentence for each place, and the numbers behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recnb.report.effect.page import Page, Section, write_page
from recnb.report.numbers import count, data, signed
from recnb.report.tables import Table

_KNOWN = 30  # past items that are named


def write_reasons(result: dict[str, Any], path: str | Path, command: str = "") -> Path:
    """Write reasons as one self-contained HTML file.

    Parameters
    ----------
    result : dict
        `user, model, k, known` and `reasons`, as :func:`recnb.study.reasons.run_reasons` makes it.
    path : str or Path
    command : str
    """
    return write_page(page(result, command), path)


def page(result: dict[str, Any], command: str) -> Page:
    """What the page shows."""
    reasons = result["reasons"]
    first = reasons[0]["sentence"] if reasons else ""
    told = ", ".join(result["known"][:_KNOWN])
    more = len(result["known"]) - _KNOWN
    known = f"{told}{f', and {more} more' if more > 0 else ''}."
    sections = [
        Section(f"place-{r['rank']}", f"{r['rank']}. {r['title']}", [r["sentence"]], _tables(r))
        for r in reasons
    ]
    return Page(
        title=f"Why is {result['user']} shown this?",
        under=f"{result['model']}; {count(len(result['known']), 'past item')}.",
        answer=first or "Nothing is recommended.",
        sentences=[f"What the model knows of the user, the newest first: {known}"],
        notes=[],
        sections=sections,
        facts=[
            ("a sentence", "every part of it was checked against the model before it was said"),
            ("past items", "terms of the score where it is a sum; else one left out at a time"),
            ("without these", f"the smallest set found without which the item leaves the first {result['k']}"),
        ],
        command=command or "recnb reasons",
    )  # fmt: skip


def _tables(reason: dict[str, Any]) -> list[Table]:
    how = "terms of the score" if reason["exact"] else "standing lost when left out"
    out = [_table(f"Past items: {how}.", "Past item", reason["past"])]
    if reason["words"]:
        by = {"exact": "terms of the score", "gradients": "integrated gradients"}
        how = by.get(reason["words_by"], "standing lost when left out")
        out.append(_table(f"Words of the item: {how}.", "Word", reason["words"]))
    return out


def _table(caption: str, head: str, values: list[Any]) -> Table:
    rows: list[list[Any]] = [[name, data(value, signed(value, 4))] for name, value in values]
    return Table(caption, [head, "Adds"], rows)
