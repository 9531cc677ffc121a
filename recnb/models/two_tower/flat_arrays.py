"""Several arrays as one and back: what a model of many weights is saved as."""

from __future__ import annotations

import numpy as np


def flat(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, list[int]]]:
    """Arrays as one, and their names and shapes."""
    parts = [np.zeros(0, np.float32)] + [v.astype(np.float32).ravel() for v in arrays.values()]
    return np.concatenate(parts), {name: list(v.shape) for name, v in arrays.items()}


def unflat(together: np.ndarray, shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """The inverse of :func:`flat`.

    Examples
    --------
    >>> unflat(*flat({"a": np.ones((1, 2))}))["a"].tolist()
    [[1.0, 1.0]]
    """
    out, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        out[name] = together[start : start + size].reshape(shape)
        start += size
    return out
