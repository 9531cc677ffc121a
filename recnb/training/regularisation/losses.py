"""Losses with soft labels, and how far two passes lie apart."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def smoothed_loss(
    logits: torch.Tensor, targets: torch.Tensor, smoothing: float = 0.0
) -> torch.Tensor:
    """Cross-entropy with a share of the label spread over the classes.

    Parameters
    ----------
    logits : Tensor of shape (n,) or (n, n_classes)
    targets : Tensor of shape (n,)
        Probabilities of the second of two classes, or class numbers.
    smoothing : float

    Examples
    --------
    >>> round(smoothed_loss(torch.tensor([2.0]), torch.tensor([1.0]), 0.2).item(), 4)
    0.3269
    """
    if logits.ndim == 1:
        targets = targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(logits, targets)
    return F.cross_entropy(logits, targets, label_smoothing=smoothing)


def divergence(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Symmetric Kullback-Leibler divergence of two passes, the mean over rows; logits as in :func:`smoothed_loss`.

    Examples
    --------
    >>> divergence(torch.tensor([0.5]), torch.tensor([0.5])).item()
    0.0
    """
    if a.ndim == 1:
        a, b = (torch.stack([-x / 2, x / 2], dim=-1) for x in (a, b))
    p, q = F.log_softmax(a, -1), F.log_softmax(b, -1)
    return ((p.exp() - q.exp()) * (p - q)).sum(-1).mean() / 2
