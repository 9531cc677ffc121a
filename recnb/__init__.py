"""recnb: does a language model help this recommender, by how much, for whom, and at what cost?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

from recnb import hooks

__version__ = "0.1.0"

# Loaded at first use, so that `import recnb` stays fast.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "errors": ["InputError"],
        "data": ["Dataset", "Split", "Text", "splits"],
        "world.loading": ["load"],
        "recommender": ["Recommender", "load_model", "read_lists", "top_k"],
        "evaluation": ["Evaluation", "Protocol", "evaluate"],
        "models": ["make", "register"],
        "report": ["write_report"],
        "study": ["search"],
    },
)
__all__ += ["__version__"]
hooks.register("report", "recnb.report:write_report")

if TYPE_CHECKING:
    from recnb.data import Dataset as Dataset
    from recnb.data import Split as Split
    from recnb.data import Text as Text
    from recnb.data import splits as splits
    from recnb.errors import InputError as InputError
    from recnb.evaluation import Evaluation as Evaluation
    from recnb.evaluation import Protocol as Protocol
    from recnb.evaluation import evaluate as evaluate  # type: ignore[no-redef]
    from recnb.models import make as make
    from recnb.models import register as register
    from recnb.recommender import Recommender as Recommender
    from recnb.recommender import load_model as load_model
    from recnb.recommender import read_lists as read_lists
    from recnb.recommender import top_k as top_k
    from recnb.report import write_report as write_report
    from recnb.study import search as search  # type: ignore[no-redef]
    from recnb.world.loading import load as load
