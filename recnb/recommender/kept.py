"""Scores of pairs kept as they come, so that a run that was stopped judges none of them twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from recnb.recommender.contract import Recommender


class Keeper(Protocol):
    """Where scores are kept, by a key that stands for all that decides them."""

    def get(self, model: Recommender, key: str) -> np.ndarray | None:
        """The scores, or None."""
        ...

    def put(self, model: Recommender, key: str, scores: np.ndarray) -> None:
        """Keep scores."""
        ...


_keeper: ContextVar[Keeper | None] = ContextVar("keeper", default=None)


@contextmanager
def keeping(keeper: Keeper) -> Iterator[None]:
    """Let the models asked inside keep the pairs they have judged."""
    token = _keeper.set(keeper)
    try:
        yield
    finally:
        _keeper.reset(token)


class Kept:
    """The scores that a model has given to blocks of pairs, kept where somebody keeps them.

    A key stands for the class of the model, its settings, all that it learned and the pairs themselves: scores of
    another training, wording or history are not found.

    Parameters
    ----------
    model : Recommender
    more : callable
        Gives what else decides the scores; asked where somebody keeps them.
    """

    def __init__(self, model: Recommender, more: Callable[[], Any]) -> None:
        self.model, self.keeper = model, _keeper.get()
        self.identity = "" if self.keeper is None else _identity(model, more())

    def __bool__(self) -> bool:
        return self.keeper is not None

    def has(self, *asked: Any) -> bool:
        """Whether a block was judged before."""
        return self.keeper is not None and self.keeper.get(self.model, self._key(asked)) is not None

    def scores(self, judge: Callable[[], np.ndarray], *asked: Any) -> np.ndarray:
        """The scores of a block: those kept, or what `judge` gives, which is kept."""
        if self.keeper is None:
            return judge()
        key = self._key(asked)
        kept = self.keeper.get(self.model, key)
        if kept is None:
            kept = judge()
            self.keeper.put(self.model, key, kept)
        return kept

    def _key(self, asked: Any) -> str:
        digest = sha256(self.identity.encode())
        _update(digest, asked)
        return digest.hexdigest()[:32]


def _identity(model: Recommender, more: Any) -> str:
    digest = sha256(f"{type(model).__module__}.{type(model).__qualname__}".encode())
    learned = {k: v for k, v in vars(model).items() if k.endswith("_") and not k.startswith("_")}
    _update(digest, [sorted(model.get_params(deep=False).items()), sorted(learned.items()), more])
    return digest.hexdigest()


def _update(digest: Any, value: Any) -> None:
    """Take in a value, arrays by their content."""
    if sparse.issparse(value):
        value = value.tocsr()
        value = ["sparse", value.shape, value.indptr, value.indices, value.data]
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode())
        plain = value.dtype.kind in "biuf"
        digest.update(np.ascontiguousarray(value).tobytes() if plain else repr(value.tolist()).encode())  # fmt: skip
    elif isinstance(value, dict):
        _update(digest, sorted(value.items()))
    elif isinstance(value, (list, tuple)):
        digest.update(f"[{len(value)}".encode())
        for part in value:
            _update(digest, part)
    else:
        digest.update(f"{type(value).__name__}:{value!r};".encode())
