"""Settings in groups as settings of one class, by name."""

from __future__ import annotations

import inspect
from dataclasses import Field, fields
from typing import Any, TypeVar

from recnb.models.two_tower.settings.groups import GROUPS

T = TypeVar("T")


def flat(cls: type[T]) -> type[T]:
    """Give a class the fields of :data:`GROUPS` as settings of its own, as scikit-learn expects them.

    ``__init__`` takes each by name and keeps it under that name, unchanged; the class's docstring says what each is.
    """
    parts: list[Field] = [part for group in GROUPS for part in fields(group)]

    def __init__(self: Any, **settings: Any) -> None:
        unknown = [name for name in settings if name not in names]
        if unknown:
            raise TypeError(f"{cls.__name__} has no setting '{unknown[0]}'")
        for part in parts:
            setattr(self, part.name, settings.get(part.name, part.default))

    names = {part.name for part in parts}
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    given = [
        inspect.Parameter(
            part.name, inspect.Parameter.KEYWORD_ONLY, default=part.default, annotation=part.type
        )
        for part in parts
    ]
    __init__.__signature__ = inspect.Signature([own, *given])  # type: ignore[attr-defined]
    cls.__init__ = __init__  # type: ignore[method-assign, misc]
    docs = [_settings_of(group.__doc__ or "") for group in GROUPS]
    cls.__doc__ = inspect.cleandoc(cls.__doc__ or "").replace("{settings}", "\n".join(docs).strip())
    return cls


def _settings_of(doc: str) -> str:
    """The part of a docstring that says what the parameters are."""
    return inspect.cleandoc(doc).partition("----------\n")[2].partition("\n\nRaises\n")[0]
