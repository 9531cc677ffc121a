"""What training minimises: on ratings, on clicks, on the order of items."""

from __future__ import annotations

import torch
from torch.nn import functional as F

LOSSES = ("mse", "bce", "bpr", "softmax", "infonce")
RANKING = ("bce", "bpr", "softmax", "infonce")


def squared(scores: torch.Tensor, ratings: torch.Tensor) -> torch.Tensor:
    """Mean squared error of predicted ratings; both of shape (n,).

    Examples
    --------
    >>> squared(torch.tensor([4.0, 2.0]), torch.tensor([5.0, 2.0])).item()
    0.5
    """
    return F.mse_loss(scores, ratings)


def binary(
    own: torch.Tensor,
    others: torch.Tensor,
    open_: torch.Tensor,
    weight: float = 1.0,
    shares: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cross-entropy of clicks: the row's item is one, the mean of its other candidates is zero.

    Parameters
    ----------
    own : Tensor of shape (n,)
        Scores of the items that were chosen.
    others : Tensor of shape (n, m)
        Scores of candidates.
    open_ : Tensor of shape (n, m), bool
        Candidates that the user has not chosen; the others take no part.
    weight : float
        Weight of the zeros against the one.
    shares : Tensor of shape (n,), optional
        Weights of the rows in the mean.

    Returns
    -------
    Tensor, scalar

    Examples
    --------
    >>> open_ = torch.tensor([[True, False]])
    >>> binary(torch.tensor([0.0]), torch.tensor([[0.0, 9.0]]), open_).item() == 2 * 0.6931471824645996
    True
    """
    zeros = F.softplus(others).masked_fill(~open_, 0).sum(1) / open_.sum(1).clamp(min=1)
    return weighted_mean(F.softplus(-own) + weight * zeros, shares)


def bpr(
    own: torch.Tensor,
    others: torch.Tensor,
    open_: torch.Tensor,
    shares: torch.Tensor | None = None,
) -> torch.Tensor:
    """Minus the log-probability that the chosen item is above a candidate, the mean over its candidates.

    Parameters and shapes as in :func:`binary`. With one candidate a row this is the published loss;
    with more it has the same expectation and less variance.

    References
    ----------
    Rendle et al. (2009), "BPR: Bayesian personalized ranking from implicit feedback", section 4.1.
    """
    loss = F.softplus(others - own[:, None]).masked_fill(~open_, 0).sum(1)
    return weighted_mean(loss / open_.sum(1).clamp(min=1), shares)


def softmax(
    own: torch.Tensor,
    others: torch.Tensor,
    open_: torch.Tensor,
    own_log_q: torch.Tensor | None = None,
    log_q: torch.Tensor | None = None,
    shares: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cross-entropy of the chosen item among itself and its candidates.

    Parameters
    ----------
    own, others, open_, shares
        As in :func:`binary`.
    own_log_q : Tensor of shape (n,), optional
    log_q : Tensor of shape (m,), optional
        Logarithms of the expected number of times that an item is among the candidates, subtracted
        from the scores: the sampled softmax then estimates the one over the whole catalogue. Without them
        this is InfoNCE.

    References
    ----------
    Bengio & Senécal (2008), section III; Yi et al. (2019), "Sampling-bias-corrected neural modeling
    for large corpus item recommendations", equation 3; van den Oord et al. (2018) for InfoNCE.
    """
    if log_q is not None and own_log_q is not None:
        own, others = own - own_log_q, others - log_q
    others = others.masked_fill(~open_, float("-inf"))
    loss = torch.logsumexp(torch.cat([own[:, None], others], dim=1), dim=1) - own
    return weighted_mean(loss, shares)


def weighted_mean(loss: torch.Tensor, shares: torch.Tensor | None) -> torch.Tensor:
    """Mean over rows of shape (n,), by their weights where there are any."""
    return loss.mean() if shares is None else (loss * shares).sum() / shares.sum()
