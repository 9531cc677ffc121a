"""Experiments: how many users before, whether the arms are sound, what differs, and looks that may be taken daily."""

from __future__ import annotations

from recnb.effect.experiment.analysis import (
    ExperimentResult,
    Guardrail,
    Reading,
    analyse,
)
from recnb.effect.experiment.anytime import always_valid, always_valid_p, mixture_scale
from recnb.effect.experiment.differences import (
    ArmDifference,
    Cuped,
    cuped,
    mean_difference,
    ratio_difference,
    sample_ratio_p,
)
from recnb.effect.experiment.interleaving import Preference, preference, team_draft
from recnb.effect.experiment.power import Plan, plan, smallest_lift, users_needed
from recnb.effect.experiment.stopping import look_of
from recnb.effect.experiment.table import Experiment, read_experiment

__all__ = [
    "ArmDifference",
    "Cuped",
    "Experiment",
    "ExperimentResult",
    "Guardrail",
    "Plan",
    "Preference",
    "Reading",
    "always_valid",
    "always_valid_p",
    "analyse",
    "cuped",
    "look_of",
    "mean_difference",
    "mixture_scale",
    "plan",
    "preference",
    "ratio_difference",
    "read_experiment",
    "sample_ratio_p",
    "smallest_lift",
    "team_draft",
    "users_needed",
]
