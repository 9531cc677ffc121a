"""An encoder of histories and a decoder of ids, with the layers of both."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from recnb.models.common.reading.layers import AttentionLayer, turned
from recnb.models.common.reading.packed import Layout
from recnb.models.generative.branches import Branches

SCALE = 0.02
Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
Read = Callable[[torch.Tensor], torch.Tensor]


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

    def forward(self, x: torch.Tensor, attend: Attend, read: Read) -> torch.Tensor:
        """Tokens of ids, (n_tokens, width).

        `attend` answers queries, keys and values of these tokens from those before them in the same id, `read` answers
        queries from the history; all are (n_tokens, n_heads, …).
        """
        joint = self.joint(self.norms[0](x)).view(len(x), 3, self.n_heads, -1)
        seen = attend(*joint.unbind(1))
        x = x + self.dropout(self.own_out(seen.flatten(1)))
        asked = self.queries(self.norms[1](x)).view(len(x), self.n_heads, -1)
        x = x + self.dropout(self.out(read(asked).flatten(1)))
        return x + self.dropout(self.narrow(F.gelu(self.wide(self.norms[2](x)))))

    def remembered(self, states: torch.Tensor) -> torch.Tensor:
        """Keys and values of the history's events: (…, 2, n_heads, width of a head)."""
        return self.memory(states).view(*states.shape[:-1], 2, self.n_heads, -1)


