"""A generated world whose truth is known: the place to prove a method before trusting it elsewhere."""

from recnb.world.media import HEARD, SHOWN, MediaSettings, MediaTruth, media_truth, write_world
from recnb.world.outcomes import draw_outcomes
from recnb.world.settings import DOMAINS, WorldSettings
from recnb.world.world import Truth, World, generate

__all__ = [
    "DOMAINS",
    "HEARD",
    "SHOWN",
    "MediaSettings",
    "MediaTruth",
    "Truth",
    "World",
    "WorldSettings",
    "draw_outcomes",
    "generate",
    "media_truth",
    "write_world",
]
