"""Settings of the trained sequence models in groups, each checked alone."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from recnb.errors import InputError
from recnb.models.common.reading.settings import Fitting, Reading, TextTuning, check_heads
from recnb.models.common.settings import group_of, one_of, whole_numbers


@dataclass(frozen=True)
class Items:
    """What an item's vector is.

    Parameters
    ----------
    items : {"free", "text", "both"}
        Learned for the item, projected from what a language model says of its text, or the sum. With text, items
        without training rows are scored, and new ones after fitting.
    start : {"random", "text"}
        Free vectors at the start; "text": the leading whitened directions of the texts.
    whitening : bool
        Whether text vectors are whitened before they are projected; else they are centred.
    """

    items: str = "free"
    start: str = "random"
    whitening: bool = True

    def check(self) -> None:
        from recnb.models.sequential.vectors import ITEMS, STARTS

        one_of(self, "items", ITEMS)
        one_of(self, "start", STARTS)
        if self.start == "text" and self.items == "text":
            raise InputError("start='text' without free vectors", mend="set items='free' or 'both'")


@dataclass(frozen=True)
class Shape:
    """The size of the network.

    Parameters
    ----------
    width, n_layers : int
    """

    width: int = 64
    n_layers: int = 2

    def check(self) -> None:
        whole_numbers(self, "width", "n_layers")


@dataclass(frozen=True)
class Attention:
    """How the models with attention look at events.

    Parameters
    ----------
    n_heads : int
    positions : {"rope", "learned", "none"}
        How attention tells events apart by their place: by turning queries and keys, by learned vectors from the oldest
        event on, or not at all; HSTU has a learned bias of distances beside.
    """

    n_heads: int = 2
    positions: str = "rope"

    def check(self) -> None:
        from recnb.models.common.reading.layers import POSITIONS

        whole_numbers(self, "n_heads")
        one_of(self, "positions", POSITIONS)


@dataclass(frozen=True)
class Loss:
    """What training minimises.

    Parameters
    ----------
    loss : {"auto", "softmax", "sampled", "gbce"}
        Cross-entropy over the whole catalogue, by blocks; over drawn items with log-Q correction; generalised binary
        cross-entropy. "auto": the whole catalogue up to 20,000 items, else drawn ones.
    n_negatives : int
        Items drawn: for each target up to 8, else for the batch as a whole.
    calibration : float
        Of "gbce": 0 is binary cross-entropy, 1 the scores of a softmax.
    """

    loss: str = "auto"
    n_negatives: int = 1024
    calibration: float = 0.75

    def check(self) -> None:
        from recnb.models.common.reading.losses import LOSSES

        one_of(self, "loss", LOSSES)
        whole_numbers(self, "n_negatives")
        if not 0 <= self.calibration <= 1:
            raise InputError(f"calibration={self.calibration!r}", mend="from 0 to 1")


@dataclass(frozen=True)
class Settings:
    """All settings of a trained sequence model; `attention` is None where it has none."""

    items: Items = field(default_factory=Items)
    reading: Reading = field(default_factory=Reading)
    tuning: TextTuning = field(default_factory=TextTuning)
    shape: Shape = field(default_factory=Shape)
    loss: Loss = field(default_factory=Loss)
    fitting: Fitting = field(default_factory=Fitting)
    attention: Attention | None = None

    @classmethod
    def of(cls, model: Any) -> Settings:
        """Those that a model has under their names."""
        groups: list[Any] = [group_of(model, group) for group in GROUPS]
        if hasattr(model, "n_heads"):
            groups.append(group_of(model, Attention))
        return cls(*groups)

    @property
    def reads_text(self) -> bool:
        """Whether text takes part."""
        return self.items.items != "free" or self.items.start == "text"

    @property
    def tunes(self) -> bool:
        """Whether the language model is trained, too."""
        return self.items.items != "free" and not self.tuning.frozen

    def check(self) -> None:
        """Raise for what has no meaning."""
        for part in fields(self):
            group = getattr(self, part.name)
            if hasattr(group, "check"):
                group.check()
        if self.attention is not None:
            check_heads(self.shape.width, self.attention.n_heads)
        if self.items.items == "free" and not self.tuning.frozen:
            raise InputError(
                f"method={self.tuning.method!r} tunes what reads texts, and items='free' reads none",
                mend="set items='text' or 'both'",
            )
        if self.items.start == "text" and self.tunes:
            raise InputError(
                "start='text' takes texts as they are first read, and the language model is tuned",
                mend="set start='random' or method='head_only'",
            )


GROUPS = (Items, Reading, TextTuning, Shape, Loss, Fitting)
