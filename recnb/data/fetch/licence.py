"""Licences: accepted once for each folder of data, and again when the words change."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from recnb.data.catalog import Source
from recnb.data.fetch.checksums import read_json, write_json

BOOK = ".licences.json"


def accepted(folder: Path, source: Source) -> bool:
    """Whether the licence, in these words, was accepted for this folder."""
    entry = read_json(folder / BOOK).get(source.name)
    return isinstance(entry, dict) and entry.get("licence") == source.licence


def accept(folder: Path, source: Source) -> None:
    """Keep that it was accepted, and when."""
    folder.mkdir(parents=True, exist_ok=True)
    entry = {"licence": source.licence, "accepted": datetime.now(UTC).isoformat("T", "seconds")}
    write_json(folder / BOOK, {**read_json(folder / BOOK), source.name: entry})
