"""What is kept of one model with one seed: what it is, was made with, cost (and the meter of that), and reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import psutil

from recnb.recommender import Reads

_HEAD = ("model", "seed", "class", "settings", "reads")
_MORE = ("ceilings", "fitted_here")


@dataclass(frozen=True)
class Record:
    """One record of models.json.

    Parameters
    ----------
    model : str
    seed : int
    kind : str
        The model's class, "lists" or "scores".
    settings : dict
    costs : dict
        `fit_seconds`, `score_seconds`, `peak_memory_mb`, `trainable_parameters`, `total_parameters`, `device`, and what
        the model measured itself.
    reads : Reads
    ceilings : tuple of dict
        Of a model that looks at few candidates: the best that any order of them could reach, see
        :mod:`recnb.evaluation.ceiling`.
    fitted_here : bool
        A model of recnb's own classes that the evaluation itself fitted on the known rows.
    """

    model: str
    seed: int
    kind: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    costs: dict[str, Any] = field(default_factory=dict)
    reads: Reads = field(default_factory=Reads.unknown)
    ceilings: tuple[dict[str, Any], ...] = ()
    fitted_here: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        return {
            "model": self.model,
            "seed": self.seed,
            "class": self.kind,
            "settings": self.settings,
            "reads": self.reads.to_dict(),
            **self.costs,
            **({"ceilings": list(self.ceilings)} if self.ceilings else {}),
            **({"fitted_here": True} if self.fitted_here else {}),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Record:
        """What :meth:`to_dict` gave."""
        costs = {key: value for key, value in told.items() if key not in (*_HEAD, *_MORE)}
        model, seed, kind, settings, reads = (told[key] for key in _HEAD)
        ceilings = tuple(told.get("ceilings", ()))
        known = Reads.from_dict(reads)
        here = bool(told.get("fitted_here", False))
        return cls(model, int(seed), kind, dict(settings), costs, known, ceilings, here)


class Meter:
    """Measure wall time and the rise of the process's memory while a block runs.

    Attributes
    ----------
    seconds : float
    peak_mb : float
        Highest resident memory during the block less that at its start, sampled every 5 ms, in MiB. Memory that the
        process already held and reused does not show.

    Examples
    --------
    >>> with Meter() as meter:
    ...     _ = sum(range(1000))
    >>> meter.seconds > 0 and meter.peak_mb >= 0
    True
    """

    seconds = 0.0
    peak_mb = 0.0

    def __enter__(self) -> Meter:
        self._process = psutil.Process()
        self._base = self._peak = self._process.memory_info().rss
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        self._start = time.perf_counter()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._start
        self._done.set()
        self._thread.join()
        self._peak = max(self._peak, self._process.memory_info().rss)
        self.peak_mb = (self._peak - self._base) / 2**20
