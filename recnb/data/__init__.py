"""Data in: tables checked at the door, the catalogue, splits, text, pictures and sounds."""

from recnb.data import media, splits
from recnb.data.catalog import find
from recnb.data.dataset import Dataset
from recnb.data.describe import gini, in_head, tied_last
from recnb.data.media import Media
from recnb.data.split import Split
from recnb.data.text import Text, clean, history_sentences, rating_word

__all__ = [
    "Dataset",
    "Media",
    "Split",
    "Text",
    "clean",
    "find",
    "gini",
    "history_sentences",
    "in_head",
    "media",
    "rating_word",
    "splits",
    "tied_last",
]
