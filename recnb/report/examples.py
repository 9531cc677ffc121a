"""Examples: what a few users knew, and what each model puts before them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recnb.evaluation import Evaluation

N_USERS, N_LISTED, N_KNOWN, LONGEST = 3, 5, 8, 70


@dataclass(frozen=True)
class Item:
    """What is shown of an item, and whether the user used it in the test part."""

    title: str
    hit: bool = False


@dataclass(frozen=True)
class Example:
    """One user: the last known items (newest first), test items, and each model's list."""

    user: str
    known: list[Item]
    n_known: int
    later: list[Item]
    n_later: int
    lists: dict[str, list[Item]]


def example_users(ev: Evaluation) -> list[str]:
    """The users whose lists the report shows: three, drawn with the protocol's seed.

    Only users with a list of the headline's candidates are drawn from.
    """
    lists = ev.lists
    if lists.empty:
        return []
    there = np.sort(lists.loc[lists["candidates"] == ev.headline[2], "user_id"].unique())
    rng = np.random.default_rng(ev.settings.get("protocol", {}).get("seed", 0))
    drawn = rng.choice(len(there), size=min(N_USERS, len(there)), replace=False)
    return [str(there[i]) for i in sorted(drawn)]


def examples(ev: Evaluation) -> list[Example]:
    """Lists of the first seed, over the headline's candidates."""
    titles = ev.titles
    lists = ev.lists[ev.lists["candidates"] == ev.headline[2]]
    out = []
    for user in example_users(ev):
        rows = lists[lists["user_id"] == user]
        known, later = _history(ev.split_frame, user)
        hits = set(later)
        shown = {}
        for model in ev.models:
            mine = rows[(rows["model"] == model) & (rows["seed"] == ev.seeds(model)[0])]
            mine = mine.sort_values("rank").head(N_LISTED)
            shown[model] = [_item(titles, i, i in hits) for i in mine["item_id"]]
        out.append(
            Example(
                user,
                [_item(titles, i) for i in known[:N_KNOWN]],
                len(known),
                [_item(titles, i) for i in later[:N_KNOWN]],
                len(later),
                shown,
            )
        )
    return out


def _history(frame: pd.DataFrame | None, user: str) -> tuple[list[str], list[str]]:
    """Known items, the newest first, and those of the test part, the first one first; each item once."""
    if frame is None:
        return [], []
    mine = frame[frame["user_id"] == user]
    order = next((c for c in ("timestamp", "position") if c in mine), None)
    if order:
        mine = mine.sort_values(order, kind="stable")
    test = mine["part"] == "test"
    known = list(dict.fromkeys(mine.loc[~test, "item_id"].iloc[::-1]))
    return known, list(dict.fromkeys(mine.loc[test, "item_id"]))


def _item(titles: dict[str, str], item: str, hit: bool = False) -> Item:
    said = " ".join(str(titles.get(item, item)).split())
    return Item(said if len(said) <= LONGEST else said[: LONGEST - 1] + "…", hit)
