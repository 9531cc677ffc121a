"""Fusion: several vectors of an item, one a modality, become the one that the two tower compares."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from recnb.errors import InputError

FUSIONS = ("concat", "weighted", "gated", "cross_attention", "bottleneck", "low_rank", "late")
TOKENS, BOTTLENECKS, LAYERS, RANK, ATTENTION_HEADS = 2, 2, 2, 4, 4


class Mixer(nn.Module):
    """A way to make one vector of several that are there or not.

    Parameters
    ----------
    dims : sequence of int
        Numbers in the vector of each modality.
    width : int
        Numbers in the fused vector ("late": for each modality).

    Attributes
    ----------
    missing : Parameter of shape (n_modalities, width)
        What stands in for the mapped vector of a modality that an item has not.
    """

    def __init__(self, dims: Sequence[int], width: int) -> None:
        super().__init__()
        self.width, n = width, len(dims)
        maps = [nn.Linear(dim, width, bias=False) for dim in dims]
        for map_ in maps:
            nn.init.orthogonal_(map_.weight)
        self.maps = nn.ModuleList(maps)
        self.missing = nn.Parameter(torch.zeros(n, width))

    def mapped(self, parts: Sequence[torch.Tensor], here: torch.Tensor) -> torch.Tensor:
        """The modalities in a common space, stand-ins among them: (n, n_modalities, width)."""
        found = torch.stack([map_(part) for map_, part in zip(self.maps, parts)], dim=1)
        return torch.where(here[..., None], found, self.missing)

    def forward(self, parts: Sequence[torch.Tensor], here: torch.Tensor) -> torch.Tensor:
        """Fused vectors, (n, width), of `parts` (n, dim) each and `here` (n, n_modalities), bool."""
        raise NotImplementedError


class Concat(Mixer):
    """Early fusion: one linear map of all vectors side by side."""

    def forward(self, parts, here):
        return self.mapped(parts, here).sum(dim=1)  # one matrix, cut in blocks


class Weighted(Mixer):
    """A sum whose weights, one a modality, are learned and add up to their number."""

    def __init__(self, dims, width):
        super().__init__(dims, width)
        self.logits = nn.Parameter(torch.zeros(len(dims)))

    def forward(self, parts, here):
        shares = torch.softmax(self.logits, dim=0) * len(self.logits)
        return torch.einsum("nmw,m->nw", self.mapped(parts, here), shares)


class Gated(Mixer):
    """A gate for each modality and coordinate that looks at all modalities.

    References
    ----------
    J. Arevalo et al., Gated multimodal units for information fusion, ICLR workshop 2017, equations 1-5; here without
    the hyperbolic tangent, and with gates from 0 to 2, all 1 at the start.
    """

    def __init__(self, dims, width):
        super().__init__(dims, width)
        self.gates = nn.Linear(len(dims) * width, len(dims) * width)
        nn.init.zeros_(self.gates.weight)
        nn.init.zeros_(self.gates.bias)

    def forward(self, parts, here):
        z = self.mapped(parts, here)
        gates = 2 * torch.sigmoid(self.gates(z.flatten(1))).view_as(z)
        return (gates * z).sum(dim=1)


class _Tokens(Mixer):
    """Modalities as a few vectors each, for attention."""

    def __init__(self, dims, width):
        super().__init__(dims, width)
        if width % ATTENTION_HEADS:
            raise InputError(
                f"width={width} cannot be cut in {ATTENTION_HEADS} heads", mend="a multiple of it"
            )
        self.cut = nn.ModuleList(nn.Linear(width, TOKENS * width) for _ in dims)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)  # at the start the fused vector is the sum
        nn.init.zeros_(self.out.bias)

    def tokens(self, z: torch.Tensor) -> list[torch.Tensor]:
        """(n, TOKENS, width) for each modality."""
        return [cut(z[:, m]).view(len(z), TOKENS, self.width) for m, cut in enumerate(self.cut)]


class CrossAttention(_Tokens):
    """The vectors of each modality look at those of the others.

    References
    ----------
    Y.-H. H. Tsai et al., Multimodal transformer for unaligned multimodal language sequences, ACL 2019, section 3.1,
    one block over a few vectors of each modality.
    """

    def __init__(self, dims, width):
        super().__init__(dims, width)
        self.look = nn.ModuleList(
            nn.MultiheadAttention(width, ATTENTION_HEADS, batch_first=True) for _ in dims
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, parts, here):
        z = self.mapped(parts, here)
        out = z.sum(dim=1)
        if len(self.maps) == 1:
            return out
        tokens = [self.norm(t) for t in self.tokens(z)]
        for m, look in enumerate(self.look):
            others = torch.cat([t for k, t in enumerate(tokens) if k != m], dim=1)
            seen, _ = look(tokens[m], others, others, need_weights=False)
            out = out + self.out(seen.mean(dim=1))
        return out


class Bottleneck(_Tokens):
    """Modalities exchange what they know through a few shared vectors alone.

    References
    ----------
    A. Nagrani et al., Attention bottlenecks for multimodal fusion, NeurIPS 2021, section 3.2, equations 8 and 9.
    """

    def __init__(self, dims, width):
        super().__init__(dims, width)
        self.shared = nn.Parameter(0.02 * torch.randn(BOTTLENECKS, width))
        self.layers = nn.ModuleList(
            nn.ModuleList(
                nn.TransformerEncoderLayer(
                    width,
                    ATTENTION_HEADS,
                    width,
                    0.0,
                    "gelu",
                    batch_first=True,
                    norm_first=True,
                )
                for _ in dims
            )
            for _ in range(LAYERS)
        )

    def forward(self, parts, here):
        z = self.mapped(parts, here)
        tokens, shared = self.tokens(z), self.shared.expand(len(z), -1, -1)
        for layer in self.layers:
            blocks = list(layer.children())
            seen = [block(torch.cat([t, shared], dim=1)) for block, t in zip(blocks, tokens)]
            tokens = [s[:, :TOKENS] for s in seen]
            shared = torch.stack([s[:, TOKENS:] for s in seen]).mean(dim=0)
        pooled = torch.stack([t.mean(dim=1) for t in tokens]).mean(dim=0) + shared.mean(dim=1)
        return z.sum(dim=1) + self.out(pooled)


class LowRank(Mixer):
    r"""The tensor of all products of coordinates, in a sum of few outer products.

    .. math:: h = \sum_r \Bigl( \prod_m (1 + U_m^r x_m) - 1 \Bigr)

    The 1 is the constant that the paper appends to each vector: products of fewer modalities are in.

    References
    ----------
    Z. Liu et al., Efficient low-rank multimodal fusion with modality-specific factors, ACL 2018, equations 5 and 6.
    """

    def __init__(self, dims, width):
        super().__init__(dims, width)
        maps = [nn.Linear(dim, RANK * width, bias=False) for dim in dims]
        for map_ in maps:
            for block in map_.weight.data.split(width):
                nn.init.orthogonal_(block)
                block /= RANK
        self.maps = nn.ModuleList(maps)
        self.missing = nn.Parameter(torch.zeros(len(dims), RANK * width))

    def forward(self, parts, here):
        product = (1 + self.mapped(parts, here)).prod(dim=1)
        return product.view(len(here), RANK, self.width).sum(dim=1) - RANK


class Late(Mixer):
    """A space of its own for each modality: their scores are added with learned weights, not their vectors."""

    def __init__(self, dims, width):
        super().__init__(dims, width)
        self.width = width * len(dims)
        self.logits = nn.Parameter(torch.zeros(len(dims)))

    def forward(self, parts, here):
        shares = torch.softmax(self.logits, dim=0) * len(self.logits)
        # both sides of the product carry the root of the weight
        return (self.mapped(parts, here) * shares.sqrt()[:, None]).flatten(1)


_CLASSES: dict[str, type[Mixer]] = dict(
    zip(FUSIONS, (Concat, Weighted, Gated, CrossAttention, Bottleneck, LowRank, Late))
)


class Fuse(nn.Module):
    """Vectors of items from what is kept of each modality, and from the text's state where it takes part.

    Parameters
    ----------
    how : str
        Of :data:`FUSIONS`.
    tables : sequence of Tensor of shape (n_items, dim), float32
        Fixed vectors of the modalities beside the text.
    present : Tensor of shape (n_items, n_modalities), bool
        What each item has; the text first where it takes part.
    width : int
    text_dim : int
        Dimensions of the text's state; 0 where no text takes part.
    dropout : float
        Share of coordinates dropped in training, before they are mapped.
    modality_dropout : float
        Share of the modalities dropped in training, item by item; one that is there always stays.

    Notes
    -----
    Each table is centred and scaled to a mean length of 1 by what is there at the start. Tables are no part of
    the state: they come from the data.

    References
    ----------
    N. Neverova et al., ModDrop: adaptive multi-modal gesture recognition, PAMI 2016, section 4.2, for dropping
    modalities.
    """

    table: torch.Tensor
    present: torch.Tensor
    shift: torch.Tensor
    size: torch.Tensor

    def __init__(
        self,
        how: str,
        tables: Sequence[torch.Tensor],
        present: torch.Tensor,
        width: int,
        text_dim: int = 0,
        dropout: float = 0.0,
        modality_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if how not in FUSIONS:
            raise InputError(f"fusion={how!r}", mend=f"one of {', '.join(FUSIONS)}")
        self.text_dim, self.modality_dropout = text_dim, modality_dropout
        dims = ([text_dim] if text_dim else []) + [t.shape[1] for t in tables]
        if not dims or present.shape[1] != len(dims):
            raise InputError(
                f"{len(dims)} modalities, and {present.shape[1]} told of",
                mend="one column for each",
            )
        # one table: a look-up for all of them
        self.register_buffer(
            "table", torch.cat([*tables, present[:, :0].float()], dim=1), persistent=False
        )
        self.register_buffer("present", present, persistent=False)
        edges = [0]
        for table in tables:
            edges.append(edges[-1] + table.shape[1])
        self.edges = edges
        shifts, sizes = [], []
        for column, table in enumerate(tables, start=1 if text_dim else 0):
            own = table[present[:, column]]
            own = own if len(own) else table
            shift = own.mean(dim=0)
            shifts.append(shift)
            sizes.append((own - shift).norm(dim=1).mean().clamp(min=1e-6).expand(table.shape[1]))
        self.register_buffer("shift", torch.cat(shifts) if shifts else torch.zeros(0))
        self.register_buffer("size", torch.cat(sizes) if sizes else torch.ones(0))
        self.dropout = nn.Dropout(dropout)
        self.mix = _CLASSES[how](dims, width)
        self.width = self.mix.width

    def take(self, items: torch.Tensor) -> None:
        """Put the items in another order: the first is the one of code `items[0]`."""
        self.table, self.present = self.table[items], self.present[items]

    def forward(self, codes: torch.Tensor, text: torch.Tensor | None = None) -> torch.Tensor:
        """Fused vectors of items.

        Parameters
        ----------
        codes : Tensor of shape (n,), int64
        text : Tensor of shape (n, text_dim), optional

        Returns
        -------
        Tensor of shape (n, width)
        """
        rows = (self.table[codes] - self.shift) / self.size
        parts = [text] if self.text_dim and text is not None else []
        parts += [rows[:, a:b] for a, b in pairwise(self.edges)]
        here = self.present[codes]
        if self.training and self.modality_dropout:
            kept = here & (torch.rand(here.shape, device=here.device) >= self.modality_dropout)
            here = torch.where(kept.any(dim=1, keepdim=True), kept, here)
        return self.mix([self.dropout(part) for part in parts], here)
