"""One vector from the states of a text's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

POOLINGS = ("mean", "first", "last")


def pool(states: torch.Tensor, mask: torch.Tensor, how: str = "mean") -> torch.Tensor:
    """Pool token states into one vector a text; padding takes no part, on whichever side it stands.

    Parameters
    ----------
    states : Tensor of shape (n_texts, n_tokens, dim)
        Hidden states of one layer.
    mask : Tensor of shape (n_texts, n_tokens)
        1 at a token, 0 at padding; at least one token a text.
    how : {"mean", "first", "last"}
        `"first"` is BERT's `[CLS]`; `"last"` is the token of a decoder that has read the whole
        text.

    Returns
    -------
    Tensor of shape (n_texts, dim), float32

    References
    ----------
    N. Reimers and I. Gurevych, Sentence-BERT, 2019, section 3 (mean and first).

    Examples
    --------
    >>> import torch
    >>> states = torch.tensor([[[1.0], [3.0], [9.0]]])
    >>> [pool(states, torch.tensor([[1, 1, 0]]), how).item() for how in POOLINGS]
    [2.0, 1.0, 3.0]
    >>> [pool(states, torch.tensor([[0, 1, 1]]), how).item() for how in POOLINGS]
    [6.0, 3.0, 9.0]
    """
    import torch

    if how == "mean":
        weights = mask.to(torch.float32)
        total = torch.bmm(weights.unsqueeze(1), states.float()).squeeze(1)
        return total / weights.sum(dim=1, keepdim=True)
    places = torch.arange(mask.shape[1], device=mask.device)
    if how == "first":
        place = torch.where(mask.bool(), places, mask.shape[1]).amin(dim=1)
    elif how == "last":
        place = torch.where(mask.bool(), places, -1).amax(dim=1)
    else:
        raise ValueError(f"unknown pooling {how!r}: use one of {', '.join(POOLINGS)}")
    return states[torch.arange(len(states), device=states.device), place].float()
