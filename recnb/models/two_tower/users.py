"""The user as a vector: a learned id, a history of items, its text, what is known of the person."""

from __future__ import annotations

import torch
from torch import nn

from recnb.models.two_tower.settings import POOLINGS


class HistoryPool(nn.Module):
    """One vector from the vectors of a user's items.

    Parameters
    ----------
    how : {"mean", "additive", "multihead", "target"}
        The weights of the items: equal; a learned function of each item; one such for each of several
        slices of the vector; a function of each item and the item to be scored.
    width : int
        Numbers in an item vector; divisible by `n_heads` for "multihead".
    keys : int
        Dimensions in which attention compares.
    n_heads : int

    References
    ----------
    additive: Bahdanau et al. (2015), and Wu et al. (2019), "NPA/NAML", equation 5; multihead: Lin et al.
    (2017), "A structured self-attentive sentence embedding"; target: Zhou et al. (2018), "Deep interest
    network", section 4.3, here with a softmax over scaled dot products.
    """

    def __init__(self, how: str, width: int, keys: int = 32, n_heads: int = 4) -> None:
        super().__init__()
        self.how, self.n_heads = how, n_heads if how == "multihead" else 1
        if how != "mean":
            self.key = nn.Linear(width, keys)
        if how in ("additive", "multihead"):
            self.ask = nn.Linear(keys, self.n_heads, bias=False)
        if how == "target":
            self.query = nn.Linear(width, keys)

    def weights(
        self,
        items: torch.Tensor,
        history: torch.Tensor,
        here: torch.Tensor,
        targets: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The share of each item of a history.

        Parameters
        ----------
        items : Tensor of shape (n_items, width)
        history : Tensor of shape (n, length), int64
            Rows of `items`.
        here : Tensor of shape (n, length), bool
            False where a history is shorter.
        targets : Tensor of shape (n, width), optional
            The item to be scored; for "target".

        Returns
        -------
        Tensor of shape (n_heads, n, length)
            Sums to 1 over the length, or to 0 where there is no history.
        """
        if self.how == "mean":
            logits = torch.zeros(1, *history.shape, device=items.device)
        elif self.how == "target":
            assert targets is not None
            keys = self.key(items)[history]
            logits = (keys @ self.query(targets)[:, :, None]).squeeze(-1)[None]
            logits = logits / keys.shape[-1] ** 0.5
        else:
            logits = self.ask(torch.tanh(self.key(items)))[history].movedim(-1, 0)
        logits = logits.masked_fill(~here, float("-inf"))
        empty = ~here.any(dim=1)
        return torch.softmax(logits.masked_fill(empty[:, None], 0), dim=-1) * here

    def forward(
        self,
        items: torch.Tensor,
        history: torch.Tensor,
        here: torch.Tensor,
        values: torch.Tensor | None = None,
        targets: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The vectors, (n, width); zero without history.

        Parameters
        ----------
        items, history, here, targets
            As in :meth:`weights`.
        values : Tensor of shape (n, length), optional
            What the user thought of each item, a factor on its share (a rating above or below the mean).
        """
        shares = self.weights(items, history, here, targets)
        if values is not None:
            shares = shares * values
        # embedding_bag sums without ever holding (n, length, width)
        slices = items.chunk(self.n_heads, dim=1)
        parts = [
            nn.functional.embedding_bag(history, piece, per_sample_weights=share, mode="sum")
            for piece, share in zip(slices, shares)
        ]
        return torch.cat(parts, dim=1)


class UserTower(nn.Module):
    """The sum of the parts of a user's vector.

    Parameters
    ----------
    parts : sequence of str
        Of :data:`recnb.models.two_tower.settings.USER_PARTS`; at most one way of pooling the history.
    n_users, width : int
    n_traits : int
        Columns of what is known of the person (age, gender, …), one-hot; 0 for none.
    spread : float
        Standard deviation of the id vectors at the start.
    """

    def __init__(
        self,
        parts: tuple[str, ...],
        n_users: int,
        width: int,
        n_traits: int = 0,
        spread: float = 0.01,
    ) -> None:
        super().__init__()
        self.parts = parts
        if "id" in parts:
            self.table = nn.Embedding(n_users, width)
            nn.init.normal_(self.table.weight, std=spread)
        pooling = [p for p in parts if p in POOLINGS]
        self.pool = HistoryPool(pooling[0], width) if pooling else None
        if "text" in parts:
            self.read = nn.Linear(width, width, bias=False)
            nn.init.eye_(self.read.weight)
        if n_traits:
            self.traits = nn.Linear(n_traits, width, bias=False)
            nn.init.zeros_(self.traits.weight)
        self.n_traits = n_traits

    def forward(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        history: tuple[torch.Tensor, torch.Tensor, torch.Tensor | None] | None = None,
        targets: torch.Tensor | None = None,
        texts: torch.Tensor | None = None,
        traits: torch.Tensor | None = None,
        known: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """User vectors of shape (n, width).

        Parameters
        ----------
        users : Tensor of shape (n,), int64
        items : Tensor of shape (n_items, width)
            Item vectors that the history points to.
        history : (history, here, values), optional
            As in :meth:`HistoryPool.forward`.
        targets : Tensor of shape (n, width), optional
        texts : Tensor of shape (n, width), optional
            Vectors of the users' texts.
        traits : Tensor of shape (n, n_traits), optional
        known : Tensor of shape (n,), bool, optional
            Whose id vector is used; that of a new user says nothing.
        """
        out = items.new_zeros(len(users), items.shape[1])
        if "id" in self.parts:
            own = self.table(users)
            out = out + (own if known is None else own * known[:, None])
        if self.pool is not None and history is not None:
            out = out + self.pool(items, *history, targets)
        if "text" in self.parts and texts is not None:
            out = out + self.read(texts)
        if self.n_traits and traits is not None:
            out = out + self.traits(traits)
        return out
