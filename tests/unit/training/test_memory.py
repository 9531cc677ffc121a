"""Bytes kept for the backward pass, and bytes of optimiser state."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from recnb.training.memory import SavedBytes, state_bytes


def _stack(width: int = 8, depth: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Sequential(nn.Linear(width, width), nn.GELU()) for _ in range(depth)))


def test_counts_each_memory_once_and_no_parameter() -> None:
    stack = _stack()
    x = torch.ones(5, 8)
    with SavedBytes(without=stack.parameters()) as saved:
        stack(x).sum()
    # of each layer its input and the input of the GELU
    assert saved.total == 3 * 2 * x.nbytes
    view = torch.ones(5, 8, requires_grad=True)
    with SavedBytes() as once:
        (view[:2].exp() * view[:2]).sum() + (view * view).sum()
    assert once.total == view.nbytes + 2 * 8 * 4


def test_counts_what_several_passes_keep_and_nothing_without_gradient() -> None:
    stack, x = _stack(), torch.ones(5, 8)
    with SavedBytes(without=stack.parameters()) as saved:
        kept = [stack(part).sum() for part in (x, x + 1)]
    assert len(kept) == 2 and saved.total == 2 * 3 * 2 * x.nbytes
    with torch.no_grad(), SavedBytes() as none:
        stack(x).sum()
    assert none.total == 0


def test_checkpointing_keeps_the_inputs_of_the_layers_only() -> None:
    stack = _stack()
    x = torch.ones(5, 8, requires_grad=True)
    with SavedBytes(without=stack.parameters()) as saved:
        states = x
        for layer in stack:
            states = checkpoint(layer, states, use_reentrant=False)
        loss = states.sum()
    assert saved.total == 3 * x.nbytes
    loss.backward()
    assert saved.total == 3 * x.nbytes  # the backward pass adds nothing
    slow = torch.autograd.grad(stack(x).sum(), x)[0]
    torch.testing.assert_close(x.grad, slow)


def test_the_gradient_is_the_same_under_the_count_and_an_error_takes_the_hooks_off() -> None:
    stack, x = _stack(), torch.ones(5, 8)
    plain = torch.autograd.grad(stack(x).sum(), stack[0][0].weight)[0]
    with SavedBytes() as saved:
        loss = stack(x).sum()
    assert torch.equal(torch.autograd.grad(loss, stack[0][0].weight)[0], plain)
    with pytest.raises(ValueError, match="stop"), saved:
        raise ValueError("stop")
    before = saved.total
    stack(x + 2).sum()
    assert saved.total == before


def test_state_of_optimisers() -> None:
    weight = nn.Parameter(torch.ones(100, 50))
    sizes = {}
    for kind in (torch.optim.AdamW, torch.optim.Adafactor, torch.optim.SGD):
        optimiser = kind([weight], lr=0.1)
        assert state_bytes(optimiser) == 0
        weight.grad = torch.ones_like(weight)
        optimiser.step()
        sizes[kind.__name__] = state_bytes(optimiser)
    assert sizes["SGD"] == 0
    assert sizes["AdamW"] == 2 * weight.nbytes + 4
    assert sizes["Adafactor"] == (100 + 50) * 4 + 4
