"""Pages about effects: policies judged from logs, experiments."""

from __future__ import annotations

from recnb.report.effect.experiment import write_experiment
from recnb.report.effect.policy import write_policies

__all__ = ["write_experiment", "write_policies"]
