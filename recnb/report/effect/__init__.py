"""Pages about effects: studies over data sets, policies judged from logs, experiments, attacks, reasons."""

from __future__ import annotations

from recnb.report.effect.across import write_across
from recnb.report.effect.attack import write_attacks
from recnb.report.effect.experiment import write_experiment
from recnb.report.effect.policy import write_policies
from recnb.report.effect.reasons import write_reasons

__all__ = ["write_across", "write_attacks", "write_experiment", "write_policies", "write_reasons"]
