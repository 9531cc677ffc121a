"""Tests of the tests: each broken notebook is caught, and a good one passes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from recnb.errors import InputError
from tools.notebooks.structure import check

Change = Callable[[Path, Callable[[Any], None]], None]


def cell_tagged(nb: Any, tag: str) -> Any:
    return next(cell for cell in nb.cells if tag in cell.metadata.get("tags", []))


def swap(nb: Any, one: int, other: int) -> None:
    nb.cells[one], nb.cells[other] = nb.cells[other], nb.cells[one]


def untag(nb: Any, tag: str) -> None:
    cell_tagged(nb, tag).metadata.pop("tags")


def edit(nb: Any, tag: str, old: str, new: str) -> None:
    cell = cell_tagged(nb, tag)
    assert old in cell.source
    cell.source = cell.source.replace(old, new)


def add_output(nb: Any, output: Any, index: int = 6) -> None:
    nb.cells[index].outputs.append(output)


def stream(text: str, name: str = "stdout") -> Any:
    return new_output("stream", name=name, text=text)


def picture(size: int) -> Any:
    data = {"image/png": base64.b64encode(b"x" * size).decode()}
    return new_output("display_data", data=data)


WORDY = " ".join(["word"] * 13)


def filler(n: int) -> list[Any]:
    return [new_markdown_cell("We count on.", id=f"filler-{i}") for i in range(n)]


BROKEN: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no question": (lambda nb: swap_text(nb, 0, "run?", "run."), "the title is to read"),
    "wrong number": (lambda nb: swap_text(nb, 0, "# 00.", "# 01."), "the title is to read"),
    "two titles": (
        lambda nb: nb.cells.append(new_markdown_cell("# Again", id="x")),
        "2 headings of the first level",
    ),
    "no badge": (lambda nb: swap_text(nb, 0, "colab-badge", "badge"), "lacks the badge"),
    "bootstrap edited": (
        lambda nb: edit(nb, "bootstrap", "-q", "-U"),
        "the bootstrap cell differs",
    ),
    "missing tag": (lambda nb: untag(nb, "results"), "0 cells are tagged 'results'"),
    "out of order": (lambda nb: swap(nb, 8, 9), "tagged cells are out of order"),
    "code before setup": (lambda nb: swap(nb, 4, 6), "is to come after it"),
    "unknown tag": (lambda nb: retag(nb, "solution", "solutoin"), "unknown tag 'solutoin'"),
    "no seed": (lambda nb: edit(nb, "parameters", "SEED", "START"), "does not declare SEED"),
    "device fixed": (lambda nb: edit(nb, "parameters", '"auto"', '"cuda"'), "default of DEVICE"),
    "computed parameter": (
        lambda nb: edit(nb, "parameters", "N_USERS = 20", "N_USERS = 4 * 5"),
        "is no literal",
    ),
    "lower case": (lambda nb: edit(nb, "parameters", "WAIT", "wait"), "is no literal"),
    "import": (lambda nb: edit(nb, "parameters", "SEED", "import os\nSEED"), "is no literal"),
    "no comment": (
        lambda nb: edit(nb, "parameters", "  # between 0 and 1", ""),
        "parameter SHARE has no comment",
    ),
    "two on a line": (
        lambda nb: edit(nb, "parameters", "SHARE = 0.5", "A = 1; SHARE = 0.5"),
        "parameter SHARE is to stand on one line",
    ),
    "record twice": (
        lambda nb: edit(nb, "results", "recnb", "recnb.course.record({'a': 1})\nrecnb"),
        "calls record 2 times",
    ),
    "one exercise": (lambda nb: untag(nb, "exercise"), "1 cells are tagged 'exercise'"),
    "no solution": (lambda nb: untag(nb, "solution"), "has not one cell tagged 'solution'"),
    "no check": (lambda nb: untag(nb, "check"), "has not one cell tagged 'check'"),
    "the check is by hand": (
        lambda nb: edit(nb, "check", "recnb.course.check", "print"),
        "does not call recnb.course.check",
    ),
    "the answer is given away": (
        lambda nb: edit(nb, "answer", "None", "40"),
        "the stub is to set its names to None",
    ),
    "the solution solves something else": (
        lambda nb: edit(nb, "solution", "my_number = ", "number = "),
        "the solution does not set my_number",
    ),
    "parts out of order": (lambda nb: swap(nb, 14, 15), "are to come as answer, check, solution"),
    "an open solution": (
        lambda nb: cell_tagged(nb, "solution").metadata.pop("jupyter"),
        "the folding of solutions",
    ),
    "long main path": (
        lambda nb: nb.cells.__setitem__(slice(5, 5), filler(40)),
        "the main path has 5",
    ),
    "a section after the side rooms": (
        lambda nb: swap_text(nb, 5, "## 1.", "## Going deeper\n\n## 2."),
        "a numbered section follows",
    ),
    "wide cells": (
        lambda nb: [swap_text(nb, at, "", "\n" * 12) for at in (6, 7)],
        "the median code cell has",
    ),
    "say": (
        lambda nb: swap_text(nb, 6, "print", "def say(text): ...\nprint"),
        "prose comes from code (say)",
    ),
    "prose in Markdown from code": (
        lambda nb: swap_text(nb, 6, "print", "Markdown(f'{N_USERS} users')\nprint"),
        "prose comes from code (Markdown)",
    ),
    "prose in an f-string": (
        lambda nb: swap_text(nb, 6, "print", f"text = f'{{N_USERS}} {WORDY}'\nprint"),
        "prose comes from code (13 words",
    ),
    "prose in a print": (
        lambda nb: swap_text(nb, 6, "print", f"print('{WORDY}')\nprint"),
        "prose comes from code (13 words",
    ),
    "a private module": (
        lambda nb: swap_text(nb, 6, "print", "from recnb.plots.words import plain\nprint"),
        "imports from recnb.plots.words, which is no public face",
    ),
    "a private module by import": (
        lambda nb: swap_text(nb, 6, "print", "import recnb.plots.words\nprint"),
        "imports recnb.plots.words, which is no public face",
    ),
    "a name that is not public": (
        lambda nb: swap_text(nb, 6, "print", "from recnb.course import batch\nprint"),
        "imports batch, which recnb.course does not name",
    ),
    "no way on": (
        lambda nb: nb.cells[-1].update(source="The end."),
        "the last cell does not lead on",
    ),
    "long cell": (lambda nb: swap_text(nb, 6, "print", "\n" * 25 + "print"), "27 lines of code"),
    "installs": (lambda nb: swap_text(nb, 6, "print", "!pip install x\nprint"), "installs some"),
    "autoreload": (lambda nb: swap_text(nb, 6, "print", "%autoreload 2\nprint"), "%autoreload"),
    "silence": (
        lambda nb: swap_text(nb, 6, "print", "warnings.filterwarnings('ignore')\nprint"),
        "ignored without a category",
    ),
    "absolute path": (
        lambda nb: swap_text(nb, 6, "print", "open('/home/me/a.csv')\nprint"),
        "absolute path '/home/me/a.csv'",
    ),
    "stale output": (
        lambda nb: swap_text(nb, 6, "* 2", "* 3"),
        "stored outputs are stale",
    ),
    "never run": (lambda nb: nb.cells[6].update(execution_count=None), "execution counts"),
    "run out of order": (lambda nb: nb.cells[6].update(execution_count=9), "execution counts"),
    "another kernel": (
        lambda nb: nb.metadata.kernelspec.update(name="conda"),
        "not normalised (kernelspec",
    ),
    "widget state": (lambda nb: nb.metadata.update(widgets={}), "not normalised (widgets)"),
    "cell metadata": (
        lambda nb: nb.cells[6].metadata.update(collapsed=True),
        "the folding of solutions (collapsed)",
    ),
    "stderr": (lambda nb: add_output(nb, stream("oh", "stderr")), "cell 7: output is not normal"),
    "progress": (
        lambda nb: add_output(nb, stream(" 50%|#####     | 5/10 [00:01<00:01]")),
        "cell 7: output is not normal",
    ),
    "address": (
        lambda nb: add_output(nb, stream("<object at 0x7f00aa11bb22>\n")),
        "cell 7: output is not normal",
    ),
    "a path": (
        lambda nb: add_output(nb, stream("saved to /home/me/model\n")),
        "a path of the machine in the output: '/home/me/model'",
    ),
    "an error": (
        lambda nb: add_output(nb, new_output("error", ename="KeyError", evalue="", traceback=[])),
        "an error is stored: KeyError",
    ),
    "no record": (lambda nb: cell_tagged(nb, "results").outputs.clear(), "0 records are stored"),
    "big figure": (lambda nb: add_output(nb, picture(100_001)), "a figure has 100 kB"),
    "big file": (lambda nb: swap_text(nb, 11, "much", "much " * 100_000), "the file has 50"),
    "dead link": (lambda nb: swap_text(nb, 1, "README", "readmee"), "leads nowhere"),
    "dead anchor": (
        lambda nb: swap_text(nb, 1, "../data/README.md", "#no-such-part"),
        "no heading for the link '#no-such-part'",
    ),
    "dead own link": (
        lambda nb: swap_text(
            nb, 1, "../data/README.md", "https://github.com/recnb/recnb/blob/main/no.md"
        ),
        "leads nowhere",
    ),
    "a run that nobody recorded": (
        lambda nb: swap_text(nb, 6, "print", "recnb.course.recorded('reranking')\nprint"),
        "results/ holds no run 'reranking'",
    ),
    "a run that nobody recorded, whole": (
        lambda nb: swap_text(nb, 6, "print", "recorded_run('reranking')\nprint"),
        "results/ holds no run 'reranking'",
    ),
    "injected cell": (
        lambda nb: nb.cells.insert(
            4, new_code_cell("SEED = 1", id="x", metadata={"tags": ["injected-parameters"]})
        ),
        "a cell that papermill put in",
    ),
}


def swap_text(nb: Any, index: int, old: str, new: str) -> None:
    assert old in nb.cells[index].source
    nb.cells[index].source = nb.cells[index].source.replace(old, new)


def retag(nb: Any, old: str, new: str) -> None:
    cell_tagged(nb, old).metadata["tags"] = [new]


def test_a_sound_in_the_page_is_no_path(stored: Path, change: Change) -> None:
    page = '<source src="data:audio/wav;base64,UklG+/ab/cd/ef+/gh/ij/kl==" type="audio/wav" />'
    kept = new_output("display_data", data={"text/html": page})
    change(stored, lambda nb: add_output(nb, kept))
    assert not [problem for problem in check(stored) if "path" in problem]


def test_a_good_notebook_passes(stored: Path, stored_repository: Any) -> None:
    assert stored_repository.amiss == []
    assert check(stored) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_notebook_is_caught(name: str, stored: Path, change: Change) -> None:
    breaks, said = BROKEN[name]
    change(stored, breaks)
    assert any(said in problem for problem in check(stored)), check(stored)


def test_a_recorded_run_that_is_there_passes(stored: Path, change: Change) -> None:
    (stored.parents[1] / "results").mkdir()
    (stored.parents[1] / "results" / "control.json").write_text("[]")
    call = "recnb.course.recorded('cont*')\nrecnb.course.recorded_run('control')\nprint"
    change(stored, lambda nb: swap_text(nb, 6, "print", call))
    assert not [problem for problem in check(stored) if "results/" in problem]


def test_side_rooms_do_not_count_as_main_path(stored: Path, change: Change) -> None:
    """What stands under Going deeper, Exercises and References may be as long as it has to be."""

    def furnish(nb: Any) -> None:
        deeper = new_markdown_cell("## Going deeper\n\nMore.", id="deeper")
        nb.cells[12:12] = [deeper, *filler(50)]

    change(stored, furnish)
    assert check(stored) == []


def test_assert_messages_and_data_are_no_prose(stored: Path, change: Change) -> None:
    lines = f"""assert N_USERS > 0, f"{{N_USERS}} {WORDY}"\nreviews = ["{WORDY}"]\nprint"""
    change(stored, lambda nb: swap_text(nb, 6, "print", lines))
    assert [problem for problem in check(stored) if "prose" in problem] == []


def test_a_good_anchor_and_a_good_own_link_pass(stored: Path, change: Change) -> None:
    own = "https://github.com/recnb/recnb/blob/main/data/README.md"
    change(stored, lambda nb: swap_text(nb, 1, "../data/README.md", own))
    assert check(stored) == []
    change(stored, lambda nb: swap_text(nb, 1, own, "#1-a-step"))
    assert check(stored) == []


def test_ordinary_outputs_are_no_paths(stored: Path, change: Change) -> None:
    text = "and/or https://example.org/a/b 1/2 <td>x</td></tr> DAIRY/MILK/CREAM 3 / 4\n"

    def add(nb: Any) -> None:
        nb.cells[6].outputs[-1].text += text

    change(stored, add)
    assert check(stored) == []


def test_what_is_beside_the_notebook_is_checked(stored: Path) -> None:
    root = stored.parents[1]
    (root / "README.md").write_text("notebooks/00_small.ipynb is not in a table\n")
    assert check(stored) == ["the table of notebooks in README.md does not list it"]


@pytest.mark.parametrize(
    ("profiles", "said"),
    [
        (None, "there is no such profile file"),
        ("smoke: {}\ncpu: {}", "has no 'gpu'"),
        ("smoke: {N_USER: 1}\ncpu: {}\ngpu: {}", "parameter 'N_USER' is not declared"),
        ("smoke: {N_USERS: few}\ncpu: {}\ngpu: {}", "N_USERS = 'few' is of type str"),
        ("smok: {}", "'smok' is no profile"),
    ],
)
def test_profiles_are_checked(profiles: str | None, said: str, stored: Path) -> None:
    file = stored.parent / "profiles" / "00.yaml"
    if profiles is None:
        file.unlink()
    else:
        file.write_text(profiles)
    assert any(said in problem for problem in check(stored)), check(stored)


def test_a_file_that_is_no_notebook_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / "00_a.ipynb"
    path.write_text("not json")
    with pytest.raises(InputError, match="no readable notebook"):
        check(path)


def test_a_name_out_of_form_is_caught(stored: Path) -> None:
    other = stored.rename(stored.with_name("Quickstart.ipynb"))
    assert any("NN_topic_in_snake_case" in problem for problem in check(other))
