"""Settings of a two tower in groups, each checked alone; by name they stay flat: ``TwoTower(width=64)``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from recnb.data import Dataset, Text
from recnb.errors import InputError
from recnb.models.common.settings import group_of, not_negative, one_of, whole_numbers
from recnb.training.regularisation.settings import Regularisation
from recnb.tuning.methods import METHODS, depth_of, method_of, tune

POOLINGS = ("mean", "additive", "multihead", "target")  # ways to pool a history
STARTS = ("pretrained", "random")
USER_PARTS = ("id", *POOLINGS, "text")
# They train weights that quantising freezes, or run no layer that could be quantised.
UNQUANTISED = ("head_only", "top_layers", "full", "bitfit", "side_adapter")
UNADAPTED = ("head_only", "top_layers", "full", "side_adapter")  # nothing is put into the network


@dataclass(frozen=True)
class Reading:
    """What is read of an item's text, and by which language model.

    Parameters
    ----------
    text : Text, optional
        The item's sentence; by default the usual columns that the table has.
    encoder : str, optional
        Folder or name; None means the default of :class:`recnb.encoders.TextEncoder`.
    max_tokens : int
        Tokens read of an item's text.
    words : int
        Dimensions of TF-IDF vectors that are mapped and added beside the language model's; 0 for none.
    """

    text: Text | None = None
    encoder: str | None = None
    max_tokens: int = 128
    words: int = 0

    def check(self) -> None:
        whole_numbers(self, "max_tokens")
        whole_numbers(self, "words", least=0)


@dataclass(frozen=True)
class Scoring:
    """How a user and an item become a score, and what training minimises.

    Parameters
    ----------
    head : {"dot", "weighted_sum", "elementwise_sum", "mlp"}
        See :mod:`recnb.models.two_tower.heads`; the two sums read all layers, the others the last.
    loss : {"softmax", "infonce", "bpr", "bce", "mse"}
        With "mse" the model predicts ratings.
    width : int, optional
        Dimensions of the learned space ("dot", "mlp"); None: 128, and those of the text's state where `start` is of
        use.
    temperature : float
        Of the "dot" head at a random start.
    start : {"pretrained", "random"}
        Of the "dot" head over a text alone, where the user's history is pooled. "pretrained": before the first step
        the scores are those of the frozen language model, see :mod:`recnb.models.two_tower.start`; with a validation
        part this start is kept where training does not better it. "random": an orthogonal map.
    item_id : bool
        A learned vector and bias for each item that has rows, added to what its text says: a hybrid.
    """

    head: str = "dot"
    loss: str = "softmax"
    width: int | None = None
    temperature: float = 1.0
    start: str = "pretrained"
    item_id: bool = False

    def check(self) -> None:
        from recnb.models.two_tower.heads import HEADS
        from recnb.training.losses import LOSSES

        one_of(self, "head", HEADS)
        one_of(self, "loss", LOSSES)
        one_of(self, "start", STARTS)
        whole_numbers(self, "width")
        if not self.temperature > 0:
            raise InputError(f"temperature={self.temperature!r}", mend="above 0")

    @property
    def predicts_ratings(self) -> bool:
        return self.loss == "mse"


@dataclass(frozen=True)
class Users:
    """What a user's vector is made of.

    Parameters
    ----------
    user : str
        Parts of the user's vector joined by "+": "id", one of "mean", "additive", "multihead", "target" (the
        history's item vectors, pooled), "text" (the history in words).
    traits : bool
        Whether what is known of the person (columns of the users table) takes part.
    max_history : int
        Most recent items that a user's vector is made of.
    """

    user: str = "mean"
    traits: bool = False
    max_history: int = 50

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.user.split("+"))

    @property
    def pools(self) -> bool:
        """Whether the history's items take part."""
        return bool(set(self.parts) & set(POOLINGS))

    @property
    def in_words(self) -> bool:
        """Whether the history takes part as a sentence."""
        return "text" in self.parts

    def check(self) -> None:
        whole_numbers(self, "max_history")
        several = len([part for part in self.parts if part in POOLINGS]) > 1
        if not set(self.parts) <= set(USER_PARTS) or several:
            raise InputError(
                f"user={self.user!r}",
                mend=f"'id', one of {', '.join(POOLINGS)}, 'text', joined by +",
            )


