"""Settings that the trained sequence models share, in groups; by name they stay flat: ``SASRec(length=20)``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from recnb.data import Text
from recnb.errors import InputError
from recnb.models.common.sequences import EVENTS
from recnb.models.common.settings import one_of, whole_numbers
from recnb.tuning.methods import METHODS, depth_of, method_of, tune

# A side adapter reads all layers, and the budget of adalora has to know the number of steps.
METHODS_OF_ITEMS = tuple(name for name in METHODS if name not in ("side_adapter", "adalora"))
_WHOLE = ("head_only", "top_layers", "full")  # nothing is put into the language model


@dataclass(frozen=True)
class Reading:
    """What is read of an item's text, and by which language model.

    Parameters
    ----------
    text : Text, optional
        The item's sentence; by default the usual columns.
    encoder : str, optional
        Folder or name of the language model; None means the default of :class:`recnb.encoders.TextEncoder`.
    """

    text: Text | None = None
    encoder: str | None = None


@dataclass(frozen=True)
class TextTuning:
    """How the language model is tuned inside the sequence model.

    Parameters
    ----------
    method : str
        "head_only", the language model stays as it is, or "lora", "full", "top_layers" … of
        :data:`recnb.tuning.methods.METHODS`.
    tuned_layers : int, optional
        Tune the highest so many of its layers only; None: two for "top_layers", else all.
    size, alpha, targets
        Of the method, see :func:`recnb.tuning.methods.tune`; None: what is usual.
    lr_encoder : float, optional
        None: what is usual for the method.
    live_items, live_every : int
        Each so many steps so many texts of the batch are encoded with gradients; in between, and for all other items,
        the states of the last pass stand. After an epoch all are computed anew.
    """

    method: str = "head_only"
    tuned_layers: int | None = None
    size: int | None = None
    alpha: int | None = None
    targets: str | None = None
    lr_encoder: float | None = None
    live_items: int = 32
    live_every: int = 4

    @property
    def frozen(self) -> bool:
        """Whether no layer of the language model is trained."""
        return method_of(self.method).depth == "none"

    @property
    def rate(self) -> float:
        """The learning rate of the language model; never used where nothing is trained."""
        usual = method_of(self.method).lr or 1e-4
        return usual if self.lr_encoder is None else self.lr_encoder

    def depth(self, n_layers: int) -> int:
        """How many of a language model's layers are trained."""
        return depth_of(self.method, n_layers, self.tuned_layers)

    def adapt(self) -> Callable[[Any], Any] | None:
        """What changes the network for the method; None where whole layers are trained, or none."""
        if self.method in _WHOLE:
            return None
        return partial(
            tune,
            method=self.method,
            size=self.size,
            alpha=self.alpha,
            targets=self.targets,
            n_layers=self.tuned_layers,
        )

    def check(self) -> None:
        one_of(self, "method", METHODS_OF_ITEMS)
        whole_numbers(self, "tuned_layers", "size", "live_items", "live_every")


@dataclass(frozen=True)
class Fitting:
    """How a network over sequences is trained.

    Parameters
    ----------
    events : {"liked", "all"}
        Which events are read and predicted, where there are ratings.
    length : int
        Events read at once: the newest when scoring; in training a longer history is cut into windows of so many.
    dropout : float
    lr, weight_decay : float
    batch_size : int
        Windows of a step.
    n_epochs : int
        The most epochs; with a validation part the best is kept.
    patience : int
        Epochs without a better value of the validation part.
    seed : int
    checkpoint : path, optional
        Folder from which a killed fit goes on; each fit of the model has one of its own in it.
    """

    events: str = "liked"
    length: int = 50
    dropout: float = 0.3
    lr: float = 1e-3
    weight_decay: float = 0.01
    batch_size: int = 256
    n_epochs: int = 40
    patience: int = 5
    seed: int = 0
    checkpoint: str | Path | None = None

    def check(self) -> None:
        one_of(self, "events", EVENTS)
        whole_numbers(self, "length", "batch_size", "n_epochs")
        whole_numbers(self, "seed", least=0)
        if not 0 <= self.dropout <= 1:
            raise InputError(f"dropout={self.dropout!r}", mend="from 0 to 1")


def check_heads(width: int, n_heads: int) -> None:
    """Refuse heads that do not divide the width into parts that a rotation can turn."""
    if width % (2 * n_heads):
        raise InputError(
            f"width={width} cannot be shared among n_heads={n_heads}: each head turns pairs of numbers",
            mend=f"a multiple of {2 * n_heads}, or another n_heads",
        )
