"""Texts of like length side by side, so that padding costs next to nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def token_batches(lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """Cut texts into batches of like length that hold at most `budget` tokens, padding counted.

    Parameters
    ----------
    lengths : ndarray of shape (n_texts,), int
        Tokens of each text, sorted from long to short.
    budget : int
        Tokens a batch; a text above it is a batch of its own.

    Returns
    -------
    list of ndarray of int
        Positions in `lengths`; each position once.

    Examples
    --------
    >>> [batch.tolist() for batch in token_batches(np.array([9, 4, 4, 2]), budget=8)]
    [[0], [1, 2], [3]]
    """
    batches, start = [], 0
    while start < len(lengths):
        size = max(1, budget // max(1, int(lengths[start])))  # the first is the longest
        batches.append(np.arange(start, min(start + size, len(lengths))))
        start += size
    return batches


def pad(rows: Sequence[Sequence[int] | np.ndarray], filler: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids of several texts as one block, padded on the right to the longest of them.

    Parameters
    ----------
    rows : list of list of int
        Token ids of each text.
    filler : int
        The id that fills the empty places.

    Returns
    -------
    ids, mask : ndarray of shape (n_texts, longest), int64
        `mask` is 1 at a token and 0 at padding. On the right, because then a decoder's states and
        positions are those of the text alone.

    Examples
    --------
    >>> ids, mask = pad([[5, 6], [7]], filler=0)
    >>> ids.tolist(), mask.tolist()
    ([[5, 6], [7, 0]], [[1, 1], [1, 0]])
    """
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, filler, dtype=np.int64)
    ids[mask] = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    return ids, mask.astype(np.int64)
