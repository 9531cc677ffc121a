"""Effect: what a policy would have earned, what an experiment showed, whom showing an item changes.

From a log of shown items: :func:`read_log` gives a :class:`Log`; :func:`estimate` says what policies would have earned
(:class:`UniformPolicy`, :func:`model_policy`, :func:`list_policy`, :func:`table_policy`), a :class:`PolicyEstimates`.
From an experiment: :func:`read_experiment` gives an :class:`Experiment`, :func:`analyse` an :class:`ExperimentResult`.
The rest lies in rooms of its own: `logs`, `policy`, `experiment`, `uplift`, `bandit`, `reasons`, `fairness`, `attacks`.

The floor stands on `metrics`, `data`, `world` and `recommender`, and knows no model: a policy is made from any
:class:`recnb.Recommender`, from lists, or from a table of probabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

# Loaded at first use: each room needs its own libraries.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "attacks", "bandit", "experiment", "fairness", "logs", "policy", "reasons", "uplift",
    ],
    submod_attrs={
        "experiment": ["Experiment", "ExperimentResult", "Reading", "analyse", "read_experiment"],
        "logs": ["Log", "read_log"],
        "policy": [
            "PolicyEstimates", "Settings", "UniformPolicy", "estimate", "list_policy", "model_policy", "table_policy",
        ],
    },
)  # fmt: skip

if TYPE_CHECKING:
    from recnb.effect import attacks as attacks
    from recnb.effect import bandit as bandit
    from recnb.effect import experiment as experiment
    from recnb.effect import fairness as fairness
    from recnb.effect import logs as logs
    from recnb.effect import policy as policy
    from recnb.effect import reasons as reasons
    from recnb.effect import uplift as uplift
    from recnb.effect.experiment import Experiment as Experiment
    from recnb.effect.experiment import ExperimentResult as ExperimentResult
    from recnb.effect.experiment import Reading as Reading
    from recnb.effect.experiment import analyse as analyse
    from recnb.effect.experiment import read_experiment as read_experiment
    from recnb.effect.logs import Log as Log
    from recnb.effect.logs import read_log as read_log
    from recnb.effect.policy import PolicyEstimates as PolicyEstimates
    from recnb.effect.policy import Settings as Settings
    from recnb.effect.policy import UniformPolicy as UniformPolicy
    from recnb.effect.policy import estimate as estimate
    from recnb.effect.policy import list_policy as list_policy
    from recnb.effect.policy import model_policy as model_policy
    from recnb.effect.policy import table_policy as table_policy
