"""What an artefact says of itself: every file with its size and checksum, and nothing else in the folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from recnb.errors import InputError
from recnb.files import write_json

NAME, KIND, SCHEMA = "artefact.json", "recnb artefact", 1
# Formats of numbers and text; none of them runs code when it is read.
SUFFIXES = {".json", ".safetensors", ".parquet", ".faiss", ".onnx"}
_LONGEST = 8 * 2**20  # bytes of artefact.json
_PIECE = 8 * 2**20  # bytes that are hashed at once
_FIELDS = {
    "name": str,
    "created": str,
    "recnb": str,
    "model": dict,
    "dataset": dict,
    "users": int,
    "items": int,
    "abilities": list,
    "indexes": dict,
    "text": (dict, type(None)),
    "evaluation": (dict, type(None)),
    "reference": dict,
    "files": dict,
}


def write(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Write `artefact.json` over the files that are there; returns what it says."""
    files = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        files[name] = {"bytes": path.stat().st_size, "sha256": _sha256(path)}
    head = {"kind": KIND, "schema": SCHEMA, **facts, "files": files}
    head["digest"] = digest(head)
    write_json(folder / NAME, head)
    return head


def digest(head: dict[str, Any]) -> str:
    """SHA-256 over everything that the manifest says but this: the identity of an artefact.

    Examples
    --------
    >>> digest({"a": 1, "digest": "x"}) == digest({"a": 1})
    True
    """
    rest = {key: value for key, value in head.items() if key != "digest"}
    text = json.dumps(rest, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a folder, its shape and its own checksum checked.

    Raises
    ------
    InputError
        There is none, or it is not what :func:`write` wrote.
    """
    path = folder / NAME
    try:
        if path.stat().st_size > _LONGEST:
            raise _broken(path, "it is longer than any artefact's")
        head = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            "no artefact here (no artefact.json)",
            file=str(folder),
            mend="make one with recnb export MODEL_DIR --to FOLDER",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise _broken(path, "it is no json") from None
    if not isinstance(head, dict) or head.get("kind") != KIND:
        raise _broken(path, "it describes no recnb artefact")
    if head.get("schema") != SCHEMA:
        raise _broken(
            path, f"written as schema {head.get('schema')!r}, this version reads {SCHEMA}"
        )
    for name, kind in _FIELDS.items():
        if not isinstance(head.get(name, ...), kind):  # type: ignore[arg-type]
            raise _broken(path, f"'{name}' is missing or of another kind")
    if head.get("digest") != digest(head):
        raise _broken(path, "it was changed after it was written")
    return head


def checked(folder: Path) -> dict[str, Any]:
    """:func:`read`, then :func:`check`."""
    head = read(folder)
    check(folder, head)
    return head


def check(folder: Path, head: dict[str, Any]) -> None:
    """Every file as the manifest says, and no other.

    Raises
    ------
    InputError
        A file is missing, cut, changed, unlisted, a link, or of a format that an artefact never holds.
    """
    listed = head["files"]
    there = set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise InputError(f"'{name}' is a link", file=str(folder), mend="export again")
        if path.is_dir() or name == NAME:
            continue
        if path.suffix not in SUFFIXES:
            raise InputError(
                f"holds '{name}', of a format that no artefact holds",
                file=str(folder),
                mend="remove it",
            )
        if name not in listed:
            raise InputError(
                f"'{name}' is not listed in {NAME}", file=str(folder), mend="remove it"
            )
        there.add(name)
    for name, said in listed.items():
        path = folder / name
        if name not in there:
            raise InputError(f"'{name}' is missing", file=str(folder), mend="copy it whole again")
        size = path.stat().st_size
        if not isinstance(said, dict) or size != said.get("bytes"):
            raise InputError(
                f"'{name}' has {size:,} bytes, not {_said(said)}",
                file=str(folder),
                mend="copy it whole again",
            )
        if _sha256(path) != said.get("sha256"):
            raise InputError(
                f"'{name}' was changed or damaged (its SHA-256 is another)",
                file=str(folder),
                mend="copy it again or export again",
            )


def _said(entry: Any) -> str:
    size = entry.get("bytes") if isinstance(entry, dict) else None
    return f"{size:,}" if isinstance(size, int) else "as listed"


def _sha256(path: Path) -> str:
    # large pieces: a thread that hashes beside others seldom waits for the interpreter
    piece, digest = memoryview(bytearray(_PIECE)), hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while n := file.readinto(piece):
            digest.update(piece[:n])
    return digest.hexdigest()


def _broken(path: Path, problem: str) -> InputError:
    return InputError(problem, file=str(path), mend="export again")
