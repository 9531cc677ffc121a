"""Generated ids and dense vectors of items in one model: what either ranks, both rank together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset
from recnb.models.common.liked import sink, ties
from recnb.models.common.new_items import new_items
from recnb.models.common.sequences import Sequences
from recnb.models.common.settings import flat
from recnb.models.generative.settings import GROUPS, Dense
from recnb.models.generative.tiger import Tiger
from recnb.recommender import Reads

WEIGHTS = tuple(
    tenth / 10 for tenth in (5, 4, 6, 3, 7, 2, 8, 1, 9, 0, 10)
)  # of equal ones the first


@flat(Dense, *GROUPS)
class TigerDense(Tiger):
    """As :class:`Tiger`, and the state of a history scores items by their dense vectors, too.

    Parameters
    ----------
    {settings}

    Notes
    -----
    An item's dense vector is a projection of what the language model says of its text, and the vectors of its id's
    tokens; the loss is the sum of that of the ids and of a softmax over the items with events. A score is
    ``weight * log p(id) + (1 - weight) * log p(vector)``; ids outside the beam stand below all in it. Where ids are not
    made from text they carry what they carry, and the vectors still read the text.

    References
    ----------
    L. Yang et al. (2024), "Unifying generative and dense retrieval for sequential recommendation", section 4 (there the
    beam's items are ranked by their vectors alone).
    """

    groups = (Dense, *GROUPS)

    @property
    def reads_text(self) -> bool:
        return True

    def reads(self) -> Reads:
        from recnb.encoders.loading import cited

        ids = "none" if self.ids == "text" else "pairs"
        return Reads(ids, ("text",), (cited(self.encoder),))

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        self.weight_ = WEIGHTS[0] if self.weight is None else float(self.weight)
        super()._fit(train, valid)
        if self.weight is None and valid is not None:
            self.weight_ = self._best_weight(train, valid)

    def _best_weight(self, train: Dataset, valid: Dataset) -> float:
        """The weight with the highest NDCG@10 on the validation part."""
        validation, sequences = self._asked(train, valid)
        lists: list[list[np.ndarray]] = [[] for _ in WEIGHTS]
        for rows in validation.blocks():
            some = sequences.take(validation.users[rows])
            generated = self._generated_scores(self.network, some, validation.allowed)
            dense = self._dense_scores(self.network, some)
            for of_weight, weight in zip(lists, WEIGHTS):
                scores = (weight * generated + (1 - weight) * dense)[:, validation.items]
                of_weight.append(validation.lists(scores, rows))
        values = [validation.value_of_lists(np.concatenate(of_weight)) for of_weight in lists]
        return WEIGHTS[int(np.argmax(values))]

    def chosen(self) -> dict[str, Any]:
        """The epochs and the weight."""
        return {**super().chosen(), "weight": self.weight_}

    def _learn_items(self, train: Dataset, sequences: Sequences) -> None:
        super()._learn_items(train, sequences)
        # from the cache, where the ids were made of it
        self.text_ = self._learn_turning(self._texts(train.items), whitening=True)

    def _network_of(self, tokens: Any, sizes: tuple[int, ...], n_known: int) -> Any:
        import torch

        from recnb.models.generative.dense_network import DenseIdNetwork

        text = torch.from_numpy(self.text_).clone()
        return DenseIdNetwork(text, tokens, sizes, n_known, *self._shape)

    def _scores(
        self, network: Any, sequences: Sequences, allowed: np.ndarray | None = None
    ) -> np.ndarray:
        out = self.weight_ * self._generated_scores(network, sequences, allowed)
        return out + (1 - self.weight_) * self._dense_scores(network, sequences)

    def _dense_scores(self, network: Any, sequences: Sequences) -> np.ndarray:
        """Log-probabilities of all items by their vectors: (n, n_items), float32."""
        import torch
        from accelerate.utils import send_to_device

        from recnb.models.common.reading.batches import newest

        out = np.zeros((len(sequences), len(self.row_)), np.float32)
        known = np.flatnonzero(self.row_ >= 0)
        for start in range(0, len(sequences), self.block):
            rows = np.arange(start, min(start + self.block, len(sequences)))
            some, batch = newest(sequences.take(rows), self.row_, self.length)
            if batch is None:
                continue
            with torch.no_grad():
                device = network.begin.device
                raw = network.dense_scores(send_to_device(batch, device)).cpu().numpy()
            out[np.ix_(rows[some], known)] = log_softmax(raw, axis=1)[:, self.row_[known]]
        out += ties(self.popularity_)
        return sink(out, self.row_ < 0, self.popularity_)

    @available_if(lambda self: self.ids == "text")
    def with_items(self, items: pd.DataFrame) -> Tiger:
        """A copy that also scores new items, by their text's id and vector."""
        table = new_items(items, self.item_ids_)
        told = self._has_text(table)
        raw = self._encoded(table[told])
        out = self._grown_by(table, told, raw)
        out.text_ = np.concatenate([self.text_, self._turned_new(raw, self._placed)])
        return out
