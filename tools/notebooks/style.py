"""How a lesson reads: prose in Markdown, public names only, a short main path, code that fits the eye."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from statistics import median
from typing import Any

from recnb.course.notebook import tags
from tools.notebooks.headings import headings

FACES = frozenset(
    {
        "recnb",
        "recnb.behaviour",
        "recnb.course",
        "recnb.data",
        "recnb.data.media",
        "recnb.effect.attacks",
        "recnb.effect.bandit",
        "recnb.effect.experiment",
        "recnb.effect.fairness",
        "recnb.effect.logs",
        "recnb.effect.policy",
        "recnb.effect.reasons",
        "recnb.effect.uplift",
        "recnb.encoders",
        "recnb.encoders.decoder",
        "recnb.evaluation",
        "recnb.metrics",
        "recnb.models",
        "recnb.models.language",
        "recnb.models.two_tower",
        "recnb.plots",
        "recnb.report",
        "recnb.serving",
        "recnb.serving.scale",
        "recnb.study",
        "recnb.study.across",
        "recnb.study.run",
        "recnb.training",
        "recnb.training.adaptation",
        "recnb.tuning",
        "recnb.world",
    }
)
MAX_MAIN = 45  # cells on the main path
MAX_WORDS = 12  # words of text in one f-string or one print
MAX_MEDIAN = 10  # lines of code
SIDE = ("Going deeper", "Exercises", "References")  # sections beside the main path
PLUMBING = {"bootstrap", "parameters", "setup", "checks", "results"}


def style(nb: Any) -> Iterator[str]:
    """Yield what makes a notebook harder to read than it has to be."""
    main = main_path(nb)
    if len(main) > MAX_MAIN:
        yield f"the main path has {len(main)} cells, at most {MAX_MAIN}; move some to '## Going deeper'"
    if sizes := [_lines(cell) for cell in main if _is_lesson_code(cell)]:
        middle = median(sizes)
        if middle > MAX_MEDIAN:
            yield f"the median code cell has {middle:g} lines, at most {MAX_MEDIAN}; move plumbing to recnb"
    for i, cell in enumerate(nb.cells):
        if cell.cell_type == "code" and "bootstrap" not in tags(cell):
            yield from (f"cell {i + 1}: {problem}" for problem in _code(cell.source))


def main_path(nb: Any) -> list[Any]:
    """Return the cells of the main path: all but those under `## Going deeper`, Exercises and References."""
    main, beside = [], False
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            for level, title in headings(cell):
                if level <= 2:
                    beside = title in SIDE
        if not beside:
            main.append(cell)
    return main


def _is_lesson_code(cell: Any) -> bool:
    return cell.cell_type == "code" and not PLUMBING & set(tags(cell))


def _lines(cell: Any) -> int:
    return len(cell.source.rstrip().split("\n"))


def _code(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic line
        return
    yield from _imports(tree)
    yield from dict.fromkeys(_prose(tree))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for module in (alias.name for alias in node.names):
                if module.split(".")[0] == "recnb" and module not in FACES:
                    yield f"imports {module}, which is no public face; see tools/notebooks/style.py"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "recnb":
            module = str(node.module)
            if module not in FACES:
                yield f"imports from {module}, which is no public face; see tools/notebooks/style.py"
                continue
            public = getattr(importlib.import_module(module), "__all__", ())
            for alias in node.names:
                if alias.name not in public and f"{module}.{alias.name}" not in FACES:
                    yield f"imports {alias.name}, which {module} does not name in __all__"


def _prose(tree: ast.Module) -> Iterator[str]:
    """Sentences that are put together in code; messages of assert and raise are none."""
    if any(called(node) == "say" for node in ast.walk(tree)):
        yield "prose comes from code (say); write it in Markdown, asserted in the checks cell"
    if any(isinstance(node, ast.Call) and called(node) == "Markdown" for node in ast.walk(tree)):
        yield "prose comes from code (Markdown); write it in a Markdown cell"
    for node in _outside_messages(tree):
        printed = isinstance(node, ast.Call) and called(node) == "print"
        if isinstance(node, ast.JoinedStr) or printed:
            words = sum(
                len(re.findall(r"[^\W\d_]{2,}", part.value))
                for part in ast.walk(node)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            )
            if words > MAX_WORDS:
                yield f"prose comes from code ({words} words in a string); write it in Markdown"


def _outside_messages(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Assert):
            yield from _outside_messages(child.test)
        elif not isinstance(child, ast.Raise):
            yield from _outside_messages(child)


def called(node: ast.AST) -> str:
    """The name that is called or defined."""
    if isinstance(node, ast.FunctionDef):
        return node.name
    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
