"""Run the course: notebook after notebook, or several at once, resumable, with a summary page."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from recnb.course.notebook import find_notebooks, read
from recnb.course.running.page import as_page, write_html
from recnb.course.running.parameters import check_parameters, declared_parameters, parse_settings
from recnb.course.running.runner import (
    EXECUTED,
    RECORDS,
    NotebookError,
    plan_parameters,
    run_notebook,
)
from recnb.course.running.warm import POSSIBLE, warm_kernels
from recnb.course.running.watchdog import kernel_env
from recnb.errors import InputError
from recnb.files import write_text

SUMMARY, PAGE, DONE = "course.json", "index.html", "run.json"
MEMORY = 3 * 1024**3  # bytes that are to be free for each notebook at a time
MOST = 4  # notebooks at a time
MANY = 3  # notebooks; with more, to import the libraries once for all pays


@dataclass(frozen=True)
class Progress:
    """One step of a running course: `state` is started, cell, finished, reused or failed."""

    notebook: str
    state: str
    cell: int = 0
    cells: int = 0
    seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class NotebookStatus:
    """What became of one notebook: `status` is finished, reused or failed.

    Paths are relative to the output folder, so that the folder can be moved.
    """

    number: str
    notebook: str
    title: str
    status: str
    seconds: float
    parameters: dict[str, Any]
    executed: str
    html: str | None
    problem: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class CourseResult:
    """All notebooks of a run, and where the summary and the page are."""

    notebooks: tuple[NotebookStatus, ...]
    summary: Path
    page: Path

    @property
    def failed(self) -> tuple[NotebookStatus, ...]:
        """The notebooks that did not run to their end."""
        return tuple(n for n in self.notebooks if n.status == "failed")


def run_course(
    numbers: Iterable[int | str] | None = None,
    profile: str = "cpu",
    overrides: Mapping[str, Any] | Sequence[str] = (),
    output_dir: str | Path = "course-output",
    *,
    root: str | Path | None = None,
    jobs: int | None = None,
    force: bool = False,
    cell_timeout: float | None = 600.0,
    notebook_timeout: float | None = 1800.0,
    progress: Callable[[Progress], None] | None = None,
    grace: float = 5.0,
) -> CourseResult:
    """Execute notebooks in the order of reading and collect what they recorded.

    Parameters
    ----------
    numbers : iterable, optional
        Which notebooks, for example ``["00", "03"]``; default all.
    profile : {"smoke", "cpu", "gpu"}
    overrides : mapping, or sequence of "NAME=VALUE"
        Parameters over the profile. Every chosen notebook has to declare them.
    output_dir : path
        Gets a folder for each notebook, ``course.json`` and ``index.html``.
    root : path, optional
        The repository, default the one around the working folder.
    jobs : int, optional
        Notebooks at a time; the cores are shared out among them. Default: `default_jobs`.
    force : bool
        Run also what is finished. Otherwise a notebook is not run again while its source, its
        parameters and the package are the same.
    cell_timeout, notebook_timeout, grace
        As in `run_notebook`.
    progress : callable, optional
        Gets a `Progress` at every step, in the calling thread.

    Returns
    -------
    CourseResult
        A notebook that fails does not stop the others; see `CourseResult.failed`.

    Raises
    ------
    InputError
        Before anything is executed: an unknown number or profile, an undeclared parameter.
    """
    jobs = default_jobs(profile) if jobs is None else jobs
    if jobs < 1:
        raise InputError(f"jobs is {jobs}", mend="pass 1 or more")
    output = Path(output_dir).resolve()
    paths = find_notebooks(root, numbers)
    if not paths:
        raise InputError("there are no notebooks in notebooks/")
    plans = {path: _plan(path, profile, overrides) for path in paths}  # all checked before any runs
    output.mkdir(parents=True, exist_ok=True)
    stop, steps = threading.Event(), _Steps(progress)
    threads = max(1, _cores() // jobs) if jobs > 1 else None
    package = package_digest()
    todo = [
        path
        for path, parameters in plans.items()
        if force or _finished(output / path.stem, _key(path, parameters, package)) is None
    ]
    held = contextlib.ExitStack()
    command = None
    if len(todo) > MANY and profile != "gpu" and POSSIBLE:  # a process with a GPU is not forked
        with contextlib.suppress(RuntimeError):
            place = held.enter_context(tempfile.TemporaryDirectory(prefix="recnb-"))
            command = held.enter_context(warm_kernels(Path(place), kernel_env(threads)))
    one = partial(
        _run_one,
        output=output,
        force=force,
        steps=steps,
        cell_timeout=cell_timeout,
        notebook_timeout=notebook_timeout,
        command=command,
        threads=threads,
        grace=grace,
        stop=stop,
    )
    done: dict[Path, NotebookStatus] = {}
    with held, ThreadPoolExecutor(jobs, thread_name_prefix="notebook") as pool:
        waiting: dict[Future[NotebookStatus], Path] = {}
        try:
            waiting = {pool.submit(one, path, plans[path]): path for path in paths}
            while waiting:
                finished, _ = wait(waiting, timeout=0.1, return_when=FIRST_COMPLETED)
                steps.hand_on()
                for future in finished:
                    done[waiting.pop(future)] = future.result()
                    _write_summary(output, profile, jobs, paths, done)
        except BaseException:  # Ctrl-C: end the kernels, then leave
            stop.set()
            for future in waiting:
                future.cancel()
            raise
    steps.hand_on()
    ordered = tuple(done[path] for path in paths)
    return CourseResult(ordered, output / SUMMARY, output / PAGE)


def default_jobs(profile: str) -> int:
    """Return how many notebooks run at a time: one a core, as far as memory and the GPU allow.

    One thread each uses two cores better than two threads for one notebook.
    """
    if profile == "gpu":  # they would share the GPU's memory
        return 1
    free = psutil.virtual_memory().available
    return max(1, min(_cores(), MOST, int(free // MEMORY)))


def _cores() -> int:
    """The cores that this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Steps:
    """Carries steps from the threads of the runs to the caller's."""

    def __init__(self, tell: Callable[[Progress], None] | None) -> None:
        self._tell, self._steps, self._lock = tell, list[Progress](), threading.Lock()

    def add(self, step: Progress) -> None:
        with self._lock:
            self._steps.append(step)

    def hand_on(self) -> None:
        with self._lock:
            steps, self._steps = self._steps, []
        for step in steps:
            if self._tell is not None:
                self._tell(step)


