"""Values of a fitted model as json and arrays, and back: only what is safe to read."""

from __future__ import annotations

import importlib
import json
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from recnb.errors import InputError


def is_model(value: Any) -> bool:
    """Whether a value is a model that another one holds."""
    return isinstance(value, BaseEstimator) and hasattr(value, "score") and hasattr(value, "save")


def pack(name: str, value: Any, plain: dict, arrays: dict, models: dict) -> None:
    if is_model(value):
        models[name] = value
    elif isinstance(value, (list, tuple)) and value and all(map(is_model, value)):
        models.update({f"{name}.{i}": v for i, v in enumerate(value)})
    elif sparse.issparse(value):
        m = sparse.csr_matrix(value)
        plain[name] = {"csr": [int(n) for n in m.shape]}
        for part in ("data", "indices", "indptr"):
            arrays[f"{name}.{part}"] = getattr(m, part)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "OU":
        if value.ndim != 1 or not all(isinstance(v, str) for v in value):
            raise _unsafe(name, "an array of objects")
        plain[name] = {"ids": [str(v) for v in value]}
    elif isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            raise _unsafe(name, f"an array of {value.dtype}")
        plain[name] = {"array": True}
        arrays[name] = np.array(value, order="C")
    elif isinstance(value, np.generic):
        plain[name] = {"value": value.item()}
    elif isinstance(value, dict) and _holds_arrays(value):
        # each part under its own name, so that a dict of arrays is a dict of arrays again
        parts: dict[str, Any] = {}
        for key, part in value.items():
            if not isinstance(key, str) or is_model(part):
                raise _unsafe(name, f"a dict with {key!r}: {type(part).__name__}")
            pack(f"{name}/{key}", part, parts, arrays, models)
        plain[name] = {"dict": {key: parts[f"{name}/{key}"] for key in value}}
    elif hasattr(value, "to_json") and hasattr(type(value), "from_json"):
        kind = type(value)
        plain[name] = {"object": f"{kind.__module__}:{kind.__qualname__}", "json": value.to_json()}
    else:
        try:
            # Keys that are no text would come back as text.
            if isinstance(value, dict) and not all(isinstance(k, str) for k in value):
                raise TypeError
            json.dumps(value)
        except (TypeError, ValueError):
            raise _unsafe(name, type(value).__name__) from None
        plain[name] = {"tuple": list(value)} if isinstance(value, tuple) else {"value": value}


def _holds_arrays(value: dict) -> bool:
    """Whether a dict holds what json has no form for, in dicts inside it too."""
    return any(
        isinstance(part, np.ndarray) or (isinstance(part, dict) and _holds_arrays(part))
        for part in value.values()
    )


def _unsafe(name: str, kind: str) -> InputError:
    return InputError(f"'{name}' ({kind}) has no safe form", mend="store arrays, text and numbers")


def unpack(name: str, packed: dict, arrays: dict) -> Any:
    if "csr" in packed:
        parts = tuple(arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
        return sparse.csr_matrix(parts, shape=tuple(packed["csr"]))
    if "ids" in packed:
        return np.array(packed["ids"], dtype=object)
    if "array" in packed:
        return arrays[name]
    if "dict" in packed:
        return {k: unpack(f"{name}/{k}", part, arrays) for k, part in packed["dict"].items()}
    if "object" in packed:
        module, _, cls = packed["object"].partition(":")
        if not module.startswith("recnb."):
            raise InputError(f"{packed['object']} is no part of recnb", mend="save the model again")
        return getattr(importlib.import_module(module), cls).from_json(packed["json"])
    return tuple(packed["tuple"]) if "tuple" in packed else packed["value"]
