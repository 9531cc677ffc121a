"""Random states of Python, numpy and torch: taken, set, and given back to the caller."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def random_states(device: Any) -> dict[str, Any]:
    """The global random states, as plain values and tensors.

    Parameters
    ----------
    device : torch.device
        Its own generator is taken too.
    """
    import torch

    # modules may draw from numpy's global generator
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    states = {
        "python": random.getstate(),
        "numpy": (kind, np.asarray(keys).tolist(), *rest),
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        states["device"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["device"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: dict[str, Any], device: Any) -> None:
    """Set what :func:`random_states` took."""
    import torch

    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["device"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(states["device"])


@contextmanager
def kept(device: Any) -> Iterator[None]:
    """Leave the global random states as they were, whatever happens inside."""
    before = random_states(device)
    try:
        yield
    finally:
        set_random_states(before, device)


@contextmanager
def repeatable(device: Any) -> Iterator[None]:
    """Let torch add in a fixed order on a CPU.

    The gradient of `x[index]` is otherwise summed by several threads in whatever order they come, and
    two runs of the same training differ. On a GPU the fixed order is slow, so it is left alone.
    """
    import torch

    memory: Any = torch.utils.deterministic
    if device.type != "cpu" or torch.are_deterministic_algorithms_enabled():
        yield
        return
    fill = memory.fill_uninitialized_memory
    memory.fill_uninitialized_memory = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
        memory.fill_uninitialized_memory = fill
