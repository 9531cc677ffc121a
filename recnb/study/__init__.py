"""Studies: settings searched with an equal budget."""

from __future__ import annotations

from recnb.study.search import search
from recnb.study.trials import Search, Trial

__all__ = ["Search", "Trial", "search"]
