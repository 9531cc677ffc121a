"""A model through the months: judged again and again, and kept up to date in one way or another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recnb.data import Dataset, Split
from recnb.data.split import GIVEN, TEST, TRAIN
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.evaluation.judge import judge
from recnb.evaluation.protocol import Task
from recnb.hashing import hash_ids, mix
from recnb.metrics import over_splits
from recnb.models.sequential.learned import Learned
from recnb.models.sequential.transitions import Transitions
from recnb.recommender import Recommender

DAY = 86_400.0
_TRAINED = ("finetune", "replay", "adapter")  # ways of a network
HOWS = ("stale", "count", *_TRAINED, "refit")
_PANEL = 2003  # a seed of its own: the hash that orders ties knows nothing of it


@dataclass(frozen=True)
class Clock:
    """When a model is kept up, and when it is judged.

    Parameters
    ----------
    start : float
        Unix seconds: what is older is learned first.
    days : float
        Of a step.
    n_steps : int
    judge_every : int
        Steps from one judgement to the next; the first is at the start.
    window : float
        Days whose events are judged each time.

    Examples
    --------
    >>> clock = Clock(start=0.0, days=1, n_steps=5, judge_every=2, window=7)
    >>> [clock.judged(step) for step in range(6)], clock.at(3) / 86_400
    ([True, False, True, False, True, False], 3.0)
    """

    start: float
    days: float = 1.0
    n_steps: int = 30
    judge_every: int = 1
    window: float = 7.0

    def __post_init__(self) -> None:
        for name in ("days", "n_steps", "judge_every", "window"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name}={getattr(self, name)!r}", mend="above 0")

    def at(self, step: int) -> float:
        """The time of a step, Unix seconds."""
        return self.start + step * self.days * DAY

    def judged(self, step: int) -> bool:
        return step % self.judge_every == 0


@dataclass(frozen=True)
class Way:
    """How a model is kept up.

    Parameters
    ----------
    how : {"stale", "count", "finetune", "replay", "adapter", "refit"}
        Never; by exact counts (:meth:`recnb.models.Transitions.updated`); by training on what came, alone, with old
        events mixed in, or in low-rank updates beside frozen weights; by a new fit on all that is known. Whichever way,
        a model that reads histories is told all of them when it is asked.
    every : int
        Steps between two actions, at least. "refit" is computed where it is judged alone: what happens between two
        judgements changes nothing in them, but its cost is counted for every `every` steps.
    fresh : int, optional
        Of "adapter": steps after which a new one begins; None: one for all.
    settings : mapping
        Of :class:`recnb.models.sequential.updating.Update`.
    """

    how: str
    every: int = 1
    fresh: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.how not in HOWS:
            raise InputError(f"how={self.how!r}", mend=f"one of {', '.join(HOWS)}")
        if self.every < 1:
            raise InputError(f"every={self.every!r}", mend="at least 1 step")


@dataclass(frozen=True, eq=False)
class Run:
    """One model in one way through the clock.

    Attributes
    ----------
    values : DataFrame
        A row a judgement and user: `step`, `user_id`, `value`, `panel` (whether the user was never learned from).
    kept : DataFrame
        What the model of the last step reaches on the panel of earlier judgements, in the same columns.
    costs : DataFrame
        `step`, `what` ("fit", "update", "refit"), `seconds`.
    n_actions : int
        How often the way would have acted, where "refit" was computed at the judgements alone.
    """

    values: pd.DataFrame
    kept: pd.DataFrame
    costs: pd.DataFrame
    n_actions: int

    @property
    def seconds(self) -> float:
        """Seconds of all updates; of "refit" the mean of those computed times how often it would have acted."""
        spent = self.costs.loc[self.costs["what"] != "fit", "seconds"]
        return float(spent.mean() * self.n_actions) if len(spent) else 0.0

    def by_step(self) -> pd.DataFrame:
        """The mean over users at each judgement: `step, value, n_users`."""
        rows = self.values.groupby("step")["value"].agg(value="mean", n_users="size")
        return rows.reset_index()

    def forgetting(self) -> pd.DataFrame:
        """The panel's value then and with the last model: `step, then, now, n_users`; what `now` lacks is forgotten."""
        then = self.values[self.values["panel"]]
        both = then.merge(self.kept, on=["step", "user_id"], suffixes=("", "_now"))
        rows = both.groupby("step").agg(
            then=("value", "mean"), now=("value_now", "mean"), n_users=("value", "size")
        )
        return rows.reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        frames = {name: getattr(self, name).to_dict("list") for name in ("values", "kept", "costs")}
        return {**frames, "n_actions": self.n_actions}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Run:
        """What :meth:`to_dict` gave."""
        frames = {name: pd.DataFrame(told[name]) for name in ("values", "kept", "costs")}
        return cls(**frames, n_actions=told["n_actions"])


