"""The notebooks of a course as files: which there are, in which order, and what their cells are."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from recnb.errors import InputError
from recnb.optional import need

NAME = re.compile(r"(\d\d)_[a-z0-9_]+\.ipynb")


def find_root(start: str | Path | None = None) -> Path:
    """Return the repository around a path: the nearest folder with ``notebooks/`` in it.

    Parameters
    ----------
    start : path, optional
        A file or folder inside; default the working folder, then the folder of the package.

    Raises
    ------
    InputError
        There is no such folder.
    """
    here = Path(start) if start is not None else Path.cwd()
    places = [here.resolve()]
    if start is None:
        places.append(Path(__file__).resolve())
    for place in places:
        for folder in (place, *place.parents):
            if (folder / "notebooks").is_dir():
                return folder
    raise InputError(
        "no notebooks/ folder here or above", mend="run this inside a copy of the repository"
    )


def find_notebooks(
    root: str | Path | None = None, numbers: Iterable[int | str] | None = None
) -> list[Path]:
    """Return the notebooks in the order of reading, found by their names ``NN_topic.ipynb``.

    Parameters
    ----------
    root : path, optional
        The repository; default as `find_root`.
    numbers : iterable of int or str, optional
        Only these, for example ``["00", 3]``; default all.

    Raises
    ------
    InputError
        A number that no notebook has, with the numbers there are.
    """
    folder = (Path(root) if root is not None else find_root()) / "notebooks"
    by_number = {p.name[:2]: p for p in sorted(folder.glob("*.ipynb")) if NAME.fullmatch(p.name)}
    if numbers is None:
        return list(by_number.values())
    wanted = []
    for number in numbers:
        text = str(number).strip().zfill(2)
        if text not in by_number:
            there = ", ".join(by_number) or "none"
            raise InputError(f"there is no notebook {text}", mend=f"there are: {there}")
        wanted.append(text)
    return [by_number[text] for text in sorted(set(wanted))]


def read(path: str | Path) -> Any:
    """Return a notebook as an nbformat version 4 node; InputError where it is none."""
    nbformat = needed("nbformat")
    try:
        return nbformat.read(str(path), as_version=4)
    except (OSError, nbformat.reader.NotJSONError, nbformat.ValidationError, ValueError) as error:
        raise InputError(f"no readable notebook ({error})", file=str(path)) from error


def needed(package: str) -> Any:
    """Import a package of the notebooks extra, or say how to install it."""
    return need(package, "the course")


def tags(cell: Any) -> list[str]:
    """Return the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def tagged(nb: Any, tag: str) -> list[Any]:
    """Return the cells that carry a tag, in order."""
    return [cell for cell in nb.cells if tag in tags(cell)]


def source_digest(nb: Any) -> str:
    """Return the identity of what a notebook executes: the text of its code cells, in order.

    Outputs, prose and metadata do not count, so a notebook can say which code its outputs are from.
    """
    code = [cell.source.rstrip() for cell in nb.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:16]
