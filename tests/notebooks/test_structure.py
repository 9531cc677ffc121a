"""Every notebook in notebooks/, as it is stored: order, tags, outputs, sizes, links, profile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recnb.course.notebook import find_notebooks
from tools.notebooks.structure import check

ROOT = Path(__file__).parents[2]
NOTEBOOKS = find_notebooks(ROOT)


def test_the_first_notebooks_are_there() -> None:
    assert {"00", "01", "03"} <= {path.name[:2] for path in NOTEBOOKS}


def test_numbers_are_unique_and_names_in_form() -> None:
    names = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert names == [path.name for path in NOTEBOOKS]


def test_the_table_in_the_readme_lists_no_other() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    listed = set(re.findall(r"notebooks/(\d\d_\w+\.ipynb)", text))
    assert listed == {path.name for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_structure(path: Path) -> None:
    problems = check(path, ROOT)
    assert not problems, "\n".join([path.name, *problems])
