"""Exercises: a check that accepts a wrong answer, or refuses the right one, is caught by a run."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import pytest

from recnb.course import run_notebook
from tools.notebooks.exercises import exercises_of, failures, with_trials
from tools.notebooks.structure import check

Change = Callable[[Path, Callable[[Any], None]], None]


def tried(path: Path, out: Path) -> list[str]:
    result = run_notebook(
        path, profile="smoke", output_dir=out, edit=partial(with_trials, path=path)
    )
    return failures(nbformat.read(result.executed, as_version=4))


def test_good_checks_pass_and_see_every_answer(stored: Path, tmp_path: Path) -> None:
    nb = with_trials(nbformat.read(stored, as_version=4), stored)
    kinds = [
        tag for cell in nb.cells for tag in cell.metadata.get("tags", []) if "exercise-" in tag
    ]
    assert [kind.removeprefix("exercise-") for kind in kinds] == [
        *("open", "wrong", "wrong", "right"),
        *("open", "wrong", "right"),
    ]
    assert tried(stored, tmp_path / "out") == []


def test_what_a_check_prepares_runs_once(stored: Path) -> None:
    nb = nbformat.read(stored, as_version=4)
    first = exercises_of(nb)[0].parts
    (name,) = re.findall(r"^(\w+) = None", nb.cells[first["answer"]].source)
    nb.cells[first["check"]].source = f"table = costly()\ncheck({name},\n      table)"
    sources = [cell.source for cell in with_trials(nb, stored).cells]
    assert sum("costly()" in source for source in sources) == 1
    assert sources.count(f"check({name},\n      table)") == 3, "two wrong answers and the right one"


@pytest.mark.parametrize(
    ("check_cell", "said"),
    [
        ("check(my_number, lambda n: n >= 0)", "a wrong answer ('my_number = 0') got 'Right.'"),
        ("check(my_number, 42)", "a right answer ('my_number = 40\\nmy_number') got 'Not yet.'"),
        ("check(1, 1)", "a open answer ('my_number = None') got 'Right.'"),
        ("1", "a open answer ('my_number = None') got '1'"),
    ],
)
def test_a_check_that_does_not_know_the_answer_is_caught(
    check_cell: str, said: str, stored: Path, change: Change, tmp_path: Path
) -> None:
    def weaken(nb: Any) -> None:
        place = exercises_of(nb)[0].parts["check"]
        nb.cells[place].source = f"from recnb.course import check\n{check_cell}"

    change(stored, weaken)
    assert said in tried(stored, tmp_path / "out")


@pytest.mark.parametrize("wrong", [None, "[[]]", '[["a = 1"], []]', "{}"])
def test_every_exercise_needs_wrong_answers(wrong: str | None, stored: Path) -> None:
    file = stored.parent / "exercises" / "00.yaml"
    if wrong is None:
        file.unlink()
    else:
        file.write_text(wrong)
    assert any("exercises/00.yaml" in problem for problem in check(stored)), check(stored)
