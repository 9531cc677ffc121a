"""When a model is kept up and judged, in which way, and what is known and asked at each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from recnb.data import Dataset, Split
from recnb.data.split import GIVEN, TEST, TRAIN
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.evaluation.protocol import NobodyToJudge, Task
from recnb.hashing import hash_ids, mix
from recnb.models.common.settings import whole_numbers
from recnb.progress import note

DAY = 86_400.0
_PANEL = 2003  # a seed of its own: the hash that orders ties knows nothing of it
_LATEST = 1e11  # seconds, the year 5138: what is above is in another unit
_OF_TRAINING = ("epochs", "lr")
SETTINGS: dict[str, tuple[str, ...]] = {
    "stale": (),
    "count": (),
    "finetune": _OF_TRAINING,
    "replay": (*_OF_TRAINING, "replay"),
    "adapter": (*_OF_TRAINING, "rank"),
    "refit": (),
}
HOWS = tuple(SETTINGS)


@dataclass(frozen=True)
class Clock:
    """When a model is kept up, and when it is judged.

    Parameters
    ----------
    start : str, datetime or float
        A date ("2024-05-31", UTC where it has no zone) or Unix seconds, and kept as seconds: what is older is learned
        first.
    days : float
        Of a step.
    n_steps : int
    judge_every : int
        Steps from one judgement to the next, at most `n_steps`; the first is at the start.
    window : float
        Days whose events are judged each time.

    Raises
    ------
    InputError
        No such date, a number of days or steps that is none, or no judgement after the start.

    Examples
    --------
    >>> clock = Clock(start="1970-01-01", days=1, n_steps=5, judge_every=2, window=7)
    >>> [clock.judged(step) for step in range(6)], clock.at(3) / 86_400
    ([True, False, True, False, True, False], 3.0)
    """

    start: Any
    days: float = 1.0
    n_steps: int = 30
    judge_every: int = 1
    window: float = 7.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", _seconds(self.start))
        for name in ("days", "window"):
            value = getattr(self, name)
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not (number and 0 < float(value) < np.inf):
                raise InputError(f"{name}={value!r}", mend="days, above 0")
        whole_numbers(self, "n_steps", "judge_every")
        if self.judge_every > self.n_steps:
            raise InputError(
                f"judge_every={self.judge_every} with n_steps={self.n_steps}: nothing is judged after the start",
                mend="judge_every of at most n_steps",
            )

    def at(self, step: int) -> float:
        """The time of a step, Unix seconds."""
        return float(self.start + step * self.days * DAY)

    def judged(self, step: int) -> bool:
        """Whether there is a judgement at a step."""
        return step % self.judge_every == 0


def date_of(seconds: float) -> str:
    """The day of Unix seconds, in UTC.

    Examples
    --------
    >>> date_of(1_700_000_000)
    '2023-11-14'
    """
    return str(np.datetime64(int(np.floor(seconds)), "s").astype("datetime64[D]"))


def _seconds(start: Any) -> float:
    """Unix seconds of a date, or of what is seconds already."""
    wrong = InputError(
        f"start={start!r} is no time", mend="a date such as '2024-05-31', or Unix seconds"
    )
    if isinstance(start, Real) and not isinstance(start, bool):
        if not abs(float(start)) < _LATEST:
            raise wrong
        return float(start)
    try:
        when: Any = pd.to_datetime(
            start, utc=True, format="ISO8601" if isinstance(start, str) else None
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise wrong from error
    if not isinstance(when, pd.Timestamp):  # nothing, or several
        raise wrong
    return float(when.timestamp())


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
        Steps between two actions. "refit" is computed for the last action before each judgement alone: those before
        change nothing in it, but their cost is counted.
    fresh : int, optional
        Of "adapter": steps after which a new one begins; None: one for all.
    settings : mapping
        Of :class:`recnb.models.sequential.updating.Update`: `epochs` and `lr` of the ways that train, `replay` of
        "replay", `rank` of "adapter".

    Raises
    ------
    InputError
        A way or a setting that there is not.

    Examples
    --------
    >>> Way("replay", every=7, settings={"epochs": 2, "replay": 3.0}).settings["epochs"]
    2
    """

    how: str
    every: int = 1
    fresh: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.how not in HOWS:
            raise InputError(f"how={self.how!r}", mend=f"one of {', '.join(HOWS)}")
        whole_numbers(self, "every")
        if self.fresh is not None:
            if self.how != "adapter":
                raise InputError(f"fresh={self.fresh!r} with '{self.how}'", mend="of adapter alone")
            whole_numbers(self, "fresh")
        self._check_settings()

    def _check_settings(self) -> None:
        if not isinstance(self.settings, Mapping):
            raise InputError(f"settings={self.settings!r}", mend='a mapping such as {"epochs": 2}')
        known = SETTINGS[self.how]
        for name in self.settings:
            if name not in known:
                raise InputError(
                    f"'{self.how}' has no setting '{name}'",
                    mend=f"one of {', '.join(known)}" if known else "it has none",
                )
        if self.settings:
            from recnb.models.sequential.updating import Update

            Update(self.how, **self.settings)  # refuses values that are out of range


