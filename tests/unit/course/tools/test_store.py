"""What is stored: normalised, the same from every clean run, telling nothing of the machine."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from recnb.course import NotebookError, normalise
from recnb.course.outputs import WIDGET
from recnb.course.records import MIME
from tools.notebooks.links import MARK
from tools.notebooks.store import execute_in_place, main

Make = Callable[..., Path]
RECORD = "from recnb.course import record\nrecord({'third': 1 / 3}, seed=SEED)"


def messy() -> Any:
    def stream(text: str, name: str = "stdout") -> Any:
        return new_output("stream", name=name, text=text)

    bundle = {
        MIME: {"rows": [{"metric": "a", "value": 0.123456789}], "run": {"seconds": 3}},
        "text/plain": "a",
    }
    outputs = [
        stream("one\n"),
        stream("warning\n", "stderr"),
        stream("two\n"),
        stream(" 10%|#   | 1/10 [00:00<00:01, 9.1it/s]\r100%|####| 10/10 [00:01<00:00]\n"),
        stream("\x1b[31mred\x1b[0m <object at 0x7f1122334455>\n"),
        new_output("display_data", data={WIDGET: {"model_id": "x"}, "text/plain": "W()"}),
        new_output("display_data", data=bundle, metadata={"text/plain": {"a": 1}}),
        new_output("execute_result", data={"text/plain": "3"}, execution_count=9),
    ]
    cells = [
        new_code_cell(
            "a", outputs=outputs, execution_count=9, metadata={"tags": ["b", "a"], "scrolled": True}
        ),
        new_code_cell("b", execution_count=10, metadata={"tags": ["injected-parameters"]}),
        new_code_cell("c", execution_count=None),
        new_code_cell("d", execution_count=12),
    ]
    metadata = {
        "kernelspec": {"name": "x", "display_name": "X"},
        "widgets": {},
        "papermill": {"duration": 1},
    }
    return new_notebook(cells=cells, metadata=metadata)


def test_normalise_keeps_what_is_reproducible() -> None:
    nb = messy()
    clean = normalise(nb)
    assert clean.metadata["kernelspec"]["name"] == "python3"
    assert set(clean.metadata) == {"kernelspec", "language_info"}
    assert [cell.execution_count for cell in clean.cells] == [1, None, 2]
    first = clean.cells[0]
    assert first.metadata == {"tags": ["a", "b"]}
    printed, bundle, result = first.outputs
    assert printed.text == "one\ntwo\nred <object>\n"
    assert bundle.data[MIME] == {"rows": [{"metric": "a", "value": 0.123457}]}
    assert bundle.metadata == {}
    assert result.execution_count == 1
    assert normalise(clean) == clean
    assert len(nb.cells) == 4 and nb.cells[0].outputs[1].name == "stderr"  # not changed


def test_two_clean_runs_store_the_same_bytes(make: Make) -> None:
    path = make("object()", "print(OUTPUT_DIR)", RECORD)
    assert execute_in_place(path) == []
    once = path.read_bytes()
    assert execute_in_place(path) == []
    assert path.read_bytes() == once
    nb = nbformat.read(path, as_version=4)
    assert nb.cells[2].outputs[0].text == "../course-output/00\n"
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert nb.cells[-1].source.startswith(MARK)  # the foot is written with the outputs
    assert "seconds" not in json.dumps(nb.cells[3].outputs)
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "00_small.ipynb",
        "exercises",
        "path.yaml",
        "profiles",
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\nprint(os.getcwd())", "cell 2: the output tells the working folder"),
        ("from pathlib import Path\nPath.home() / 'x'", "cell 2: the output tells the home folder"),
        ("print('started', NOW)", "cell 2: the output tells the time of the run"),
    ],
)
def test_what_tells_of_the_machine_is_found(source: str, said: str, make: Make) -> None:
    source = source.replace("NOW", f"'{datetime.datetime.now().isoformat()}'")
    assert said in execute_in_place(make(source))


def test_what_differs_between_two_runs_is_found(make: Make) -> None:
    path = make("import os\nprint(os.getpid())", "print('same')")
    assert execute_in_place(path, twice=True) == ["cell 2: another run gives another output"]


def test_a_failing_run_changes_nothing(make: Make) -> None:
    path = make("1 / 0")
    before = path.read_bytes()
    with pytest.raises(NotebookError, match="ZeroDivisionError"):
        execute_in_place(path)
    assert path.read_bytes() == before


def test_the_command_tells_what_is_amiss(
    stored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(stored.parent)
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == "00_small.ipynb: ok\n"
    (stored.parents[1] / "README.md").unlink()
    assert main(["00", "--check"]) == 1
    assert "README.md does not list it" in capsys.readouterr().out
    assert main(["42"]) == 2
    assert "there is no notebook 42" in capsys.readouterr().err
