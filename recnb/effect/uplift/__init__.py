"""Causes: the effect of showing an item, which is not the chance that it is bought."""

from __future__ import annotations

from recnb.effect.uplift.learners import LEARNERS, Uplift
from recnb.effect.uplift.measures import Interval, qini, qini_curve, uplift_at
from recnb.effect.uplift.world import Counterfactuals, counterfactuals

__all__ = [
    "LEARNERS",
    "Counterfactuals",
    "Interval",
    "Uplift",
    "counterfactuals",
    "qini",
    "qini_curve",
    "uplift_at",
]
