"""The service as a Ray Serve application: as many replicas as there is to do, on one machine or many."""

from __future__ import annotations

import re
import signal
import threading
from pathlib import Path
from typing import Any

from recnb.errors import InputError
from recnb.serving.http.service import Settings

NAME = "recnb"
ONGOING = 16  # requests of a replica at work, on average, that the autoscaler aims at


def replicas(text: str) -> tuple[int, int]:
    """Fewest and most replicas of ``"2"`` or ``"1:4"``.

    Examples
    --------
    >>> replicas("1:4"), replicas("2")
    ((1, 4), (2, 2))
    """
    found = re.fullmatch(r"([1-9]\d{0,3})(?::([1-9]\d{0,3}))?", text)
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= low <= high:
        raise InputError(f"--replicas {text[:40]}", mend="write 2, or 1:4 for one to four")
    return low, high


def application(settings: Settings, low: int = 1, high: int = 1) -> Any:
    """The service as an application for ``ray.serve.run``.

    Parameters
    ----------
    settings : Settings
        Folders must be there for every replica. All replicas write their logs into the one state folder, which must lie
        on a disk whose locks hold between machines; a new item is in every replica's lists within `settings.watch`
        seconds.
    low, high : int
        Replicas: more are started while each has more than 16 requests at work, fewer are kept after ten quiet minutes.

    Returns
    -------
    ray.serve.Application
    """
    from ray import serve

    def build() -> Any:
        from recnb.serving.http.app import create_app

        return create_app(settings)

    scaling = {
        "min_replicas": low,
        "max_replicas": high,
        "initial_replicas": low,
        "target_ongoing_requests": ONGOING,
    }
    deployment: Any = serve.deployment(
        serve.ingress(build)(),
        name=NAME,
        autoscaling_config=scaling,
        max_ongoing_requests=settings.queue,
        ray_actor_options={"num_cpus": 1},
        graceful_shutdown_timeout_s=15,
    )
    return deployment.bind()


def serve_until_signal(
    settings: Settings,
    numbers: tuple[int, int],
    host: str,
    port: int,
    certificate: Path | None = None,
    private_key: Path | None = None,
) -> None:
    """Start the application on the cluster that this process is connected to, and wait for SIGINT or SIGTERM."""
    from ray import serve

    # before the start, which takes long on a busy machine: Ray's own answer to a signal is a dump
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    tls = {"ssl_certfile": certificate, "ssl_keyfile": private_key}
    options = {key: str(value) for key, value in tls.items() if value is not None}
    serve.start(http_options={"host": host, "port": port, **options})
    serve.run(application(settings, *numbers), name=NAME, route_prefix="/")
    low, high = numbers
    scheme = "https" if options else "http"
    if not stopped.is_set():
        where = f"{scheme}://{host}:{port}"
        print(f"serving on {where} with {low} to {high} replicas; stop with Ctrl-C", flush=True)
    stopped.wait()
    serve.shutdown()
