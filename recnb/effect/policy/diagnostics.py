"""Can these logs answer? What the weights of a policy say about it, before its estimate is believed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from recnb.effect.logs import Log
from recnb.metrics.intervals import holm

Floats = np.ndarray

LEAST_EFFECTIVE = 200
"""Below so many effective rows, intervals of weighted outcomes miss the truth too often."""
LARGEST_SHARE = 0.05
"""One row with more than this share of all weight decides the estimate."""
MOST_SKEWED = 0.1
"""Above this skewness of the weights, intervals cover less than they promise (`results/off_policy.json`)."""
MOST_UNSEEN = 0.05
"""The share of the policy's showings that the log has nothing to say about."""
MEAN_OFF = 0.05
"""How far the mean weight may lie from 1 when its interval excludes 1."""
LEAST_EVENTS = 10
"""Fewer rows with an outcome above 0 say little about any policy."""


@dataclass(frozen=True)
class Diagnostics:
    """What the weights of one policy on one log look like.

    Attributes
    ----------
    n_rows : int
    effective_rows : float
        (sum w)^2 / sum w^2: how many rows of equal weight would tell as much.
    effective_share : float
    largest_weight : float
    largest_share : float
        Share of the largest weight in the sum of all.
    skewness : float
        sum w^3 / (sum w^2)^(3/2): how far the estimate is from normal because rare weights are large. A bound of the
        normal approximation's error is in proportion to it (Berry and Esseen).
    mean_weight, mean_weight_error : float
        1 where propensities are right and the log could show all that the policy shows. Less where it could not; more
        where the propensities are wrong.
    unseen_mass : float
        Share of the policy's showings of items that no row of the log shows at that place.
    zero_share : float
        Share of the rows that the policy would never show.
    miscalibrated : tuple of str
        Items whose rows, each counted 1 / propensity, add up to more than the log has rows (Holm over the items,
        1 %): their propensities are too small. No right propensity does that.
    events : int
        Rows with an outcome above 0 and a weight above 0.
    estimated : bool
        Whether the propensities are estimates.
    assumption : str or None
        What must hold for estimates to be right.
    reasons : tuple of str
        Why the logs cannot answer; empty where they can.
    """

    n_rows: int
    effective_rows: float
    effective_share: float
    largest_weight: float
    largest_share: float
    skewness: float
    mean_weight: float
    mean_weight_error: float
    unseen_mass: float
    zero_share: float
    miscalibrated: tuple[str, ...]
    events: int
    estimated: bool
    assumption: str | None
    reasons: tuple[str, ...]

    @property
    def answers(self) -> str:
        """Whether the logs can answer: "yes"; "if", where propensities are estimates; "no"."""
        return "no" if self.reasons else "if" if self.estimated else "yes"

    @property
    def can_answer(self) -> bool:
        """Whether nothing speaks against believing the estimate, and nothing has to be assumed."""
        return self.answers == "yes"

    @property
    def verdict(self) -> str:
        """In one sentence."""
        if self.answers == "yes":
            return "These logs can answer this."
        if self.answers == "if":
            return f"These logs can answer this only if {self.condition}."
        return f"These logs cannot answer this: {'; '.join(self.reasons)}."

    @property
    def condition(self) -> str:
        """What must hold where the answer is "if": the weights of estimated propensities cannot show it."""
        return self.assumption or "the estimated propensities are right"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the verdict with them."""
        return {
            **asdict(self),
            "miscalibrated": list(self.miscalibrated),
            "reasons": list(self.reasons),
            "answers": self.answers,
            "can_answer": self.can_answer,
            "condition": self.condition if self.answers == "if" else None,
            "verdict": self.verdict,
        }


def diagnose(log: Log, weight: Floats, outcome: Floats, unseen_mass: float) -> Diagnostics:
    """Look at the weights of a policy.

    Parameters
    ----------
    log : Log
        With propensities.
    weight : ndarray of shape (n,)
        Chance under the policy over the propensity.
    outcome : ndarray of shape (n,)
    unseen_mass : float
        From :func:`recnb.effect.policy.showing.showings`.

    Returns
    -------
    Diagnostics

    References
    ----------
    Kong, A note on importance sampling using standardized weights, 1992 (effective sample size).
    """
    total, n = float(weight.sum()), log.n
    square = float((weight * weight).sum())
    effective = total * total / square if square else 0.0
    mean = total / n
    error = _mean_error(weight, log.unit)
    known: dict[str, Any] = {
        "n_rows": n,
        "effective_rows": effective,
        "effective_share": effective / n,
        "largest_weight": float(weight.max()),
        "largest_share": float(weight.max()) / total if total else 1.0,
        "skewness": float((weight**3).sum()) / square**1.5 if square else 1.0,
        "mean_weight": mean,
        "mean_weight_error": error,
        "unseen_mass": unseen_mass,
        "zero_share": float((weight == 0).mean()),
        "miscalibrated": _too_often(log),
        "events": int(((outcome != 0) & (weight > 0)).sum()),
        "estimated": log.estimated,
        "assumption": log.assumption,
    }
    return Diagnostics(**known, reasons=_reasons(known, log.doubt))


def _reasons(d: dict[str, Any], doubt: str | None) -> tuple[str, ...]:
    out = [doubt] if doubt else []
    if d["effective_rows"] < LEAST_EFFECTIVE:
        out.append(
            f"the {d['n_rows']:,} rows tell as much as {d['effective_rows']:,.0f} "
            f"(at least {LEAST_EFFECTIVE} are needed)"
        )
    if d["largest_share"] > LARGEST_SHARE:
        out.append(f"one row holds {d['largest_share']:.0%} of all weight")
    if d["skewness"] > MOST_SKEWED:
        out.append(
            f"few rows hold much of the weight (skewness {d['skewness']:.2f}, at most {MOST_SKEWED:g}), and such "
            "intervals are too narrow"
        )
    if d["unseen_mass"] > MOST_UNSEEN:
        out.append(f"{d['unseen_mass']:.0%} of what the policy shows was never shown")
    far = abs(d["mean_weight"] - 1)
    if far > MEAN_OFF and far > norm.ppf(0.9995) * d["mean_weight_error"]:
        why = (
            "the log could not show all that the policy shows, or propensities are too large"
            if d["mean_weight"] < 1
            else "propensities are too small"
        )
        out.append(f"the weights have mean {d['mean_weight']:.2f} where 1 is due: {why}")
    if d["miscalibrated"]:
        out.append(
            f"the propensities of {len(d['miscalibrated']):,} items are too small for how often they are shown "
            f"('{d['miscalibrated'][0]}')"
        )
    if d["events"] < LEAST_EVENTS:
        out.append(f"{d['events']} rows that the policy would show have an outcome")
    return tuple(out)


def _mean_error(values: Floats, unit: np.ndarray) -> float:
    """Standard error of a mean over rows, by unit."""
    n_units = int(unit.max()) + 1
    if n_units < 2:
        return float("inf")
    rest = np.bincount(unit, values - values.mean(), n_units)
    return float(np.sqrt((rest**2).sum() * n_units / (n_units - 1)) / len(values))


def _too_often(log: Log) -> tuple[str, ...]:
    """Items whose inverse propensities add up to clearly more than the number of rows."""
    p = log.propensity
    assert p is not None
    n_items, n_units = len(log.item_ids), int(log.unit.max()) + 1
    inverse = 1 / p
    sums = np.bincount(log.item, inverse, n_items)
    # Sums of each (item, unit) once, so that rows of one user are not taken as independent.
    whose: np.ndarray = log.item
    of_pair: Floats = inverse
    if n_units < log.n:
        pair, place = np.unique(log.item * np.int64(n_units) + log.unit, return_inverse=True)
        of_pair, whose = np.bincount(place, inverse), pair // n_units
    squares = np.bincount(whose, of_pair**2, n_items)
    variance = np.maximum(squares - sums**2 / n_units, 1e-12)
    counts = np.bincount(log.item, minlength=n_items)
    z = (sums - log.n) / np.sqrt(variance)
    z[counts < 30] = -np.inf
    wrong = (holm(norm.sf(z)) < 0.01) & (sums > (1 + MEAN_OFF) * log.n)
    order = np.argsort(-z)
    return tuple(str(log.item_ids[at]) for at in order if wrong[at])
