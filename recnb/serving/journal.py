"""Changes of a catalogue while it is served, a line of json each: what was acknowledged outlives the process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """A file that only grows; several processes may write it, each reads what it has not read.

    Parameters
    ----------
    path : Path or None
        None keeps nothing.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "items.jsonl"
    >>> one, two = Journal(path), Journal(path)
    >>> one.append({"item_id": "a", "available": False})
    >>> two.behind(), list(two.unread()), two.behind()
    (True, [{'item_id': 'a', 'available': False}], False)
    """

    def __init__(self, path: Path | None) -> None:
        self._path, self._read_to = path, 0

    def behind(self) -> bool:
        """Whether there are changes that were not read: another process may have written them."""
        path = self._path
        return path is not None and path.is_file() and path.stat().st_size > self._read_to

    def unread(self) -> Iterator[dict[str, Any]]:
        """The changes that were not read."""
        if self._path is None or not self.behind():
            return
        with self._path.open("rb") as file:
            file.seek(self._read_to)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # being written, or cut by a kill and never acknowledged
                self._read_to += len(line)
                try:
                    change = json.loads(line)
                except ValueError:
                    continue
                yield change

    def append(self, change: dict[str, Any]) -> None:
        """Write a change; it is on the disk when this returns."""
        if self._path is None:
            return
        with self._path.open("ab+") as file:
            # a line that a kill has cut must not swallow this one
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            cut = file.read(1) not in (b"", b"\n")
            file.write(b"\n" * cut + json.dumps(change, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
