"""The trials of a search: what each reached, and how they are kept on disk, so that a killed search goes on."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recnb.optional import need


@dataclass(frozen=True)
class Trial:
    """One set of settings and what it reached.

    Attributes
    ----------
    settings : dict
        Those that differ from the model given; {} is trial 0, the model as it was given.
    value : float
        The metric on the validation part.
    seconds : float
        Fitting and judging.
    chosen : dict
        What fitting with validation data found: the number of epochs, weights.
    epochs : tuple of float
        The value after each epoch, higher is better, of a model that tells it.
    pruned : bool
        Given up before its end; `value` is then the best of its epochs, and it is never the best trial.
    """

    settings: dict[str, Any]
    value: float
    seconds: float
    chosen: dict[str, Any]
    epochs: tuple[float, ...] = ()
    pruned: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        return asdict(self)


@dataclass(frozen=True)
class Search:
    """A search that has ended.

    Attributes
    ----------
    trials : list of Trial
        In the order tried.
    best : int
        The number of the best trial.
    metric : str
        Such as "ndcg@10".
    seed : int
    """

    trials: tuple[Trial, ...]
    best: int
    metric: str
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        return asdict(self)


class Pruning:
    """Hears what a trial reaches after each epoch, and gives it up where it is hopeless.

    Parameters
    ----------
    trial : optuna.Trial
    lower : bool
        Whether the study looks for the lowest value.
    """

    def __init__(self, trial: Any, lower: bool) -> None:
        self.trial, self.sign = trial, -1.0 if lower else 1.0
        self.epochs: list[float] = []

    def __call__(self, epoch: int, value: float) -> None:
        """An epoch of a training; raises :class:`Hopeless`."""
        if epoch != len(self.epochs):  # a second training, of another part of the model
            return
        self.epochs.append(float(value))
        self.trial.report(self.sign * value, epoch)
        if self.trial.should_prune():
            raise Hopeless

    def again(self, trial: Trial) -> None:
        """Tell what a kept trial had reached."""
        for epoch, value in enumerate(trial.epochs):
            self.trial.report(self.sign * value, epoch)


class Hopeless(Exception):
    """A trial is not worth going on with."""


class Kept:
    """The trials of one search, kept in an SQLite file by optuna.

    Parameters
    ----------
    path : str or Path
        Several searches may share a file.
    name : str
        Of this search in it.

    Notes
    -----
    The sampler starts anew and is told the kept values in their order, so a search that was killed ends as one that was
    not. A trial is written in one transaction: a kill leaves it whole or not at all.
    """

    def __init__(self, path: str | Path, name: str) -> None:
        optuna = need("optuna", "search")
        optuna.logging.set_verbosity(logging.WARNING)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        storage = optuna.storages.RDBStorage(f"sqlite:///{Path(path).resolve().as_posix()}")
        self._study = optuna.create_study(study_name=name, storage=storage, load_if_exists=True)
        self._kept = [trial for trial in self._study.get_trials() if trial.value is not None]

    def get(self, number: int, settings: dict[str, Any]) -> Trial | None:
        """The kept trial of this number, where it had these settings."""
        if number >= len(self._kept):
            return None
        kept = self._kept[number]
        facts = dict(kept.user_attrs)
        if facts.pop("settings") != _plain(settings):
            del self._kept[number:]  # another space or version: what follows is of no use
            return None
        return Trial(settings, kept.value, **{**facts, "epochs": tuple(facts["epochs"])})

    def add(self, trial: Trial) -> None:
        """Keep a finished trial."""
        create = need("optuna.trial", "search").create_trial
        facts = trial.to_dict()
        facts |= {"settings": _plain(trial.settings), "epochs": list(trial.epochs)}
        del facts["value"]
        self._study.add_trial(create(value=trial.value, user_attrs=facts))


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as json gives them back."""
    return json.loads(json.dumps(settings, default=repr))
