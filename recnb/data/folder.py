"""Data folders and files: which tables lie there, how they are read, and how a folder is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from recnb.data.checks import tables
from recnb.data.door import Reading, read_entities, read_interactions, read_items
from recnb.errors import InputError

_ENDINGS = tuple(
    f"{plain}{packed}"
    for plain in (".parquet", ".csv", ".tsv", ".txt", ".dat", ".jsonl", ".json")
    for packed in ("", ".gz", ".zip")
)
_RECBOLE = {"interactions": ".inter", "items": ".item", "users": ".user"}
PARTS = ("interactions", "items", "users")


@dataclass(frozen=True)
class Tables:
    """What :meth:`recnb.data.Dataset.from_frames` needs.

    Attributes
    ----------
    frames : tuple of DataFrame or None, length 3
        Interactions, items, users.
    files : tuple of str, length 3
    settings : dict
    notes : tuple of str
    """

    frames: tuple[pd.DataFrame, pd.DataFrame | None, pd.DataFrame | None]
    files: tuple[str, str, str]
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()


def table_file(folder: Path, part: str) -> Path | None:
    """The file of one of the `PARTS`, or None; two are an error."""
    found = [path for ending in _ENDINGS if (path := folder / f"{part}{ending}").is_file()]
    if not found:
        found = sorted(folder.glob(f"*{_RECBOLE[part]}"))
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise InputError(f"both {names} are here", file=str(folder), mend="keep one")
    return found[0] if found else None


def read_folder(folder: str | Path, settings: Mapping[str, Any]) -> Tables:
    """The tables of a folder of our own, or of RecBole's.

    Raises
    ------
    InputError
        No such folder, no interactions in it, or a table is wrong.
    """
    folder, settings = Path(folder), dict(settings)
    if not folder.is_dir():
        raise InputError("no such folder", file=str(folder), mend="check the path")
    reading = Reading.taken_from(settings)
    found = {part: table_file(folder, part) for part in PARTS}
    if found["interactions"] is None:
        others = sorted(p.name for p in folder.iterdir() if p.suffix in _ENDINGS)
        hint = f"; name one: recnb evaluate {folder}/{others[0]}" if others else ""
        raise InputError(
            "no interactions.parquet or interactions.csv here",
            file=str(folder),
            mend=f"write one with columns user_id and item_id (recnb init makes a template){hint}",
        )
    declared = tables.declared(folder / "dataset.json")
    rows = read_interactions(found["interactions"], reading)
    notes = list(rows.notes)
    entities: dict[str, pd.DataFrame | None] = {}
    for part, key in (("items", "item_id"), ("users", "user_id")):
        entities[part] = None
        if (path := found[part]) is not None:
            arrived = read_entities(path, key, reading)
            entities[part] = arrived.frame
            notes += [f"{part}: {note}" for note in arrived.notes]
    if rows.feedback:
        declared.setdefault("feedback", rows.feedback)
    return Tables(
        (rows.frame, entities["items"] if found["items"] else rows.items, entities["users"]),
        tuple(str(path or part) for part, path in found.items()),  # type: ignore[arg-type]
        {"name": folder.resolve().name, **declared, **settings},
        tuple(notes),
    )


def read_file(path: str | Path, items: str | Path | None, settings: Mapping[str, Any]) -> Tables:
    """One file of interactions, and one of items beside it."""
    path, settings = Path(path), dict(settings)
    reading = Reading.taken_from(settings)
    rows = read_interactions(path, reading)
    notes, item_table = list(rows.notes), rows.items
    if items is not None:
        arrived = read_items(items, rows.frame["item_id"].astype(str).unique(), reading)
        notes += arrived.notes
        item_table = arrived.frame
    elif item_table is not None:
        notes.append("items have the titles that stand beside the interactions")
    hints = {"feedback": rows.feedback} if rows.feedback else {}
    return Tables(
        (rows.frame, item_table, None),
        (str(path), str(items or "items"), "users"),
        {"name": path.name.partition(".")[0] or path.name, **hints, **settings},
        tuple(notes),
    )


def write_folder(
    folder: Path,
    interactions: pd.DataFrame,
    items: pd.DataFrame,
    users: pd.DataFrame,
    declared: Mapping[str, Any],
) -> None:
    """The folder that :func:`read_folder` reads: parquet tables and `dataset.json`."""
    interactions.to_parquet(folder / "interactions.parquet", index=False)
    items.reset_index().to_parquet(folder / "items.parquet", index=False)
    users.reset_index().to_parquet(folder / "users.parquet", index=False)
    text = json.dumps(dict(declared), indent=1) + "\n"
    (folder / "dataset.json").write_text(text, encoding="utf-8")