def panel_of(ds: Dataset, share: float) -> np.ndarray:
    """Users who are never learned from, by a hash of their ids: bool of shape (n_users,)."""
    order = mix(hash_ids(ds.user_ids), seed=_PANEL).argsort(kind="stable").argsort(kind="stable")
    return order < int(share * ds.n_users)


@dataclass(frozen=True, eq=False)
class Course:
    """Rows cut by a clock: what is known at each step, and what is asked."""

    ds: Dataset
    clock: Clock
    watched: np.ndarray

    @cached_property
    def times(self) -> np.ndarray:
        return self.ds.interactions["timestamp"].to_numpy(np.float64)

    @cached_property
    def theirs(self) -> np.ndarray:
        """Whether each row is of somebody who is never learned from."""
        return self.watched[self.ds.interactions["user"].to_numpy()]

    @property
    def span(self) -> str:
        dates = date_of(self.times.min()), date_of(self.times.max())
        return f"the rows of '{self.ds.name}' are of {dates[0]} to {dates[1]}"

    def known(self, step: int) -> Dataset:
        return self.ds.rows((self.times < self.clock.at(step)) & ~self.theirs)

    def task(self, step: int, protocol: Protocol, most_users: int | None) -> Task:
        start = self.clock.at(step)
        shown = self.times < start + self.clock.window * DAY
        part = np.where(self.times >= start, TEST, np.where(self.theirs, GIVEN, TRAIN))[shown]
        split = Split(self.ds.rows(shown), part.astype(np.int8), "over_time", {"step": step})
        return Task(split, protocol, most_users, told=True)  # whatever a model knew last

    def tasks(
        self, protocol: Protocol, most_users: int | None
    ) -> tuple[dict[int, Task], list[str]]:
        """What is asked at each judgement, and what is said of those at which nobody can be asked."""
        start = date_of(self.clock.at(0))
        if not ((self.times < self.clock.at(0)) & ~self.theirs).any():
            raise InputError(
                f"nothing to learn before the start, {start}: {self.span}", mend="start later"
            )
        tasks: dict[int, Task] = {}
        notes = []
        for step in filter(self.clock.judged, range(self.clock.n_steps + 1)):
            try:
                tasks[step] = self.task(step, protocol, most_users)
            except NobodyToJudge as nobody:
                day = date_of(self.clock.at(step))
                notes.append(f"step {step}, {day}, is not judged: {nobody.problem}")
        if not any(tasks):  # the start alone says nothing of keeping up
            end = date_of(self.clock.at(self.clock.n_steps))
            raise InputError(
                f"nobody to judge after the start; the clock runs from {start} to {end}, {self.span}",
                mend="choose start, days, n_steps and window within them",
            )
        for line in notes:
            note(line)
        return tasks, notes
