"""Numbers that statistics can bear."""

from __future__ import annotations

import numpy as np

from recnb.errors import InputError

LARGEST = 1e100
"""Squares of larger numbers, and sums of them, leave what a float holds."""


def check_size(values: np.ndarray, file: str, column: str) -> None:
    """Raise at a number whose square cannot be counted with."""
    large = np.abs(values) > LARGEST
    if large.any():
        at = int(large.argmax())
        raise InputError(
            f"{values[at]:g} is too large to count with",
            file=file,
            column=column,
            row=at + 1,
            mend="mend the cell, or use a larger unit",
        )
