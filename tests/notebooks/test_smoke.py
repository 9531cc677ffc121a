"""Every notebook runs to its end, and each check of an exercise tells a wrong answer from the right one.

Both in one run on the smoke profile: 30 seconds by design on two cores, 120 at most. Kernels are forks of a process
that holds the libraries already; `make course` and the tests of the runner start theirs anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import nbformat
import pytest

from recnb.course import run_notebook
from recnb.course.notebook import find_notebooks, read
from recnb.course.running.parameters import declared_parameters
from recnb.course.running.runner import NotebookError, NotebookTimeout
from recnb.course.running.warm import POSSIBLE, warm_kernels
from recnb.course.running.watchdog import kernel_env
from tools.notebooks.exercises import answers_of, failures, with_trials

ROOT = Path(__file__).parents[2]
NOTEBOOKS = find_notebooks(ROOT)
# Not again on MovieLens: the same cells take the same columns of the data as another notebook's, which does run there.
AS_ANOTHER = {
    "15": "14",  # titles and liked pairs, cut by the same three lines
    "22": "20",  # titles and a division by items, and one table of lists
}
ON_DATA = [
    path
    for path in NOTEBOOKS
    if "DATASET" in declared_parameters(read(path), path) and path.name[:2] not in AS_ANOTHER
]
LIMIT = 120.0


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str] | None]:
    """The command of kernels that start with their libraries imported."""
    if not POSSIBLE:
        yield None
        return
    with warm_kernels(tmp_path_factory.mktemp("kernels"), kernel_env()) as command:
        yield command


@pytest.mark.notebooks
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_smoke(path: Path, tmp_path: Path, slot: None, warm: list[str] | None) -> None:
    tried = partial(with_trials, path=path) if answers_of(path).exists() else None
    run = run_notebook(
        path,
        profile="smoke",
        output_dir=tmp_path,
        notebook_timeout=LIMIT,
        command=warm,
        edit=tried,
    )
    assert len(run.records) == 1
    assert run.records[0]["rows"]
    assert failures(read(run.executed)) == []


@pytest.mark.parametrize("number", AS_ANOTHER)
def test_what_is_not_run_on_movielens_takes_its_data_as_another_does(number: str) -> None:
    def loading(number: str) -> str:
        (path,) = find_notebooks(ROOT, [number])
        (cell,) = [
            c for c in read(path).cells if c.cell_type == "code" and "load(DATASET)" in c.source
        ]
        return cell.source.split("\nds = ds.sample_users")[0]

    assert loading(number) == loading(AS_ANOTHER[number])


def test_a_warm_kernel_is_a_kernel(tmp_path: Path, warm: list[str] | None) -> None:
    """Its folder and environment are the run's, it fails as others do, and a limit ends it."""
    cells = {
        "told": 'import os, sys\nassert "torch" in sys.modules and "recnb" not in sys.modules\n'
        'assert os.getcwd() == FOLDER and os.environ["TQDM_DISABLE"] == "1"',
        "fails": "1 / 0",
        "waits": "import time\ntime.sleep(60)",
    }
    for name, source in cells.items():
        nb = nbformat.v4.new_notebook()
        first = nbformat.v4.new_code_cell(
            f"FOLDER = {str(tmp_path)!r}", metadata={"tags": ["parameters"]}
        )
        nb.cells = [first, nbformat.v4.new_code_cell(source)]
        nbformat.write(nb, tmp_path / f"{name}.ipynb")
    if warm is None:
        pytest.skip("kernels are forks on Linux alone")
    out = tmp_path / "out"
    run_notebook(tmp_path / "told.ipynb", output_dir=out, command=warm)
    with pytest.raises(NotebookError, match="ZeroDivisionError"):
        run_notebook(tmp_path / "fails.ipynb", output_dir=out, command=warm)
    with pytest.raises(NotebookTimeout, match="limit of 2 s"):
        run_notebook(tmp_path / "waits.ipynb", output_dir=out, notebook_timeout=2, command=warm)


@pytest.mark.notebooks
@pytest.mark.real
@pytest.mark.parametrize("path", ON_DATA, ids=lambda path: path.stem)
def test_smoke_on_movielens(path: Path, tmp_path: Path, slot: None, warm: list[str] | None) -> None:
    """The reader's own data take the same way: another folder, no column renamed by hand."""
    place = os.environ.get("RECNB_DATA")
    if not place:
        pytest.skip("RECNB_DATA does not name a folder of data sets")
    if not (Path(place) / "ml-100k").is_dir():
        pytest.skip("there is no ml-100k in the folder that RECNB_DATA names")
    asked = {"DATASET": "ml-100k"}
    run = run_notebook(path, asked, "smoke", tmp_path, notebook_timeout=2 * LIMIT, command=warm)
    assert run.parameters["DATASET"] == "ml-100k"
    assert run.records[0]["rows"]