def _plan(path: Path, profile: str, overrides: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    declared = declared_parameters(read(path), path)
    if isinstance(overrides, Mapping):
        given = check_parameters(declared, overrides, path)
    else:
        given = parse_settings(overrides, declared, path)
    return plan_parameters(path, given, profile)


def _run_one(
    path: Path,
    parameters: dict[str, Any],
    *,
    output: Path,
    force: bool,
    steps: _Steps,
    **limits: Any,
) -> NotebookStatus:
    folder, name = output / path.stem, path.name
    key = _key(path, parameters, package_digest())  # as it is now, not as the course began
    if not force and (earlier := _finished(folder, key)) is not None:
        steps.add(Progress(name, "reused", seconds=earlier["seconds"]))
        return _status(path, "reused", parameters, folder, output, earlier["seconds"])
    steps.add(Progress(name, "started"))
    started = time.monotonic()
    tell = lambda cell, cells: steps.add(  # noqa: E731
        Progress(name, "cell", cell, cells, time.monotonic() - started)
    )
    try:
        result = run_notebook(path, parameters, output_dir=output, on_cell=tell, **limits)
    except NotebookError as error:
        seconds = round(time.monotonic() - started, 2)
        problem = str(error).partition("; executed copy")[0]
        steps.add(Progress(name, "failed", seconds=seconds, problem=str(error)))
        write_html(error.executed)
        kept = error.executed.parent
        return _status(path, "failed", parameters, kept, output, seconds, problem)
    write_html(result.executed)
    # last of all: only a run with this file counts as finished
    content = {"key": key, "seconds": result.seconds, "parameters": parameters}
    write_text(folder / DONE, json.dumps(content, indent=1) + "\n")
    steps.add(Progress(name, "finished", seconds=result.seconds))
    return _status(path, "finished", parameters, folder, output, result.seconds)


def _key(path: Path, parameters: Mapping[str, Any], package: str) -> str:
    """Identity of a run: the notebook's source, its parameters, and the package."""
    cells = [[cell.cell_type, cell.source] for cell in read(path).cells]
    content = json.dumps([cells, parameters], sort_keys=True, default=str)
    return hashlib.sha256(f"{content}{package}".encode()).hexdigest()


def package_digest() -> str:
    """Return the identity of the package's code, finer than its version."""
    package, digest = Path(__file__).resolve().parents[2], hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(str(file.relative_to(package)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _finished(folder: Path, key: str) -> dict[str, Any] | None:
    try:
        done = json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = (folder / EXECUTED).exists() and (folder / RECORDS).exists()
    return done if whole and done.get("key") == key else None


def _status(
    path: Path,
    status: str,
    parameters: dict[str, Any],
    folder: Path,
    output: Path,
    seconds: float,
    problem: str = "",
) -> NotebookStatus:
    html = folder / "notebook.html"
    found = folder / RECORDS
    return NotebookStatus(
        number=path.name[:2],
        notebook=path.name,
        title=_title(path),
        status=status,
        seconds=seconds,
        parameters=parameters,
        executed=(folder / EXECUTED).relative_to(output).as_posix(),
        html=html.relative_to(output).as_posix() if html.exists() else None,
        problem=problem,
        records=json.loads(found.read_text(encoding="utf-8")) if found.exists() else [],
    )


def _title(path: Path) -> str:
    for cell in read(path).cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return str(cell.source.split("\n")[0][2:].strip())
    return path.stem


def _write_summary(
    output: Path,
    profile: str,
    jobs: int,
    paths: Sequence[Path],
    done: Mapping[Path, NotebookStatus],
) -> None:
    from recnb.course.template import VERSION

    notebooks = [asdict(done[path]) for path in paths if path in done]
    content = {
        "schema": 1,
        "profile": profile,
        "jobs": jobs,
        "version": VERSION,
        "package": package_digest(),
        "notebooks": notebooks,
    }
    write_text(output / SUMMARY, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    write_text(output / PAGE, as_page(content))
