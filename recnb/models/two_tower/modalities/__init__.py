"""What an item is made of beside its text: tables of vectors, and a small network that makes them of files."""

from __future__ import annotations

from recnb.models.two_tower.modalities.tables import Modalities, chosen, media_of

__all__ = ["Modalities", "chosen", "media_of"]
