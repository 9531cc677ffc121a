"""The two tower: a language model reads the items, a head scores them for a user, all trained together."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset, splits
from recnb.data.text import history_sentences
from recnb.errors import InputError
from recnb.models.common.item_tables import attribute_columns, attribute_names, one_hot
from recnb.models.common.liked import ties
from recnb.models.common.new_items import new_items
from recnb.models.two_tower.items import ItemFacts, ItemReader
from recnb.models.two_tower.language import (
    Language,
    adapter_of,
    merged_weights,
    new_tower,
    tuned_size,
    tuned_tower,
)
from recnb.models.two_tower.settings import Settings, flat
from recnb.models.two_tower.validation import BLOCK, blocks_of, closeness, quality
from recnb.recommender import Recommender
from recnb.tuning.methods import METHODS, PEFT, counts

if TYPE_CHECKING:
    from recnb.encoders.text.tower import TextTower
    from recnb.models.two_tower.batches import Rows, UserFacts
    from recnb.models.two_tower.network import TwoTowerNetwork
    from recnb.tuning.bank import Adapter


@flat
class TwoTower(Recommender):
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
        return modalities is None or "text" in modalities.split("+")

    def check_installed(self) -> None:
        from recnb.encoders.loading import need_text_extra

        need_text_extra()
        if self.settings.tuning.method in PEFT:
            check_installed(f"'{self.settings.tuning.method}'", "peft")

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "dropout": ("float", 0.1, 0.7),
            "lr": ("log", 3e-4, 5e-3),
            "width": ("int_log", 32, 256),
            "weight_decay": ("log", 1e-3, 1.0),
        }

    def open_encoder(self) -> Any:
        """The language model as it was pretrained; a subclass may give another :class:`recnb.encoders.TextEncoder`."""
        from recnb.encoders import DEFAULT_ENCODER, TextEncoder

        reading = self.settings.reading
        return TextEncoder(
            reading.encoder or DEFAULT_ENCODER, max_tokens=reading.max_tokens, normalise=False
        )

    # fitting

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        from recnb.models.two_tower.batches import rows_of, sentence_length

        settings = self.settings
        reader = ItemReader.for_data(settings, train, self.open_encoder)
        settings.check(train, reader.names)
        rated = settings.scoring.predicts_ratings
        self.mean_ = float(train.interactions["rating"].mean()) if rated else 0.0
        self.low_, self.high_ = train.scale or (0.0, 0.0)
        self.n_in_sentence_ = sentence_length(train, settings)
        rows = rows_of(train, settings, self.n_in_sentence_)
        history, targets = (train, None) if valid is None else splits.fold_in(train, valid)
        network, facts = self._start(reader, train, history)
        self._train(network, rows, facts, train, history, targets)
        network.refresh()
        self._keep(network, facts.with_histories(train, settings, self.mean_))

    def _start(
        self, reader: ItemReader, train: Dataset, history: Dataset
    ) -> tuple[TwoTowerNetwork, UserFacts]:
        """The network at its start, and what it is told of users, from `history`."""
        import torch

        from recnb.models.two_tower.batches import UserFacts

        liked = train.positives()
        read = reader.learn(train)
        users = np.bincount(train.interactions["user"], minlength=train.n_users) > 0
        known = np.bincount(train.interactions["item"], minlength=train.n_items) > 0
        facts = UserFacts(known=users, traits=self._traits(train.users))
        facts = facts.with_histories(history, self.settings, self.mean_)
        tower, language, states = None, Language(), torch.zeros(1, 1, 1)
        places = np.zeros(train.n_items, np.int64)
        if reader.reads_text:
            sentences = self._sentences(history) if self.n_in_sentence_ else []
            tower, language = new_tower(self.open_encoder(), self.settings, read.texts + sentences)
            places, of_users = np.split(tower.place.numpy().copy(), [len(read.texts)])
            facts.texts = of_users if len(of_users) else None
            states = tower.all_states().cpu()
        popularity = np.bincount(liked.indices, minlength=train.n_items).astype(np.float32)
        items = ItemFacts(places, known, popularity, read.wide, read.present, read.tables)
        self.reader_, self.language_ = reader.state(), language.state()
        self.items_, self.users_ = vars(items), vars(facts)
        return self._built(states, tower), facts

    def _train(
        self,
        network: TwoTowerNetwork,
        rows: Rows,
        facts: UserFacts,
        train: Dataset,
        history: Dataset,
        targets: Dataset | None,
    ) -> None:
        from recnb.models.two_tower.batches import BatchMaker
        from recnb.training import LIVE, Batches, Training
        from recnb.training import train as run

        settings = self.settings
        optimisation, scoring = settings.optimisation, settings.scoring
        plan = self._plan(rows.items)
        if network.budget is not None:
            epochs = map(plan, range(settings.n_epochs))
            network.budget.lay_out(sum(kind == LIVE for epoch in epochs for kind, _ in epoch))
        maker = BatchMaker(
            *rows,
            facts,
            None if scoring.predicts_ratings else train.positives(),
            optimisation.n_negatives,
            scoring.loss == "infonce",
            optimisation.rows_per_batch,
            optimisation.seed,
        )
        trained = run(
            network,
            lambda epoch: Batches(plan(epoch), partial(maker, epoch)),
            Training(
                epochs=settings.n_epochs,
                lr=optimisation.lr,
                lr_encoder=settings.lr_encoder,
                weight_decay=optimisation.weight_decay,
                warmup=0.0,
                schedule="constant",
                patience=optimisation.patience,
                seed=optimisation.seed,
                checkpoint=optimisation.checkpoint,
            ),
            None if targets is None else self._value(facts, history, targets),
            data=train.digest,
        )
        self.n_epochs_ = trained.n_epochs
        self.learning_ = list(trained.history)

    def _plan(self, items: np.ndarray) -> Callable[[int], list[tuple[int, np.ndarray]]]:
        """Which rows are in which batch of an epoch."""
        from recnb.training import BatchPlan

        optimisation = self.settings.optimisation
        return BatchPlan(
            items,
            items_per_batch=optimisation.items_per_batch,
            rows_per_batch=optimisation.rows_per_batch,
            head_epochs=optimisation.head_epochs,
            live_epochs=0 if self.settings.tuning.frozen else optimisation.live_epochs,
            seed=optimisation.seed,
        )

    def _value(
        self, facts: UserFacts, history: Dataset, targets: Dataset
    ) -> Callable[[Any], float]:
        """What the best epoch is chosen by: NDCG@10 of the validation part, or minus its RMSE."""

        def scores_of(network: Any, users: np.ndarray) -> np.ndarray:
            return _scores(network, facts, users)

        if self.settings.scoring.predicts_ratings:
            return closeness(scores_of, targets, (self.low_, self.high_))
        return quality(scores_of, history, targets, self.items_["known"])

    def _traits(self, users: pd.DataFrame) -> np.ndarray | None:
        """What is known of the persons, one-hot: (n_users, n_traits), float32; None where it takes no part."""
        if not self.settings.users.traits:
            return None
        columns = attribute_columns(users)
        names, idf, bins = attribute_names(users, columns)
        return (one_hot(users, columns, names, idf, bins).toarray() > 0).astype(np.float32)

    def _sentences(self, history: Dataset) -> list[str]:
        """Users' histories in words."""
        most = self.settings.reading.max_tokens
        return history_sentences(history, n=self.n_in_sentence_, max_tokens=most)

    # the fitted state

    def _keep(self, network: TwoTowerNetwork, facts: UserFacts) -> None:
        """The fitted state as arrays, which is what is saved."""
        self.weights_ = {
            name: value.detach().cpu().numpy().astype(np.float32)
            for name, value in network.state_dict().items()
            # what training or the texts made: all floats but the tower's and the given columns
            if value.is_floating_point() and not name.startswith(("tower.", "wide", "budget."))
        }
        self.tuned_ = {} if network.tower is None else _float32(network.tower.tuned())
        self.users_ = vars(facts)
        self._network = network

    def _items(self) -> ItemFacts:
        return ItemFacts(**self.items_)

    def _language(self) -> Language:
        return Language.restored(self.language_)

    def _reader(self) -> ItemReader:
        reader = ItemReader(self.settings, tuple(self.reader_["names"]), self.open_encoder)
        return reader.restore(self.reader_)

    def _tower(self, texts: list[str]) -> TextTower:
        """The language model as tuned, over other texts."""
        tuning = self.settings.tuning
        return tuned_tower(self.open_encoder(), tuning, self._language(), self.tuned_, texts)

    def _built(self, states: Any, tower: Any = None) -> TwoTowerNetwork:
        from recnb.models.two_tower.building import Blueprint

        reader, traits = self._reader(), self.users_["traits"]
        return Blueprint(
            self.settings,
            self._language(),
            self._items(),
            n_users=len(self.user_ids_),
            n_traits=0 if traits is None else traits.shape[1],
            reads_text=reader.reads_text,
            item_id=reader.item_id,
            mean=self.mean_,
        ).build(states, tower)

    @property
    def network(self) -> TwoTowerNetwork:
        """The torch module behind the model; of one that was read from disk it is built from its arrays.

        Raises
        ------
        InputError
            The model is not fitted.
        """
        if "_network" in vars(self):
            return self._network
        if "weights_" not in vars(self):
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
        import torch

        weights = {name: torch.from_numpy(value) for name, value in self.weights_.items()}
        network = self._built(weights["states"])
        network.load_state_dict(weights, strict=False)
        self._network = network.eval()
        return network

    def parameters(self) -> tuple[int, int]:
        """Numbers that training changed, and all that the model holds, the language model among them."""
        named = self.network.named_parameters()
        heads = sum(p.numel() for name, p in named if not name.startswith("tower."))
        # small networks, of pictures and sounds
        modalities = self.reader_["modalities"]["arrays"].values()
        heads += sum(array.size for arrays in modalities for array in arrays.values())
        language = self._language()
        total = heads + language.n_parameters + language.added
        return heads + tuned_size(self.tuned_), total

    def tuned_parameters(self) -> int:
        """Numbers that the method trained of the language model or put beside it, without heads and tables."""
        side = self.network.side
        return tuned_size(self.tuned_) + (0 if side is None else counts(side)[1])

    # copies that differ

    def _copy(self) -> TwoTower:
        """A copy whose network is built anew from its arrays."""
        out = copy.copy(self)
        out.__dict__.pop("_network", None)
        return out

    def adapter(self) -> Adapter:
        """What the method trained of the language model, apart from heads and tables.

        Raises
        ------
        InputError
            The language model was not tuned.
        """
        self._need_fitted()
        return adapter_of(self.settings.tuning, self._language(), self.tuned_)

    def merged(self) -> TwoTower:
        """A copy whose low-rank updates are added into the weights: equal scores, no further matrices at work.

        Raises
        ------
        InputError
            The method cannot be merged.
        """
        self._need_fitted()
        if self.settings.tuning.quantise is not None:
            raise InputError(
                "quantised weights cannot take in an update exactly", mend="train without quantise"
            )
        out = self._copy()
        out.tuned_ = _float32(merged_weights(self._tower(["a text"]), self.open_encoder()))
        out.set_params(method="full", n_layers=None)
        out.language_ = replace(self._language(), added=0).state()
        return out

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
        table = new_items(items, self.item_ids_)
        reader, out = self._reader(), self._copy()
        read, weights = reader.read(table), dict(self.weights_)
        n, places = len(table), np.zeros(len(table), np.int64)
        if reader.reads_text:
            tower = self._tower(read.texts)
            places = tower.place.numpy() + len(weights["states"])
            states = tower.all_states().cpu().numpy()
            weights["states"] = np.concatenate([weights["states"], states])
        for name in ("item_table.weight", "item_bias.weight"):
            if name in weights:
                weights[name] = np.pad(weights[name], ((0, n), (0, 0)))
        out.weights_ = weights
        out.items_ = vars(self._items().with_more(places, read))
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
        self._need_fitted()
        codes = np.arange(len(self.item_ids_)) if items is None else np.asarray(items)
        facts, out = self._items(), self._copy()
        changed = (
            facts.lacking(modality, codes) if fill is None else facts.filled(modality, codes, fill)
        )
        out.items_ = vars(changed)
        return out

    def _need_fitted(self) -> None:
        if "weights_" not in vars(self):
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")

    # scoring

    def item_vectors(self) -> np.ndarray:
        """Vectors of all items in the space where users are compared: (n_items, width), float32."""
        import torch

        network = self.network
        with torch.no_grad():
            return network.vectors(torch.arange(len(network.place))).cpu().numpy()

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        users = np.asarray(users)
        network, facts = self.network, self._facts(history)
        blocks = [users[k : k + BLOCK] for k in range(0, len(users), BLOCK)]
        scores = np.zeros((0, len(self.item_ids_)), np.float32)
        if blocks:
            scores = np.concatenate([_scores(network, facts, block) for block in blocks])
        return scores + ties(self.items_["popularity"])

    @available_if(lambda self: self.settings.scoring.predicts_ratings)
    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Predicted ratings of pairs, cut to the scale: ndarray of shape (n,), float32."""
        users, items = np.asarray(users), np.asarray(items)
        out = np.empty(len(users), np.float32)
        network, facts = self.network, self._facts()
        for block, part in blocks_of(users):
            scores = _scores(network, facts, block)
            out[part] = scores[np.searchsorted(block, users[part]), items[part]]
        return out.clip(self.low_, self.high_)

    def _facts(self, history: Dataset | None = None) -> UserFacts:
        """What the network is told of users, from the training data or from a later history."""
        from recnb.models.two_tower.batches import UserFacts

        facts = UserFacts(**self.users_)
        if history is None:
            return facts
        facts = facts.with_histories(history, self.settings, self.mean_)
        if not self.n_in_sentence_:
            return facts
        tower = self._tower(self._sentences(history))
        states = tower.all_states()[tower.place].cpu().numpy()
        return replace(facts, texts=None, text_states=states)


def _scores(network: TwoTowerNetwork, facts: UserFacts, users: np.ndarray) -> np.ndarray:
    """Scores of every item for some users: (len(users), n_items), float32."""
    from accelerate.utils import send_to_device

    batch = send_to_device(facts.batch(users), network.place.device)
    return network.score(batch).cpu().numpy()


def _float32(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights as they are saved; the rows of the vocabulary stay whole numbers."""
    return {
        name: value if name == "vocabulary" else value.astype(np.float32)
        for name, value in arrays.items()
    }
