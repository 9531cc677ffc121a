"""`Training`: every setting of the loop, checked where it is written."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np

from recnb.encoders.device import PRECISIONS
from recnb.errors import InputError

OPTIMIZERS = ("adamw", "adafactor")
SCHEDULES = ("constant", "linear", "cosine", "one_cycle", "inverse_sqrt")
TRACKERS = ("tensorboard", "wandb")
# What does not change the weights, and may differ when a training is resumed.
_FREE = ("checkpoint", "checkpoint_every", "track", "logs", "device", "precision")


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Parameters
    ----------
    epochs : int
        Epochs that the schedule is laid out for.
    stop_after : int, optional
        Run only so many of them: a refit with the epoch count found earlier keeps the schedule, and
        with it the learning rates, of the run that found it.
    lr : float
        Learning rate of heads and of user and item tables.
    lr_encoder : float
        Learning rate of the language model's parameters.
    optimizer : {"adamw", "adafactor"}
        AdamW (Loshchilov & Hutter 2019, algorithm 2), or Adafactor (Shazeer & Stern 2018), which keeps
        rows and columns of the second moment only, and no first moment. Adafactor scales `lr` by the
        size of each parameter and bounds it by one over the root of the step: give it a higher `lr`.
    weight_decay : float
        Decoupled. Not on biases, layer norms (all parameters of one axis) and tables.
    layer_decay : float
        Learning rate of a layer of the language model as a share of that of the layer above it, in (0, 1]; the
        embeddings count as the lowest layer (Howard & Ruder 2018, section 3.2).
    warmup : float
        Share of all optimiser steps in which the learning rate rises from 0, in [0, 1).
    schedule : {"constant", "linear", "cosine", "one_cycle", "inverse_sqrt"}
        What follows: `lr` is kept, falls to 0 along a line or half a cosine, or falls with the root of the step
        (Vaswani et al. 2017, equation 3). "one_cycle" (Smith & Topin 2018) rises from a 25th of `lr` to it and falls to
        almost nothing, both along a cosine; `warmup` is its rise, three tenths where it is 0.
    clip : float, optional
        Largest norm of all gradients together.
    accumulate : int
        Batches per optimiser step; their gradients are averaged.
    precision : {"float32", "bfloat16", "auto"}
        As in :func:`recnb.encoders.device.choose_precision`; bfloat16 is mixed, the weights stay float32.
    gradient_checkpointing : bool
        Keep fewer activations and compute them again; the module must have `encoder_network()`.
    patience : int, optional
        Stop after so many epochs in a row without a better value.
    from_start : bool
        Where there is a validation, the weights from before the first step take part, as epoch 0.
    seed : int
    checkpoint : path, optional
        Folder of the checkpoint from which the same call goes on after a kill.
    checkpoint_every : int, optional
        Optimiser steps between checkpoints; None writes one at the end of each epoch. One is written
        there in any case.
    track : sequence of {"tensorboard", "wandb"}
        Trackers of accelerate.
    logs : path, optional
        Folder of the trackers' files; TensorBoard needs it.
    device : str
        As in :func:`recnb.encoders.device.choose_device`. Under `accelerate launch` its choice holds.

    Raises
    ------
    InputError
        A setting out of its range.

    Examples
    --------
    >>> Training(epochs=3, track="tensorboard", logs="runs").track
    ('tensorboard',)
    """

    epochs: int = 10
    stop_after: int | None = None
    lr: float = 1e-3
    lr_encoder: float = 5e-5
    optimizer: str = "adamw"
    weight_decay: float = 0.01
    layer_decay: float = 1.0
    warmup: float = 0.06
    schedule: str = "linear"
    clip: float | None = 1.0
    accumulate: int = 1
    precision: str = "auto"
    gradient_checkpointing: bool = False
    patience: int | None = 3
    from_start: bool = False
    seed: int = 0
    checkpoint: str | PathLike[str] | None = None
    checkpoint_every: int | None = None
    track: tuple[str, ...] = ()
    logs: str | PathLike[str] | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        track = (self.track,) if isinstance(self.track, str) else tuple(self.track)
        object.__setattr__(self, "track", track)
        for name, value in list(vars(self).items()):
            if isinstance(value, np.generic):  # plain values only in json and in checkpoints
                object.__setattr__(self, name, value.item())
        check_whole(self.epochs, "epochs", 1)
        check_whole(self.accumulate, "accumulate", 1)
        check_whole(self.seed, "seed", 0)
        for name in ("stop_after", "patience", "checkpoint_every"):
            check_whole(getattr(self, name), name, 1, optional=True)
        if self.seed > 2**31:
            raise InputError(f"seed={self.seed}", mend="at most 2147483648")
        if self.stop_after is not None and self.stop_after > self.epochs:
            raise InputError(
                f"stop_after={self.stop_after} of epochs={self.epochs}", mend="at most `epochs`"
            )
        _check_number(self.lr, "lr", above=0)
        _check_number(self.lr_encoder, "lr_encoder", above=0)
        _check_number(self.weight_decay, "weight_decay", least=0)
        _check_number(self.layer_decay, "layer_decay", above=0, most=1)
        _check_number(self.warmup, "warmup", least=0, below=1)
        if self.clip is not None:
            _check_number(self.clip, "clip", above=0)
        _check_one_of(self.optimizer, "optimizer", OPTIMIZERS)
        _check_one_of(self.schedule, "schedule", SCHEDULES)
        _check_one_of(self.precision, "precision", PRECISIONS)
        for name in self.track:
            _check_one_of(name, "track", TRACKERS)
        if "tensorboard" in self.track and self.logs is None:
            raise InputError("track='tensorboard' without logs", mend="name a folder: logs='runs'")
        if self.checkpoint_every is not None and self.checkpoint is None:
            raise InputError(
                "checkpoint_every without checkpoint", mend="name a folder: checkpoint='…'"
            )

    @property
    def last_epoch(self) -> int:
        """Number of epochs to run."""
        return self.epochs if self.stop_after is None else self.stop_after

    def identity(self) -> dict[str, Any]:
        """The settings that the trained weights depend on; device and precision as resolved elsewhere."""
        return {name: value for name, value in self.to_dict().items() if name not in _FREE}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        paths = {
            n: None if (p := getattr(self, n)) is None else str(p) for n in ("checkpoint", "logs")
        }
        return {**asdict(self), **paths, "track": list(self.track)}


def check_whole(value: Any, name: str, least: int, optional: bool = False) -> None:
    """Refuse a value that is no whole number of at least `least`, nor None where it is optional."""
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        mend = f"a whole number of at least {least}" + ", or None" * optional
        raise InputError(f"{name}={value!r}", mend=mend)


def _check_number(
    value: Any,
    name: str,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    wanted = [
        f"{word} {bound}"
        for word, bound in (
            ("at least", least),
            ("above", above),
            ("below", below),
            ("at most", most),
        )
        if bound is not None
    ]
    if (
        not number
        or not math.isfinite(value)
        or (least is not None and value < least)
        or (above is not None and value <= above)
        or (below is not None and value >= below)
        or (most is not None and value > most)
    ):
        raise InputError(f"{name}={value!r}", mend=f"a number {' and '.join(wanted)}")


def _check_one_of(value: Any, name: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{name}={value!r}", mend=f"use one of {', '.join(known)}")
