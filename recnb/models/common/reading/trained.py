"""What models share whose network is trained on the order of events: the fit, the choice of the epoch, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recnb.data import Dataset, Text
from recnb.errors import InputError
from recnb.models.common.item_tables import sentences
from recnb.models.common.sequences import FromSequences, Sequences
from recnb.models.common.validation import Validation

if TYPE_CHECKING:
    from recnb.models.common.reading.batches import Windows

_CACHES = ("_network", "_trie", "_histories")


class TrainedOnSequences(FromSequences):
    """A network over packed sequences.

    A subclass has the settings `text`, `encoder`, `length`, `batch_size`, `lr`, `weight_decay`, `n_epochs`, `patience`,
    `seed` and `checkpoint`, checks its settings in :meth:`_check`, learns `row_` (which row of the network's table each
    item has, -1 for none) and what else it keeps in :meth:`_learn_items`, builds its network in :meth:`_build` and
    scores in :meth:`_scores`.
    """

    seeded = True
    uses_valid = True
    packages = ("torch", "transformers")

    if TYPE_CHECKING:  # settings and what is learned
        row_: np.ndarray
        columns_: list[str]
        text: Text | None
        encoder: str | None
        length: int
        batch_size: int
        lr: float
        weight_decay: float
        n_epochs: int
        patience: int
        seed: int
        checkpoint: Any

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
            weight_decay=self.weight_decay,
            warmup=0.0,
            schedule="constant",
            patience=self.patience,
            seed=self.seed,
            checkpoint=place_of(self.checkpoint, train.digest, self.seed),
        )
        value = None if valid is None else self._value(train, valid)
        trained = train_network(network, source.epoch, how, value, data=train.digest)
        self.n_epochs_, self.learning_ = trained.n_epochs, list(trained.history)
        self.weights_ = {
            name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()
        }
        self._network = network

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
        validation = Validation.of(train, valid)
        if not len(validation.users):
            raise InputError(
                "no user has a relevant row in the validation part",
                file=train.name,
                mend="enlarge it, lower relevant_from, or fit without",
            )
        sequences, allowed = self._made(validation.history), validation.allowed

        def value(network: Any) -> float:
            return validation.value_of(
                lambda users: self._scores(network, sequences.take(users), allowed)
            )

        return value

    @property
    def network(self) -> Any:
        """The torch module behind the model; of one that was read from disk it is built from its arrays."""
        import torch

        if "weights_" not in vars(self):
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
        if "_network" not in vars(self):
            network = self._build()
            network.load_state_dict({k: torch.from_numpy(v) for k, v in self.weights_.items()})
            self._network = network.eval()
        return self._network

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        return self._scores(self.network, self.sequences(users, history))

    def parameters(self) -> tuple[int, int]:
        """Numbers that training changed, and all that the model holds, the language model among them."""
        trained = sum(p.numel() for p in self.network.parameters())
        return trained, trained + getattr(self, "n_parameters_", 0)

    def _in_rows(self, items: pd.DataFrame) -> pd.DataFrame:
        """The items table in the order of the network's rows."""
        order = np.argsort(self.row_, kind="stable")[(self.row_ < 0).sum() :]
        return items.iloc[order]

    def _encoded(self, items: pd.DataFrame, learn: bool = False) -> np.ndarray:
        """What the frozen language model says of items' texts: (n, dim), float32."""
        from recnb.encoders import TextEncoder

        if learn:
            self.columns_ = (self.text or Text()).chosen(items)
        encoder = TextEncoder() if self.encoder is None else TextEncoder(self.encoder)
        self.n_parameters_ = encoder.n_parameters
        return encoder.encode(sentences(self.text, self.columns_, items)).astype(np.float32)


def check_one_of(model: Any, **known: tuple[str, ...]) -> None:
    """Raise for a setting that is not one of the known words."""
    for name, words in known.items():
        if getattr(model, name) not in words:
            raise InputError(f"{name}={getattr(model, name)!r}", mend=f"one of {', '.join(words)}")


def check_at_least_one(model: Any, *names: str) -> None:
    """Raise for a setting below 1."""
    for name in names:
        if not getattr(model, name) >= 1:
            raise InputError(f"{name}={getattr(model, name)!r}", mend="at least 1")


def check_heads(model: Any) -> None:
    """Raise where heads do not divide the width into parts that a rotation can turn."""
    if not model.n_heads >= 1 or model.width % (2 * model.n_heads):
        raise InputError(
            f"width={model.width} with n_heads={model.n_heads}",
            mend="a width that two times the heads divide",
        )
