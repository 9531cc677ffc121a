"""`Media`: pictures, sounds or vectors of items, found by item id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.media.files import unreadable
from recnb.errors import InputError


@dataclass(frozen=True, eq=False)
class Media:
    """Pictures, sounds or vectors of items, found by item id.

    Since it is asked by id, one object serves a data set and all its parts. Make one with
    :func:`read_images`, :func:`read_audio`, :func:`read_vectors` or :func:`from_vectors`; the
    constructor itself checks nothing.

    Attributes
    ----------
    kind : {"image", "audio", "vectors"}
    ids : ndarray of shape (n,), str objects, sorted, distinct
        The items that have one.
    files : tuple of Path, length n
        Of images and sounds, in the order of `ids`.
    vectors : ndarray of shape (n, dim), float32, or None
    left_out : str
        What the reading left aside, in words; empty for nothing.

    Examples
    --------
    >>> from recnb.data.media import from_vectors
    >>> media = from_vectors([[1.0, 2.0], [3.0, 4.0]], ids=["tea", "milk"])
    >>> media
    Media(vectors of 2 items, 2 numbers each)
    >>> media.rows(["bread", "milk"]).tolist()
    [-1, 0]
    >>> table, present = media.table(["bread", "milk", "tea"])
    >>> table.tolist(), present.tolist()
    ([[0.0, 0.0], [3.0, 4.0], [1.0, 2.0]], [False, True, True])
    """

    kind: str
    ids: np.ndarray
    files: tuple[Path, ...] = ()
    vectors: np.ndarray | None = None
    left_out: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        each = "" if self.vectors is None else f", {self.vectors.shape[1]:,} numbers each"
        return f"Media({self.kind} of {len(self):,} items{each})"

    def rows(self, item_ids: Iterable[str]) -> np.ndarray:
        """Where each item stands in `ids`: shape (len(item_ids),), int64; -1 where it has none."""
        wanted = pd.Index(list(item_ids), dtype=object)
        return pd.Index(self.ids, dtype=object).get_indexer(wanted).astype(np.int64)

    def table(self, item_ids: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """The vectors in the order of `item_ids`.

        Returns
        -------
        vectors : ndarray of shape (len(item_ids), dim), float32
            0 where an item has none.
        present : ndarray of shape (len(item_ids),), bool
        """
        vectors = vectors_of(self)
        rows = self.rows(item_ids)
        present = rows >= 0
        out = np.zeros((len(rows), vectors.shape[1]), np.float32)
        out[present] = vectors[rows[present]]
        return out, present

    @cached_property
    def digests(self) -> list[bytes]:
        """What each item's file or vector is known by: sha256, in the order of `ids`."""
        if self.vectors is not None:
            rows = np.ascontiguousarray(self.vectors, dtype="<f4")
            return [sha256(row.tobytes()).digest() for row in rows]
        out = []
        for file in self.files:
            try:
                with file.open("rb") as stream:
                    out.append(file_digest(stream, "sha256").digest())
            except OSError as error:
                raise unreadable("file", file, error) from None
        return out

    @cached_property
    def digest(self) -> str:
        """Identity of kind, ids and bytes, wherever the files lie: sha256, 16 hex digits."""
        h = sha256("\x00".join((self.kind, *self.ids)).encode())
        for item in self.digests:
            h.update(item)
        return h.hexdigest()[:16]


def known(media: Media, item_ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """Which of the items that have one are in this catalogue: shape (len(media),), bool."""
    return pd.Index(media.ids, dtype=object).isin(item_ids)


def part(media: Media, rows: np.ndarray, ids: np.ndarray | None = None) -> Media:
    """Some of the rows (mask or numbers), under their own ids or under these."""
    numbers = np.flatnonzero(rows) if rows.dtype == bool else rows
    return replace(
        media,
        ids=media.ids[numbers] if ids is None else ids,
        files=tuple(media.files[n] for n in numbers) if media.files else (),
        vectors=None if media.vectors is None else media.vectors[numbers],
    )


def vectors_of(media: Media) -> np.ndarray:
    if media.vectors is None:
        raise InputError(f"{media} has no vectors", mend="encode it first")
    return media.vectors
