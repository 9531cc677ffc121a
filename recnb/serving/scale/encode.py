"""A catalogue's texts encoded by several workers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recnb.study.ahead import Workers

BLOCK = 2048  # texts of a job


def encode_catalogue(
    texts: Sequence[str],
    workers: Workers,
    encoder: str | Path | None = None,
    block: int = BLOCK,
    **settings: Any,
) -> np.ndarray:
    """Vectors of texts, each distinct one encoded once by some worker.

    Parameters
    ----------
    texts : sequence of str
    workers : Workers
        Such as :class:`~recnb.serving.scale.RayWorkers`.
    encoder : str or path, optional
        As of :class:`recnb.encoders.TextEncoder`; a folder must be there for every worker. None: the default one.
    block : int
        Texts of a job.
    **settings
        Of the encoder; each worker keeps vectors in its own cache.

    Returns
    -------
    ndarray of shape (len(texts), dim), float32

    Notes
    -----
    Blocks are cut after the texts are sorted by length and name, and a block is encoded alone: its batches, and so the
    last digits, do not depend on which worker has it or on how many there are.
    """
    unique = sorted(dict.fromkeys(texts), key=lambda text: (-len(text), text))
    blocks = [unique[start : start + block] for start in range(0, len(unique), block)]
    jobs = [(part,) for part in blocks]
    name = None if encoder is None else str(encoder)
    done = dict(workers.each(_encoded, (name, {"device": "cpu", **settings}), jobs))
    vectors = np.concatenate([done[number] for number in range(len(blocks))])
    place = {text: row for row, text in enumerate(unique)}
    return vectors[[place[text] for text in texts]]


def _encoded(shared: tuple[str | None, dict[str, Any]], texts: list[str]) -> np.ndarray:
    from recnb.encoders import TextEncoder

    name, settings = shared
    encoder = TextEncoder(**settings) if name is None else TextEncoder(name, **settings)
    return encoder.encode(texts)
