"""The two tower: a language model reads the items, a head scores them for a user, all trained together."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset, splits
from recnb.data.media import FOLDERS
from recnb.data.text import Text, history_sentences
from recnb.errors import InputError
from recnb.models.common.histories import padded
from recnb.models.common.item_tables import (
    attribute_columns,
    attribute_names,
    one_hot,
    singular_vectors,
    tfidf_vectors,
    unit,
)
from recnb.models.common.liked import ties
from recnb.models.common.new_items import new_items
from recnb.models.two_tower.flat_arrays import flat, unflat
from recnb.models.two_tower.modalities import Modalities, chosen, media_of
from recnb.models.two_tower.settings import POOLINGS, check
from recnb.models.two_tower.validation import BLOCK, blocks_of, closeness, quality
from recnb.recommender import LanguageModel, Reads, Recommender
from recnb.tuning.methods import METHODS, PEFT, counts, depth_of, merged, method_of, tune

if TYPE_CHECKING:
    from recnb.models.two_tower.network import TwoTowerNetwork
    from recnb.tuning.bank import Adapter

_ITS_OWN = ("bitfit", "layer_norm")  # train weights that the language model has


class TwoTower(Recommender):
    """Item texts through a pretrained language model, users from their history, a head between them.

    Parameters
    ----------
    text : Text, optional
        The item's sentence; by default the usual columns that the table has.
    head : {"dot", "weighted_sum", "elementwise_sum", "mlp"}
        See :mod:`recnb.models.two_tower.heads`; the two sums read all layers, the others the last.
    user : str
        Parts of the user's vector joined by "+": "id", one of "mean", "additive", "multihead", "target" (the
        history's item vectors, pooled), "text" (the history in words).
    loss : {"softmax", "infonce", "bpr", "bce", "mse"}
        What training minimises; with "mse" the model predicts ratings.
    method : str
        How the language model is tuned: "head_only", "top_layers", "full", "lora", … of
        :data:`recnb.tuning.methods.METHODS`.
    size, alpha, targets
        Of the method, see :func:`recnb.tuning.methods.tune`; None: what is usual.
    quantise : {"int8", "nf4"}, optional
        Keep the frozen language model in fewer bits under the method's parts, see
        :func:`recnb.tuning.quantised.quantise`.
    encoder : str, optional
        Folder or name; None means the default of :class:`recnb.encoders.TextEncoder`.
    width : int
        Dimensions of the learned space ("dot", "mlp").
    item_id : bool
        A learned vector and bias for each item that has rows, added to what its text says: a hybrid.
    words : int
        Dimensions of TF-IDF vectors that are mapped and added beside the language model's; 0 for none.
    traits : bool
        Whether what is known of the person (columns of the users table) takes part.
    n_layers : int, optional
        Tune the highest so many layers only; what lies below is computed once. None: two for "top_layers", else all.
    n_epochs, lr, lr_encoder, weight_decay, dropout, patience
        See :class:`recnb.training.Training`; `patience` counts where `valid` is given. `lr_encoder` None: what is
        usual for the method. `n_epochs` None: 20 where the language model is frozen, 5 where it is tuned.
        `dropout` is that of item vectors; the language model runs without, as its states are kept in a table.
    l2 : float
        Penalty on id vectors and biases, see :class:`recnb.models.two_tower.network.TwoTowerNetwork`.
    items_per_batch, rows_per_batch, head_epochs, live_epochs
        See :class:`recnb.training.batches.BatchPlan`.
    n_negatives : int
        Items drawn uniformly for each batch of a ranking loss, beside the batch's own; all where there are fewer.
    temperature : float
        Of the "dot" head at the start.
    max_history : int
        Most recent items that a user's vector is made of.
    max_tokens : int
        Tokens read of an item's text.
    modalities : str, optional
        What an item is made of, see :func:`recnb.models.two_tower.modalities.chosen`: "auto", "text+image", …;
        None: its text alone.
    fusion : str
        How their vectors become one, of :data:`recnb.models.two_tower.fusion.FUSIONS`.
    modality_dropout : float
        See :class:`recnb.models.two_tower.fusion.Fuse`.
    image_encoder, audio_encoder : str
        "cnn", a small network trained on the data's own interactions, or a folder or hub name, see
        :class:`recnb.encoders.ImageEncoder` and :class:`recnb.encoders.AudioEncoder`. Pictures and sounds are
        read once; `method` tunes the language model.
    checkpoint : str, optional
        Folder from which a killed fit goes on.
    seed : int

    Notes
    -----
    In training a user's history is told without the row's own item. Items without training rows are never
    negatives. Under "text" the rows that the sentence tells are no targets.
    """

    seeded = True
    uses_valid = True
    methods = tuple(METHODS)

    def __init__(
        self,
        text: Text | None = None,
        head: str = "dot",
        user: str = "mean",
        loss: str = "softmax",
        method: str = "head_only",
        encoder: str | None = None,
        width: int = 128,
        item_id: bool = False,
        words: int = 0,
        traits: bool = False,
        n_layers: int | None = None,
        n_epochs: int | None = None,
        lr: float = 1e-3,
        lr_encoder: float | None = None,
        weight_decay: float = 0.01,
        l2: float = 0.02,
        dropout: float = 0.1,
        patience: int = 3,
        items_per_batch: int = 32,
        rows_per_batch: int = 1024,
        head_epochs: float = 1.0,
        live_epochs: int = 1,
        n_negatives: int = 1024,
        temperature: float = 1.0,
        max_history: int = 50,
        max_tokens: int = 128,
        modalities: str | None = None,
        fusion: str = "concat",
        modality_dropout: float = 0.1,
        image_encoder: str = "cnn",
        audio_encoder: str = "cnn",
        checkpoint: str | None = None,
        size: int | None = None,
        alpha: int | None = None,
        targets: str | None = None,
        quantise: str | None = None,
        seed: int = 0,
    ) -> None:
        self.text = text
        self.head = head
        self.user = user
        self.loss = loss
        self.method = method
        self.encoder = encoder
        self.width = width
        self.item_id = item_id
        self.words = words
        self.traits = traits
        self.n_layers = n_layers
        self.n_epochs = n_epochs
        self.lr = lr
        self.lr_encoder = lr_encoder
        self.weight_decay = weight_decay
        self.l2 = l2
        self.dropout = dropout
        self.patience = patience
        self.items_per_batch = items_per_batch
        self.rows_per_batch = rows_per_batch
        self.head_epochs = head_epochs
        self.live_epochs = live_epochs
        self.n_negatives = n_negatives
        self.temperature = temperature
        self.max_history = max_history
        self.max_tokens = max_tokens
        self.modalities = modalities
        self.fusion = fusion
        self.modality_dropout = modality_dropout
        self.image_encoder = image_encoder
        self.audio_encoder = audio_encoder
        self.checkpoint = checkpoint
        self.size = size
        self.alpha = alpha
        self.targets = targets
        self.quantise = quantise
        self.seed = seed

    @property
    def needs_text(self) -> bool:  # type: ignore[override]
        return self.modalities is None or "text" in self.modalities.split("+")

    @property
    def uses_history(self) -> bool:  # type: ignore[override]
        return bool({*POOLINGS, "text"} & set(self._parts()))

    def reads(self) -> Reads:
        """By its settings; what "auto" means, and which names are columns of text, is known once it is fitted."""
        from recnb.encoders.loading import cited

        names = tuple((self.modalities or "text").replace("auto", "text+media").split("+"))
        names, texts = getattr(self, "modalities_", None) or names, {"text"}
        kinds = {n: fact["kind"] for n, fact in getattr(self, "modality_facts_", {}).items()}
        texts |= {name for name, kind in kinds.items() if kind == "column"}
        unsure = (
            set() if self.fitted else set(names) - {*texts, "id", "attributes", "media", *FOLDERS}
        )
        read = bool(set(names) & texts) or "text" in self._parts()
        base = getattr(self, "base_", {"name": "none"})
        model = cited(self.encoder)
        if base["name"] != "none":
            model = LanguageModel(base["name"], base["n_parameters"])
        ids = self.item_id or "id" in names or "id" in self._parts()
        return Reads(
            "pairs" if ids else "none",
            tuple(n for n in names if n != "id"),
            (model,) * read,
            self.traits,
            not unsure,
        )

    @property
    def packages(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("torch", "transformers", *(("peft",) if self.method in PEFT else ()))

    @property
    def needs_ratings(self) -> bool:  # type: ignore[override]
        return self.loss == "mse"

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        from recnb.models.two_tower.batches import BatchMaker
        from recnb.training import Training
        from recnb.training import train as run
        from recnb.training.batches import LIVE, Batches, BatchPlan

        self.modalities_ = list(chosen(self.modalities, train))
        check(self, train)
        self.columns_ = (self.text or Text()).chosen(train.items) if self._reads() else []
        liked = train.positives()
        self.popularity_ = np.bincount(liked.indices, minlength=train.n_items).astype(np.float32)
        self.known_users_ = np.bincount(train.interactions["user"], minlength=train.n_users) > 0
        self.known_items_ = np.bincount(train.interactions["item"], minlength=train.n_items) > 0
        self.mean_ = float(train.interactions["rating"].mean()) if self.loss == "mse" else 0.0
        self.low_, self.high_ = train.scale or (0.0, 0.0)
        users, items, ratings = self._rows(train)
        told, asked = (train, None) if valid is None else splits.fold_in(train, valid)
        network = self._build(train, told)
        facts = self._facts(told)
        self._network = network
        frozen = method_of(self.method).depth == "none"
        plan = BatchPlan(
            items,
            items_per_batch=self.items_per_batch,
            rows_per_batch=self.rows_per_batch,
            head_epochs=self.head_epochs,
            live_epochs=0 if frozen else self.live_epochs,
            seed=self.seed,
        )
        if network.budget is not None:
            epochs = map(plan, range(self._epochs()))
            network.budget.lay_out(sum(kind == LIVE for epoch in epochs for kind, _ in epoch))
        maker = BatchMaker(
            users,
            items,
            ratings,
            facts,
            None if self.loss == "mse" else liked,
            self.n_negatives,
            self.loss == "infonce",
            self.rows_per_batch,
            self.seed,
        )
        done = run(
            network,
            lambda epoch: Batches(plan(epoch), partial(maker, epoch)),
            Training(
                epochs=self._epochs(),
                lr=self.lr,
                lr_encoder=self._lr_encoder(),
                weight_decay=self.weight_decay,
                warmup=0.0,
                schedule="constant",
                patience=self.patience,
                seed=self.seed,
                checkpoint=self.checkpoint,
            ),
            None if asked is None else self._value(facts, told, asked),
            data=train.digest,
        )
        self.n_epochs_ = done.n_epochs
        self.learning_ = list(done.history)
        network.refresh()
        self._keep(network, facts if told is train else self._facts(train))

    def _parts(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.user.split("+"))

    def _rows(self, train: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Users, items and targets to learn from: each liked pair once, or every rating."""
        if self.loss != "mse":
            users, items = train.positives().nonzero()
            ratings = None
        else:
            rows = train.interactions.dropna(subset="rating")
            users, items = rows["user"].to_numpy(), rows["item"].to_numpy()
            ratings = rows["rating"].to_numpy(np.float32)
        if not len(users):
            raise InputError("no row to learn from", file=train.name, mend="give liked items")
        if "text" in self._parts():
            # what the sentence tells is no target; half of the median history is left for that
            lengths = np.bincount(train.interactions["user"], minlength=train.n_users)
            self.n_told_ = max(1, min(20, int(np.median(lengths[lengths > 0])) // 2))
            told = padded(train, self.n_told_, liked=False)[0]
            fresh = ~(told[users] == items[:, None]).any(axis=1)
            users, items = users[fresh], items[fresh]
            ratings = None if ratings is None else ratings[fresh]
        # in the order of the ids, so that the tables' order does not matter
        order = np.lexsort((_rank(train.item_ids)[items], _rank(train.user_ids)[users]))
        return users[order], items[order], None if ratings is None else ratings[order]

    def _facts(self, ds: Dataset, new: bool = False) -> Any:
        """What the network is told of users, from the training data or from a history."""
        from recnb.models.two_tower.batches import UserFacts

        facts = UserFacts(known=self.known_users_)
        if set(self._parts()) & set(POOLINGS):
            liked = self.loss != "mse"
            facts.items, values = padded(ds, self.max_history, liked, self.mean_)
            facts.values = None if liked else values
        if self.traits:
            facts.traits = self.user_traits_
        if "text" in self._parts():
            if new:
                tower = self._tower(self._stories(ds))
                facts.text_states = tower.all_states()[tower.place].cpu().numpy()
            else:
                facts.texts = self.user_texts_
        return facts

    def _stories(self, ds: Dataset) -> list[str]:
        """Users' histories in words."""
        return history_sentences(ds, n=self.n_told_, max_tokens=self.max_tokens)

    def _traits(self, users: pd.DataFrame) -> np.ndarray:
        """What is known of the persons, one-hot: (n_users, n_traits), float32."""
        columns = attribute_columns(users)
        names, idf, bins = attribute_names(users, columns)
        return (one_hot(users, columns, names, idf, bins).toarray() > 0).astype(np.float32)

    def _encoder(self) -> Any:
        from recnb.encoders import DEFAULT_ENCODER, TextEncoder

        return TextEncoder(
            self.encoder or DEFAULT_ENCODER, max_tokens=self.max_tokens, normalise=False
        )

    def _depth(self, encoder: Any) -> int:
        """How many layers are trained."""
        return depth_of(self.method, encoder.n_layers, self.n_layers)

    def _epochs(self) -> int:
        """An epoch in which the language model is trained costs many in which it is not."""
        return self.n_epochs or (20 if method_of(self.method).depth == "none" else 5)

    def _lr_encoder(self) -> float:
        """A rate that is never used where nothing is trained."""
        usual = method_of(self.method).lr or 1e-4
        return usual if self.lr_encoder is None else self.lr_encoder

    def _adapt(self) -> Callable[[Any], Any] | None:
        """What changes the network for the method; None where whole layers are trained, or none."""
        if self.method in ("head_only", "top_layers", "full", "side_adapter"):
            return None
        change = partial(
            tune,
            method=self.method,
            size=self.size,
            alpha=self.alpha,
            targets=self.targets,
            n_layers=self.n_layers,
        )
        if self.quantise is None:
            return change
        from recnb.tuning.quantised import quantise

        kind = self.quantise
        return lambda network: change(quantise(network, kind))

    def _sentences(self, items: pd.DataFrame) -> list[str]:
        template = self.text or Text()
        return Text(*self.columns_, max_words=template.max_words, labels=template.labels)(items)

    def _reads(self) -> bool:
        """Whether the item's text takes part."""
        return not self.modalities_ or "text" in self.modalities_

    def _modalities(self) -> Modalities:
        """What makes tables of the modalities that have no tower."""
        fixed = tuple(name for name in self.modalities_ if name not in ("text", "id"))
        return Modalities(
            fixed,
            self.image_encoder,
            self.audio_encoder,
            lambda texts: self._encoder().encode(texts),
            self.seed,
        )

    def _keep_tables(self, tables: list[np.ndarray], present: np.ndarray) -> None:
        """What is fused, as arrays; the first column of `present` is that of the texts, where they take part."""
        self.table_values_, self.table_shapes_ = flat({str(k): t for k, t in enumerate(tables)})
        self.present_ = present

    def _build(self, train: Dataset, told: Dataset) -> TwoTowerNetwork:
        """The network at its start; `told` holds what users tell in words."""
        import torch

        texts = self._sentences(train.items) if self._reads() else []
        makers = self._modalities()
        if makers.names:
            tables, present = makers.learn(train)
            self.modality_facts_, self.modality_values_, self.modality_shapes_ = makers.state()
            if self._reads():
                present = np.column_stack([_told(texts), present])
            self._keep_tables(tables, present)
        none = np.zeros((len(self.user_ids_), 0), np.float32)
        self.user_traits_ = self._traits(train.users) if self.traits else none
        if self._reads():
            return self._build_tower(told, texts)
        self.base_: dict[str, Any] = {"name": "none", "checksum": "", "dim": 1, "n_parameters": 0}
        self.layers_, self.added_ = [0], 0
        self.places_, self.user_texts_ = np.zeros(train.n_items, np.int64), np.zeros(0, np.int64)
        self.wide_ = np.zeros((0, 0), np.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self._network_of(torch.zeros(1, 1, 1), None)

    def _build_tower(self, history: Dataset, texts: list[str]) -> TwoTowerNetwork:
        import torch

        from recnb.encoders.text.tower import TextTower
        from recnb.models.two_tower.heads import LAYERED

        encoder = self._encoder()
        self.base_ = {
            "name": encoder.name,
            "checksum": encoder.checksum,
            "dim": encoder.dim,
            "n_parameters": encoder.n_parameters,
        }
        every = range(encoder.n_layers + 1)
        all_layers = self.head in LAYERED or self.method == "side_adapter"
        self.layers_ = list(every) if all_layers else [encoder.n_layers]
        told = self._stories(history) if "text" in self._parts() else []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            tower = TextTower(
                encoder,
                texts + told,
                self.layers_,
                self._depth(encoder),
                adapt=self._adapt(),
            )
        adapted = tower.network is not None and self._adapt() is not None
        self.added_ = counts(tower.network)[0] if adapted and self.method not in _ITS_OWN else 0
        place = tower.place.numpy()
        self.places_, self.user_texts_ = place[: len(texts)].copy(), place[len(texts) :].copy()
        self.wide_ = self._words(texts) if self.words else np.zeros((0, 0), np.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self._network_of(tower.all_states().cpu(), tower)

    def _network_of(self, states: Any, tower: Any) -> TwoTowerNetwork:
        import torch

        from recnb.models.two_tower.heads import LAYERED, make_head
        from recnb.models.two_tower.network import TwoTowerNetwork
        from recnb.models.two_tower.users import UserTower
        from recnb.tuning.adapters import SideAdapter

        settings: dict[str, Any] = {}
        if self.head not in LAYERED:
            settings = {"width": self.width}
        if self.head == "dot":
            settings["temperature"] = self.temperature
        if self.head == "mlp":
            settings["dropout"] = self.dropout
        side, n_layers = None, len(self.layers_)
        if self.method == "side_adapter":
            width = self.size or method_of(self.method).size
            side, n_layers = SideAdapter(n_layers, self.base_["dim"], width), 1
        dim, fuse = self.base_["dim"], self._fuse(n_layers)
        if fuse is not None:
            n_layers, dim = 1, fuse.width
            if self.head == "dot":
                settings["width"] = None  # the fused vectors are in the learned space
        head = make_head(self.head, n_layers, dim, **settings)
        n_traits = self.user_traits_.shape[1]
        return TwoTowerNetwork(
            states,
            torch.from_numpy(self.places_),
            head,
            UserTower(self._parts(), len(self.user_ids_), head.width, n_traits),
            len(self.user_ids_),
            self.loss,
            torch.from_numpy(self.known_items_),
            tower,
            self.item_id or "id" in self.modalities_,
            torch.from_numpy(self.wide_) if self.words else None,
            self.mean_,
            self.dropout,
            self.l2,
            side=side,
            fuse=fuse,
        )

    def _fuse(self, n_layers: int) -> Any:
        """What makes one vector of the modalities; None where there is the text alone."""
        if not self._modalities().names:
            return None
        import torch

        from recnb.models.two_tower.fusion import Fuse

        tables = unflat(self.table_values_, self.table_shapes_).values()
        return Fuse(
            self.fusion,
            [torch.from_numpy(table) for table in tables],
            torch.from_numpy(self.present_),
            self.width,
            n_layers * self.base_["dim"] if self._reads() else 0,
            self.dropout,
            self.modality_dropout,
        )

    def _value(self, facts: Any, history: Dataset, valid: Dataset) -> Callable[[Any], float]:
        """What the best epoch is chosen by: NDCG@10 of the validation part, or minus its RMSE."""

        def scores_of(network: Any, users: np.ndarray) -> np.ndarray:
            return self._all(network, facts, users)

        if self.loss == "mse":
            return closeness(scores_of, valid, (self.low_, self.high_))
        return quality(scores_of, history, valid, self.known_items_)

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "dropout": ("float", 0.1, 0.7),
            "lr": ("log", 3e-4, 5e-3),
            "width": ("int_log", 32, 256),
            "weight_decay": ("log", 1e-3, 1.0),
        }

    def _all(self, network: Any, facts: Any, users: np.ndarray) -> np.ndarray:
        from accelerate.utils import send_to_device

        batch = send_to_device(facts.batch(users), network.place.device)
        return network.score(batch).cpu().numpy()

    def _words(self, texts: list[str]) -> np.ndarray:
        """TF-IDF of the item texts in `words` dimensions of its singular value decomposition, rows of length 1."""
        vectors, self.terms_, self.idf_ = tfidf_vectors(texts, 2, 0.5, 2)
        self.turn_ = singular_vectors(vectors, self.words)[:, ::-1].astype(np.float32)
        return unit(vectors @ self.turn_)

    def _keep(self, network: TwoTowerNetwork, facts: Any) -> None:
        """The fitted state as arrays, which is what is saved."""
        self.weights_, self.shapes_ = flat(
            {k: v.detach().cpu().numpy() for k, v in _learned(network).items()}
        )
        tuned = network.tower.tuned() if network.tower is not None else {}
        self.vocabulary_ = tuned.pop("vocabulary", np.zeros(0, np.int64))
        self.tuned_, self.tuned_shapes_ = flat(tuned)
        none = np.zeros((0, 0), np.float32)
        self.history_items_ = none if facts.items is None else facts.items
        self.history_values_ = none if facts.values is None else facts.values
        self._network = network

    def _facts_now(self) -> Any:
        from recnb.models.two_tower.batches import UserFacts

        given = (self.history_items_, self.history_values_, self.user_texts_, self.user_traits_)
        items, values, texts, traits = (part if part.size else None for part in given)
        return UserFacts(items, values, texts, traits, self.known_users_)

    def _ready(self) -> TwoTowerNetwork:
        """The network; one that was read from disk is built from its arrays."""
        if hasattr(self, "_network"):
            return self._network
        if not hasattr(self, "weights_"):
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
        import torch

        arrays = unflat(self.weights_, self.shapes_)
        network = self._network_of(torch.from_numpy(arrays["states"]), None)
        network.load_state_dict({k: torch.from_numpy(v) for k, v in arrays.items()}, strict=False)
        self._network = network.eval()
        return network

    def parameters(self) -> tuple[int, int]:
        """Numbers that training changed, and all that the model holds, the language model among them."""
        network = self._ready()
        heads = sum(p.numel() for n, p in network.named_parameters() if not n.startswith("tower."))
        # small networks, of pictures and sounds
        heads += len(getattr(self, "modality_values_", ()))
        return heads + len(self.tuned_), heads + int(self.base_["n_parameters"]) + self.added_

    def tuned_parameters(self) -> int:
        """Numbers that the method trained of the language model or put beside it, without heads and tables."""
        side = self._ready().side
        return len(self.tuned_) + (0 if side is None else counts(side)[1])

    def adapter(self) -> Adapter:
        """What the method trained of the language model, apart from heads and tables.

        Raises
        ------
        InputError
            The language model was not tuned.
        """
        from recnb.tuning.bank import Adapter

        self._ready()
        if not len(self.tuned_):
            raise InputError(f"'{self.method}' leaves the language model as it is", mend="tune it")
        arrays = unflat(self.tuned_, self.tuned_shapes_)
        if len(self.vocabulary_):
            arrays["vocabulary"] = self.vocabulary_
        settings = {k: getattr(self, k) for k in ("size", "alpha", "targets", "n_layers")}
        return Adapter(self.method, settings, dict(self.base_), arrays)

    def merged(self) -> TwoTower:
        """A copy whose low-rank updates are added into the weights: equal scores, no further matrices at work.

        Raises
        ------
        InputError
            The method cannot be merged.
        """
        self._ready()
        if self.quantise is not None:
            raise InputError(
                "quantised weights cannot take in an update exactly", mend="train without quantise"
            )
        network = merged(self._tower(["a text"]).network)
        base = self._encoder().model
        own = dict(base.named_parameters())
        out: Any = copy.copy(self)
        out.method, out.n_layers = "full", None
        out.tuned_, out.tuned_shapes_ = flat(
            {
                name: p.detach().cpu().numpy()
                for name, p in network.named_parameters()
                if name in own and not p.equal(own[name])
            }
        )
        out.vocabulary_, out.added_ = np.zeros(0, np.int64), 0
        return out

    def _tower(self, texts: list[str]) -> Any:
        """The language model as tuned, over other texts."""
        from recnb.encoders.text.tower import TextTower

        encoder = self._encoder()
        if encoder.checksum != self.base_["checksum"]:
            raise InputError(
                f"the model was trained on {self.base_['name']} with weights {self.base_['checksum'][:12]}, "
                f"here are {encoder.checksum[:12]}",
                mend="give the same encoder",
            )
        tuned = unflat(self.tuned_, self.tuned_shapes_) | {"vocabulary": self.vocabulary_}
        depth = self._depth(encoder)
        return TextTower(encoder, texts, self.layers_, depth, tuned=tuned, adapt=self._adapt())

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
        texts = self._sentences(table) if self._reads() else []
        out: Any = copy.copy(self)
        out.__dict__.pop("_network", None)
        arrays = unflat(self.weights_, self.shapes_)
        n, first_user = len(table), arrays["states"].shape[0]
        places = np.zeros(n, np.int64)
        if self._reads():
            tower = self._tower(texts)
            arrays["states"] = np.concatenate([arrays["states"], tower.all_states().cpu().numpy()])
            places = tower.place.numpy() + first_user
        makers = self._modalities()
        if makers.names:
            makers.restore(self.modality_facts_, self.modality_values_, self.modality_shapes_)
            more, here = makers.tables(table, media_of(table, self.modality_facts_))
            if self._reads():
                here = np.column_stack([_told(texts), here])
            old = unflat(self.table_values_, self.table_shapes_).values()
            tables = [np.concatenate(pair) for pair in zip(old, more)]
            out._keep_tables(tables, np.concatenate([self.present_, here]))
        for name in ("item_table.weight", "item_bias.weight"):
            if name in arrays:
                arrays[name] = np.pad(arrays[name], ((0, n), (0, 0)))
        out.weights_, out.shapes_ = flat(arrays)
        out.places_ = np.concatenate([self.places_, places])
        out.known_items_ = np.pad(self.known_items_, (0, n))
        out.popularity_ = np.pad(self.popularity_, (0, n))
        if self.words:
            vectors, _, _ = tfidf_vectors(texts, 2, 0.5, 2, terms=self.terms_, idf=self.idf_)
            out.wide_ = np.concatenate([self.wide_, unit(vectors @ self.turn_)])
        out.item_ids_ = np.concatenate([self.item_ids_, table.index.to_numpy(dtype=object)])
        return out

    def item_vectors(self) -> np.ndarray:
        """Vectors of all items in the space where users are compared: (n_items, width), float32."""
        import torch

        network = self._ready()
        with torch.no_grad():
            return network.vectors(torch.arange(len(network.place))).cpu().numpy()

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        users = np.asarray(users)
        network = self._ready()
        facts = self._facts_now() if history is None else self._facts(history, new=True)
        parts = [
            self._all(network, facts, users[k : k + BLOCK]) for k in range(0, len(users), BLOCK)
        ]
        scores = np.concatenate(parts) if parts else np.zeros((0, len(self.item_ids_)), np.float32)
        return scores + ties(self.popularity_)

    @available_if(lambda self: self.loss == "mse")
    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Predicted ratings of pairs, cut to the scale: ndarray of shape (n,), float32."""
        users, items = np.asarray(users), np.asarray(items)
        out = np.empty(len(users), np.float32)
        network, facts = self._ready(), self._facts_now()
        for block, part in blocks_of(users):
            found = self._all(network, facts, block)
            out[part] = found[np.searchsorted(block, users[part]), items[part]]
        return out.clip(self.low_, self.high_)


def _learned(network: TwoTowerNetwork) -> dict[str, Any]:
    """What training or the texts made: all floats but the tower's and the given columns."""
    return {
        name: value
        for name, value in network.state_dict().items()
        if value.is_floating_point() and not name.startswith(("tower.", "wide", "budget."))
    }


def _rank(ids: np.ndarray) -> np.ndarray:
    out = np.empty(len(ids), int)
    out[np.argsort(ids, kind="stable")] = np.arange(len(ids))
    return out


def _told(texts: list[str]) -> np.ndarray:
    """Which texts say something: (n,), bool."""
    return np.array([bool(text.strip()) for text in texts])
