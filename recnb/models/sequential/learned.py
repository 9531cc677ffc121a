"""What the trained sequence models share: one table of items, one network, one loop."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset, Text
from recnb.errors import InputError
from recnb.models.common.liked import sink, ties
from recnb.models.common.new_items import grown_ids, new_items
from recnb.models.common.reading.trained import (
    TrainedOnSequences,
    check_at_least_one,
    check_one_of,
)
from recnb.models.common.sequences import EVENTS, Sequences
from recnb.recommender import Reads

if TYPE_CHECKING:
    from recnb.models.sequential.network import SequenceNetwork

BLOCK = 512  # users whose sequences are read at once
DAMPING = 0.75  # negatives are drawn by popularity to this power


class Learned(TrainedOnSequences):
    """What the trained sequence models share.

    Parameters
    ----------
    items : {"free", "text", "both"}
        An item's vector: learned for the item, projected from what a frozen language model says of its text, or the
        sum. With text, items without training rows are scored, and new ones after fitting.
    start : {"random", "text"}
        Free vectors at the start; "text": the leading whitened directions of the texts.
    whitening : bool
        Whether text vectors are whitened before they are projected; else they are centred.
    text : Text, optional
        The item's sentence; by default the usual columns.
    encoder : str, optional
        Folder or name of the language model; None means the default of :class:`recnb.encoders.TextEncoder`.
    events : {"liked", "all"}
        Which events are read and predicted, where there are ratings.
    width, n_layers : int
    length : int
        Events read at once: the newest when scoring; in training a longer history is cut into windows of so many.
    dropout : float
    loss : {"auto", "softmax", "sampled", "gbce"}
        Cross-entropy over the whole catalogue, by blocks; over drawn items with log-Q correction; generalised binary
        cross-entropy. "auto": the whole catalogue up to 20,000 items, else drawn ones.
    n_negatives : int
        Items drawn: for each target up to 8, else for the batch as a whole.
    calibration : float
        Of "gbce": 0 is binary cross-entropy, 1 the scores of a softmax.
    lr, weight_decay : float
    batch_size : int
        Windows of a step.
    n_epochs : int
        The most epochs; with a validation part the best is kept.
    patience : int
        Epochs without a better value of the validation part.
    seed : int
    checkpoint : path, optional
        Folder from which a killed fit goes on.

    Notes
    -----
    Sequences are packed side by side, without padding. The loss looks at every event but a user's first. Users without
    events get the most popular items.
    """

    reader = ""

    def __init__(
        self,
        items: str = "free",
        start: str = "random",
        whitening: bool = True,
        text: Text | None = None,
        encoder: str | None = None,
        events: str = "liked",
        width: int = 64,
        n_layers: int = 2,
        length: int = 50,
        dropout: float = 0.3,
        loss: str = "auto",
        n_negatives: int = 1024,
        calibration: float = 0.75,
        lr: float = 1e-3,
        weight_decay: float = 0.01,
        batch_size: int = 256,
        n_epochs: int = 40,
        patience: int = 5,
        seed: int = 0,
        checkpoint: str | Path | None = None,
    ) -> None:
        self.items = items
        self.start = start
        self.whitening = whitening
        self.text = text
        self.encoder = encoder
        self.events = events
        self.width = width
        self.n_layers = n_layers
        self.length = length
        self.dropout = dropout
        self.loss = loss
        self.n_negatives = n_negatives
        self.calibration = calibration
        self.lr = lr
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.patience = patience
        self.seed = seed
        self.checkpoint = checkpoint

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "dropout": ("float", 0.1, 0.6),
            "lr": ("log", 3e-4, 5e-3),
            "width": ("choice", [64, 128]),
            "n_layers": ("choice", [1, 2]),
        }

    @property
    def reads_text(self) -> bool:
        """Whether text takes part."""
        return self.items != "free" or self.start == "text"

    @property
    def needs_text(self) -> bool:  # type: ignore[override]
        return self.reads_text

    def reads(self) -> Reads:
        from recnb.encoders.loading import cited

        ids = "none" if self.items == "text" else "pairs"
        if not self.reads_text:
            return Reads(ids)
        return Reads(ids, ("text",), (cited(self.encoder),))

    # ---------------------------------------------------------------- fitting

    def _check(self) -> None:
        from recnb.models.sequential.losses import LOSSES
        from recnb.models.sequential.vectors import ITEMS, STARTS

        check_one_of(self, items=ITEMS, start=STARTS, events=EVENTS, loss=LOSSES)
        if self.start == "text" and self.items == "text":
            raise InputError("start='text' without free vectors", mend="set items='free' or 'both'")
        check_at_least_one(
            self, "width", "n_layers", "length", "n_negatives", "batch_size", "n_epochs"
        )
        for name in ("dropout", "calibration"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name}={getattr(self, name)!r}", mend="from 0 to 1")

    def _learn_items(self, train: Dataset, sequences: Sequences) -> None:
        """Rows of the table: items with events by their ids, then, where text is read, the others."""
        from recnb.models.common.reading.batches import item_rows

        self.row_, self.n_used_ = item_rows(train, sequences, self.items != "free")
        if self.reads_text:
            self.text_ = self._encoded(self._in_rows(train.items), learn=True)

    def _build(self) -> SequenceNetwork:
        """The network at its start, the same for equal seeds."""
        import torch

        from recnb.models.sequential.losses import MOST_ITEMS, NextItem
        from recnb.models.sequential.network import SequenceNetwork
        from recnb.models.sequential.vectors import ItemVectors, start_from_text, text_vectors

        n_rows = int(self.row_.max(initial=-1)) + 1
        n_known = self.n_used_
        text = start = None
        if self.items != "free":
            raw = self.text_
            text = torch.from_numpy(text_vectors(raw, raw[:n_known], self.whitening))
        if self.start == "text":
            start = torch.from_numpy(start_from_text(self.text_, self.width))
        loss = self.loss
        if loss == "auto":
            loss = "softmax" if n_known <= MOST_ITEMS else "sampled"
        shares = None
        if loss == "sampled":
            counts = np.zeros(n_rows)
            counts[self.row_[self.row_ >= 0]] = self.popularity_[self.row_ >= 0]
            shares = torch.from_numpy(counts[:n_known] ** DAMPING).float()
            shares = shares / shares.sum()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            vectors = ItemVectors(n_rows, self.width, text, start, self.items != "text")
            if vectors.free is not None:
                with torch.no_grad():
                    vectors.free[n_known:] = 0  # nothing is learned of items without events
            return SequenceNetwork(
                vectors,
                n_known,
                self.reader,
                self.width,
                self.n_layers,
                getattr(self, "n_heads", 1),
                self.length,
                getattr(self, "positions", "none"),
                self.dropout,
                NextItem(loss, self.n_negatives, self.calibration),
                shares,
            )

    # ---------------------------------------------------------------- scoring

    def _scores(
        self, network: Any, sequences: Sequences, allowed: np.ndarray | None = None
    ) -> np.ndarray:
        """Scores of all items after each sequence: (n, n_items), float32."""
        out = np.zeros((len(sequences), len(self.row_)), np.float32)
        known = self.row_ >= 0
        blocks = range(0, len(sequences), BLOCK)
        for start in blocks:
            rows = np.arange(start, min(start + BLOCK, len(sequences)))
            states, table = self._states(network, sequences.take(rows))
            out[np.ix_(rows, np.flatnonzero(known))] = states @ table[self.row_[known]].T
        out += ties(self.popularity_)
        return sink(out, ~known, self.popularity_)

    def _states(self, network: Any, sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
        """The state after each sequence, zeros after an empty one, and the table of items."""
        import torch
        from accelerate.utils import send_to_device

        from recnb.models.common.reading.batches import newest

        states = np.zeros((len(sequences), self.width), np.float32)
        some, batch = newest(sequences, self.row_, self.length)
        with torch.no_grad():
            table = network.vectors()
            if batch is not None:
                read = network.newest(send_to_device(batch, table.device), table)
                states[some] = read.float().cpu().numpy()
            return states, table.float().cpu().numpy()

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """States of all users after their training events, and vectors of all items; zeros where there is none."""
        sequences = Sequences.from_arrays(self.sequences_)
        states, table = self._states(self.network, sequences.last(self.length))
        vectors = np.zeros((len(self.row_), self.width), np.float32)
        known = self.row_ >= 0
        vectors[known] = table[self.row_[known]]
        return states, vectors

    # ---------------------------------------------------------------- new items

    @available_if(lambda self: self.items != "free")
    def with_items(self, items: pd.DataFrame) -> Learned:
        """A copy that also scores new items, which follow the known ones, by their text; not where `items` is "free".

        Raises
        ------
        InputError
            An id is known already.
        """
        table = new_items(items, self.item_ids_)
        out = copy.copy(self)
        out._drop_caches()
        n = len(table)
        out.item_ids_ = grown_ids(self.item_ids_, table)
        out.text_ = np.concatenate([self.text_, self._encoded(table)])
        out.row_ = np.append(self.row_, len(self.text_) + np.arange(n))
        out.popularity_ = np.pad(self.popularity_, (0, n))
        out.weights_ = dict(self.weights_)
        if "vectors.free" in out.weights_:
            out.weights_["vectors.free"] = np.pad(self.weights_["vectors.free"], ((0, n), (0, 0)))
        return out
