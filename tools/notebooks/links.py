"""The foot of every notebook: previous, next and the reading path: ``python -m tools.notebooks.links``.

Topics, minutes and the order of the reading path stand in ``notebooks/path.yaml``; with no number all notebooks get
their foot.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recnb.course.notebook import find_notebooks, find_root, needed, read
from recnb.errors import InputError
from recnb.files import write_text

MARK = "<!-- navigation: python -m tools.notebooks.links -->"


@dataclass(frozen=True)
class Stop:
    """A notebook: `part` says what the reading path takes of it ("" nothing, "all" or in words), `place` when."""

    path: Path
    topic: str
    minutes: int
    part: str
    place: int

    def link(self, text: str) -> str:
        """Return a Markdown link to the notebook."""
        return f"[{text}]({self.path.name})"


def stops(root: Path) -> list[Stop]:
    """Return the notebooks by number, with what ``notebooks/path.yaml`` says of them.

    Raises
    ------
    InputError
        A notebook that the file does not name.
    """
    file = root / "notebooks" / "path.yaml"
    content = needed("yaml").safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    places = {number: place for place, number in enumerate(content or {})}
    way = []
    for path in find_notebooks(root):
        entry = (content or {}).get(path.name[:2])
        if not isinstance(entry, dict) or not {"topic", "minutes"} <= set(entry):
            raise InputError(
                f"notebook {path.name[:2]} has no entry",
                file="notebooks/path.yaml",
                mend='add "NN": {topic: ..., minutes: ..., part: all or what of it or nothing, zh: in Chinese}',
            )
        way.append(
            Stop(
                path,
                str(entry["topic"]),
                int(entry["minutes"]),
                str(entry.get("part", "")),
                places[path.name[:2]],
            )
        )
    return way


def navigation(path: str | Path, way: Sequence[Stop] | None = None) -> str:
    """Return the Markdown of a notebook's last cell.

    Parameters
    ----------
    path : path
        The notebook.
    way : sequence of Stop, optional
        Default: `stops` of the repository around the notebook.
    """
    path = Path(path).resolve()
    way = stops(find_root(path.parent)) if way is None else way
    at = next(i for i, stop in enumerate(way) if stop.path.name == path.name)
    links = []
    if at > 0:
        links.append("← " + way[at - 1].link(f"{way[at - 1].path.name[:2]} {way[at - 1].topic}"))
    links.append(f"**{path.name[:2]} {way[at].topic}**")
    if at + 1 < len(way):
        links.append(way[at + 1].link(f"{way[at + 1].path.name[:2]} {way[at + 1].topic}") + " →")
    read = sorted((stop for stop in way if stop.part), key=lambda stop: stop.place)
    steps = [_step(stop, stop is way[at]) for stop in read]
    minutes = sum(stop.minutes for stop in read)
    told = f"Reading path ({minutes} minutes): {' → '.join(steps)}. The others go deeper where you want to."
    return f"{MARK}\n---\n{' · '.join(links)}\n\n{told}"


def _step(stop: Stop, here: bool) -> str:
    number = stop.path.name[:2]
    name = f"**{number}**" if here else stop.link(number)
    part = "" if stop.part == "all" else f"{stop.part}, "
    return f"{name} ({part}{stop.minutes} min)"


def with_navigation(nb: Any, path: Path) -> None:
    """Write the last cell of a notebook, in place."""
    last = nb.cells[-1]
    if last.cell_type != "markdown" or not last.source.startswith(MARK):
        last = needed("nbformat.v4").new_markdown_cell()
        last["id"] = "navigation"
        nb.cells.append(last)
    last.source = navigation(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the foot of notebooks; returns 0, or 2 on wrong input."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks.links", description=__doc__)
    parser.add_argument("numbers", nargs="*", help="numbers of notebooks; default all")
    asked = parser.parse_args(arguments)
    try:
        for path in find_notebooks(numbers=asked.numbers or None):
            nb = read(path)
            with_navigation(nb, path)
            write_text(path, needed("nbformat").writes(nb).rstrip("\n") + "\n")
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
