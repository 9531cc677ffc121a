"""What a result was made with: versions and processors, without a name of the machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from os import cpu_count

_PACKAGES = (
    "recnb",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "implicit",
    "myfm",
    "optuna",
    "torch",
    "transformers",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape results, the system and the number of processors."""
    out = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    out["processors"] = str(cpu_count())
    for name in _PACKAGES:
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            continue
    return out