@dataclass(frozen=True)
class Tuning:
    """How the language model is tuned.

    Parameters
    ----------
    method : str
        "head_only", "top_layers", "full", "lora", … of :data:`recnb.tuning.methods.METHODS`.
    n_layers : int, optional
        Tune the highest so many layers only; what lies below is computed once. None: two for "top_layers", else all.
    size, alpha, targets
        Of the method, see :func:`recnb.tuning.methods.tune`; None: what is usual.
    quantise : {"int8", "nf4"}, optional
        Keep the frozen language model in fewer bits under the method's parts, see
        :func:`recnb.encoders.quantised.quantise`.
    """

    method: str = "head_only"
    n_layers: int | None = None
    size: int | None = None
    alpha: int | None = None
    targets: str | None = None
    quantise: str | None = None

    @property
    def frozen(self) -> bool:
        """Whether no layer of the language model is trained."""
        return method_of(self.method).depth == "none"

    def depth(self, n_layers: int) -> int:
        """How many of a language model's layers are trained."""
        return depth_of(self.method, n_layers, self.n_layers)

    def adapt(self) -> Callable[[Any], Any] | None:
        """What changes the network for the method; None where whole layers are trained, or none."""
        if self.method in UNADAPTED:
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
        from recnb.encoders.quantised import quantise

        kind = self.quantise
        return lambda network: change(quantise(network, kind))

    def check(self) -> None:
        one_of(self, "method", tuple(METHODS))
        whole_numbers(self, "n_layers", "size")
        if self.quantise is not None and self.method in UNQUANTISED:
            raise InputError(
                f"quantise={self.quantise!r} freezes the weights that '{self.method}' trains or never runs",
                mend="use lora or another method that adds parts, or leave quantise out",
            )


@dataclass(frozen=True)
class Fusion:
    """What an item is made of beside its text, and how that becomes one vector.

    Parameters
    ----------
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
    """

    modalities: str | None = None
    fusion: str = "concat"
    modality_dropout: float = 0.1
    image_encoder: str = "cnn"
    audio_encoder: str = "cnn"

    def check(self) -> None:
        from recnb.models.two_tower.fusion import FUSIONS

        one_of(self, "fusion", FUSIONS)
        for name in ("image_encoder", "audio_encoder"):
            value = getattr(self, name)
            miscased = str(value) != "cnn" and str(value).lower() == "cnn"
            if miscased or not isinstance(value, (str, Path)):
                raise InputError(f"{name}={value!r}", mend="'cnn', a folder or a hub name")
        share = self.modality_dropout
        if not (isinstance(share, (int, float)) and 0 <= share < 1):
            raise InputError(f"modality_dropout={share!r}", mend="0 or more, below 1")


@dataclass(frozen=True)
class Optimisation:
    """How the network is trained.

    Parameters
    ----------
    n_epochs, lr, lr_encoder, optimizer, weight_decay, layer_decay, warmup, schedule, dropout, patience
        See :class:`recnb.training.Training`; `patience` counts where `valid` is given. `lr_encoder` None: what is
        usual for the method. `n_epochs` None: 20 where the language model is frozen, 5 where it is tuned.
        0: it stays as it starts. `dropout` is that of item vectors; the language model runs without, as its states are
        kept in a table.
    l2 : float
        Penalty on id vectors and biases, see :class:`recnb.models.two_tower.network.TwoTowerNetwork`.
    items_per_batch, rows_per_batch, head_epochs, live_epochs
        See :class:`recnb.training.batches.BatchPlan`.
    n_negatives : int
        Items drawn uniformly for each batch of a ranking loss, beside the batch's own; all where there are fewer.
    checkpoint : str, optional
        Folder from which a killed fit goes on; each fit of the model has one of its own in it.
    seed : int
    """

    n_epochs: int | None = None
    lr: float = 1e-3
    lr_encoder: float | None = None
    optimizer: str = "adamw"
    weight_decay: float = 0.01
    layer_decay: float = 1.0
    warmup: float = 0.0
    schedule: str = "constant"
    l2: float = 0.02
    dropout: float = 0.1
    patience: int = 3
    items_per_batch: int = 32
    rows_per_batch: int = 1024
    head_epochs: float = 1.0
    live_epochs: int = 1
    n_negatives: int = 1024
    checkpoint: str | None = None
    seed: int = 0

    def check(self) -> None:
        whole_numbers(self, "items_per_batch", "rows_per_batch", "n_negatives")
        whole_numbers(self, "n_epochs", "live_epochs", "seed", least=0)
        not_negative(self, "l2", "head_epochs")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout={self.dropout!r}", mend="0 or more, below 1")


