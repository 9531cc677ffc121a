"""What models share whose network is trained on the order of events: the fit, the choice of the epoch, what is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recnb.data import Dataset, Text
from recnb.errors import InputError
from recnb.models.common.item_tables import sentences
from recnb.models.common.sequences import FromSequences, Sequences
from recnb.models.common.validation import Validation
from recnb.progress import tell

if TYPE_CHECKING:
    from recnb.models.common.reading.batches import Windows

_PAUSE = 2.0  # seconds of training between two words about how far it is
_CACHES = ("_network", "_trie", "_histories")


class TrainedOnSequences(FromSequences):
    """A network over packed sequences.

    A subclass has the settings of :mod:`recnb.models.common.reading.settings`, checks them in :meth:`_check`, learns
    `row_` (which row of the network's table each item has, -1 for none), `n_used_` (the first rows, those of items with
    events) and what else it keeps in :meth:`_learn_items`, builds its network in :meth:`_build` and scores in
    :meth:`_scores`. What a network keeps of an earlier state of its weights it computes anew in `after_epoch()`
    (:func:`recnb.training.train`), so that a fit learns the same with a validation part and without.
    """

    seeded = True
    uses_valid = True
    packages = ("torch", "transformers")

    if TYPE_CHECKING:  # settings by name

        def __init__(self, **settings: Any) -> None: ...

        def __getattr__(self, name: str) -> Any: ...

    def _check(self) -> None:
        """Raise for a setting that has no meaning."""
        raise NotImplementedError

    def _learn_items(self, train: Dataset, sequences: Sequences) -> None:
        raise NotImplementedError

    def _build(self) -> Any:
        """The network at its start, the same for equal seeds."""
        raise NotImplementedError

    def _scores(
        self, network: Any, sequences: Sequences, allowed: np.ndarray | None = None
    ) -> np.ndarray:
        """Scores of all items after each sequence: (n, n_items), float32."""
        raise NotImplementedError

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        from recnb.training import Training
        from recnb.training import train as train_network
        from recnb.training.checkpoint import place_of

        source, network = self.prepared(train)
        how = Training(
            epochs=self.n_epochs,
            lr=self.lr,
            lr_encoder=self._lr_encoder,
            weight_decay=self.weight_decay,
            warmup=0.0,
            schedule="constant",
            patience=self.patience,
            seed=self.seed,
            checkpoint=place_of(self, train, valid),
        )
        value = None if valid is None else self._value(train, valid)
        trained = train_network(
            network, self._epochs(source), how, value, self._tells(), data=train.digest
        )
        self.n_epochs_, self.learning_ = trained.n_epochs, list(trained.history)
        self._keep(network)
        self._network = network

    def _tells(self) -> Callable[[int, int, int, float], None]:
        """How far the training is, told now and then to whoever listens."""
        name, n_epochs, last = type(self).__name__, self.n_epochs, [time.monotonic()]

        def tells(epoch: int, step: int, n_steps: int, loss: float) -> None:
            if time.monotonic() - last[0] >= _PAUSE:
                last[0] = time.monotonic()
                tell(
                    f"{name}: epoch {epoch} of at most {n_epochs}, loss {loss:.3f}",
                    (epoch - 1) * n_steps + step - 1,
                    n_epochs * n_steps,
                )

        return tells

    def choice_remarks(self) -> tuple[str, ...]:
        values = [epoch["value"] for epoch in self.learning_ if epoch["value"] is not None]
        if len(values) < 2 or self.n_epochs_ < self.n_epochs or values[-1] <= values[-2]:
            return ()
        return (
            f"training stopped at the last epoch allowed ({self.n_epochs}) while its value on the validation part "
            "still rose: set n_epochs higher",
        )

    @property
    def _lr_encoder(self) -> float:
        """The learning rate of a language model that is trained, too."""
        return self.lr

    def _epochs(self, source: Windows) -> Callable[[int], Any]:
        """The batches of each epoch."""
        return source.epoch

    def _keep(self, network: Any) -> None:
        """Keep what training made."""
        self.weights_ = {
            name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()
        }

    def prepared(self, train: Dataset) -> tuple[Windows, Any]:
        """What a fit trains: the windows of the users' sequences, and the network at its start."""
        from recnb.models.common.reading.batches import training_windows

        self._check()
        self._drop_caches()
        sequences = self._learn_sequences(train)
        self.popularity_ = np.bincount(sequences.items, minlength=train.n_items).astype(np.float32)
        self._learn_items(train, sequences)
        source = training_windows(
            train, sequences, self.row_, self.length, self.batch_size, self.seed
        )
        return source, self._build()

    def _drop_caches(self) -> None:
        for name in _CACHES:
            self.__dict__.pop(name, None)

    def _value(self, train: Dataset, valid: Dataset) -> Callable[[Any], float]:
        """What the best epoch is chosen by: NDCG@10 of the validation part."""
        validation, sequences = self._asked(train, valid)

        def value(network: Any) -> float:
            return validation.value_of(
                lambda users: self._scores(network, sequences.take(users), validation.allowed)
            )

        return value

    def _asked(self, train: Dataset, valid: Dataset) -> tuple[Validation, Sequences]:
        """What the validation part asks, and the sequences of all users that it tells."""
        validation = Validation.of(train, valid).needed()
        return validation, self._made(validation.history)

    @property
    def network(self) -> Any:
        """The torch module behind the model; of one that was read from disk it is built from its arrays."""
        import torch

        if "weights_" not in vars(self):
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
        if "_network" not in vars(self):
            network = self._build()
            weights = {name: torch.from_numpy(value) for name, value in self.weights_.items()}
            network.load_state_dict(weights, strict=False)  # what is frozen is opened, not kept
            self._network = network.eval()
        return self._network

    def score_sequences(self, sequences: Sequences) -> np.ndarray:
        return self._scores(self.network, sequences)

    def parameters(self) -> tuple[int, int]:
        """Numbers that training changed, and all that the model holds, the language model among them."""
        trained = sum(value.size for value in self.weights_.values())
        return trained, trained + getattr(self, "n_parameters_", 0)

    def _in_rows(self, items: pd.DataFrame) -> pd.DataFrame:
        """The items table in the order of the network's rows."""
        order = np.argsort(self.row_, kind="stable")[(self.row_ < 0).sum() :]
        return items.iloc[order]

    def _sentences(self, items: pd.DataFrame, learn: bool = False) -> list[str]:
        """The items' texts; with `learn` the columns are chosen that others are read by."""
        if learn:
            self.columns_ = (self.text or Text()).chosen(items)
        return sentences(self.text, self.columns_, items)

    def _has_text(self, items: pd.DataFrame, learn: bool = False) -> np.ndarray:
        """Which items have any text in the columns that are read, (n,), bool: of the others nothing can be said."""
        return np.array([bool(s.strip()) for s in self._sentences(items, learn)], dtype=bool)

    def _learn_turning(self, raw: np.ndarray, whitening: bool) -> np.ndarray:
        """Vectors of the texts of all rows as a network reads them; how they came about is kept for new items."""
        from recnb.models.common.reading.live import turning

        self.shift_, self.turn_ = turning(raw[: self.n_used_], whitening)
        return self._turned_rows(raw)

    def _turned_rows(self, raw: np.ndarray) -> np.ndarray:
        """Vectors of the texts of all rows; those of items without events are no longer than those of the others."""
        used = self._turned(raw[: self.n_used_])
        return np.concatenate([used, self._turned_new(raw[self.n_used_ :], used)])

    def _turned_new(self, raw: np.ndarray, used: np.ndarray) -> np.ndarray:
        """Vectors of texts that the whitening was not learned on, beside those of items with events."""
        from recnb.models.common.reading.live import drawn_in

        turned = self._turned(raw)
        return turned if self.turn_ is None else drawn_in(turned, used, self.turn_)

    @property
    def _placed(self) -> np.ndarray:
        """The vectors beside which new items are put: those of items with events."""
        return self.text_[: self.n_used_]

    def _turned(self, raw: np.ndarray) -> np.ndarray:
        centred = raw - self.shift_
        return centred if self.turn_ is None else centred @ self.turn_

    def _encoded(self, items: pd.DataFrame, learn: bool = False) -> np.ndarray:
        """What the frozen language model says of items' texts: (n, dim), float32."""
        from recnb.encoders import TextEncoder

        encoder = TextEncoder() if self.encoder is None else TextEncoder(self.encoder)
        self.n_parameters_ = encoder.n_parameters
        return encoder.encode(self._sentences(items, learn)).astype(np.float32)
