"""What a lower floor may call although it lives higher: registered by name, loaded when called."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from recnb.errors import InputError

_HOOKS: dict[str, str | Callable[..., Any]] = {}


def register(name: str, target: str | Callable[..., Any]) -> None:
    """Say what `name` calls: a function, or ``"module:function"``, which costs nothing until it is called."""
    _HOOKS[name] = target


def call(name: str, *arguments: Any) -> Any:
    """Call what is registered.

    Raises
    ------
    InputError
        Nothing is.

    Examples
    --------
    >>> register("twice", "operator:mul")
    >>> call("twice", 2, 21)
    42
    """
    if name not in _HOOKS:
        raise InputError(f"nothing is registered as '{name}'", mend="hooks.register it")
    target = _HOOKS[name]
    if isinstance(target, str):
        module, _, function = target.partition(":")
        target = getattr(import_module(module), function)
    return target(*arguments)
