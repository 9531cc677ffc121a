"""An experiment read: are the arms sound, what differs, what may not get worse, what daily looks would have said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from recnb.effect.experiment.anytime import always_valid, always_valid_p, mixture_scale
from recnb.effect.experiment.differences import (
    ArmDifference,
    cuped,
    mean_difference,
    ratio_difference,
    sample_ratio_p,
)
from recnb.effect.experiment.power import smallest_lift
from recnb.effect.experiment.stopping import GOES_ON, LEAST_LOOK, USUAL_PLAN, look_of, may_stop
from recnb.effect.experiment.table import Experiment
from recnb.errors import InputError
from recnb.metrics.intervals import holm

Floats = np.ndarray
MISMATCH = 0.001
"""Below this p of the users per arm, the experiment is not read."""
SUSPECT = 0.05
"""Below this p, the users per arm are no good sign."""
EXPOSURES = frozenset(
    ("shown", "impressions", "exposures", "displays", "views", "page_views", "visits", "sessions", "requests", "sent")
)  # fmt: skip
"""Columns that count what was shown, not what followed: they are judged only where they are named."""


@dataclass(frozen=True)
class Guardrail:
    """A metric that may not get worse by more than a margin.

    Attributes
    ----------
    metric : str
    better : {"higher", "lower"}
    margin : float
        Relative, such as .01: one per cent of the control's value.
    """

    metric: str
    better: str = "higher"
    margin: float = 0.01

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower") or not self.margin >= 0:
            raise InputError(
                f"guardrail {self.metric}:{self.better}:{self.margin:g}",
                mend="write METRIC:higher:MARGIN or METRIC:lower:MARGIN, the margin at least 0",
            )


@dataclass(frozen=True)
class Reading:
    """How an experiment is read.

    Attributes
    ----------
    metrics : tuple of str
        Those that are judged, the first is primary; empty: all that are no guardrail, in no ratio, and do not count
        what was shown (`EXPOSURES`).
    ratios : dict of name to (numerator, denominator)
    guardrails : tuple of Guardrail
    expected : dict of arm to share, optional
        Shares that were meant; None: equal.
    level : float
    planned_users : int or None
        Users of all arms that were planned, where always-valid intervals are tightest; None: 10,000.
    """

    metrics: tuple[str, ...] = ()
    ratios: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    guardrails: tuple[Guardrail, ...] = ()
    expected: Mapping[str, float] | None = None
    level: float = 0.95
    planned_users: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise InputError(f"level={self.level}", mend="give a share between 0 and 1")


@dataclass(frozen=True, eq=False)
class ExperimentResult:
    """What an experiment showed.

    Attributes
    ----------
    arms : tuple of str
    counts : ndarray of shape (n_arms,)
    mismatch_p : float
        Of the users per arm under the shares that were meant.
    rows : tuple of dict
        One for each arm but the control and metric: `arm, metric, kind, method, control, treatment, difference, low,
        high, relative, relative_low, relative_high, p, p_holm, reduction, smallest_lift, always_low, always_high,
        always_relative_low, always_relative_high, always_p, verdict`.
    daily : DataFrame
        `arm, metric, day, n, difference, low, high, always_low, always_high`; empty without times.
    name : str
    notes : tuple of str
    settings : dict
    look : {"end", "early", "open", "once"}
        See :func:`recnb.effect.experiment.look_of`.
    """

    arms: tuple[str, ...]
    counts: np.ndarray
    mismatch_p: float
    rows: tuple[dict[str, Any], ...]
    daily: pd.DataFrame
    name: str
    notes: tuple[str, ...]
    settings: dict[str, Any]
    look: str = "once"

    def __repr__(self) -> str:
        verdicts = "; ".join(f"{r['metric']} in {r['arm']}: {r['verdict']}" for r in self.rows)
        return f"<ExperimentResult {self.name}, {int(self.counts.sum()):,} users: {verdicts}>"

    @property
    def sound(self) -> bool:
        """Whether the experiment may be read: the users of the arms are not clearly other than was meant."""
        return self.mismatch_p >= MISMATCH

    @property
    def suspect(self) -> bool:
        """Whether it may be read, but the users of the arms are seldom as uneven by chance."""
        return self.sound and self.mismatch_p < SUSPECT

    @property
    def goes_on(self) -> bool:
        """Whether verdicts go by the always-valid interval, as the test has not ended or nobody said when it does."""
        return self.look in GOES_ON

    @property
    def may_stop(self) -> bool | None:
        """Whether the test may stop now; None where nobody said how long it was to be, and it has no days."""
        return may_stop(self.rows, self.look) if self.sound else None

    def table(self) -> pd.DataFrame:
        """The rows as a frame."""
        return pd.DataFrame(list(self.rows))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; of an experiment that cannot be read, the arms' values alone."""
        told = ("arm", "metric", "kind", "control", "treatment", "verdict")
        rows = [row if self.sound else {key: row[key] for key in told} for row in self.rows]
        return {
            "name": self.name,
            "arms": {a: int(n) for a, n in zip(self.arms, self.counts)},
            "mismatch_p": self.mismatch_p,
            "sound": self.sound,
            "suspect": self.suspect,
            "look": self.look,
            "may_stop": self.may_stop,
            "rows": rows,
            "daily": self.daily.to_dict("records") if self.sound else [],
            "notes": list(self.notes),
            "settings": self.settings,
        }


