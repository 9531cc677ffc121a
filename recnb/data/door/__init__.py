"""The door: tables as people have them become tables with our columns, and every guess is said."""

from recnb.data.door.options import Reading, Undecided
from recnb.data.door.reading import (
    Arrived,
    read_entities,
    read_interactions,
    read_items,
    read_table,
)

__all__ = [
    "Arrived",
    "Reading",
    "Undecided",
    "read_entities",
    "read_interactions",
    "read_items",
    "read_table",
]
