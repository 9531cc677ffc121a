"""Studies: settings searched with an equal budget, models through the months."""

from __future__ import annotations

from recnb.study.clock import Clock, Way
from recnb.study.over_time import Run, compared, over_time
from recnb.study.search import search
from recnb.study.trials import Search, Trial

__all__ = ["Clock", "Run", "Search", "Trial", "Way", "compared", "over_time", "search"]
