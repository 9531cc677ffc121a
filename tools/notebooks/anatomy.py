"""The order of a lesson: which cells there are, where they stand, and what may be in them."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recnb.course.notebook import tags
from recnb.course.running.parameters import parse_declarations
from recnb.course.template import BOOTSTRAP, badge
from recnb.errors import InputError
from tools.notebooks.exercises import problems
from tools.notebooks.headings import headings

ORDER = ("bootstrap", "parameters", "setup", "checks", "results")
OPTIONAL = ("setup", "checks")
TAGS = {*ORDER, "exercise", "answer", "check", "solution", "raises-exception"}
REQUIRED = ("SEED", "DEVICE", "OUTPUT_DIR")
MAX_LINES = 25
INSTALL = re.compile(r"^\s*[!%]\s*(?:pip|conda|uv|apt)|\bpip3? install\b", re.MULTILINE)
AUTORELOAD = re.compile(r"%\s*(?:load_ext\s+)?autoreload")
SILENCE = re.compile(r"filterwarnings\(\s*[\"']ignore[\"']\s*\)")
ABSOLUTE = re.compile(r"^(?:/[\w.-]+/|~[\w.-]*[/\\]|[A-Za-z]:[\\/])")


def lesson(nb: Any, path: Path) -> Iterator[str]:
    """Yield what is wrong with the order and the content of the cells."""
    yield from _opening(nb, path)
    yield from _tags(nb)
    yield from _bootstrap(nb)
    yield from _parameters(nb, path)
    yield from _results(nb)
    yield from _deeper(nb)
    yield from problems(nb, path)
    yield from _code(nb)


def _opening(nb: Any, path: Path) -> Iterator[str]:
    markdown = [cell for cell in nb.cells if cell.cell_type == "markdown"]
    tops = [title for cell in markdown for level, title in headings(cell) if level == 1]
    if len(tops) != 1:
        yield f"{len(tops)} headings of the first level, there is to be one"
    first = nb.cells[0] if nb.cells else None
    if first is None or first.cell_type != "markdown":
        yield "the first cell is no Markdown with the title"
        return
    number, titles = path.name[:2], [t for level, t in headings(first) if level == 1]
    if not titles or not re.fullmatch(rf"{number}\. .+\?", titles[0]):
        yield f"the title is to read '# {number}. A question?'"
    if badge(path.name) not in first.source:
        yield f"the first cell lacks the badge {badge(path.name)}"


def _tags(nb: Any) -> Iterator[str]:
    places: dict[str, int] = {}
    for tag in ORDER:
        found = [i for i, cell in enumerate(nb.cells) if tag in tags(cell)]
        if not found and tag in OPTIONAL:
            continue
        if len(found) != 1:
            yield f"{len(found)} cells are tagged '{tag}', there is to be one"
        elif nb.cells[found[0]].cell_type != "code":
            yield f"cell {found[0] + 1} is tagged '{tag}' and is no code"
        else:
            places[tag] = found[0]
    there = [tag for tag in ORDER if tag in places]
    if sorted(there, key=places.__getitem__) != there:
        yield f"tagged cells are out of order, they are to come as {', '.join(ORDER)}"
    code = [i for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    for tag, index in zip(("bootstrap", "parameters", "setup"), code[:3], strict=False):
        if tag in places and places[tag] != index:
            yield f"the code before cell {places[tag] + 1} ('{tag}') is to come after it"
            break
    for i, cell in enumerate(nb.cells):
        for tag in tags(cell):
            if tag not in TAGS:
                yield f"cell {i + 1}: unknown tag '{tag}', there are {', '.join(sorted(TAGS))}"


def _bootstrap(nb: Any) -> Iterator[str]:
    for cell in nb.cells:
        if "bootstrap" in tags(cell) and cell.source != BOOTSTRAP:
            yield "the bootstrap cell differs from recnb.course.template.BOOTSTRAP"


def _parameters(nb: Any, path: Path) -> Iterator[str]:
    for cell in nb.cells:
        if "parameters" not in tags(cell):
            continue
        try:
            declared = parse_declarations(cell.source, path)
        except InputError as error:
            yield error.problem
            continue
        for name in REQUIRED:
            if name not in declared:
                yield f"the parameters cell does not declare {name}"
        if declared.get("DEVICE", "auto") != "auto":
            yield 'the default of DEVICE is to be "auto"'
        yield from _comments(cell.source)


def _comments(source: str) -> Iterator[str]:
    """A parameter stands on one line, alone, with a comment behind it."""
    commented = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    lines: set[int] = set()
    for statement in ast.parse(source).body:
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        name = ast.unparse(statement).split(" ")[0]
        if first != last or first in lines:
            yield f"parameter {name} is to stand on one line of its own"
        elif first not in commented:
            yield f"parameter {name} has no comment on its unit and allowed values"
        lines.add(first)


def _results(nb: Any) -> Iterator[str]:
    for cell in nb.cells:
        calls = len(re.findall(r"(?<![\w])record\(", cell.get("source", "")))
        is_code = cell.cell_type == "code"
        if "results" in tags(cell) and is_code and calls != 1:
            yield f"the results cell calls record {calls} times, it is to do so once"
        if "results" not in tags(cell) and is_code and re.search(r"course\.record\(", cell.source):
            yield "recnb.course.record is called outside the results cell"


def _deeper(nb: Any) -> Iterator[str]:
    """`## Going deeper` stands after the lesson's numbered sections, once."""
    titles = [
        title
        for cell in nb.cells
        if cell.cell_type == "markdown"
        for level, title in headings(cell)
        if level == 2
    ]
    places = [i for i, title in enumerate(titles) if title == "Going deeper"]
    numbered = [i for i, title in enumerate(titles) if re.match(r"\d+\. ", title)]
    if len(places) > 1:
        yield "there are two sections '## Going deeper'; use ### inside one"
    elif places and numbered and places[0] < numbered[-1]:
        yield "a numbered section follows '## Going deeper'; use ### inside it"


def _code(nb: Any) -> Iterator[str]:
    for i, cell in enumerate(nb.cells):
        if cell.cell_type != "code" or "bootstrap" in tags(cell):
            continue
        lines = len(cell.source.rstrip().split("\n"))
        if lines > MAX_LINES and "setup" not in tags(cell):  # imports are as many as they are
            yield f"cell {i + 1}: {lines} lines of code, at most {MAX_LINES}; move some to recnb"
        if INSTALL.search(cell.source):
            yield f"cell {i + 1}: installs something outside the bootstrap cell"
        if AUTORELOAD.search(cell.source):
            yield f"cell {i + 1}: %autoreload"
        if SILENCE.search(cell.source):
            yield f"cell {i + 1}: warnings are ignored without a category"
        for text in _strings(cell.source):
            if ABSOLUTE.match(text):
                yield f"cell {i + 1}: absolute path '{text}'"


def _strings(source: str) -> list[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic line; its strings are looked for as text
        return re.findall(r"[\"']([^\"'\n]*)[\"']", source)
    nodes = ast.walk(tree)
    return [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
