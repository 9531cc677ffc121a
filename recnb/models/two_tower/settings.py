"""What settings a two tower can have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.tuning.methods import METHODS

POOLINGS = ("mean", "additive", "multihead", "target")
PARTS = ("id", *POOLINGS, "text")
UNQUANTISED = ("head_only", "top_layers", "full", "bitfit", "side_adapter")
_AT_LEAST_ONE = (
    "width",
    "items_per_batch",
    "rows_per_batch",
    "n_negatives",
    "max_history",
)


def check(model: Any, train: Dataset) -> None:
    """Refuse what a two tower cannot be built or trained with, in one line.

    Parameters
    ----------
    model : TwoTower
    train : Dataset

    Raises
    ------
    InputError
        A setting is unknown or out of its range, does not go with another or with the data.
    """
    from recnb.models.two_tower.fusion import FUSIONS
    from recnb.models.two_tower.heads import HEADS, LAYERED
    from recnb.training.losses import LOSSES

    chosen = (("head", HEADS), ("loss", LOSSES), ("method", METHODS), ("fusion", FUSIONS))
    for name, known in chosen:
        if getattr(model, name) not in known:
            raise InputError(f"{name}={getattr(model, name)!r}", mend=f"one of {', '.join(known)}")
    for name in _AT_LEAST_ONE:
        if not getattr(model, name) >= 1:
            raise InputError(f"{name}={getattr(model, name)!r}", mend="at least 1")
    for name in ("n_epochs", "n_layers", "size"):
        if getattr(model, name) is not None and not getattr(model, name) >= 1:
            raise InputError(f"{name}={getattr(model, name)!r}", mend="at least 1, or None")
    if model.quantise is not None and model.method in UNQUANTISED:
        raise InputError(
            f"quantise={model.quantise!r} freezes the weights that '{model.method}' trains or never runs",
            mend="use lora or another method that adds parts, or leave quantise out",
        )
    if model.method == "side_adapter" and model.head in LAYERED:
        raise InputError(
            "a side adapter gives one state, a sum over layers reads one of each",
            mend="use head='dot' or 'mlp'",
        )
    for name in ("l2", "head_epochs", "live_epochs", "words"):
        if not getattr(model, name) >= 0:
            raise InputError(f"{name}={getattr(model, name)!r}", mend="0 or more")
    if not 0 <= model.dropout < 1:
        raise InputError(f"dropout={model.dropout!r}", mend="0 or more, below 1")
    _check_fusion(model)
    if not model.temperature > 0:
        raise InputError(f"temperature={model.temperature!r}", mend="above 0")
    parts = model._parts()
    if not set(parts) <= set(PARTS) or len([p for p in parts if p in POOLINGS]) > 1:
        raise InputError(
            f"user={model.user!r}",
            mend=f"'id', one of {', '.join(POOLINGS)}, 'text', joined by +",
        )
    if model.loss == "mse" and train.feedback != "explicit":
        raise InputError(
            f"loss='mse' predicts ratings and '{train.name}' is {train.feedback} feedback",
            mend="declare feedback='explicit' or use loss='softmax'",
        )


def _check_fusion(model: Any) -> None:
    """What a two tower of several modalities cannot be."""
    from recnb.models.two_tower.heads import LAYERED

    for name in ("image_encoder", "audio_encoder"):
        value = getattr(model, name)
        miscased = str(value) != "cnn" and str(value).lower() == "cnn"
        if miscased or not isinstance(value, (str, Path)):
            raise InputError(f"{name}={value!r}", mend="'cnn', a folder or a hub name")
    share = model.modality_dropout
    if not (isinstance(share, (int, float)) and 0 <= share < 1):
        raise InputError(f"modality_dropout={share!r}", mend="0 or more, below 1")
    if not model._modalities().names:
        return
    if model.head in LAYERED:
        raise InputError(
            f"head={model.head!r} sums over layers, a fused vector has none",
            mend="use head='dot' or 'mlp'",
        )
    if "text" in model._parts():
        raise InputError(
            "a user's text has no picture or sound to be fused with",
            mend="use user='mean' or another pooling of the history",
        )
    if model.method != "head_only" and not model._reads():
        raise InputError(
            f"method={model.method!r} tunes a language model, and the modalities are {model.modalities}",
            mend="add text to them or use method='head_only'",
        )
    if model.words and not model._reads():
        raise InputError("words are those of a text", mend="add text to the modalities")
