"""Packages that only some models need."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from recnb.errors import InputError


def need(module: str, model: str, extra: str = "classical") -> ModuleType:
    """Import a module of an optional dependency, or say which extra brings it.

    Raises
    ------
    InputError
        It is not installed.

    Examples
    --------
    >>> need("no_such_package", "als")
    Traceback (most recent call last):
    recnb.errors.InputError: 'als' needs the package no_such_package; pip install "recnb[classical]"
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = (error.name or module).partition(".")[0]
        raise InputError(
            f"'{model}' needs the package {package}", mend=f'pip install "recnb[{extra}]"'
        ) from None


def need_myfm(model: str) -> ModuleType:
    """Import `myfm`, whose 0.4.0 asks setuptools for names that it never uses.

    setuptools 81 took its `pkg_resources` away, so an empty one stands in during the import.
    """
    if "myfm" in sys.modules or "pkg_resources" in sys.modules:
        return need("myfm", model)
    stand_in = ModuleType("pkg_resources")
    stand_in.__dict__.update(DistributionNotFound=ImportError, get_distribution=None)
    sys.modules["pkg_resources"] = stand_in
    try:
        return need("myfm", model)
    finally:
        del sys.modules["pkg_resources"]
