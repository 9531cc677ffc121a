"""Text ids to codes, fast: short ids are compared as whole numbers."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_SHORT = 7  # bytes; the eighth of a 64-bit number holds the length


def encode(ids: Any) -> tuple[Any, NDArray[np.int32]]:
    """Distinct ids by first appearance, and the code of each row.

    Parameters
    ----------
    ids : pyarrow Array of shape (n_rows,)
        Without nulls.

    Returns
    -------
    distinct : pyarrow Array of the same type
    codes : ndarray of shape (n_rows,), int32

    Notes
    -----
    Strings of up to 7 bytes are packed with their length into one 64-bit number each, and the numbers
    are hashed: about twice as fast as hashing the strings. Other ids go to pyarrow as they are.

    Examples
    --------
    >>> distinct, codes = encode(pa.array(["b", "a", "b"]))
    >>> distinct.to_pylist(), codes
    (['b', 'a'], array([0, 1, 0], dtype=int32))
    """
    packed = _pack(ids)
    if packed is None:
        coded = pc.dictionary_encode(ids)
        return coded.dictionary, coded.indices.to_numpy()
    coded = pc.dictionary_encode(pa.array(packed))
    distinct = _unpack(coded.dictionary.to_numpy()).cast(ids.type)
    return distinct, coded.indices.to_numpy()


def _pack(ids: Any) -> NDArray[np.uint64] | None:
    """Each string as one number; None where the ids are no short strings."""
    large = pa.types.is_large_string(ids.type)
    if not (large or pa.types.is_string(ids.type)) or not len(ids) or sys.byteorder != "little":
        return None
    _, offsets, text = ids.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64 if large else np.int32)
    ends = ends[ids.offset : ids.offset + len(ids) + 1]
    length = np.diff(ends)
    if length.max() > _SHORT or text is None:
        return None
    # Every 8 bytes of the text as a number, at every byte; the last rows need a margin.
    used = int(ends[-1])
    margin = np.zeros(used + 8, dtype=np.uint8)
    margin[:used] = np.frombuffer(text, dtype=np.uint8, count=used)
    words: NDArray[np.uint64] = np.ndarray((used + 1,), np.uint64, margin, strides=(1,))
    number = words[ends[:-1]]
    keep = (np.uint64(1) << (8 * np.arange(_SHORT + 1, dtype=np.uint64))) - np.uint64(1)
    number &= keep.take(length)
    number |= length.astype(np.uint64) << np.uint64(56)
    return number


def _unpack(numbers: NDArray[np.uint64]) -> Any:
    """The strings that `_pack` made numbers of."""
    parts = np.ascontiguousarray(numbers).view(np.uint8).reshape(-1, 8)
    length = parts[:, _SHORT].astype(np.int64)
    text = parts[:, :_SHORT][np.arange(_SHORT) < length[:, None]]
    ends = np.concatenate([[0], np.cumsum(length)])
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(text)]
    return pa.Array.from_buffers(pa.large_string(), len(numbers), buffers)
