"""Saved models read back: json and safetensors, no code."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from recnb.errors import InputError
from recnb.recommender.contract import SCHEMA, Recommender
from recnb.recommender.packing import unpack


def load_model(path: str | Path) -> Recommender:
    """Read a model that :meth:`Recommender.save` wrote.

    Raises
    ------
    InputError
        No model is there, or its class is not importable.
    """
    path = Path(path)
    head = _head(path)
    module, _, name = head["class"].partition(":")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"its class {head['class']} cannot be imported ({error})",
            file=str(path),
            mend="install it",
        ) from None
    if not (isinstance(cls, type) and issubclass(cls, Recommender)):
        raise InputError(f"{head['class']} is no Recommender", file=str(path), mend="save again")
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path / "model.safetensors")
        values = {k: unpack(k, v, arrays) for k, v in head["values"].items()}
    except InputError:
        raise
    except Exception as error:  # safetensors has no error class of its own to name
        raise InputError(
            f"its arrays cannot be read ({error})", file=str(path), mend="save again"
        ) from None
    values |= {n: load_model(path / n) for n in head["models"] if "." not in n}
    for n in {m.split(".")[0] for m in head["models"] if "." in m}:
        parts = sorted(
            (m for m in head["models"] if m.startswith(f"{n}.")), key=lambda m: int(m.split(".")[1])
        )
        values[n] = [load_model(path / m) for m in parts]
    settings = {k: v for k, v in values.items() if not k.endswith("_")}
    try:
        model = cls(**settings)
    except TypeError as error:
        raise InputError(
            f"its settings do not fit {head['class']} ({error})", file=str(path), mend="save again"
        ) from None
    for key, value in values.items():
        if key.endswith("_"):
            setattr(model, key, value)
    return model


def _head(path: Path) -> dict[str, Any]:
    try:
        head = json.loads((path / "model.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError("no model.json here", file=str(path), mend="name a saved model") from None
    except ValueError as error:
        raise InputError(
            f"model.json is broken ({error})", file=str(path), mend="save again"
        ) from None
    kinds = {"schema": int, "class": str, "values": dict, "models": list}
    if not isinstance(head, dict) or any(not isinstance(head.get(k), t) for k, t in kinds.items()):
        raise InputError("model.json is broken", file=str(path), mend="save again")
    if head["schema"] != SCHEMA:
        raise InputError(
            f"written as schema {head['schema']}, this version reads {SCHEMA}",
            file=str(path),
            mend="save again",
        )
    if any(
        not isinstance(n, str) or not n.replace(".", "_").isidentifier() for n in head["models"]
    ):
        raise InputError("model.json names no part of the model", file=str(path), mend="save again")
    return head
