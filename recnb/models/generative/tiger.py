"""TIGER: the next item's id, generated token by token from the ids of the history."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset, Text
from recnb.errors import InputError
from recnb.models.common.liked import by_id, ties
from recnb.models.common.new_items import grown_ids, new_items
from recnb.models.common.reading.trained import (
    TrainedOnSequences,
    check_at_least_one,
    check_heads,
    check_one_of,
)
from recnb.models.common.sequences import EVENTS, Sequences
from recnb.recommender import Reads

if TYPE_CHECKING:
    from recnb.models.generative.identifiers import Identifiers
    from recnb.models.generative.network import IdNetwork
    from recnb.models.generative.trie import Trie

IDS = ("text", "interactions", "random")
FACTORS = 64  # of the interactions, where ids come from them
BLOCK = 512  # users for whom ids are generated at once


class Tiger(TrainedOnSequences):
    """An encoder and a decoder that generate the id of the next item, a token of its code after the other.

    Parameters
    ----------
    ids : {"text", "interactions", "random"}
        What an item's code is made of: vectors of its text, factors of the training pairs, or nothing. The last two are
        controls: what they score is owed to the way of generating, not to the text.
    quantiser : {"kmeans", "rqvae"}
        Of vectors: residual k-means, or a residual-quantised autoencoder.
    n_codes, n_levels : int
        Tokens of a level, and levels before the one that tells items of one code apart.
    text : Text, optional
        The item's sentence; by default the usual columns.
    encoder : str, optional
        Folder or name of the language model; None means the default of :class:`recnb.encoders.TextEncoder`.
    events : {"liked", "all"}
        Which events are read and predicted, where there are ratings.
    width, n_heads, n_layers, n_decoder_layers : int
    length : int
        Events read at once.
    dropout, lr, weight_decay : float
    batch_size : int
        Windows of a step.
    n_epochs, patience : int
        As in :class:`recnb.models.SASRec`.
    n_beams : int
        Ids that are generated; an item that is not among them stands below all that are.
    seed : int
    checkpoint : path, optional
        Folder from which a killed fit goes on.

    Notes
    -----
    Generation keeps to the ids that exist and, where a list may hold some items only, to theirs. Unlike the paper's,
    the encoder looks back only and reads an item as one token, the sum of its id's vectors: an event is then encoded
    once for all targets that follow. There is no token for the user.

    References
    ----------
    S. Rajput et al. (2023), "Recommender systems with generative retrieval", NeurIPS, sections 3 and 4.
    """

    def __init__(
        self,
        ids: str = "text",
        quantiser: str = "kmeans",
        n_codes: int = 256,
        n_levels: int = 3,
        text: Text | None = None,
        encoder: str | None = None,
        events: str = "liked",
        width: int = 128,
        n_heads: int = 4,
        n_layers: int = 2,
        n_decoder_layers: int = 2,
        length: int = 20,
        dropout: float = 0.2,
        lr: float = 1e-3,
        weight_decay: float = 0.05,
        batch_size: int = 256,
        n_epochs: int = 60,
        patience: int = 5,
        n_beams: int = 50,
        seed: int = 0,
        checkpoint: str | Path | None = None,
    ) -> None:
        self.ids = ids
        self.quantiser = quantiser
        self.n_codes = n_codes
        self.n_levels = n_levels
        self.text = text
        self.encoder = encoder
        self.events = events
        self.width = width
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.n_decoder_layers = n_decoder_layers
        self.length = length
        self.dropout = dropout
        self.lr = lr
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.patience = patience
        self.n_beams = n_beams
        self.seed = seed
        self.checkpoint = checkpoint

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "dropout": ("float", 0.1, 0.5),
            "lr": ("log", 3e-4, 3e-3),
            "n_codes": ("choice", [64, 128, 256]),
            "weight_decay": ("log", 1e-3, 0.3),
        }

    @property
    def needs_text(self) -> bool:  # type: ignore[override]
        return self.ids == "text"

    def reads(self) -> Reads:
        from recnb.encoders.loading import cited

        if self.ids != "text":
            return Reads("pairs")
        return Reads("none", ("text",), (cited(self.encoder),))

    # ---------------------------------------------------------------- fitting

    def _check(self) -> None:
        from recnb.models.generative.identifiers import QUANTISERS

        check_one_of(self, ids=IDS, quantiser=QUANTISERS, events=EVENTS)
        check_at_least_one(
            self, "n_codes", "n_levels", "n_layers", "n_decoder_layers", "length", "batch_size",
            "n_epochs", "n_beams",
        )  # fmt: skip
        check_heads(self)

    def _learn_items(self, train: Dataset, sequences: Sequences) -> None:
        """An id for each item: with text for all, else for those that have events."""
        from recnb.models.common.reading.batches import item_rows
        from recnb.models.generative.identifiers import interaction_vectors, random_codes

        self.row_, n_known = item_rows(train, sequences, self.ids == "text")
        self.coder_: dict[str, np.ndarray] = {}
        if self.ids == "random":
            found = random_codes(n_known, self.n_codes, self.n_levels, self.seed)
        elif self.ids == "interactions":
            pairs = train.positives()[by_id(train)[0]]
            order = np.argsort(self.row_, kind="stable")[-n_known:]
            pairs = pairs[:, order]
            found = self._coded(interaction_vectors(pairs, FACTORS, self.seed))
        else:
            found = self._coded(self._encoded(self._in_rows(train.items), learn=True))
        self._keep(found)

    def _coded(self, vectors: np.ndarray) -> Identifiers:
        from recnb.models.generative.identifiers import residual_kmeans

        if self.quantiser == "kmeans":
            return residual_kmeans(vectors, self.n_codes, self.n_levels, self.seed)
        from recnb.models.generative.rqvae import rqvae_codes

        found, self.coder_ = rqvae_codes(vectors, self.n_codes, self.n_levels, seed=self.seed)
        return found

    def _keep(self, found: Identifiers) -> None:
        self.tokens_ = found.tokens
        self.books_ = {f"{level}": book for level, book in enumerate(found.books)}
        self.sizes_ = found.sizes

    def identifiers(self) -> Identifiers:
        """The ids: row ``row_[item]`` of their tokens is that of an item, where it has one."""
        from recnb.models.generative.identifiers import Identifiers

        if "tokens_" not in vars(self):
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
        return Identifiers(self.tokens_, [self.books_[key] for key in sorted(self.books_)])

    def _build(self) -> IdNetwork:
        """The network at its start, the same for equal seeds."""
        import torch

        from recnb.models.generative.network import IdNetwork

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return IdNetwork(
                torch.from_numpy(self.tokens_),
                tuple(self.sizes_),
                self.width,
                self.n_heads,
                self.n_layers,
                self.n_decoder_layers,
                self.dropout,
            )

    # ---------------------------------------------------------------- scoring

    def _trie_of(self, allowed: np.ndarray | None) -> Trie:
        from recnb.models.generative.trie import Trie

        if "_trie" not in vars(self):
            self._trie = Trie(self.tokens_)
        if allowed is None:
            return self._trie
        rows = self.row_[allowed]
        return self._trie.only(rows[rows >= 0])

    def score_among(
        self,
        users: np.ndarray,
        allowed: np.ndarray | None = None,
        barred: sparse.csr_matrix | None = None,
        history: Dataset | None = None,
    ) -> np.ndarray:
        """As :meth:`score`; only ids of items that may be listed are generated, where `allowed` names them."""
        return self._scores(self.network, self.sequences(users, history), allowed)

    def _scores(
        self, network: Any, sequences: Sequences, allowed: np.ndarray | None = None
    ) -> np.ndarray:
        """Log-probabilities of the generated items; all others stand below, the more popular first."""
        out = np.zeros((len(sequences), len(self.row_)), np.float32)
        trie = self._trie_of(allowed)
        item_of = np.full(len(self.tokens_), -1)
        item_of[self.row_[self.row_ >= 0]] = np.flatnonzero(self.row_ >= 0)
        popular = ties(self.popularity_) * 1e8  # at most 0.1
        for start in range(0, len(sequences), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(sequences)))
            some, items, values = self._generated(network, sequences.take(rows), trie)
            place, at = np.nonzero(items >= 0)
            low = np.min(values, axis=1, where=items >= 0, initial=0.0)
            out[rows] = popular
            out[rows[some]] += low[:, None] - 1
            out[rows[some[place]], item_of[items[place, at]]] = values[place, at]
        return out

    def _generated(
        self, network: IdNetwork, sequences: Sequences, trie: Trie
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sequences that are not empty, the rows of their likeliest items, and log-probabilities."""
        import torch
        from accelerate.utils import send_to_device

        from recnb.models.common.reading.batches import newest
        from recnb.models.generative.beam import best_ids
        from recnb.models.generative.network import Memory

        some, batch = newest(sequences, self.row_, self.length)
        if batch is None:
            return some, np.zeros((0, 1), np.int64), np.zeros((0, 1), np.float32)
        device = network.begin.device
        with torch.no_grad():
            memory = Memory(network, send_to_device(batch, device))

            def step(*asked: np.ndarray) -> np.ndarray:
                rows = (torch.from_numpy(part).to(device) for part in asked)
                return memory.step(*rows).cpu().numpy()

            return some, *best_ids(step, trie, len(some), self.n_beams)

    # ---------------------------------------------------------------- new items

    @available_if(lambda self: self.ids == "text")
    def with_items(self, items: pd.DataFrame) -> Tiger:
        """A copy that also generates new items, which follow the known ones: ids by the nearest centres of their text.

        A code that more items share than any did in training would need a token that the decoder has not: then its last
        tokens start at 0 vectors.

        Raises
        ------
        InputError
            An id is known already.
        """
        from recnb.models.generative.rqvae import encoded

        table = new_items(items, self.item_ids_)
        out = copy.copy(self)
        out._drop_caches()
        vectors = self._encoded(table)
        if self.coder_:
            vectors = encoded(vectors, self.coder_)
        out.item_ids_ = grown_ids(self.item_ids_, table)
        out.row_ = np.append(self.row_, len(self.tokens_) + np.arange(len(table)))
        out.popularity_ = np.pad(self.popularity_, (0, len(table)))
        out._keep(self.identifiers().with_vectors(vectors))
        out.weights_, last = dict(self.weights_), f"levels.{self.tokens_.shape[1] - 1}"
        more = out.sizes_[-1] - self.sizes_[-1]
        out.weights_[last] = np.pad(self.weights_[last], ((0, more), (0, 0)))
        return out
