"""The generated world: tables of a shop, a news site, films, social pages or music, and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recnb.errors import InputError
from recnb.world import exposure, language, tastes
from recnb.world.settings import DAY, DOMAINS, WorldSettings, settings_for

START = 1_672_531_200  # 2023-01-01, 00:00 UTC
AGES = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
REGIONS = ("north", "east", "south", "west", "centre")


@dataclass(frozen=True)
class Truth:
    """What a real data set never tells: the values behind the events, at the end of the period.

    Arrays have one row for each user and one column for each item, in the order of ``user_ids`` and
    ``item_ids``, which is also the order of the tables.

    Attributes
    ----------
    user_ids, item_ids : ndarray of str
    scores : float64
        Affinity: how well the item suits the user, popularity aside. The best ranking for pleasure.
    demand : float64
        Share of each item in what the user finds next by himself, appeal and freshness included: the best
        ranking for predicting the next interactions. Rows add up to 1.
    policy : float64
        Probability that the system's next card is this item. Rows add up to 1.
    propensity : float64 in [0, 1]
        Probability that the pair is shown at least once, given the visits made.
    click, conversion, satisfaction : float64 in [0, 1]
        Probability of a click at the first position; of taking what is clicked; of being
        satisfied with what is taken (4 stars or more).
    rating : float64
        Mean of the rating, in stars of 1 to 5.
    user_early, user_late : ndarray of shape (n_users, n_dimensions)
        Tastes at the start and the unrelated ones they turn towards (see `tastes.turn`).
    item_vectors : ndarray of shape (n_items, n_dimensions)
    dimensions : tuple of str
        Names of the latent dimensions; those called ``hidden:`` are in no text.
    item_traits : pandas.DataFrame
        Theme, second theme, mood, setting and lead of each item, under the domain's names for them.
    """

    user_ids: np.ndarray
    item_ids: np.ndarray
    scores: np.ndarray
    demand: np.ndarray
    policy: np.ndarray
    propensity: np.ndarray
    click: np.ndarray
    conversion: np.ndarray
    satisfaction: np.ndarray
    rating: np.ndarray
    user_early: np.ndarray
    user_late: np.ndarray
    item_vectors: np.ndarray
    dimensions: tuple[str, ...]
    item_traits: pd.DataFrame


@dataclass(frozen=True)
class World:
    """A generated data set with its truth; always to be called *generated*.

    Attributes
    ----------
    domain : str
    interactions, items, users : pandas.DataFrame
        As `Dataset.from_frames` takes them. In items, ``published`` is the second at which the item
        came into the catalogue (before the start for most, but in news), and ``year`` a film's own.
    edges : pandas.DataFrame
        Friends: src, dst, relation; each pair once.
    impressions : pandas.DataFrame
        What was shown: user_id, item_id, timestamp, visit, position (from 1), propensity (of this item
        for this card), click, conversion, satisfaction (0 or 1) and the true probabilities of the three:
        of the click with its position, of conversion given the click, of satisfaction given conversion.
    feedback : str, scale : (float, float) or None
    truth : Truth
    settings : WorldSettings
    seed : int
    """

    domain: str
    interactions: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    edges: pd.DataFrame
    impressions: pd.DataFrame
    feedback: str
    scale: tuple[float, float] | None
    truth: Truth
    settings: WorldSettings
    seed: int

    def graph(self) -> pd.DataFrame:
        """Return the attributes of items as triples: src, relation, dst.

        A small knowledge graph: items point to their creator, category, and what else is told of them.
        """
        skip = {"item_id", "title", "text", "published", "year", "price"}
        columns = [c for c in self.items.columns if c not in skip]
        long = self.items.melt("item_id", columns, var_name="relation", value_name="dst")
        return long.rename(columns={"item_id": "src"})[["src", "relation", "dst"]]


def generate(
    domain: str, n_users: int = 1000, n_items: int = 600, seed: int = 0, **settings: Any
) -> World:
    """Generate a world whose truth is known.

    Parameters
    ----------
    domain : {"shop", "news", "video", "social", "music"}
    n_users, n_items : int
        At least 20 of each.
    seed : int
        Same seed, same bytes (for one version of numpy).
    **settings
        Fields of `WorldSettings`; the others keep the domain's values.

    Returns
    -------
    World

    Raises
    ------
    InputError
        If the domain, a setting or a size is out of range.

    Examples
    --------
    >>> world = generate("video", n_users=50, n_items=40, seed=1)
    >>> world.truth.scores.shape, world.feedback, world.scale
    ((50, 40), 'explicit', (1.0, 5.0))
    """
    chosen = settings_for(domain, **settings)
    for name, value in (("n_users", n_users), ("n_items", n_items)):
        if int(value) != value or value < 20:
            raise InputError(f"{name} = {value}", mend="choose a whole number of at least 20")
    bank = language.bank_of(domain)
    streams = [
        np.random.default_rng([seed, list(DOMAINS).index(domain), stage]) for stage in range(6)
    ]
    items = tastes.make_items(bank, n_items, chosen, streams[0])
    users = tastes.make_users(bank, n_users, chosen, streams[1])
    published = exposure.publication(n_items, chosen, streams[2])
    history = exposure.live(users, items, published, chosen, streams[3])

    # Numbers with gaps, given to rows that have no order: an id says nothing about popularity.
    user_ids = _ids("u", n_users, streams[5])
    item_ids = _ids(bank.prefix, n_items, streams[5])
    truth = Truth(
        user_ids=user_ids, item_ids=item_ids, scores=history.affinity, demand=history.demand,
        policy=history.policy, propensity=history.propensity, click=history.click,
        conversion=history.conversion, satisfaction=history.satisfaction,
        rating=exposure.expected_rating(history.pleasure),
        user_early=users.early, user_late=users.late, item_vectors=items.vectors,
        dimensions=tuple(tastes.dimensions(bank)), item_traits=_traits(bank, items, item_ids),
    )  # fmt: skip
    return World(
        domain=domain,
        interactions=_interactions(history, items, chosen, user_ids, item_ids, streams[3]),
        items=_items_table(domain, items, published, item_ids, chosen, streams[4]),
        users=_users_table(users, user_ids, streams[5]),
        edges=pd.DataFrame(dict(zip(("src", "dst"), user_ids[users.edges.T]))).assign(
            relation="friend"
        ),
        impressions=_impressions(history.shown, chosen, user_ids, item_ids),
        feedback=chosen.feedback,
        scale=chosen.scale,
        truth=truth,
        settings=chosen,
        seed=seed,
    )


def _ids(prefix: str, n: int, rng: np.random.Generator) -> np.ndarray:
    numbers = np.sort(rng.choice(10 * n, size=n, replace=False))
    width = max(4, len(str(10 * n - 1)))
    return np.array([f"{prefix}{number:0{width}d}" for number in numbers.tolist()], dtype=object)


def _traits(bank: language.Bank, items: tastes.Items, ids: np.ndarray) -> pd.DataFrame:
    theme, mood, setting, lead = bank.blocks
    names = [t.name for t in bank.themes]
    lists = (names, names, list(bank.moods), list(bank.settings), list(bank.leads))
    columns = (theme, f"second_{theme}", mood, setting, lead)
    values = {
        c: np.array(names, dtype=object)[items.traits[:, j]]
        for j, (c, names) in enumerate(zip(columns, lists))
    }
    return pd.DataFrame({"item_id": ids} | values)


def _seconds(time: np.ndarray, settings: WorldSettings) -> np.ndarray:
    return START + np.floor(time * settings.days * DAY).astype(np.int64)


def _interactions(
    history: exposure.History, items: tastes.Items, settings: WorldSettings,
    user_ids: np.ndarray, item_ids: np.ndarray, rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Rows of what was found alone and what was taken from the cards, in order of time."""
    found, shown = history.found, history.shown
    on_click, on_take = settings.events
    count = np.ones_like(found.values["count"]) if on_take == "play" else found.values["count"]
    rows = np.repeat(np.arange(len(found.user)), count)
    clicked = shown.values["click"] if on_click else shown.values["conversion"]
    f_user, f_item, f_affinity = found.user[rows], found.item[rows], found.values["affinity"][rows]
    f_taken = rng.random(len(rows)) < exposure.conversion_probability(f_affinity)
    user = np.concatenate([f_user, shown.user[clicked]])
    item = np.concatenate([f_item, shown.item[clicked]])
    affinity = np.concatenate([f_affinity, shown.values["affinity"][clicked]])
    taken = np.concatenate([f_taken, shown.values["conversion"][clicked]])
    # Within a visit: cards are read first, ten seconds each; what is looked for comes after.
    stamp = np.concatenate([
        _seconds(found.time[rows], settings) + 60 + (rng.random(len(rows)) * 5400).astype(int),
        _seconds(shown.time[clicked], settings) + 10 * shown.values["position"][clicked],
    ])  # fmt: skip
    pleasure = exposure.pleasure_of(affinity, items.bait[item], history.leniency[user])
    rating = np.concatenate([
        exposure.stars(pleasure[: len(rows)], rng), shown.values["rating"][clicked]
    ])  # fmt: skip
    quantity = np.ones(len(user), dtype=np.int64)
    if on_take == "play":
        quantity[: len(rows)] = found.values["count"]
        quantity += rng.poisson(np.exp(0.5 * affinity - 1.0))
    elif on_take == "buy":
        quantity += rng.poisson(0.35, size=len(user))

    table = pd.DataFrame({"user_id": user, "item_id": item, "timestamp": stamp})
    if on_click and on_take:
        bought = table.assign(event=on_take, quantity=quantity)[taken]
        bought = bought.assign(
            timestamp=bought["timestamp"] + 20 + (rng.random(len(bought)) * 900).astype(int)
        )
        table = pd.concat([table.assign(event=on_click, quantity=1), bought], ignore_index=True)
    elif on_click or on_take == "play":
        table = table.assign(event=on_click or on_take, quantity=quantity)
    if settings.feedback == "explicit":
        table = table.assign(rating=rating)
    if on_take not in ("buy", "play"):
        table = table.drop(columns="quantity", errors="ignore")
    last = START + settings.days * DAY - 1
    table["timestamp"] = np.minimum(table["timestamp"], last)
    table = table.sort_values(["timestamp", "user_id", "item_id"], kind="stable")
    keys = ["user_id", "item_id", "event"] if "event" in table else ["user_id", "item_id"]
    if settings.repeats:
        keys.append("timestamp")
    table = table.drop_duplicates(keys).reset_index(drop=True)
    table["user_id"] = user_ids[table["user_id"].to_numpy()]
    table["item_id"] = item_ids[table["item_id"].to_numpy()]
    return table


