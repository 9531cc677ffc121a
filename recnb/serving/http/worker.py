"""The process that answers: `python -m recnb.serving.http.worker SETTINGS`, on a socket that its parent holds."""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from recnb.errors import InputError
from recnb.serving.http.app import create_app
from recnb.serving.http.live import Lives
from recnb.serving.http.service import Settings

HEADER_SECONDS = 10.0  # for the head of a request to arrive
GRACE_SECONDS = 15


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
    """uvicorn's, that says when it answers."""

    def __init__(self, config: uvicorn.Config, lives: Lives, said: str) -> None:
        super().__init__(config)
        self.lives, self.said = lives, said

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            loop = asyncio.get_running_loop()
            # kept, as the loop holds tasks by weak references alone
            self.reloads: set[asyncio.Task[Any]] = set()
            loop.add_signal_handler(
                signal.SIGHUP, lambda: self.reloads.add(loop.create_task(self.lives.reload()))
            )
            print(self.said, file=sys.stderr, flush=True)


def main(told: dict[str, Any]) -> None:
    """Serve until a signal; ends with 2 where the input is wrong."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("recnb").setLevel(logging.INFO)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    settings = _settings(told["settings"])
    try:
        app = create_app(settings)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    service = app.state.service
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
    said = f"serving {names} on {told['address']} ({keys}); stop with Ctrl-C"
    server = Server(config, service.lives, said)
    server.run(sockets=[socket.socket(fileno=told["socket"])])


def _settings(told: dict[str, Any]) -> Settings:
    state = told["state"]
    folders = tuple(Path(folder) for folder in told["folders"])
    plain = Settings(**{**told, "folders": folders, "state": None})
    return replace(plain, state=None if state is None else Path(state))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
