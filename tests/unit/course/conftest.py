"""A small repository with one good notebook in it, to be broken in one way by each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from recnb.course.template import BOOTSTRAP, badge
from tools.notebooks.store import execute_in_place

NAME = "00_small.ipynb"
PARAMETERS = """\
SEED = 0  # any whole number
DEVICE = "auto"  # auto, cpu or cuda
OUTPUT_DIR = "../course-output/00"  # where files go
N_USERS = 20  # users, 1 or more
SHARE = 0.5  # between 0 and 1
WAIT = 0.0  # seconds to sleep
"""
WRONG = '- ["my_number = 0", "my_number = 41"]\n- ["my_other = [41]"]\n'
RESULTS = """\
recnb.course.record(
    {"model": "ease", "metric": "ndcg", "value": 0.5, "low": 0.4, "high": 0.6, "n_users": N_USERS},
    seed=SEED,
    share=SHARE,
)
"""


def code(source: str, *tags: str) -> Any:
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def good_cells() -> list[Any]:
    opening = f"# 00. Does a small notebook run?\n\n{badge(NAME)}\n\nYes. It does little."
    return [
        new_markdown_cell(opening),
        new_markdown_cell("## At a glance\n\nNothing is needed. See [data](../data/README.md)."),
        code(BOOTSTRAP, "bootstrap"),
        code(PARAMETERS.rstrip(), "parameters"),
        code("import time\nfrom pathlib import Path\n\nimport recnb.course", "setup"),
        new_markdown_cell("## 1. A step\n\nWe count."),
        code("# NBVAL_CHECK_OUTPUT\nprint(N_USERS * 2)"),
        code("time.sleep(WAIT)\nPath(OUTPUT_DIR).mkdir(parents=True, exist_ok=True)\nobject()"),
        code("assert N_USERS > 0", "checks"),
        code(RESULTS.rstrip(), "results"),
        new_markdown_cell("### The same question on other data\n\nNone yet."),
        new_markdown_cell("## What we learned\n\n- It runs.\n\nWhat this does not show: much."),
        new_markdown_cell("## Exercises"),
        *exercise("Predict the number.", "my_number", "40"),
        *exercise("Change the number.", "my_other", "41"),
        new_markdown_cell("## References\n\n- Nobody."),
    ]


def exercise(question: str, name: str, right: str) -> list[Any]:
    return [
        new_markdown_cell(question, metadata={"tags": ["exercise"]}),
        code(f"{name} = None", "answer"),
        code(f"recnb.course.check({name}, {right})", "check"),
        code(f"{name} = {right}\n{name}", "solution"),
    ]


def write(path: Path, cells: list[Any]) -> Path:
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i:02d}"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def make_repository(root: Path) -> Path:
    (root / "notebooks" / "profiles").mkdir(parents=True)
    (root / "data").mkdir()
    (root / "data" / "README.md").write_text("# Data\n")
    (root / "README.md").write_text(f"| [00](notebooks/{NAME}) | a small one |\n")
    profiles = "smoke: {N_USERS: 5}\ncpu: {}\ngpu: {N_USERS: 50}\n"
    (root / "notebooks" / "profiles" / "00.yaml").write_text(profiles)
    (root / "notebooks" / "exercises").mkdir()
    (root / "notebooks" / "exercises" / "00.yaml").write_text(WRONG)
    way = '"00": {topic: Small, minutes: 1, part: all}\n'
    (root / "notebooks" / "path.yaml").write_text(way)
    return root


@pytest.fixture(scope="session")
def stored_repository(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The repository after one stored run, and what that run found amiss."""
    root = make_repository(tmp_path_factory.mktemp("stored"))
    path = write(root / "notebooks" / NAME, good_cells())
    return SimpleNamespace(root=root, path=path, amiss=execute_in_place(path))


@pytest.fixture
def stored(stored_repository: Any, tmp_path: Path) -> Path:
    """A copy of the good, stored notebook in its repository, free to be broken."""
    root = tmp_path / "repository"
    shutil.copytree(stored_repository.root, root)
    return root / "notebooks" / NAME


@pytest.fixture
def change() -> Callable[[Path, Callable[[Any], None]], None]:
    """Change a notebook file in place by a function of its node."""

    def apply(path: Path, edit: Callable[[Any], None]) -> None:
        nb = nbformat.read(path, as_version=4)
        edit(nb)
        nbformat.write(nb, path)

    return apply


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a notebook of a parameters cell and the given code, in a repository of its own."""
    root = tmp_path / "made"
    make_repository(root)

    def build(*sources: str, name: str = NAME, profiles: str | None = None) -> Path:
        if profiles is not None:
            (root / "notebooks" / "profiles" / f"{name[:2]}.yaml").write_text(profiles)
        cells = [code(PARAMETERS.rstrip(), "parameters"), *(code(source) for source in sources)]
        return write(root / "notebooks" / name, cells)

    return build
