"""What the trained sequence models share: one table of items, one network, one loop."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.liked import ruled, sink, ties
from recnb.models.common.new_items import grown_ids, new_items
from recnb.models.common.reading.settings import METHODS_OF_ITEMS
from recnb.models.common.reading.trained import TrainedOnSequences
from recnb.models.common.sequences import Sequences
from recnb.models.sequential.settings import Attention, Settings
from recnb.recommender import Reads
from recnb.tuning.methods import PEFT

if TYPE_CHECKING:
    from recnb.models.common.reading.batches import Windows
    from recnb.models.sequential.network import SequenceNetwork

BLOCK = 512  # users whose sequences are read at once
DAMPING = 0.75  # negatives are drawn by popularity to this power


class Learned(TrainedOnSequences):
    """What the trained sequence models share.

    Notes
    -----
    Sequences are packed side by side, without padding. The loss looks at every event but a user's first. Users without
    events get the most popular items.

    The settings stand in groups in :mod:`recnb.models.sequential.settings`; :attr:`settings` gives them so.
    """

    reader = ""
    checksum_: str
    methods = METHODS_OF_ITEMS
    ways: tuple[str, ...] = ("items=text", "items=both")

    @property
    def settings(self) -> Settings:
        """The settings, in groups."""
        return Settings.of(self)

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "dropout": ("float", 0.1, 0.6),
            "lr": ("log", 3e-4, 5e-3),
            "width": ("choice", [64, 128]),
            "n_layers": ("choice", [1, 2]),
        }

    @property
    def needs_text(self) -> bool:  # type: ignore[override]
        return self.settings.reads_text

    @property
    def packages(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("torch", "transformers", *(("peft",) if self.method in PEFT else ()))

    def reads(self) -> Reads:
        from recnb.encoders.loading import cited

        ids = "none" if self.items == "text" else "pairs"
        if not self.settings.reads_text:
            return Reads(ids)
        return Reads(ids, ("text",), (cited(self.encoder),))

    # ---------------------------------------------------------------- fitting

    def _check(self) -> None:
        self.settings.check()

    def _learn_items(self, train: Dataset, sequences: Sequences) -> None:
        """Rows of the table: items with events by their ids, then, where text is read, others that have one."""
        from recnb.models.common.reading.batches import item_rows
        from recnb.models.sequential.vectors import start_from_text

        settings = self.settings
        read = settings.items.items != "free"
        told = self._has_text(train.items, learn=True) if read else False
        self.row_, self.n_used_ = item_rows(train, sequences, told)
        self._start = self._tower = None
        if not settings.reads_text:
            return
        table = self._in_rows(train.items)
        if settings.tunes:
            self._tower = self._opened(self._sentences(table))
            raw = self._tower.all_states()[self._tower.place, -1].numpy()
        else:
            raw = self._encoded(table, learn=not read)
        if settings.items.start == "text":
            self._start = start_from_text(raw, settings.shape.width)
        if settings.items.items != "free":
            self.text_ = self._learn_turning(raw, settings.items.whitening)

    def _opened(self, texts: list[str], tuned: dict[str, np.ndarray] | None = None) -> Any:
        """The language model over some texts, changed for the method and as tuned."""
        import torch

        from recnb.encoders import DEFAULT_ENCODER, TextEncoder
        from recnb.encoders.text.tower import TextTower

        tuning = self.settings.tuning
        encoder = TextEncoder(self.encoder or DEFAULT_ENCODER, normalise=False)
        if tuned is not None and encoder.checksum != self.checksum_:
            raise InputError(
                f"the model was trained on weights {self.checksum_[:12]}, here are {encoder.checksum[:12]}",
                mend="give the same encoder",
            )
        self.n_parameters_, self.checksum_ = encoder.n_parameters, encoder.checksum
        depth = tuning.depth(encoder.n_layers)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return TextTower(encoder, texts, trained=depth, tuned=tuned, adapt=tuning.adapt())

    def _build(self) -> SequenceNetwork:
        """The network at its start, the same for equal seeds."""
        import torch

        from recnb.models.common.reading.live import LiveTexts
        from recnb.models.common.reading.losses import NextItem
        from recnb.models.sequential.network import SequenceNetwork
        from recnb.models.sequential.vectors import ItemVectors

        settings, shape = self.settings, self.settings.shape
        attention = settings.attention or Attention(1, "none")
        n_rows, n_known = int(self.row_.max(initial=-1)) + 1, self.n_used_
        text = texts = None
        if settings.items.items != "free":
            text = torch.from_numpy(self.text_).clone()
        tower, first = (self.__dict__.pop(name, None) for name in ("_tower", "_start"))
        start = None if first is None else torch.from_numpy(first)
        if tower is not None:
            turn = None if self.turn_ is None else torch.from_numpy(self.turn_)
            texts = LiveTexts(tower, torch.from_numpy(self.shift_), turn, n_known)
        loss, shares = self._loss_and_shares(n_rows)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            free = settings.items.items != "text"
            vectors = ItemVectors(n_rows, shape.width, text, start, free, texts)
            if vectors.free is not None:
                with torch.no_grad():
                    vectors.free[n_known:] = 0  # nothing is learned of items without events
            return SequenceNetwork(
                vectors,
                n_known,
                self.reader,
                shape.width,
                shape.n_layers,
                attention.n_heads,
                settings.fitting.length,
                attention.positions,
                settings.fitting.dropout,
                NextItem(loss, settings.loss.n_negatives, settings.loss.calibration),
                shares,
            )

    def _loss_and_shares(self, n_rows: int) -> tuple[str, Any]:
        """The loss that "auto" means here, and how often each item is drawn as a negative."""
        import torch

        from recnb.models.common.reading.losses import MOST_ITEMS

        loss, n_known = self.settings.loss.loss, self.n_used_
        if loss == "auto":
            loss = "softmax" if n_known <= MOST_ITEMS else "sampled"
        if loss != "sampled":
            return loss, None
        counts = np.zeros(n_rows)
        counts[self.row_[self.row_ >= 0]] = self.popularity_[self.row_ >= 0]
        shares = torch.from_numpy(counts[:n_known] ** DAMPING).float()
        return loss, shares / shares.sum()

    @property
    def _lr_encoder(self) -> float:
        return self.settings.tuning.rate

    def _epochs(self, source: Windows) -> Callable[[int], Any]:
        from recnb.models.common.reading.live import LiveEpoch

        tuning = self.settings.tuning
        if not self.settings.tunes:
            return source.epoch
        n, every = tuning.live_items, tuning.live_every
        return lambda number: LiveEpoch(source.epoch(number), number, n, every)

    def _keep(self, network: Any) -> None:
        """What training made: weights, and of a tuned language model what it says of the items."""
        super()._keep(network)
        self._drop_adapter()
        texts = network.vectors.texts
        if texts is None:
            return
        self.text_ = self.weights_.pop("vectors.text")
        self.weights_ = {
            k: v for k, v in self.weights_.items() if not k.startswith("vectors.texts.")
        }
        self.tuned_ = texts.tower.tuned()

    def _drop_adapter(self) -> None:
        """Forget the adapter of an earlier update and what it stands on: the weights are another fit's."""
        for name in ("base_", "adapter_"):
            self.__dict__.pop(name, None)

    def parameters(self) -> tuple[int, int]:
        """Numbers that training changed, and all that the model holds, the language model among them."""
        trained, total = super().parameters()
        tuned = getattr(self, "tuned_", {})
        more = sum(value.size for name, value in tuned.items() if name != "vocabulary")
        added = more if tuned and self.settings.tuning.adapt() is not None else 0
        return trained + more, total + added

    # ---------------------------------------------------------------- scoring

    def _scores(
        self, network: Any, sequences: Sequences, allowed: np.ndarray | None = None
    ) -> np.ndarray:
        """Scores of all items after each sequence: (n, n_items), float32."""
        out = np.zeros((len(sequences), len(self.row_)), np.float32)
        known = self.row_ >= 0
        states, table = self._states(network, sequences)
        for start in range(0, len(sequences), BLOCK):
            rows = slice(start, start + BLOCK)
            out[rows, known] = states[rows] @ table[self.row_[known]].T
        out += ties(self.popularity_)
        return sink(out, ~known, self.popularity_)

    def _states(self, network: Any, sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
        """The state after each sequence, zeros after an empty one, and the table of items."""
        import torch
        from accelerate.utils import send_to_device

        from recnb.models.common.reading.batches import newest

        states = np.zeros((len(sequences), self.width), np.float32)
        with torch.no_grad():
            table = network.vectors()
            for start in range(0, len(sequences), BLOCK):
                rows = np.arange(start, min(start + BLOCK, len(sequences)))
                some, batch = newest(sequences.take(rows), self.row_, self.length)
                if batch is not None:
                    read = network.newest(send_to_device(batch, table.device), table)
                    states[rows[some]] = read.float().cpu().numpy()
            return states, table.float().cpu().numpy()

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """User and item vectors, float32, (n_users, d) and (n_items, d): their product orders items as the score does.

        A user's is the state after the training events. Of items with rows or text the product is the score.
        """
        states, table = self._states(self.network, Sequences.from_arrays(self.sequences_))
        return ruled(states, table[self.row_], self.row_ < 0, self.popularity_)

    # ---------------------------------------------------------------- new items

    def _no_new_items(self) -> tuple[str, str]:
        return "items='free' knows no text", "set items='text' or 'both'"

    @available_if(lambda self: self.items != "free")
    def with_items(self, items: pd.DataFrame) -> Learned:
        """A copy that also scores new items, which follow the known ones, by their text; not where `items` is "free".

        An item without any text stands below all others.

        Raises
        ------
        InputError
            An id is known already.
        """
        table = new_items(items, self.item_ids_)
        out = copy.copy(self)
        out._drop_caches()
        out.item_ids_ = grown_ids(self.item_ids_, table)
        told = self._has_text(table)
        n = int(told.sum())
        out.text_ = np.concatenate([self.text_, self._vectors_of(table[told])])
        out.row_ = np.append(self.row_, np.where(told, len(self.text_) - 1 + np.cumsum(told), -1))
        out.popularity_ = np.pad(self.popularity_, (0, len(table)))
        out.weights_ = dict(self.weights_)
        if "vectors.free" in out.weights_:
            out.weights_["vectors.free"] = np.pad(self.weights_["vectors.free"], ((0, n), (0, 0)))
        return out

    def _vectors_of(self, table: pd.DataFrame) -> np.ndarray:
        """Text vectors of items that come after fitting, as the network reads them: (n, dim), float32."""
        if not len(table):
            return self.text_[:0]
        if self.settings.tunes:
            tower = copy.copy(self)._opened(self._sentences(table), self.tuned_)
            raw = tower.all_states()[tower.place, -1].numpy()
        else:
            raw = self._encoded(table)
        return self._turned_new(raw, self._placed)
