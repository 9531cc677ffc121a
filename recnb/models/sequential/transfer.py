"""A sequence model of one domain put to work in another, where items are known by their texts alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.sequences import Sequences
from recnb.models.sequential.learned import Learned
from recnb.models.sequential.settings import Settings
from recnb.recommender import Reads


class Transferred(Learned):
    """A text-keyed sequence model of another domain, as it is or taught a little here.

    Parameters
    ----------
    source : Learned
        Fitted elsewhere with ``items="text"``: what it has learned is a map from texts to vectors and how they follow
        each other. Neither knows an id, so both can be put over other items.
    n_epochs : int
        Passes over the rows of the new domain, from the weights of the source; 0 learns nothing of them.
    lr : float, optional
        None: a third of the source's.
    centred : bool
        Whether the new domain's text vectors are taken from their own mean, as the source's were from theirs; else from
        the source's.
    patience : int
    seed : int

    Notes
    -----
    Texts are whitened as they were in the source: with a whitening of their own the directions would mean something
    else. Without rows (``n_epochs=0``) the training data give users and items a place and the histories, and popularity
    orders equal scores; nothing else of them is used, but that an item with neither text nor rows stands last. A model
    of ids has nothing to bring along: its vectors belong to items that are not here.

    References
    ----------
    Y. Hou et al. (2022), "Towards universal sequence representation learning for recommender systems" (UniSRec), KDD,
    section 3.1; there the texts of several domains are joined.
    """

    ways = ()
    packages = ("torch", "transformers")  # a source that tuned its language model is refused

    def __init__(
        self,
        source: Learned,
        n_epochs: int = 0,
        lr: float | None = None,
        centred: bool = True,
        patience: int = 3,
        seed: int = 0,
    ) -> None:
        self.source = source
        self.n_epochs = n_epochs
        self.lr = lr
        self.centred = centred
        self.patience = patience
        self.seed = seed

    def __sklearn_clone__(self) -> Transferred:
        return type(self)(**self.get_params(deep=False))  # the source stays fitted

    def __getattr__(self, name: str) -> Any:
        """Settings that are the source's: width, length, text, encoder …"""
        source = vars(self).get("source")
        if isinstance(source, Learned) and name in source.get_params(deep=False):
            return getattr(self.source, name)
        return super().__getattr__(name)

    @property
    def settings(self) -> Settings:
        """Those of the source."""
        if not isinstance(self.source, Learned):
            raise _no_source()
        return self.source.settings

    @property
    def reader(self) -> str:  # type: ignore[override]
        return self.source.reader

    @property
    def uses_valid(self) -> bool:  # type: ignore[override]
        return self.n_epochs > 0

    @property
    def seeded(self) -> bool:  # type: ignore[override]
        return self.n_epochs > 0

    def search_space(self) -> dict[str, tuple]:  # type: ignore[override]
        return {}

    def reads(self) -> Reads:
        return self.source.reads()

    def _check(self) -> None:
        if not isinstance(self.source, Learned) or self.source.items != "text":
            raise _no_source()
        if isinstance(self.source, Transferred):
            raise InputError(
                "the source was transferred itself", mend="transfer the model that it came from"
            )
        if not self.source.fitted:
            raise InputError("the source is not fitted", mend="fit it in its own domain first")
        if self.source.settings.tunes:
            raise InputError(
                "the source has tuned its language model", mend="fit it with method='head_only'"
            )
        if self.n_epochs < 0:
            raise InputError(f"n_epochs={self.n_epochs!r}", mend="0 or more")

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        self._check()
        if self.n_epochs:
            told = self.lr
            self.lr = self.source.lr / 3 if told is None else told
            try:
                super()._fit(train, valid)
            finally:
                self.lr = told
            return
        self._drop_caches()
        sequences = self._learn_sequences(train)
        self.popularity_ = np.bincount(sequences.items, minlength=train.n_items).astype(np.float32)
        self._learn_items(train, sequences)
        self.n_epochs_, self.learning_ = 0, []
        self.weights_ = dict(self.source.weights_)

    def _learn_items(self, train: Dataset, sequences: Sequences) -> None:
        """Rows of the table, and the texts' vectors, turned as those of the source were."""
        from recnb.models.common.reading.batches import item_rows

        told = self._has_text(train.items, learn=True)
        self.row_, self.n_used_ = item_rows(train, sequences, told)
        raw = self._encoded(self._in_rows(train.items))
        self.turn_ = self.source.turn_
        self.shift_ = raw.mean(axis=0) if self.centred else self.source.shift_
        self.text_ = self._turned(raw)  # none of them was whitened by: all are alike

    @property
    def _placed(self) -> np.ndarray:
        return self.text_

    def _build(self) -> Any:
        """The source's network over the texts of this domain."""
        import torch

        network = super()._build()
        weights = {k: torch.from_numpy(np.asarray(v)) for k, v in self.source.weights_.items()}
        network.load_state_dict(weights, strict=False)  # the texts are of this domain
        return network


def _no_source() -> InputError:
    return InputError(
        "what is transferred has to know items by their texts alone",
        mend="fit sasrec[items=text] in the other domain",
    )
