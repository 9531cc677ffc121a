"""Scoring heads: r(u, v) = f(h_u, h_v), three choices of f."""

from __future__ import annotations

import math

import torch
from torch import nn

HEADS = ("weighted_sum", "elementwise_sum", "dot", "mlp")
LAYERED = ("weighted_sum", "elementwise_sum")  # read the states of all layers, in no learned space


class Head(nn.Module):
    """A function of the states of a user and an item.

    A head first brings item states into the space in which users are compared (:meth:`items`); users are
    sums of such item vectors, of the same shape. Then :meth:`pairs` scores row by row and :meth:`grid`
    every user with every item.

    Attributes
    ----------
    width : int
        Numbers in a vector.
    linear : bool
        Whether the score is linear in the item's vector, so that :meth:`queries` exists and all scores are one
        matrix product.
    """

    width: int
    linear = True

    def items(self, states: torch.Tensor) -> torch.Tensor:
        """Item vectors from pooled states: (n, n_layers, dim) to (n, width)."""
        raise NotImplementedError

    def queries(self, users: torch.Tensor) -> torch.Tensor:
        """What is multiplied with the item vectors to give the scores: (n, width) to (n, width)."""
        raise NotImplementedError

    def pairs(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Scores of pairs: (n, width) and (n, width) to (n,)."""
        return (self.queries(users) * items).sum(-1)

    def grid(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Scores of all pairs: (n, width) and (m, width) to (n, m)."""
        return self.queries(users) @ items.T


class WeightedSum(Head):
    r"""The weighted sum over layers of the inner products of their states.

    .. math:: r(u, v) = \sum_i w_i \langle h_u^i, h_v^i \rangle

    Parameters
    ----------
    n_layers, dim : int
    elementwise : bool
        A weight for every coordinate of every layer: :math:`\sum_i w_i \cdot (h_u^i \odot h_v^i)`.

    Attributes
    ----------
    weights : Parameter of shape (n_layers, 1) or (n_layers, dim)
        At the start equal and such that the score is the mean over layers.

    Examples
    --------
    >>> head = WeightedSum(n_layers=2, dim=2)
    >>> states = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> z = head.items(states)
    >>> head.pairs(z, z).item()  # (1 + 1) / 2
    1.0
    """

    def __init__(self, n_layers: int, dim: int, elementwise: bool = False) -> None:
        super().__init__()
        self.n_layers, self.dim, self.width = n_layers, dim, n_layers * dim
        shape = (n_layers, dim if elementwise else 1)
        self.weights = nn.Parameter(torch.full(shape, 1 / n_layers))

    def items(self, states: torch.Tensor) -> torch.Tensor:
        return states.flatten(1)

    def queries(self, users: torch.Tensor) -> torch.Tensor:
        layers = users.unflatten(-1, (self.n_layers, self.dim))
        return (layers * self.weights).flatten(-2)


class Dot(Head):
    """The inner product in a learned space, times an inverse temperature.

    Parameters
    ----------
    n_layers, dim : int
        One layer, or several that are put side by side.
    width : int, optional
        Dimensions of the learned space; None: the states as they are.
    temperature : float
        At the start; learned on a logarithmic scale.

    Notes
    -----
    User and item biases are added by the network that holds the head.
    """

    def __init__(
        self, n_layers: int, dim: int, width: int | None = 128, temperature: float = 1.0
    ) -> None:
        super().__init__()
        wide = n_layers * dim
        self.width = width or wide
        self.project: nn.Module = nn.Identity()
        if width:
            self.project = nn.Linear(wide, width, bias=False)
            nn.init.orthogonal_(self.project.weight)  # type: ignore[arg-type]
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    def items(self, states: torch.Tensor) -> torch.Tensor:
        return self.project(states.flatten(1))

    def queries(self, users: torch.Tensor) -> torch.Tensor:
        return users * self.log_scale.exp()


class MLP(Head):
    """A network over the two vectors, their product and their distance, coordinate by coordinate.

    Parameters
    ----------
    n_layers, dim : int
    width : int
        Dimensions of the learned space in which the two are compared.
    hidden : int
    dropout : float

    References
    ----------
    The four parts as in N. Reimers and I. Gurevych, Sentence-BERT, 2019, section 6.
    """

    linear = False

    def __init__(
        self, n_layers: int, dim: int, width: int = 64, hidden: int = 64, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.width = width
        self.project = nn.Linear(n_layers * dim, width, bias=False)
        nn.init.orthogonal_(self.project.weight)
        self.left, self.right = nn.Linear(width, hidden), nn.Linear(width, hidden, bias=False)
        self.both = nn.Linear(2 * width, hidden, bias=False)
        self.top = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, 1))

    def items(self, states: torch.Tensor) -> torch.Tensor:
        return self.project(states.flatten(1))

    def pairs(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        # one matrix over [u, v, u*v, |u-v|], cut in three: the first two parts need no pair
        both = self.both(torch.cat([users * items, (users - items).abs()], dim=-1))
        return self.top(self.left(users) + self.right(items) + both).squeeze(-1)

    def grid(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        u, v = users[:, None, :], items[None, :, :]
        both = self.both(torch.cat([u * v, (u - v).abs()], dim=-1))
        return self.top(self.left(users)[:, None] + self.right(items)[None] + both).squeeze(-1)


def make_head(name: str, n_layers: int, dim: int, **settings) -> Head:
    """A head by name, of :data:`HEADS`."""
    if name in LAYERED:
        return WeightedSum(n_layers, dim, elementwise=name == "elementwise_sum", **settings)
    return {"dot": Dot, "mlp": MLP}[name](n_layers, dim, **settings)
