"""Studies: settings searched with an equal budget."""

from __future__ import annotations

from recnb.study.search import Search, Trial, search

__all__ = ["Search", "Trial", "search"]
