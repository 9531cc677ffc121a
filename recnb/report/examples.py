"""Examples: what some users knew, and what each model puts before them; the reader turns the pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from recnb.evaluation import Evaluation
from recnb.evaluation.people import lists_of_users, users_with_lists

N_USERS, N_LISTED, N_KNOWN, LONGEST = 30, 10, 12, 70


@dataclass(frozen=True)
class Item:
    """What is shown of an item, and whether listing it counts as a hit."""

    title: str
    hit: bool = False


@dataclass(frozen=True)
class Example:
    """One user: the last known items (newest first where there is an order), test items, and each model's list."""

    user: str
    known: list[Item]
    n_known: int
    later: list[Item]
    n_later: int
    lists: dict[str, list[Item]]
    reasons: dict[str, str] = field(default_factory=dict)
    """By model why its first item stands there."""


def example_users(ev: Evaluation) -> list[str]:
    """The users whose lists the report shows: up to thirty with a list, drawn with the protocol's seed."""
    if ev.lists.empty:
        return []
    return users_with_lists(ev, N_USERS, ev.settings.get("protocol", {}).get("seed", 0))


def examples(
    ev: Evaluation, reasons: Mapping[str, Mapping[str, str]] | None = None
) -> list[Example]:
    """Lists of the first seed, over the headline's candidates, and why their first items stand there."""
    users = example_users(ev)
    out = []
    for one in lists_of_users(ev, users, k=N_LISTED) if users else ():
        lists = {model: _items(one.lists[one.lists["model"] == model]) for model in ev.models}
        known, later = _items(one.known[:N_KNOWN]), _items(one.later[:N_KNOWN])
        told = {m: by[one.user] for m, by in (reasons or {}).items() if one.user in by}
        out.append(Example(one.user, known, len(one.known), later, len(one.later), lists, told))
    return out


def newest_first(ev: Evaluation) -> bool:
    """Whether the known items have an order in time and the test part came after them."""
    frame, name = ev.split_frame, ev.settings.get("split", {}).get("name")
    ordered = frame is not None and bool({"timestamp", "position"} & set(frame.columns))
    return ordered and name != "random"


def _items(rows: pd.DataFrame) -> list[Item]:
    hits = rows["hit"] if "hit" in rows else [False] * len(rows)
    return [Item(_short(title), bool(hit)) for title, hit in zip(rows["title"], hits)]


def _short(title: str) -> str:
    text = " ".join(title.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
