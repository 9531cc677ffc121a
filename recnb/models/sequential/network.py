"""The network of a sequence model: item vectors in, states out, a loss over what comes next."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from recnb.models.common.reading.layers import AttentionLayer, GatedLayer, Recurrent
from recnb.models.common.reading.losses import NextItem
from recnb.models.common.reading.packed import Layout
from recnb.models.sequential.vectors import SCALE, ItemVectors

READERS = ("attention", "gated", "recurrent")


class SequenceNetwork(nn.Module):
    """Reads packed sequences of items and scores what may come next by inner products with the same vectors.

    Parameters
    ----------
    vectors : ItemVectors
    n_used : int
        The first rows of the table, those of items with training rows: what may be predicted in training.
    reader : {"attention", "gated", "recurrent"}
    width, n_layers, n_heads, length : int
    positions : {"rope", "learned", "none"}
        Ignored by "recurrent".
    dropout : float
    loss : NextItem
    shares : Tensor of shape (n_used,), optional
        How often each item is drawn as a negative.
    """

    shares: torch.Tensor | None

    def __init__(
        self,
        vectors: ItemVectors,
        n_used: int,
        reader: str,
        width: int,
        n_layers: int,
        n_heads: int,
        length: int,
        positions: str,
        dropout: float,
        loss: NextItem,
        shares: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.vectors, self.n_used, self.loss = vectors, n_used, loss
        self.register_buffer("shares", shares, persistent=False)
        self.place: nn.Parameter | None = None
        if positions == "learned" and reader != "recurrent":
            self.place = nn.Parameter(torch.randn(length, width) * SCALE)
        rope = positions == "rope"
        layers: list[nn.Module] = []
        if reader == "recurrent":
            layers = [Recurrent(width, n_layers, dropout)]
        for _ in range(n_layers if reader != "recurrent" else 0):
            if reader == "attention":
                layers.append(AttentionLayer(width, n_heads, dropout, rope))
            else:
                layers.append(GatedLayer(width, n_heads, dropout, rope, length))
        self.layers = nn.ModuleList(layers)
        self.first, self.last = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def states(self, batch: dict[str, Any], table: torch.Tensor) -> tuple[torch.Tensor, Layout]:
        """What is known after each token, (n_tokens, width)."""
        layout = Layout(batch["sizes"], table.device)
        x = table[batch["tokens"]]
        if self.place is not None:
            x = x + self.place[batch["positions"]]
        x = self.dropout(self.first(x))
        for layer in self.layers:
            x = layer(x, batch["positions"], layout)
        return self.last(x), layout

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """The loss of a batch of :func:`recnb.models.common.reading.packed.pack`, with targets."""
        table = self.vectors(batch.get("live"))
        states, _ = self.states(batch, table)
        return self.loss(states, table[: self.n_used], batch["targets"], self.shares)

    def newest(self, batch: dict[str, Any], table: torch.Tensor) -> torch.Tensor:
        """The state after each sequence, in the order of the arguments of `pack`."""
        states, layout = self.states(batch, table)
        out = torch.empty_like(states[layout.last])
        out[batch["order"]] = states[layout.last]
        return out

    def after_epoch(self) -> None:
        """Encode all texts anew, where the language model has moved."""
        self.vectors.refresh()

    def encoder_network(self) -> nn.Module | None:
        """The language model that is trained, where there is one."""
        return None if self.vectors.texts is None else self.vectors.texts.tower.network

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The language model, tables (free vectors and places: they do not decay) and all else."""
        texts = self.vectors.texts
        inside = set() if texts is None else {id(p) for p in texts.parameters()}
        encoder = [] if texts is None else list(texts.tower.trained_parameters())
        tables = [p for p in (self.vectors.free, self.place) if p is not None]
        held = inside | {id(p) for p in tables}
        rest = [p for p in self.parameters() if id(p) not in held]
        groups = [("encoder", encoder), ("tables", tables), ("head", rest)]
        return [{"name": name, "params": params} for name, params in groups if params]
