"""The two tower: a language model reads the items, a head scores them for a user, all trained together."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset, splits
from recnb.errors import InputError
from recnb.models.common.liked import ties
from recnb.models.common.new_items import new_items
from recnb.models.common.settings import flat
from recnb.models.common.validation import Validation, unused_items
from recnb.models.two_tower.items import ItemReader
from recnb.models.two_tower.language import reads_of
from recnb.models.two_tower.reasons.explains import Explains
from recnb.models.two_tower.settings import GROUPS, Settings
from recnb.recommender import Reads, Recommender
from recnb.training.checkpoint import place_of
from recnb.tuning.methods import METHODS, PEFT

if TYPE_CHECKING:
    from recnb.models.two_tower.batches import UserFacts
    from recnb.models.two_tower.network import TwoTowerNetwork
    from recnb.models.two_tower.state import TowerState
    from recnb.models.two_tower.training import BatchRows, Teacher
    from recnb.tuning.bank import Adapter


@flat(*GROUPS)
class TwoTower(Explains, Recommender):
    """Item texts through a pretrained language model, users from their history, a head between them.

    Parameters
    ----------
    {settings}

    Notes
    -----
    In training a user's history is told without the row's own item. Items without training rows are never
    negatives. Under "text" the rows that the sentence tells are no targets.

    The settings stand in groups in :mod:`recnb.models.two_tower.settings`; :attr:`settings` gives them so.
    """

    seeded = True
    uses_valid = True
    methods = tuple(METHODS)

    if TYPE_CHECKING:  # settings by name

        def __init__(self, **settings: Any) -> None: ...

        def __getattr__(self, name: str) -> Any: ...

    @property
    def settings(self) -> Settings:
        """The settings, in groups."""
        return Settings.of(self)

    @property
    def needs_text(self) -> bool:  # type: ignore[override]
        modalities = self.settings.fusion.modalities
        return modalities is None or "text" in str(modalities).split("+")  # a list is refused later

    @property
    def uses_history(self) -> bool:  # type: ignore[override]
        return self.settings.users.pools or self.settings.users.in_words

    def reads(self) -> Reads:
        """By its settings; what "auto" means, and which names are columns of text, is known once it is fitted."""
        return reads_of(self.settings, vars(self).get("state_"))

    @property
    def packages(self) -> tuple[str, ...]:  # type: ignore[override]
        peft = ("peft",) if self.settings.tuning.method in PEFT else ()
        return ("torch", "transformers", *peft)

    @property
    def needs_ratings(self) -> bool:  # type: ignore[override]
        return self.settings.scoring.predicts_ratings

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "dropout": ("float", 0.1, 0.7),
            "lr": ("log", 3e-4, 5e-3),
            "start": ("choice", ["pretrained", "random"]),
            "weight_decay": ("log", 1e-3, 1.0),
        }

    def open_encoder(self) -> Any:
        """The language model as it was pretrained; a subclass may give another :class:`recnb.encoders.TextEncoder`."""
        from recnb.encoders import DEFAULT_ENCODER, TextEncoder

        reading = self.settings.reading
        return TextEncoder(
            reading.encoder or DEFAULT_ENCODER, max_tokens=reading.max_tokens, normalise=False
        )

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        from recnb.models.two_tower.batches import order_of_ids, rows_of, sentence_length
        from recnb.models.two_tower.training import fit_network

        self.__dict__.pop("_network", None)  # of an earlier fit
        settings = self.settings
        order = order_of_ids(train)
        train = train.in_order(*order)
        valid = None if valid is None else valid.in_order(*order)
        reader = ItemReader.for_data(settings, train, self.open_encoder)
        settings.check(train, reader.names)
        n_in_sentence = sentence_length(train, settings)
        rows = rows_of(train, settings, n_in_sentence)
        history, targets = (train, None) if valid is None else splits.fold_in(train, valid)
        self.scale_ = train.scale or (0.0, 0.0)
        state, network = self._start(reader, train, history, n_in_sentence)
        value = None if targets is None else self._value(state, train, history, targets)
        plan, teacher = self._plan(rows.items), self._teacher_in(order)
        on = (rows, state.users, train, plan, value, teacher, place_of(self, train, valid))
        trained = fit_network(network, settings, *on)
        self.n_epochs_, self.learning_ = trained.n_epochs, list(trained.history)
        self.state_ = state.trained(network, train, order).packed()
        self._network = network

    def learn_from(self, teacher: Any, weight: float = 0.5, temperature: float = 1.0) -> None:
        """Let the next :meth:`fit` learn another model's shares of the candidates, too; a clone does not.

        Parameters
        ----------
        teacher : object with ``score(users)``
            Fitted over the same users and items.
        weight : float
            Of its shares, against 1 less this of the rows.
        temperature : float
            By which the scores of both are divided (Hinton et al. 2015, section 2).

        Raises
        ------
        InputError
            Ratings are predicted: they have no shares.
        """
        if self.settings.scoring.predicts_ratings:
            raise InputError("loss='mse' has no candidates", mend="use loss='softmax'")
        self._taught = (teacher, weight, temperature)

    def _teacher_in(self, order: tuple[np.ndarray, np.ndarray]) -> Teacher | None:
        from recnb.models.two_tower.training import Teacher

        given = self.__dict__.pop("_taught", None)
        return None if given is None else Teacher(given[0], order, *given[1:])

    def _start(
        self, reader: ItemReader, train: Dataset, history: Dataset, n_in_sentence: int
    ) -> tuple[TowerState, TwoTowerNetwork]:
        """State and network before training; `history` is what users are known by."""
        from recnb.models.two_tower.state import TowerState

        return TowerState.start(reader, train, history, n_in_sentence, self.open_encoder)

    def _plan(self, items: np.ndarray) -> BatchRows:
        """Which rows, of these items, are in which batch of an epoch."""
        from recnb.models.two_tower.training import plan_of

        return plan_of(items, self.settings)

    def _value(
        self, state: TowerState, train: Dataset, history: Dataset, targets: Dataset
    ) -> Callable[[Any], float]:
        """What the best epoch is chosen by: NDCG@10 of the validation part, or minus its RMSE."""
        from recnb.models.two_tower.training import closeness, quality, scores_for

        def scores_of(network: Any, users: np.ndarray) -> np.ndarray:
            return scores_for(network, state.users, users)

        if self.settings.scoring.predicts_ratings:
            return closeness(scores_of, targets, self.scale_)
        shelf = unused_items(train, targets)
        return quality(scores_of, Validation.asking(history, targets, shelf))

    @property
    def _state(self) -> TowerState:
        from recnb.models.two_tower.state import TowerState

        if "state_" not in vars(self):
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
        return TowerState.restored(self.settings, self.state_, self.open_encoder)

    def _with(self, state: TowerState) -> TwoTower:
        """A copy with another state, its network built anew."""
        out = copy.copy(self)
        out.__dict__.pop("_network", None)
        out.state_ = state.packed()
        return out

    @property
    def network(self) -> TwoTowerNetwork:
        """The torch module behind the model; of one that was read from disk it is built from its arrays.

        Raises
        ------
        InputError
            The model is not fitted.
        """
        if "_network" not in vars(self):
            self._network = self._state.network()
        return self._network

    def parameters(self) -> tuple[int, int]:
        """Numbers that training changed, and all that the model holds, the language model among them."""
        return self._state.parameters(self.network)

    def tuned_parameters(self) -> int:
        """Numbers that the method trained of the language model or put beside it, without heads and tables."""
        return self._state.tuned_parameters(self.network)

    def adapter(self) -> Adapter:
        """What the method trained of the language model, apart from heads and tables.

        Raises
        ------
        InputError
            The language model was not tuned.
        """
        return self._state.adapter()

    def merged(self) -> TwoTower:
        """A copy whose low-rank updates are added into the weights: equal scores, no further matrices at work.

        Raises
        ------
        InputError
            The method cannot be merged.
        """
        out = self._with(self._state.merged(self.open_encoder))
        return out.set_params(method="full", n_layers=None)

    def with_items(self, items: pd.DataFrame) -> TwoTower:
        """A copy that also scores new items, which follow the known ones, without retraining.

        Parameters
        ----------
        items : DataFrame
            Rows with the columns of the items table; `item_id` a column or the index. Pictures, sounds and vectors
            stand in columns of their modalities' names: the path of a picture or sound, the numbers of a vector.

        Raises
        ------
        InputError
            An id is known already, or the language model here is not the one that was trained on.
        """
        state = self._state
        table = new_items(items, self.item_ids_)
        out = self._with(state.with_items(table, self.open_encoder))
        out.item_ids_ = np.concatenate([self.item_ids_, table.index.to_numpy(dtype=object)])
        return out

    def without(
        self, modality: str, items: np.ndarray | None = None, fill: float | np.ndarray | None = None
    ) -> TwoTower:
        """A copy that scores as if items had not one of their modalities, without retraining.

        Parameters
        ----------
        modality : str
            Of those that the model fuses: "text", "image", "audio", the name of given vectors, ….
        items : ndarray of shape (n,), int, optional
            Codes of the items that lose it; by default all.
        fill : float or ndarray of shape (dim,) or (n, dim), optional
            Stands for it as if it were there; by default what the network has learned to stand in for it.

        Raises
        ------
        InputError
            The model has no such modality, or no other; `fill` is not of its shape.

        See Also
        --------
        recnb.models.two_tower.Fuse : the stand-in. Notebook 32 measures what it is worth.
        """
        state = self._state
        codes = np.arange(len(self.item_ids_)) if items is None else np.asarray(items)
        return self._with(state.without(modality, codes, fill))

    def item_vectors(self) -> np.ndarray:
        """Vectors of all items in the space where users are compared: (n_items, width), float32."""
        import torch

        network = self.network
        with torch.no_grad():
            return network.vectors(torch.arange(len(network.place))).cpu().numpy()

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        from recnb.models.two_tower.training import BLOCK, scores_for

        users = np.asarray(users)
        network, facts = self.network, self._facts(history)
        blocks = [users[k : k + BLOCK] for k in range(0, len(users), BLOCK)]
        scores = np.zeros((0, len(self.item_ids_)), np.float32)
        if blocks:
            scores = np.concatenate([scores_for(network, facts, block) for block in blocks])
        return scores + ties(self.state_["items"]["popularity"])

    @available_if(lambda self: self.settings.serves_strangers)
    def score_histories(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """Scores for people by what they like alone, the oldest first; where the user's vector pools items."""
        from recnb.models.two_tower.batches import UserFacts

        most = self.settings.users.max_history
        facts = UserFacts.of_strangers(histories, most, self._state.users.traits)
        batch = facts.batch(np.arange(len(histories)))
        batch["users"].zero_()  # any row of the id table: `known` switches it off
        return self.network.score(batch).cpu().numpy() + ties(self.state_["items"]["popularity"])

    @available_if(lambda self: self.settings.scoring.predicts_ratings)
    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Predicted ratings of pairs, cut to the scale: ndarray of shape (n,), float32."""
        from recnb.models.two_tower.training import blocks_of, scores_for

        users, items = np.asarray(users), np.asarray(items)
        out = np.empty(len(users), np.float32)
        network, facts = self.network, self._facts()
        for block, part in blocks_of(users):
            scores = scores_for(network, facts, block)
            out[part] = scores[np.searchsorted(block, users[part]), items[part]]
        return out.clip(*self.scale_)

    def _facts(self, history: Dataset | None = None) -> UserFacts:
        """What the network is told of users, from the training data or from a later history."""
        state = self._state
        return state.users if history is None else state.users_with(history, self.open_encoder)
