"""The contract of every model, from popularity to a tuned language model: fit, score, and abilities it may have."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from recnb import topk
from recnb.data import Dataset
from recnb.data.hashing import hash_ids
from recnb.errors import InputError

_SCHEMA = 1


class Recommender(BaseEstimator):
    """A scikit-learn estimator that scores every item for a user.

    A subclass takes its settings in ``__init__`` (stored under the same names, not changed), implements
    :meth:`_fit` and :meth:`score`, and stores what it learns in attributes that end with an underscore.

    Abilities are methods that are there or not: ``predict(users, items)`` in rating units, ``factors()``,
    ``with_items(items)``.

    Attributes
    ----------
    cheap : bool
        Fits in seconds; evaluated again under other tie orders.
    cheap_items : int or None
        The largest catalogue for which that holds; None means any.
    seeded : bool
        Fitting draws random numbers, so several seeds say more than one. Such a model has a setting `seed`.
    uses_valid : bool
        Fitting with `valid` chooses something (epochs, a weight): it is fitted on train with valid first, and then
        again on all that is known with what :meth:`chosen` says.
    needs_text : bool
        It cannot be fitted without item text.
    """

    cheap = False
    cheap_items: int | None = None
    seeded = False
    uses_valid = False
    needs_text = False

    def fit(self, train: Dataset, valid: Dataset | None = None) -> Recommender:
        """Learn from `train`; a model that stops early watches `valid` and leaves `n_epochs_`.

        Returns
        -------
        self
        """
        if not isinstance(train, Dataset):
            raise InputError(
                f"fit expects a recnb Dataset, got {type(train).__name__}",
                mend="Dataset.from_frames(frame)",
            )
        self.remember(train)
        self._fit(train, valid)
        return self

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        raise NotImplementedError(f"{type(self).__name__} implements neither fit nor _fit")

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        """Scores of all items for some users.

        Parameters
        ----------
        users : ndarray of shape (n,), int
            User codes; callers pass blocks.
        history : Dataset, optional
            What is known of the users now, over the same users and items; None means the training data.

        Returns
        -------
        ndarray of shape (n, n_items), float32
            Higher is better. Every value is finite.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement score")

    def remember(self, train: Dataset) -> None:
        """Keep the ids and the digest of the training data, so that lists and saved models can name them."""
        self.user_ids_ = train.user_ids
        self.item_ids_ = train.item_ids
        self.dataset_identity_ = train.identity
        self.dataset_digest_ = train.digest

    def check_installed(self) -> None:
        """Raise, naming the extra, where a package that the model needs is missing; before any fitting."""

    def chosen(self) -> dict[str, Any]:
        """Settings that fitting with `valid` found, by name: those to keep when refitting.

        The base class knows `n_epochs_`, for a model with a setting `n_epochs`.
        """
        found = getattr(self, "n_epochs_", None)
        return {"n_epochs": int(found)} if found and "n_epochs" in self.get_params() else {}

    def parameters(self) -> tuple[int, int]:
        """Numbers that the model holds: (trainable, total). Counted over its fitted float arrays."""
        total = 0
        for name, value in vars(self).items():
            if not name.endswith("_"):
                continue
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, Recommender):
                    total += part.parameters()[1]
                elif sparse.issparse(part):
                    total += part.nnz
                elif isinstance(part, np.ndarray) and part.dtype.kind == "f":
                    total += part.size
        return total, total

    @property
    def fitted(self) -> bool:
        """Whether :meth:`fit` has been called."""
        return any(name.endswith("_") and not name.startswith("_") for name in vars(self))

    def save(self, path: str | Path) -> None:
        """Write a folder of json and safetensors; nothing in it runs code when it is read.

        Raises
        ------
        InputError
            The model is not fitted, or holds something that has no safe form.
        """
        if not self.fitted:
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
        self._write(Path(path))

    def _write(self, path: Path) -> None:
        # A model that another one holds may be its setting, and not fitted.
        path.mkdir(parents=True, exist_ok=True)
        plain: dict[str, Any] = {}
        arrays: dict[str, np.ndarray] = {}
        models: dict[str, Recommender] = {}
        state = {k: v for k, v in vars(self).items() if k.endswith("_")}
        for name, value in {**state, **self.get_params(deep=False)}.items():
            _pack(name, value, plain, arrays, models)
        from safetensors.numpy import save_file

        save_file(arrays, path / "model.safetensors")
        for name, model in models.items():
            (model.save if model.fitted else model._write)(path / name)
        head = {
            "schema": _SCHEMA,
            "class": f"{type(self).__module__}:{type(self).__qualname__}",
            "values": plain,
            "models": sorted(models),
        }
        (path / "model.json").write_text(json.dumps(head, indent=1), encoding="utf-8")


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
        values = {k: _unpack(k, v, arrays) for k, v in head["values"].items()}
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
    if head["schema"] != _SCHEMA:
        raise InputError(
            f"written as schema {head['schema']}, this version reads {_SCHEMA}",
            file=str(path),
            mend="save again",
        )
    if any(
        not isinstance(n, str) or not n.replace(".", "_").isidentifier() for n in head["models"]
    ):
        raise InputError("model.json names no part of the model", file=str(path), mend="save again")
    return head


def _pack(name: str, value: Any, plain: dict, arrays: dict, models: dict) -> None:
    if isinstance(value, Recommender):
        models[name] = value
    elif (
        isinstance(value, (list, tuple))
        and value
        and all(isinstance(v, Recommender) for v in value)
    ):
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


def _unsafe(name: str, kind: str) -> InputError:
    return InputError(f"'{name}' ({kind}) has no safe form", mend="store arrays, text and numbers")