def analyse(experiment: Experiment, reading: Reading | None = None) -> ExperimentResult:
    """Read an experiment.

    Parameters
    ----------
    experiment : Experiment
    reading : Reading, optional

    Returns
    -------
    ExperimentResult

    Raises
    ------
    InputError
        An unknown metric or arm, shares that do not add up to 1, a ratio whose denominator is negative.

    Notes
    -----
    Where a metric has its `before_METRIC`, CUPED takes it out. p values of judged metrics are corrected together over
    metrics and arms (Holm). A guardrail "holds" where the whole interval of its relative change is better than minus
    the margin, is "broken" where the whole interval is worse, else it is "not shown"; all must hold, so nothing is
    corrected there. Before the end (:func:`look_of`) all of this goes by the always-valid interval. Where the users of
    the arms are clearly not as many as was meant, every verdict is "cannot be read".
    """
    reading = reading or Reading()
    e = experiment
    metrics, guarded, passed = _chosen(e, reading)
    notes = list(e.notes)
    if passed:
        notes.append(
            f"{', '.join(passed)}: what was shown, not what followed; judged only where --metrics names it"
        )
    look = look_of(e.n_users, reading.planned_users, e.n_days)
    shares = np.full(len(e.arms), 1 / len(e.arms))
    if reading.expected is not None:
        if set(reading.expected) != set(e.arms):
            raise InputError(
                f"shares of {', '.join(map(str, reading.expected))}",
                mend=f"give one for each of {', '.join(e.arms)}",
            )
        shares = np.array([reading.expected[a] for a in e.arms], np.float64)
    counts = e.counts()
    rows: list[dict[str, Any]] = []
    daily: list[pd.DataFrame] = []
    for arm in range(1, len(e.arms)):
        for metric in (*metrics, *guarded):
            row, looks = _read(e, arm, metric, reading, guarded.get(metric), look in GOES_ON)
            row["kind"] = (
                "guardrail"
                if metric in guarded
                else "primary"
                if metric == metrics[0]
                else "secondary"
            )
            rows.append(row)
            daily.append(looks)
    _judge(rows, look in GOES_ON, 1 - reading.level)
    mismatch = sample_ratio_p(counts, shares)
    if mismatch < MISMATCH:
        rows = [row | {"verdict": "cannot be read"} for row in rows]
    return ExperimentResult(
        e.arms,
        counts,
        mismatch,
        tuple(rows),
        pd.concat(daily, ignore_index=True) if daily else pd.DataFrame(),
        e.name,
        tuple(notes),
        {
            "metrics": list(metrics),
            "ratios": {k: list(v) for k, v in reading.ratios.items()},
            "guardrails": [asdict(g) for g in reading.guardrails],
            "expected": shares.tolist(),
            "level": reading.level,
            "planned_users": reading.planned_users,
        },
        look,
    )


