"""Attacks: how far a seller can climb by words or by invented users, and what defences cost."""

from __future__ import annotations

from recnb.effect.attacks.defences import (
    Cleaned,
    Round,
    best_responses,
    hardened,
    plain_characters,
    sanitised,
)
from recnb.effect.attacks.edits import (
    DISGUISES,
    ORDER,
    Edit,
    copying,
    ordering,
    popular_words,
    rewritten,
    stuffing,
)
from recnb.effect.attacks.gains import pick_targets, shilling_gains, summary, text_gains
from recnb.effect.attacks.shilling import shilled

__all__ = [
    "DISGUISES",
    "ORDER",
    "Cleaned",
    "Edit",
    "Round",
    "best_responses",
    "copying",
    "hardened",
    "ordering",
    "pick_targets",
    "plain_characters",
    "popular_words",
    "rewritten",
    "sanitised",
    "shilled",
    "shilling_gains",
    "stuffing",
    "summary",
    "text_gains",
]