def _unpack(name: str, packed: dict, arrays: dict) -> Any:
    if "csr" in packed:
        parts = tuple(arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
        return sparse.csr_matrix(parts, shape=tuple(packed["csr"]))
    if "ids" in packed:
        return np.array(packed["ids"], dtype=object)
    if "array" in packed:
        return arrays[name]
    if "object" in packed:
        module, _, cls = packed["object"].partition(":")
        if not module.startswith("recnb."):
            raise InputError(f"{packed['object']} is no part of recnb", mend="save the model again")
        return getattr(importlib.import_module(module), cls).from_json(packed["json"])
    return tuple(packed["tuple"]) if "tuple" in packed else packed["value"]


def top_k(
    model: Recommender | np.ndarray,
    users: np.ndarray | None = None,
    k: int = 10,
    exclude: Dataset | sparse.csr_matrix | None = None,
    candidates: np.ndarray | None = None,
    history: Dataset | None = None,
) -> np.ndarray:
    """The `k` best items of each user, best first.

    Parameters
    ----------
    model : Recommender or ndarray of shape (n_users, n_items)
        A fitted model, or scores whose row is the user's code.
    users : ndarray of shape (n,), int, optional
        User codes; None means all.
    k : int
    exclude : Dataset or csr_matrix of shape (n_users, n_items), optional
        Pairs that are never listed: every pair that occurs, or every stored entry.
    candidates : ndarray of int, optional
        The only item codes that may be listed; None means the whole catalogue.
    history : Dataset, optional
        Passed to the model's `score`.

    Returns
    -------
    ndarray of shape (n, k), int64
        Item codes, -1 where a list is short.

    Raises
    ------
    InputError
        A score is NaN or infinite, a code does not exist, `k` is below 1.

    Notes
    -----
    Ties are broken by a hash of the user's and the item's id (of the codes where the model knows no ids).

    Examples
    --------
    >>> top_k(np.array([[.2, .9, .4], [.5, .1, .3]], dtype=np.float32), k=2)
    array([[1, 2],
           [0, 2]])
    """
    return top_k_scores(model, users, k, exclude, candidates, history)[0]


def top_k_scores(
    model: Recommender | np.ndarray,
    users: np.ndarray | None = None,
    k: int = 10,
    exclude: Dataset | sparse.csr_matrix | None = None,
    candidates: np.ndarray | None = None,
    history: Dataset | None = None,
    name: str | None = None,
    ids: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`top_k`, with the scores of the listed items (NaN where a list is short).

    `ids` are the user and item ids by code; their hashes break ties.
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise InputError(f"k={k}", mend="ask for a whole number of items, at least one")
    name = name or (type(model).__name__ if isinstance(model, Recommender) else "the score matrix")
    user_ids, item_ids = ids if ids is not None else _ids(model)
    n_items = len(item_ids)
    users = np.arange(len(user_ids)) if users is None else np.asarray(users)
    if len(users) and (users.min() < 0 or users.max() >= len(user_ids)):
        raise InputError(
            f"a user code outside 0..{len(user_ids) - 1}", mend="pass codes of this data set"
        )
    allowed = None if candidates is None else _shelf(candidates, n_items)
    barred = None
    if exclude is not None:
        barred = exclude.pairs() if isinstance(exclude, Dataset) else sparse.csr_matrix(exclude)
        if barred.shape != (len(user_ids), n_items):
            raise InputError(
                f"exclude has shape {barred.shape}, expected {(len(user_ids), n_items)}",
                mend="pass pairs of this data set",
            )
    score_block, threads, finite = _scorer(model, users, history, name)
    return topk.rank_blocks(
        len(users),
        n_items,
        score_block,
        k,
        hash_ids(user_ids)[users],
        hash_ids(item_ids),
        None if barred is None else barred[users],
        allowed,
        name,
        threads,
        finite,
    )


def _shelf(candidates: np.ndarray, n_items: int) -> np.ndarray:
    """The candidates as a mask."""
    codes = np.asarray(candidates)
    if codes.dtype == bool and codes.shape == (n_items,):
        return codes
    codes = codes.astype(int) if not len(codes) else codes
    if codes.dtype.kind not in "iu" or ((codes < 0) | (codes >= n_items)).any():
        raise InputError(
            f"a candidate outside 0..{n_items - 1}", mend="pass item codes of this data set"
        )
    allowed = np.zeros(n_items, bool)
    allowed[codes] = True
    return allowed


def _scorer(model, users: np.ndarray, history: Dataset | None, name: str):
    if not isinstance(model, Recommender):
        if not hasattr(model, "score"):
            scores = np.asarray(model, dtype=np.float32)
            return lambda start, stop: scores[users[start:stop]], 1, False
    elif history is None and hasattr(model, "factors"):
        left, right = model.factors()
        left, right = (
            np.ascontiguousarray(left[users], np.float32),
            np.ascontiguousarray(right.T, np.float32),
        )
        # A product of finite factors overflows float32 only where their norms do.
        largest = [float(np.abs(part).max(initial=0)) for part in (left, right)]
        finite = largest[0] * largest[1] * left.shape[1] < float(np.finfo(np.float32).max)
        return topk.Product(left, right), topk.n_threads(), finite
    return lambda start, stop: model.score(users[start:stop], history), 1, False


def _ids(model) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(model, Recommender):
        if not hasattr(model, "item_ids_"):
            raise InputError(f"{type(model).__name__} is not fitted", mend="call fit first")
        return model.user_ids_, model.item_ids_
    shape = np.asarray(model).shape
    return np.arange(shape[0]).astype(str), np.arange(shape[1]).astype(str)
