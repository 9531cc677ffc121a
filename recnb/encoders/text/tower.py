"""A text encoder inside a network that is trained: each text once, and what is frozen only once ever."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from recnb.encoders.text.batches import pad, token_batches
from recnb.encoders.text.encoder import TextEncoder
from recnb.encoders.text.pooling import pool
from recnb.encoders.text.vocabulary import Vocabulary
from recnb.errors import InputError

log = logging.getLogger(__name__)

HALF_ABOVE = 2**30  # bytes of kept states from which they are kept in half precision
# Architectures that take a mask of pairs of tokens, and positions counted from 0: several texts then go
# through as one row, without padding. Few tokens, as attention looks at all pairs of them.
PACKED, PACKED_TOKENS = ("bert", "gpt2", "llama", "mistral", "qwen2"), 512


class TextTower(nn.Module):
    """Pooled states of a fixed list of texts, with gradients for the layers that are trained.

    Parameters
    ----------
    encoder : TextEncoder
        Its network is copied by nobody: a trained tower changes ``encoder.model``. Open a new encoder for each.
    texts : sequence of str
        Equal texts share one computation. An empty text has zero states, and no gradient.
    layers : sequence of int
        The hidden states to return, 0 the embedding layer, ``n_layers`` the last.
    trained : int
        How many layers, counted from the top, are trained. ``n_layers`` trains everything, the embeddings
        too; 0 nothing: then all states come from the encoder's cache and the network is never run.
    dropout : float
        Share of units dropped while training, in all dropout layers of the trained part.
    batch_tokens : int, optional
        Padded tokens of one pass through the network.
    tuned : dict of str to ndarray, optional
        What :meth:`tuned` of another tower over the same encoder returned.
    adapt : callable, optional
        ``adapt(network)`` freezes the network, adds small parts and returns it, or a network around it; without
        it all weights of the trained layers move. See :func:`recnb.tuning.methods.tune`.
    words : Vocabulary, optional
        Words that may stand for those of the texts while training: their rows are kept, too.

    Attributes
    ----------
    n_texts : int
        Distinct texts.
    place : Tensor of shape (len(texts),), int64
        The distinct text of each given text.
    words : Vocabulary or None
        As given, in the ids of the kept rows.
    packs : bool
        Whether texts of unlike lengths may go through as one row; noise that is measured by text wants a row each.

    Notes
    -----
    With 0 < `trained` < ``n_layers`` the token states that enter the lowest trained layer are computed once and
    kept (in half precision above 1 GiB), so that a step runs, forward and backward, through the trained
    layers only.
    """

    place: torch.Tensor
    _low: torch.Tensor

    def __init__(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        layers: Sequence[int] | None = None,
        trained: int = 0,
        dropout: float = 0.0,
        batch_tokens: int | None = None,
        tuned: dict[str, np.ndarray] | None = None,
        adapt: Callable[[Any], Any] | None = None,
        words: Vocabulary | None = None,
    ) -> None:
        super().__init__()
        n = encoder.n_layers
        self.words, self.packs = words, True
        if not 0 <= trained <= n:
            raise InputError(f"{trained} trained layers", mend=f"the encoder has {n}")
        self.layers = tuple(layers) if layers is not None else (n,)
        self.dim, self.n_layers, self.trained = encoder.dim, n, trained
        self.pooling, self.batch_tokens = encoder.pooling, batch_tokens or encoder.batch_tokens
        unique = list(dict.fromkeys(texts))
        where = {text: row for row, text in enumerate(unique)}
        self.n_texts = len(unique)
        self.register_buffer("place", torch.tensor([where[t] for t in texts]), persistent=False)
        self.network: Any = None
        self._given: Any = None
        self._kept: torch.Tensor | None = None
        frozen = [layer for layer in self.layers if layer <= n - trained and trained < n]
        self._frozen = tuple(frozen)
        if trained == 0:
            self.register_buffer("_low", _pooled(encoder, unique, self.layers), persistent=False)
            return
        self._read(encoder, unique)
        self.network = encoder.model
        for name, parameter in self.network.named_parameters():
            if "pooler" in name:  # no vector here passes it
                parameter.requires_grad_(False)
        self.filler = encoder.tokenizer.pad_token_id or 0
        if adapt is None:
            if tuned:
                put_tuned(self.network, tuned)
            self.filler = self._cut_vocabulary(self.filler)
        low = torch.zeros(self.n_texts, len(frozen), self.dim)
        self.register_buffer("_low", low, persistent=False)
        if trained < n:
            self._keep_lower(n - trained)
        if adapt is not None:
            self.network = adapt(self.network)
            if tuned:
                put_tuned(self.network, tuned)
        for module in self.network.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout

    def forward(self, texts: torch.Tensor) -> torch.Tensor:
        """States of distinct texts.

        Parameters
        ----------
        texts : Tensor of shape (n,), int64
            Rows of the distinct texts, each at most once.

        Returns
        -------
        Tensor of shape (n, len(layers), dim), float32
        """
        if self.trained == 0:
            return self._low[texts]
        rows = texts.cpu().numpy()
        order = np.argsort(-self._lengths[rows], kind="stable")
        pieces = []
        for part in token_batches(np.maximum(self._lengths[rows][order], 1), self.batch_tokens):
            pieces.append(self._pass(rows[order[part]]))
        back = torch.from_numpy(np.argsort(order)).to(self.place.device)
        return torch.cat(pieces)[back]

    @torch.no_grad()
    def all_states(self, progress: Callable[[int, int], None] | None = None) -> torch.Tensor:
        """States of all distinct texts without gradient: (n_texts, len(layers), dim), float32."""
        if self.trained == 0:
            return self._low
        was = self.training
        self.eval()
        out = torch.zeros(self.n_texts, len(self.layers), self.dim, device=self.place.device)
        done = 0
        for part in self._by_length():
            out[torch.from_numpy(part).to(out.device)] = self._pass(part)
            done += len(part)
            if progress is not None:
                progress(done, self.n_texts)
        self.train(was)
        return out

    def entry(self) -> nn.Module | None:
        """The part that gives the vectors which enter the lowest trained layer; None where nothing is trained."""
        if self._given is not None:
            return self._given
        return None if self.network is None else self.network.get_input_embeddings()

    def trained_parameters(self) -> Iterator[nn.Parameter]:
        """The weights that training changes."""
        if self.network is not None:
            yield from (p for p in self.network.parameters() if p.requires_grad)

    def tuned(self) -> dict[str, np.ndarray]:
        """The trained weights by name; of the word table the rows of these texts, and `vocabulary`."""
        if self.network is None:
            return {}
        out = {
            name: p.detach().cpu().numpy()
            for name, p in self.network.named_parameters()
            if p.requires_grad
        }
        if self.network.get_input_embeddings().weight.requires_grad:
            out["vocabulary"] = self.vocabulary
        return out

    def _read(self, encoder: TextEncoder, texts: list[str]) -> None:
        rows, counts = encoder.tokens(texts)
        self._lengths = np.array([len(r) if c else 0 for r, c in zip(rows, counts[:, 0])])
        self._start = np.concatenate([[0], np.cumsum(self._lengths)])
        filled = [np.asarray(r) for r, n in zip(rows, self._lengths) if n]
        self._ids = np.concatenate(filled) if filled else np.zeros(0, np.int64)

    def _cut_vocabulary(self, filler: int) -> int:
        """Keep the rows of the word table that these texts use; returns the new filler.

        The other rows never get a gradient. Without them an optimiser step over the small model costs half.
        """
        words = self.network.get_input_embeddings()
        used = self._ids if self.words is None else self.words.reach(np.unique(self._ids))
        self.vocabulary = np.union1d(used, [filler]).astype(np.int64)
        self.words = None if self.words is None else self.words.cut(self.vocabulary)
        self._ids = np.searchsorted(self.vocabulary, self._ids)
        rows = words.weight.detach()[torch.from_numpy(self.vocabulary).to(words.weight.device)]
        small = nn.Embedding.from_pretrained(rows.clone(), freeze=False)
        self.network.set_input_embeddings(small)
        return int(np.searchsorted(self.vocabulary, filler))

    def _by_length(self) -> list[np.ndarray]:
        order = np.argsort(-self._lengths, kind="stable")
        return [
            order[b] for b in token_batches(np.maximum(self._lengths[order], 1), self.batch_tokens)
        ]

    def _pass(self, rows: np.ndarray) -> torch.Tensor:
        """One pass of the network over some texts, in the order given."""
        here = np.flatnonzero(self._lengths[rows])
        out = torch.zeros(len(rows), len(self.layers), self.dim, device=self.place.device)
        if not len(here):
            return out
        full = rows[here]
        ids, mask = pad([self._ids[self._start[r] : self._start[r + 1]] for r in full], self.filler)
        tokens = torch.from_numpy(ids).to(out.device)
        seen = torch.from_numpy(mask).to(out.device)
        if self._given is not None:
            assert self._kept is not None
            entering = torch.zeros(*mask.shape, self.dim)
            flat = np.concatenate([np.arange(self._start[r], self._start[r + 1]) for r in full])
            entering[seen.cpu().bool()] = self._kept[torch.from_numpy(flat)].float()
            self._given.states = entering.to(out.device)
        wanted = [k for k in self.layers if k not in self._frozen]
        if self._packs(mask):
            if self._given is not None:
                self._given.states = self._given.states[seen.bool()][None]
            states = packed(self.network, tokens, seen, wanted)
        else:
            states = watch(self.network, tokens, seen, wanted)
        pooled, new = [], iter(states)
        for layer in self.layers:
            if layer in self._frozen:
                pooled.append(
                    self._low[torch.from_numpy(full).to(out.device), self._frozen.index(layer)]
                )
            else:
                pooled.append(pool(next(new), seen, self.pooling))
        found = torch.stack(pooled, dim=1)
        if len(here) == len(rows):
            return found
        return out.index_put((torch.from_numpy(here).to(out.device),), found)

    def _packs(self, mask: np.ndarray) -> bool:
        """Whether one row without padding is cheaper: texts of unlike lengths, and few tokens."""
        if not self.packs or self.network.config.model_type not in PACKED:
            return False
        config = getattr(self.network, "active_peft_config", None)
        if getattr(config, "is_prompt_learning", False):
            return False
        return mask.sum() <= min(PACKED_TOKENS, 0.9 * mask.size)

    @torch.no_grad()
    def _keep_lower(self, depth: int) -> None:
        """Compute what enters layer `depth` once, and take the layers below out of the network."""
        total = int(self._lengths.sum())
        half = total * self.dim * 4 > HALF_ABOVE
        kept = torch.zeros(total, self.dim, dtype=torch.float16 if half else torch.float32)
        stack = layer_list(self.network)
        device = next(self.network.parameters()).device
        self.network.eval()
        wanted = sorted({*self._frozen, depth})
        kinds: list[type] = []
        probe = stack[depth - 1].register_forward_hook(lambda *call: kinds.append(type(call[-1])))
        for part in self._by_length():
            part = part[self._lengths[part] > 0]
            if not len(part):
                continue
            ids, mask = pad(
                [self._ids[self._start[r] : self._start[r + 1]] for r in part], self.filler
            )
            tokens, seen = torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)
            found = dict(zip(wanted, watch(self.network, tokens, seen, wanted)))
            flat = np.concatenate([np.arange(self._start[r], self._start[r + 1]) for r in part])
            kept[torch.from_numpy(flat)] = found[depth][seen.bool()].to("cpu", kept.dtype)
            for k, layer in enumerate(self._frozen):
                self._low[torch.from_numpy(part), k] = pool(found[layer], seen, self.pooling).cpu()
        self._kept = kept
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        for layer in stack[depth:]:
            layer.requires_grad_(True)
        probe.remove()
        for i in range(depth):
            stack[i] = Given(stack[i], as_tuple=bool(kinds and kinds[0] is tuple))
        self._given = stack[depth - 1]


class Given(nn.Module):
    """Takes the place of a layer: passes its input on, or gives the states it was told."""

    def __init__(self, layer: nn.Module, as_tuple: bool) -> None:
        super().__init__()
        self.states: torch.Tensor | None = None
        self.as_tuple = as_tuple
        for name in (
            "attention_type",
            "layer_type",
            "layer_idx",
        ):  # what a model reads of its layers
            if hasattr(layer, name):
                setattr(self, name, getattr(layer, name))

    def forward(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        states = hidden_states if self.states is None else self.states.to(hidden_states.dtype)
        return (states,) if self.as_tuple else states


@torch.no_grad()
def put_tuned(network: Any, tuned: dict[str, np.ndarray]) -> None:
    """Set what :meth:`TextTower.tuned` returned, by name; of the word table only the rows that were trained."""
    words = network.get_input_embeddings().weight
    for name, parameter in network.named_parameters():
        if name in tuned:
            value = torch.from_numpy(np.ascontiguousarray(tuned[name])).to(parameter)
            if parameter is words:
                parameter[torch.from_numpy(tuned["vocabulary"].astype(np.int64))] = value
            else:
                parameter.copy_(value)


def layer_list(network: Any) -> Any:
    """The stack of layers of a transformer, whatever its architecture calls it.

    Raises
    ------
    InputError
        The network has no list of as many modules as it has layers.
    """
    n = int(network.config.num_hidden_layers)
    for module in network.modules():
        if isinstance(module, nn.ModuleList) and len(module) == n:
            return module
    raise InputError(
        f"{type(network).__name__} keeps its {n} layers in no list", mend="train all of it"
    )


def packed(
    network: Any, tokens: torch.Tensor, seen: torch.Tensor, layers: Sequence[int]
) -> list[torch.Tensor]:
    """As :func:`watch`, with all texts as one row whose tokens see those of their own text alone.

    Parameters
    ----------
    network : torch.nn.Module
        Of an architecture in :data:`PACKED`.
    tokens, seen : Tensor of shape (n, length), int64
        Padded on either side.
    layers : sequence of int

    Returns
    -------
    list of Tensor of shape (n, length, dim)
        Zero where there is no token.
    """
    here = seen.bool()
    text = torch.arange(len(tokens), device=tokens.device)[:, None].expand_as(tokens)[here]
    position = (here.cumsum(dim=1) - 1)[here]
    open_ = text[:, None] == text[None, :]
    if getattr(network.config, "is_decoder", False) or network.config.model_type != "bert":
        open_ = open_ & (position[:, None] >= position[None, :])
    kind = network.get_input_embeddings().weight.dtype
    bar = torch.zeros(open_.shape, device=tokens.device, dtype=kind)
    bar = bar.masked_fill(~open_, torch.finfo(kind).min)[None, None]
    found = watch(network, tokens[here][None], bar, layers, position_ids=position[None])
    out = []
    for states in found:
        wide = states.new_zeros(*tokens.shape, states.shape[-1])
        out.append(wide.masked_scatter(here[..., None], states))
    return out


def watch(
    network: Any, tokens: torch.Tensor, mask: torch.Tensor, layers: Sequence[int], **more: Any
) -> list[torch.Tensor]:
    """Token states of some layers, in their order: 0 the embeddings, the last as the model returns it."""
    stack = layer_list(network)
    seen: dict[int, torch.Tensor] = {}
    hooks = []

    def after(layer: int):
        def take(module, args, output):
            seen[layer] = output[0] if isinstance(output, tuple) else output

        return take

    def before(module, args, kwargs):
        seen[0] = args[0] if args else kwargs["hidden_states"]

    for layer in layers:
        if layer == 0:
            hooks.append(stack[0].register_forward_pre_hook(before, with_kwargs=True))
        elif layer < len(stack):
            hooks.append(stack[layer - 1].register_forward_hook(after(layer)))
    try:
        with warnings.catch_warnings():
            # peft passes a prefix under a name that transformers means to give up; 8-bit layers tell of
            # their rounding at every call
            warnings.filterwarnings("ignore", "`past_key_values` is deprecated", FutureWarning)
            warnings.filterwarnings("ignore", "MatMul8bitLt: inputs will be cast")
            last = network(input_ids=tokens, attention_mask=mask, **more).last_hidden_state
    finally:
        for hook in hooks:
            hook.remove()
    seen[len(stack)] = last
    # vectors that a method puts in front of the words are no part of the text
    return [seen[layer][:, seen[layer].shape[1] - tokens.shape[1] :] for layer in layers]


def _pooled(encoder: TextEncoder, texts: list[str], layers: Sequence[int]) -> torch.Tensor:
    states = encoder.encode_layers(texts)
    return torch.from_numpy(np.ascontiguousarray(states[:, list(layers)]))
