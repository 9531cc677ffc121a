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
from recnb.effect.experiment.table import Experiment
from recnb.errors import InputError
from recnb.metrics.intervals import holm

Floats = np.ndarray
MISMATCH = 0.001
"""Below this p of the users per arm, the experiment is not read."""
LEAST_LOOK = 200
"""Users an arm from which daily looks begin."""


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
        Those that are judged, the first is primary; empty: all that are no guardrail and in no ratio.
    ratios : dict of name to (numerator, denominator)
    guardrails : tuple of Guardrail
    expected : dict of arm to share, optional
        Shares that were meant; None: equal.
    level : float
    planned_users : int or None
        Users of all arms that were planned, for which daily intervals are tightest; None: those of the table.
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
        always_p, verdict`.
    daily : DataFrame
        `arm, metric, day, n, difference, low, high, always_low, always_high`; empty without times.
    name : str
    notes : tuple of str
    settings : dict
    """

    arms: tuple[str, ...]
    counts: np.ndarray
    mismatch_p: float
    rows: tuple[dict[str, Any], ...]
    daily: pd.DataFrame
    name: str
    notes: tuple[str, ...]
    settings: dict[str, Any]

    @property
    def sound(self) -> bool:
        """Whether the users of the arms are as many as was meant."""
        return self.mismatch_p >= MISMATCH

    def table(self) -> pd.DataFrame:
        """The rows as a frame."""
        return pd.DataFrame(list(self.rows))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "arms": {a: int(n) for a, n in zip(self.arms, self.counts)},
            "mismatch_p": self.mismatch_p,
            "sound": self.sound,
            "rows": list(self.rows),
            "daily": self.daily.to_dict("records"),
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
    corrected there.
    """
    reading = reading or Reading()
    e = experiment
    metrics, guarded = _chosen(e, reading)
    notes = list(e.notes)
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
            row, looks = _read(e, arm, metric, reading, guarded.get(metric))
            row["kind"] = (
                "guardrail"
                if metric in guarded
                else "primary"
                if metric == metrics[0]
                else "secondary"
            )
            rows.append(row)
            daily.append(looks)
    judged = [row for row in rows if row["kind"] != "guardrail"]
    for row, p in zip(judged, holm([row["p"] for row in judged]) if judged else []):
        row["p_holm"] = float(p)
        row["verdict"] = _verdict(row, 1 - reading.level)
    if e.daily is not None and reading.planned_users is None:
        notes.append(
            "daily intervals are tightest at the number of users of this table, as none was planned"
        )
    return ExperimentResult(
        e.arms,
        counts,
        sample_ratio_p(counts, shares),
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
    )


def _chosen(e: Experiment, reading: Reading) -> tuple[list[str], dict[str, Guardrail]]:
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
    metrics = list(reading.metrics) or rest
    twice = [m for m in metrics if m in guarded]
    if twice or not metrics:
        raise InputError(
            f"'{twice[0]}' is judged and a guardrail" if twice else "no metric is left to judge",
            mend="a metric is one of the two, and at least one is judged",
        )
    return metrics, guarded


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
    e: Experiment, arm: int, metric: str, reading: Reading, guard: Guardrail | None
) -> tuple[dict[str, Any], pd.DataFrame]:
    everybody = np.arange(e.n_users)
    values = _values(e, metric, reading.ratios, e.outcomes, everybody)
    d = _compared(values, e.arm, arm, reading.level)
    counts = e.counts()
    planned = reading.planned_users or e.n_users
    planned_error = d.error * float(np.sqrt(e.n_users / planned))
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
    if guard is not None:
        row["verdict"] = _guarded(d, guard)
    looks = pd.DataFrame()
    if planned_error > 0:
        scale = mixture_scale(planned_error, reading.level)
        looks = _daily(e, arm, metric, reading, scale)
        series = (
            looks
            if len(looks)
            else pd.DataFrame({"difference": [d.difference], "error": [d.error]})
        )
        low, high = always_valid(
            series["difference"].to_numpy(), series["error"].to_numpy(), scale, reading.level
        )
        p = always_valid_p(series["difference"].to_numpy(), series["error"].to_numpy(), scale)
        row |= {
            "always_low": float(low[-1]),
            "always_high": float(high[-1]),
            "always_p": float(p[-1]),
        }
        if len(looks):
            looks = looks.assign(always_low=low, always_high=high, always_p=p)
    return row, looks


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
    return pd.DataFrame(out)


def _guarded(d: ArmDifference, guard: Guardrail) -> str:
    if np.isnan(d.relative):
        return "not shown"
    low, high = d.relative_low, d.relative_high
    if guard.better == "lower":
        low, high = -high, -low
    return "holds" if low > -guard.margin else "broken" if high < -guard.margin else "not shown"


def _verdict(row: dict[str, Any], alpha: float) -> str:
    if row["p_holm"] >= alpha:
        return "no difference shown"
    return "higher" if row["difference"] > 0 else "lower"
