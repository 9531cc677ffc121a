"""Check a notebook without running it: its order, its stored outputs, its links, its profile, the runs it shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from recnb.course.notebook import NAME, find_root, needed, read, tags
from recnb.course.running.parameters import check_parameters, declared_parameters, read_profiles
from recnb.course.template import REPOSITORY
from recnb.errors import InputError
from tools.notebooks.anatomy import lesson
from tools.notebooks.headings import headings
from tools.notebooks.links import navigation
from tools.notebooks.stored_outputs import stored
from tools.notebooks.style import called, style

LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|(?:href|src)=[\"']([^\"']+)")


def check(path: str | Path, root: str | Path | None = None) -> list[str]:
    """Return what is wrong with a notebook; an empty list where all is well.

    Parameters
    ----------
    path : path
        The notebook.
    root : path, optional
        The repository, for links and for the README's table; default the one around the notebook.

    Raises
    ------
    InputError
        The file is no notebook at all.
    """
    path = Path(path).resolve()
    base = Path(root).resolve() if root is not None else find_root(path.parent)
    nb = read(path)
    found = [] if NAME.fullmatch(path.name) else ["the name is to be NN_topic_in_snake_case.ipynb"]
    found += _valid(nb)
    found += lesson(nb, path)
    found += style(nb)
    if NAME.fullmatch(path.name) and nb.cells[-1].source != navigation(path):
        found.append("the last cell does not lead on; run: python -m tools.notebooks.links")
    found += stored(nb, path)
    found += _links(nb, path, base)
    found += _listed(path, base)
    found += _profile(nb, path)
    found += _recorded(nb, base)
    return found


def _valid(nb: Any) -> Iterator[str]:
    nbformat = needed("nbformat")
    try:
        nbformat.validate(nb)
    except nbformat.ValidationError as error:
        yield f"no valid notebook: {str(error).splitlines()[0]}"


def _links(nb: Any, path: Path, root: Path) -> Iterator[str]:
    """Links within the repository; what is on the network is not asked."""
    own = re.compile(re.escape(REPOSITORY) + r"/(?:blob|tree)/[^/]+/([^#?]+)")
    titles = [title for cell in nb.cells for _, title in _titles(cell)]
    anchors = {re.sub(r"\s", "-", title) for title in titles}
    for i, cell in enumerate(nb.cells):
        if cell.cell_type != "markdown":
            continue
        for target in (one or other for one, other in LINK.findall(cell.source)):
            if target.startswith("#"):
                known = {a.lower() for a in anchors} | {_slug(title) for title in titles}
                if unquote(target[1:]).lower() not in known:
                    yield f"cell {i + 1}: no heading for the link '{target}'"
                continue
            inside = own.match(target)
            if inside:
                place = root / unquote(inside.group(1))
            elif re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            else:
                place = path.parent / unquote(re.split(r"[#?]", target)[0])
            if not place.exists():
                yield f"cell {i + 1}: the link '{target}' leads nowhere"


def _titles(cell: Any) -> list[tuple[int, str]]:
    return headings(cell) if cell.cell_type == "markdown" else []


def _slug(title: str) -> str:
    """GitHub's form of a heading's anchor."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _listed(path: Path, root: Path) -> Iterator[str]:
    readme = root / "README.md"
    lines = readme.read_text(encoding="utf-8").splitlines() if readme.exists() else []
    if not any(
        line.lstrip().startswith("|") and f"notebooks/{path.name}" in line for line in lines
    ):
        yield "the table of notebooks in README.md does not list it"


def _profile(nb: Any, path: Path) -> Iterator[str]:
    try:
        declared = declared_parameters(nb, path)
    except InputError:
        return  # said already, with the cell
    try:
        profiles = read_profiles(path)
        for name in ("smoke", "cpu", "gpu"):
            if name not in profiles:
                yield f"profiles/{path.name[:2]}.yaml has no '{name}'"
        for name, values in profiles.items():
            try:
                check_parameters(declared, values, path)
            except InputError as error:
                yield f"profiles/{path.name[:2]}.yaml, {name}: {error.problem}"
    except InputError as error:
        yield f"profiles/{path.name[:2]}.yaml: {error.problem}"


def _recorded(nb: Any, root: Path) -> Iterator[str]:
    """Recorded runs that are shown, by names that no file in results/ has."""
    for i, cell in enumerate(nb.cells):
        if cell.cell_type != "code" or "bootstrap" in tags(cell):
            continue
        for name in _recorded_names(cell.source):
            if not any((root / "results").glob(f"{name.removesuffix('.json')}.json")):
                yield f"cell {i + 1}: results/ holds no run '{name}'"


def _recorded_names(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic line
        return
    for node in ast.walk(tree):
        if called(node) in ("recorded", "recorded_run") and isinstance(node, ast.Call):
            yield from (str(arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant))
