"""A feedback loop over days in the world: models show, users click by their true chances, all learn from the clicks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.base import clone

from recnb.data import Dataset
from recnb.effect.fairness.exposure import inequality, item_exposure
from recnb.errors import InputError
from recnb.metrics import intra_list_diversity
from recnb.recommender import Recommender
from recnb.world import World
from recnb.world.exposure import examination

Floats = np.ndarray


@dataclass(frozen=True, eq=False)
class Loop:
    """Days of some models in one world.

    Attributes
    ----------
    days : DataFrame
        `day, model, clicks, best, inequality, coverage, variety, apart, popular`: true clicks a visit of what the model
        shows, and of the best cards; Gini of the attention it gave that day; share of items shown; 1 less the mean
        cosine within a list, and between the lists of different users (true tastes of items); share of the cards that
        belong to the tenth of items most clicked so far.
    data : Dataset
        What all have learned from on the last evening.
    by : ndarray of shape (n_interactions,), str
        Who has shown what was clicked; "" for what was known before.
    """

    days: pd.DataFrame
    data: Dataset
    by: np.ndarray

    def seen_by(self, model: str) -> Dataset:
        """The data less what other models have shown: what this model would have to learn from alone."""
        return self.data.rows(np.isin(self.by, ["", model]))


def live_days(
    world: World,
    models: Mapping[str, Recommender],
    days: int = 8,
    visits: int = 300,
    cards: int = 5,
    before: int = 3,
    epsilon: float = 0.05,
    seed: int = 0,
) -> Loop:
    """Let models show the cards of some days; each visit is served by one of them, drawn evenly.

    Parameters
    ----------
    world : World
    models : mapping of name to unfitted Recommender
        Fitted every evening on all clicks: those on what the others have shown are among them.
    days, visits, cards : int
    before : int
        Of each user's own first finds in the world, known on the first morning.
    epsilon : float
        Chance that a card is any item.
    seed : int

    Notes
    -----
    A card is not shown again to who has clicked it.

    References
    ----------
    Chaney, Stewart and Engelhardt, How algorithmic confounding in recommendation systems increases homogeneity and
    decreases utility, RecSys 2018.
    """
    n_users, n_items = world.truth.click.shape
    if min(days, visits, cards, before) < 1 or cards > n_items or not models:
        raise InputError(
            f"{days} days, {visits} visits, {cards} cards, {before} known, {len(models)} models",
            mend="at least one of each",
        )
    rng = np.random.default_rng(seed)
    names, click = list(models), world.truth.click
    data, by = _first_morning(world, before), np.array([], dtype=object)
    by = np.full(len(data.interactions), "", dtype=object)
    look, vectors = examination(cards), world.truth.item_vectors
    best = np.sort(click, axis=1)[:, ::-1][:, :cards] @ look
    records = []
    for day in range(days):
        users = rng.integers(0, n_users, visits)
        served = rng.integers(0, len(names), visits)
        counts = np.bincount(data.interactions["item"], minlength=n_items)
        top = np.argsort(-counts, kind="stable")[: max(n_items // 10, 1)]
        new: list[tuple[int, int, str]] = []
        for at, name in enumerate(names):
            mine = users[served == at]
            if not len(mine):
                continue
            shown = _shown(clone(models[name]).fit(data), data, mine, cards, epsilon, rng)
            chance = np.take_along_axis(click[mine], shown, axis=1) * look
            hit = rng.random(shown.shape) < chance
            new += [(int(mine[r]), int(shown[r, c]), name) for r, c in zip(*np.nonzero(hit))]
            records.append(
                {
                    "day": day + 1, "model": name, "clicks": float(chance.sum(axis=1).mean()),
                    "best": float(best[mine].mean()), "inequality": inequality(item_exposure(shown, n_items)),
                    "coverage": len(np.unique(shown)) / n_items,
                    "variety": float(intra_list_diversity(shown, vectors).mean()),
                    "apart": _apart(shown, vectors), "popular": float(np.isin(shown, top).mean()),
                }
            )  # fmt: skip
        data, by = _evening(data, by, new, day)
    return Loop(pd.DataFrame(records), data, by)


def true_clicks(world: World, model: Recommender, data: Dataset, cards: int = 5) -> Floats:
    """True clicks a visit of what a model fitted on some data would show each user: (n_users,)."""
    users = np.arange(data.n_users)
    rng = np.random.default_rng(0)
    shown = _shown(clone(model).fit(data), data, users, cards, 0.0, rng)
    return np.take_along_axis(world.truth.click, shown, axis=1) @ examination(cards)


def _first_morning(world: World, before: int) -> Dataset:
    rows = world.interactions[["user_id", "item_id", "timestamp"]]
    rows = rows.drop_duplicates(["user_id", "item_id"]).sort_values("timestamp", kind="stable")
    rows = rows.groupby("user_id", sort=False).head(before)
    return Dataset.from_frames(rows, world.items, world.users, name=f"generated-{world.domain}")


def _shown(
    model: Recommender, data: Dataset, users: np.ndarray, cards: int, epsilon: float,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    scores = model.score(users).astype(np.float64)
    scores[data.pairs()[users].toarray().astype(bool)] = -np.inf
    # Equal scores in any order, and now and then any item.
    shown = np.argsort(-(scores + 1e-9 * rng.random(scores.shape)), axis=1)[:, :cards]
    for row, column in zip(*np.nonzero(rng.random(shown.shape) < epsilon)):
        free = np.setdiff1d(np.arange(scores.shape[1]), shown[row])
        shown[row, column] = rng.choice(free)
    return shown


def _apart(shown: np.ndarray, vectors: Floats) -> float:
    """1 less the mean cosine between the mean items of different users' lists."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(length > 0, length, 1)
    means = unit[shown].mean(axis=1)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    n = len(means)
    return float(1 - ((means.sum(axis=0) ** 2).sum() - n) / (n * (n - 1))) if n > 1 else 0.0


def _evening(
    data: Dataset, by: np.ndarray, new: list[tuple[int, int, str]], day: int
) -> tuple[Dataset, np.ndarray]:
    had = set(zip(data.interactions["user"].tolist(), data.interactions["item"].tolist()))
    fresh: dict[tuple[int, int], str] = {}
    for user, item, name in new:
        if (user, item) not in had:
            fresh.setdefault((user, item), name)
    if not fresh:
        return data, by
    last = data.interactions["timestamp"].max()
    more = pd.DataFrame(list(fresh), columns=["user", "item"])
    more["timestamp"] = last + 1 + day
    more = more.astype(data.interactions.dtypes[["user", "item", "timestamp"]].to_dict())
    rows = pd.concat([data.interactions[["user", "item", "timestamp"]], more], ignore_index=True)
    who = np.concatenate([by, np.array(list(fresh.values()), dtype=object)])
    order = np.lexsort((rows["item"], rows["timestamp"], rows["user"]))
    return replace(data, interactions=rows.iloc[order].reset_index(drop=True)), who[order]
