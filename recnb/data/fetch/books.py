"""What fetches into a folder leave there for later ones: checksums of files, and the licences that were accepted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from recnb import files
from recnb.data.catalog import Entry
from recnb.errors import FetchError, InputError

KINDS = ("md5", "sha256")
CHECKSUMS, LICENCES = ".checksums.json", ".licences.json"


def digests(path: Path) -> dict[str, str]:
    """MD5 and SHA-256 of a file, by name, in one reading."""
    # MD5 is here because publishers state it; it shows a broken copy, no forged one.
    sums = {kind: hashlib.new(kind, usedforsecurity=False) for kind in KINDS}
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            for one in sums.values():
                one.update(block)
    return {kind: one.hexdigest() for kind, one in sums.items()}


def mismatch(found: Mapping[str, str], declared: Sequence[str]) -> str | None:
    """Words on the first checksum that does not fit; None where all fit.

    Examples
    --------
    >>> mismatch({"md5": "ab", "sha256": "cd"}, ["md5:ab"]), mismatch({"md5": "ab"}, ["md5:00"])
    (None, 'md5:ab where md5:00 belongs')
    """
    for line in declared:
        kind, _, wanted = line.partition(":")
        if found.get(kind) != wanted.lower():
            return f"{kind}:{found.get(kind)} where {line} belongs"
    return None


def recorded(folder: Path, file: str) -> str | None:
    """The checksum that an earlier fetch into this folder recorded for a file, as "sha256:…"."""
    return read_json(folder / CHECKSUMS).get(file)


def record(folder: Path, file: str, checksum: str) -> None:
    """Note a file's checksum for later fetches."""
    write_json(folder / CHECKSUMS, {**read_json(folder / CHECKSUMS), file: checksum})


def accepted(folder: Path, entry: Entry) -> bool:
    """Whether the licence, in these words, was accepted for this folder."""
    before = read_json(folder / LICENCES).get(entry.name)
    return isinstance(before, dict) and before.get("licence") == entry.licence


def accept(folder: Path, entry: Entry) -> None:
    """Keep that the licence was accepted, and when."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat("T", "seconds")
    books = read_json(folder / LICENCES)
    write_json(
        folder / LICENCES, {**books, entry.name: {"licence": entry.licence, "accepted": now}}
    )


def read_json(path: Path) -> dict:
    """A small JSON object that a fetch wrote; empty where there is none."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise InputError("not JSON as a fetch writes it", file=str(path), mend="mend or delete it")
    return content


def write_json(path: Path, content: Mapping) -> None:
    """Write it whole or not at all."""
    try:
        files.write_json(path, content, sort_keys=True)
    except InputError as error:
        raise FetchError(f"{path} {error.problem}", "check its folder") from None
