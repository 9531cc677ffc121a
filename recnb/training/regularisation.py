"""Against overfitting: noise on the words, on their vectors, on the labels, and averages of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from recnb.encoders.text.vocabulary import Vocabulary
from recnb.errors import InputError

ADVERSARIAL = ("none", "fgm", "pgd")
AVERAGES = ("none", "ema", "swa")
_TINY = 1e-12


@dataclass(frozen=True)
class Regularisation:
    """What is done against overfitting; the defaults do nothing.

    Parameters
    ----------
    word_dropout : float
        Share of the words that the language model does not see in a step: their ids are the mask's.
    synonyms : float
        Share of the words that give way to one of their nearest in the vocabulary.
    adversarial : {"none", "fgm", "pgd"}
        The loss is also taken at the worst nearby word vectors: one step along the gradient (Miyato et al. 2017,
        equation 5), or `pgd_steps` of them, each put back into the ball (Madry et al. 2018, section 2.1).
    epsilon : float
        Radius of that ball, as a share of the norm of a text's word vectors.
    pgd_steps : int
    r_drop : float
        Weight of the symmetric divergence between two passes with other dropout (Wu et al. 2021, equation 3).
    label_smoothing : float
        Share of the label that is spread evenly over the classes (Szegedy et al. 2016, section 7).
    average : {"none", "ema", "swa"}
        What is validated and kept: the weights, their exponential moving average, or their plain mean over the
        steps after `swa_start` (Izmailov et al. 2018).
    decay : float
        Of the exponential average, a step.
    swa_start : int
        Steps before the plain mean begins.

    Raises
    ------
    InputError
        A setting out of its range.
    """

    word_dropout: float = 0.0
    synonyms: float = 0.0
    adversarial: str = "none"
    epsilon: float = 0.1
    pgd_steps: int = 3
    r_drop: float = 0.0
    label_smoothing: float = 0.0
    average: str = "none"
    decay: float = 0.99
    swa_start: int = 0

    def __post_init__(self) -> None:
        for name in ("word_dropout", "synonyms", "label_smoothing", "decay"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)!r}", mend="at least 0 and below 1")
        for name in ("epsilon", "r_drop"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name}={getattr(self, name)!r}", mend="at least 0")
        if not self.pgd_steps >= 1 or not self.swa_start >= 0:
            raise InputError(
                f"pgd_steps={self.pgd_steps!r}, swa_start={self.swa_start!r}",
                mend="at least 1, at least 0",
            )
        for name, known in (("adversarial", ADVERSARIAL), ("average", AVERAGES)):
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name}={getattr(self, name)!r}", mend=f"one of {', '.join(known)}"
                )

    @property
    def changes_words(self) -> bool:
        return bool(self.word_dropout or self.synonyms)

    @property
    def changes_labels(self) -> bool:
        return bool(self.r_drop or self.label_smoothing)

    @property
    def any(self) -> bool:
        """Whether anything is done at all."""
        noise = self.changes_words or self.changes_labels
        return noise or self.adversarial != "none" or self.average != "none"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        return asdict(self)


class Regularised(nn.Module):
    """A module for :func:`recnb.training.train` whose loss and weights are made steadier.

    Parameters
    ----------
    module : torch.nn.Module
        ``module(batch)`` is the loss. Noise on words and their vectors needs ``encoder_network()``, and reaches the
        texts that the language model reads in the step, not those whose lower layers are cached. Noise on labels
        needs ``logits(batch)``, of shape (n,) for two classes or (n, n_classes), and ``targets(batch)``.
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
        self._words = _Words(settings, vocabulary)
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
        with self._words.on(self.encoder_network().get_input_embeddings()):
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
                _within(v + pace * n * _unit(g), s.epsilon * n) if g is not None else v
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
                decay = min(self.settings.decay, (1 + n) / (10 + n))
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
        return self

    def _trained(self) -> list[nn.Parameter]:
        return [p for p in self.module.parameters() if p.requires_grad]

    def _others(self) -> list[torch.Tensor]:
        n = sum(name.startswith("_other") for name in self._buffers)
        return [self.get_buffer(f"_other{i}") for i in range(n)]


