"""What is kept of one model with one seed: what it is, what it was made with, what it cost, what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recnb.recommender import Reads

_HEAD = ("model", "seed", "class", "settings", "reads")
_MORE = ("ceilings",)


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
    """

    model: str
    seed: int
    kind: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    costs: dict[str, Any] = field(default_factory=dict)
    reads: Reads = field(default_factory=Reads.unknown)
    ceilings: tuple[dict[str, Any], ...] = ()

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
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Record:
        """What :meth:`to_dict` gave."""
        costs = {key: value for key, value in told.items() if key not in (*_HEAD, *_MORE)}
        model, seed, kind, settings, reads = (told[key] for key in _HEAD)
        ceilings = tuple(told.get("ceilings", ()))
        return cls(model, int(seed), kind, dict(settings), costs, Reads.from_dict(reads), ceilings)
