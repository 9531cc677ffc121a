"""Vectors of texts kept on disk, found again by the text itself."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from recnb.errors import InputError

log = logging.getLogger(__name__)

AT_ONCE = 900  # look-ups a statement; SQLite takes 999 or more
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
SAVE_SECONDS = 1.0  # of work that a kill may lose
PATIENCE = 60.0  # seconds to wait for another process's write


def cache_folder() -> Path:
    """`RECNB_CACHE`, else where the platform keeps what can be computed again."""
    chosen = os.environ.get("RECNB_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    return platformdirs.user_cache_path("recnb", appauthor=False)


class VectorCache:
    """One SQLite file of float32 vectors for one way of making them.

    The name of the file is the digest of `settings` (weights, pooling, precision and so on) and the
    key of a row is the digest of the text: what was made in another way is never found. A write is
    one transaction, so that a kill leaves what was finished; SQLite's locks keep several processes
    apart. Each row carries a checksum; a damaged row counts as missing, a damaged file is moved
    aside and begun anew, both with a warning.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    settings : mapping
        All that the vectors depend on beside the text; values that JSON can hold.
    shape : tuple of int
        Shape of one vector.

    Raises
    ------
    OSError, sqlite3.Error
        The folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> cache = VectorCache(Path(tempfile.mkdtemp()), {"pooling": "mean"}, shape=(2,))
    >>> cache.put(["tea"], np.array([[1.0, 2.0]], dtype=np.float32), np.array([[3, 0]]))
    >>> found, vectors, counts = cache.get(["tea", "milk"])
    >>> found.tolist(), vectors.tolist(), counts.tolist()
    ([True, False], [[1.0, 2.0], [0.0, 0.0]], [[3, 0], [0, 0]])
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], shape: tuple[int, ...]) -> None:
        self.settings = json.dumps({**settings, "shape": shape, "format": 1}, sort_keys=True)
        self.path = folder / f"{hashlib.sha256(self.settings.encode()).hexdigest()[:32]}.sqlite"
        self.shape = shape
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._connect().close()
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            self._connect().close()

    def get(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Look texts up.

        Parameters
        ----------
        texts : sequence of str, distinct

        Returns
        -------
        found : ndarray of shape (n_texts,), bool
        vectors : ndarray of shape (n_texts, *shape), float32
            0 where not found.
        counts : ndarray of shape (n_texts, 2), int64
            Tokens and unknown tokens; 0 where not found.
        """
        found = np.zeros(len(texts), dtype=bool)
        vectors = np.zeros((len(texts), *self.shape), dtype=np.float32)
        counts = np.zeros((len(texts), 2), dtype=np.int64)
        place = {_key(text): row for row, text in enumerate(texts)}
        size, damaged = vectors[:1].nbytes, 0
        try:
            for key, tokens, unknown, crc, blob in self._rows(list(place)):
                if len(blob) != size or zlib.crc32(blob) != crc:
                    damaged += 1
                    continue
                row = place[key]
                found[row] = True
                vectors[row] = np.frombuffer(blob, dtype="<f4").reshape(self.shape)
                counts[row] = tokens, unknown
        except sqlite3.DatabaseError as error:
            self._set_aside(error)  # what was read until then has proved its checksum
        if damaged:
            log.warning("%s: %d damaged vectors, computed again", self.path, damaged)
        return found, vectors, counts

    def put(self, texts: Sequence[str], vectors: np.ndarray, counts: np.ndarray) -> None:
        """Keep vectors, all or none.

        Parameters
        ----------
        texts : sequence of str
        vectors : ndarray of shape (n_texts, *shape), float32
        counts : ndarray of shape (n_texts, 2), int
            Tokens and unknown tokens of each text.
        """
        blobs = [np.ascontiguousarray(vector, dtype="<f4").tobytes() for vector in vectors]
        rows = [
            (_key(text), int(tokens), int(unknown), zlib.crc32(blob), blob)
            for text, (tokens, unknown), blob in zip(texts, counts, blobs)
        ]
        try:
            self._write(rows)
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            self._write(rows)

    def _rows(self, keys: list[bytes]) -> Iterator[tuple[bytes, int, int, int, bytes]]:
        with closing(self._connect()) as db:
            for start in range(0, len(keys), AT_ONCE):
                part = keys[start : start + AT_ONCE]
                marks = ",".join("?" * len(part))
                yield from db.execute(f"SELECT * FROM vectors WHERE key IN ({marks})", part)

    def _write(self, rows: list[tuple[bytes, int, int, int, bytes]]) -> None:
        with closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", rows)
            db.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        # a connection a call: nothing to share between processes or to lose in a fork
        db = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        try:
            db.execute("PRAGMA page_size = 16384")
            db.execute("PRAGMA synchronous = NORMAL")
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'vectors'").fetchone():
                db.execute("BEGIN IMMEDIATE")
                db.execute(
                    "CREATE TABLE IF NOT EXISTS vectors "
                    "(key BLOB PRIMARY KEY, tokens INTEGER, unknown INTEGER, "
                    "crc INTEGER, vector BLOB)"
                )
                db.execute("CREATE TABLE IF NOT EXISTS made_by (settings TEXT PRIMARY KEY)")
                db.execute("INSERT OR IGNORE INTO made_by VALUES (?)", (self.settings,))
                db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in DAMAGE:
            raise error
        log.warning("%s is damaged (%s): set aside, begun anew", self.path, error)
        for end in ("", "-journal"):  # a journal left behind would be played into the new file
            file = self.path.with_name(self.path.name + end)
            with suppress(FileNotFoundError):
                file.replace(file.with_name(file.name + ".damaged"))


def open_cache(
    cache: bool | str | os.PathLike[str],
    kind: str,
    settings: Mapping[str, Any],
    shape: tuple[int, ...],
) -> VectorCache | None:
    """The cache that an encoder was asked for: True the usual one of its kind, a path that folder, False none.

    Raises
    ------
    InputError
        The folder that was named takes no vectors. The usual one failing is a warning.
    """
    if cache is False:
        return None
    folder = cache_folder() / kind if cache is True else Path(os.fspath(cache))
    try:
        return VectorCache(folder, settings, shape)
    except (OSError, sqlite3.Error) as error:
        if cache is not True:
            raise InputError(
                f"cannot keep vectors here ({error})",
                file=str(folder),
                mend="name another folder or cache=False",
            ) from error
        log.warning("no vectors are kept: %s (%s); set RECNB_CACHE", folder, error)
        return None


class Keeper:
    """Hands finished vectors to the cache once a second and at the end, come what may."""

    def __init__(
        self, cache: VectorCache | None, texts: list[str], vectors: np.ndarray, counts: np.ndarray
    ) -> None:
        self.cache, self.texts, self.vectors, self.counts = cache, texts, vectors, counts
        self.rows: list[int] = []
        self.since = time.monotonic()

    def add(self, rows: np.ndarray) -> None:
        self.rows.extend(rows.tolist())
        if time.monotonic() - self.since >= SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        rows, self.rows = self.rows, []
        if self.cache is not None and rows:
            try:
                self.cache.put(
                    [self.texts[row] for row in rows], self.vectors[rows], self.counts[rows]
                )
            except (OSError, sqlite3.Error) as error:  # a full disk costs the cache, not the run
                log.warning("no more vectors are kept: %s (%s)", self.cache.path, error)
                self.cache = None
        self.since = time.monotonic()


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]
