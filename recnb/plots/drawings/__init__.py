"""Drawings of how things are built: boxes and arrows, one function per drawing; no data in them."""

from __future__ import annotations

from recnb.plots.drawings.fusion import draw_fusions, draw_stand_in
from recnb.plots.drawings.sketch import Box, arrow, box, sketch
from recnb.plots.drawings.tokens import draw_clocks, draw_padding
from recnb.plots.drawings.towers import draw_attentions, draw_two_tower

__all__ = [
    "Box",
    "arrow",
    "box",
    "draw_attentions",
    "draw_clocks",
    "draw_fusions",
    "draw_padding",
    "draw_stand_in",
    "draw_two_tower",
    "sketch",
]
