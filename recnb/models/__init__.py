"""Models, from popularity to blends; each is a :class:`recnb.Recommender`, found by name in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

from recnb.models.registry import describe, make, names, parse_models, register

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "blends": ["Blend", "Switch"],
        "classical.factorisation": ["ALS", "BPR", "solve_rows"],
        "classical.linear": ["EASE"],
        "classical.neighbours": ["ItemKNN", "UserKNN"],
        "classical.popularity": ["Popularity", "Random", "RecentPopularity"],
        "common.histories": ["padded"],
        "content.base": ["Attributes", "TextFrozen", "TextJoint", "TfIdf"],
        "ratings.baseline": ["Baseline"],
        "ratings.bayesian": ["BFM"],
        "ratings.neighbours": ["KNNBaseline"],
        "ratings.text_bfm": ["TextBFM"],
        "ratings.variational": ["MF", "SVDpp"],
        "two_tower.model": ["TwoTower"],
    },
)
__all__ += ["describe", "make", "names", "parse_models", "register"]

if TYPE_CHECKING:
    from recnb.models.blends import Blend as Blend
    from recnb.models.blends import Switch as Switch
    from recnb.models.classical.factorisation import ALS as ALS
    from recnb.models.classical.factorisation import BPR as BPR
    from recnb.models.classical.factorisation import solve_rows as solve_rows
    from recnb.models.classical.linear import EASE as EASE
    from recnb.models.classical.neighbours import ItemKNN as ItemKNN
    from recnb.models.classical.neighbours import UserKNN as UserKNN
    from recnb.models.classical.popularity import Popularity as Popularity
    from recnb.models.classical.popularity import Random as Random
    from recnb.models.classical.popularity import RecentPopularity as RecentPopularity
    from recnb.models.common.histories import padded as padded
    from recnb.models.content.base import Attributes as Attributes
    from recnb.models.content.base import TextFrozen as TextFrozen
    from recnb.models.content.base import TextJoint as TextJoint
    from recnb.models.content.base import TfIdf as TfIdf
    from recnb.models.ratings.baseline import Baseline as Baseline
    from recnb.models.ratings.bayesian import BFM as BFM
    from recnb.models.ratings.neighbours import KNNBaseline as KNNBaseline
    from recnb.models.ratings.text_bfm import TextBFM as TextBFM
    from recnb.models.ratings.variational import MF as MF
    from recnb.models.ratings.variational import SVDpp as SVDpp
    from recnb.models.two_tower.model import TwoTower as TwoTower
