"""Ways of tuning a language model: methods, adapters, several adapters on one base."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

# Loaded at first use: torch only where something needs it.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "adapters": ["RankBudget", "SideAdapter"],
        "bank": ["Adapter", "AdapterBank"],
        "merging": ["save_merged"],
        "methods": ["METHODS", "Method", "counts", "depth_of", "merged", "method_of", "tune"],
    },
)

if TYPE_CHECKING:
    from recnb.tuning.adapters import RankBudget as RankBudget
    from recnb.tuning.adapters import SideAdapter as SideAdapter
    from recnb.tuning.bank import Adapter as Adapter
    from recnb.tuning.bank import AdapterBank as AdapterBank
    from recnb.tuning.merging import save_merged as save_merged
    from recnb.tuning.methods import METHODS as METHODS
    from recnb.tuning.methods import Method as Method
    from recnb.tuning.methods import counts as counts
    from recnb.tuning.methods import depth_of as depth_of
    from recnb.tuning.methods import merged as merged
    from recnb.tuning.methods import method_of as method_of
    from recnb.tuning.methods import tune as tune
