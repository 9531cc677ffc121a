"""Run one notebook with papermill: checked parameters, limits that hold, a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recnb.course.notebook import needed, read
from recnb.course.outputs import collect_records
from recnb.course.running.parameters import check_parameters, declared_parameters, load_profile
from recnb.course.running.watchdog import Watchdog, kernel_class, kernel_env
from recnb.errors import InputError
from recnb.files import write_text

EXECUTED, RECORDS, FILES, LOG = "executed.ipynb", "records.json", "files", "kernel.log"
START = 300  # seconds that a kernel may take to answer, on a machine that is busy


class NotebookError(RuntimeError):
    """A notebook did not run to its end.

    Attributes
    ----------
    notebook, executed : Path
        The source, and the copy with the outputs up to the failure.
    cell : int or None
        The code cell, counted from 1 among the code cells as a reader counts them.
    """

    def __init__(self, problem: str, notebook: Path, executed: Path, cell: int | None) -> None:
        self.problem, self.notebook, self.executed, self.cell = problem, notebook, executed, cell
        place = f", code cell {cell}" if cell else ""
        super().__init__(f"{notebook.name}{place}: {problem}; executed copy: {executed}")


class NotebookTimeout(NotebookError, TimeoutError):
    """A notebook, or one of its cells, ran over its limit and was ended."""


class NotebookStopped(NotebookError):
    """A notebook was ended from outside, by Ctrl-C for instance."""


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes
    ----------
    notebook : Path
        The source.
    folder : Path
        Its own folder: the executed copy, ``records.json`` and ``files/`` (its OUTPUT_DIR).
    executed : Path
    records : tuple of dict
        What it recorded, see `recnb.course.record`.
    parameters : dict
        What was set, profile and own settings together.
    seconds : float
        Wall time with the start of the kernel.
    """

    notebook: Path
    folder: Path
    executed: Path
    records: tuple[dict[str, Any], ...]
    parameters: dict[str, Any]
    seconds: float


def plan_parameters(
    path: Path, parameters: Mapping[str, Any] | None, profile: str | None
) -> dict[str, Any]:
    """Return what a run sets: the profile, and over it the given values, all of them checked."""
    declared = declared_parameters(read(path), path)
    asked = dict(load_profile(path, profile)) if profile else {}
    return check_parameters(declared, {**asked, **(parameters or {})}, path)


def run_notebook(
    path: str | Path,
    parameters: Mapping[str, Any] | None = None,
    profile: str | None = None,
    output_dir: str | Path = "course-output",
    *,
    cell_timeout: float | None = 600.0,
    notebook_timeout: float | None = 1800.0,
    kernel_name: str = "python3",
    command: Sequence[str] | None = None,
    threads: int | None = None,
    grace: float = 5.0,
    stop: threading.Event | None = None,
    on_cell: Callable[[int, int], None] | None = None,
    edit: Callable[[Any], Any] | None = None,
) -> RunResult:
    """Execute a notebook in its own folder and keep the executed copy and its records.

    Parameters
    ----------
    path : path
        The notebook. It runs with its own folder as the working folder and is not changed.
    parameters : mapping, optional
        Values for declared parameters; they win over the profile.
    profile : {"smoke", "cpu", "gpu"}, optional
        What ``profiles/NN.yaml`` beside the notebook sets; default nothing.
    output_dir : path
        The run goes to ``output_dir/<name of the notebook>``; a notebook that declares
        OUTPUT_DIR gets the folder ``files`` in there unless it is set.
    cell_timeout, notebook_timeout : float or None
        Limits in seconds, for each cell and for the whole.
    kernel_name : str
        ``python3`` is the interpreter that runs this; other names are looked up on the machine.
    command : sequence of str, optional
        Starts the kernel in another way, see `recnb.course.running.warm.warm_kernels`.
    threads : int, optional
        Cores for numerical libraries; default all.
    grace : float
        Seconds between the interrupt of a run over its limit and the kill.
    stop : threading.Event, optional
        Set from another thread, it ends the run.
    on_cell : callable, optional
        Called with (code cells started, code cells) as the run moves on.
    edit : callable, optional
        Gets the notebook's node and returns the one that runs; the file is not changed.

    Returns
    -------
    RunResult

    Raises
    ------
    InputError
        Before anything is executed: no notebook, an undeclared parameter, a value of another type.
    NotebookTimeout, NotebookStopped, NotebookError
        With the executed copy, kept in ``<name>.failed`` while an earlier good run stays whole.
    """
    path = Path(path).resolve()
    settings = plan_parameters(path, parameters, profile)
    nb = edit(read(path)) if edit is not None else read(path)
    output = Path(output_dir).resolve()
    work = output / f".{path.stem}.running-{os.getpid()}"
    _clear_leftovers(output, path.stem)
    (work / FILES).mkdir(parents=True)
    started = time.monotonic()
    injected = {**_own_folder(nb, path, work / FILES), **settings}
    with Watchdog(cell_timeout, notebook_timeout, grace, stop) as watchdog:
        failure: BaseException | None = None
        try:
            env, log = kernel_env(threads), work / LOG
            kernel = kernel_class(watchdog.hold, kernel_name, env, log, command)
            _execute(nb, path, work / EXECUTED, injected, kernel_name, kernel, watchdog, on_cell)
        except Exception as error:
            failure = error
        except BaseException:  # Ctrl-C: leave nothing half done behind
            shutil.rmtree(work, ignore_errors=True)
            raise
    if failure is not None or watchdog.expired:
        failed = _replace(work, output / f"{path.stem}.failed")
        raise _explain(failure, path, failed / EXECUTED, watchdog) from failure
    records = collect_records(read(work / EXECUTED))
    write_text(work / RECORDS, json.dumps(records, indent=1, ensure_ascii=False) + "\n")
    (work / LOG).unlink(missing_ok=True)
    shutil.rmtree(output / f"{path.stem}.failed", ignore_errors=True)
    folder = _replace(work, output / path.stem)
    seconds = round(time.monotonic() - started, 2)
    return RunResult(path, folder, folder / EXECUTED, tuple(records), settings, seconds)


