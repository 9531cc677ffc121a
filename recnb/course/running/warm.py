"""Kernels that start warm: one process has the heavy libraries imported, and each kernel is a fork of it.

To import torch, transformers, scikit-learn and their like takes longer than a short notebook. The package itself is not
among what is imported: each kernel imports what its notebook asks for. Linux only: elsewhere a fork of a process with
these libraries is not safe.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

LIBRARIES = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "scipy.sparse.linalg",
    "scipy.stats",
    "sklearn.linear_model",
    "sklearn.metrics",
    "torch",
    "transformers.models.bert.modeling_bert",
    "transformers.models.llama.modeling_llama",
    "tokenizers",
    "safetensors.torch",
    "accelerate",
    "matplotlib.figure",  # not pyplot: it asks at its import which shell there is
    "IPython.core.interactiveshell",
    "ipykernel.kernelapp",
)


POSSIBLE = sys.platform == "linux"


@contextlib.contextmanager
def warm_kernels(folder: Path, env: Mapping[str, str]) -> Iterator[list[str]]:
    """Hold the process that kernels are forks of.

    Parameters
    ----------
    folder : Path
        For its socket.
    env : mapping
        What a kernel's environment has beside the present one; it must hold when libraries are imported, too.

    Yields
    ------
    list of str
        The command of a kernel, with a place for its connection file as in a kernel specification.

    Raises
    ------
    RuntimeError
        The process did not start.
    """
    place = folder / "warm"
    env = {**os.environ, **env, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    command = [sys.executable, "-P", __file__, "serve", str(place)]
    pipe = subprocess.PIPE
    # a session of its own: Ctrl-C is for the one who runs the notebooks
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, env=env, start_new_session=True
    ) as held:
        try:
            assert held.stdout is not None
            if held.stdout.readline() != b"warm\n":
                raise RuntimeError("the process with the libraries did not start")
            yield [sys.executable, "-I", "-S", __file__, "ask", str(place), "{connection_file}"]
        finally:
            held.kill()


def serve(place: str) -> None:
    """Import the libraries; then fork a kernel for everyone who asks, until standard input ends."""
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            import_module(name)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen()
    # without its parent this process has nobody to serve
    threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("warm", flush=True)
    while True:
        asked, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _kernel(asked)
        asked.close()


def _kernel(asked: socket.socket) -> None:
    """In the fork: be the kernel that was asked for."""
    try:
        _, (out, err), *_ = socket.recv_fds(asked, 1, 2)
        with asked.makefile("rb") as lines:
            told = json.loads(lines.readline())
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, file in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
            os.dup2(file, number)
        os.chdir(told["cwd"])
        os.environ.clear()
        os.environ.update(told["env"])
        paths = told["env"].get("PYTHONPATH", "").split(os.pathsep)
        sys.path[:0] = ["", *filter(None, paths)]
        sys.argv = ["ipykernel_launcher", *told["arguments"]]
        threading.Thread(target=_obey, args=(asked,), daemon=True).start()
        import_module("ipykernel.kernelapp").launch_new_instance(argv=sys.argv[1:])
    finally:
        os._exit(0)


def _obey(asked: socket.socket) -> None:
    """Interrupt the kernel when told to, and end it with the one who asked."""
    while asked.recv(1):
        os.kill(os.getpid(), signal.SIGINT)
    os.killpg(0, signal.SIGKILL)


def ask(place: str, *arguments: str) -> None:
    """Stand for the kernel where it is started, signalled and ended."""
    with socket.socket(socket.AF_UNIX) as kernel:
        kernel.connect(place)
        signal.signal(signal.SIGINT, lambda *_: kernel.send(b"i"))
        socket.send_fds(kernel, [b"f"], [1, 2])
        told = {"cwd": os.getcwd(), "env": dict(os.environ), "arguments": ["-f", *arguments]}
        kernel.sendall(json.dumps(told).encode() + b"\n")
        kernel.recv(1)


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
