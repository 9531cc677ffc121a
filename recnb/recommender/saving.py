"""Saved models read back: json and safetensors, and no code but that of classes that the reader trusts."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from recnb.errors import InputError
from recnb.recommender.contract import SCHEMA, Recommender
from recnb.recommender.packing import unpack

_CLASS = re.compile(r"(?P<module>\w+(\.\w+)*):(?P<name>[A-Za-z_]\w*)", re.ASCII)
_PART = re.compile(r"[A-Za-z]\w*(\.\d+)?", re.ASCII)
_VALUE = re.compile(r"[A-Za-z]\w*", re.ASCII)


def load_model(path: str | Path, trust: bool = False) -> Recommender:
    """Read a model that :meth:`Recommender.save` wrote.

    Parameters
    ----------
    path : str or Path
    trust : bool
        Whether `model.json` may name a module that is not imported yet. To import a module runs its code, so this is
        for folders whose origin you trust. Classes of recnb, and of modules that the program has imported already
        (those given to :func:`recnb.register` among them), need no trust.

    Returns
    -------
    Recommender

    Raises
    ------
    InputError
        No model is there, its files are broken, or its class is not to be had or not trusted.
    """
    path = Path(path)
    head = _head(path)
    cls = _class(head["class"], path, trust)
    values = _values(head, path)
    values |= _models(head, path, trust)
    settings = {k: v for k, v in values.items() if not k.endswith("_")}
    try:
        model = cls(**settings)
    except TypeError as error:
        raise _broken(path, f"its settings do not fit {head['class']} ({error})") from None
    for key in values.keys() - settings.keys():
        setattr(model, key, values[key])
    return model


def _head(path: Path) -> dict[str, Any]:
    """`model.json`, its shape checked."""
    try:
        head = json.loads((path / "model.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        inside = sorted(
            path.glob("models/*/model.json")
        )  # of a report: recnb evaluate --save-models
        mend = (
            f"name one of its models, such as {inside[0].parent}"
            if inside
            else "name a saved model"
        )
        raise InputError("no model.json here", file=str(path), mend=mend) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(path, f"model.json is broken ({error})") from None
    kinds = {"schema": int, "class": str, "values": dict, "models": list}
    if not isinstance(head, dict) or any(not isinstance(head.get(k), t) for k, t in kinds.items()):
        raise _broken(path, "model.json is broken")
    if head["schema"] != SCHEMA:
        raise _broken(path, f"written as schema {head['schema']}, this version reads {SCHEMA}")
    if not all(isinstance(n, str) and _PART.fullmatch(n) for n in head["models"]):
        raise _broken(path, "model.json names no part of the model")
    for name, packed in head["values"].items():
        if not _VALUE.fullmatch(name) or name.endswith("__") or not isinstance(packed, dict):
            raise _broken(path, f"model.json is broken at '{name}'")
    return head


def _class(named: str, path: Path, trust: bool) -> type[Recommender]:
    parts = _CLASS.fullmatch(named)
    if parts is None:
        raise _broken(path, f"its class '{named}' is no module:Class")
    module, name = parts["module"], parts["name"]
    if not (trust or module.split(".")[0] == "recnb" or module in sys.modules):
        raise InputError(
            f"its class is {named}, of a module that is not imported, and to import it runs its code",
            file=str(path),
            mend=f"import {module} first, or load_model(path, trust=True) if you trust the folder",
        )
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"its class {named} cannot be imported ({error})", file=str(path), mend="install it"
        ) from None
    if not (isinstance(cls, type) and issubclass(cls, Recommender)):
        raise _broken(path, f"{named} is no Recommender")
    return cls


def _values(head: dict[str, Any], path: Path) -> dict[str, Any]:
    """Settings and what was learned, but for the models among them."""
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path / "model.safetensors")
        values = {k: unpack(k, v, arrays) for k, v in head["values"].items()}
    except InputError:
        raise
    except Exception as error:  # safetensors has no error class of its own to name
        raise _broken(path, f"its arrays cannot be read ({error})") from None
    for name in ("user_ids_", "item_ids_"):
        ids = values.get(name)
        if ids is not None and not (isinstance(ids, np.ndarray) and ids.ndim == 1):
            raise _broken(path, f"'{name}' holds no ids")
    return values


def _models(head: dict[str, Any], path: Path, trust: bool) -> dict[str, Any]:
    """The models that this one holds: single ones, and those of lists by their number."""
    values: dict[str, Any] = {}
    numbered: dict[str, list[int]] = {}
    for part in head["models"]:
        name, dot, number = part.partition(".")
        if dot:
            numbered.setdefault(name, []).append(int(number))
        else:
            values[name] = load_model(path / part, trust)
    for name, numbers in numbered.items():
        values[name] = [load_model(path / f"{name}.{n}", trust) for n in sorted(numbers)]
    return values


def _broken(path: Path, problem: str) -> InputError:
    return InputError(problem, file=str(path), mend="save it again")
