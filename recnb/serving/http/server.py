"""uvicorn as this service needs it: impatient with silent connections, and saying when it answers."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
import threading
from concurrent.futures import Future
from typing import Any

import pandas as pd
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from recnb.serving.encoder.onnx import LateEncoder, Replaced
from recnb.serving.http.service import Service

HEADER_SECONDS = 10.0  # for the head of a request to arrive
GRACE_SECONDS = 15
FIRST_SECONDS = 0.1  # for requests that wait already, before the rest is read


class Impatient(HttpToolsProtocol):
    """Closes a connection whose first request does not arrive: ten thousand silent ones must not stay."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._limit = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._limit.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's, that says when it answers, and reads the encoders then.

    Parameters
    ----------
    config : uvicorn.Config
    service : Service
    said : str
        Printed when lists are answered.

    Attributes
    ----------
    problem : exception or None
        Of an encoder: why the server has stopped.
    """

    def __init__(self, config: uvicorn.Config, service: Service, said: str) -> None:
        super().__init__(config)
        self.service, self.said = service, said
        self.problem: BaseException | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        loop, lives = asyncio.get_running_loop(), self.service.lives
        # kept, as the loop holds tasks by weak references alone
        self.reloads: set[asyncio.Task[Any]] = set()
        loop.add_signal_handler(
            signal.SIGHUP, lambda: self.reloads.add(loop.create_task(lives.reload()))
        )
        print(self.said, file=sys.stderr, flush=True)
        gc.enable()
        loop.call_later(FIRST_SECONDS, self._get_rest)

    def _get_rest(self) -> None:
        """What lists of known users do not need: encoders, and the library of filters and new items."""
        threading.Thread(target=lambda: pd.NA, name="import").start()
        for live in self.service.lives.by_name.values():
            encoder = live.artefact.encoder
            if isinstance(encoder, LateEncoder):
                encoder.read().add_done_callback(self._has_read)

    def _has_read(self, encoder: Future[Any]) -> None:
        """On the thread that has read."""
        problem = encoder.exception()
        if problem is not None and not isinstance(
            problem, Replaced
        ):  # a newer artefact is taken up
            self.problem, self.should_exit = problem, True


def serve(app: FastAPI, told: dict[str, Any]) -> None:
    """Answer until a signal.

    Parameters
    ----------
    told : dict
        `socket`, `address`, `certificate`, `private_key` of :func:`recnb.serving.http.worker.main`.

    Raises
    ------
    InputError
        An encoder cannot be read.
    """
    service: Service = app.state.service
    config = uvicorn.Config(
        app,
        http=Impatient,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        log_config=None,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_certfile=told.get("certificate"),
        ssl_keyfile=told.get("private_key"),
    )
    names = ", ".join(service.lives.by_name)
    keys = "no key asked for" if service.keys is None else "keys asked for"
    server = Server(
        config, service, f"serving {names} on {told['address']} ({keys}); stop with Ctrl-C"
    )
    server.run(sockets=[socket.socket(fileno=told["socket"])])
    if server.problem is not None:
        raise server.problem
