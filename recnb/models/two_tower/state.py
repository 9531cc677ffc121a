"""What a two tower keeps: the fitted state, from which its network is built again, and copies that differ from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from recnb.data import Dataset
from recnb.data.subsets import inverse
from recnb.data.text import history_sentences
from recnb.errors import InputError
from recnb.models.common.item_tables import attribute_columns, attribute_names, one_hot
from recnb.models.two_tower.batches import UserFacts, order_of_ids
from recnb.models.two_tower.building import Blueprint
from recnb.models.two_tower.items import ItemFacts, ItemReader
from recnb.models.two_tower.language import (
    Language,
    adapter_of,
    merged_weights,
    new_tower,
    other_readings,
    tuned_size,
    tuned_tower,
)
from recnb.models.two_tower.network import TwoTowerNetwork, take
from recnb.models.two_tower.settings import Settings
from recnb.tuning.methods import counts

if TYPE_CHECKING:
    from recnb.encoders.text.tower import TextTower
    from recnb.tuning.bank import Adapter


@dataclass(frozen=True)
class TowerState:
    """A two tower without its torch module.

    Attributes
    ----------
    settings : Settings
    reader : ItemReader
    language : Language
    items : ItemFacts
    users : UserFacts
        Of the training data.
    n_in_sentence : int
        Items that a user's sentence tells; 0 where there is none.
    mean : float
        The mean rating, where ratings are predicted.
    weights : dict of str to ndarray
        Of the network, by name: what training or the texts made. The tower's and the given columns are left out.
    tuned : dict of str to ndarray
        Trained weights of the language model, as :meth:`recnb.encoders.TextTower.tuned` gives them.
    """

    settings: Settings
    reader: ItemReader
    language: Language
    items: ItemFacts
    users: UserFacts
    n_in_sentence: int = 0
    mean: float = 0.0
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    tuned: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def start(
        cls,
        reader: ItemReader,
        train: Dataset,
        history: Dataset,
        n_in_sentence: int,
        open_encoder: Callable[[], Any],
    ) -> tuple[TowerState, TwoTowerNetwork]:
        """State and network before training; `history` is what users are known by."""
        settings, read = reader.settings, reader.learn(train)
        rated = settings.scoring.predicts_ratings
        mean = float(train.interactions["rating"].mean()) if rated else 0.0
        seen = [np.bincount(train.interactions[side], minlength=n) > 0 for side, n in _sides(train)]
        users = UserFacts(known=seen[0])
        if settings.users.traits:
            users.traits = _traits(train.users)
        users = users.with_histories(history, settings, mean)
        tower, language, states = None, Language(), torch.zeros(1, 1, 1)
        places, readings = np.zeros(train.n_items, np.int64), None
        if reader.reads_text:
            stories = _stories(history, n_in_sentence, settings) if n_in_sentence else []
            encoder = open_encoder()
            tower, language = new_tower(encoder, settings, read.texts + stories)
            distinct = list(dict.fromkeys(read.texts))
            readings = other_readings(encoder, settings, distinct, language.layers)
            places, of_users = np.split(tower.place.numpy().copy(), [len(read.texts)])
            users.texts = of_users if len(of_users) else None
            states = tower.all_states().cpu()
        liked = train.positives()
        popularity = np.bincount(liked.indices, minlength=train.n_items).astype(np.float32)
        items = ItemFacts(places, seen[1], popularity, read.wide, read.present, read.tables)
        state = cls(settings, reader, language, items, users, n_in_sentence, mean)
        network = state.blueprint().build(states, tower)
        network.views = None if readings is None else torch.from_numpy(readings)
        return state, network

    def trained(
        self, network: TwoTowerNetwork, train: Dataset, order: tuple[np.ndarray, np.ndarray]
    ) -> TowerState:
        """This state after training, with the whole training data as the users' histories.

        Parameters
        ----------
        network : TwoTowerNetwork
        train : Dataset
            Users and items in the order of the training.
        order : tuple of ndarray
            :func:`order_of_ids` that `train` is in: network and state go back to the order of the tables.
        """
        users, items = (inverse(codes) for codes in order)
        place = network.place.device
        take(network, torch.from_numpy(users).to(place), torch.from_numpy(items).to(place))
        weights = {
            name: value.detach().cpu().numpy()
            for name, value in network.state_dict().items()
            if value.is_floating_point() and not name.startswith(("tower.", "wide", "budget."))
        }
        return replace(
            self,
            items=self.items.taken(items),
            users=self.users.with_histories(train, self.settings, self.mean).taken(users, items),
            weights=_float32(weights),
            tuned={} if network.tower is None else _float32(network.tower.tuned()),
        )

    def packed(self) -> dict[str, Any]:
        """Arrays and plain values in dicts, which is what is saved; the settings are the model's."""
        return {
            "reader": self.reader.state(),
            "language": self.language.state(),
            "items": vars(self.items),
            "users": vars(self.users),
            "n_in_sentence": self.n_in_sentence,
            "mean": self.mean,
            "weights": self.weights,
            "tuned": self.tuned,
        }

    @classmethod
    def restored(
        cls, settings: Settings, packed: dict[str, Any], open_encoder: Callable[[], Any]
    ) -> TowerState:
        """The inverse of :meth:`packed`."""
        return cls(
            settings,
            ItemReader.restored(settings, packed["reader"], open_encoder),
            Language.restored(packed["language"]),
            ItemFacts(**packed["items"]),
            UserFacts(**packed["users"]),
            packed["n_in_sentence"],
            packed["mean"],
            packed["weights"],
            packed["tuned"],
        )

    def blueprint(self) -> Blueprint:
        traits = self.users.traits
        assert self.users.known is not None
        return Blueprint(
            self.settings,
            self.language,
            self.items,
            n_users=len(self.users.known),
            n_traits=0 if traits is None else traits.shape[1],
            reads_text=self.reader.reads_text,
            item_id=self.reader.item_id,
            mean=self.mean,
        )

    def network(self) -> TwoTowerNetwork:
        """The network, built from the arrays; without a tower, as its states are among them."""
        weights = {name: torch.from_numpy(value) for name, value in self.weights.items()}
        network = self.blueprint().build(weights["states"])
        network.load_state_dict(weights, strict=False)
        return network.eval()

    def tower(self, encoder: Any, texts: list[str]) -> TextTower:
        """The language model as tuned, over other texts."""
        return tuned_tower(encoder, self.settings.tuning, self.language, self.tuned, texts)

    def users_with(self, history: Dataset, open_encoder: Callable[[], Any]) -> UserFacts:
        """The users with a later history."""
        order = order_of_ids(history)
        history = history.in_order(*order)
        users = self.users.taken(*order).with_histories(history, self.settings, self.mean)
        if self.n_in_sentence:
            tower = self.tower(open_encoder(), _stories(history, self.n_in_sentence, self.settings))
            states = tower.all_states()[tower.place].cpu().numpy()
            users = replace(users, texts=None, text_states=states)
        return users.taken(*map(inverse, order))

    def parameters(self, network: TwoTowerNetwork) -> tuple[int, int]:
        """Numbers that training changed, and all, the language model's among them."""
        heads = sum(p.numel() for n, p in network.named_parameters() if not n.startswith("tower."))
        heads += self.reader.modalities.n_parameters
        total = heads + self.language.n_parameters + self.language.added
        return heads + tuned_size(self.tuned), total

    def tuned_parameters(self, network: TwoTowerNetwork) -> int:
        """Numbers that the method trained of the language model or put beside it."""
        return tuned_size(self.tuned) + (0 if network.side is None else counts(network.side)[1])

    def adapter(self) -> Adapter:
        """The tuning apart from the rest."""
        return adapter_of(self.settings.tuning, self.language, self.tuned)

    def merged(self, open_encoder: Callable[[], Any]) -> TowerState:
        """With low-rank updates added into the weights, so that the method is "full"."""
        if self.settings.tuning.quantise is not None:
            raise InputError(
                "quantised weights cannot take in an update exactly", mend="train without quantise"
            )
        weights = merged_weights(self.tower(open_encoder(), ["a text"]), open_encoder())
        return replace(self, tuned=_float32(weights), language=replace(self.language, added=0))

    def with_items(self, table: pd.DataFrame, open_encoder: Callable[[], Any]) -> TowerState:
        """With new items behind the known ones."""
        read, weights = self.reader.read(table), dict(self.weights)
        n, places = len(table), np.zeros(len(table), np.int64)
        if self.reader.reads_text:
            tower = self.tower(open_encoder(), read.texts)
            places = tower.place.numpy() + len(weights["states"])
            states = tower.all_states().cpu().numpy()
            weights["states"] = np.concatenate([weights["states"], states])
        for name in ("item_table.weight", "item_bias.weight"):
            if name in weights:
                weights[name] = np.pad(weights[name], ((0, n), (0, 0)))
        return replace(self, weights=weights, items=self.items.with_more(places, read))

    def without(
        self, modality: str, codes: np.ndarray, fill: float | np.ndarray | None
    ) -> TowerState:
        """With items that have not a modality, or a filled one."""
        if fill is None:
            return replace(self, items=self.items.lacking(modality, codes))
        return replace(self, items=self.items.filled(modality, codes, fill))


def _sides(ds: Dataset) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("user", ds.n_users), ("item", ds.n_items)


def _traits(users: pd.DataFrame) -> np.ndarray:
    """What is known of the persons, one-hot: (n_users, n_traits), float32."""
    columns = attribute_columns(users)
    names, idf, bins = attribute_names(users, columns)
    return (one_hot(users, columns, names, idf, bins).toarray() > 0).astype(np.float32)


def _stories(history: Dataset, n: int, settings: Settings) -> list[str]:
    """Users' histories in words."""
    return history_sentences(history, n=n, max_tokens=settings.reading.max_tokens)


def _float32(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights as they are saved; the rows of the vocabulary stay whole numbers."""
    return {
        name: value if name == "vocabulary" else value.astype(np.float32)
        for name, value in arrays.items()
    }
