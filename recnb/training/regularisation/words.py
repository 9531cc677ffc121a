"""Noise on the words of each text that a language model reads, and on their vectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from recnb.encoders.text.vocabulary import Vocabulary
from recnb.training.regularisation.settings import Regularisation

_TINY = 1e-12


class Words:
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

    def _change(
        self, layer: nn.Module, args: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, ...] | None:
        if not layer.training or not self.settings.changes_words:
            return None
        if self._call == len(self._ids):
            assert self.vocabulary is not None
            s = self.settings
            self._ids.append(self.vocabulary.noisy(args[0], s.word_dropout, s.synonyms))
        return (self._ids[self._call], *args[1:])

    def _shift(self, layer: nn.Module, args: Any, out: Any) -> Any:
        if not layer.training:  # the table of all states is read as it is
            return None
        call, self._call = self._call, self._call + 1
        if self.settings.adversarial == "none":
            return None
        vectors = out[0] if isinstance(out, tuple) else out
        if self._given is None:
            if call < len(self.shifts):  # the second pass of R-Drop: the same point
                shift = self.shifts[call]
            else:
                shift = torch.zeros_like(vectors).requires_grad_()
                self.norms.append(norm(vectors.detach()))
                self.shifts.append(shift)
        else:
            shift = self._given[call].detach().requires_grad_()
            self.shifts.append(shift)
        return (vectors + shift, *out[1:]) if isinstance(out, tuple) else vectors + shift


def norm(vectors: torch.Tensor) -> torch.Tensor:
    """Of each text, over its words: (n, n_tokens, dim) to (n, 1, 1), or (n, dim) to (n, 1)."""
    sizes = vectors.flatten(1).norm(dim=1).clamp_min(_TINY)
    return sizes.view(-1, *(1,) * (vectors.ndim - 1))


def unit(gradient: torch.Tensor) -> torch.Tensor:
    return gradient / norm(gradient)


def within(shift: torch.Tensor, radius: torch.Tensor) -> torch.Tensor:
    return shift * (radius / norm(shift)).clamp(max=1.0)
