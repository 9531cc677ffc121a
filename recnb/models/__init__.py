"""Models, from popularity to blends; each is a :class:`recnb.Recommender`, found by name in the registry."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from recnb.models.registry import describe, make, names, parse_models, register

_CLASSES = {
    "Random": "popularity",
    "Popularity": "popularity",
    "RecentPopularity": "popularity",
    "ItemKNN": "neighbours",
    "UserKNN": "neighbours",
    "EASE": "linear",
}
__all__ = [*_CLASSES, "describe", "make", "names", "parse_models", "register"]

if TYPE_CHECKING:
    from recnb.models.linear import EASE as EASE
    from recnb.models.neighbours import ItemKNN as ItemKNN
    from recnb.models.neighbours import UserKNN as UserKNN
    from recnb.models.popularity import Popularity as Popularity
    from recnb.models.popularity import Random as Random
    from recnb.models.popularity import RecentPopularity as RecentPopularity


def __getattr__(name: str):
    if name in _CLASSES:
        return getattr(importlib.import_module(f"recnb.models.{_CLASSES[name]}"), name)
    raise AttributeError(f"module 'recnb.models' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
