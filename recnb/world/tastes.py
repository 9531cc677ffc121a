"""Who likes what: traits of items, tastes of users that turn over time, and friendships.

The latent space is a row of blocks with names: themes, moods, settings and leads, which the text
tells, and hidden traits, which it does not. A taste is one number for each dimension; the affinity of a
user to an item is the product of taste and traits plus what everybody agrees on, the quality.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recnb.world.language import Bank
from recnb.world.settings import WorldSettings

HIDDEN = 8
# Shares of the told variance: theme (of which the second theme has a quarter), mood, setting, lead.
SHARES = (0.76, 0.08, 0.08, 0.08)
FAMILY = 0.4  # share of the taste for a theme that holds for its whole category


@dataclass(frozen=True)
class Items:
    """The traits of items.

    Attributes
    ----------
    traits : ndarray of shape (n_items, 5), int
        Theme, second theme, mood, setting, lead.
    creator : ndarray of shape (n_items,), int
        Creator of each item; a creator keeps to few themes and has a style of its own.
    vectors : ndarray of shape (n_items, n_dimensions), float64
        Weights in the latent space, scaled so that a taste of unit variance gives unit variance.
    quality, appeal, bait : ndarray of shape (n_items,), float64
        What all agree on; how much an item is talked about; how far its click exceeds its worth.
        Each of unit variance.
    """

    traits: np.ndarray
    creator: np.ndarray
    vectors: np.ndarray
    quality: np.ndarray
    appeal: np.ndarray
    bait: np.ndarray


@dataclass(frozen=True)
class Users:
    """The tastes of users.

    Attributes
    ----------
    community : ndarray of shape (n_users,), int
    early, late : ndarray of shape (n_users, n_dimensions), float64
        Taste at the start, and the unrelated taste that it turns towards.
    edges : ndarray of shape (n_edges, 2), int
        Friends, each pair once, the smaller row first.
    """

    community: np.ndarray
    early: np.ndarray
    late: np.ndarray
    edges: np.ndarray


def dimensions(bank: Bank) -> list[str]:
    """Name the dimensions of the latent space, such as ``theme:heist`` or ``hidden:3``."""
    theme, mood, setting, lead = bank.blocks
    return (
        [f"{theme}:{t.name}" for t in bank.themes]
        + [f"{mood}:{name}" for name in bank.moods]
        + [f"{setting}:{name}" for name in bank.settings]
        + [f"{lead}:{name}" for name in bank.leads]
        + [f"hidden:{h}" for h in range(HIDDEN)]
    )


def make_items(bank: Bank, n: int, settings: WorldSettings, rng: np.random.Generator) -> Items:
    """Draw the traits of ``n`` items."""
    n_themes = len(bank.themes)
    n_creators = max(2, n // 8)
    family = np.array([bank.families.index(t.family) for t in bank.themes])

    # A creator has three themes; busy creators are few (weights fall as a power of the rank).
    repertoire = rng.random((n_creators, n_themes)).argsort(axis=1)[:, :3]
    busy = 1.0 / np.arange(1, n_creators + 1) ** 0.7
    creator = rng.choice(n_creators, size=n, p=busy / busy.sum())
    first = repertoire[creator, rng.choice(3, size=n, p=(0.6, 0.3, 0.1))]
    near = np.array([rng.choice(np.flatnonzero(family == f)) for f in family[first]])
    second = np.where(rng.random(n) < 0.5, near, rng.integers(n_themes, size=n))
    second = np.where(second == first, (first + 1 + rng.integers(n_themes - 1, size=n)) % n_themes,
                      second)  # fmt: skip
    sizes = (len(bank.moods), len(bank.settings), len(bank.leads))
    others = [rng.integers(size, size=n) for size in sizes]
    traits = np.stack([first, second, *others], axis=1)

    told = np.zeros((n, n_themes + sum(sizes)))
    rows = np.arange(n)
    told[rows, first] = np.sqrt(0.75 * SHARES[0])
    told[rows, second] = np.sqrt(0.25 * SHARES[0])
    offset = n_themes
    for codes, size, share in zip(others, sizes, SHARES[1:]):
        told[rows, offset + codes] = np.sqrt(share)
        offset += size
    style = rng.standard_normal((n_creators, HIDDEN))
    hidden = style[creator] + rng.standard_normal((n, HIDDEN))
    hidden /= np.linalg.norm(hidden, axis=1, keepdims=True)
    share = settings.text_strength
    vectors = np.hstack([np.sqrt(share) * told, np.sqrt(1 - share) * hidden])

    quality = rng.standard_normal(n)
    appeal = 0.5 * quality + np.sqrt(0.75) * rng.standard_normal(n)
    return Items(traits, creator, vectors, quality, appeal, rng.standard_normal(n))


def make_users(bank: Bank, n: int, settings: WorldSettings, rng: np.random.Generator) -> Users:
    """Draw the tastes and the friends of ``n`` users."""
    n_communities = max(2, min(20, n // 10))
    community = rng.integers(n_communities, size=n)

    def tastes(count: int) -> np.ndarray:
        draw = rng.standard_normal((count, len(dimensions(bank))))
        family = np.array([bank.families.index(t.family) for t in bank.themes])
        common = rng.standard_normal((count, len(bank.families)))[:, family]
        themes = draw[:, : len(family)]
        draw[:, : len(family)] = np.sqrt(FAMILY) * common + np.sqrt(1 - FAMILY) * themes
        return draw

    shared = settings.community_share
    early, late = (
        np.sqrt(shared) * tastes(n_communities)[community] + np.sqrt(1 - shared) * tastes(n)
        for _ in range(2)
    )
    return Users(community, early, late, _friends(community, rng))


def _friends(community: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """About eight friends a user, four in five of them in the same community."""
    n = len(community)
    order = np.argsort(community, kind="stable")
    start = np.searchsorted(community[order], community)
    size = np.bincount(community)[community]
    src = np.repeat(np.arange(n), 4)
    inside = order[start[src] + (rng.random(len(src)) * size[src]).astype(int)]
    dst = np.where(rng.random(len(src)) < 0.8, inside, rng.integers(n, size=len(src)))
    pairs = np.sort(np.stack([src, dst], axis=1), axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def turn(settings: WorldSettings, moment: float) -> tuple[float, float]:
    """Weights of the early and the late taste at a moment in [0, 1] of the period.

    Their squares add up to one, so that tastes turn without growing.

    Examples
    --------
    >>> turn(WorldSettings(drift=0.0), 1.0)
    (1.0, 0.0)
    """
    angle = settings.drift * moment * np.pi / 2
    return float(np.cos(angle)), float(np.sin(angle))
