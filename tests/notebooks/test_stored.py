"""nbval: stored outputs of the cells marked NBVAL_CHECK_OUTPUT are what the code gives today.

Notebook 00 always, as far as its last marked cell: what stands behind it is run by `make course`, with the same data.
RECNB_NBVAL=changed adds those that differ from main, RECNB_NBVAL=all takes all, and both run them whole.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from recnb.course.notebook import find_notebooks

ROOT = Path(__file__).parents[2]


def chosen() -> list[Path]:
    notebooks, asked = find_notebooks(ROOT), os.environ.get("RECNB_NBVAL", "")
    if asked not in ("", "changed", "all"):
        raise ValueError(f"RECNB_NBVAL is {asked!r}, not changed or all")
    if asked == "all":
        return notebooks
    names = {path.name for path in notebooks if path.name.startswith("00")}
    if asked == "changed":
        command = ["git", "diff", "--name-only", "main", "--", "notebooks"]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        names |= {Path(line).name for line in told.stdout.splitlines()}
    return [path for path in notebooks if path.name in names]


def cut(path: Path, folder: Path) -> Path:
    """A copy that ends with the last marked cell."""
    nb = nbformat.read(path, as_version=4)
    marked = [n for n, cell in enumerate(nb.cells) if "# NBVAL_CHECK_OUTPUT" in cell.source]
    nb.cells = nb.cells[: marked[-1] + 1]
    nbformat.write(nb, folder / path.name)
    return folder / path.name


def nbval(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env"]
    command += ["--nbval-cell-timeout", "120", "-q", "-o", "addopts=", "-p", "no:cacheprovider"]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "0"}
    for name in [name for name in env if name.startswith("PYTEST_")]:
        del env[name]
    return subprocess.run(
        [*command, str(path)], env=env, capture_output=True, text=True, timeout=600
    )


@pytest.mark.notebooks
@pytest.mark.parametrize("path", chosen(), ids=lambda path: path.stem)
def test_stored_outputs_are_what_the_code_gives(path: Path, tmp_path: Path, slot: None) -> None:
    run = nbval(path if os.environ.get("RECNB_NBVAL") else cut(path, tmp_path))
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-1000:]
    assert " passed" in run.stdout


def test_a_stale_output_is_caught(tmp_path: Path) -> None:
    source = "# NBVAL_CHECK_OUTPUT\nprint(2 + 2)"
    for name, stored in (("00_good", "4\n"), ("01_stale", "5\n")):
        output = new_output("stream", name="stdout", text=stored)
        cell = new_code_cell(source, outputs=[output], execution_count=1)
        nbformat.write(new_notebook(cells=[cell]), tmp_path / f"{name}.ipynb")
    run = nbval(tmp_path)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "1 failed, 1 passed" in run.stdout
    assert "01_stale.ipynb::Cell 0" in run.stdout
