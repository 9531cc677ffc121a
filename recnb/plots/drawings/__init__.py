"""Drawings of how things are built: boxes and arrows, one function per drawing; no data in them."""

from __future__ import annotations

from recnb.plots.drawings.fusion import draw_fusions, draw_stand_in
from recnb.plots.drawings.sketch import Box, arrow, box, sketch

__all__ = ["Box", "arrow", "box", "draw_fusions", "draw_stand_in", "sketch"]
