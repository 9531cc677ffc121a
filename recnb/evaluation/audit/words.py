"""The words of a table."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy import sparse


def words_of(table: pd.DataFrame) -> list[set[str]]:
    """The words in all text columns of each row."""
    texts = [
        table[c].astype("string").fillna("")
        for c in table.columns
        if table[c].dtype == object
        or isinstance(table[c].dtype, pd.StringDtype | pd.CategoricalDtype)
    ]
    if not texts:
        return [set() for _ in range(len(table))]
    return [{w for text in row for w in re.findall(r"[\w-]+", text.lower())} for row in zip(*texts)]


def table_of(words: list[set[str]]) -> sparse.csr_matrix:
    """Which words stand in each row, (rows, words), ones."""
    code: dict[str, int] = {}
    columns = [code.setdefault(word, len(code)) for row in words for word in sorted(row)]
    rows = np.repeat(np.arange(len(words)), [len(row) for row in words] if words else 0)
    return sparse.csr_matrix(
        (np.ones(len(columns)), (rows, columns)), shape=(len(words), max(len(code), 1))
    )