class IdNetwork(nn.Module):
    """Generates the tokens of the next item's id from the ids of a history.

    Parameters
    ----------
    tokens : Tensor of shape (n_rows, depth), int64
        The id of each row of the table.
    sizes : sequence of int
        Tokens of each level.
    n_known : int
        The first rows, those that may be targets: others are not among what might follow in training.
    width, n_heads, n_layers, n_decoder_layers : int
    dropout : float

    Notes
    -----
    An event of the history is one token: the sum of its id's vectors, a level each. The encoder looks back only, so
    that an event is encoded once for all targets that follow it, and the decoder of a target looks at the events before
    it: a window costs one pass of the encoder instead of one for each of its targets.

    A token's share is its softmax among the tokens with which an id goes on, and tokens of an id behind the first that
    no other id shares are neither decoded nor learned: a table of 12,000 items at 256 tokens a level needs two to
    three of the four.
    """

    tokens: torch.Tensor

    def __init__(
        self,
        tokens: torch.Tensor,
        sizes: tuple[int, ...],
        n_known: int,
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
        self.branches = Branches(tokens, sizes, n_known)

    def encode(self, batch: dict[str, Any]) -> tuple[torch.Tensor, Layout]:
        """States of the events of packed histories, (n_tokens, width)."""
        tokens = self.tokens[batch["tokens"]]
        x = sum(level[tokens[:, at]] for at, level in enumerate(self.levels))
        x, layout = self.dropout(self.first(x)), Layout(batch["sizes"], tokens.device)
        for layer in self.encoder:
            x = layer(x, batch["positions"], layout)
        return self.middle(x), layout

    def started(self, level: int, tokens: torch.Tensor | None) -> torch.Tensor:
        """What the decoder reads where the token of a level is to be told: (n, width) or (1, width).

        `tokens`, (n,), are those of the level before; None at the first.
        """
        x = self.begin[level : level + 1]
        return x if tokens is None else x + self.levels[level - 1][tokens]

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Mean over the targets of minus the log-probability of their ids."""
        return self.loss_of_ids(batch, *self.encode(batch))

    def loss_of_ids(
        self, batch: dict[str, Any], memory: torch.Tensor, layout: Layout
    ) -> torch.Tensor:
        """The same, of encoded histories."""
        targets = batch["targets"]
        tokens, depths = self.tokens[targets], self.branches.depths[targets]
        some = [torch.nonzero(depths > level)[:, 0] for level in range(int(depths.max()))]
        parts = [
            self.started(at, tokens[rows, at - 1] if at else None).expand(len(rows), -1)
            for at, rows in enumerate(some)
        ]
        attend, of_history = _for_training(batch["positions"], layout, some)
        x = self.dropout(self.start(torch.cat(parts)))
        for layer in self.decoder:
            assert isinstance(layer, DecoderLayer)
            x = layer(x, attend, of_history(layer.remembered(memory)))
        states = self.last(x).split([len(rows) for rows in some])
        total = states[0].new_zeros((), dtype=torch.float32)
        for at, rows in enumerate(some):
            scores = states[at] @ self.levels[at].T
            total = total + self.branches.loss(at, scores, targets[rows], tokens[rows, at])
        return total / len(targets)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Vectors of tokens are tables: they do not decay."""
        tables = [*self.levels, self.begin]
        held = {id(p) for p in tables}
        rest = [p for p in self.parameters() if id(p) not in held]
        return [{"name": "tables", "params": tables}, {"name": "head", "params": rest}]


def _for_training(
    positions: torch.Tensor, layout: Layout, some: list[torch.Tensor]
) -> tuple[Attend, Callable[[torch.Tensor], Read]]:
    """How the decoder's tokens of all targets of a batch look at their ids and at their histories.

    Parameters
    ----------
    positions : Tensor of shape (n_targets,)
    layout : Layout
    some : list of Tensor
        The targets of which each level's token is decoded. The decoder's tokens stand level by level.
    """
    n, depth = len(positions), len(some)
    place = torch.cat([rows * depth + at for at, rows in enumerate(some)])
    at_event = positions[torch.cat(some)]

    def dense(values: torch.Tensor) -> torch.Tensor:
        """(n_tokens, …) as (n_targets, depth, …), zeros behind a shorter id."""
        full = values.new_zeros(n * depth, *values.shape[1:])
        return full.index_copy(0, place, values).view(n, depth, *values.shape[1:])

    def attend(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        joint = dense(torch.stack([queries, keys, values], dim=1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(joint[0], joint[1], joint[2], is_causal=True)
        return seen.transpose(1, 2).flatten(0, 1)[place]

    def of_history(pairs: torch.Tensor) -> Read:
        held = torch.stack([turned(pairs[:, 0], positions), pairs[:, 1]], dim=1)

        def read(queries: torch.Tensor) -> torch.Tensor:
            """From the events of the own sequence up to the one before the target."""
            queries, out = dense(turned(queries, at_event)), []
            for block in layout.blocks:
                asked = block.dense(queries).flatten(1, 2).transpose(1, 2)
                keys, values = block.dense(held).permute(2, 0, 3, 1, 4)
                event = torch.arange(block.length, device=queries.device)
                before = (event[:, None] >= event).repeat_interleave(depth, 0)
                seen = F.scaled_dot_product_attention(asked, keys, values, attn_mask=before)
                seen = seen.transpose(1, 2).unflatten(1, (block.length, depth))
                out.append(block.flat(seen))
            return torch.cat(out).flatten(0, 1)[place]

        return read

    return attend, of_history


class Memory:
    """Encoded histories of some users, to be asked again and again while ids are generated.

    Parameters
    ----------
    network : IdNetwork
    batch : dict
        Of :func:`recnb.models.common.reading.packed.pack`.

    Notes
    -----
    Keys and values are computed once: of the history for each layer at the start, of an id's tokens as they come.
    """

    def __init__(self, network: IdNetwork, batch: dict[str, Any]) -> None:
        self.network, self.level = network, 0
        states, layout = network.encode(batch)
        lengths = torch.as_tensor(layout.sizes, device=states.device)
        n, longest = len(lengths), int(lengths.max())
        dense = states.new_zeros(n, longest, states.shape[1])
        inside = torch.arange(longest, device=states.device) < lengths[:, None]
        dense[inside] = states
        # users in the order of the arguments of `pack`
        back = torch.empty_like(batch["order"])
        back[batch["order"]] = torch.arange(n, device=back.device)
        self.inside, self.newest = inside[back][:, None, None, :], lengths[back] - 1
        places = torch.arange(longest, device=states.device).repeat(n)
        self.held: list[tuple[torch.Tensor, torch.Tensor]] = []
        for layer in network.decoder:
            assert isinstance(layer, DecoderLayer)
            keys, values = layer.remembered(dense[back]).unbind(2)
            keys = turned(keys.flatten(0, 1), places).view_as(keys)
            self.held.append((keys.transpose(1, 2), values.transpose(1, 2)))
        self.known: list[torch.Tensor | None] = [None] * len(self.held)

    def step(
        self, users: torch.Tensor, parents: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """Scores of the next token, (n, n_tokens); see :func:`recnb.models.generative.beam.best_ids`.

        Parameters
        ----------
        users, parents, tokens : Tensor of shape (n,), int64
            Users rise.
        """
        network, n_users = self.network, len(self.newest)
        x = network.started(self.level, tokens if self.level else None).expand(len(users), -1)
        counts = torch.bincount(users, minlength=n_users)
        nth = torch.arange(len(users), device=users.device) - (counts.cumsum(0) - counts)[users]
        at, most, newest = (users, nth), int(counts.max()), self.newest[users]

        def attend(
            number: int, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
        ) -> torch.Tensor:
            pair, known = torch.stack([keys, values], dim=1)[:, None], self.known[number]
            if known is not None:
                pair = torch.cat([known[parents], pair], dim=1)
            self.known[number] = pair  # (n, known tokens, 2, n_heads, width)
            shares = (queries[:, None] * pair[:, :, 0]).sum(-1) * queries.shape[-1] ** -0.5
            return (shares.softmax(1)[..., None] * pair[:, :, 1]).sum(1)

        def read(number: int, queries: torch.Tensor) -> torch.Tensor:
            queries = turned(queries, newest)
            asked = queries.new_zeros(n_users, most, *queries.shape[1:])
            asked[at] = queries
            keys, values = self.held[number]
            seen = F.scaled_dot_product_attention(
                asked.transpose(1, 2), keys, values, attn_mask=self.inside
            )
            return seen.transpose(1, 2)[at]

        x = network.start(x)
        for number, layer in enumerate(network.decoder):
            x = layer(x, partial(attend, number), partial(read, number))
        scores = network.last(x) @ network.levels[self.level].T
        self.level += 1
        return scores.float()
