"""What is kept of one model with one seed: what it is, what it was made with, what it cost, what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recnb.recommender import Reads

_HEAD = ("model", "seed", "class", "settings", "reads")


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
        `fit_seconds`, `score_seconds`, `peak_memory_mb`, `trainable_parameters`, `total_parameters`, `device`.
    reads : Reads
    """

    model: str
    seed: int
    kind: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    costs: dict[str, Any] = field(default_factory=dict)
    reads: Reads = field(default_factory=Reads.unknown)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        return {
            "model": self.model,
            "seed": self.seed,
            "class": self.kind,
            "settings": self.settings,
            "reads": self.reads.to_dict(),
            **self.costs,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Record:
        """What :meth:`to_dict` gave."""
        costs = {key: value for key, value in told.items() if key not in _HEAD}
        model, seed, kind, settings, reads = (told[key] for key in _HEAD)
        return cls(model, int(seed), kind, dict(settings), costs, Reads.from_dict(reads))
