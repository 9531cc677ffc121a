"""How media lie in a data folder: `images/`, `audio/` and `features/`, files named after the items' ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from recnb.data.media.files import counted, no_match
from recnb.data.media.media import Media
from recnb.errors import InputError

FOLDERS = {"image": "images", "audio": "audio"}
RESERVED = ("image", "audio", "text", "id", "attributes")  # what a model calls its other inputs
_UNSAFE = re.compile(r'[%/\\:*?"<>|\x00-\x1f]|^\.|[. ]$')


def check_name(name: str, kind: str, file: str | None = None) -> None:
    """Raise unless this kind of media may bear the name."""
    if kind in FOLDERS:
        if name != kind:
            raise InputError(f"{kind} files under the name '{name}'", mend=f"name them '{kind}'")
    elif name in RESERVED:
        raise InputError(
            f"vectors under the name '{name}', which is reserved", file=file, mend="rename them"
        )
    elif not name or file_name(name) != name:
        raise InputError(
            f"vectors under the name '{name}', which no file can bear", mend="use plain letters"
        )


def file_name(item_id: str) -> str:
    """An id as a file name, without what some system forbids there; `unquote` gives the id back.

    Examples
    --------
    >>> file_name("shoes/12%"), file_name("été")
    ('shoes%2F12%25', 'été')
    """
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", item_id)


def read_files(
    kind: str,
    endings: tuple[str, ...],
    folder: Path,
    item_ids: Iterable[str],
    check: Callable[[Path], None],
) -> Media:
    if not folder.is_dir():
        raise InputError("no such folder", file=str(folder), mend="check the path")
    items, left = set(item_ids), Counter[str]()
    found: dict[str, Path] = {}
    stranger = None
    for file in sorted(folder.iterdir()):
        item = unquote(file.stem)
        if file.name.startswith("."):
            left["hidden files"] += 1
        elif file.suffix[1:].lower() not in endings or not file.is_file():
            left["files of other kinds"] += 1
        elif item not in items:
            left["files of unknown items"] += 1
            stranger = stranger or file
        elif item in found:
            raise InputError(
                f"{found[item].name} and {file.name} are both of item '{item}'",
                file=str(folder),
                mend="keep one",
            )
        else:
            found[item] = file
    if not found and stranger:
        raise no_match(folder, stranger.name, items, "name the files after the items' ids")
    if not found:
        what = f"no {kind} file in it ({', '.join(endings)})"
        raise InputError(what, file=str(folder), mend="put some in or take the folder away")
    for file in found.values():
        check(file)
    ids = np.array(sorted(found), dtype=object)
    return Media(kind, ids, tuple(found[item] for item in ids), left_out=counted(left))
