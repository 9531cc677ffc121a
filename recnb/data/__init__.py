"""Data in: tables checked at the door, the catalogue, splits, text, and the generated world."""

from recnb.data import splits
from recnb.data.dataset import Dataset
from recnb.data.splits import Split
from recnb.data.text import Text

__all__ = ["Dataset", "Split", "Text", "splits"]
