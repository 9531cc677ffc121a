"""A module whose loss and weights are made steadier while it is trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from recnb.encoders.text.vocabulary import Vocabulary
from recnb.errors import InputError
from recnb.training.regularisation.losses import divergence, smoothed_loss
from recnb.training.regularisation.settings import Regularisation
from recnb.training.regularisation.words import Words, unit, within


class Regularised(nn.Module):
    """A module for :func:`recnb.training.train` whose loss and weights are made steadier.

    Parameters
    ----------
    module : torch.nn.Module
        ``module(batch)`` is the loss. Noise on words and their vectors enters at ``entry()``, a layer that the batch
        passes, or at the word vectors of ``encoder_network()``. Noise on labels needs ``logits(batch)``, of shape (n,)
        for two classes or (n, n_classes), and ``targets(batch)``. Where it has ``weights_moved()``, this is called
        when averaged weights are put in and taken out.
    settings : Regularisation
    vocabulary : Vocabulary, optional
        Needed by word dropout and synonyms.

    Raises
    ------
    InputError
        The module lacks what a setting needs.

    Notes
    -----
    In training mode the module has the weights of the last step, in evaluation mode the averaged ones; so they are
    what is validated, kept, and left when training ends. The state of the average lies in buffers and travels in
    checkpoints: a training that was killed goes on with equal bits.
    """

    _n_averaged: torch.Tensor
    _n_steps: torch.Tensor
    _swapped: torch.Tensor

    def __init__(
        self, module: Any, settings: Regularisation, vocabulary: Vocabulary | None = None
    ) -> None:
        super().__init__()
        self.module: Any = module
        self.settings, self.vocabulary = settings, vocabulary
        _check(module, settings, vocabulary)
        self._words = Words(settings, vocabulary)
        self._averages = settings.average != "none"
        if self._averages:
            self.register_buffer("_n_averaged", torch.zeros((), dtype=torch.long))
            self.register_buffer("_n_steps", torch.zeros((), dtype=torch.long))
            self.register_buffer("_swapped", torch.zeros((), dtype=torch.bool))
            for i, weights in enumerate(self._trained()):
                self.register_buffer(f"_other{i}", weights.detach().clone())

    def encoder_network(self) -> Any:
        """The language model."""
        return self.module.encoder_network()

    def _entry(self) -> nn.Module:
        offered = getattr(self.module, "entry", None)
        return offered() if offered else self.encoder_network().get_input_embeddings()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Of the module."""
        offered = getattr(self.module, "parameter_groups", None)
        return offered() if offered else [{"name": "head", "params": self.module.parameters()}]

    def forward(self, batch: Any) -> torch.Tensor:
        """The loss of a batch, with what the settings add to it; a scalar."""
        s = self.settings
        if not self.training or not (
            s.changes_words or s.changes_labels or s.adversarial != "none"
        ):
            return self._loss(batch)[0]
        if not (s.changes_words or s.adversarial != "none"):
            return self._noisy_labels(batch)
        with self._words.on(self._entry()):
            loss = self._noisy_labels(batch)
            return loss if s.adversarial == "none" else (loss + self._worst(batch, loss)) / 2

    def _loss(self, batch: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
        if not self.settings.changes_labels:
            return self.module(batch), None
        logits = self.module.logits(batch)
        targets = self.module.targets(batch)
        return smoothed_loss(logits, targets, self.settings.label_smoothing), logits

    def _noisy_labels(self, batch: Any) -> torch.Tensor:
        loss, logits = self._loss(batch)
        if not self.settings.r_drop or logits is None:
            return loss
        self._words.repeat()
        again, others = self._loss(batch)
        assert others is not None
        apart = divergence(logits, others)
        return (loss + again) / 2 + self.settings.r_drop * apart

    def _worst(self, batch: Any, loss: torch.Tensor) -> torch.Tensor:
        """The loss at the word vectors that it grows towards."""
        words, s = self._words, self.settings
        if not words.shifts:  # no text was read in this step
            return loss
        n_steps = 1 if s.adversarial == "fgm" else s.pgd_steps
        pace = s.epsilon if n_steps == 1 else 1.5 * s.epsilon / n_steps
        first, last = [torch.zeros_like(v) for v in words.shifts], loss
        for step in range(n_steps):
            gradients = torch.autograd.grad(
                last, words.shifts, retain_graph=step == 0, allow_unused=True
            )
            first = [
                within(v + pace * n * unit(g), s.epsilon * n) if g is not None else v
                for v, g, n in zip(first, gradients, words.norms, strict=True)
            ]
            words.repeat(first)
            last = self._loss(batch)[0]
        return last

    def after_step(self) -> None:
        """Take the weights of a step into their average."""
        if hasattr(self.module, "after_step"):
            self.module.after_step()
        if not self._averages:
            return
        self._n_steps += 1
        if self.settings.average == "swa" and self._n_steps <= self.settings.swa_start:
            return
        from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn

        weights = [w.detach() for w in self._trained()]
        with torch.no_grad():
            if self._n_averaged == 0:
                torch._foreach_copy_(self._others(), weights)
            elif self.settings.average == "ema":
                # a short run forgets its start: (1 + n) / (10 + n), as in TensorFlow's moving average
                n = int(self._n_averaged)
                decay = min(self.settings.average_decay, (1 + n) / (10 + n))
                get_ema_multi_avg_fn(decay)(self._others(), weights, self._n_averaged)
            else:
                get_swa_multi_avg_fn()(self._others(), weights, self._n_averaged)
        self._n_averaged += 1

    def train(self, mode: bool = True) -> Regularised:
        """Training mode has the last step's weights, evaluation mode the averaged ones."""
        super().train(mode)
        if self._averages and int(self._n_averaged) and bool(self._swapped) == mode:
            with torch.no_grad():
                for weights, other in zip(self._trained(), self._others(), strict=True):
                    kept = weights.clone()
                    weights.copy_(other)
                    other.copy_(kept)
            self._swapped.fill_(not mode)
            moved = getattr(self.module, "weights_moved", None)
            if moved is not None:
                moved()
        return self

    def _trained(self) -> list[nn.Parameter]:
        return [p for p in self.module.parameters() if p.requires_grad]

    def _others(self) -> list[torch.Tensor]:
        n = sum(name.startswith("_other") for name in self._buffers)
        return [self.get_buffer(f"_other{i}") for i in range(n)]


def _check(module: nn.Module, settings: Regularisation, vocabulary: Vocabulary | None) -> None:
    kind = type(module).__name__
    if (settings.changes_words or settings.adversarial != "none") and not (
        hasattr(module, "entry") or hasattr(module, "encoder_network")
    ):
        raise InputError(
            f"{kind} has no encoder_network(), whose words could be changed",
            mend="set word_dropout=0, synonyms=0, adversarial='none'",
        )
    if settings.changes_words and vocabulary is None:
        raise InputError(
            "word_dropout and synonyms need a vocabulary", mend="pass Vocabulary.of(tokenizer, …)"
        )
    if settings.changes_labels and not (hasattr(module, "logits") and hasattr(module, "targets")):
        raise InputError(
            f"{kind} has no logits(batch) and targets(batch)",
            mend="set r_drop=0, label_smoothing=0",
        )