@dataclass(frozen=True)
class Settings:
    """All settings of a two tower, in groups."""

    reading: Reading = field(default_factory=Reading)
    scoring: Scoring = field(default_factory=Scoring)
    users: Users = field(default_factory=Users)
    tuning: Tuning = field(default_factory=Tuning)
    fusion: Fusion = field(default_factory=Fusion)
    optimisation: Optimisation = field(default_factory=Optimisation)
    regularisation: Regularisation = field(default_factory=Regularisation)

    @classmethod
    def of(cls, model: Any) -> Settings:
        """Those that a model has under their names."""
        groups: list[Any] = [group_of(model, group) for group in GROUPS]
        return cls(*groups)

    @property
    def n_epochs(self) -> int:
        """An epoch in which the language model is trained costs many in which it is not."""
        asked = self.optimisation.n_epochs
        return (20 if self.tuning.frozen else 5) if asked is None else asked

    @property
    def serves_strangers(self) -> bool:
        """Whether a list of liked items says all that the network needs of a person."""
        return self.users.pools and not self.users.in_words and not self.scoring.predicts_ratings

    @property
    def explains_words(self) -> bool:
        """Whether an item's words act through its text alone, so that gradients can tell them apart."""
        alone = self.fusion.modalities is None and not self.reading.words
        return alone and self.serves_strangers

    @property
    def starts_pretrained(self) -> bool:
        """Whether the network starts with the scores of the frozen language model."""
        alone = self.fusion.modalities is None and not self.users.in_words
        able = self.scoring.head == "dot" and self.users.pools and alone
        return able and self.scoring.start == "pretrained"

    @property
    def lr_encoder(self) -> float:
        """A rate that is never used where nothing is trained."""
        usual = method_of(self.tuning.method).lr or 1e-4
        chosen = self.optimisation.lr_encoder
        return usual if chosen is None else chosen

    def check(self, train: Dataset, modalities: tuple[str, ...]) -> None:
        """Refuse what a two tower cannot be built or trained with, in one line.

        Parameters
        ----------
        train : Dataset
        modalities : tuple of str
            Those that `train` has of the ones asked for.

        Raises
        ------
        InputError
            A setting is unknown or out of its range, does not go with another or with the data.
        """
        from recnb.models.two_tower.heads import LAYERED

        for group in fields(self):
            getattr(self, group.name).check()
        if self.tuning.method == "side_adapter" and self.scoring.head in LAYERED:
            raise InputError(
                "a side adapter gives one state, a sum over layers reads one of each",
                mend="use head='dot' or 'mlp'",
            )
        if set(modalities) - {"text", "id"}:
            self._check_fused(modalities)
        self._check_regularised(modalities)
        if self.scoring.predicts_ratings and train.feedback != "explicit":
            raise InputError(
                f"loss='mse' predicts ratings and '{train.name}' is {train.feedback} feedback",
                mend="declare feedback='explicit' or use loss='softmax'",
            )

    def _check_regularised(self, modalities: tuple[str, ...]) -> None:
        """What cannot be done against overfitting here."""
        asked = self.regularisation
        if asked.back_translation is not None and not self.tuning.frozen:
            raise InputError(
                f"back_translation with method={self.tuning.method!r}: texts are paraphrased once, and read once",
                mend="use method='head_only'",
            )
        if asked.label_smoothing and self.scoring.predicts_ratings:
            raise InputError(
                "label_smoothing spreads a label over classes, a rating has none",
                mend="use another loss than 'mse', or leave it out",
            )
        if asked.has_views and "text" not in (modalities or ("text",)):
            raise InputError(
                "word_dropout, synonyms and back_translation change words, and no text is read",
                mend="add text to the modalities",
            )

    def _check_fused(self, modalities: tuple[str, ...]) -> None:
        """What a two tower of several modalities cannot be."""
        from recnb.models.two_tower.heads import LAYERED

        if self.scoring.head in LAYERED:
            raise InputError(
                f"head={self.scoring.head!r} sums over layers, a fused vector has none",
                mend="use head='dot' or 'mlp'",
            )
        if self.users.in_words:
            raise InputError(
                "a user's text has no picture or sound to be fused with",
                mend="use user='mean' or another pooling of the history",
            )
        if self.tuning.method != "head_only" and "text" not in modalities:
            raise InputError(
                f"method={self.tuning.method!r} tunes a language model, and the modalities are "
                f"{self.fusion.modalities}",
                mend="add text to them or use method='head_only'",
            )
        if self.reading.words and "text" not in modalities:
            raise InputError("words are those of a text", mend="add text to the modalities")


GROUPS = (Reading, Scoring, Users, Tuning, Fusion, Optimisation, Regularisation)
