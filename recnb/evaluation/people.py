"""What an evaluation holds of single users: their history, what came after it, and what models listed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recnb.errors import InputError

ITEM = ["item_id", "title"]


@dataclass(frozen=True, eq=False)
class UserLists:
    """One user.

    Attributes
    ----------
    user : str
    known : DataFrame
        `item_id, title, times` (rows that the item has), the newest first.
    later : DataFrame
        `item_id, title, hit`: items of the test part, the first one first; `hit` is whether listing one counts.
    lists : DataFrame
        `model, rank, item_id, title, score, hit`, of each model's first seed.
    """

    user: str
    known: pd.DataFrame
    later: pd.DataFrame
    lists: pd.DataFrame

    def beside(self, *models: str) -> pd.DataFrame:
        """Lists side by side: a row a rank, a column a model; titles, hits with a tick. By default of all models."""
        marked = self.lists["title"].where(~self.lists["hit"], self.lists["title"] + " ✓")
        wide = self.lists.assign(title=marked).pivot(index="rank", columns="model", values="title")
        names = models or tuple(dict.fromkeys(self.lists["model"]))
        for name in names:
            if name not in wide:
                held = ", ".join(map(str, wide.columns)) or "none"
                raise InputError(f"no list of '{name}' for {self.user}", mend=f"there is {held}")
        return wide[list(names)].fillna("")


def lists_of_users(
    ev: Any,
    users: Sequence[str],
    models: Iterable[str] | None = None,
    k: int | None = None,
    candidates: str | None = None,
) -> list[UserLists]:
    """Several users at once.

    Parameters
    ----------
    ev : Evaluation
    users : sequence of str
        Their ids.
    models : iterable of str, optional
        By default all.
    k : int, optional
        Places of each list; by default all that are kept.
    candidates : {"catalogue", "shelf"}, optional
        By default those of the headline.

    Raises
    ------
    InputError
        A user was not judged, or a model is unknown.
    """
    chosen = list(ev.models if models is None else models)
    for name in chosen:
        if name not in ev.models:
            raise InputError(f"no model '{name}'", mend=f"one of {', '.join(ev.models)}")
    for user in users:
        if user not in ev.users.index:
            raise InputError(f"no judged user '{user}'", mend="take one of ev.users.index")
    rows = ev.lists
    first = {model: ev.seeds(model)[0] for model in chosen}
    rows = rows[rows["user_id"].isin(users) & rows["model"].isin(chosen)]
    rows = rows[rows["candidates"] == (candidates or ev.headline[2])]
    rows = rows[rows["seed"] == rows["model"].map(first)]
    rows = first_events(rows[rows["rank"] <= k] if k else rows)
    frame = ev.split_frame
    if frame is None:
        frame = pd.DataFrame(columns=["user_id", "item_id", "part", "target"])
    frame = frame[frame["user_id"].isin(users)]
    listed, parts = dict(list(rows.groupby("user_id"))), dict(list(frame.groupby("user_id")))
    none = rows.iloc[:0], frame.iloc[:0]
    return [
        _of_one(ev, user, listed.get(user, none[0]), parts.get(user, none[1])) for user in users
    ]


def first_events(lists: pd.DataFrame) -> pd.DataFrame:
    """Of lists for every judged event each user's first one, which knows what was known on the day of the test."""
    return lists[lists["event"] == 1] if "event" in lists else lists


def users_with_lists(ev: Any, n: int, seed: int = 0, candidates: str | None = None) -> list[str]:
    """Users who have a list, drawn at random, the same ones for the same seed; in the order of their ids."""
    lists = ev.lists
    there = np.sort(
        lists.loc[lists["candidates"] == (candidates or ev.headline[2]), "user_id"].unique()
    )
    drawn = np.random.default_rng(seed).choice(len(there), min(n, len(there)), replace=False)
    return [str(there[i]) for i in sorted(drawn)]


def _of_one(ev: Any, user: str, rows: pd.DataFrame, parts: pd.DataFrame) -> UserLists:
    order = next((c for c in ("timestamp", "position") if c in parts), None)
    parts = parts.sort_values(order, kind="stable") if order else parts
    test = (parts["part"] == "test").to_numpy()
    targets = set(parts.loc[parts["target"].to_numpy(dtype=bool), "item_id"])
    known = parts.loc[~test, "item_id"].iloc[::-1]
    times = known.value_counts(sort=False)
    order_of = {model: at for at, model in enumerate(ev.models)}
    rows = rows.sort_values(
        ["model", "rank"], key=lambda c: c.map(order_of) if c.name == "model" else c
    )
    frames = []
    for items in (
        known.drop_duplicates(),
        parts.loc[test, "item_id"].drop_duplicates(),
        rows["item_id"],
    ):
        ids = items.to_numpy(dtype=object)
        titles = [str(ev.titles.get(item, item)) for item in ids]
        hit = np.array([item in targets for item in ids], dtype=bool)
        frames.append(pd.DataFrame({"item_id": ids, "title": titles, "hit": hit}))
    held, later, listed = frames
    held = held[ITEM].assign(times=[int(times[item]) for item in held["item_id"]])
    lists = pd.concat([rows[["model", "rank", "score"]].reset_index(drop=True), listed], axis=1)
    return UserLists(user, held, later, lists[["model", "rank", *ITEM, "score", "hit"]])
