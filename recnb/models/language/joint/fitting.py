"""The network of a joint reader opened and trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from recnb.encoders.text.joint import JointTower
from recnb.encoders.text.views import vocabulary_of
from recnb.errors import InputError
from recnb.models.language.joint.drawing import Draws
from recnb.models.language.joint.network import JointNetwork
from recnb.models.language.joint.settings import JointSettings
from recnb.progress import say_time, tell
from recnb.training import Batches, Regularisation, Regularised, Trained, Training, train
from recnb.tuning.methods import counts, method_of, tune

WHOLE = ("full", "top_layers")  # train whole layers, and put nothing into the network


def opened(
    encoder: Any,
    settings: JointSettings,
    texts: Sequence[str],
    sees: str,
    loss: str,
    slots: int,
    mean: float,
    tuned: dict[str, np.ndarray] | None,
    against: Regularisation,
) -> tuple[JointNetwork, int]:
    """A network over texts, as pretrained or with tuned weights; and the numbers that the method added.

    Parameters
    ----------
    encoder : TextEncoder
    settings : JointSettings
    texts : sequence of str
    sees, loss, slots, mean
        As :class:`JointNetwork` takes them.
    tuned : dict of str to ndarray, optional
    against : Regularisation

    Raises
    ------
    InputError
        Words are to change that frozen layers have read already.
    """
    depth = min(settings.n_layers, encoder.n_layers)
    adapt = None
    if settings.method not in WHOLE:
        adapt = partial(tune, method=settings.method, size=settings.size, n_layers=depth)
    words = None
    if against.changes_words and depth < encoder.n_layers:
        raise InputError(
            f"word_dropout and synonyms change words that the lower {encoder.n_layers - depth} layers have read once",
            mend=f"let all layers read the pair: n_layers={encoder.n_layers}",
        )
    if against.changes_words and tuned is None:
        words = vocabulary_of(encoder, bool(against.synonyms))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        tower = JointTower(
            encoder, texts, depth, dropout=settings.dropout, tuned=tuned, adapt=adapt, words=words
        )
        network = JointNetwork(
            tower,
            sees,
            loss,
            settings.max_history,
            slots,
            mean,
            settings.dropout,
            0.1 * settings.lr,
        ).to(encoder.device)
    return network, 0 if adapt is None else counts(tower.network)[0]


def train_network(
    network: JointNetwork,
    name: str,
    settings: JointSettings,
    draws: Draws,
    batch: Callable[..., Any],
    data: str,
    value: Callable[[Any], float] | None,
    against: Regularisation,
) -> Trained:
    """Train a network in place; how long it takes at most is said once a few steps are measured.

    Parameters
    ----------
    network : JointNetwork
    name : str
        Of the model, in what is said of the time.
    settings : JointSettings
    draws : Draws
    batch : callable
        ``batch(epoch, kind, rows, number)`` makes a batch of drawn rows.
    data : str
        What the data are known by.
    value : callable, optional
        What the best epoch is chosen by.
    against : Regularisation
        What is done against overfitting.
    """
    how = Training(
        epochs=settings.n_epochs,
        lr=settings.lr,
        lr_encoder=settings.lr_encoder or method_of(settings.method).lr or 1e-4,
        weight_decay=settings.weight_decay,
        warmup=0.0,
        schedule="constant",
        patience=settings.patience,
        seed=settings.seed,
        checkpoint=settings.checkpoint,
    )

    def batches(epoch: int) -> Batches:
        return Batches(draws.plan(epoch), partial(batch, epoch))

    heard = Announced(name, settings.n_epochs)
    shell = Regularised(network, against, network.tower.words)
    of_shell = None if value is None else lambda shell: value(shell.module)
    return train(shell, batches, how, of_shell, heard, data=data)


class Announced:
    """Says how long a training will take at most, once a few steps have been measured, and how far it is."""

    def __init__(self, name: str, n_epochs: int) -> None:
        self.name, self.n_epochs, self.steps = name, n_epochs, 0
        self.since = time.perf_counter()

    def __call__(self, epoch: int, step: int, n_steps: int, loss: float) -> None:
        self.steps += 1
        total = n_steps * self.n_epochs
        if self.steps == 1:  # the first one opens what is opened once
            self.since = time.perf_counter()
        if self.steps == 4:
            seconds = (time.perf_counter() - self.since) / 3 * (total - self.steps)
            what = f"{self.name}: training, at most {self.n_epochs} epochs of {n_steps} steps"
            say_time(what, seconds)
        tell(f"{self.name}: training", (epoch - 1) * n_steps + step - 1, total)