def panel_of(ds: Dataset, share: float) -> np.ndarray:
    """Users who are never learned from, by a hash of their ids: bool of shape (n_users,)."""
    order = mix(hash_ids(ds.user_ids), seed=_PANEL).argsort(kind="stable").argsort(kind="stable")
    return order < int(share * ds.n_users)


def over_time(
    model: Recommender,
    ds: Dataset,
    clock: Clock,
    way: Way,
    protocol: Protocol,
    panel: float = 0.1,
    seed: int = 0,
    most_users: int | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> Run:
    """Fit a model on what is older than the clock's start, keep it up, and judge it on the way.

    Parameters
    ----------
    model : Recommender
        Unfitted. "count" needs transitions, the ways that train a trained sequence model with free vectors.
    ds : Dataset
        With a clock.
    clock : Clock
    way : Way
    protocol : Protocol
        Its first metric and cut-off are measured.
    panel : float
        Share of the users who are never learned from, whose histories are told when scores are asked for: what they
        get then and later shows what is forgotten.
    seed : int
    most_users : int, optional
        Judge so many users at a time, by a hash of their ids; with ``next_event`` only.
    progress : callable, optional
        `progress(step, value)` after each judgement.

    Returns
    -------
    Run

    Raises
    ------
    InputError
        No clock, nothing before the start, nobody to judge, or the model cannot be kept up in this way.

    Notes
    -----
    No model sees an event at or after the time at which it is judged: rows are cut by the clock, and the list for a
    window is made at its start (with ``next_event`` for each event with all before it).
    """
    if "timestamp" not in ds.interactions:
        raise InputError(f"'{ds.name}' has no clock", column="timestamp", mend="add timestamp")
    watched = panel_of(ds, panel)
    times = ds.interactions["timestamp"].to_numpy(np.float64)
    theirs = watched[ds.interactions["user"].to_numpy()]

    def known(step: int) -> Dataset:
        return ds.rows((times < clock.at(step)) & ~theirs)

    def task(step: int) -> Task:
        start = clock.at(step)
        shown = times < start + clock.window * DAY
        part = np.where(times >= start, TEST, np.where(theirs, GIVEN, TRAIN))[shown]
        split = Split(ds.rows(shown), part.astype(np.int8), "over_time", {"step": step})
        return Task(split, protocol, most_users)

    fresh = clone(model)
    if fresh.seeded:
        fresh.set_params(seed=seed)
    if way.how == "adapter":
        import peft  # noqa: F401  # opened before the clock: it takes seconds, once in a process

    costs: list[tuple[int, str, float]] = []
    fitted = _timed(costs, 0, "fit", lambda: clone(fresh).fit(known(0)))
    values, tasks, last_fit = [], {}, 0
    for step in range(clock.n_steps + 1):
        acts = step > 0 and step % way.every == 0
        if acts and way.how in ("count", *_TRAINED):
            now, last = known(step), fitted
            begin = way.fresh is not None and step % way.fresh < way.every
            new = _timed(
                costs,
                step,
                "update",
                lambda: kept_up(last, now, way, begin, seed + step),  # noqa: B023
            )
            fitted = new
        if not clock.judged(step):
            continue
        if way.how == "refit" and step - last_fit >= way.every:
            now, last_fit = known(step), step
            fitted = _timed(costs, step, "refit", lambda: clone(fresh).fit(now))  # noqa: B023
        tasks[step] = task(step)
        values.append(_values(fitted, tasks[step], step, watched))
        if progress:
            progress(step, float(values[-1]["value"].mean()))
    last_judged = max(tasks)
    kept = [
        _values(fitted, _only(tasks[step], watched), step, watched)
        for step in tasks
        if step < last_judged and watched[tasks[step].users].any()
    ]
    empty = values[0].iloc[:0]
    return Run(
        pd.concat(values, ignore_index=True),
        pd.concat([empty, *kept], ignore_index=True),
        pd.DataFrame(costs, columns=["step", "what", "seconds"]),
        0 if way.how == "stale" else clock.n_steps // way.every,
    )


def kept_up(
    model: Recommender, known: Dataset, way: Way, begin: bool = False, seed: int = 0
) -> Recommender:
    """A copy of a fitted model that has learned the rows that came, without a new fit.

    Raises
    ------
    InputError
        This model cannot, in this way.
    """
    if way.how == "count" and isinstance(model, Transitions):
        return model.updated(known)
    if way.how in _TRAINED and isinstance(model, Learned):
        from recnb.models.sequential.updating import Update, updated

        return updated(model, known, Update(way.how, fresh=begin, **way.settings), seed)
    able: tuple[str, ...] = ("refit", "stale")
    if isinstance(model, Transitions):
        able = ("count", *able)
    elif isinstance(model, Learned):
        able = (*_TRAINED, *able)
    raise InputError(
        f"{type(model).__name__} cannot be kept up by '{way.how}'", mend=f"take {', '.join(able)}"
    )


def _timed(
    costs: list[tuple[int, str, float]], step: int, what: str, work: Callable[[], Recommender]
) -> Recommender:
    start = time.perf_counter()
    out = work()
    costs.append((step, what, time.perf_counter() - start))
    return out


def _values(model: Recommender, task: Task, step: int, watched: np.ndarray) -> pd.DataFrame:
    judged = judge(type(model).__name__, model, task)
    key = (task.protocol.metrics[0], task.protocol.ks[0], "catalogue")
    users, values, _ = judged.values[key]
    return pd.DataFrame(
        {
            "step": step,
            "user_id": task.dataset.user_ids[users].astype(str),
            "value": np.asarray(values, float),
            "panel": watched[users],
        }
    )


def _only(task: Task, watched: np.ndarray) -> Task:
    """The same question, asked of the panel alone."""
    split = task.split
    kept = (split.part != TEST) | watched[split.dataset.interactions["user"].to_numpy()]
    rows = replace(split, dataset=split.dataset.rows(kept), part=split.part[kept])
    return Task(rows, task.protocol)


def compared(runs: Mapping[str, Iterable[Run]], to: str) -> pd.DataFrame:
    """What each way reaches over the whole time, beside one of them.

    Parameters
    ----------
    runs : mapping of name to runs of different seeds
    to : str
        The way that the differences are taken to.

    Returns
    -------
    DataFrame
        `model, value, low, high, share` (of the value of `to`), `difference, difference_low, difference_high, p,
        n_users, seconds, forgotten` (then less now on the panel, the mean over judgements; NaN without one).

    Notes
    -----
    A user's value is the mean over seeds at each judgement; users and judgements are both samples
    (:func:`recnb.metrics.over_splits`). Intervals of values are those between 0 and 1
    (:meth:`recnb.metrics.OverSplits.as_share`), of differences around them.
    """
    held = {name: list(each) for name, each in runs.items()}
    if to not in held:
        raise InputError(f"no way '{to}'", mend=f"one of {', '.join(held)}")
    frames = {name: _by_user(each) for name, each in held.items()}
    rows = []
    for name, frame in frames.items():
        both = frame.merge(frames[to], on=["step", "user_id"], suffixes=("", "_to"))
        whole = over_splits(frame["value"], frame["user_id"], frame["step"]).as_share()
        gap = over_splits(both["value"] - both["value_to"], both["user_id"], both["step"])
        lost = [run.forgetting() for run in held[name]]
        forgotten = [float((f["then"] - f["now"]).mean()) for f in lost if len(f)]
        rows.append(
            {
                "model": name,
                "value": whole.value,
                "low": whole.low,
                "high": whole.high,
                "difference": gap.value,
                "difference_low": gap.low,
                "difference_high": gap.high,
                "p": gap.p,
                "n_users": whole.n_users,
                "seconds": float(np.mean([run.seconds for run in held[name]])),
                "forgotten": float(np.mean(forgotten)) if forgotten else np.nan,
            }
        )
    out = pd.DataFrame(rows)
    base = float(out.loc[out["model"] == to, "value"].iloc[0])
    out.insert(4, "share", out["value"] / base if base else np.nan)
    return out


def _by_user(runs: list[Run]) -> pd.DataFrame:
    """The mean over seeds of each user at each judgement."""
    whole = pd.concat([run.values for run in runs])
    return whole.groupby(["step", "user_id"])[["value"]].mean().reset_index()
