"""Reasons: past items and words behind a recommendation, what would have to be otherwise, and whether it is true."""

from __future__ import annotations

from recnb.effect.reasons.asking import Asked
from recnb.effect.reasons.faithfulness import (
    Curves,
    WordOrder,
    compared,
    past_curves,
    random_orders,
    stability,
    word_curves,
)
from recnb.effect.reasons.past import Counterfactual, PastItems, past_items, smallest_set
from recnb.effect.reasons.sentence import Reason, explain
from recnb.effect.reasons.texts import Retold, Words, item_words, word_reader

__all__ = [
    "Asked",
    "Counterfactual",
    "Curves",
    "PastItems",
    "Reason",
    "Retold",
    "WordOrder",
    "Words",
    "compared",
    "explain",
    "item_words",
    "past_curves",
    "past_items",
    "random_orders",
    "smallest_set",
    "stability",
    "word_curves",
    "word_reader",
]
