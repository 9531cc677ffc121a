"""Logs of a generated world, and the true value of any policy in it: the place to prove estimates."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd
from scipy.special import ndtri

from recnb.effect.logs.log import Log
from recnb.errors import InputError
from recnb.world import World, exposure

Floats = np.ndarray


class Shows(Protocol):
    """A policy, as far as a world needs it."""

    def probabilities(self, contexts: np.ndarray, position: int = 1) -> Floats:
        """Chance of every item at a place, shape (n, n_items)."""


def world_log(world: World) -> Log:
    """The cards that the world's own system showed, with the chances it drew them with.

    Returns
    -------
    Log
        Slates are visits; `click`, `conversion`, `satisfaction` as they happened, and `revenue` in a shop: the price
        of what was taken. The columns of true probabilities are left out: a real log has none.
    """
    shown = world.impressions
    frame = shown.rename(columns={"visit": "slate_id"})
    frame = frame.drop(columns=[c for c in frame if str(c).endswith("_probability")])
    frame["slate_id"] = frame["slate_id"].astype(str)
    if "price" in world.items:
        price = world.items.set_index("item_id")["price"]
        frame["revenue"] = frame["conversion"] * price.reindex(frame["item_id"]).to_numpy()
    log = Log.from_frame(
        frame, items=world.truth.item_ids, name=f"generated-{world.domain}", file="world"
    )
    return log


def draw_log(
    world: World,
    probabilities: Floats,
    n_users: int,
    rng: np.random.Generator,
    visits: int = 1,
    cards: int = 1,
    stars: bool = False,
) -> Log:
    """Draw a fresh log from the truth at the end of the world's time.

    Parameters
    ----------
    world : World
    probabilities : ndarray of shape (n_world_users, n_items), rows add up to 1
        What the logging policy shows; each card is drawn from it, independently.
    n_users : int
        Visitors, drawn evenly and with replacement among the world's users. A visitor is a unit of its own
        (`user_id`); what the policy sees (`context`) is the world's user.
    rng : numpy.random.Generator
    visits, cards : int
        Visits of each visitor (slates), and places in each.
    stars : bool
        Whether everybody rates what is shown: `satisfaction` is then 1 to 5 stars of every row. Else it is 1 where
        an item was taken and satisfied.

    Returns
    -------
    Log
        With the propensities that were used. The click at a place follows the world's rule of looking.

    Raises
    ------
    InputError
        The probabilities have another shape, or a row does not add up to 1.
    """
    truth = world.truth
    p = np.asarray(probabilities, np.float64)
    if p.shape != truth.click.shape or (p < 0).any() or not np.allclose(p.sum(axis=1), 1):
        raise InputError(
            f"probabilities of shape {p.shape}",
            mend=f"give rows that add up to 1, {truth.click.shape}",
        )
    who = rng.integers(0, len(p), n_users)
    user = np.repeat(who, visits * cards)
    stairs = np.cumsum(p, axis=1)
    stairs = np.minimum(stairs / stairs[:, -1:], 1.0) + np.arange(len(p))[:, None]
    drawn = np.searchsorted(stairs.ravel(), user + rng.random(len(user)), side="right")
    item = np.minimum(drawn - user * p.shape[1], p.shape[1] - 1)
    position = np.tile(np.arange(1, cards + 1), n_users * visits)
    luck = rng.random((3, len(user)))
    click = luck[0] < truth.click[user, item] * exposure.examination(cards)[position - 1]
    taken = click & (luck[1] < truth.conversion[user, item])
    visitor = np.repeat(np.arange(n_users), visits * cards)
    frame = pd.DataFrame(
        {
            "user_id": visitor.astype(str),
            "context": truth.user_ids[user],
            "slate_id": np.repeat(np.arange(n_users * visits), cards).astype(str),
            "position": position,
            "item_id": truth.item_ids[item],
            "propensity": p[user, item],
            "click": click.astype(float),
            "conversion": taken.astype(float),
            "satisfaction": (
                _stars(truth.satisfaction[user, item], rng)
                if stars
                else (taken & (luck[2] < truth.satisfaction[user, item])).astype(float)
            ),
        }
    )
    if "price" in world.items:
        price = world.items["price"].to_numpy()
        frame["revenue"] = frame["conversion"] * price[item]
    # Checked by construction; every user is a context, shown or not.
    return Log(frame, truth.item_ids, truth.user_ids, f"generated-{world.domain}")


def _stars(satisfaction: Floats, rng: np.random.Generator) -> Floats:
    """Ratings whose chance of 4 or more is given."""
    return exposure.stars(3.5 + exposure.RATING_NOISE * ndtri(satisfaction), rng)


def true_values(
    world: World, policy: Shows | Floats, cards: int = 1, stars: bool = False
) -> dict[str, float]:
    """What a policy earns a card, over all users of the world evenly.

    Parameters
    ----------
    policy : with ``probabilities(contexts, position)``, or ndarray of shape (n_users, n_items)
    cards, stars
        As in :func:`draw_log`.

    Returns
    -------
    dict
        Mean of each outcome over users and places.
    """
    truth = world.truth
    everyone = np.arange(len(truth.user_ids))
    chance = {"click": truth.click, "conversion": truth.click * truth.conversion}
    chance["satisfaction"] = chance["conversion"] * truth.satisfaction
    if "price" in world.items:
        chance["revenue"] = chance["conversion"] * world.items["price"].to_numpy()
    totals = dict.fromkeys(chance, 0.0)
    if stars:
        del chance["satisfaction"]
        totals["satisfaction"] = 0.0
    for position, look in enumerate(exposure.examination(cards).tolist(), start=1):
        shows = (
            policy if isinstance(policy, np.ndarray) else policy.probabilities(everyone, position)
        )
        for name, values in chance.items():
            totals[name] += look * float((shows * values).sum(axis=1).mean()) / cards
        if stars:  # everybody rates, wherever it stands
            totals["satisfaction"] += float((shows * truth.rating).sum(axis=1).mean()) / cards
    return totals
