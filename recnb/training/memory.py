"""What a training step keeps in memory, counted and not guessed: equal on every run and every machine of a kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class SavedBytes:
    """Count the bytes that a forward pass keeps for its backward pass.

    Tensors that share memory count once. Within ``with`` everything that autograd saves is counted; what it
    computes anew in the backward pass (gradient checkpointing) is not, as it is never there all at once.

    Parameters
    ----------
    without : iterable of Tensor
        Memory that is there anyway: the parameters.

    Attributes
    ----------
    total : int
        Bytes so far.

    Examples
    --------
    >>> import torch
    >>> x, w = torch.ones(10, 4), torch.ones(4, 3, requires_grad=True)
    >>> with SavedBytes(without=[w]) as saved:
    ...     y = (x @ w).tanh().sum()
    >>> saved.total == x.nbytes + 10 * 3 * 4  # the input of the product, the output of the tanh
    True
    """

    def __init__(self, without: Iterable[Any] = ()) -> None:
        self._known = {tensor.untyped_storage().data_ptr() for tensor in without}
        self.total = 0

    def __enter__(self) -> SavedBytes:
        from torch.autograd.graph import saved_tensors_hooks

        self._hooks = saved_tensors_hooks(self._pack, lambda tensor: tensor)
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hooks.__exit__(*error)

    def _pack(self, tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._known:
            self._known.add(storage.data_ptr())
            self.total += storage.nbytes()
        return tensor


def state_bytes(optimiser: Any) -> int:
    """Bytes of what an optimiser remembers of each parameter; 0 before its first step.

    Parameters
    ----------
    optimiser : torch.optim.Optimizer

    Examples
    --------
    >>> import torch
    >>> weight = torch.nn.Parameter(torch.ones(100, 50))
    >>> weight.grad = torch.ones(100, 50)
    >>> optimiser = torch.optim.AdamW([weight])
    >>> optimiser.step()
    >>> state_bytes(optimiser) - 2 * weight.nbytes  # two moments, and the count of steps
    4
    """
    import torch

    parts = (value for state in optimiser.state.values() for value in state.values())
    return sum(part.nbytes for part in parts if isinstance(part, torch.Tensor))
