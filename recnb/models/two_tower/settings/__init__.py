"""Settings of a two tower: in groups, each checked alone, and flat by name."""

from recnb.models.two_tower.settings.flat import flat
from recnb.models.two_tower.settings.groups import (
    GROUPS,
    POOLINGS,
    Fusion,
    Optimisation,
    Reading,
    Scoring,
    Settings,
    Tuning,
    Users,
)

__all__ = [
    "GROUPS",
    "POOLINGS",
    "Fusion",
    "Optimisation",
    "Reading",
    "Scoring",
    "Settings",
    "Tuning",
    "Users",
    "flat",
]
