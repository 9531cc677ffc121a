"""Models made of models: what the parts need, read and hold is that of the whole."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.base import clone

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.recommender import Reads, Recommender


class Composed(Recommender):
    """A model made of others, given unfitted; it fits clones of them, and what they need and can is its own.

    Subclasses name their parts in ``_parts``: names of settings that hold a model or a list of models.
    """

    _parts: tuple[str, ...] = ()
    seed: int | None

    def given(self) -> list[Recommender]:
        """The models as they were given."""
        out: list[Recommender] = []
        for name in self._parts:
            value = getattr(self, name)
            out += value if isinstance(value, (list, tuple)) else [value]
        for model in out:
            if not isinstance(model, Recommender):
                raise InputError(
                    f"{type(self).__name__}: {model!r} is no model",
                    mend="recnb.make makes one by name",
                )
        return out

    def _check_texts(self, train: Dataset) -> None:
        """Each part checks its own when it is fitted; here only that the parts are models."""
        self.given()

    @property
    def cheap(self) -> bool:  # type: ignore[override]
        return all(m.cheap for m in self.given())

    @property
    def seeded(self) -> bool:  # type: ignore[override]
        return any(m.seeded for m in self.given())

    @property
    def needs_text(self) -> bool:  # type: ignore[override]
        return any(m.needs_text for m in self.given())

    @property
    def uses_valid(self) -> bool:  # type: ignore[override]
        return any(m.uses_valid for m in self.given())

    @property
    def needs_ratings(self) -> bool:  # type: ignore[override]
        return any(m.needs_ratings for m in self.given())

    @property
    def packages(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(dict.fromkeys(p for m in self.given() for p in m.packages))

    def check_data(self, train: Dataset) -> None:
        """What each part needs."""
        for part in self.given():
            part.check_data(train)

    def text_columns(self, items: pd.DataFrame) -> tuple[str, ...]:
        """Those of all parts."""
        return tuple(dict.fromkeys(c for part in self.given() for c in part.text_columns(items)))

    @property
    def uses_history(self) -> bool:  # type: ignore[override]
        return any(m.uses_history for m in self.given())

    def reads(self) -> Reads:
        """What the parts read together; fitted parts know best."""
        return Reads.joined(part.reads() for part in self.parts())

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Settings; with `deep` those of the parts too, in lists as ``models__0__l2``."""
        out = super().get_params(deep=deep)
        for name in self._parts if deep else ():
            value = getattr(self, name)
            for i, model in enumerate(value if isinstance(value, (list, tuple)) else ()):
                out |= {f"{name}__{i}__{k}": v for k, v in model.get_params().items()}
        return out

    def set_params(self, **params: Any) -> Composed:
        """Change settings, by the names of :meth:`get_params`."""
        own, inner = {}, {}
        for key, value in params.items():
            name, _, rest = key.partition("__")
            number, _, setting = rest.partition("__")
            if name in self._parts and number.isdigit() and setting:
                inner[name, int(number), setting] = value
            else:
                own[key] = value
        super().set_params(**own)
        for (name, i, setting), value in inner.items():
            getattr(self, name)[i].set_params(**{setting: value})
        return self

    def _fitted(self, model: Recommender, train: Dataset, valid: Dataset | None) -> Recommender:
        model = clone(model)
        if self.seed is not None and model.seeded:
            model.set_params(seed=self.seed)
        return model.fit(train, valid)

    def search_space(self) -> dict[str, tuple]:
        """Settings that are searched for the whole and not for a part on its own."""
        return {}

    def map_parts(self, change: Callable[[Recommender], Recommender]) -> Composed:
        """An unfitted copy whose parts are what `change` makes of them (a search, say)."""
        new: dict[str, Any] = {}
        for name in self._parts:
            value = getattr(self, name)
            many = isinstance(value, (list, tuple))
            new[name] = [change(m) for m in value] if many else change(value)
        return clone(self).set_params(**new)

    def parts(self) -> list[Recommender]:
        """The fitted models."""
        out: list[Recommender] = []
        for name in self._parts:
            # A model read from disk holds its fitted parts as settings.
            value = getattr(self, f"{name}_", getattr(self, name))
            out += value if isinstance(value, (list, tuple)) else [value]
        return out

    def parameters(self) -> tuple[int, int]:
        """Numbers that the fitted models hold: (trainable, total)."""
        pairs = [m.parameters() for m in self.parts()]
        return sum(p[0] for p in pairs), sum(p[1] for p in pairs)

    def save(self, path: str | Path) -> None:
        """As :meth:`Recommender.save`; the fitted parts take the place of the unfitted ones."""
        out: Any = copy.copy(self)
        for name in self._parts:
            if hasattr(self, f"{name}_"):
                setattr(out, name, getattr(self, f"{name}_"))
                delattr(out, f"{name}_")
        Recommender.save(out, path)

    def _grown(self, items: pd.DataFrame) -> Any:
        """A copy whose parts score new items too.

        Raises
        ------
        InputError
            A part cannot.
        """
        out: Any = copy.copy(self)
        for name in self._parts:
            value = getattr(self, f"{name}_", getattr(self, name))
            many = isinstance(value, (list, tuple))
            grown = []
            for model in value if many else [value]:
                if not hasattr(model, "with_items"):
                    raise InputError(
                        f"{type(model).__name__} cannot score new items", mend="fit it again"
                    )
                grown.append(model.with_items(items))
            setattr(out, f"{name}_", grown if many else grown[0])
        out.item_ids_ = out.parts()[0].item_ids_
        return out
