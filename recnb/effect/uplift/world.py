"""The effect of showing in a generated world: what a user takes when an item is shown, less what he takes anyway."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recnb.world import World

Floats = np.ndarray


@dataclass(frozen=True)
class Counterfactuals:
    """Chances of every pair in one period, shape (n_users, n_items).

    Attributes
    ----------
    without : ndarray
        Taken though not shown: found by oneself, and taken.
    shown : ndarray
        Taken when shown once at the first place, either way.
    """

    without: Floats
    shown: Floats

    @property
    def effect(self) -> Floats:
        """What showing adds."""
        return self.shown - self.without


def counterfactuals(world: World, visits: float = 1.0) -> Counterfactuals:
    """Chances with and without being shown, at the end of the world's time.

    Parameters
    ----------
    world : World
    visits : float > 0
        Visits in the period: in each, a user finds `found` items by himself, in proportion to his demand.
    """
    truth = world.truth
    found = -np.expm1(-world.settings.found * visits * truth.demand)
    without = found * truth.conversion
    # Shown and found are independent ways to the same item; one of them is enough.
    clicked = truth.click * truth.conversion
    return Counterfactuals(without, 1 - (1 - without) * (1 - clicked))
