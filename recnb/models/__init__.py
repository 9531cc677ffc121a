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
    "ALS": "factorisation",
    "BPR": "factorisation",
    "MF": "variational",
    "SVDpp": "variational",
    "BFM": "bayesian",
    "Baseline": "ratings",
    "KNNBaseline": "rating_neighbours",
    "TfIdf": "content",
    "Attributes": "content",
    "TextFrozen": "content",
    "TextJoint": "content",
    "TextBFM": "hybrid_ratings",
    "TwoTower": "two_tower",
    "Blend": "blend",
    "Switch": "blend",
}
__all__ = [*_CLASSES, "describe", "make", "names", "parse_models", "register"]

if TYPE_CHECKING:
    from recnb.models.bayesian import BFM as BFM
    from recnb.models.blend import Blend as Blend
    from recnb.models.blend import Switch as Switch
    from recnb.models.content import Attributes as Attributes
    from recnb.models.content import TextFrozen as TextFrozen
    from recnb.models.content import TextJoint as TextJoint
    from recnb.models.content import TfIdf as TfIdf
    from recnb.models.factorisation import ALS as ALS
    from recnb.models.factorisation import BPR as BPR
    from recnb.models.hybrid_ratings import TextBFM as TextBFM
    from recnb.models.linear import EASE as EASE
    from recnb.models.neighbours import ItemKNN as ItemKNN
    from recnb.models.neighbours import UserKNN as UserKNN
    from recnb.models.popularity import Popularity as Popularity
    from recnb.models.popularity import Random as Random
    from recnb.models.popularity import RecentPopularity as RecentPopularity
    from recnb.models.rating_neighbours import KNNBaseline as KNNBaseline
    from recnb.models.ratings import Baseline as Baseline
    from recnb.models.two_tower import TwoTower as TwoTower
    from recnb.models.variational import MF as MF
    from recnb.models.variational import SVDpp as SVDpp


def __getattr__(name: str):
    if name in _CLASSES:
        return getattr(importlib.import_module(f"recnb.models.{_CLASSES[name]}"), name)
    raise AttributeError(f"module 'recnb.models' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
