"""Limits that hold: a cell or a notebook that runs too long is interrupted, then killed.

papermill limits single cells and waits for the kernel to answer; a loop in C never answers. Here a
thread watches both limits and ends the kernel's whole process group.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recnb.course.notebook import needed

STEP = 0.05  # seconds between two looks at the clock


class Watchdog:
    """Watches one kernel from its start to its end. Use as a context.

    Parameters
    ----------
    cell_limit, notebook_limit : float or None
        Seconds; None for no limit.
    grace : float
        Seconds between the interrupt, which leaves a traceback, and the kill.
    stop : threading.Event, optional
        Set from outside, it ends the kernel at once.

    Attributes
    ----------
    expired : {None, "cell", "notebook", "stop"}
        Which limit ended the kernel.
    cell : int or None
        Index of the cell that ran last.
    """

    def __init__(
        self,
        cell_limit: float | None,
        notebook_limit: float | None,
        grace: float = 5.0,
        stop: threading.Event | None = None,
    ) -> None:
        self.cell_limit, self.notebook_limit, self.grace = cell_limit, notebook_limit, grace
        self.expired: str | None = None
        self.cell: int | None = None
        self._cell_started: float | None = None
        self._kernel: Any = None
        self._started = time.monotonic()
        self._done = threading.Event()
        self._stop = stop or threading.Event()
        self._thread = threading.Thread(target=self._watch, name="notebook limits", daemon=True)

    def __enter__(self) -> Watchdog:
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()
        self._signal("SIGKILL")  # nothing is left running, whatever went wrong

    def hold(self, kernel: Any) -> None:
        """Tell which kernel manager to watch."""
        self._kernel = kernel

    def cell_starts(self, cell_index: int, **_: Any) -> None:
        """Start the clock of a cell; a hook of the notebook client."""
        self.cell, self._cell_started = cell_index, time.monotonic()

    def cell_ends(self, **_: Any) -> None:
        """Stop the clock of a cell; a hook of the notebook client."""
        self._cell_started = None

    def _over(self) -> str | None:
        now, cell_started = time.monotonic(), self._cell_started
        if self._stop.is_set():
            return "stop"
        if self.notebook_limit is not None and now - self._started > self.notebook_limit:
            return "notebook"
        if self.cell_limit is not None and cell_started is not None:
            return "cell" if now - cell_started > self.cell_limit else None
        return None

    def _watch(self) -> None:
        while not self._done.wait(STEP):
            self.expired = self._over()
            if self.expired is None:
                continue
            if self.expired != "stop" and self._cell_started is not None:
                self._signal("SIGINT")
                if self._done.wait(self.grace):
                    return
            while not self._done.wait(STEP):  # a kernel still starting is ended once it is there
                self._signal("SIGKILL")
            return

    def _signal(self, name: str) -> None:
        provisioner: Any = getattr(self._kernel, "provisioner", None)
        process = getattr(provisioner, "process", None)
        if process is None or process.poll() is not None:
            return
        try:
            if hasattr(os, "killpg") and provisioner.pgid not in (None, os.getpgid(0)):
                os.killpg(provisioner.pgid, getattr(signal, name))
            elif name == "SIGKILL":
                process.kill()
        except (ProcessLookupError, PermissionError):
            pass  # it ended in between


def kernel_class(
    hold: Callable[[Any], None],
    kernel_name: str,
    env: Mapping[str, str],
    log: Path,
    command: Sequence[str] | None = None,
) -> Any:
    """Return a kernel manager class for one run.

    Parameters
    ----------
    hold : callable
        Gets the manager as soon as there is one, see `Watchdog.hold`.
    kernel_name : str
        ``python3`` means the interpreter that runs this code, whatever kernels are registered on
        the machine; any other name is looked up among those.
    env : mapping
        Environment variables of the kernel, beside the present ones.
    log : Path
        File for what the kernel's process prints outside of cells, a crash for instance.
    command : sequence of str, optional
        Starts a kernel of ``python3`` in another way, see `recnb.course.running.warm`.
    """
    client, spec = needed("jupyter_client"), needed("jupyter_client.kernelspec")
    ours = needed("ipykernel.kernelspec").get_kernel_dict() if kernel_name == "python3" else None
    if ours is not None and command is not None:
        ours["argv"] = list(command)

    class Kernel(client.AsyncKernelManager):  # type: ignore[name-defined, misc]
        def __init__(self, **settings: Any) -> None:
            super().__init__(**{**_sockets(), **settings})
            if ours is not None:
                self._kernel_spec = spec.KernelSpec(**ours)
            hold(self)

        async def _async_start_kernel(self, **settings: Any) -> None:
            settings["env"] = {**os.environ, **env}
            with log.open("ab") as file:
                await super()._async_start_kernel(stdout=file, stderr=file, **settings)

        start_kernel = _async_start_kernel

    return Kernel


def _sockets() -> dict[str, str]:
    """Settings of a kernel that talks through files, where there may be such: nobody else can take their place.

    A port that is free when it is chosen may be another kernel's when this one binds it, and then it dies at its start.
    """
    folder = needed("jupyter_core.paths").jupyter_runtime_dir()
    file = os.path.join(folder, f"recnb-{uuid.uuid4().hex[:16]}.json")
    if os.name == "nt" or len(os.fsencode(file)) > 90:  # a socket's name has 104 bytes at most
        return {}
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return {"transport": "ipc", "connection_file": file}


def kernel_env(threads: int | None = None) -> dict[str, str]:
    """Return the environment variables with which a notebook's kernel starts.

    Parameters
    ----------
    threads : int, optional
        Cores that numerical libraries may use; default all.
    """
    package = Path(__file__).resolve().parents[3]  # so that a bare checkout is found, too
    paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONHASHSEED": "0",
        "TQDM_DISABLE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if threads is not None:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        env |= dict.fromkeys(names, str(threads))
    return env
