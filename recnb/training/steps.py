"""What one training step costs: tokens, seconds, and the four things that fill the memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from recnb.encoders import layer_list
from recnb.training.memory import SavedBytes, state_bytes
from recnb.training.settings import Training
from recnb.training.wrapping import fewer_activations


@dataclass(frozen=True)
class StepCosts:
    """Costs of a step, of its batch of rows.

    Attributes
    ----------
    tokens : float
        Through the language model for each row, padding among them; a token that passes some layers counts for
        that share.
    seconds : float
        For 1,000 rows: of this process on a CPU, of the clock on a GPU.
    weights, gradients, optimiser, kept : int
        Bytes: of all weights, of the gradients of those that learn, of what the optimiser remembers, and the most
        that the forward pass keeps for the backward pass.
    """

    tokens: float
    seconds: float
    weights: int
    gradients: int
    optimiser: int
    kept: int

    @property
    def memory(self) -> int:
        """Bytes in all."""
        return self.weights + self.gradients + self.optimiser + self.kept


class _Tokens:
    """Tokens that enter layers, counted within ``with``."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        self.passed, self._on = 0, False
        self._hooks = [
            layer.register_forward_pre_hook(self._count, with_kwargs=True) for layer in layers
        ]

    def __enter__(self) -> None:
        self._on = True

    def __exit__(self, *error: Any) -> None:
        self._on = False

    def _count(self, module: Any, args: Any, kwargs: Any) -> None:
        states = args[0] if args else kwargs["hidden_states"]  # (n, n_tokens, dim)
        self.passed += self._on * states.shape[0] * states.shape[1]

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()


class RowScorer(nn.Module):
    """A small two tower on rows of user, item and label: the loss that notebooks 14 and 15 take steps on.

    Parameters
    ----------
    network : torch.nn.Module
        The language model.
    dim : int
        Numbers in its sentence vectors.
    n_users, width : int
    encode : callable
        ``encode(network, items)`` returns the vectors of a batch's items, (n, dim).
    """

    def __init__(
        self,
        network: nn.Module,
        dim: int,
        n_users: int,
        encode: Callable[[nn.Module, Any], torch.Tensor],
        width: int = 16,
    ) -> None:
        super().__init__()
        self.network, self.encode = network, encode
        self.users = nn.Embedding(n_users, width)
        self.project = nn.Linear(dim, width, bias=False)
        self.line = nn.Linear(width, 1)

    def encoder_network(self) -> nn.Module:
        """The language model, for :func:`recnb.training.fewer_activations`."""
        return self.network

    def forward(self, batch: Any) -> torch.Tensor:
        """Mean squared error of a frame with `user`, `item` and `label`, a scalar."""
        items = self.project(self.encode(self.network, np.array(batch["item"])).float())
        users = self.users(torch.tensor(np.array(batch["user"]), device=items.device))
        scores = (users * items).sum(-1) + self.line(items)[:, 0] + 0.5
        labels = torch.tensor(batch["label"].to_numpy("float32"), device=items.device)
        return nn.functional.mse_loss(scores, labels)


def gradients_of(
    model: Any, batch: Any, parts: int = 1, checkpointing: bool = False
) -> dict[str, torch.Tensor]:
    """Gradients of a batch, by name of the parameter; taken in so many parts and added up."""
    model.zero_grad()
    with fewer_activations(model, Training(gradient_checkpointing=checkpointing)):
        backward(model, batch, parts)
    return {
        name: p.grad.detach().clone() for name, p in model.named_parameters() if p.grad is not None
    }


def backward(
    model: Any, batch: Any, parts: int = 1, half: bool = False, tokens: _Tokens | None = None
) -> int:
    """Add a batch's gradients; return the most bytes that were kept for a backward pass.

    Parameters
    ----------
    model : torch.nn.Module
        ``model(batch)`` is the mean loss over the rows of `batch`.
    batch : DataFrame
    parts : int
        So many pieces, one after the other.
    half : bool
        Products in bfloat16.
    tokens : optional
        Counts in the forward pass, not what checkpointing computes again.
    """
    device = next(model.parameters()).device.type
    size, kept = -(-len(batch) // parts), 0
    for start in range(0, len(batch), size):
        piece = batch.iloc[start : start + size]
        autocast = torch.autocast(device, torch.bfloat16, enabled=half)
        with SavedBytes(without=model.parameters()) as saved, autocast, tokens or nullcontext():
            loss = model(piece) * len(piece) / len(batch)
        loss.backward()
        kept = max(kept, saved.total)
    return kept


def step_costs(
    model: Any,
    optimiser: torch.optim.Optimizer,
    batches: Sequence[Any],
    parts: int = 1,
    checkpointing: bool = False,
    half: bool = False,
) -> StepCosts:
    """Take one step per batch and count; the first is not timed where there are several.

    Parameters
    ----------
    model : torch.nn.Module
        As in :func:`backward`, with ``encoder_network()``.
    optimiser : torch.optim.Optimizer
    batches : sequence of DataFrame
    parts, half
        As in :func:`backward`.
    checkpointing : bool
        Keep what enters each layer only, and compute the rest again in the backward pass.
    """
    layers = [
        layer
        for layer in layer_list(model.encoder_network())
        if any(True for _ in layer.parameters())
    ]
    tokens = _Tokens(layers)
    seconds, kept = [], 0
    try:
        for batch in batches:
            start = _now(model)
            optimiser.zero_grad()
            with fewer_activations(model, Training(gradient_checkpointing=checkpointing)):
                kept = max(kept, backward(model, batch, parts, half, tokens))
            optimiser.step()
            seconds.append((_now(model) - start) * 1000 / len(batch))
    finally:
        tokens.remove()
    return StepCosts(
        tokens=tokens.passed / len(layers) / sum(map(len, batches)),
        seconds=median(seconds[1:] or seconds),
        weights=sum(p.nbytes for p in model.parameters()),
        gradients=sum(p.grad.nbytes for p in model.parameters() if p.grad is not None),
        optimiser=state_bytes(optimiser),
        kept=kept,
    )


def _now(model: Any) -> float:
    if next(model.parameters()).device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def labelled_rows(pairs: Any, n: int, seed: int = 0) -> Any:
    """Draw rows to take steps on: for each pair that was taken one item that was not, in random order.

    Parameters
    ----------
    pairs : sparse matrix of shape (n_users, n_items)
        Not zero where a user took an item.
    n : int
        At most so many rows, half of either kind.
    seed : int

    Returns
    -------
    DataFrame
        `user`, `item`, `label` (1 taken, 0 not).

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> rows = labelled_rows(csr_matrix([[1, 0], [0, 1]]), 4)
    >>> sorted(rows.itertuples(index=False, name=None))
    [(0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 1)]
    """
    taken = pairs.toarray() > 0
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(taken & ~taken.all(axis=1, keepdims=True))
    some = rng.permutation(len(users))[: n // 2]
    users, items = users[some], items[some]
    others = [rng.choice(np.flatnonzero(~taken[user])) for user in users]
    rows = pd.DataFrame(
        {
            "user": np.concatenate([users, users]),
            "item": np.concatenate([items, np.asarray(others, dtype=items.dtype)]),
            "label": np.repeat([1, 0], len(users)),
        }
    )
    return rows.sample(frac=1, random_state=seed, ignore_index=True)
