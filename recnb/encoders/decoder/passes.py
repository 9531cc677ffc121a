"""The efficient pass: what prompts share is read once, the rest in rows; results are those of reading each alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recnb.encoders.decoder.memory import Memory
from recnb.encoders.decoder.network import Network
from recnb.encoders.decoder.packing import ROW_TOKENS, Packed, pack, shared_length
from recnb.encoders.text.batches import pad, token_batches


@dataclass(frozen=True)
class Prompt:
    """A beginning and all that goes on from it.

    Attributes
    ----------
    prefix : list of int
        Token ids, one or more.
    continuations : list of list of int
        Token ids, one or more each.
    scored : list of int
        How many tokens at the end of each are asked for.
    """

    prefix: list[int]
    continuations: list[list[int]]
    scored: list[int]


@torch.inference_mode()
def score(
    network: Network, prompts: Sequence[Prompt], batch_tokens: int, row_tokens: int = ROW_TOKENS
) -> list[np.ndarray]:
    """Log-probability of every continuation's scored tokens.

    Parameters
    ----------
    network : Network
    prompts : sequence of Prompt
    batch_tokens : int
        Tokens read at a time, padding counted; one row or one beginning above it is a batch of its own.
    row_tokens : int
        See :func:`recnb.encoders.decoder.packing.pack`.

    Returns
    -------
    list of ndarray of shape (n_continuations,), float64
        Nats.

    Notes
    -----
    Three levels: what all beginnings share is read once; then each beginning's rest; then the trees of what goes on
    from it, in rows of about `row_tokens`, each over its beginning's keys and values. Only states that predict a
    scored token go through the head; the softmax there needs all words, since a probability does.
    """
    prompts = [_common(prompt) for prompt in prompts]
    out: list[np.ndarray] = [np.zeros(0)] * len(prompts)
    filled = [k for k, prompt in enumerate(prompts) if prompt.continuations]
    order = sorted(filled, key=lambda k: (-len(prompts[k].prefix), prompts[k].prefix))
    root, start = _root(network, [prompts[k].prefix for k in order])
    for batch in token_batches(
        np.array([len(prompts[k].prefix) - start for k in order]), batch_tokens
    ):
        chosen = [order[place] for place in batch]
        part = [prompts[k] for k in chosen]
        memory, last = _beginnings(network, [p.prefix[start:] for p in part], root)
        packed = [
            pack(p.continuations, len(p.prefix), p.scored, row_tokens=row_tokens) for p in part
        ]
        for k, values in zip(chosen, _trees(network, packed, memory, last, batch_tokens)):
            out[k] = values
    return out


def _common(prompt: Prompt) -> Prompt:
    """A prompt whose beginning ends where its continuations part, so that no tree has one trunk."""
    if not prompt.continuations:
        return prompt
    shared = shared_length(prompt.continuations)
    # a target must not become part of the beginning
    shared = min(shared, *(len(c) - s for c, s in zip(prompt.continuations, prompt.scored)))
    if shared <= 0:
        return prompt
    trunk = prompt.continuations[0][:shared]
    return Prompt(prompt.prefix + trunk, [c[shared:] for c in prompt.continuations], prompt.scored)


def _root(network: Network, prefixes: list[list[int]]) -> tuple[Memory | None, int]:
    """The memory of what all beginnings share, and its length; at least one token of each is left."""
    if len(prefixes) < 2:
        return None, 0
    length = min(shared_length(prefixes), min(map(len, prefixes)) - 1)
    if length <= 0:
        return None, 0
    memory, _ = _beginnings(network, [prefixes[0][:length]], None)
    return memory, length


def _beginnings(
    network: Network, rows: list[list[int]], root: Memory | None
) -> tuple[Memory, torch.Tensor]:
    """Memory of beginnings, the root's included, and the state of each one's last token, (n, width)."""
    ids, there = (torch.from_numpy(a).to(network.device) for a in pad(rows, 0))
    n, length = ids.shape
    start = 0 if root is None else root.length
    positions = (torch.arange(length, device=ids.device) + start).expand(n, -1)
    seen = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
    seen = seen & there.bool()[:, :, None]
    states, memory = network.read(ids, positions, seen, root, keep=True)
    last = states[torch.arange(n, device=ids.device), there.sum(dim=1) - 1]
    assert memory is not None
    return memory if root is None else root.then(memory), last


def _trees(
    network: Network,
    packed: list[Packed],
    memory: Memory,
    last: torch.Tensor,
    batch_tokens: int,
) -> list[np.ndarray]:
    """Of each tree the sum over the targets of each continuation."""
    owners = np.repeat(np.arange(len(packed)), [len(p.ids) for p in packed])
    firsts = np.cumsum([0, *(len(p.ids) for p in packed)])  # of each tree's rows
    states, begins = [last], np.zeros(len(owners), dtype=np.int64)
    total = len(last)
    lengths = np.concatenate([np.count_nonzero(p.ends, axis=1) for p in packed])
    order = np.lexsort((owners, -lengths))
    for batch in token_batches(lengths[order], batch_tokens):
        rows = order[batch]
        width = int(lengths[rows[0]])
        ids, positions, ends = _block(packed, owners[rows], rows - firsts[owners[rows]], width)
        places = torch.arange(width)
        seen = (places[None, :] <= places[:, None]) & (places[:, None] < ends[:, None, :])
        past = memory.take(torch.from_numpy(owners[rows]).to(network.device))
        found, _ = network.read(
            ids.to(network.device), positions.to(network.device), seen.to(network.device), past
        )
        begins[rows] = total + np.arange(len(rows)) * width
        total += len(rows) * width
        states.append(found.flatten(0, 1))
    sources = [_places(p, k, begins[firsts[k] : firsts[k + 1]]) for k, p in enumerate(packed)]
    found = network.log_probabilities(
        torch.cat(states),
        torch.from_numpy(np.concatenate(sources)).to(network.device),
        torch.from_numpy(np.concatenate([p.targets for p in packed])).to(network.device),
    )
    values = found.cpu().numpy().astype(np.float64)
    cuts = np.cumsum([len(p.targets) for p in packed])[:-1]
    return [
        np.bincount(p.pairs[:, 0], weights=part[p.pairs[:, 1]], minlength=len(p.counts))
        for p, part in zip(packed, np.split(values, cuts))
    ]


def _places(packed: Packed, beginning: int, begins: np.ndarray) -> np.ndarray:
    """Where the states that predict a tree's targets stand, its rows beginning at `begins`."""
    out = np.full(len(packed.sources), beginning, dtype=np.int64)
    inner = packed.sources >= 0
    rows, places = np.divmod(packed.sources[inner], max(1, packed.ids.shape[1]))
    out[inner] = begins[rows] + places
    return out


def _block(
    packed: list[Packed], trees: np.ndarray, rows: np.ndarray, width: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, positions and ends of some rows of several trees, side by side, (n_rows, width) each."""
    block = np.zeros((3, len(rows), width), dtype=np.int64)
    for place, (tree, row) in enumerate(zip(trees, rows)):
        p = packed[tree]
        for out, values in zip(block, (p.ids, p.positions, p.ends)):
            length = min(width, values.shape[1])
            out[place, :length] = values[row, :length]
    ids, positions, ends = torch.from_numpy(block)
    return ids, positions, ends
