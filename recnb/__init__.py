"""recnb: does a language model help this recommender, by how much, for whom, and at what cost?"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "load": "recnb.data.catalog",
    "evaluate": "recnb.evaluation",
    "search": "recnb.study",
    "top_k": "recnb.recommender",
    "read_lists": "recnb.lists",
    "load_model": "recnb.recommender",
    "Recommender": "recnb.recommender",
    "InputError": "recnb.errors",
}
__all__ = [*_HOMES, "__version__"]

if TYPE_CHECKING:
    from recnb.data.catalog import load as load
    from recnb.errors import InputError as InputError
    from recnb.evaluation import evaluate as evaluate  # type: ignore[no-redef]
    from recnb.lists import read_lists as read_lists
    from recnb.recommender import Recommender as Recommender
    from recnb.recommender import load_model as load_model
    from recnb.recommender import top_k as top_k
    from recnb.study import search as search  # type: ignore[no-redef]


def __getattr__(name: str):
    # Loaded at first use, so that `import recnb` stays fast.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'recnb' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
