"""Run notebooks on their defaults and keep the outputs in them: ``python -m tools.notebooks.store``.

``python -m tools.notebooks.store 00 03`` runs those two, with no number all; ``--check`` runs nothing
and tells what is wrong with what is stored.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import hashlib
import re
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recnb.course.notebook import find_notebooks, find_root, needed, read, tagged
from recnb.course.outputs import ADDED, normalise, stamped, texts
from recnb.course.running.parameters import declared_parameters
from recnb.course.running.runner import FILES, NotebookError, run_notebook
from recnb.course.template import BOOTSTRAP
from recnb.errors import InputError
from recnb.files import write_text
from tools.notebooks.links import with_navigation
from tools.notebooks.structure import check


def execute_in_place(
    path: str | Path,
    *,
    cell_timeout: float | None = 300.0,
    notebook_timeout: float | None = 900.0,
    twice: bool = False,
) -> list[str]:
    """Run a notebook once, in order, on its own defaults, and store the normalised outputs in it.

    Parameters
    ----------
    path : path
        Changed only once the run has finished; the sources and ids of its cells stay.
    cell_timeout, notebook_timeout : float or None
        Seconds.
    twice : bool
        Run again and compare: what differs between two clean runs does not belong in a file.

    Returns
    -------
    list of str
        What the outputs tell of this machine or this run and what differs between two runs; the
        author has to change the cell. Empty where all is well.

    Raises
    ------
    InputError, NotebookError
        As `run_notebook`; the file is then as before.
    """
    path = Path(path).resolve()
    clean = _clean_run(path, cell_timeout, notebook_timeout)
    found = _leaks(clean, find_root(path))
    if twice:
        again = _clean_run(path, cell_timeout, notebook_timeout)
        found += [
            f"cell {i + 1}: another run gives another output"
            for i, (one, other) in enumerate(zip(clean.cells, again.cells, strict=True))
            if one.get("outputs") != other.get("outputs")
        ]
    write_text(path, needed("nbformat").writes(clean).rstrip("\n") + "\n")
    return found


def _clean_run(path: Path, cell_timeout: float | None, notebook_timeout: float | None) -> Any:
    nb = read(path)
    _renew(nb, path)
    default = declared_parameters(nb, path).get("OUTPUT_DIR", "")
    with tempfile.TemporaryDirectory() as folder:
        result = run_notebook(
            path,
            output_dir=folder,
            cell_timeout=cell_timeout,
            notebook_timeout=notebook_timeout,
            edit=lambda _: copy.deepcopy(nb),
        )
        executed = read(result.executed)
        # the kernel saw the folder under the name it had during the run
        during = str(Path(folder).resolve() / f".{path.stem}.running-")
    ran = [c for c in executed.cells if not ADDED & set(c.metadata.get("tags", []))]
    nb.nbformat_minor = max(nb.nbformat_minor, 5)
    for i, (cell, other) in enumerate(zip(nb.cells, ran, strict=True)):
        if not cell.get("id"):
            cell["id"] = hashlib.sha256(f"{i} {cell.source}".encode()).hexdigest()[:8]
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = other.outputs, other.execution_count
    back = {found: default for found in _spelled(nb, during)}
    return stamped(normalise(nb, replace=back))


def _renew(nb: Any, path: Path) -> None:
    """Write what is the same in every notebook as it is today: the bootstrap cell and the foot."""
    for cell in tagged(nb, "bootstrap"):
        cell.source = BOOTSTRAP
    if (path.parent / "path.yaml").exists():
        with_navigation(nb, path)


def _spelled(nb: Any, start: str) -> set[str]:
    """The run's folder for files, as it is spelled in the outputs."""
    pattern = re.compile(re.escape(start) + r"\d+" + re.escape(f"/{FILES}"))
    outputs = [output for cell in nb.cells for output in cell.get("outputs", [])]
    return {
        found for output in outputs for text in texts(output) for found in pattern.findall(text)
    }


def _leaks(nb: Any, root: Path) -> list[str]:
    """Where outputs name this machine or the time of this run."""
    today = datetime.date.today().isoformat()
    private = {
        "the name of the machine": rf"\b{re.escape(socket.gethostname())}\b",
        "the home folder": re.escape(str(Path.home())) + r"[/\\]",
        "the working folder": re.escape(str(root)) + r"\b",
        "the time of the run": rf"{today}[ T]\d\d:\d\d",
    }
    if len(socket.gethostname()) < 5:
        del private["the name of the machine"]  # too short to tell from a word
    found = []
    for i, cell in enumerate(nb.cells):
        for text in (text for output in cell.get("outputs", []) for text in texts(output)):
            for what, pattern in private.items():
                if re.search(pattern, text):
                    found.append(f"cell {i + 1}: the output tells {what}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Store or check notebooks; returns 0, 1 where a run failed or outputs are amiss, 2 on input."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks.store", description=__doc__)
    parser.add_argument("numbers", nargs="*", help="numbers of notebooks; default all")
    parser.add_argument("--check", action="store_true", help="run nothing, check what is stored")
    parser.add_argument("--twice", action="store_true", help="run twice and compare the outputs")
    asked = parser.parse_args(arguments)
    amiss = 0
    try:
        for path in find_notebooks(numbers=asked.numbers or None):
            found = [] if asked.check else execute_in_place(path, twice=asked.twice)
            found += check(path)
            amiss += bool(found)
            lines = [f"{path.name}: {line}" for line in found] or [f"{path.name}: ok"]
            sys.stdout.write("\n".join(lines) + "\n")
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except NotebookError as error:
        sys.stderr.write(f"{error.notebook.name}, code cell {error.cell}: {error.problem}\n")
        return 1
    return 1 if amiss else 0


if __name__ == "__main__":
    sys.exit(main())
