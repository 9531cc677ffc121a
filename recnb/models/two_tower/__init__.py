"""The two tower: a network reads the items, another the users, a head scores them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

# Loaded at first use: torch only where something needs it.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["heads", "users"],
    submod_attrs={
        "batches": ["BatchMaker", "UserFacts"],
        "modalities.cnn": ["SmallCNN", "cnn_features", "fit_cnn", "read_inputs"],
        "fusion": ["FUSIONS", "Fuse"],
        "heads": ["HEADS", "MLP", "Dot", "WeightedSum", "make_head"],
        "modalities": ["Modalities"],
        "model": ["TwoTower"],
        "network": ["TwoTowerNetwork"],
        "users": ["HistoryPool", "UserTower"],
    },
)

if TYPE_CHECKING:
    from recnb.models.two_tower import heads as heads
    from recnb.models.two_tower import users as users
    from recnb.models.two_tower.batches import BatchMaker as BatchMaker
    from recnb.models.two_tower.batches import UserFacts as UserFacts
    from recnb.models.two_tower.fusion import FUSIONS as FUSIONS
    from recnb.models.two_tower.fusion import Fuse as Fuse
    from recnb.models.two_tower.heads import HEADS as HEADS
    from recnb.models.two_tower.heads import MLP as MLP
    from recnb.models.two_tower.heads import Dot as Dot
    from recnb.models.two_tower.heads import WeightedSum as WeightedSum
    from recnb.models.two_tower.heads import make_head as make_head
    from recnb.models.two_tower.modalities import Modalities as Modalities
    from recnb.models.two_tower.modalities.cnn import SmallCNN as SmallCNN
    from recnb.models.two_tower.modalities.cnn import cnn_features as cnn_features
    from recnb.models.two_tower.modalities.cnn import fit_cnn as fit_cnn
    from recnb.models.two_tower.modalities.cnn import read_inputs as read_inputs
    from recnb.models.two_tower.model import TwoTower as TwoTower
    from recnb.models.two_tower.network import TwoTowerNetwork as TwoTowerNetwork
    from recnb.models.two_tower.users import HistoryPool as HistoryPool
    from recnb.models.two_tower.users import UserTower as UserTower
