"""A bandit lives in the world: it chooses the cards, users click by their true chances, it learns from that alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recnb.effect.bandit.learners import LinearBandit
from recnb.errors import InputError
from recnb.metrics import gini
from recnb.world import World
from recnb.world.exposure import examination

Floats = np.ndarray


@dataclass(frozen=True)
class Lived:
    """Days of a bandit in the world.

    Attributes
    ----------
    clicks, best, even : ndarrays of shape (days,)
        Expected clicks a visit by the truth: of what was shown, of the best cards, and of even chance.
    concentration : ndarray of shape (days,)
        Gini index of how often each item was shown so far: 0 all alike, 1 one alone.
    """

    clicks: Floats
    best: Floats
    even: Floats
    concentration: Floats


def live_with(
    world: World,
    bandit: LinearBandit,
    vectors: Callable[[int], Floats],
    days: int = 20,
    visits: int = 100,
    cards: int = 3,
    seed: int = 0,
) -> Lived:
    """Let a bandit choose the cards of some days.

    Parameters
    ----------
    world : World
    bandit : LinearBandit
        Changed: it learns at the end of each day from the cards of the day, a click over the chance of being looked
        at at its place.
    vectors : function of a user code, giving ndarray of shape (n_items, n_features)
    days, visits, cards : int
        Visits a day, of users drawn evenly; cards shown in each.
    seed : int

    Raises
    ------
    InputError
        Fewer items than cards, or a number below 1.
    """
    n_users, n_items = world.truth.click.shape
    if min(days, visits, cards) < 1 or cards > n_items:
        raise InputError(
            f"{days} days, {visits} visits, {cards} cards", mend="at least one of each"
        )
    rng = np.random.default_rng(seed)
    look = examination(cards)
    click = world.truth.click
    lists: list[np.ndarray] = []
    out = np.zeros((4, days))
    for day in range(days):
        lived, rewards = [], []
        for user in rng.integers(0, n_users, visits).tolist():
            candidates = vectors(user)
            shown = np.asarray(bandit.choose(candidates, cards))
            chance = click[user, shown] * look
            lived.append(candidates[shown])
            rewards.append((rng.random(cards) < chance) / look)
            lists.append(shown)
            best = np.sort(click[user])[::-1][:cards]
            out[:3, day] += chance.sum(), best @ look, click[user].mean() * look.sum()
        bandit.learn(np.vstack(lived), np.concatenate(rewards))
        out[3, day] = gini(np.vstack(lists), n_items)
    out[:3] /= visits
    return Lived(*out)