def _impressions(
    shown: exposure.Log, settings: WorldSettings, user_ids: np.ndarray, item_ids: np.ndarray
) -> pd.DataFrame:
    v = shown.values
    table = pd.DataFrame({
        "user_id": shown.user,
        "item_id": shown.item,
        "timestamp": _seconds(shown.time, settings),
        "visit": v["visit"],
        "position": v["position"],
        "propensity": v["propensity"],
        "click": v["click"].astype(np.int8),
        "conversion": v["conversion"].astype(np.int8),
        "satisfaction": v["satisfaction"].astype(np.int8),
        "click_probability": v["click_probability"],
        "conversion_probability": v["conversion_probability"],
        "satisfaction_probability": v["satisfaction_probability"],
    })  # fmt: skip
    table = table.sort_values(["timestamp", "visit", "position"]).reset_index(drop=True)
    table["user_id"] = user_ids[table["user_id"].to_numpy()]
    table["item_id"] = item_ids[table["item_id"].to_numpy()]
    return table


def _items_table(
    domain: str, items: tastes.Items, published: np.ndarray, ids: np.ndarray,
    settings: WorldSettings, rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    bank = language.bank_of(domain)
    made = language.names(bank, int(items.creator.max()) + 1, rng)
    creators = [made[code] for code in items.creator.tolist()]
    titles, texts = language.write(bank, items.traits, rng)
    family = [bank.themes[code].family for code in items.traits[:, 0].tolist()]
    stamp = _seconds(published, settings)
    columns: dict[str, Any] = {
        "item_id": ids, "title": titles, "text": texts, bank.creator_column: creators,
        "category": family, "published": stamp,
    }  # fmt: skip
    if domain == "video":
        old = published < 0  # what is older than the world may be much older
        age = np.where(old, np.floor(35 * rng.random(len(ids)) ** 2), 0).astype(int)
        columns["year"] = np.where(old, 2022 - age, 2023)
    for name, values in bank.columns.items():
        options = language.split(values)
        columns[name] = [options[int(d * len(options))] for d in rng.random(len(ids)).tolist()]
    if domain == "shop":
        columns["price"] = np.round(np.exp(3.2 + 0.7 * rng.standard_normal(len(ids))), 0) - 0.01
    return pd.DataFrame(columns)


def _users_table(users: tastes.Users, ids: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Age and region: a community has its own, and four users in ten go with it."""
    n_communities = int(users.community.max()) + 1
    columns = {}
    for name, values in (("age_band", AGES), ("region", REGIONS)):
        own = rng.integers(len(values), size=n_communities)[users.community]
        codes = np.where(rng.random(len(ids)) < 0.4, own, rng.integers(len(values), size=len(ids)))
        columns[name] = np.array(values, dtype=object)[codes]
    return pd.DataFrame({"user_id": ids} | columns)