class _Words:
    """What happens to the words of each text that the language model reads, within :meth:`on`."""

    def __init__(self, settings: Regularisation, vocabulary: Vocabulary | None) -> None:
        self.settings, self.vocabulary = settings, vocabulary
        self._ids: list[torch.Tensor] = []
        self._given: list[torch.Tensor] | None = None
        self.shifts: list[torch.Tensor] = []
        self.norms: list[torch.Tensor] = []
        self._call = 0

    @contextmanager
    def on(self, embedding: nn.Module) -> Iterator[None]:
        """Watch an embedding layer; the first pass draws, later ones see the same words."""
        self._ids, self.shifts, self.norms, self._call, self._given = [], [], [], 0, None
        hooks = [
            embedding.register_forward_pre_hook(self._change),
            embedding.register_forward_hook(self._shift),
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def repeat(self, shifts: list[torch.Tensor] | None = None) -> None:
        """The next pass reads the same words; `shifts` are added to their vectors."""
        self._call = 0
        if shifts is not None:
            self._given, self.shifts = shifts, []

    def _change(self, layer: nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        if self._call == len(self._ids):
            ids = args[0]
            if self.settings.changes_words:
                assert self.vocabulary is not None
                ids = self.vocabulary.noisy(ids, self.settings.word_dropout, self.settings.synonyms)
            self._ids.append(ids)
        return (self._ids[self._call],)

    def _shift(self, layer: nn.Module, args: Any, out: torch.Tensor) -> torch.Tensor | None:
        call, self._call = self._call, self._call + 1
        if self.settings.adversarial == "none":
            return None
        if self._given is None:
            if call < len(self.shifts):  # the second pass of R-Drop: the same point
                return out + self.shifts[call]
            shift = torch.zeros_like(out).requires_grad_()
            self.norms.append(_norm(out.detach()))
        else:
            shift = self._given[call].detach().requires_grad_()
        self.shifts.append(shift)
        return out + shift


def smoothed_loss(
    logits: torch.Tensor, targets: torch.Tensor, smoothing: float = 0.0
) -> torch.Tensor:
    """Cross-entropy with a share of the label spread over the classes.

    Parameters
    ----------
    logits : Tensor of shape (n,) or (n, n_classes)
    targets : Tensor of shape (n,)
        Probabilities of the second of two classes, or class numbers.
    smoothing : float

    Examples
    --------
    >>> round(smoothed_loss(torch.tensor([2.0]), torch.tensor([1.0]), 0.2).item(), 4)
    0.3269
    """
    if logits.ndim == 1:
        targets = targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(logits, targets)
    return F.cross_entropy(logits, targets, label_smoothing=smoothing)


def divergence(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Symmetric Kullback-Leibler divergence of two passes, the mean over rows; logits as in :func:`smoothed_loss`.

    Examples
    --------
    >>> divergence(torch.tensor([0.5]), torch.tensor([0.5])).item()
    0.0
    """
    if a.ndim == 1:
        a, b = (torch.stack([-x / 2, x / 2], dim=-1) for x in (a, b))
    p, q = F.log_softmax(a, -1), F.log_softmax(b, -1)
    return ((p.exp() - q.exp()) * (p - q)).sum(-1).mean() / 2


def _norm(vectors: torch.Tensor) -> torch.Tensor:
    """Of each text, over its words: (n, n_tokens, dim) to (n, 1, 1)."""
    return vectors.flatten(1).norm(dim=1).clamp_min(_TINY)[:, None, None]


def _unit(gradient: torch.Tensor) -> torch.Tensor:
    return gradient / _norm(gradient)


def _within(shift: torch.Tensor, radius: torch.Tensor) -> torch.Tensor:
    return shift * (radius / _norm(shift)).clamp(max=1.0)


def _check(module: nn.Module, settings: Regularisation, vocabulary: Vocabulary | None) -> None:
    kind = type(module).__name__
    if (settings.changes_words or settings.adversarial != "none") and not hasattr(
        module, "encoder_network"
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
