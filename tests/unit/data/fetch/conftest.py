"""A real HTTP server on this machine that behaves badly on demand."""

from __future__ import annotations

import random
import re
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from recnb.data.fetch.download import Patience

HASTY = Patience(tries=4, timeout=5.0, first_wait=0.01, longest_wait=0.02)


@dataclass
class Site:
    """What the server sends, and how it misbehaves."""

    body: bytes = b""
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True  # False: it always sends the whole file
    heeds_if_range: bool = True
    drops: list[int] = field(default_factory=list)  # a connection ends at this byte of the file
    holds: list[int] = field(default_factory=list)  # sends up to this byte, then nothing more
    length: int | None = None  # what it says instead of the true length; -1: nothing
    statuses: list[int] = field(default_factory=list)  # sent before anything else
    redirects: dict[str, str] = field(default_factory=dict)
    wrong_piece: bool = False  # another piece than asked for
    changes: list[tuple[bytes, str]] = field(default_factory=list)  # a new file at each request
    port: int = 0
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    def url(self, path="/set.zip"):
        return f"http://127.0.0.1:{self.port}{path}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        site = self.server.site
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        site.asked.append((self.path, wanted, condition))
        if self.path in site.redirects:
            self.send_response(302)
            self.send_header("Location", site.redirects[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if site.statuses:
            self.send_response(site.statuses.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if site.changes:
            site.body, site.etag = site.changes.pop(0)
        start = 0
        if wanted and site.ranges:
            same = condition is None or condition in (site.etag, site.modified)
            if same or not site.heeds_if_range:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
        if start >= len(site.body) > 0 and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(site.body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        said = len(site.body) if site.length is None else site.length
        self.send_response(206 if start else 200)
        if start:
            first = start + 1 if site.wrong_piece else start
            self.send_header(
                "Content-Range", f"bytes {first}-{len(site.body) - 1}/{len(site.body)}"
            )
        for name, value in (("ETag", site.etag), ("Last-Modified", site.modified)):
            if value:
                self.send_header(name, value)
        if said >= 0:
            self.send_header("Content-Length", str(said - start))
        self.end_headers()
        end = site.drops.pop(0) if site.drops else None
        hold = site.holds.pop(0) if site.holds else None
        stop = min(x for x in (end, hold, len(site.body)) if x is not None)
        try:
            self.wfile.write(site.body[start : max(stop, start)])
            self.wfile.flush()
            if hold is not None:
                time.sleep(20)
        except OSError:
            pass
        self.close_connection = True


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.site = Site(port=server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def patience():
    return HASTY


@pytest.fixture(autouse=True)
def no_data_of_this_machine(monkeypatch, tmp_path):
    """Neither RECNB_DATA nor a data/raw of the working directory."""
    monkeypatch.delenv("RECNB_DATA", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)


@pytest.fixture
def coat_zip(tmp_path):
    """An archive in the layout of Coat, padded to some size with what does not pack."""

    def make(padding=0, files=1, top="coat/"):
        path = tmp_path / "made.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:

            def add(name, content):  # a fixed date: made twice, the same bytes
                info = zipfile.ZipInfo(f"{top}{name}", (2020, 1, 1, 0, 0, 0))
                archive.writestr(info, content, zipfile.ZIP_DEFLATED)

            add("train.ascii", "5 0 1\n0 3 0\n")
            add("test.ascii", "0 2 1\n4 0 0\n")
            for at in range(files if padding else 0):
                add(f"noise/{at}.bin", random.Random(at).randbytes(padding))
        return path

    return make
