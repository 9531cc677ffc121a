"""The trials of a search: what each reached, and how they are kept on disk, so that a killed search goes on."""

from __future__ import annotations

import json
import logging
import warnings
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
    """

    settings: dict[str, Any]
    value: float
    seconds: float
    chosen: dict[str, Any]

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


class Journal:
    """The trials of one search, kept in a file of optuna's journal.

    Parameters
    ----------
    path : str or Path
        Several searches may share a file.
    name : str
        Of this search in it.

    Notes
    -----
    The sampler starts anew and is told the kept values in their order, so a search that was killed ends as one that was
    not.
    """

    def __init__(self, path: str | Path, name: str) -> None:
        optuna = need("optuna", "search")
        optuna.logging.set_verbosity(logging.WARNING)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
            backend = optuna.storages.journal.JournalFileBackend(str(path))
            storage = optuna.storages.JournalStorage(backend)
            self._study = optuna.create_study(study_name=name, storage=storage, load_if_exists=True)
        self._kept = [trial for trial in self._study.get_trials() if trial.value is not None]

    def get(self, number: int, settings: dict[str, Any]) -> Trial | None:
        """The kept trial of this number, where it had these settings."""
        if number >= len(self._kept):
            return None
        kept = self._kept[number]
        if kept.user_attrs["settings"] != _plain(settings):
            del self._kept[number:]  # another space or version: what follows is of no use
            return None
        return Trial(settings, kept.value, kept.user_attrs["seconds"], kept.user_attrs["chosen"])

    def add(self, trial: Trial) -> None:
        """Keep a finished trial."""
        create = need("optuna.trial", "search").create_trial
        attributes = {
            "settings": _plain(trial.settings),
            "seconds": trial.seconds,
            "chosen": trial.chosen,
        }
        self._study.add_trial(create(value=trial.value, user_attrs=attributes))


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as json gives them back."""
    return json.loads(json.dumps(settings, default=repr))
