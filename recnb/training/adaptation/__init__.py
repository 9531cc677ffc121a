"""A language model adapted to a catalogue without labels: masked words, two readings of a text, items used together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "adapt": ["Adapted", "adapt"],
        "neighbours": ["Neighbours", "used_together"],
        "settings": ["METHODS", "Adaptation"],
    },
)

if TYPE_CHECKING:
    from recnb.training.adaptation.adapt import Adapted as Adapted
    from recnb.training.adaptation.adapt import adapt as adapt
    from recnb.training.adaptation.neighbours import Neighbours as Neighbours
    from recnb.training.adaptation.neighbours import used_together as used_together
    from recnb.training.adaptation.settings import METHODS as METHODS
    from recnb.training.adaptation.settings import Adaptation as Adaptation
