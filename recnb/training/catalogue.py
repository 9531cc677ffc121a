"""Cross-entropy over a whole catalogue, by blocks: its memory does not grow with rows times items."""

from __future__ import annotations

from typing import Any

import torch

CELLS = 2**20  # scores held at once on a CPU: 4 MB, which stay near the processor
CELLS_GPU = 2**26
BOUND = 40.0  # e^-80 is a number in float32


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
