"""What is put around a module while it is trained, and taken off again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from recnb.errors import InputError
from recnb.training.settings import Training


def loss_of(module: Any) -> Any:
    """A shell around `module` that accelerate can wrap and patch, so that the module stays as it was.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    torch.nn.Module
        Its `forward(batch)` is the module's, checked to be a scalar.
    """
    import torch

    class Loss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, batch: Any) -> Any:
            loss = self.module(batch)
            if not isinstance(loss, torch.Tensor) or loss.ndim:
                is_tensor = isinstance(loss, torch.Tensor)
                found = f"of shape {tuple(loss.shape)}" if is_tensor else repr(loss)
                raise InputError(f"forward(batch) gives a loss {found}", mend="return a scalar")
            return loss

    return Loss()


@contextmanager
def fewer_activations(module: Any, settings: Training) -> Iterator[None]:
    """Gradient checkpointing in the module's language model where `settings` ask for it.

    Raises
    ------
    InputError
        The module has no `encoder_network()`, or that network cannot do it.
    """
    if not settings.gradient_checkpointing:
        yield
        return
    offered = getattr(module, "encoder_network", None)
    network: Any = offered() if offered else None
    # renamed in transformers 5.24
    word = "activation" if hasattr(network, "activation_checkpointing_enable") else "gradient"
    if not hasattr(network, f"{word}_checkpointing_enable"):
        raise InputError(
            f"{type(module).__name__} has no encoder_network() with gradient checkpointing",
            mend="set gradient_checkpointing=False",
        )
    enable = getattr(network, f"{word}_checkpointing_enable")
    hooked = getattr(network, "_require_grads_hooks", None)
    # the other way of torch does not work beside parameters without gradient
    enable(**{f"{word}_checkpointing_kwargs": {"use_reentrant": False}})
    try:
        yield
    finally:
        getattr(network, f"{word}_checkpointing_disable")()
        if not hooked and getattr(network, "_require_grads_hooks", None):
            network.disable_input_require_grads()  # enabling put it on, disabling leaves it
