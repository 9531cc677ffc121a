"""Logs of shown items: a checked table, its readers, and logs drawn from a world whose truth is known."""

from __future__ import annotations

from recnb.effect.logs.log import OUTCOMES, Log
from recnb.effect.logs.published import (
    coat_log,
    grocery_log,
    mind_log,
    open_bandit_log,
)
from recnb.effect.logs.reading import read_log
from recnb.effect.logs.world import draw_log, true_values, world_log

__all__ = [
    "OUTCOMES",
    "Log",
    "coat_log",
    "draw_log",
    "grocery_log",
    "mind_log",
    "open_bandit_log",
    "read_log",
    "true_values",
    "world_log",
]
