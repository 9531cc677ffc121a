"""What reads a sequence: self-attention, gated pointwise attention, a recurrent network."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from recnb.models.common.reading.packed import Layout

POSITIONS = ("rope", "learned", "none")


def turned(values: torch.Tensor, positions: torch.Tensor, base: float = 10000.0) -> torch.Tensor:
    """Rotary position embedding: pairs of numbers turned by an angle that grows with the position.

    Parameters
    ----------
    values : Tensor of shape (n_tokens, n_heads, width), width even
    positions : Tensor of shape (n_tokens,)

    References
    ----------
    J. Su et al. (2021), "RoFormer", equation 34.

    Examples
    --------
    >>> x = torch.ones(2, 1, 4)
    >>> a = turned(x, torch.tensor([3, 5]))
    >>> b = turned(x, torch.tensor([13, 15]))
    >>> bool(torch.isclose((a[0] * a[1]).sum(), (b[0] * b[1]).sum()))  # the distance counts alone
    True
    """
    half = values.shape[-1] // 2
    rates = base ** (-torch.arange(half, device=values.device) / half)
    angle = positions[:, None, None] * rates
    cos, sin = angle.cos().to(values.dtype), angle.sin().to(values.dtype)
    one, two = values.chunk(2, dim=-1)
    return torch.cat([one * cos - two * sin, two * cos + one * sin], dim=-1)


class AttentionLayer(nn.Module):
    """Causal self-attention and a feed-forward net, normalised first.

    References
    ----------
    W.-C. Kang & J. McAuley (2018), "Self-attentive sequential recommendation", section III.
    """

    def __init__(self, width: int, n_heads: int, dropout: float, rope: bool) -> None:
        super().__init__()
        self.n_heads, self.rope = n_heads, rope
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, positions: torch.Tensor, layout: Layout) -> torch.Tensor:
        joint = self.queries(self.before(x)).view(len(x), 3, self.n_heads, -1)
        queries, keys, values = joint.unbind(1)
        if self.rope:
            queries, keys = turned(queries, positions), turned(keys, positions)
        joint = torch.stack([queries, keys, values], dim=1)
        read = []
        for block in layout.blocks:
            part = block.dense(joint).permute(2, 0, 3, 1, 4)  # (3, n, n_heads, length, width)
            seen = F.scaled_dot_product_attention(part[0], part[1], part[2], is_causal=True)
            read.append(block.flat(seen.transpose(1, 2)))
        x = x + self.dropout(self.out(torch.cat(read).flatten(1)))
        wide = F.gelu(self.wide(self.between(x)))
        return x + self.dropout(self.narrow(wide))


class GatedLayer(nn.Module):
    """Pointwise attention without softmax, gated: the layer of HSTU.

    Parameters
    ----------
    width, n_heads : int
    dropout : float
    rope : bool
    length : int
        Longest sequence, for the bias of relative positions.

    References
    ----------
    J. Zhai et al. (2024), "Actions speak louder than words", equations 1 to 3; without the bias of times.
    """

    def __init__(self, width: int, n_heads: int, dropout: float, rope: bool, length: int) -> None:
        super().__init__()
        self.n_heads, self.rope, self.width = n_heads, rope, width
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.joint, self.out = nn.Linear(width, 4 * width), nn.Linear(width, width)
        self.distance = nn.Parameter(torch.zeros(n_heads, length))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, positions: torch.Tensor, layout: Layout) -> torch.Tensor:
        joint = F.silu(self.joint(self.before(x)))
        gate, rest = joint[:, : self.width], joint[:, self.width :]
        queries, keys, values = rest.view(len(x), 3, self.n_heads, -1).unbind(1)
        if self.rope:
            queries, keys = turned(queries, positions), turned(keys, positions)
        joint = torch.stack([queries, keys, values], dim=1)
        read = []
        for block in layout.blocks:
            queries, keys, values = block.dense(joint).permute(2, 0, 3, 1, 4)
            place = torch.arange(block.length, device=x.device)
            back = place[:, None] - place
            bias = self.distance[:, back.clamp(min=0)]
            weights = F.silu(queries @ keys.mT * queries.shape[-1] ** -0.5 + bias)
            weights = weights.masked_fill(back < 0, 0) / (place + 1)[:, None]
            read.append(block.flat((weights.to(values.dtype) @ values).transpose(1, 2)))
        seen = self.between(torch.cat(read).flatten(1))
        return x + self.dropout(self.out(seen * gate))


class Recurrent(nn.Module):
    """Gated recurrent units.

    References
    ----------
    B. Hidasi et al. (2016), "Session-based recommendations with recurrent neural networks", section 3.
    """

    def __init__(self, width: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        self.gru = nn.GRU(width, width, n_layers, dropout=dropout if n_layers > 1 else 0.0)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, positions: torch.Tensor, layout: Layout) -> torch.Tensor:
        order, counts, back = layout.by_time
        packed = nn.utils.rnn.PackedSequence(x[order], counts)
        return self.dropout(self.out(self.gru(packed)[0].data[back]))
