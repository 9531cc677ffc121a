"""Item text to vectors with a pretrained language model, each distinct text once."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from recnb.encoders.cache import Keeper, VectorCache, open_cache
from recnb.encoders.device import choose_device, choose_precision
from recnb.encoders.inputs import distinct, layer_numbers, token_limit
from recnb.encoders.loading import DEFAULT_ENCODER, locate
from recnb.encoders.text.batches import pad, token_batches
from recnb.encoders.text.network import count_parameters, open_config, open_model, open_tokenizer
from recnb.encoders.text.pooling import POOLINGS, pool
from recnb.encoders.text.scripts import report_scripts
from recnb.encoders.text.views import WordNoise
from recnb.encoders.weights import side_checksum
from recnb.errors import InputError

log = logging.getLogger(__name__)

BATCH_TOKENS_CPU = 2048  # padded tokens a batch: their states stay near the processor
BATCH_TOKENS_GPU = 65536
_MADE_BY = ("pooling", "precision", "max_tokens", "normalise")  # settings that vectors depend on
CHUNK = 32768  # texts split into tokens at a time: bounds the memory of their token ids

Progress = Callable[[int, int], None]


class TextEncoder:
    """A pretrained language model as a function from text to vectors.

    Parameters
    ----------
    name : str or path
        Local folder or hub name of an encoder or decoder that `transformers.AutoModel` knows; see
        `loading.locate`.
    pooling : {"mean", "first", "last"}
        How a text's token states become one vector. Special tokens take part, as in
        sentence-transformers.
    max_tokens : int, optional
        Tokens read of a text, special ones counted; what follows is not read. Default: what the
        encoder was tuned for, else what its positions allow, 512 at most.
    precision : {"float32", "bfloat16", "auto"}
        See `device.choose_precision`. Vectors are float32 whatever it is.
    device : str
        `"auto"`, `"cpu"`, `"cuda"` …
    cache : bool or path
        True keeps vectors under `cache.cache_folder()`, a path keeps them there, False keeps none.
    layers : "all" or sequence of int, optional
        The hidden states whose mean over layers `encode` returns, and those that `encode_layers`
        returns side by side: 0 is the embedding layer, n_layers (or -1) the last. Default: `encode`
        the last, `encode_layers` all.
    normalise : bool
        Scale each vector to length 1.
    revision : str, optional
        Hub revision.
    batch_tokens : int, optional
        Padded tokens a batch; default 2,048 on a CPU, 65,536 on a GPU.

    Attributes
    ----------
    name, checksum : str
        What results cite: the model's name and the SHA-256 of its weights.
    dim, n_layers, n_parameters : int
    device, precision : str
        Those in effect.

    Raises
    ------
    InputError
        Settings that do not exist, a model that is missing or tampered with, or `recnb[text]` not
        installed.

    Notes
    -----
    A text without tokens (empty, or blank) becomes the zero vector, so that its dot product and its
    cosine with anything is 0. Where more than `scripts.UNKNOWN_LIMIT` of the tokens are unknown, or
    more than `scripts.SPELLED_LIMIT` of the texts are only spelled out, encoding logs a warning,
    also when the vectors come from the cache.

    The network is opened at the first text that is not in the cache.

    References
    ----------
    N. Reimers and I. Gurevych, Sentence-BERT, 2019. J. Huang et al., WhiteningBERT, 2021, section 3
    (mean over layers).

    Examples
    --------
    >>> encoder = TextEncoder(device="cpu", cache=False)  # doctest: +SKIP
    >>> encoder.encode(["green tea", "black tea", "usb cable"]).shape  # doctest: +SKIP
    (3, 384)
    """

    def __init__(
        self,
        name: str | os.PathLike[str] = DEFAULT_ENCODER,
        pooling: str = "mean",
        max_tokens: int | None = None,
        precision: str = "float32",
        device: str = "auto",
        cache: bool | str | os.PathLike[str] = True,
        layers: str | Sequence[int] | None = None,
        normalise: bool = True,
        *,
        revision: str | None = None,
        batch_tokens: int | None = None,
    ) -> None:
        if pooling not in POOLINGS:
            raise InputError(
                f"unknown pooling {pooling!r}", mend=f"use one of {', '.join(POOLINGS)}"
            )
        self.source = locate(name, revision)
        self.name, self.checksum = self.source.name, self.source.checksum
        self.config = open_config(self.source)
        self.dim, self.n_layers = int(self.config.hidden_size), int(self.config.num_hidden_layers)
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self.pooling, self.normalise = pooling, bool(normalise)
        self.layers = layer_numbers(layers, self.n_layers)
        self.max_tokens = token_limit(max_tokens, self.config, self.source.folder)
        self.batch_tokens = batch_tokens or (
            BATCH_TOKENS_CPU if self.device == "cpu" else BATCH_TOKENS_GPU
        )
        self._cache = cache

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """One vector a text.

        Parameters
        ----------
        texts : sequence of str
            In any order; repeated texts cost nothing.
        progress : callable, optional
            Called with (texts done, texts to do) after each batch; both count distinct texts that
            were not in the cache.

        Returns
        -------
        ndarray of shape (len(texts), dim), float32

        Raises
        ------
        InputError
            A text that is no string or no valid Unicode, or a state that is not finite.
        """
        return self._all(texts, self.layers or (self.n_layers,), False, progress)

    def encode_layers(
        self,
        texts: Sequence[str],
        progress: Progress | None = None,
        noise: WordNoise | None = None,
    ) -> np.ndarray:
        """One vector a text and layer; the last layer's equals what `encode` returns by default.

        Parameters
        ----------
        texts, progress
            As in `encode`.
        noise : WordNoise, optional
            Changes words before they are read; the vectors are kept apart from those of the texts as they are.

        Returns
        -------
        ndarray of shape (len(texts), n_layers + 1, dim), float32
            From the embedding layer to the last; only those of `layers` where it lists some.
        """
        layers = self.layers or tuple(range(self.n_layers + 1))
        return self._all(texts, layers, True, progress, noise)

    def unknown_share(self, texts: Sequence[str]) -> float:
        """Share of the distinct texts' tokens that the tokenizer does not know, from 0 to 1.

        Parameters
        ----------
        texts : sequence of str

        Returns
        -------
        float
            Special tokens are not counted; 0 without a token. A tokenizer that falls back to bytes
            knows every sign: there `scripts.spelled_out` tells what it only spells.
        """
        unique, _ = distinct(texts)
        total = np.zeros(2, dtype=np.int64)
        for start in range(0, len(unique), CHUNK):
            total += self.tokens(unique[start : start + CHUNK])[1].sum(axis=0)
        return float(total[1] / max(1, total[0]))

    @property
    def settings(self) -> dict[str, Any]:
        """All that the vectors depend on, to be recorded with results."""
        names = ("name", "checksum", "layers", "device", *_MADE_BY)
        return {name: getattr(self, name) for name in names} | {"revision": self.source.revision}

    @property
    def n_parameters(self) -> int:
        """Parameters of the network, without a head."""
        return count_parameters(self.source)

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return open_tokenizer(self.source)

    @cached_property
    def model(self) -> Any:
        """The network, on its device and in its precision; opened at first use."""
        return open_model(self.source, self.precision, self.device)

    def __repr__(self) -> str:
        return (
            f"TextEncoder({self.name!r}, pooling={self.pooling!r}, {self.precision}, {self.device})"
        )

    def _all(
        self,
        texts: Sequence[str],
        layers: tuple[int, ...],
        apart: bool,
        progress: Progress | None,
        noise: WordNoise | None = None,
    ) -> np.ndarray:
        unique, places = distinct(texts)
        shape = (len(layers), self.dim) if apart else (self.dim,)
        cache = _cache_of(self, layers, shape, {} if noise is None else noise.key)
        found, vectors, counts = cache.get(unique) if cache else _nothing(len(unique), shape)
        # by length, then by the text: batches, and so the last bits, do not depend on the order
        todo = sorted(
            np.flatnonzero(~found).tolist(), key=lambda row: (-len(unique[row]), unique[row])
        )
        keep = Keeper(cache, unique, vectors, counts)
        done = 0
        try:
            for start in range(0, len(todo), CHUNK):
                part = np.array(todo[start : start + CHUNK])
                rows, counts[part] = self.tokens([unique[row] for row in part])
                if noise is not None:
                    rows = [noise(self, unique[row], ids) for row, ids in zip(part, rows)]
                lengths = np.array(
                    [len(row) if count else 0 for row, count in zip(rows, counts[part, 0])]
                )
                order = np.argsort(-lengths, kind="stable")
                filled = order[: np.count_nonzero(lengths)]
                keep.add(part[order[len(filled) :]])  # no token: the zero vector
                done += len(part) - len(filled)
                for batch in token_batches(lengths[filled], self.batch_tokens):
                    chosen = filled[batch]
                    vectors[part[chosen]] = self._embed(
                        [rows[row] for row in chosen], layers, apart
                    )
                    keep.add(part[chosen])
                    done += len(chosen)
                    if progress is not None:
                        progress(done, len(todo))
        finally:
            keep.save()
        if unique:
            report_scripts(self.name, unique, counts)
            _report_cut(counts[:, 0] + _n_special(self.tokenizer), self.max_tokens)
        return vectors if len(unique) == len(places) else vectors[places]

    def tokens(self, texts: list[str]) -> tuple[list[list[int]], np.ndarray]:
        """Texts as the network reads them.

        Parameters
        ----------
        texts : list of str

        Returns
        -------
        ids : list of list of int
            Token ids of each text, special ones among them, `max_tokens` at most.
        counts : ndarray of shape (n_texts, 2), int64
            Of each text its tokens and the unknown ones, special ones not counted.
        """
        if not texts:
            return [], np.zeros((0, 2), dtype=np.int64)
        tokenizer = self.tokenizer
        rows: list[list[int]] = tokenizer(
            texts,
            truncation=True,
            max_length=self.max_tokens,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
        unknown = tokenizer.unk_token_id
        # GPT-2 and its kin name their end-of-text token as the unknown one: they have none
        none = unknown is None or unknown in (tokenizer.eos_token_id, tokenizer.bos_token_id)
        counts = [
            (len(row) - _n_special(self.tokenizer), 0 if none else row.count(unknown))
            for row in rows
        ]
        return rows, np.array(counts, dtype=np.int64)

    def _embed(self, rows: list[list[int]], layers: tuple[int, ...], apart: bool) -> np.ndarray:
        """Vectors of one batch, (n_texts, dim) or (n_texts, n_chosen, dim)."""
        import torch

        ids, mask = pad(rows, self.tokenizer.pad_token_id or 0)
        with torch.inference_mode():
            tokens = torch.from_numpy(ids).to(self.device)
            here = torch.from_numpy(mask).to(self.device)
            last = layers == (self.n_layers,)
            output = self.model(
                input_ids=tokens, attention_mask=here, output_hidden_states=not last
            )
            if last:
                states = pool(output.last_hidden_state, here, self.pooling).unsqueeze(1)
            else:
                chosen = [pool(output.hidden_states[layer], here, self.pooling) for layer in layers]
                states = torch.stack(chosen, dim=1)
            pooled = states if apart else states.mean(dim=1)
            if self.normalise:
                pooled = torch.nn.functional.normalize(pooled, dim=-1)
            vectors = pooled.cpu().numpy()
        if not np.isfinite(vectors).all():
            raise InputError(
                f"{self.name} gives states that are not finite in {self.precision}",
                mend="use precision='float32'",
            )
        return vectors


def _cache_of(
    encoder: TextEncoder, layers: tuple[int, ...], shape: tuple[int, ...], more: dict[str, Any]
) -> VectorCache | None:
    settings = {
        "weights": encoder.checksum,
        "tokenizer": side_checksum(encoder.source.folder),
        "layers": layers,
        **{name: getattr(encoder, name) for name in _MADE_BY},
        **more,
    }
    return open_cache(encoder._cache, "text", settings, shape)


def _report_cut(lengths: np.ndarray, most: int) -> None:
    """Say how many texts are read in part only."""
    cut = int((lengths >= most).sum())
    if cut:
        log.info(
            "%d of %d texts fill max_tokens=%d: the rest of them is not read",
            cut,
            len(lengths),
            most,
        )


def _nothing(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a cache gives that holds none of `n` texts: found, vectors, counts."""
    return np.zeros(n, bool), np.zeros((n, *shape), np.float32), np.zeros((n, 2), np.int64)


def _n_special(tokenizer: Any) -> int:
    return int(tokenizer.num_special_tokens_to_add())