def _judge(rows: list[dict[str, Any]], goes_on: bool, alpha: float) -> None:
    """Write `p_holm` and the verdict of the judged metrics, by the p values of the interval that is read."""
    few = [goes_on and min(row["n_control"], row["n_treatment"]) < LEAST_LOOK for row in rows]
    judged = [row for row in rows if row["kind"] != "guardrail"]
    p_values = [row.get("always_p", 1.0) if goes_on else row["p"] for row in judged]
    for row, p in zip(judged, holm(p_values) if judged else []):
        row["p_holm"] = float(p)
        row["verdict"] = "no difference shown"
        if p < alpha:
            row["verdict"] = "higher" if row["difference"] > 0 else "lower"
    for row, too_few in zip(rows, few):
        if too_few:
            row["verdict"] = "not shown" if row["kind"] == "guardrail" else "too few users"


def _chosen(e: Experiment, reading: Reading) -> tuple[list[str], dict[str, Guardrail], list[str]]:
    """Metrics to judge, guardrails, and columns that are passed over as they count what was shown."""
    known = {*e.outcomes, *reading.ratios}
    guarded = {g.metric: g for g in reading.guardrails}
    parts = {part for pair in reading.ratios.values() for part in pair}
    for name in (*reading.metrics, *guarded, *parts):
        if name not in known:
            raise InputError(
                f"no metric is called '{name}' (found: {', '.join(sorted(known))})",
                file=e.name,
                mend="name one of these",
            )
    rest = [m for m in (*reading.ratios, *e.outcomes) if m not in guarded and m not in parts]
    passed = [m for m in rest if m.lower() in EXPOSURES and not reading.metrics]
    if len(passed) == len(rest):
        passed = []
    metrics = list(reading.metrics) or [m for m in rest if m not in passed]
    twice = [m for m in metrics if m in guarded]
    if twice or not metrics:
        raise InputError(
            f"'{twice[0]}' is judged and a guardrail" if twice else "no metric is left to judge",
            mend="a metric is one of the two, and at least one is judged",
        )
    return metrics, guarded, passed


@dataclass(frozen=True)
class _Values:
    """A metric of every user, ready to be compared: means of `top`, or ratios of sums where there is `bottom`."""

    top: Floats
    bottom: Floats | None
    method: str
    reduction: float


def _values(e: Experiment, metric: str, ratios: Mapping[str, tuple[str, str]], outcomes: Mapping[str, Floats],
            users: np.ndarray) -> _Values:  # fmt: skip
    if metric in ratios:
        top, bottom = ratios[metric]
        return _Values(outcomes[top][users], outcomes[bottom][users], "ratio", 0.0)
    y = outcomes[metric][users]
    if metric in e.before:
        taken = cuped(y, e.before[metric][users], e.arm[users])
        return _Values(taken.values, None, "CUPED", taken.reduction)
    return _Values(y, None, "mean", 0.0)


def _compared(values: _Values, of_arm: np.ndarray, arm: int, level: float) -> ArmDifference:
    a, b = of_arm == 0, of_arm == arm
    if values.bottom is not None:
        pairs = ((values.top[x], values.bottom[x]) for x in (a, b))
        return ratio_difference(next(pairs), next(pairs), level)
    return mean_difference(values.top[a], values.top[b], level)


