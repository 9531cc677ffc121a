"""What policies would have earned, from one log: every estimate with its interval, differences, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from recnb.effect.logs import Log
from recnb.effect.policy.diagnostics import LEAST_EFFECTIVE, MOST_SKEWED, diagnose
from recnb.effect.policy.estimators import ESTIMATORS, MODELLED, OF_SLATES, Rows, parts
from recnb.effect.policy.policies import Policy
from recnb.effect.policy.propensities import estimate_propensities
from recnb.effect.policy.resampling import Resampled, ratio_intervals, sums_by_unit
from recnb.effect.policy.result import LOGGED, PolicyEstimates, Record
from recnb.effect.policy.rewards import ItemRewards, Rewards
from recnb.effect.policy.showing import Showings, showings
from recnb.effect.policy.slates import slate_parts
from recnb.effect.policy.standing import answering, impossible, possible
from recnb.errors import InputError

Floats = np.ndarray
EVERY = (*ESTIMATORS, *OF_SLATES)


@dataclass(frozen=True)
class Settings:
    """How policies are estimated.

    Attributes
    ----------
    estimators : tuple of str
        Of "dm", "ips", "clipped", "snips", "dr", "switch_dr", and of slates "reward_interaction", "cascade_dr". By
        default all, those of slates where the log has any.
    clip, switch : float or None
        Largest weight of "clipped", and largest weight that "switch_dr" trusts; None: the root of the number of rows
        (Ionides, J. Comp. Graph. Stat. 2008).
    folds : int
        Of the reward model.
    draws, seed, level, interval
        As in :func:`recnb.effect.policy.ratio_intervals`.
    """

    estimators: tuple[str, ...] = EVERY
    clip: float | None = None
    switch: float | None = None
    folds: int = 5
    draws: int = 1000
    seed: int = 0
    level: float = 0.95
    interval: str = "studentised"

    def __post_init__(self) -> None:
        if not self.estimators:
            raise InputError("no estimator", mend=f"name some of {', '.join(EVERY)}")
        for name in self.estimators:
            if name not in EVERY:
                raise InputError(f"unknown estimator '{name}'", mend=f"one of {', '.join(EVERY)}")
        for name in ("clip", "switch"):
            bound = getattr(self, name)
            if bound is not None and not bound > 0:
                raise InputError(f"{name}={bound}", mend="give a weight above 0")
        if not 0 < self.level < 1:
            raise InputError(f"level={self.level}", mend="give a share between 0 and 1")
        if self.folds < 2:
            raise InputError(f"folds={self.folds}", mend="at least 2, so that no row judges itself")

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "estimators": list(self.estimators)}


def estimate(
    log: Log,
    policies: Mapping[str, Policy],
    outcomes: Sequence[str] | None = None,
    rewards: Rewards | None = None,
    settings: Settings | None = None,
) -> PolicyEstimates:
    """Estimate what each policy would have earned per item shown.

    Parameters
    ----------
    log : Log
        Without propensities they are estimated from shares of items, and the result says so.
    policies : mapping of name to Policy
    outcomes : sequence of str, optional
        None means all that are logged.
    rewards : Rewards, optional
        The reward model of "dm", "dr" and "switch_dr"; None means :class:`ItemRewards`.
    settings : Settings, optional

    Returns
    -------
    PolicyEstimates
        With the mean of the log beside, as policy "logged".

    Raises
    ------
    InputError
        No policy, one called "logged", an unknown outcome, chances that do not add up to 1, or an estimator of slates
        is named for a log that has none.

    Examples
    --------
    >>> import pandas as pd
    >>> from recnb.effect.policy import UniformPolicy
    >>> rng = np.random.default_rng(0)
    >>> item = rng.choice(["a", "b"], 1000, p=[0.8, 0.2])
    >>> log = Log.from_frame(pd.DataFrame({"item_id": item, "propensity": np.where(item == "a", 0.8, 0.2),
    ...                                    "click": (item == "b") & (rng.random(1000) < 0.5)}).astype({"click": float}))
    >>> result = estimate(log, {"even": UniformPolicy(2)})
    >>> result.value("even", "click", "ips").holds(0.25)
    True
    """
    settings = settings or Settings()
    if not policies:
        raise InputError("no policy", mend="give at least one")
    if LOGGED in policies:
        raise InputError(f"a policy is called '{LOGGED}'", mend="this name is the log's own mean")
    if log.propensity is None:
        log = estimate_propensities(log)
    settings = _for_log(settings, log)
    rewards = rewards or ItemRewards()
    records: list[Record] = []
    drawn: dict[tuple[str, str, str], Floats] = {}
    verdicts: dict[tuple[str, str], dict[str, Any]] = {}
    for outcome in outcomes or _telling(log):
        r = log.outcome(outcome)
        counted = _resampled(log, {"mean": (r, np.ones(log.n))}, settings)
        _keep(records, drawn, LOGGED, outcome, ["mean"], counted, log.n)
        for name, policy in policies.items():
            modelled = bool(set(settings.estimators) & set(MODELLED))
            shown = showings(
                log, policy, r, rewards if modelled else None, settings.folds, settings.seed
            )
            pairs = row_pairs(log, shown, r, settings)
            _keep(
                records, drawn, name, outcome, list(pairs), _resampled(log, pairs, settings), log.n
            )
            answer = answering(pairs)
            record = next(r for r in reversed(records) if r.estimator == answer)
            verdicts[name, outcome] = _verdict(log, shown, r, record)
    return PolicyEstimates(
        records=tuple(records),
        diagnostics=verdicts,
        drawn=drawn,
        log={
            "name": log.name,
            "digest": log.digest,
            "rows": log.n,
            "units": int(log.unit.max()) + 1,
            "unit": log.unit_name,
            "items": len(log.item_ids),
            "propensities": "estimated" if log.estimated else "logged",
            "notes": list(log.notes),
        },
        settings=settings.to_dict(),
    )


def _telling(log: Log) -> tuple[str, ...]:
    """Outcomes that are not 0 in every row; all where none is."""
    some = tuple(name for name in log.outcomes if log.outcome(name).any())
    return some or log.outcomes


def row_pairs(
    log: Log, shown: Showings, outcome: Floats, settings: Settings
) -> dict[str, tuple[Floats, Floats]]:
    """Numerators and denominators of every estimator, a row each; of slates on the row of their first place."""
    p = log.propensity
    assert p is not None
    root = float(np.sqrt(log.n))
    rows = Rows(shown.chance / p, outcome, shown.expected, shown.value)
    clip, switch = settings.clip or root, settings.switch or root
    out = {
        name: parts(name, rows, clip, switch) for name in settings.estimators if name in ESTIMATORS
    }
    of_slates = [name for name in OF_SLATES if name in settings.estimators]
    if not of_slates or not _has_slates(log):
        return out
    # Values are per item shown, so a slate counts its places.
    first = np.zeros(log.n, bool)
    order = np.lexsort((log.position, log.slate))
    first[order[np.append(True, np.diff(log.slate[order]) != 0)]] = True
    sizes = np.bincount(log.slate).astype(float)
    for name in of_slates:
        if name == "cascade_dr":
            if shown.value is None or shown.expected is None:
                continue
            later = _later(shown.value, log.slate, order)
            rows = Rows(rows.weight, outcome, shown.expected + later, shown.value + later)
        whole = slate_parts(name, rows, log.slate, log.position)[0]
        numerator, denominator = np.zeros(log.n), np.zeros(log.n)
        numerator[first], denominator[first] = whole[log.slate[first]], sizes[log.slate[first]]
        out[name] = numerator, denominator
    return out


def _for_log(settings: Settings, log: Log) -> Settings:
    """The settings with the estimators that this log can have."""
    if _has_slates(log) or not set(settings.estimators) & set(OF_SLATES):
        return settings
    if settings.estimators == EVERY:
        return replace(settings, estimators=ESTIMATORS)
    raise InputError(
        f"{log.name} has no slates of two places or more for {' and '.join(OF_SLATES)}",
        mend="give slate_id and position, or leave these estimators out",
    )


def _has_slates(log: Log) -> bool:
    return "slate_id" in log.table and "position" in log.table and bool(log.position.max() > 1)


def _later(value: Floats, slate: np.ndarray, order: np.ndarray) -> Floats:
    """Sum of the values of the places of the slate that follow each row."""
    v, group = value[order], slate[order]
    total = np.bincount(group, v)
    running = np.cumsum(v)
    start = np.append(True, group[1:] != group[:-1])
    head = np.maximum.accumulate(np.where(start, np.arange(len(v)), 0))
    up_to = running - (running - v)[head]
    out = np.empty(len(v))
    out[order] = total[group] - up_to
    return out


def _resampled(log: Log, pairs: dict[str, tuple[Floats, Floats]], settings: Settings) -> Resampled:
    n_units = int(log.unit.max()) + 1
    by_unit = []
    for at in (0, 1):
        columns = np.column_stack([pair[at] for pair in pairs.values()])
        by_unit.append(columns if n_units == log.n else sums_by_unit(columns, log.unit, n_units))
    return ratio_intervals(
        by_unit[0], by_unit[1], settings.draws, settings.seed, settings.level, settings.interval
    )


def _keep(
    records: list[Record],
    drawn: dict[tuple[str, str, str], Floats],
    policy: str,
    outcome: str,
    names: list[str],
    found: Resampled,
    n_rows: int,
) -> None:
    for at, name in enumerate(names):
        value, error, low, high = (
            float(part[at]) for part in (found.value, found.error, found.low, found.high)
        )
        records.append(
            Record(policy, outcome, name, value, error, low, high, n_rows, found.n_units)
        )
        drawn[policy, outcome, name] = found.drawn[:, at]


def _verdict(log: Log, shown: Showings, outcome: Floats, answer: Record) -> dict[str, Any]:
    p = log.propensity
    assert p is not None
    weight = shown.chance / p
    d = diagnose(log, weight, outcome, shown.unseen_mass)
    least, most = possible(answer.outcome, outcome)
    wrong = impossible(answer, least, most)
    if wrong:
        d = replace(
            d, reasons=(*d.reasons, f"{answer.estimator} gives {answer.value:.4g}: {wrong}")
        )
    out = {**d.to_dict(), "least": least, "most": most}
    if _has_slates(log):
        whole = slate_parts("standard", Rows(weight, np.full(log.n, 1.0)), log.slate, log.position)[
            0
        ]
        product = whole / np.bincount(log.slate)
        square = float((product**2).sum())
        out["slate_effective"] = float(product.sum()) ** 2 / square if square else 0.0
        out["slate_skewness"] = float((product**3).sum()) / square**1.5 if square else 1.0
        out["slates_can_answer"] = bool(
            d.answers != "no"
            and out["slate_effective"] >= LEAST_EFFECTIVE
            and out["slate_skewness"] <= MOST_SKEWED
        )
    if shown.expected is not None:
        spread = float(((outcome - outcome.mean()) ** 2).mean())
        rest = float(((outcome - shown.expected) ** 2).mean())
        out["reward_skill"] = 1 - rest / spread if spread else None
    return out
