"""The door of the service: keys, scopes, rates, sizes, headers, and what is written down of every request."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from recnb.serving.keys import Key, KeyFile, Rates
from recnb.serving.records import AuditLog
from recnb.serving.watch.monitor import Monitor

log = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

OPEN = {"/", "/page.js", "/health", "/ready", "/docs", "/openapi.json", "/favicon.ico"}
LONGEST_BODY = 512 * 1024  # bytes
LONGEST_QUERY = 8192
BODY_SECONDS = 10.0  # for a body to arrive
ANONYMOUS_RATE = 2000.0  # requests a second of an open service, over all callers
_CSP = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
_CSP += "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", _CSP.encode()),
]


class Refused(Exception):
    """A request that goes no further."""

    def __init__(self, status: int, error: str, after: float | None = None) -> None:
        super().__init__(error)
        self.status, self.error, self.after = status, error, after


def scope_of(method: str, path: str) -> str:
    """The scope that a request needs."""
    if path.startswith("/admin"):
        return "admin"
    return "items" if path.startswith("/items") and method != "GET" else "read"


class Guard:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app : ASGI application
    keys : KeyFile or None
        None opens the service to all.
    monitor : Monitor
    audit : AuditLog
    tls : bool
        Whether browsers are told to come back over TLS alone.
    """

    def __init__(
        self, app: Any, keys: KeyFile | None, monitor: Monitor, audit: AuditLog, tls: bool = False
    ) -> None:
        self.app, self.keys, self.monitor, self.audit = app, keys, monitor, audit
        self.rates = Rates()
        strict = [(b"strict-transport-security", b"max-age=31536000")] if tls else []
        self.headers = [*HEADERS, *strict]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        headers = dict(scope["headers"])
        status, key, began = 500, None, False
        failure: Exception | None
        late: list[Refused] = []  # of the body, which a parser would tell as its own failure

        async def sending(message: Message) -> None:
            nonlocal status, began
            if late:  # nothing that was made of half a body goes out
                return
            if message["type"] == "http.response.start":
                status, began = message["status"], True
                extra = [*self.headers, (b"x-request-id", request_id.encode())]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            key = self._admitted(scope, headers)
            await self.app(scope, _bounded(receive, headers, late), sending)
            failure = None
        except Exception as error:
            failure = error
        try:
            failure = late.pop() if late else failure
            if isinstance(failure, Refused):
                self.monitor.refused.labels(str(failure.status)).inc()
                scope["state"]["error"] = failure.error
            elif failure is not None:
                # the trace stands in the server's own log, never in an answer
                log.error("request %s failed", request_id, exc_info=failure)
                failure = Refused(500, "something went wrong here")
            if failure is not None and not began:
                await _answer(sending, failure.status, failure.error, request_id, failure.after)
        finally:
            self._tell(scope, status, key, request_id, time.perf_counter() - start)

    def _admitted(self, scope: Message, headers: dict[bytes, bytes]) -> Key | None:
        """The caller's key; raises for one who may not enter."""
        path, method = scope["path"], scope["method"]
        if len(scope["query_string"]) > LONGEST_QUERY:
            raise Refused(414, f"the query is longer than {LONGEST_QUERY} bytes")
        if path in OPEN:
            return None
        key = None
        if self.keys is not None:
            given = headers.get(b"x-api-key", b"").decode("latin-1")
            bearer = headers.get(b"authorization", b"").decode("latin-1")
            if not given and bearer[:7].lower() == "bearer ":
                given = bearer[7:].strip()
            if not given:
                raise Refused(401, "no key: send it as Authorization: Bearer KEY")
            found = self.keys.find(given)
            if isinstance(found, str):
                host = (scope.get("client") or ("?",))[0]
                wait = self.rates.wait(f"bad {host}", 5.0)
                raise Refused(429, "too many wrong keys", wait) if wait else Refused(401, found)
            key = found
            needed = scope_of(method, path)
            if not key.allows(needed):
                raise Refused(403, f"the key has no scope '{needed}'")
        wait = self.rates.wait(key.id if key else "all", key.rate if key else ANONYMOUS_RATE)
        if wait:
            raise Refused(429, "too many requests for this key", wait)
        return key

    def _tell(
        self, scope: Message, status: int, key: Key | None, request_id: str, seconds: float
    ) -> None:
        route = getattr(scope.get("route"), "path", "none")
        self.monitor.requests[route, str(status)].inc()
        self.monitor.whole.observe(seconds)
        state = scope.get("state", {})
        entry = {
            "time": round(time.time(), 3),
            "request": request_id,
            "key": None if key is None else key.id,
            "method": scope["method"],
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 2),
        }
        if state.get("error") is not None:
            entry["error"] = state["error"]
        if state.get("user") is not None:
            entry["user"] = self.audit.pseudonym(state["user"])
        self.audit.write(entry)


def _bounded(receive: Receive, headers: dict[bytes, bytes], late: list[Refused]) -> Receive:
    """A body that is neither too long nor too slow."""
    try:
        announced = int(headers.get(b"content-length", b"0"))
    except ValueError:
        raise Refused(400, "content-length is no number") from None
    if announced > LONGEST_BODY:
        raise Refused(413, f"the body is longer than {LONGEST_BODY:,} bytes")
    if not announced and b"transfer-encoding" not in headers:
        return receive
    got, whole = 0, False

    async def bounded() -> Message:
        nonlocal got, whole
        if whole:  # what follows the body is the end of the connection, however late
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), BODY_SECONDS)
        except TimeoutError:
            late.append(Refused(408, f"the body took more than {BODY_SECONDS:.0f} s"))
            raise late[0] from None
        got += len(message.get("body", b""))
        if got > LONGEST_BODY:
            late.append(Refused(413, f"the body is longer than {LONGEST_BODY:,} bytes"))
            raise late[0]
        whole = not message.get("more_body", False)
        return message

    return bounded


async def _answer(
    send: Send, status: int, error: str, request_id: str, after: float | None = None
) -> None:
    body = orjson.dumps({"error": error, "request_id": request_id})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if after is not None:
        headers.append((b"retry-after", str(max(1, round(after + 0.5))).encode()))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 408:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