def _read(
    e: Experiment,
    arm: int,
    metric: str,
    reading: Reading,
    guard: Guardrail | None,
    goes_on: bool,
) -> tuple[dict[str, Any], pd.DataFrame]:
    everybody = np.arange(e.n_users)
    values = _values(e, metric, reading.ratios, e.outcomes, everybody)
    d = _compared(values, e.arm, arm, reading.level)
    counts = e.counts()
    row: dict[str, Any] = {
        "arm": e.arms[arm],
        "metric": metric,
        "method": values.method,
        **asdict(d),
        "p_holm": None,
        "reduction": values.reduction,
        "smallest_lift": None,
        "verdict": "",
    }
    if values.bottom is None and d.control:
        sd = float(values.top[e.arm == 0].std(ddof=1))
        row["smallest_lift"] = smallest_lift(
            d.control, sd, int(min(counts[0], counts[arm])), 1 - reading.level
        ) if sd else None  # fmt: skip
    looks = pd.DataFrame()
    if d.error > 0:
        planned = reading.planned_users or USUAL_PLAN
        scale = mixture_scale(d.error * float(np.sqrt(e.n_users / planned)), reading.level)
        row |= _at_every_look(d, scale, reading.level)
        looks = _daily(e, arm, metric, reading, scale)
    if guard is not None:
        row["verdict"] = _guarded(row, guard, "always_" if goes_on else "")
    return row, looks


def _at_every_look(d: ArmDifference, scale: float, level: float) -> dict[str, float]:
    """The always-valid interval of a difference, its p value, and the same of the relative change."""
    gap, error = np.array([d.difference]), np.array([d.error])
    low, high = (float(end[0]) for end in always_valid(gap, error, scale, level))
    wider = (high - low) / (d.high - d.low)
    return {
        "always_low": low,
        "always_high": high,
        "always_relative_low": d.relative - wider * (d.relative - d.relative_low),
        "always_relative_high": d.relative + wider * (d.relative_high - d.relative),
        "always_p": float(always_valid_p(gap, error, scale)[0]),
    }


def _daily(e: Experiment, arm: int, metric: str, reading: Reading, scale: float) -> pd.DataFrame:
    """The difference at the end of each day, with the users and rows so far."""
    if e.daily is None:
        return pd.DataFrame()
    names: Sequence[str] = reading.ratios.get(metric, (metric,))
    so_far = {name: np.zeros(e.n_users) for name in names}
    days = e.daily["day"].to_numpy()
    out = []
    for day in range(e.n_days):
        rows = e.daily[days == day]
        for name in names:
            np.add.at(so_far[name], rows["user"].to_numpy(), rows[name].to_numpy())
        users = np.flatnonzero((e.first_day <= day) & np.isin(e.arm, (0, arm)))
        of_arm = e.arm[users]
        if min((of_arm == 0).sum(), (of_arm == arm).sum()) < LEAST_LOOK:
            continue
        values = _values(e, metric, reading.ratios, so_far, users)
        if values.bottom is not None and min(
            values.bottom[of_arm == 0].sum(), values.bottom[of_arm == arm].sum()
        ) <= 0:  # fmt: skip
            continue
        d = _compared(values, of_arm, arm, reading.level)
        if d.error > 0:
            out.append(
                {
                    "arm": e.arms[arm],
                    "metric": metric,
                    "day": day,
                    "n": len(users),
                    "difference": d.difference,
                    "error": d.error,
                    "low": d.low,
                    "high": d.high,
                }
            )
    if not out:
        return pd.DataFrame()
    looks = pd.DataFrame(out)
    gaps, errors = looks["difference"].to_numpy(), looks["error"].to_numpy()
    low, high = always_valid(gaps, errors, scale, reading.level)
    p = always_valid_p(gaps, errors, scale)
    return looks.assign(always_low=low, always_high=high, always_p=p)


def _guarded(row: dict[str, Any], guard: Guardrail, by: str) -> str:
    low, high = (row.get(f"{by}relative_{end}", np.nan) for end in ("low", "high"))
    if np.isnan(low) or np.isnan(high):
        return "not shown"
    if guard.better == "lower":
        low, high = -high, -low
    return "holds" if low > -guard.margin else "broken" if high < -guard.margin else "not shown"
