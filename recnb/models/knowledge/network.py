"""The network behind LightGCN: one vector a node, spread along the edges, and a loss over what users like."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn
from torch.nn import functional as F

SCALE = 0.1  # standard deviation of a fresh vector's numbers
LIST = 10  # items of the list whose rule is learned
LOSSES = ("softmax", "bpr")


def csr_tensor(matrix: sparse.csr_matrix) -> torch.Tensor:
    """A sparse matrix as a tensor, float32."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Ss]parse.*", category=UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data.astype(np.float32)),
            size=matrix.shape,
        )


class _Product(torch.autograd.Function):
    """A fixed sparse matrix times vectors; the gradient goes back through its transpose."""

    @staticmethod
    def forward(ctx: Any, matrix: torch.Tensor, turned: torch.Tensor, x: torch.Tensor) -> Any:
        ctx.turned = turned
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return None, None, ctx.turned @ grads[0].contiguous()


@dataclass(frozen=True)
class SoftRule:
    """Not two of a kind in one list.

    Attributes
    ----------
    groups : Tensor of shape (n_pairs, 2), int64
        Item and group.
    n_groups : int
    weight : float
        Of the expected number of pairs of a kind among ten items drawn.
    """

    groups: torch.Tensor
    n_groups: int
    weight: float

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """The penalty of the lists that scores (n, n_items) stand for; known items have minus infinity.

        A user for whom every item is known has no list.

        Notes
        -----
        The rule "not (a and b)" for all pairs of a group, with the product for "and" and the softmax for the truth of
        "a is listed": the sum over groups of ``(sum p)² - sum p²``, times the pairs of a list of ten over two.
        """
        logits = logits[~logits.isneginf().all(1)]
        if not len(logits):
            return logits.new_zeros(())
        shares = logits.softmax(1)
        item, group = self.groups.to(logits.device).T
        mass = shares.new_zeros(len(shares), self.n_groups)
        mass = mass.index_add(1, group, shares[:, item])
        pairs = mass.pow(2).sum(1) - shares[:, item].pow(2).sum(1)
        return self.weight * LIST * (LIST - 1) / 2 * pairs.mean()


class GraphNetwork(nn.Module):
    """One learned vector a node; what is compared is the mean over the layers of what neighbours say.

    Parameters
    ----------
    matrix : csr_matrix of shape (n_nodes, n_nodes)
        :meth:`recnb.models.knowledge.graph.Graph.spread`.
    liked : csr_matrix of shape (n_users, n_items)
    learned : ndarray of shape (n_nodes,), bool
        Nodes with a vector of their own; the others start at 0 and stay there.
    width, n_layers : int
    loss : {"softmax", "bpr"}
    l2 : float
    rule : SoftRule, optional

    References
    ----------
    X. He et al. (2020), "LightGCN", equations 7 to 9.
    """

    learned: torch.Tensor
    known: torch.Tensor

    def __init__(
        self,
        matrix: sparse.csr_matrix,
        liked: sparse.csr_matrix,
        learned: np.ndarray,
        width: int,
        n_layers: int,
        loss: str,
        l2: float,
        rule: SoftRule | None = None,
    ) -> None:
        super().__init__()
        self.liked, self.n_layers, self.loss, self.l2 = liked, n_layers, loss, l2
        self.n_users, self.n_items = liked.shape
        self.rule = rule
        self.vectors = nn.Parameter(torch.randn(matrix.shape[0], width) * SCALE)
        self.register_buffer("learned", torch.from_numpy(learned)[:, None].float(), False)
        self._held = [csr_tensor(matrix), csr_tensor(sparse.csr_matrix(matrix.T))]
        known = torch.from_numpy(np.diff(liked.tocsc().indptr) > 0)
        self.register_buffer("known", known, False)  # items that may be predicted in training

    def layers(self) -> list[torch.Tensor]:
        """The vectors after 0, 1, … steps along the edges, each (n_nodes, width)."""
        device = self.vectors.device
        if self._held[0].device != device:
            self._held = [part.to(device) for part in self._held]
        out = [self.vectors * self.learned]
        for _ in range(self.n_layers):
            out.append(_Product.apply(*self._held, out[-1]))
        return out

    def final(self) -> torch.Tensor:
        """The vectors that are compared, (n_nodes, width)."""
        return torch.stack(self.layers()).mean(0)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The loss of some users: `users` (n,), and their pairs as `row` (places in `users`) and `item`."""
        final = self.final()
        users, items = final[batch["users"]], final[self.n_users : self.n_users + self.n_items]
        scores = users @ items.T
        positive = scores[batch["row"], batch["item"]]
        if self.loss == "bpr":
            negative = scores[batch["row"], batch["other"]]
            loss = F.softplus(negative - positive).mean()
        else:
            open_ = scores.masked_fill(~self.known, -torch.inf)
            loss = (open_.logsumexp(1)[batch["row"]] - positive).mean()
        loss = loss + self.l2 * (self.vectors * self.learned).pow(2).sum(1).mean()
        if self.rule is not None:
            barred = scores.masked_fill(~self.known, -torch.inf).clone()
            barred[batch["row"], batch["item"]] = -torch.inf
            loss = loss + self.rule(barred)
        return loss

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Vectors are a table: they do not decay, `l2` counts instead."""
        return [{"name": "tables", "params": [self.vectors]}]


@dataclass(frozen=True, eq=False)
class UserBatches:
    """The batches of an epoch: users with something liked, shuffled, with all that they like."""

    liked: sparse.csr_matrix
    known: np.ndarray
    batch_size: int
    seed: int

    def epoch(self, number: int) -> list[dict[str, torch.Tensor]]:
        """A function of seed and number alone."""
        rng = np.random.default_rng([self.seed, number])
        users = rng.permutation(np.flatnonzero(np.diff(self.liked.indptr)))
        out = []
        for start in range(0, len(users), self.batch_size):
            chosen = users[start : start + self.batch_size]
            rows = self.liked[chosen]
            row = np.repeat(np.arange(len(chosen)), np.diff(rows.indptr))
            other = rng.choice(self.known, len(row))
            arrays = {"users": chosen, "row": row, "item": rows.indices, "other": other}
            out.append({k: torch.from_numpy(v.astype(np.int64)) for k, v in arrays.items()})
        return out
