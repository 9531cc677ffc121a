"""The softmax over a catalogue by blocks is the usual one, in value and in gradients."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from recnb.training.losses import catalogue_softmax


def test_blocks_change_neither_the_loss_nor_its_gradients():
    torch.manual_seed(0)
    targets = torch.randint(0, 31, (53,))
    grads = []
    for loss_of in (
        lambda s, t: F.cross_entropy(s @ t.T, targets),
        lambda s, t: catalogue_softmax(s, t, targets),
        lambda s, t: catalogue_softmax(
            s, t, targets, cells=31 * 20
        ),  # three blocks, the last short
    ):
        torch.manual_seed(1)
        states = (3 * torch.randn(53, 8)).requires_grad_()
        table = (3 * torch.randn(31, 8)).requires_grad_()
        loss = loss_of(states, table)
        (2 * loss).backward()
        grads.append((loss.detach(), states.grad, table.grad))
    for one in grads[1:]:
        for ours, usual in zip(one, grads[0]):
            torch.testing.assert_close(ours, usual, rtol=1e-5, atol=1e-6)


def test_large_scores_do_not_overflow():
    states, table = torch.full((2, 1), 300.0), torch.tensor([[1.0], [-1.0]])
    assert catalogue_softmax(states, table, torch.tensor([0, 0])).item() == 0
    assert catalogue_softmax(states, table, torch.tensor([1, 1])).item() == 600


def test_autocast_keeps_the_sums_in_float32():
    torch.manual_seed(0)
    states, table = torch.randn(40, 16, requires_grad=True), torch.randn(500, 16)
    targets = torch.randint(0, 500, (40,))
    usual = F.cross_entropy(states @ table.T, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = catalogue_softmax(states, table, targets)
    assert ours.dtype == torch.float32 and abs(ours - usual) < 0.02 * usual
    ours.backward()
    gradient = states.grad.clone()
    states.grad = None
    usual.backward()
    assert F.cosine_similarity(gradient.flatten(), states.grad.flatten(), dim=0) > 0.999
