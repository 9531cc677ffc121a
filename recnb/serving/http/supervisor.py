"""The parent of a service: holds the socket, starts the process that answers, and starts it again when it is killed."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from typing import Any

from recnb.errors import InputError

_SOON = 10.0  # s: a process that ends sooner than this after its start waits before the next
_LONGEST = 10.0  # s between starts


def bound(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises
    ------
    InputError
        The address is taken, or is none.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(4096)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot listen on {host}:{port} ({reason})", mend="name another with --host or --port"
        ) from None
    return listening


def supervise(told: dict[str, Any], listening: socket.socket) -> int:
    """Run the worker until it ends by itself or is asked to; one that is killed is started again.

    Connections that arrive meanwhile wait in the socket.

    Parameters
    ----------
    told : dict
        What :func:`recnb.serving.http.worker.main` reads, but for the socket.
    listening : socket

    Returns
    -------
    int
        The exit code: 0 after a signal to stop, else the worker's.
    """
    listening.set_inheritable(True)
    text = json.dumps({**told, "socket": listening.fileno()})
    command = [sys.executable, "-m", "recnb.serving.http.worker", text]
    stopping, child, wait = False, None, 0.5

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        if child is not None:
            child.send_signal(signal.SIGTERM)

    def reload(*_: object) -> None:
        if child is not None:
            child.send_signal(signal.SIGHUP)

    for number, act in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, reload)):
        signal.signal(number, act)
    while True:
        started = time.monotonic()
        # a group of its own: Ctrl-C reaches this process alone, which passes it on once
        child = subprocess.Popen(command, pass_fds=[listening.fileno()], start_new_session=True)
        if stopping:
            child.send_signal(signal.SIGTERM)
        code = child.wait()
        if stopping or code in (0, 2):
            return 0 if stopping else code
        if time.monotonic() - started > _SOON:
            wait = 0.5
        print(f"the process ended with {code}: starting another", file=sys.stderr, flush=True)
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST)
