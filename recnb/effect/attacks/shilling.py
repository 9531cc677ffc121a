"""Invented users who like what a seller wants pushed: what classical models can be fed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from recnb.data import Dataset
from recnb.errors import InputError

KINDS = ("random", "bandwagon")


def shilled(
    known: Dataset,
    target: int,
    rows: int,
    kind: str = "bandwagon",
    fillers: int = 9,
    seed: int = 0,
) -> Dataset:
    """The data with invented users, each with some fillers and the target.

    Parameters
    ----------
    known : Dataset
    target : int
    rows : int
        Invented interactions in all: what the attack costs. Each user takes `fillers` and 1; the last one what is left.
    kind : {"random", "bandwagon"}
        Fillers drawn evenly, or in proportion to how popular items are (so that real users look like the invented).
    fillers : int
    seed : int

    Raises
    ------
    InputError
        No rows, or more fillers than items.

    References
    ----------
    Mobasher, Burke, Bhaumik and Williams, Toward trustworthy recommender systems: an analysis of attack models and
    algorithm robustness, ACM TOIT 7(4), 2007, section 4 (random and bandwagon attacks).
    """
    if kind not in KINDS:
        raise InputError(f"kind='{kind}'", mend=f"one of {', '.join(KINDS)}")
    if rows < 1 or not 0 < fillers < known.n_items - 1:
        raise InputError(
            f"{rows} rows, {fillers} fillers", mend="at least one row, fewer fillers than items"
        )
    rng = np.random.default_rng([seed, target])
    counts = np.bincount(known.interactions["item"], minlength=known.n_items).astype(float)
    chance = counts if kind == "bandwagon" else np.ones_like(counts)
    chance = np.where(np.arange(known.n_items) == target, 0, chance + 1e-9)
    users, items = [], []
    left, user = rows, known.n_users
    while left > 0:
        n = min(fillers, left - 1)
        drawn = rng.choice(known.n_items, n, replace=False, p=chance / chance.sum())
        items += [*drawn.tolist(), target]
        users += [user] * (n + 1)
        left, user = left - n - 1, user + 1
    return _with_users(known, np.array(users), np.array(items))


def _with_users(known: Dataset, users: np.ndarray, items: np.ndarray) -> Dataset:
    rows = known.interactions
    made = pd.DataFrame({"user": users, "item": items})
    for column in rows.columns.difference(["user", "item"]):
        if column == "rating":
            top = known.scale[1] if known.scale else rows["rating"].median()
            made[column] = float(top)
        elif column in ("timestamp", "position"):
            made[column] = rows[column].max() + np.arange(len(made))
        else:
            made[column] = rows[column].mode().iloc[0]
    made = made[rows.columns].astype(rows.dtypes.to_dict())
    fresh = pd.Index([f"invented-{at}" for at in range(len(set(users.tolist())))])
    more = pd.DataFrame(index=fresh, columns=known.users.columns)
    table = pd.concat([known.users, more]).rename_axis(index=str(known.users.index.name))
    return replace(known, users=table, interactions=pd.concat([rows, made], ignore_index=True))
