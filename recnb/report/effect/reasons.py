"""The page of `recnb reasons`: a sentence for each place, and the numbers behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recnb.report.effect.page import Page, Section, write_page
from recnb.report.numbers import count, data, signed
from recnb.report.tables import Table

_KNOWN = 30  # past items that are named
_DIGITS = 4  # of what each adds


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


def added(reason: dict[str, Any]) -> list[str]:
    """What each past item and each word adds, a line for the past items and one for the words."""
    out = []
    for (what, head), values in _told(reason):
        parts = ", ".join(f"{name} {signed(value, _DIGITS)}" for name, value in values)
        out.append(f"{head.lower()}, {what}: {parts}")
    return out


def _told(reason: dict[str, Any]) -> list[tuple[tuple[str, str], list[Any]]]:
    how = "terms of the score" if reason["exact"] else "standing lost when left out"
    out = [((how, "Past items"), reason["past"])]
    if reason["words"]:
        by = {"exact": "terms of the score", "gradients": "integrated gradients"}
        how = by.get(reason["words_by"], "standing lost when left out")
        out.append(((how, "Words of the item"), reason["words"]))
    return out


def _tables(reason: dict[str, Any]) -> list[Table]:
    return [
        Table(
            f"{head}: {how}.",
            [head.removesuffix("s of the item").removesuffix("s"), "Adds"],
            [[name, data(value, signed(value, _DIGITS))] for name, value in values],
        )
        for (how, head), values in _told(reason)
    ]
