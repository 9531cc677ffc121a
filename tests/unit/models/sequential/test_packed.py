"""Packed sequences are read as each would be alone, and nothing looks ahead."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from recnb.models.common.reading.losses import NextItem
from recnb.models.common.reading.packed import Layout, pack, windows
from recnb.models.sequential.network import READERS, SequenceNetwork
from recnb.models.sequential.vectors import ItemVectors

SIZES = np.array([3, 1, 7, 3, 5, 7, 2])
N_ITEMS, WIDTH, LENGTH = 40, 8, 9


def network(reader: str, positions: str = "rope") -> SequenceNetwork:
    torch.manual_seed(0)
    vectors = ItemVectors(N_ITEMS, WIDTH)
    torch.nn.init.normal_(vectors.free)
    built = SequenceNetwork(
        vectors, N_ITEMS, reader, WIDTH, 2, 2, LENGTH, positions, 0.0, NextItem("softmax")
    )
    for name, parameter in built.named_parameters():
        if "distance" in name:
            torch.nn.init.normal_(parameter)
    return built.eval()


def stream() -> tuple[np.ndarray, np.ndarray]:
    items = np.random.default_rng(0).integers(0, N_ITEMS, SIZES.sum())
    return items, np.cumsum(SIZES) - SIZES


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("positions", ["rope", "learned"])
@pytest.mark.parametrize("grain", [1, 4])
def test_packed_sequences_are_read_as_each_alone(reader, positions, grain, monkeypatch):
    monkeypatch.setattr("recnb.models.common.reading.packed.GRAIN_CPU", grain)
    built, (items, starts) = network(reader, positions), stream()
    table = built.vectors()
    together = built.newest(pack(items, starts, SIZES), table)
    alone = [
        built.newest(pack(items, starts[k : k + 1], SIZES[k : k + 1]), table)
        for k in range(len(SIZES))
    ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)
    blocks = Layout(tuple(sorted(SIZES.tolist(), reverse=True)), torch.device("cpu")).blocks
    padded = any(block.inside is not None for block in blocks)
    assert padded == (grain > 1) and together.std() > 0.1


@pytest.mark.parametrize("reader", READERS)
def test_no_state_sees_a_later_event_or_another_sequence(reader):
    built, (items, starts) = network(reader), stream()
    table = built.vectors()
    before, _ = built.states(pack(items, starts, SIZES), table)
    place = starts[2] + 4  # the fifth event of the third sequence, which is the first when packed
    items[place] = (items[place] + 1) % N_ITEMS
    after, _ = built.states(pack(items, starts, SIZES), table)
    moved = (before - after).abs().amax(1) > 1e-6
    assert moved.nonzero().flatten().tolist() == [4, 5, 6]


@pytest.mark.parametrize("length", [1, 3, 50])
def test_every_event_but_the_first_is_a_target_once(length):
    rng = np.random.default_rng(0)
    sizes = rng.integers(0, 20, 200)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    starts, widths = windows(offsets, length)
    assert widths.max() == min(length, sizes.max() - 1) + 1 and widths.min() >= 2
    events = np.concatenate([np.arange(s + 1, s + w) for s, w in zip(starts, widths)])
    firsts = offsets[:-1][sizes > 0]
    assert sorted(events) == sorted(set(range(offsets[-1])) - set(firsts))


def test_the_corrected_sample_estimates_the_whole_softmax():
    torch.manual_seed(0)
    states, table = torch.randn(6, 4), torch.randn(30, 4)
    targets = torch.arange(6)
    whole = F.cross_entropy(states @ table.T, targets)
    shares = torch.rand(30) ** 3
    shares = shares / shares.sum()
    drawn = NextItem("sampled", 200_000)(states, table, targets, shares)
    assert abs(drawn - whole) < 0.01
    uncorrected = NextItem("sampled", 200_000)(states, table, targets, torch.full((30,), 1 / 30))
    assert abs(uncorrected - whole) < 0.01


def test_gbce_without_calibration_is_binary_cross_entropy():
    torch.manual_seed(0)
    states, table = torch.randn(500, 4), torch.randn(2, 4)
    targets = torch.zeros(500, dtype=torch.int64)
    other = F.softplus(states @ table[1])
    own = F.softplus(-(states @ table[0]))
    for n in (1, 20):  # drawn for each target, and for the batch
        loss = NextItem("gbce", n, 0.0)(states, table, targets, None)
        # a negative that is the target takes no part: half of the draws
        assert abs((loss - own.mean()) / (n * other.mean()) - 0.5) < 0.25
    # fully calibrated with one negative of two items: its power is the sampling rate
    half = NextItem("gbce", 1, 1.0)._power(3)
    assert half == 0.5 and NextItem("gbce", 1, 0.0)._power(3) == 1.0
