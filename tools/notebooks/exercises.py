"""Exercises and the answers that test them: each check cell is run with wrong answers and with the right one.

An exercise is a question (Markdown, tagged `exercise`), a stub (`answer`) whose names are None, a cell that calls
`recnb.course.check` (`check`) and a solution (`solution`), which sets the same names. The solution is the right
answer; the wrong ones stand in ``notebooks/exercises/NN.yaml``, a list of code per exercise, in order::

    - ["my_guess = not closer"]
    - ["my_scores = np.zeros_like(scores)", "my_scores = scores.T"]
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recnb.course.exercise import OPEN, RIGHT, WRONG
from recnb.course.notebook import needed, tags
from recnb.errors import InputError

PARTS = ("answer", "check", "solution")
TRIED = "exercise-"  # tags of the cells that a trial adds, with what the check has to say


@dataclass(frozen=True)
class Exercise:
    """Places of the cells of an exercise; `parts` holds those that are there exactly once."""

    question: int
    parts: dict[str, int]


def exercises_of(nb: Any) -> list[Exercise]:
    """Return the exercises of a notebook, in order."""
    starts = [i for i, cell in enumerate(nb.cells) if "exercise" in tags(cell)]
    found = []
    for start, end in zip(starts, [*starts[1:], len(nb.cells)], strict=True):
        places = {}
        for part in PARTS:
            held = [i for i in range(start, end) if part in tags(nb.cells[i])]
            if len(held) == 1:
                places[part] = held[0]
        found.append(Exercise(start, places))
    return found


def problems(nb: Any, path: Path) -> Iterator[str]:
    """Yield what an exercise lacks to be answered, checked and tested."""
    exercises = exercises_of(nb)
    if len(exercises) < 2:
        yield f"{len(exercises)} cells are tagged 'exercise', there are to be two or three"
    for exercise in exercises:
        where = f"cell {exercise.question + 1}"
        yield from (
            f"{where}: the exercise has not one cell tagged '{part}'"
            for part in PARTS
            if part not in exercise.parts
        )
        if len(exercise.parts) < len(PARTS):
            continue
        answer, check, solution = (exercise.parts[part] for part in PARTS)
        if not answer < check < solution:
            yield f"{where}: the parts of the exercise are to come as {', '.join(PARTS)}"
        if "check(" not in nb.cells[check].source:
            yield f"cell {check + 1}: does not call recnb.course.check"
        stub = _assigned(nb.cells[answer].source)
        if not stub or any(value is not None for value in stub.values()):
            yield f"cell {answer + 1}: the stub is to set its names to None"
        missing = set(stub) - set(_assigned(nb.cells[solution].source))
        if missing:
            yield f"cell {solution + 1}: the solution does not set {', '.join(sorted(missing))}"
    try:
        wrong = wrong_answers(path)
    except InputError as error:
        yield str(error)
        return
    if len(wrong) != len(exercises) or not all(wrong):
        yield f"exercises/{path.name[:2]}.yaml needs wrong answers for each of {len(exercises)} exercises"


def answers_of(path: Path) -> Path:
    """Return the file of wrong answers of a notebook."""
    return path.parent / "exercises" / f"{path.name[:2]}.yaml"


def wrong_answers(path: Path) -> list[list[str]]:
    """Return the code of wrong answers per exercise, from ``exercises/NN.yaml`` beside a notebook."""
    file = answers_of(path)
    if not file.exists():
        raise InputError("there is no file of wrong answers", file=f"exercises/{file.name}")
    content = needed("yaml").safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(content, list) or not all(isinstance(part, list) for part in content):
        raise InputError("is no list of lists of code", file=f"exercises/{file.name}")
    return [[str(code) for code in part] for part in content]


def with_trials(nb: Any, path: Path) -> Any:
    """Return a copy in which each check runs on every wrong answer, then on the solution.

    The solution runs last, so that later cells see what they see without the trials. What a check cell prepares before
    it reads the answer runs once, in the cell itself.
    """
    new_cell = needed("nbformat.v4").new_code_cell
    tried = copy.deepcopy(nb)
    pairs = list(zip(exercises_of(nb), wrong_answers(path), strict=True))
    for exercise, wrong in reversed(pairs):
        answer, check = (nb.cells[exercise.parts[part]].source for part in ("answer", "check"))
        check = _asking(check, answer)
        after = new_cell(check, metadata={"tags": [f"{TRIED}right"]})
        tried.cells.insert(exercise.parts["solution"] + 1, after)
        before = []
        for code in wrong:
            before += [new_cell(code), new_cell(check, metadata={"tags": [f"{TRIED}wrong"]})]
        tried.cells[exercise.parts["solution"] : exercise.parts["solution"]] = before
        tried.cells[exercise.parts["check"]].metadata["tags"] = ["check", f"{TRIED}open"]
    return tried


def _asking(check: str, answer: str) -> str:
    """A check cell from the first statement that reads what the answer cell sets; all of it where none does.

    Examples
    --------
    >>> _asking("table = costly()\\ncheck(mine, table)", "mine = None")
    'check(mine, table)'
    """
    names = set(_assigned(answer))
    for statement in ast.parse(check).body:
        read = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        if names & read:
            return "\n".join(check.splitlines()[statement.lineno - 1 :])
    return check


def failures(executed: Any) -> list[str]:
    """Return where a check of an executed trial said something else than it had to."""
    wanted = {"right": RIGHT, "wrong": WRONG, "open": OPEN}
    found, answer = [], ""
    for cell in executed.cells:
        for kind, text in wanted.items():
            if f"{TRIED}{kind}" in tags(cell):
                said = _said(cell)
                if not said.startswith(text):
                    found.append(f"a {kind} answer ({answer!r}) got {said!r}")
        answer = cell.source
    return found


def _said(cell: Any) -> str:
    parts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.outputs
    ]
    return "".join(parts[-1]) if parts else ""


def _assigned(source: str) -> dict[str, Any]:
    """Names that code sets at its top, to their literal or to Ellipsis."""
    found: dict[str, Any] = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found[statement.name] = ...
        if not isinstance(statement, ast.Assign):
            continue
        for target in statement.targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            is_literal = isinstance(statement.value, ast.Constant)
            value = statement.value.value if is_literal else ...  # type: ignore[attr-defined]
            found |= {name.id: value for name in names if isinstance(name, ast.Name)}
    return found
