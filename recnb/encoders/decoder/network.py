"""A decoder opened: its tokenizer, its network, and the proof that masks and memories mean to it what they should."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

import torch

from recnb.encoders.decoder.memory import Memory, cache_of, kept
from recnb.encoders.loading import Source
from recnb.encoders.text.network import open_config, open_tokenizer, quiet
from recnb.errors import InputError

HEAD_ROWS = 256  # states that go through the head at a time: bounds the memory of their logits
KINDS_OF_LAYERS = {"full_attention", "sliding_attention"}
# In the proof at opening, nats of a log-probability: rounding stays below, another mask lies far above.
ALLOWED = {"float32": 1e-3, "bfloat16": 0.5, "int8": 0.5}


class Network:
    """A causal language model on its device, with what it takes to read trees of tokens.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        With a head.
    tokenizer : transformers.PreTrainedTokenizerBase
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.config = model.config.get_text_config()
        self.base = model.base_model
        names = inspect.signature(self.base.forward).parameters
        self._cache_name = "cache" if "cache" in names else "past_key_values"

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    @property
    def context(self) -> int:
        """Tokens that the network has positions for."""
        return int(getattr(self.config, "max_position_embeddings", None) or 2**31 - 1)

    @cached_property
    def n_layers(self) -> int:
        return int(self.config.num_hidden_layers)

    def read(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        seen: torch.Tensor,
        past: Memory | None = None,
        keep: bool = False,
        hidden: bool = False,
    ) -> tuple[Any, Memory | None]:
        """Read tokens that see each other and a memory as they are told; differentiable.

        Parameters
        ----------
        ids, positions : Tensor of shape (n_texts, n_tokens), int64
        seen : Tensor of shape (n_texts, n_tokens, n_tokens), bool
            `[text, i, j]`: token i sees token j. A token at padding sees nothing.
        past : Memory, optional
            Seen by all tokens, as far as its lengths go; of one text, or of as many as there are here.
        keep : bool
            Return what later texts need of these.
        hidden : bool
            Return all layers' states.

        Returns
        -------
        states : Tensor of shape (n_texts, n_tokens, width), or tuple of n_layers + 1 of them
        memory : Memory or None
            Of these tokens alone, lengths counted from `seen`.
        """
        mask, places = self._mask(seen, positions, past)
        cache = cache_of(past, self.n_layers, keep)
        output = self.base(
            input_ids=ids,
            position_ids=positions,
            attention_mask=self._by_layer(mask, places, positions),
            use_cache=True,
            output_hidden_states=hidden,
            **{self._cache_name: cache},
        )
        lengths = seen.diagonal(dim1=1, dim2=2).sum(dim=1)
        states = output.hidden_states if hidden else output.last_hidden_state
        return states, kept(cache, lengths) if keep else None

    def head(self, states: torch.Tensor) -> torch.Tensor:
        """Logits of states, (n, width) to (n, n_words), float32; differentiable."""
        logits = self.model.get_output_embeddings()(states).float()
        cap = getattr(self.config, "final_logit_softcapping", None)
        if cap is not None:
            logits = torch.tanh(logits / cap) * cap
        return logits

    def log_probabilities(
        self, states: torch.Tensor, sources: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """log p of each target after its source; the head runs once a distinct source.

        Parameters
        ----------
        states : Tensor of shape (n_states, width)
        sources, targets : Tensor of shape (n_targets,), int64
            Rows of `states`, and token ids.

        Returns
        -------
        Tensor of shape (n_targets,), float32
        """
        distinct, inverse = torch.unique(sources, return_inverse=True)
        order = torch.argsort(inverse, stable=True)
        counts = torch.bincount(inverse, minlength=len(distinct))
        ends = torch.cumsum(counts, dim=0).tolist()
        out, start = [], 0
        for first in range(0, len(distinct), HEAD_ROWS):
            part = distinct[first : first + HEAD_ROWS]
            logits = self.head(states[part])
            end = ends[min(first + HEAD_ROWS, len(distinct)) - 1]
            chosen = order[start:end]
            rows = inverse[chosen] - first
            out.append(logits[rows, targets[chosen]] - torch.logsumexp(logits, dim=-1)[rows])
            start = end
        found = torch.cat(out) if out else states.new_zeros(0, dtype=torch.float32)
        return found[torch.argsort(order)]

    def _mask(
        self, seen: torch.Tensor, positions: torch.Tensor, past: Memory | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, n_tokens, n_past + n_tokens): what is seen; and the position of each column."""
        if past is None:
            return seen, positions
        columns = torch.arange(past.length, device=seen.device)
        there = columns < past.lengths[:, None]
        n, length = positions.shape
        there = there[:, None, :].expand(n, length, -1)
        places = torch.cat([columns.expand(n, -1), positions], dim=1)
        return torch.cat([there, seen], dim=2), places

    def _by_layer(self, mask: torch.Tensor, places: torch.Tensor, positions: torch.Tensor) -> Any:
        """The additive mask, or one for each kind of layer."""
        window = getattr(self.config, "sliding_window", None)
        kinds = set(getattr(self.config, "layer_types", None) or ())
        if window is None or kinds == {"full_attention"}:
            return self._additive(mask)
        near = mask & (positions[:, :, None] - places[:, None, :] < window)
        if not kinds:  # one window for all layers
            return self._additive(near)
        return {"full_attention": self._additive(mask), "sliding_attention": self._additive(near)}

    def _additive(self, mask: torch.Tensor) -> torch.Tensor:
        lowest = torch.finfo(self.dtype).min
        out = torch.zeros(mask.shape, dtype=self.dtype, device=mask.device)
        return out.masked_fill_(~mask, lowest).unsqueeze(1)


_OPEN: WeakValueDictionary[tuple[str, str, str, str], Network] = WeakValueDictionary()


def shared_network(source: Source, dtype: str, device: str) -> Network:
    """A network for reading; all who ask for the same one get the same, as long as anyone holds it."""
    key = (str(source.folder), source.checksum, dtype, device)
    network = _OPEN.get(key)
    if network is None:
        network = _OPEN[key] = open_network(source, dtype, device)
    return network


def open_network(source: Source, dtype: str = "float32", device: str = "cpu") -> Network:
    """A network of one's own, frozen, in evaluation mode.

    Parameters
    ----------
    source : Source
    dtype : {"float32", "bfloat16", "int8"}
        int8: the layers' matrices in 8 bits, the rest in float32 on a CPU and bfloat16 elsewhere.
    device : str
        A torch device.

    Raises
    ------
    InputError
        Not a decoder, weights missing, or an architecture to which masks or memories mean something else.
    """
    import transformers

    config = open_config(source)
    _check_kind(config, source)
    numbers = {"float32": torch.float32, "bfloat16": torch.bfloat16}.get(
        dtype, torch.float32 if device == "cpu" else torch.bfloat16
    )
    capped = getattr(config, "attn_logit_softcapping", None) is not None
    try:
        with quiet():
            opened: Any = transformers.AutoModelForCausalLM.from_pretrained(
                source.folder,
                config=config,
                output_loading_info=True,
                dtype=numbers,
                attn_implementation="eager" if capped else "sdpa",
            )
            model, found = opened
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{source.name} cannot be opened as a decoder ({str(error).strip().splitlines()[0]})",
            file=str(source.folder),
            mend="name a model that AutoModelForCausalLM knows",
        ) from error
    gaps = sorted([*found["missing_keys"], *(key for key, *_ in found.get("mismatched_keys", ()))])
    if gaps:
        raise InputError(
            f"the weights lack {len(gaps)} tensors of the architecture, such as {gaps[0]}",
            file=str(source.folder),
            mend="take a complete checkpoint, with its head",
        )
    model = model.requires_grad_(False).eval()
    if dtype == "int8":
        from recnb.encoders.quantised import quantise

        quantise(model, "int8")
    network = Network(model.to(device), open_tokenizer(source))
    _prove(network, source, ALLOWED[dtype])
    return network


def _check_kind(config: Any, source: Source) -> None:
    kinds = set(getattr(config, "layer_types", None) or ()) - KINDS_OF_LAYERS
    if config.is_encoder_decoder or kinds:
        what = (
            "an encoder and a decoder" if config.is_encoder_decoder else f"layers of {kinds.pop()}"
        )
        raise InputError(
            f"{source.name} has {what}: what its candidates share cannot be read once",
            file=str(source.folder),
            mend="name a decoder whose layers all attend (Llama, Qwen, Gemma, GPT-2 …)",
        )


@torch.inference_mode()
def _prove(network: Network, source: Source, allowed: float) -> None:
    """Read four tokens and two that go on from them: through a memory and a tree as the model itself reads them."""
    n = network.config.vocab_size
    beginning = torch.tensor([[1, 2, 3, 5]], device=network.device) % n
    ends = torch.tensor([[7], [11]], device=network.device) % n
    whole = torch.cat([beginning.expand(2, -1), ends], dim=1)
    expected = network.model(input_ids=whole).logits[:, -1].float().log_softmax(dim=-1)
    steps = torch.arange(4, device=network.device)[None]
    causal = torch.ones(1, 4, 4, dtype=torch.bool, device=network.device).tril()
    try:
        _, past = network.read(beginning, steps, causal, keep=True)
        apart = torch.eye(2, dtype=torch.bool, device=network.device)[None]
        states, _ = network.read(ends.T, torch.full_like(ends.T, 4), apart, past)
        found = network.head(states[0]).log_softmax(dim=-1)
        off = float((found - expected).abs().max())
    except (TypeError, RuntimeError, ValueError, AttributeError, IndexError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise _unfit(source, reason) from error
    if not off <= allowed:
        raise _unfit(source, f"log-probabilities differ by {off:.2g}")


def _unfit(source: Source, reason: str) -> InputError:
    return InputError(
        f"{source.name} does not read shared beginnings as it reads whole prompts ({reason})",
        file=str(source.folder),
        mend="name a decoder of another architecture (Llama, Qwen, Gemma, GPT-2 …)",
    )
