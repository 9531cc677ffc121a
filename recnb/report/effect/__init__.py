"""Pages about effects: policies judged from logs, experiments, attacks."""

from __future__ import annotations

from recnb.report.effect.attack import write_attacks
from recnb.report.effect.experiment import write_experiment
from recnb.report.effect.policy import write_policies

__all__ = ["write_attacks", "write_experiment", "write_policies"]
