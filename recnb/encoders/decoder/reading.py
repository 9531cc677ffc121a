"""Texts as vectors: a decoder's states, pooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from recnb.encoders.inputs import distinct
from recnb.encoders.text.batches import pad, token_batches
from recnb.encoders.text.pooling import pool

if TYPE_CHECKING:
    from recnb.encoders.decoder.decoder import Decoder


@torch.inference_mode()
def pooled_states(decoder: Decoder, texts: Sequence[str], pooling: str, layer: int) -> np.ndarray:
    """What :meth:`Decoder.states` returns; layers counted from the embedding layer."""
    network = decoder.network
    unique, places = distinct(texts)
    rows = [row[: decoder.context] for row in decoder.tokens.beginnings(unique)]
    blank = np.array([not text.strip() for text in unique], dtype=bool)
    out = np.zeros((len(unique), network.config.hidden_size), dtype=np.float32)
    lengths = np.where(blank, 0, [len(row) for row in rows]) if unique else np.zeros(0, int)
    order = np.argsort(-lengths, kind="stable")
    filled = order[: np.count_nonzero(lengths)]
    for batch in token_batches(lengths[filled], decoder.budget):
        chosen = filled[batch]
        ids, there = (
            torch.from_numpy(a).to(network.device) for a in pad([rows[k] for k in chosen], 0)
        )
        n, length = ids.shape
        positions = torch.arange(length, device=ids.device).expand(n, -1)
        seen = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
        seen = seen & there.bool()[:, :, None]
        last = layer == network.n_layers
        states, _ = network.read(ids, positions, seen, hidden=not last)
        out[chosen] = pool(states if last else states[layer], there, pooling).cpu().numpy()
    return out[places]
