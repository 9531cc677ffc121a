"""An encoder of histories and a decoder of ids, with the layers of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from recnb.models.common.reading.layers import AttentionLayer, turned
from recnb.models.common.reading.packed import Layout

SCALE = 0.02
Read = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class DecoderLayer(nn.Module):
    """Attention among the tokens of an id, attention to the history, a feed-forward net; normalised first."""

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.joint, self.own_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.queries, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.memory = nn.Linear(width, 2 * width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: torch.Tensor, read: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """Tokens of ids, (n, depth, width); `read` answers queries (n, depth, n_heads, …) from the history."""
        n, depth, width = x.shape
        joint = self.joint(self.norms[0](x)).view(n, depth, 3, self.n_heads, -1)
        own = joint.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(own[0], own[1], own[2], is_causal=True)
        x = x + self.dropout(self.own_out(seen.transpose(1, 2).reshape(n, depth, width)))
        asked = self.queries(self.norms[1](x)).view(n, depth, self.n_heads, -1)
        x = x + self.dropout(self.out(read(asked).reshape(n, depth, width)))
        return x + self.dropout(self.narrow(F.gelu(self.wide(self.norms[2](x)))))


class IdNetwork(nn.Module):
    """Generates the tokens of the next item's id from the ids of a history.

    Parameters
    ----------
    tokens : Tensor of shape (n_rows, depth), int64
        The id of each row of the table.
    sizes : sequence of int
        Tokens of each level.
    width, n_heads, n_layers, n_decoder_layers : int
    dropout : float

    Notes
    -----
    An event of the history is one token: the sum of its id's vectors, a level each. The encoder looks back only, so
    that an event is encoded once for all targets that follow it, and the decoder of a target looks at the events before
    it: a window costs one pass of the encoder instead of one for each of its targets.
    """

    tokens: torch.Tensor

    def __init__(
        self,
        tokens: torch.Tensor,
        sizes: tuple[int, ...],
        width: int,
        n_heads: int,
        n_layers: int,
        n_decoder_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.register_buffer("tokens", tokens, persistent=False)
        self.levels = nn.ParameterList(torch.randn(n, width) * SCALE for n in sizes)
        self.begin = nn.Parameter(torch.randn(len(sizes), width) * SCALE)
        self.encoder = nn.ModuleList(
            AttentionLayer(width, n_heads, dropout, rope=True) for _ in range(n_layers)
        )
        self.decoder = nn.ModuleList(
            DecoderLayer(width, n_heads, dropout) for _ in range(n_decoder_layers)
        )
        self.first, self.middle, self.last = (nn.LayerNorm(width) for _ in range(3))
        self.start = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def encode(self, batch: dict[str, Any]) -> tuple[torch.Tensor, Layout]:
        """States of the events of packed histories, (n_tokens, width)."""
        tokens = self.tokens[batch["tokens"]]
        x = sum(level[tokens[:, at]] for at, level in enumerate(self.levels))
        x, layout = self.dropout(self.first(x)), Layout(batch["sizes"], tokens.device)
        for layer in self.encoder:
            x = layer(x, batch["positions"], layout)
        return self.middle(x), layout

    def decode(self, prefixes: torch.Tensor, memory: torch.Tensor, read: Read) -> torch.Tensor:
        """States that predict the next token after each prefix of ids.

        Parameters
        ----------
        prefixes : Tensor of shape (n, known), int64
            Tokens known of each id, from 0 to depth - 1 of them.
        memory : Tensor
            States of the events, as `read` expects them.
        read : callable
            ``read(queries, keys and values)`` of one layer.

        Returns
        -------
        Tensor of shape (n, known + 1, width)
        """
        n, known = prefixes.shape
        x = self.begin[: known + 1].expand(n, -1, -1)
        if known:
            told = [self.levels[at][prefixes[:, at]] for at in range(known)]
            x = x + F.pad(torch.stack(told, dim=1), (0, 0, 1, 0))
        x = self.dropout(self.start(x))
        for layer in self.decoder:
            assert isinstance(layer, DecoderLayer)
            pairs = layer.memory(memory).view(*memory.shape[:-1], 2, layer.n_heads, -1)
            x = layer(x, lambda queries, pairs=pairs: read(queries, pairs))
        return self.last(x)

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Mean cross-entropy of the targets' tokens, summed over the levels."""
        memory, layout = self.encode(batch)
        positions, targets = batch["positions"], self.tokens[batch["targets"]]
        depth = targets.shape[1]

        def read(queries: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
            """From the events of the own sequence up to the one before the target."""
            keys = turned(pairs[:, 0], positions)
            n, heads = len(queries), queries.shape[2]
            queries = turned(queries.flatten(0, 1), positions.repeat_interleave(depth))
            joint = torch.stack([keys, pairs[:, 1]], dim=1)
            queries, out = queries.view(n, depth, heads, -1), []
            for block in layout.blocks:
                asked = block.dense(queries).flatten(1, 2).transpose(1, 2)
                held = block.dense(joint).permute(2, 0, 3, 1, 4)
                place = torch.arange(block.length, device=queries.device)
                before = (place[:, None] >= place).repeat_interleave(depth, 0)
                seen = F.scaled_dot_product_attention(asked, held[0], held[1], attn_mask=before)
                seen = seen.transpose(1, 2).unflatten(1, (block.length, depth))
                out.append(block.flat(seen))
            return torch.cat(out)

        states = self.decode(targets[:, :-1], memory, read)
        losses = [
            F.cross_entropy((states[:, at] @ level.T).float(), targets[:, at])
            for at, level in enumerate(self.levels)
        ]
        return torch.stack(losses).sum()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Vectors of tokens are tables: they do not decay."""
        tables = [*self.levels, self.begin]
        held = {id(p) for p in tables}
        rest = [p for p in self.parameters() if id(p) not in held]
        return [{"name": "tables", "params": tables}, {"name": "head", "params": rest}]


class Memory:
    """Encoded histories of some users, to be asked again and again while ids are generated.

    Parameters
    ----------
    network : IdNetwork
    batch : dict
        Of :func:`recnb.models.common.reading.packed.pack`.
    """

    def __init__(self, network: IdNetwork, batch: dict[str, Any]) -> None:
        self.network = network
        states, layout = network.encode(batch)
        lengths = torch.as_tensor(layout.sizes, device=states.device)
        n, longest = len(lengths), int(lengths.max())
        dense = states.new_zeros(n, longest, states.shape[1])
        self.inside = torch.arange(longest, device=states.device) < lengths[:, None]
        dense[self.inside] = states
        # users in the order of the arguments of `pack`
        back = torch.empty_like(batch["order"])
        back[batch["order"]] = torch.arange(n, device=back.device)
        self.states, self.inside, self.lengths = dense[back], self.inside[back], lengths[back]

    def log_shares(self, prefixes: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of the next token.

        Parameters
        ----------
        prefixes : Tensor of shape (n_users, n_beams, known), int64

        Returns
        -------
        Tensor of shape (n_users, n_beams, n_tokens), float32
        """
        n, beams, known = prefixes.shape
        places = torch.arange(self.states.shape[1], device=prefixes.device)
        newest = (self.lengths - 1).repeat_interleave(beams * (known + 1))

        def read(queries: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
            keys = turned(pairs[:, :, 0].flatten(0, 1), places.repeat(n)).view_as(pairs[:, :, 0])
            asked = turned(queries.flatten(0, 1), newest)
            asked = asked.view(n, beams * (known + 1), *queries.shape[2:]).transpose(1, 2)
            seen = F.scaled_dot_product_attention(
                asked, keys.transpose(1, 2), pairs[:, :, 1].transpose(1, 2),
                attn_mask=self.inside[:, None, None, :],
            )  # fmt: skip
            return seen.transpose(1, 2).reshape(queries.shape)

        states = self.network.decode(prefixes.flatten(0, 1), self.states, read)[:, -1]
        scores = states @ self.network.levels[known].T
        return scores.float().log_softmax(-1).view(n, beams, -1)
