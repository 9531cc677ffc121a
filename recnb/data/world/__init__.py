"""A generated world whose truth is known: the place to prove a method before trusting it elsewhere."""

from recnb.data.world.settings import DOMAINS, WorldSettings
from recnb.data.world.world import Truth, World, generate

__all__ = ["DOMAINS", "Truth", "World", "WorldSettings", "generate"]
