"""What training minimises: on ratings, on clicks, on the order of items."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

CELLS = 2**20  # scores held at once on a CPU: 4 MB, which stay near the processor
CELLS_GPU = 2**26
BOUND = 40.0  # e^-80 is a number in float32
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


def catalogue_softmax(
    states: torch.Tensor, table: torch.Tensor, targets: torch.Tensor, cells: int | None = None
) -> torch.Tensor:
    """Mean cross-entropy of targets among all rows of a table, scored by inner products.

    Parameters
    ----------
    states : Tensor of shape (n, d)
    table : Tensor of shape (n_items, d)
    targets : Tensor of shape (n,), int64
        Rows of the table.
    cells : int, optional
        Scores held at once, 2^20 on a CPU and 2^26 on a graphics card; a block has at least 16 rows.

    Returns
    -------
    Tensor, scalar

    Notes
    -----
    Equal to ``cross_entropy(states @ table.T, targets)``. The gradients are taken in the same pass as the loss, while
    the probabilities of a block are at hand: three products of matrices in all, as many as without blocks. Under
    autocast the products are in its number format, sums and exponentials in float32.

    References
    ----------
    P.-L. Hsu et al. (2024), "Liger kernel", section 3.2 (fused linear cross-entropy).

    Examples
    --------
    >>> states, table = torch.randn(5, 3), torch.randn(7, 3)
    >>> targets = torch.tensor([0, 6, 2, 2, 1])
    >>> whole = torch.nn.functional.cross_entropy(states @ table.T, targets)
    >>> torch.testing.assert_close(catalogue_softmax(states, table, targets), whole)
    """
    if cells is None:
        cells = CELLS if states.device.type == "cpu" else CELLS_GPU
    return _CatalogueSoftmax.apply(states, table, targets, cells)


class _CatalogueSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, table: torch.Tensor, targets: torch.Tensor, cells: int
    ) -> torch.Tensor:
        kind = states.device.type
        low = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else table.dtype
        rows, items = states.detach().to(low), table.detach().to(low)
        n, size = max(len(rows), 1), max(16, cells // max(len(items), 1))
        needs_gradient = any(ctx.needs_input_grad[:2])
        row_gradient = torch.empty_like(rows)
        item_gradient = torch.zeros_like(items, dtype=torch.float32)
        loss = torch.zeros((), dtype=torch.float32, device=states.device)
        # items by rows: matrix products write this form faster than rows by items
        lengths = rows.float().norm(dim=1) * items.float().norm(dim=1).max()
        exact = bool((lengths > BOUND).any())
        held = rows.new_empty(len(items) * min(size, n)) if low == torch.float32 else None
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            wanted = targets[start : start + size]
            shape = (len(items), len(part))
            out = None if held is None else held[: shape[0] * shape[1]].view(shape)
            scores = torch.mm(items, part.T, out=out)
            of_target = scores.gather(0, wanted[None])[0].float()
            # no score is above this; where it is small, exponentials of scores less it are exact enough
            top = lengths[start : start + size]
            if exact:
                top = scores.amax(0)
            scores = scores.sub_(top).exp_() if out is not None else (scores.float() - top).exp_()
            total = scores.sum(0)
            loss += (total.log() + top - of_target).sum()
            if needs_gradient:
                scores = scores.to(low)
                mean = (scores.T @ items) / total[:, None]
                row_gradient[start : start + size] = mean - items[wanted]
                weighted = (part / total[:, None]).to(low)
                if out is not None:
                    item_gradient.addmm_(scores, weighted)
                else:
                    item_gradient += scores @ weighted
        if needs_gradient:
            item_gradient.index_add_(0, targets, rows.float(), alpha=-1)
            row_gradient = row_gradient.to(states.dtype).div_(n)
            item_gradient = item_gradient.to(table.dtype).div_(n)
        ctx.save_for_backward(row_gradient, item_gradient)
        return loss / n

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        row_gradient, item_gradient = ctx.saved_tensors
        (gradient,) = gradients
        return row_gradient * gradient, item_gradient * gradient, None, None