def _own_folder(nb: Any, path: Path, files: Path) -> dict[str, str]:
    return {"OUTPUT_DIR": str(files)} if "OUTPUT_DIR" in declared_parameters(nb, path) else {}


def _execute(
    nb: Any,
    path: Path,
    executed: Path,
    parameters: dict[str, Any],
    kernel_name: str,
    kernel: Any,
    watchdog: Watchdog,
    on_cell: Callable[[int, int], None] | None,
) -> None:
    papermill = needed("papermill")
    total = sum(cell.cell_type == "code" for cell in nb.cells) + bool(parameters)
    begun = 0

    def starts(cell: Any, cell_index: int, **told: Any) -> None:
        nonlocal begun
        begun += 1
        watchdog.cell_starts(cell_index)
        if on_cell is not None:
            on_cell(begun, total)

    nb.metadata["kernelspec"] = {
        "name": kernel_name,
        "language": "python",
        "display_name": "Python",
    }
    papermill.execute_notebook(
        nb,  # a node, not a path: papermill formats braces in paths
        str(executed).replace("{", "{{").replace("}", "}}"),
        parameters=parameters,
        kernel_name=kernel_name,
        progress_bar=False,
        start_timeout=START,
        kernel_manager_class=kernel,
        resources={"metadata": {"path": str(path.parent)}},  # os.chdir would hit other threads
        shutdown_kernel="immediate",
        on_cell_execute=starts,
        on_cell_executed=watchdog.cell_ends,
    )


def _explain(
    failure: BaseException | None, path: Path, executed: Path, watchdog: Watchdog
) -> Exception:
    if isinstance(failure, InputError):
        return failure
    cell = _count(executed, watchdog.cell)
    if watchdog.expired == "cell":
        problem = f"a cell ran over its limit of {watchdog.cell_limit:g} s"
        return NotebookTimeout(problem, path, executed, cell)
    if watchdog.expired == "notebook":
        problem = f"the notebook ran over its limit of {watchdog.notebook_limit:g} s"
        return NotebookTimeout(problem, path, executed, cell)
    if watchdog.expired == "stop":
        return NotebookStopped("stopped", path, executed, cell)
    if type(failure).__name__ == "DeadKernelError":
        return NotebookError(
            f"its kernel died (out of memory, or see {LOG} beside the copy)", path, executed, cell
        )
    name = getattr(failure, "ename", type(failure).__name__)
    said = str(getattr(failure, "evalue", failure)).strip().split("\n")[0]
    return NotebookError(f"{name}: {said}" if said else str(name), path, executed, cell)


def _count(executed: Path, index: int | None) -> int | None:
    """The position of a cell among the source's code cells; the injected one does not count."""
    if index is None or not executed.exists():
        return None
    cells = [c for c in read(executed).cells if "papermill-error-cell-tag" not in _tags(c)]
    ours = [c for c in cells[: index + 1] if "injected-parameters" not in _tags(c)]
    return sum(cell.cell_type == "code" for cell in ours) or None


def _tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", []))


def _replace(work: Path, folder: Path) -> Path:
    """Put a finished folder in the place of an older one."""
    old = folder.with_name(f".{folder.name}.old-{os.getpid()}")
    if folder.exists():
        folder.replace(old)
    work.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def _clear_leftovers(output: Path, stem: str) -> None:
    """Mend what killed runs left: an older run moved aside goes back, half a run goes away."""
    for left in output.glob(f".{stem}.*-*"):
        name, _, pid = left.name[1:].rpartition("-")
        if pid.isdigit() and int(pid) != os.getpid() and _alive(int(pid)):
            continue
        if name.endswith(".old") and not (output / name.removesuffix(".old")).exists():
            left.replace(output / name.removesuffix(".old"))
        else:
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    if os.name == "nt":  # there, signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
