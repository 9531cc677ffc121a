"""Which of several estimates answers, which stand beside it, and which cannot be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from recnb.effect.policy.diagnostics import LEAST_EFFECTIVE, MOST_SKEWED
from recnb.effect.policy.estimators import OF_SLATES

if TYPE_CHECKING:
    from recnb.effect.policy.result import Record

TRUSTED = ("dr", "snips", "ips", "clipped", "switch_dr", *OF_SLATES, "dm")
"""The first of these that was made answers: the reward model alone is the last to be asked."""
_RATES = ("click", "conversion")


def answering(estimators: Iterable[str]) -> str:
    """The estimator that answers.

    Examples
    --------
    >>> answering(["dm", "ips", "dr"]), answering(["dm", "ips"])
    ('dr', 'ips')
    """
    made = set(estimators)
    return next(name for name in TRUSTED if name in made)


def possible(outcome: str, values: np.ndarray) -> tuple[float | None, float | None]:
    """The least and the largest mean that an outcome can have; None where nothing bounds it.

    Examples
    --------
    >>> possible("click", np.array([0, 1])), possible("revenue", np.array([0, 9.5]))
    ((0.0, 1.0), (0.0, None))
    """
    if outcome in _RATES:
        return 0.0, 1.0
    return (0.0 if values.min() >= 0 else None), None


def impossible(record: Record, least: float | None, most: float | None) -> str | None:
    """Why the number is none that the outcome can have; None where it is one."""
    if least is not None and record.value < least:
        return f"out of range, no {record.outcome} is below {least:g}"
    if most is not None and record.value > most:
        return f"out of range, no {record.outcome} is above {most:g}"
    if least is not None and most is not None and record.low <= least and record.high >= most:
        return "its interval holds every value there is"
    return None


def objection(record: Record, diagnostics: dict[str, Any]) -> str | None:
    """Why an estimate cannot be read; None where it can."""
    out_of_range = impossible(record, diagnostics["least"], diagnostics["most"])
    if out_of_range:
        return out_of_range
    if diagnostics["answers"] == "no":
        return "the log cannot say"
    if record.estimator in OF_SLATES and not diagnostics["slates_can_answer"]:
        effective, skewed = diagnostics["slate_effective"], diagnostics["slate_skewness"]
        if effective < LEAST_EFFECTIVE:
            return f"its weights tell as much as {effective:,.0f} slates ({LEAST_EFFECTIVE} are needed)"
        return f"few slates hold its weight (skewness {skewed:.2f}, at most {MOST_SKEWED:g})"
    return None
