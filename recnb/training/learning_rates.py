"""The learning-rate range test: a short training whose rate grows from step to step until the loss breaks away."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import numpy as np

from recnb.encoders.device import choose_device
from recnb.errors import InputError
from recnb.training.optimiser import make_optimiser
from recnb.training.randomness import kept
from recnb.training.settings import Training

_AWAY = 4.0  # times the lowest smoothed loss: it has broken away
_SMOOTHING = 0.9


@dataclass(frozen=True)
class RangeTest:
    """What the loss did while the learning rate grew.

    Attributes
    ----------
    rates : ndarray of shape (n_steps,)
        Of the heads; all groups of parameters grow alike.
    losses : ndarray of shape (n_steps,)
    smoothed : ndarray of shape (n_steps,)
        Exponential mean of the losses, corrected for its start.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray

    @property
    def lowest(self) -> float:
        """The rate at which the smoothed loss was lowest; what is higher does harm."""
        return float(self.rates[int(self.smoothed.argmin())])

    @property
    def steepest(self) -> float:
        """The rate at which the smoothed loss fell fastest: a rate to begin with.

        The first steps are left out, where the smoothing has hardly any losses to smooth and one batch decides.
        """
        end = int(self.smoothed.argmin()) + 1
        if end < 2:
            return float(self.rates[0])
        slope = np.gradient(self.smoothed[:end], np.log(self.rates[:end]))
        begin = min(round(1 / (1 - _SMOOTHING)), end - 1)
        return float(self.rates[begin + int(slope[begin:].argmin())])


def range_test(
    module: Any,
    batches: Callable[[int], Any],
    settings: Training,
    low: float = 1e-6,
    high: float = 1.0,
    n_steps: int = 100,
) -> RangeTest:
    """Train a copy of a module with a rate that grows by the same factor each step.

    Parameters
    ----------
    module, batches, settings
        As :func:`recnb.training.train` takes them; `module` stays as it is. Schedule and warm-up are of no account.
    low, high : float
        Of the rate of the heads, ``settings.lr``; those of other groups keep their ratio to it.
    n_steps : int
        At most; the test ends where the smoothed loss is four times its lowest, or no number.

    Raises
    ------
    InputError
        Not 0 < low < high, fewer than 10 steps, no batch, or a loss that is no number from the first step on.

    References
    ----------
    L. N. Smith, Cyclical learning rates for training neural networks, WACV 2017, section 3.3.

    Examples
    --------
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> batch = torch.randn(64, 1)
    >>> class Fit(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.line = torch.nn.Linear(1, 1)
    ...     def forward(self, x):
    ...         return (self.line(x) - 3 * x).square().mean()
    >>> found = range_test(Fit(), lambda epoch: [batch], Training(optimizer="adamw"), n_steps=60)
    >>> bool(found.rates[0] < found.steepest < found.lowest)
    True
    """
    import torch
    from accelerate.utils import send_to_device

    if not 0 < low < high or n_steps < 10:
        raise InputError(
            f"low={low!r}, high={high!r}, n_steps={n_steps!r}",
            mend="0 < low < high, and at least 10 steps",
        )
    device = choose_device(settings.device)
    rates, losses = np.geomspace(low, high, n_steps), []
    with kept(torch.device(device)):
        torch.manual_seed(settings.seed)
        probe = copy.deepcopy(module).to(device).train()
        optimiser = make_optimiser(probe, settings)
        stream = (batch for epoch in count() for batch in _some(batches(epoch)))
        for rate, batch in zip(rates, islice(stream, n_steps), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * rate / settings.lr
            optimiser.zero_grad(set_to_none=True)
            loss = probe(send_to_device(batch, device))
            losses.append(loss.item())
            if not math.isfinite(losses[-1]) or losses[-1] > _AWAY * min(_smooth(losses)):
                break
            loss.backward()
            if settings.clip is not None:
                torch.nn.utils.clip_grad_norm_(probe.parameters(), settings.clip)
            optimiser.step()
    if not math.isfinite(losses[0]):
        raise InputError(f"the first loss is {losses[0]}", mend="look at module and batches")
    found = np.array([loss for loss in losses if math.isfinite(loss)])
    return RangeTest(rates[: len(found)], found, _smooth(found))


def _some(batches: Any) -> Any:
    if not len(batches):
        raise InputError("an epoch without batches", mend="give some rows")
    return batches


def _smooth(losses: Any) -> np.ndarray:
    values, out = 0.0, []
    for step, loss in enumerate(losses, 1):
        values = _SMOOTHING * values + (1 - _SMOOTHING) * loss
        out.append(values / (1 - _SMOOTHING**step))
    return np.array(out)
