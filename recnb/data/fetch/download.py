"""One file over HTTP, in pieces if need be: what arrived is kept, and a later try asks only for the rest.

No library that we found does this for plain files (`pooch` starts over, the hub's client resumes only its own), so
it stands here, on `urllib`: HTTP range requests with `If-Range` (RFC 9110, sections 13.1.5 and 14).
"""

from __future__ import annotations

import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recnb.data.fetch.books import read_json, write_json
from recnb.errors import FetchError, InputError

Progress = Callable[[int, int | None], None]
_AGAIN = "run it again to go on where it stopped"
_BLOCK = 1 << 16
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that may be gone a moment later


@dataclass(frozen=True)
class Patience:
    """How long a fetch tries.

    Attributes
    ----------
    tries : int
        Tries in a row that bring no further byte.
    most : int
        Tries in all.
    timeout, first_wait, longest_wait : float
        Seconds: for an answer or the next bytes, before the second try (doubled each time), and at most between two.
    """

    tries: int = 6
    most: int = 200
    timeout: float = 30.0
    first_wait: float = 0.5
    longest_wait: float = 30.0


@dataclass
class _Part:
    """The file so far, and what the server said it was when its first byte came."""

    path: Path
    url: str

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def label(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def known(self) -> dict[str, Any]:
        """Validator and length, or nothing where they are of another address."""
        said = read_json(self.label) if self.size else {}
        return said if said.get("url") == self.url else {}

    def restart(self) -> None:
        self.path.unlink(missing_ok=True)
        self.label.unlink(missing_ok=True)


def download(
    url: str,
    path: Path,
    *,
    size: int | None = None,
    most_bytes: int = 1 << 36,
    trusted: bool = False,
    patience: Patience | None = None,
    progress: Progress = lambda done, total: None,
) -> None:
    """Fetch a file, going on with what an earlier try left at `path`.

    Parameters
    ----------
    url : str
        http or https. A redirect is followed, though never from https to http.
    path : Path
        Where the bytes go, beside `path` + ".json", which keeps what the server called them. When this returns, the
        file is whole, and the caller checks it and gives it its final name.
    size : int, optional
        How many bytes it must have.
    most_bytes : int
        More than that is refused.
    trusted : bool
        Whether the caller holds a checksum. Only then are pieces joined that carry no `ETag` or `Last-Modified`.
    patience : Patience, optional
    progress : callable (bytes so far, all bytes or None)

    Raises
    ------
    FetchError
        The server cannot be reached, refuses, keeps dropping the connection, or sends another length than agreed.
    InputError
        The address is none of http or https.
    """
    patience = patience or Patience()
    check_address(url)
    part = _Part(path, url)
    idle, furthest, why = 0, part.size, "nothing arrived"
    for at in range(patience.most):
        if at:
            time.sleep(min(patience.longest_wait, patience.first_wait * 2 ** max(idle - 1, 0)))
        try:
            if _one_try(part, size, most_bytes, trusted, patience.timeout, progress):
                return
            why = f"the connection ended after {part.size:,} bytes"
        except _Passing as error:
            why = str(error)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise FetchError(f"{path} cannot be written ({error.strerror})", _AGAIN) from None
            why = _words(error)
        # A server that never gets further than before must not keep us for ever.
        idle = 0 if part.size > furthest else idle + 1
        furthest = max(furthest, part.size)
        if idle >= patience.tries:
            break
    raise FetchError(f"{_host(url)}: {why}, {idle} tries in a row", _AGAIN)


class _Passing(Exception):
    """An answer that may be better a moment later."""


def _one_try(
    part: _Part,
    size: int | None,
    most: int,
    trusted: bool,
    timeout: float,
    progress: Progress,
) -> bool:
    """Ask once and read what comes; True when the file is whole."""
    known = part.known()
    validator = known.get("etag") or known.get("modified")
    if part.size and (not (known and (validator or trusted)) or _beyond(part.size, known, size)):
        part.restart()
        known = {}
    if part.size and part.size == known.get("length", size):
        return True
    start = part.size
    headers = {"User-Agent": "recnb", "Accept": "*/*", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    with _ask(urllib.request.Request(part.url, headers=headers), timeout) as answer:
        if answer.status == 416:  # there is nothing after what we have, or it is another file now
            part.restart()
            raise _Passing("the server does not have the rest")
        start, length = _placed(answer, start)
        if start and not _same(known, length, answer):
            part.restart()
            raise _Passing("the file on the server has changed meanwhile")
        if size is not None and length is not None and length != size:
            raise FetchError(
                f"{_host(part.url)} offers {length:,} bytes where {size:,} are published",
                "name another copy with --from",
            )
        if start != part.size:
            part.restart()
        if length is not None and length > most:
            raise FetchError(f"{_host(part.url)} offers {length:,} bytes, too many", "check --from")
        if not start:
            write_json(part.label, {"url": part.url, "length": length, **_validators(answer)})
        _copy(answer, part, most if size is None else size, length, progress)
    whole = size if size is not None else length
    return part.size == whole if whole is not None else True


def _beyond(have: int, known: dict[str, Any], size: int | None) -> bool:
    limits = [limit for limit in (known.get("length"), size) if limit is not None]
    return bool(limits) and have > min(limits)


def _placed(answer: http.client.HTTPResponse, asked: int) -> tuple[int, int | None]:
    """Where the body begins, and the length of the whole file where it is told."""
    if answer.status == 206:
        told = re.fullmatch(
            r"bytes (\d+)-(\d+)/(\d+|\*)", answer.headers.get("Content-Range", "").strip()
        )
        if not told or int(told[1]) != asked:
            raise _Passing("the server sent another piece than asked for")
        return asked, None if told[3] == "*" else int(told[3])
    told_length = answer.headers.get("Content-Length", "")
    return 0, int(told_length) if told_length.isdecimal() else None


def _same(known: dict[str, Any], length: int | None, answer: http.client.HTTPResponse) -> bool:
    """Whether a piece is of the file we began: servers exist that do not look at `If-Range`."""
    now = {"length": length, **_validators(answer)}
    pairs = [(known.get(key), now.get(key)) for key in ("length", "etag", "modified")]
    return all(
        before == after for before, after in pairs if before is not None and after is not None
    )


def _validators(answer: http.client.HTTPResponse) -> dict[str, str]:
    """What tells one state of the file from another; a weak ETag cannot (RFC 9110, 8.8.1)."""
    tag, modified = answer.headers.get("ETag", ""), answer.headers.get("Last-Modified")
    out = {"etag": tag} if tag.startswith('"') else {}
    return {**out, **({"modified": modified} if modified else {})}


def _copy(
    answer: http.client.HTTPResponse, part: _Part, most: int, length: int | None, progress: Progress
) -> None:
    """Append what comes. Unbuffered: whatever kills us, the bytes that came are in the file."""
    have = part.size
    with part.path.open("ab", buffering=0) as file:
        while block := answer.read1(_BLOCK):  # what is there, without waiting for a full block
            have += len(block)
            if have > most:
                file.close()
                part.restart()
                raise FetchError(
                    f"{_host(part.url)} sends more than {most:,} bytes", "check the address"
                )
            try:
                view = memoryview(block)
                while view:
                    view = view[file.write(view) :]
            except OSError as error:
                raise FetchError(
                    f"{part.path} cannot be written ({error.strerror})", _AGAIN
                ) from None
            progress(have, length)
        os.fsync(file.fileno())


@contextmanager
def _ask(request: urllib.request.Request, timeout: float) -> Iterator[http.client.HTTPResponse]:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    try:
        answer = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code in _PASSING:
                raise _Passing(f"the server says {error.code} {error.reason}") from None
            if error.code == 416:
                yield error  # type: ignore[misc]
                return
            raise FetchError(
                f"{_host(request.full_url)} says {error.code} {error.reason} to {request.selector}",
                "check the address, or name another copy with --from",
            ) from None
    with answer:
        yield answer


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = 5

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        scheme = newurl.partition(":")[0].lower()
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise FetchError(
                f"{_host(req.full_url)} leads to {newurl[:120]}, which is not followed",
                "name another copy with --from",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_address(url: str) -> None:
    """Raise unless it is an address of http or https."""
    if not re.match(r"https?://[^/\s]", url, re.IGNORECASE):
        raise InputError(f"'{url[:120]}' is no http or https address", mend="write https://…")


def _host(url: str) -> str:
    return re.sub(r"^https?://(?:[^/@]*@)?", "", url, flags=re.IGNORECASE).split("/")[0]


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    text = str(reason if isinstance(reason, (Exception, str)) else error)
    return " ".join(text.split())[:120] or type(error).__name__
