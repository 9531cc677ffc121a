"""The learning-rate range test finds where a training learns and where it breaks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recnb.errors import InputError
from recnb.training import RangeTest, Training, range_test, train


class Bowl(torch.nn.Module):
    """A quadratic whose plain steps break above a rate of 2 / 50, but for the optimiser's scaling."""

    def __init__(self) -> None:
        super().__init__()
        self.at = torch.nn.Parameter(torch.full((4,), 3.0))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return 25 * (self.at * batch).square().mean()


def batches(epoch: int) -> list[torch.Tensor]:
    rng = np.random.default_rng(epoch)
    return [torch.as_tensor(rng.uniform(0.9, 1.1, 4), dtype=torch.float32) for _ in range(7)]


def test_it_finds_a_rate_that_learns_and_leaves_the_module_alone():
    module = Bowl()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    found = range_test(
        module, batches, Training(lr=0.1, device="cpu"), low=1e-5, high=100.0, n_steps=120
    )
    assert torch.equal(module.at, torch.full((4,), 3.0)) and torch.equal(
        torch.get_rng_state(), before
    )
    ratio = found.rates[1:] / found.rates[:-1]
    np.testing.assert_allclose(ratio, ratio[0])
    assert found.rates[0] == pytest.approx(1e-5) and len(found.rates) < 120, (
        "it ends where it breaks"
    )
    assert found.steepest < found.lowest < found.rates[-1]
    ends, first = [], []
    for rate in (found.rates[0], found.steepest, found.rates[-1]):
        trained = Bowl()
        how = Training(lr=float(rate), epochs=10, warmup=0.0, schedule="constant", device="cpu")
        done = train(trained, batches, how)
        first.append(done.history[0]["loss"])
        ends.append(trained.at.abs().max().item())
    assert ends[1] < 0.5 < 2.9 < ends[0] and first[2] > 4 * first[0]
    smooth = [
        np.average(found.losses[: k + 1], weights=0.9 ** np.arange(k, -1, -1))
        for k in range(len(found.losses))
    ]
    np.testing.assert_allclose(found.smoothed, smooth)


def test_one_unlucky_batch_at_the_start_is_no_fall():
    """Flat but for a slow fall from 1e-2 to 1e-1; the first batch alone is far worse than the second."""
    rates = np.geomspace(1e-5, 1, 100)
    losses = 1 - 0.3 * np.clip(np.log10(rates) + 2, 0, 1)
    losses[0] += 1.0
    steps = range(1, 101)
    smooth = np.array([np.average(losses[:n], weights=0.9 ** np.arange(n)[::-1]) for n in steps])
    assert 1e-2 < RangeTest(rates, losses, smooth).steepest < 0.2


def test_what_cannot_be_tested():
    for settings in ({"low": 1.0, "high": 0.1}, {"n_steps": 3}):
        with pytest.raises(InputError, match="0 < low < high"):
            range_test(Bowl(), batches, Training(device="cpu"), **settings)
    with pytest.raises(InputError, match="without batches"):
        range_test(Bowl(), lambda epoch: [], Training(device="cpu"))
    with pytest.raises(InputError, match="first loss is nan"):
        range_test(Bowl(), lambda e: [torch.full((4,), torch.nan)], Training(device="cpu"))
