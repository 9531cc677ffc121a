"""What the pair model and the tagger share: settings, training, what is kept, and how candidates are scored."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recnb.data import Dataset, splits
from recnb.data.text import Text
from recnb.encoders.loading import cited
from recnb.errors import InputError
from recnb.models.common.item_tables import sentences
from recnb.models.common.liked import by_id
from recnb.models.common.new_items import grown_ids, new_items
from recnb.models.language.histories import Histories, Told
from recnb.models.language.joint.drawing import NEGATIVES, Draws, ratings_of, shown
from recnb.progress import duration, note, tell
from recnb.recommender import LanguageModel, Reads
from recnb.recommender.candidates import LONG, CandidateScorer
from recnb.tuning.methods import METHODS, PEFT, counts, method_of, tune

if TYPE_CHECKING:
    from recnb.models.language.joint.network import JointNetwork
    from recnb.models.language.joint.sequences import Layout

TITLE_WORDS = 12  # of an item's name in a history
PACK = 512  # tokens of a sequence of one history and candidates that do not see each other
BUDGET = 4096  # padded tokens of a pass without gradients
# vectors in front of the words, and a network that reads each text alone: neither reads two texts together
UNFIT = ("prefix", "prompt", "p_tuning", "side_adapter")
JOINT_METHODS = tuple(name for name in METHODS if name not in UNFIT)
_WHOLE = ("full", "top_layers")  # train whole layers, and put nothing into the network
_VALID_USERS, _VALID_TARGETS, _VALID_OTHERS = 200, 4, 20


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

    if TYPE_CHECKING:  # settings by name

        def __getattr__(self, name: str) -> Any: ...

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
        for name in ("n_layers", "max_history", "users_per_epoch", "batch_users", "n_epochs"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name}={value!r}", mend="a whole number of at least 1")
        for name, known in (("method", JOINT_METHODS), ("negatives", NEGATIVES)):
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name}={getattr(self, name)!r}", mend=f"one of {', '.join(known)}"
                )

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
        self.scale_ = tuple(map(float, train.scale)) if train.scale else (0.0, 0.0)
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
            asked = self._asked(train, valid, draws)
            value = self._value(asked)
        self._train(network, draws, train, value)
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
        import torch

        from recnb.encoders import JointTower
        from recnb.models.language.joint.network import JointNetwork

        encoder = self._open()
        depth = min(self.n_layers, encoder.n_layers)
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
        adapt = None
        if self.method not in _WHOLE:
            adapt = partial(tune, method=self.method, size=self.size, n_layers=depth)
        texts = [*self.sentences_, *self.titles_]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            tower = JointTower(
                encoder, texts, depth, dropout=self.dropout, tuned=tuned, adapt=adapt
            )
            network = JointNetwork(
                tower,
                self._sees,
                self._loss,
                self.max_history,
                self._slots,
                self.mean_,
                self.dropout,
                0.1 * self.lr,
            )
        if tuned is None:
            added = counts(tower.network)[0] if adapt is not None else 0
            self.language_ = {**facts, "added": added}
        return network

    def _train(
        self,
        network: JointNetwork,
        draws: Draws,
        train: Dataset,
        value: Callable[[Any], float] | None,
    ) -> None:
        from recnb.training import Batches, Training
        from recnb.training import train as run

        usual = method_of(self.method).lr
        how = Training(
            epochs=self.n_epochs,
            lr=self.lr,
            lr_encoder=self.lr_encoder or usual or 1e-4,
            weight_decay=self.weight_decay,
            warmup=0.0,
            schedule="constant",
            patience=self.patience,
            seed=self.seed,
            checkpoint=self.checkpoint,
        )
        layout = self._layout(network)

        def batches(epoch: int) -> Batches:
            return Batches(draws.plan(epoch), partial(self._batch, draws, layout, epoch))

        heard = Announced(type(self).__name__, self.n_epochs)
        done = run(network, batches, how, value, heard, data=train.digest)
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

    # -- the validation part

    def _asked(self, train: Dataset, valid: Dataset, draws: Draws) -> Asked:
        """What the validation part asks: few candidates for few users, the same after every epoch."""
        history, targets = splits.fold_in(train, valid)
        known, wanted = Histories.of(history), Histories.of(targets)
        rng = np.random.default_rng([self.seed, 2**20])
        rows = np.diff(wanted.start)
        if not self._rated:
            of_row = np.repeat(np.arange(len(rows)), rows)
            rows = np.bincount(of_row[wanted.liked], minlength=len(rows))
        users = draws.by_id(rows > 0, rng)[:_VALID_USERS]
        if not len(users):
            raise InputError(
                "no user has a relevant row in the validation part",
                file=train.name,
                mend="enlarge it, lower relevant_from, or fit without",
            )
        ratings = ratings_of(wanted, targets) if self._rated else None
        asked = Asked(users, [], [], [])
        for user in users.tolist():
            mine = np.arange(wanted.start[user], wanted.start[user + 1])
            asked.told.append(
                shown(known, user, int(known.start[user + 1]), self.max_history, self._rated)
            )
            if ratings is not None:
                asked.items.append(wanted.items[mine])
                asked.labels.append(ratings[mine])
                continue
            liked = wanted.items[mine[wanted.liked[mine]]][:_VALID_TARGETS]
            before = known.items[known.start[user] : known.start[user + 1]]
            others = draws.others(rng, np.concatenate([wanted.items[mine], before]), _VALID_OTHERS)
            asked.items.append(np.concatenate([liked, others]))
            asked.labels.append(np.repeat([1.0, 0.0], [len(liked), len(others)]))
        return asked

    def _value(self, asked: Asked) -> Callable[[Any], float]:
        """What the best epoch is chosen by: minus the squared error, or the mean area under the curve."""

        def value(network: Any) -> float:
            judged = self._scores_of(network, asked.told, asked.items)
            if self._rated:
                guesses = np.concatenate(judged).clip(*self.scale_)
                return -float(np.sqrt(np.mean((guesses - np.concatenate(asked.labels)) ** 2)))
            areas = [_area(s, w == 1) for s, w in zip(judged, asked.labels)]
            return float(np.mean([a for a in areas if a is not None] or [0.5]))

        return value

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


class Asked:
    """Candidates of users of the validation part, with what is told of them."""

    def __init__(
        self,
        users: np.ndarray,
        told: list[Told],
        items: list[np.ndarray],
        labels: list[np.ndarray],
    ) -> None:
        self.users, self.told, self.items, self.labels = users, told, items, labels


class Announced:
    """Says how long a training will take at most, once a few steps have been measured, and how far it is."""

    def __init__(self, name: str, n_epochs: int) -> None:
        self.name, self.n_epochs, self.steps = name, n_epochs, 0
        self.since = time.perf_counter()

    def __call__(self, epoch: int, step: int, n_steps: int, loss: float) -> None:
        self.steps += 1
        if self.steps == 1:  # the first one opens what is opened once
            self.since = time.perf_counter()
        if self.steps == 4:
            each = (time.perf_counter() - self.since) / 3
            seconds = each * (n_steps * self.n_epochs - self.steps)
            if seconds >= LONG:
                note(
                    f"{self.name}: training, at most {self.n_epochs} epochs of {n_steps} steps, about "
                    f"{duration(seconds)}"
                )
        tell(f"{self.name}: training", (epoch - 1) * n_steps + step - 1, n_steps * self.n_epochs)


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


def _area(scores: np.ndarray, wanted: np.ndarray) -> float | None:
    """Area under the curve of one user; None where one side is missing."""
    high, low = scores[wanted], scores[~wanted]
    if not (len(high) and len(low)):
        return None
    return float(np.mean((high[:, None] > low) + 0.5 * (high[:, None] == low)))
