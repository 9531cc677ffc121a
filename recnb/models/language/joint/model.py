"""What the pair model and the tagger share: settings, training, what is kept, and how candidates are scored."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recnb.data import Dataset
from recnb.data.text import Text
from recnb.encoders.loading import cited
from recnb.errors import InputError
from recnb.models.common.histories import Histories, Told
from recnb.models.common.item_tables import sentences
from recnb.models.common.liked import by_id
from recnb.models.common.new_items import grown_ids, new_items
from recnb.models.common.settings import group_of
from recnb.models.language.joint.asked import Asked
from recnb.models.language.joint.drawing import Draws, ratings_of, shown
from recnb.models.language.joint.settings import JOINT_METHODS, JointSettings
from recnb.recommender import LanguageModel, Reads
from recnb.recommender.candidates import CandidateScorer
from recnb.recommender.rehearsal import Rehearsal
from recnb.training.regularisation.settings import Regularisation
from recnb.tuning.methods import PEFT

if TYPE_CHECKING:
    from recnb.models.language.joint.network import JointNetwork
    from recnb.models.language.joint.sequences import Layout

TITLE_WORDS = 12  # of an item's name in a history
PACK = 512  # tokens of a sequence of one history and candidates that do not see each other
BUDGET = 4096  # padded tokens of a pass without gradients


class JointReader(CandidateScorer):
    """An encoder that reads a user's history and candidates in one sequence.

    A subclass says how (`_sees`, `_slots`, `_loss`) and may lay out its candidates in its own way.

    Notes
    -----
    The highest `n_layers` layers read history and candidates together, and `method` tunes them. What lies below reads
    each text alone, once ever; with all layers nothing does, which is the plain cross-encoder.
    """

    seeded = True
    uses_valid = True
    needs_text = True
    uses_history = True
    methods = JOINT_METHODS
    _against: Any = Regularisation()  # nothing is done against overfitting

    if TYPE_CHECKING:  # settings by name
        language_: dict[str, Any]  # the language model's name, checksum and numbers

        def __init__(self, **settings: Any) -> None: ...

        def __getattr__(self, name: str) -> Any: ...

    @property
    def settings(self) -> JointSettings:
        """Those that every joint reader has."""
        return group_of(self, JointSettings)

    # -- what a subclass says

    @property
    def _sees(self) -> str:
        """What a token sees, see :class:`recnb.encoders.text.joint.Sequences`."""
        return "own"

    @property
    def _slots(self) -> int:
        """Places of a slate that are told apart."""
        return 0

    @property
    def _loss(self) -> str:
        return self.loss

    @property
    def _rated(self) -> bool:
        """Whether ratings are predicted."""
        return False

    def _check_settings(self) -> None:
        self.settings.check()

    # -- what it is

    @property
    def packages(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("torch", "transformers", *(("peft",) if self.method in PEFT else ()))

    def reads(self) -> Reads:
        opened = vars(self).get("language_")
        language = (
            LanguageModel(opened["name"], opened["n_parameters"]) if opened else cited(self.encoder)
        )
        return Reads(modalities=("text",), language_models=(language,))

    def parameters(self) -> tuple[int, int]:
        """Numbers that training changed, and all, the language model's among them."""
        trained = sum(v.size for name, v in self.tuned_.items() if name != "vocabulary")
        head = sum(v.size for v in self.weights_.values())
        return trained + head, self.language_["n_parameters"] + self.language_["added"] + head

    # -- fitting

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        self._check_settings()
        self.__dict__.pop("_network", None)
        self.__dict__.pop("_measured_pace", None)
        self._learn_texts(train)
        self.scale_: tuple[float, float] = train.scale or (0.0, 0.0)
        held = Histories.of(train)
        self._keep(held)
        ratings = ratings_of(held, train) if self._rated else None
        self.mean_ = 0.0 if ratings is None else float(ratings.mean())
        draws = Draws(
            held,
            train.n_items,
            bool(train.order),
            ratings,
            self.n_targets,
            self.n_negatives,
            self.negatives,
            self.users_per_epoch,
            self.batch_users,
            self.seed,
            *by_id(train),
        )
        network = self._build()
        value, asked = None, None
        if valid is not None:
            asked = Asked.of(train, valid, draws, self._rated, self.max_history)
            scale = self.scale_ if self._rated else None
            value = asked.heard(type(self).__name__, self._scores_of, scale, self.n_epochs)
        self._layout(network).prepare(draws.all_of(self.n_epochs, self.max_history))
        self._train(network, draws, train, valid, value)
        self._network = network
        self._learn_valid(asked)

    def _learn_valid(self, asked: Asked | None) -> None:
        """What else a subclass learns from the validation part."""

    def _learn_texts(self, train: Dataset) -> None:
        text = self.text or Text()
        self.columns_ = tuple(text.chosen(train.items))
        self.names_from_ = ("title",) if "title" in train.items else self.columns_
        self.sentences_, self.titles_ = self._texts(train.items)

    def _texts(self, items: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Items as candidates, and as histories tell them."""
        as_candidates = sentences(self.text, list(self.columns_), items)
        names = Text(*self.names_from_, max_words=TITLE_WORDS)(items)
        return np.array(as_candidates, dtype=object), np.array(names, dtype=object)

    def _keep(self, held: Histories) -> None:
        self.history_ = {"start": held.start, "items": held.items, "liked": held.liked}
        self.explicit_ = bool(held.explicit)

    def _open(self) -> Any:
        from recnb.encoders import DEFAULT_ENCODER, TextEncoder

        return TextEncoder(
            self.encoder or DEFAULT_ENCODER, max_tokens=self.item_tokens, normalise=False
        )

    def _build(self, tuned: dict[str, np.ndarray] | None = None) -> JointNetwork:
        """The network over the texts, as pretrained or as it was tuned."""
        from recnb.models.language.joint.fitting import opened

        encoder = self._open()
        facts = {
            "name": encoder.name,
            "checksum": encoder.checksum,
            "n_parameters": encoder.n_parameters,
        }
        if tuned is not None and facts["checksum"] != self.language_["checksum"]:
            raise InputError(
                f"the model was trained on {self.language_['name']} with weights "
                f"{self.language_['checksum'][:12]}, here are {facts['checksum'][:12]}",
                mend="give the same encoder",
            )
        texts = [*self.sentences_, *self.titles_]
        how = (self._sees, self._loss, self._slots, self.mean_, tuned, self._against)
        network, added = opened(encoder, self.settings, texts, *how)
        if tuned is None:
            self.language_ = {**facts, "added": added}
        return network

    def _train(
        self,
        network: JointNetwork,
        draws: Draws,
        train: Dataset,
        valid: Dataset | None,
        value: Callable[[Any], float] | None,
    ) -> None:
        from recnb.models.language.joint.fitting import train_network
        from recnb.training.checkpoint import place_of

        layout = self._layout(network)
        batch = partial(self._batch, draws, layout)
        on = (draws, batch, train.digest, value, self._against)
        settings = replace(self.settings, checkpoint=place_of(self, train, valid))
        done = train_network(network, type(self).__name__, settings, *on)
        self.n_epochs_, self.learning_ = done.n_epochs, list(done.history)
        state = network.state_dict().items()
        self.weights_ = {
            name: v.detach().cpu().numpy().astype(np.float32)
            for name, v in state
            if v.is_floating_point() and not name.startswith("tower.")
        }
        self.tuned_ = network.tower.tuned()

    def _batch(
        self, draws: Draws, layout: Layout, epoch: int, kind: int, rows: np.ndarray, number: int
    ) -> dict[str, Any]:
        """A batch of the training: sequences and labels."""
        drawn = draws.draw(epoch, number, rows, self.max_history)
        return self._labelled(layout, drawn, np.random.default_rng([self.seed, epoch, number, 7]))

    def _labelled(
        self,
        layout: Layout,
        drawn: Sequence[tuple[Told, np.ndarray, np.ndarray]],
        rng: np.random.Generator,
    ) -> dict[str, Any]:
        import torch

        from recnb.models.language.joint.sequences import batch_of

        most = max(len(items) for _, items, _ in drawn)
        batch = batch_of([layout.row(told, items) for told, items, _ in drawn], most)
        labels = np.full((len(drawn), most), np.nan, np.float32)
        for row, (_, items, wanted) in enumerate(drawn):
            labels[row, : len(items)] = wanted
        batch["labels"] = torch.from_numpy(labels)
        return batch

    # -- how long it will take

    def rehearsed(self, train: Dataset, valid: Dataset | None) -> Rehearsal:
        """Both trainings and their validation passes at most, by three steps, and the pace of scoring."""
        from recnb.models.language.joint.rehearsed import rehearsed

        return rehearsed(self, train, valid)

    # -- scoring

    @property
    def network(self) -> JointNetwork:
        """The torch module behind the model; of one that was read from disk it is built from its arrays."""
        if "_network" not in vars(self):
            import torch

            if not self.fitted:
                raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
            network = self._build(self.tuned_)
            weights = {name: torch.from_numpy(v) for name, v in self.weights_.items()}
            network.load_state_dict(weights, strict=False)
            self._network = network.eval()
        return self._network

    def _layout(self, network: JointNetwork) -> Layout:
        from recnb.models.language.joint.sequences import Layout

        return Layout(network.tower, len(self.titles_), self.max_history, self._sees)

    def _told(self, users: np.ndarray, history: Dataset | None) -> list[Told]:
        """What the network is told of users."""
        if history is None:
            held = Histories(**self.history_, explicit=self.explicit_)
        else:
            held = Histories.of(history)
        ends = held.start[np.asarray(users) + 1]
        return [
            shown(held, user, end, self.max_history, self._rated)
            for user, end in zip(np.asarray(users).tolist(), ends.tolist())
        ]

    def _score_candidates(
        self, users: np.ndarray, items: np.ndarray, history: Dataset | None
    ) -> np.ndarray:
        there = items >= 0
        judged = self._scores_of(
            self.network,
            self._told(users, history),
            [row[open_] for row, open_ in zip(items, there)],
        )
        out = np.zeros(items.shape, np.float32)
        out[there] = np.concatenate([np.zeros(0, np.float32), *judged])
        return out

    def _scores_of(
        self, network: JointNetwork, told: Sequence[Told], items: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Scores of the candidates of each history: a history is read once for as many as one sequence holds."""
        layout = self._layout(network)
        layout.prepare(zip(told, items))
        out = [np.zeros(len(row), np.float32) for row in items]
        work = [
            (at, places)
            for at, (past, row) in enumerate(zip(told, items))
            for places in self._packs(layout, past, row)
        ]
        rows = [layout.row(told[at], items[at][places]) for at, places in work]
        sizes = np.array([len(places) for _, places in work], np.int64)
        for part, scores in passes(network.scores, network, rows, sizes):
            for number, values in zip(part, scores):
                at, places = work[number]
                out[at][places] = values[: len(places)]
        return out

    def _packs(self, layout: Layout, told: Told, items: np.ndarray) -> Iterable[np.ndarray]:
        """Places of the candidates that are read in one sequence."""
        return layout.packs(told, items, PACK)

    # -- new items

    def with_items(self, items: pd.DataFrame) -> JointReader:
        """A copy that also scores new items, which follow the known ones, without retraining."""
        if not self.fitted:
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
        table = new_items(items, self.item_ids_)
        as_candidates, names = self._texts(table)
        out = copy.copy(self)
        out.__dict__.pop("_network", None)
        out.sentences_ = np.concatenate([self.sentences_, as_candidates])
        out.titles_ = np.concatenate([self.titles_, names])
        out.item_ids_ = grown_ids(self.item_ids_, table)
        return out


def passes(
    what: Callable[[dict[str, Any]], Any],
    network: JointNetwork,
    rows: Sequence[np.ndarray],
    sizes: np.ndarray,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What a method of the network gives for sequences, in batches of like length: positions, and their values."""
    import torch
    from accelerate.utils import send_to_device

    from recnb.models.language.joint.sequences import batch_of, by_length

    lengths = np.array([row.shape[1] for row in rows], np.int64)
    was, device = network.training, network.mean.device
    network.eval()
    with torch.no_grad():
        for part in by_length(lengths, BUDGET) if len(rows) else ():
            batch = batch_of([rows[n] for n in part], int(sizes[part].max()))
            batch = send_to_device(batch, device)
            yield part, what(batch).cpu().numpy()
    network.train(was)
