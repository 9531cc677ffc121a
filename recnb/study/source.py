"""The source of a model that is not recnb's own: kept results hold for the code that made them."""

from __future__ import annotations

import ast
import inspect
import os
import sys
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from recnb.recommender import Recommender


def sources(model: Recommender) -> list[str]:
    """Names of a model's foreign classes and the hash of their source, those of models in its settings too.

    A class is read once in a process: what runs is the code that was imported, whatever the file says later.

    Returns
    -------
    list of str
        Empty for models of recnb, whose version stands for their code.
    """
    found = {line for cls in type(model).__mro__ for line in _of_class(cls)}
    return sorted(found.union(*(sources(part) for part in _parts(model.get_params(deep=False)))))


def named_files(model: Recommender) -> list[str]:
    """Files that settings name, such as a wording of one's own, and the hash of their content.

    Returns
    -------
    list of str
        Those of models in its settings too; empty where no setting is the path of a file.
    """
    settings = model.get_params(deep=False)
    # which, unlike that of Path, takes a text of 10,000 words for no file
    paths = [v for v in settings.values() if isinstance(v, (str, Path)) and os.path.isfile(v)]
    found = {f"{path} {_digest([Path(path)])}" for path in paths}
    return sorted(found.union(*(named_files(part) for part in _parts(settings))))


def _parts(value: Any) -> Iterator[Recommender]:
    """The models in settings, in lists of them too."""
    if isinstance(value, Recommender):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _parts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _parts(one)


@cache
def _of_class(cls: type) -> tuple[str, ...]:
    if not issubclass(cls, Recommender) or cls.__module__.partition(".")[0] == "recnb":
        return ()
    name = f"{cls.__module__}.{cls.__qualname__}"
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if file and Path(file).is_file():
        return (f"{name} {_digest(_with_local_imports(Path(file).resolve()))}",)
    try:  # a class of a notebook
        return (f"{name} {sha256(inspect.getsource(cls).encode()).hexdigest()}",)
    except (OSError, TypeError):
        return (name,)


def _digest(files: list[Path]) -> str:
    digest = sha256()
    for file in files:
        digest.update(sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _with_local_imports(file: Path) -> list[Path]:
    """A module's file and those of the modules beside it that it imports, and so on."""
    seen: list[Path] = []
    todo = [file]
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.append(path)
            todo += _imported(path)
    return sorted(seen)


def _imported(file: Path) -> list[Path]:
    """Files of the imported modules that lie in the folder that holds the module, or its package."""
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:  # a compiled module
        return []
    top = file.parent
    while (top / "__init__.py").is_file():
        top = top.parent
    places: list[Path] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            places += [top.joinpath(*name.name.split(".")) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            root = file.parents[node.level - 1] if node.level else top
            place = root.joinpath(*(node.module or "").split("."))
            places += [place, *(place / name.name for name in node.names)]
    files = [end for p in places for end in (p.with_name(f"{p.name}.py"), p / "__init__.py")]
    return [path for path in files if path.is_file()]
