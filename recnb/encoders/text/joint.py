"""Several texts read as one sequence by the trained layers of a tower; below, each text is read alone, once ever."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from recnb.encoders.text.batches import pad, token_batches
from recnb.encoders.text.encoder import TextEncoder
from recnb.encoders.text.tower import HALF_ABOVE, PACKED, Given, TextTower, layer_list, watch
from recnb.errors import InputError
from recnb.progress import say_time, tell

SEES = ("own", "slate", "all")


@dataclass(frozen=True)
class Sequences:
    """Sequences of tokens of texts, padded on the right.

    Attributes
    ----------
    tokens : Tensor of shape (n, length), int64
        Places among all tokens of the tower's texts, see :meth:`JointTower.spans`; -1 is padding.
    part : Tensor of shape (n, length), int64
        0 what all may see (a history), 1, 2, … the candidates; -1 at padding.
    position : Tensor of shape (n, length), int64
        Where a token stands in what it sees.
    sees : {"own", "slate", "all"}
        What a token sees. "own": a candidate sees part 0 and itself, part 0 itself; "slate": a candidate sees part 0
        and all candidates, part 0 itself; "all": everything.
    """

    tokens: torch.Tensor
    part: torch.Tensor
    position: torch.Tensor
    sees: str

    def mask(self, kind: torch.dtype) -> torch.Tensor:
        """What is added to the attention of a token (second last axis) to another one: (n, 1, length, length)."""
        part = self.part
        open_ = (part >= 0)[:, None, :].expand(-1, part.shape[1], -1)
        past = (part == 0)[:, None, :]
        if self.sees == "own":
            open_ = open_ & (past | (part[:, :, None] == part[:, None, :]))
        elif self.sees == "slate":
            open_ = open_ & (past | (part > 0)[:, :, None])
        # padding sees itself: a row without any open place has no softmax
        open_ = open_ | torch.eye(part.shape[1], dtype=torch.bool, device=part.device)
        bar = torch.zeros(open_.shape, dtype=kind, device=part.device)
        return bar.masked_fill(~open_, torch.finfo(kind).min)[:, None]


class JointTower(TextTower):
    """A text tower whose highest layers read sequences made of its texts.

    Parameters
    ----------
    encoder, texts, trained, dropout, tuned, adapt
        As in :class:`TextTower`; `trained` is at least 1. With all layers nothing is read alone, and the sequence is
        what the encoder would read of the joined texts; with fewer the states that enter the lowest of them are
        computed once for each text that is asked for, and put together.

    Notes
    -----
    To read lower layers apart and join above costs little quality and saves most of the time (MacAvaney et al. 2020,
    "Efficient document re-ranking for transformers by precomputing term representations", SIGIR, section 3;
    Cao et al. 2020, "DeFormer", ACL). Where a candidate sees the history and the history not the candidate, one pass
    over a history serves all its candidates.
    """

    def __init__(
        self, encoder: TextEncoder, texts: Sequence[str], trained: int, **more: Any
    ) -> None:
        kind = encoder.config.model_type
        if kind not in PACKED:
            raise InputError(
                f"{encoder.name} ({kind}) takes no mask of pairs of tokens",
                mend=f"take an encoder of kind {', '.join(PACKED)}",
            )
        if trained < 1:
            raise InputError("no layer reads the texts together", mend="n_layers of at least 1")
        self._asked: set[int] = set()  # texts whose lower states are needed
        super().__init__(encoder, texts, trained=trained, **more)
        self.causal = bool(getattr(encoder.config, "is_decoder", False)) or kind != "bert"
        self.kinds = int(getattr(encoder.config, "type_vocab_size", 0) or 0)
        self.most_tokens = int(getattr(encoder.config, "max_position_embeddings", 512) or 512)
        self.n_lead, self.n_trail = _special(encoder)
        self.texts = self.place.cpu().numpy().copy()
        self.n_read = 0  # tokens that have passed the joint layers, for the measure of costs

    def spans(self, texts: np.ndarray, lead: bool, trail: bool) -> tuple[np.ndarray, np.ndarray]:
        """First token and number of tokens of given texts.

        Parameters
        ----------
        texts : ndarray of shape (n,), int
            Places in the list that the tower was given.
        lead, trail : bool
            Whether the special tokens in front of a text and behind it are among them.

        Returns
        -------
        start, length : ndarray of shape (n,), int64
            Length 0 for a text without words.
        """
        rows = self.texts[texts]
        if self._given is not None:
            self._asked.update(rows[~self._ready[rows]].tolist())
        start, length = self._start[rows], self._lengths[rows]
        if not lead:
            start, length = start + self.n_lead, length - self.n_lead
        if not trail:
            length = length - self.n_trail
        return start, np.maximum(length, 0)

    def prepare(self, texts: np.ndarray) -> None:
        """Compute what the lower layers make of texts, where that has not been done; how long is said before.

        Parameters
        ----------
        texts : ndarray of shape (n,), int
            Places in the list that the tower was given. What is not prepared is computed when it is read.
        """
        if self._given is not None:
            rows = np.unique(self.texts[texts])
            self._compute(rows[~self._ready[rows]])

    @torch.no_grad()
    def _compute(self, rows: np.ndarray) -> None:
        """States of texts behind the lower layers, in batches that depend on these texts alone."""
        if not len(rows):
            return
        assert self._kept is not None
        device, depth = self.place.device, self.n_layers - self.trained
        rows = rows[np.argsort(-self._lengths[rows], kind="stable")]
        parts = token_batches(self._lengths[rows], self.batch_tokens)
        start, done = time.perf_counter(), 0
        with self._lower_alone():
            for number, part in enumerate(parts):
                some = rows[part]
                spans = [np.arange(self._start[r], self._start[r + 1]) for r in some]
                ids, mask = pad([self._ids[span] for span in spans], self.filler)
                seen = torch.from_numpy(mask).to(device)
                (states,) = watch(self.network, torch.from_numpy(ids).to(device), seen, [depth])
                found = states[seen.bool()].to("cpu", self._kept.dtype)
                self._kept[torch.from_numpy(np.concatenate(spans))] = found
                done += len(some)
                if number == 1:  # the first one warms up
                    each = (time.perf_counter() - start) / done
                    say_time(f"{len(rows):,} texts to read", each * len(rows))
                if len(parts) > 1:
                    tell("texts read", done - 1, len(rows))
        self._ready[rows] = True
        self._asked.difference_update(rows.tolist())

    @contextmanager
    def _lower_alone(self) -> Iterator[None]:
        """Put the lower layers back, and let the others pass on what they get."""
        stack, was = layer_list(self.network), self.network.training
        layers = list(stack)
        for i, layer in enumerate([*self._lower, *self._through]):
            stack[i] = layer.to(self.place.device)
        self.network.eval()
        try:
            yield
        finally:
            for i, layer in enumerate(layers):
                stack[i] = layer
            self.network.train(was)

    @torch.no_grad()
    def _keep_lower(self, depth: int) -> None:
        """Take the layers below out of the network; their states are computed when they are asked for."""
        total = int(self._lengths.sum())
        half = total * self.dim * 4 > HALF_ABOVE
        # memory that is never written is never taken
        self._kept = torch.empty(total, self.dim, dtype=torch.float16 if half else torch.float32)
        self._kept[:1] = 0  # what padding is given; memory that nobody wrote may hold NaN
        self._ready = self._lengths == 0
        stack = layer_list(self.network)
        self.network.eval().requires_grad_(False)
        for layer in stack[depth:]:
            layer.requires_grad_(True)
        device = next(self.network.parameters()).device
        kinds: list[type] = []
        probe = stack[0].register_forward_hook(lambda *call: kinds.append(type(call[-1])))
        self.network(input_ids=torch.full((1, 1), self.filler, device=device))
        probe.remove()
        as_tuple = kinds[0] is tuple
        self._lower = list(stack[:depth])  # in a list: they are no part of what is trained
        self._through = [Given(layer, as_tuple) for layer in stack[depth:]]
        for i in range(depth):
            stack[i] = Given(stack[i], as_tuple)
        self._given = stack[depth - 1]

    def _pass(self, rows: np.ndarray) -> torch.Tensor:
        if self._given is not None:
            self._compute(rows[~self._ready[rows]])
        return super()._pass(rows)

    def read(self, sequences: Sequences, added: torch.Tensor) -> torch.Tensor:
        """Last states of sequences.

        Parameters
        ----------
        sequences : Sequences
        added : Tensor of shape (n, length, dim)
            Added to what enters the lowest joint layer.

        Returns
        -------
        Tensor of shape (n, length, dim), float32; of padding anything.
        """
        self._compute(np.array(sorted(self._asked), np.int64))
        device = self.place.device
        flat = sequences.tokens.clamp(min=0).cpu()
        ids = torch.from_numpy(self._ids[flat.numpy()]).to(device)
        mask = sequences.mask(added.dtype)
        if self.causal:
            later = sequences.position[:, :, None] < sequences.position[:, None, :]
            mask = mask.masked_fill(later[:, None], torch.finfo(mask.dtype).min)
        inputs: dict[str, Any] = {"position_ids": sequences.position}
        if self._given is not None:
            assert self._kept is not None
            self._given.states = self._kept[flat].float().to(device) + added
            inputs["input_ids"] = ids
        else:
            inputs["inputs_embeds"] = self.network.get_input_embeddings()(ids) + added
            if self.kinds > 1:
                inputs["token_type_ids"] = (sequences.part > 0).long()
        self.n_read += int((sequences.part >= 0).sum())
        return self.network(attention_mask=mask, **inputs).last_hidden_state.float()


def _special(encoder: TextEncoder) -> tuple[int, int]:
    """Special tokens that the tokenizer puts in front of a text and behind it."""
    whole = encoder.tokenizer("a")["input_ids"]
    bare = encoder.tokenizer("a", add_special_tokens=False)["input_ids"]
    for lead in range(len(whole) - len(bare) + 1):
        if whole[lead : lead + len(bare)] == bare:
            return lead, len(whole) - len(bare) - lead
    return 0, 0
