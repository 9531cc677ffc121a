"""Settings in frozen groups that a model still takes flat and by name, as scikit-learn expects them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, TypeVar

from recnb.errors import InputError
from recnb.training.settings import check_whole

T = TypeVar("T")
G = TypeVar("G")


def flat(*groups: type) -> Callable[[type[T]], type[T]]:
    """Give a class the fields of frozen dataclasses as settings of its own.

    ``__init__`` takes each by name and keeps it under that name, unchanged; ``{settings}`` in the class's docstring
    becomes what the groups' docstrings say of them, in their order.

    Parameters
    ----------
    *groups : dataclass
        Their fields have defaults and different names.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Training:
    ...     epochs: int = 5
    >>> @flat(Training)
    ... class Model:
    ...     "A model."
    >>> Model(epochs=3).epochs, group_of(Model(), Training)
    (3, Training(epochs=5))
    """
    parts: list[Field] = [part for group in groups for part in fields(group)]
    names = {part.name for part in parts}
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    given = [
        inspect.Parameter(
            part.name, inspect.Parameter.KEYWORD_ONLY, default=part.default, annotation=part.type
        )
        for part in parts
    ]
    docs = [_settings_of(group.__doc__ or "") for group in groups]

    def decorated(cls: type[T]) -> type[T]:
        def __init__(self: Any, **settings: Any) -> None:
            unknown = [name for name in settings if name not in names]
            if unknown:
                raise TypeError(f"{cls.__name__} has no setting '{unknown[0]}'")
            for part in parts:
                setattr(self, part.name, settings.get(part.name, part.default))

        __init__.__signature__ = inspect.Signature([own, *given])  # type: ignore[attr-defined]
        cls.__init__ = __init__  # type: ignore[method-assign, misc]
        doc = inspect.cleandoc(cls.__doc__ or "")
        cls.__doc__ = doc.replace("{settings}", "\n".join(map(str.strip, docs)).strip())
        return cls

    return decorated


def _settings_of(doc: str) -> str:
    """The part of a docstring that says what the parameters are."""
    return inspect.cleandoc(doc).partition("----------\n")[2].partition("\n\nRaises\n")[0]


def group_of(model: Any, group: type[G]) -> G:
    """The group of settings that a model has under their names."""
    return group(**{part.name: getattr(model, part.name) for part in fields(group)})  # type: ignore[arg-type]


def one_of(group: Any, name: str, known: tuple[str, ...]) -> None:
    """Refuse a setting that is none of the known values."""
    if getattr(group, name) not in known:
        raise InputError(f"{name}={getattr(group, name)!r}", mend=f"one of {', '.join(known)}")


def whole_numbers(group: Any, *names: str, least: int = 1) -> None:
    """Refuse settings that are no whole number of at least `least`; None passes where it is the default."""
    optional = {part.name for part in fields(group) if part.default is None}
    for name in names:
        check_whole(getattr(group, name), name, least, name in optional)


def not_negative(group: Any, *names: str) -> None:
    """Refuse settings below 0."""
    for name in names:
        if not getattr(group, name) >= 0:
            raise InputError(f"{name}={getattr(group, name)!r}", mend="0 or more")
