"""The result of an off-policy estimate: records, differences, diagnostics; saved as JSON with the draws beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from recnb.effect.policy.standing import answering, objection
from recnb.errors import InputError
from recnb.metrics.intervals import holm

Floats = np.ndarray
LOGGED = "logged"


@dataclass(frozen=True)
class Record:
    """One estimate.

    Attributes
    ----------
    policy, outcome, estimator : str
    value, error, low, high : float
        Per item shown; standard error by the delta method, ends of the interval.
    n_rows, n_units : int
    """

    policy: str
    outcome: str
    estimator: str
    value: float
    error: float
    low: float
    high: float
    n_rows: int
    n_units: int

    def holds(self, value: float) -> bool:
        """Whether the interval holds a value."""
        return self.low <= value <= self.high


@dataclass(frozen=True, eq=False)
class PolicyEstimates:
    """What policies would have earned.

    Attributes
    ----------
    records : tuple of Record
    diagnostics : dict of (policy, outcome) to dict
        As :meth:`recnb.effect.policy.Diagnostics.to_dict`, with `reward_skill`: the share of the variance of held-out
        outcomes that the reward model explains.
    drawn : dict of (policy, outcome, estimator) to ndarray of shape (draws,)
        Estimates of the resamples, the same resamples throughout.
    log, settings : dict
    """

    records: tuple[Record, ...]
    diagnostics: dict[tuple[str, str], dict[str, Any]]
    drawn: dict[tuple[str, str, str], Floats]
    log: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        told = [
            f"{p}, {o}: {self.value(p, o).value:.4g} by {self.headline} ({d['answers']})"
            for (p, o), d in self.diagnostics.items()
        ]
        return f"<PolicyEstimates {self.log['name']}: {'; '.join(told)}>"

    @property
    def policies(self) -> list[str]:
        """Names, without the log's own."""
        return [p for p in dict.fromkeys(r.policy for r in self.records) if p != LOGGED]

    @property
    def outcomes(self) -> list[str]:
        """Names."""
        return list(dict.fromkeys(r.outcome for r in self.records))

    @property
    def headline(self) -> str:
        """The estimator that answers: doubly robust, else self-normalised; the reward model alone is the last."""
        return answering(r.estimator for r in self.records if r.policy != LOGGED)

    @property
    def answer(self) -> str:
        """Whether the logs can answer, in one sentence for all policies and outcomes."""
        questions = list(self.diagnostics.values())
        able = [d for d in questions if d["answers"] != "no"]
        if not able:
            return "These logs cannot answer this."
        part = f"{len(able)} of {len(questions)} questions"
        whole = "this" if len(questions) == 1 else "all of it"
        sentence = f"These logs can answer {part if len(able) < len(questions) else whole}"
        conditions = dict.fromkeys(d["condition"] for d in able if d["condition"])
        if not conditions:
            return f"{sentence}."
        return f"{sentence}{', but' * (len(questions) > 1)} only if {' and '.join(conditions)}."

    def table(self) -> pd.DataFrame:
        """Every estimate, a row each."""
        return pd.DataFrame([asdict(r) for r in self.records])

    def value(self, policy: str, outcome: str, estimator: str | None = None) -> Record:
        """One estimate; by the headline's estimator where none is named.

        Raises
        ------
        InputError
            There is no such estimate.
        """
        wanted = estimator or ("mean" if policy == LOGGED else self.headline)
        for r in self.records:
            if (r.policy, r.outcome, r.estimator) == (policy, outcome, wanted):
                return r
        raise InputError(f"no estimate '{wanted}' of {policy}, {outcome}", mend="see table()")

    def compare(self, to: str = LOGGED, estimator: str | None = None) -> pd.DataFrame:
        """Differences from one policy, over the same resamples.

        Parameters
        ----------
        to : str
            "logged" or the name of a policy.
        estimator : str, optional
            None means the headline's.

        Returns
        -------
        DataFrame
            `policy, to, outcome, estimator, difference, low, high, p, p_holm, n_units`; percentile interval, p from
            the spread of the resampled differences, Holm over the policies within an outcome.
        """
        name = estimator or self.headline
        tail = (1 - self.settings.get("level", 0.95)) / 2
        rows = []
        for outcome in self.outcomes:
            base = self.value(to, outcome, None if to == LOGGED else name)
            other = self.drawn[base.policy, outcome, base.estimator]
            family = []
            for policy in self.policies:
                if policy == to:
                    continue
                r = self.value(policy, outcome, name)
                family.append(_difference(r, base, self.drawn[policy, outcome, name] - other, tail))
            adjusted: Floats | list[float] = holm([row["p"] for row in family]) if family else []
            rows += [{**row, "p_holm": float(p)} for row, p in zip(family, adjusted)]
        return pd.DataFrame(rows)

    def can_answer(self, policy: str, outcome: str) -> bool:
        """Whether nothing speaks against believing the estimate, and nothing has to be assumed."""
        return bool(self.diagnostics[policy, outcome]["can_answer"])

    def objection(self, record: Record) -> str | None:
        """Why an estimate cannot be read; None where it can, and for the log's own mean."""
        if record.policy == LOGGED:
            return None
        return objection(record, self.diagnostics[record.policy, record.outcome])

    def standing(self, record: Record) -> str:
        """What an estimate is among the others, in a few words; empty where it stands beside the answer."""
        refused = self.objection(record)
        if refused:
            return f"refused: {refused}"
        if record.policy != LOGGED and record.estimator == self.headline:
            answers = self.diagnostics[record.policy, record.outcome]["answers"]
            return "the answer" if answers == "yes" else "the answer, on a condition"
        return "leans on its reward model alone" if record.estimator == "dm" else ""

    def in_order(self) -> list[Record]:
        """Estimates as they are to be read: of each question the answer, those beside it, those of slates, "dm"."""
        places = {(r.policy, r.outcome): at for at, r in reversed(list(enumerate(self.records)))}

        def key(r: Record) -> tuple[int, int]:
            rank = 0 if r.estimator == self.headline else 2 if r.estimator == "dm" else 1
            return places[r.policy, r.outcome], rank

        return sorted(self.records, key=key)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the draws left out."""
        return {
            "log": self.log,
            "settings": self.settings,
            "headline": self.headline,
            "answer": self.answer,
            "records": [
                {**asdict(r), "readable": self.objection(r) is None, "standing": self.standing(r)}
                for r in self.records
            ],
            "comparisons": self.compare().to_dict("records"),
            "diagnostics": [
                {"policy": p, "outcome": o, **d} for (p, o), d in self.diagnostics.items()
            ],
        }

    @classmethod
    def joined(cls, results: Sequence[PolicyEstimates]) -> PolicyEstimates:
        """Results of several policies on one log with the same settings as one."""
        first = results[0]
        if any((r.log, r.settings) != (first.log, first.settings) for r in results):
            raise InputError("results of other logs or settings", mend="join those of one log")
        records = dict.fromkeys(r for result in results for r in result.records)
        return cls(
            records=tuple(records),
            diagnostics={k: d for r in results for k, d in r.diagnostics.items()},
            drawn={k: d for r in results for k, d in r.drawn.items()},
            log=first.log,
            settings=first.settings,
        )


def _difference(r: Record, base: Record, drawn: Floats, tail: float) -> dict[str, Any]:
    gap = r.value - base.value
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    spread = float(np.nanstd(drawn, ddof=1))
    p = 1.0 if gap == 0 else 0.0 if spread == 0 else float(2 * norm.sf(abs(gap) / spread))
    return {
        "policy": r.policy,
        "to": base.policy,
        "outcome": r.outcome,
        "estimator": r.estimator,
        "difference": gap,
        "low": float(low),
        "high": float(high),
        "p": p,
        "n_units": r.n_units,
    }
