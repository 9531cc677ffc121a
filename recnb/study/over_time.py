"""A model through the months: judged again and again, and kept up to date in one way or another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recnb.data import Dataset
from recnb.data.split import TEST
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.evaluation.judge import judge
from recnb.evaluation.protocol import Task
from recnb.metrics import over_splits
from recnb.models.sequential.learned import Learned
from recnb.models.sequential.transfer import Transferred
from recnb.models.sequential.transitions import Transitions
from recnb.recommender import Recommender
from recnb.study.clock import Clock, Course, Way, panel_of

_TRAINED = ("finetune", "replay", "adapter")  # ways of a network


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
        How often the way would have acted, where "refit" was computed for the judgements alone.
    clock : Clock or None
        None where it is not known.
    notes : tuple of str
        Judgements that were left out, and why.
    metric : str
        What the values are, as "ndcg@10" or "auc"; "" where it is not known.
    """

    values: pd.DataFrame
    kept: pd.DataFrame
    costs: pd.DataFrame
    n_actions: int
    clock: Clock | None = None
    notes: tuple[str, ...] = ()
    metric: str = ""

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
        clock = None if self.clock is None else asdict(self.clock)
        return {
            **frames,
            "n_actions": self.n_actions,
            "clock": clock,
            "notes": list(self.notes),
            "metric": self.metric,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Run:
        """What :meth:`to_dict` gave."""
        frames = {name: pd.DataFrame(told[name]) for name in ("values", "kept", "costs")}
        frames["kept"] = frames["kept"].astype(frames["values"].dtypes)  # empty lists tell none
        clock = Clock(**told["clock"]) if told.get("clock") else None
        notes, metric = tuple(told.get("notes", ())), told.get("metric", "")
        return cls(**frames, n_actions=told["n_actions"], clock=clock, notes=notes, metric=metric)


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
        Unfitted. "count" needs transitions, the ways that train a trained sequence model (no transferred one).
    ds : Dataset
        With timestamps.
    clock : Clock
    way : Way
    protocol : Protocol
        Its first metric and cut-off are measured.
    panel : float
        Share of the users, from 0 to below 1, who are never learned from, whose histories are told when scores are
        asked for: what they get then and later shows what is forgotten.
    seed : int
    most_users : int, optional
        Judge so many users at a time, by a hash of their ids; taken with ``next_event`` alone.
    progress : callable, optional
        `progress(step, value)` after each judgement.

    Returns
    -------
    Run

    Raises
    ------
    InputError
        No clock, nothing before the start, nobody to judge after it, no action before the last judgement, or the model
        cannot be kept up in this way.

    Notes
    -----
    No model sees an event at or after the time at which it is judged: rows are cut by the clock, and the list for a
    window is made at its start (with ``next_event`` for each event with all before it). A judgement for which nobody
    has a relevant row in the window is left out, and :attr:`Run.notes` says so.
    """
    _check(model, ds, way, protocol, panel, most_users)
    course = Course(ds, clock, panel_of(ds, panel))
    tasks, notes = course.tasks(protocol, most_users)
    if way.how != "stale" and way.every > max(tasks):
        raise InputError(
            f"every={way.every}: the last judgement, at step {max(tasks)}, comes before any action",
            mend=f"every of at most {max(tasks)}, or more steps",
        )
    known, watched = course.known, course.watched
    fresh = clone(model)
    if fresh.seeded:
        fresh.set_params(seed=seed)
    if way.how == "adapter":
        import peft  # noqa: F401  # opened before the clock: it takes seconds, once in a process

    costs: list[tuple[int, str, float]] = []
    fitted = _timed(costs, 0, "fit", lambda: clone(fresh).fit(known(0)))
    values, last_fit = [], 0
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
        if step not in tasks:
            continue
        due = step // way.every * way.every
        if way.how == "refit" and due > last_fit:
            now, last_fit = known(due), due
            fitted = _timed(costs, due, "refit", lambda: clone(fresh).fit(now))  # noqa: B023
        values.append(_values(fitted, tasks[step], step, watched))
        if progress:
            progress(step, float(values[-1]["value"].mean()))
    kept = [
        _values(fitted, _only(tasks[step], watched), step, watched)
        for step in tasks
        if step < max(tasks) and watched[tasks[step].users].any()
    ]
    metric, k, _ = protocol.keys(["catalogue"])[0]
    return Run(
        pd.concat(values, ignore_index=True),
        pd.concat([values[0].iloc[:0], *kept], ignore_index=True),
        pd.DataFrame(costs, columns=["step", "what", "seconds"]),
        0 if way.how == "stale" else clock.n_steps // way.every,
        clock,
        tuple(notes),
        metric if k is None else f"{metric}@{k}",
    )


def _check(
    model: Recommender,
    ds: Dataset,
    way: Way,
    protocol: Protocol,
    panel: float,
    most_users: int | None,
) -> None:
    """Refuse what no run can follow, before anything is fitted."""
    if "timestamp" not in ds.interactions:
        raise InputError(f"'{ds.name}' has no clock", column="timestamp", mend="add timestamp")
    if not 0 <= panel < 1:
        raise InputError(f"panel={panel!r}", mend="a share of the users, from 0 to below 1")
    if most_users is not None:
        if not protocol.next_event:
            raise InputError(
                f"most_users={most_users!r} without next_event",
                mend="take Protocol(next_event=True), or leave it out",
            )
        if not isinstance(most_users, Integral) or most_users < 1:
            raise InputError(
                f"most_users={most_users!r}", mend="a whole number of at least 1, or None"
            )
    if way.how not in _ways_of(model):
        raise _unable(model, way)


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
    raise _unable(model, way)


def _ways_of(model: Recommender) -> tuple[str, ...]:
    """How a model can be kept up."""
    if isinstance(model, Transitions):
        return ("count", "refit", "stale")
    if isinstance(model, Learned) and not isinstance(model, Transferred):
        return (*_TRAINED, "refit", "stale")
    return ("refit", "stale")


def _unable(model: Recommender, way: Way) -> InputError:
    return InputError(
        f"{type(model).__name__} cannot be kept up by '{way.how}'",
        mend=f"take {', '.join(_ways_of(model))}",
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
    key = task.protocol.keys(["catalogue"])[0]
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
    return Task(rows, task.protocol, told=True)


def compared(runs: Mapping[str, Iterable[Run]], to: str) -> pd.DataFrame:
    """What each way reaches over the whole time, beside one of them.

    Parameters
    ----------
    runs : mapping of name to list of Run
        Runs of different seeds, of one clock and one panel.
    to : str
        The way that the differences are taken to.

    Returns
    -------
    DataFrame
        `model, value, low, high, share` (of the value of `to`), `difference, difference_low, difference_high, p,
        n_users, seconds, forgotten` (then less now on the panel, the mean over judgements; NaN without one).

    Raises
    ------
    InputError
        No runs, no way `to`, clocks, metrics or panels that differ, or no judgement that all runs share.

    Notes
    -----
    Everything is over the judgements (a step and a user) that all runs share, so that values and shares are of the
    same questions as differences. A user's value is the mean over seeds at each judgement; users and judgements are
    both samples (:func:`recnb.metrics.over_splits`). Intervals of values are those between 0 and 1
    (:meth:`recnb.metrics.OverSplits.as_share`), of differences around them.
    """
    held = _shared(_listed(runs, to))
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


def _listed(runs: Mapping[str, Iterable[Run]], to: str) -> dict[str, list[Run]]:
    """The runs of each way, refused where they are none."""
    mend = 'give lists of runs by name, {"count": [over_time(…)]}'
    if not isinstance(runs, Mapping) or not runs:
        raise InputError("no runs to compare", mend=mend)
    held = {}
    for name, each in runs.items():
        if isinstance(each, Run):
            raise InputError(f"'{name}' is a run and no list of runs", mend=mend)
        held[name] = list(each)
        if not held[name] or not all(isinstance(run, Run) for run in held[name]):
            raise InputError(f"'{name}' holds no runs", mend=mend)
    if to not in held:
        raise InputError(f"no way '{to}'", mend=f"one of {', '.join(held)}")
    return held


def _shared(held: dict[str, list[Run]]) -> dict[str, list[Run]]:
    """The runs with the judgements alone that all of them share."""
    every = [run for each in held.values() for run in each]
    if len({run.clock for run in every if run.clock is not None}) > 1:
        raise InputError("the runs follow different clocks", mend="give over_time the same clock")
    metrics = sorted({run.metric for run in every if run.metric})
    if len(metrics) > 1:
        raise InputError(
            f"the runs are judged by {' and by '.join(metrics)}",
            mend="give over_time protocols with the same first metric and length of list",
        )
    shared = _judgements(every[0].values)
    for run in every[1:]:
        shared = shared.intersection(_judgements(run.values), sort=False)
    if not len(shared):
        raise InputError(
            "the runs share no judgement of a user at a step", mend="run them on the same data"
        )
    panels = [run.values.set_index(["step", "user_id"])["panel"].loc[shared] for run in every]
    if not all(panel.equals(panels[0]) for panel in panels):
        raise InputError(
            "the runs keep different users from learning", mend="give over_time the same panel"
        )
    return {name: [_within(run, shared) for run in each] for name, each in held.items()}


def _within(run: Run, shared: pd.MultiIndex) -> Run:
    values, kept = (frame[_judgements(frame).isin(shared)] for frame in (run.values, run.kept))
    return replace(run, values=values, kept=kept)


def _judgements(frame: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frame[["step", "user_id"]])


def _by_user(runs: list[Run]) -> pd.DataFrame:
    """The mean over seeds of each user at each judgement."""
    whole = pd.concat([run.values for run in runs])
    return whole.groupby(["step", "user_id"])[["value"]].mean().reset_index()
