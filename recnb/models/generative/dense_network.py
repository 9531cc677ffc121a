"""The network that generates ids and scores dense vectors from one reading of a history."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from recnb.models.common.reading.losses import MOST_ITEMS, NextItem
from recnb.models.generative.network import SCALE, IdNetwork

NEGATIVES = 1024  # drawn where the catalogue is too large for all


class DenseIdNetwork(IdNetwork):
    """An :class:`IdNetwork` whose encoder's states are also compared with vectors of items.

    Parameters
    ----------
    text : Tensor of shape (n_rows, dim)
        Vectors of the items' texts.
    tokens, sizes, n_known, …
        Of :class:`IdNetwork`.
    """

    text: torch.Tensor

    def __init__(
        self, text: torch.Tensor, tokens: torch.Tensor, sizes: tuple[int, ...], n_known: int,
        width: int, *shape: Any,
    ) -> None:  # fmt: skip
        super().__init__(tokens, sizes, n_known, width, *shape)
        self.n_known = n_known
        self.register_buffer("text", text, persistent=False)
        self.project = nn.Linear(text.shape[1], width, bias=False)
        nn.init.normal_(self.project.weight, std=SCALE * text.shape[1] ** -0.5)
        self.query = nn.Linear(width, width)
        every = n_known <= MOST_ITEMS
        self.next_item = NextItem("softmax" if every else "gbce", NEGATIVES)

    def table(self) -> torch.Tensor:
        """Dense vectors of all rows, (n_rows, width); a token that counts items of one code says nothing here."""
        of_ids = [level[self.tokens[:, at]] for at, level in enumerate(self.levels[:-1])]
        return self.project(self.text) + torch.stack(of_ids).sum(0)

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """The loss of the ids and that of the vectors."""
        memory, layout = self.encode(batch)
        table = self.table()[: self.n_known]
        dense = self.next_item(self.query(memory), table, batch["targets"], None)
        return self.loss_of_ids(batch, memory, layout) + dense

    def dense_scores(self, batch: dict[str, Any]) -> torch.Tensor:
        """Scores of all rows after each sequence, (n, n_rows), in the order of the arguments of `pack`."""
        memory, layout = self.encode(batch)
        newest = self.query(memory[layout.last])
        states = torch.empty_like(newest)
        states[batch["order"]] = newest
        return (states @ self.table().T).float()
