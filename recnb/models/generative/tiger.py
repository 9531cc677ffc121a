"""TIGER: the next item's id, generated token by token from the ids of the history."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.liked import by_id, ties
from recnb.models.common.new_items import grown_ids, new_items
from recnb.models.common.reading.trained import TrainedOnSequences
from recnb.models.common.sequences import Sequences
from recnb.models.common.settings import flat, group_of
from recnb.models.generative.settings import GROUPS
from recnb.recommender import Reads

if TYPE_CHECKING:
    from recnb.models.generative.identifiers import Identifiers
    from recnb.models.generative.network import IdNetwork
    from recnb.models.generative.trie import Trie

FACTORS = 64  # of the interactions, where ids come from them


@flat(*GROUPS)
class Tiger(TrainedOnSequences):
    """An encoder and a decoder that generate the id of the next item, a token of its code after the other.

    Parameters
    ----------
    {settings}

    Notes
    -----
    Generation keeps to the ids that exist and, where a list may hold some items only, to theirs; a token's share is its
    softmax among the tokens that lead to an item. Unlike the paper's, the encoder looks back only and reads an item as
    one token, the sum of its id's vectors: an event is then encoded once for all targets that follow. There is no token
    for the user. Items without events have ids by their text; in training they are not among those that might follow.

    References
    ----------
    S. Rajput et al. (2023), "Recommender systems with generative retrieval", NeurIPS, sections 3 and 4.
    """

    groups: tuple[type, ...] = GROUPS
    block = 512  # users for whom ids are generated at once

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "dropout": ("float", 0.1, 0.5),
            "lr": ("log", 3e-4, 3e-3),
            "n_codes": ("choice", [64, 128, 256]),
            "weight_decay": ("log", 1e-3, 0.3),
        }

    @property
    def reads_text(self) -> bool:
        """Whether text takes part."""
        return self.ids == "text"

    @property
    def needs_text(self) -> bool:  # type: ignore[override]
        return self.reads_text

    def reads(self) -> Reads:
        from recnb.encoders.loading import cited

        if not self.reads_text:
            return Reads("pairs")
        return Reads("none", ("text",), (cited(self.encoder),))

    # ---------------------------------------------------------------- fitting

    def _check(self) -> None:
        for group in self.groups:
            if hasattr(group, "check"):
                group_of(self, group).check()  # type: ignore[attr-defined]

    def _learn_items(self, train: Dataset, sequences: Sequences) -> None:
        """An id for each item that has events and, where text is read, for others that have one."""
        from recnb.models.common.reading.batches import item_rows
        from recnb.models.generative.identifiers import interaction_vectors, random_codes

        told = self._has_text(train.items, learn=True) if self.reads_text else False
        self.row_, self.n_used_ = item_rows(train, sequences, told)
        self.coder_: dict[str, np.ndarray] = {}
        n_rows = int(self.row_.max(initial=-1)) + 1
        if self.ids == "random":
            found = random_codes(n_rows, self.n_codes, self.n_levels, self.seed)
        elif self.ids == "interactions":
            pairs = train.positives()[by_id(train)[0]]
            order = np.argsort(self.row_, kind="stable")[(self.row_ < 0).sum() :]
            pairs = pairs[:, order]
            found = self._coded(interaction_vectors(pairs, FACTORS, self.seed))
        else:
            found = self._coded(self._texts(train.items))
        self._keep_ids(found)

    def _texts(self, items: pd.DataFrame) -> np.ndarray:
        """What the language model says of the texts of all rows."""
        return self._encoded(self._in_rows(items))

    def _coded(self, vectors: np.ndarray) -> Identifiers:
        from recnb.models.generative.identifiers import residual_kmeans

        if self.quantiser == "kmeans":
            return residual_kmeans(vectors, self.n_codes, self.n_levels, self.seed)
        from recnb.models.generative.rqvae import rqvae_codes

        found, self.coder_ = rqvae_codes(vectors, self.n_codes, self.n_levels, seed=self.seed)
        return found

    def _keep_ids(self, found: Identifiers) -> None:
        self.tokens_ = found.tokens
        self.books_ = {f"{level}": book for level, book in enumerate(found.books)}
        self.sizes_ = found.sizes

    def identifiers(self) -> Identifiers:
        """The ids: row ``row_[item]`` of their tokens is that of an item, where it has one."""
        from recnb.models.generative.identifiers import Identifiers

        if "tokens_" not in vars(self):
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
        return Identifiers(self.tokens_, [self.books_[key] for key in sorted(self.books_, key=int)])

    def _build(self) -> Any:
        """The network at its start, the same for equal seeds."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self._network_of(
                torch.from_numpy(self.tokens_), tuple(self.sizes_), self.n_used_
            )

    def _network_of(self, tokens: Any, sizes: tuple[int, ...], n_known: int) -> Any:
        """A network over ids, of which the first `n_known` may be targets."""
        from recnb.models.generative.network import IdNetwork

        return IdNetwork(tokens, sizes, n_known, *self._shape)

    @property
    def _shape(self) -> tuple[Any, ...]:
        return self.width, self.n_heads, self.n_layers, self.n_decoder_layers, self.dropout

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
        return self._generated_scores(network, sequences, allowed)

    def _generated_scores(
        self, network: Any, sequences: Sequences, allowed: np.ndarray | None = None
    ) -> np.ndarray:
        """Log-probabilities of the generated items; all others stand below, the more popular first."""
        out = np.zeros((len(sequences), len(self.row_)), np.float32)
        trie = self._trie_of(allowed)
        item_of = self._items_of_rows()
        popular = ties(self.popularity_) * 1e8  # at most 0.1
        for start in range(0, len(sequences), self.block):
            rows = np.arange(start, min(start + self.block, len(sequences)))
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

        some, batch = newest(sequences, self.row_, self.length)
        if batch is None:
            return some, np.zeros((0, 1), np.int64), np.zeros((0, 1), np.float32)
        device = network.begin.device
        with torch.no_grad():
            memory = self._memory(network, send_to_device(batch, device))

            def step(*asked: np.ndarray) -> np.ndarray:
                rows = (torch.from_numpy(part).to(device) for part in asked)
                return memory.step(*rows).cpu().numpy()

            return some, *best_ids(step, trie, len(some), self.n_beams)

    def _memory(self, network: Any, batch: dict[str, Any]) -> Any:
        """The histories of a batch as what generates ids asks them again and again."""
        from recnb.models.generative.network import Memory

        return Memory(network, batch)

    def written(self, histories: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The ids that are generated for people by what they took.

        Parameters
        ----------
        histories : sequence of ndarray of int
            Item codes, the oldest first.

        Returns
        -------
        items : ndarray of shape (n, n_beams), int64
            Codes of the items, the likeliest first; -1 where there are fewer.
        logs : ndarray of shape (n, n_beams), float32
            Log-probabilities of their ids.

        Raises
        ------
        InputError
            A history holds no item with an id.
        """
        sequences = self._readable(histories)
        rows, logs = self._generated(self.network, sequences, self._trie_of(None))[1:]
        return np.where(rows >= 0, self._items_of_rows()[rows], -1), logs

    def token_scores(self, history: np.ndarray, tokens: Sequence[int] = ()) -> np.ndarray:
        """Scores of the token that follows some tokens of an id, after a history of item codes: (n_tokens,), float32.

        A softmax among the tokens that lead to an item makes them shares.

        Raises
        ------
        InputError
            The history holds no item with an id, or `tokens` are not the first of one.
        """
        import torch

        from recnb.models.common.reading.batches import newest

        sequences = self._readable([history])
        _, batch = newest(sequences, self.row_, self.length)
        one = torch.zeros(1, dtype=torch.int64)
        with torch.no_grad():
            memory = self._memory(self.network, batch or {})
            scores = memory.step(one, one, one)
            for token in tokens:
                scores = memory.step(one, one, one + token)
        return scores[0].cpu().numpy()

    def _readable(self, histories: Iterable[np.ndarray]) -> Sequences:
        """Histories as sequences, of each of which something can be read."""
        sequences = Sequences.of_items(histories, len(self.item_ids_))
        read = np.bincount(
            sequences.users[self.row_[sequences.items] >= 0], minlength=len(sequences)
        )
        if len(silent := np.flatnonzero(read == 0)):
            raise InputError(
                f"history {silent[0]} holds no item with an id",
                mend="leave it out, or give what was taken",
            )
        return sequences

    def _items_of_rows(self) -> np.ndarray:
        """The item of each id."""
        out = np.full(len(self.tokens_), -1)
        out[self.row_[self.row_ >= 0]] = np.flatnonzero(self.row_ >= 0)
        return out

    # ---------------------------------------------------------------- new items

    @available_if(lambda self: self.ids == "text")
    def with_items(self, items: pd.DataFrame) -> Tiger:
        """A copy that also generates new items, which follow the known ones: ids by the nearest centres of their text.

        A code that more items share than any did in training would need a token that the decoder has not: then its last
        tokens start at 0 vectors. An item without any text is not generated.

        Raises
        ------
        InputError
            An id is known already.
        """
        table = new_items(items, self.item_ids_)
        told = self._has_text(table)
        return self._grown_by(table, told, self._encoded(table[told]))

    def _grown_by(self, table: pd.DataFrame, told: np.ndarray, vectors: np.ndarray) -> Tiger:
        """A copy with new items, those that are told of with these text vectors."""
        from recnb.models.generative.rqvae import encoded

        out = copy.copy(self)
        out._drop_caches()
        if self.coder_:
            vectors = encoded(vectors, self.coder_)
        out.item_ids_ = grown_ids(self.item_ids_, table)
        out.row_ = np.append(self.row_, np.where(told, len(self.tokens_) - 1 + np.cumsum(told), -1))
        out.popularity_ = np.pad(self.popularity_, (0, len(table)))
        out._keep_ids(self.identifiers().with_vectors(vectors))
        out.weights_, last = dict(self.weights_), f"levels.{self.tokens_.shape[1] - 1}"
        more = out.sizes_[-1] - self.sizes_[-1]
        out.weights_[last] = np.pad(self.weights_[last], ((0, more), (0, 0)))
        return out
