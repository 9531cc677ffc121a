"""What a policy would have earned, from logs of another: estimates, intervals, and whether the logs can answer."""

from __future__ import annotations

from recnb.effect.policy.diagnostics import Diagnostics, diagnose
from recnb.effect.policy.estimate import EVERY, Settings, estimate, row_pairs
from recnb.effect.policy.estimators import ESTIMATORS, Rows, parts
from recnb.effect.policy.policies import (
    Policy,
    ScorePolicy,
    TablePolicy,
    UniformPolicy,
    list_policy,
    model_policy,
    softmax,
    table_policy,
)
from recnb.effect.policy.propensities import estimate_propensities
from recnb.effect.policy.resampling import Resampled, ratio_intervals
from recnb.effect.policy.result import LOGGED, PolicyEstimates, Record
from recnb.effect.policy.rewards import ItemRewards, Rewards, ScoreRewards
from recnb.effect.policy.showing import Showings, showings
from recnb.effect.policy.slates import SLATE_ESTIMATORS, slate_parts

__all__ = [
    "ESTIMATORS",
    "EVERY",
    "LOGGED",
    "SLATE_ESTIMATORS",
    "Diagnostics",
    "ItemRewards",
    "Policy",
    "PolicyEstimates",
    "Record",
    "Resampled",
    "Rewards",
    "Rows",
    "ScorePolicy",
    "ScoreRewards",
    "Settings",
    "Showings",
    "TablePolicy",
    "UniformPolicy",
    "diagnose",
    "estimate",
    "estimate_propensities",
    "list_policy",
    "model_policy",
    "parts",
    "ratio_intervals",
    "row_pairs",
    "showings",
    "slate_parts",
    "softmax",
    "table_policy",
]
