"""A fetch that is killed at any byte goes on, and ends with the right checksum."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from recnb import load
from recnb.data.fetch import fetch
from recnb.data.fetch.books import record
from recnb.data.fetch.sets import WORK

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL is of Unix")


@pytest.fixture
def raw(site, tmp_path, coat_zip):
    """The folder of data, which knows the right checksum."""
    site.body = coat_zip(padding=300_000).read_bytes()
    folder = tmp_path / "raw"
    folder.mkdir()
    record(folder, "coat/coat.zip", "sha256:" + hashlib.sha256(site.body).hexdigest())
    return folder


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)


def started(raw, site):
    """A process of its own that fetches (from a clean one, so that no thread of ours is copied)."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["recnb.data.fetch.sets"])
    settings = {"source": site.url(), "accept_licence": True}
    process = context.Process(target=fetch, args=("coat", raw), kwargs=settings)
    process.start()
    return process


def size(path):
    return path.stat().st_size if path.exists() else 0


def test_killed_at_many_bytes(raw, site, patience):
    """One fetch, killed 30 times, each time at another byte that the server stops at."""
    n = len(site.body)
    edges = [0, 1, 2, 511, 65_535, 65_536, 65_537, n // 2, n - 2, n - 1]
    stops = sorted({*edges, *random.Random(1).sample(range(n), 20)})
    part = raw / WORK / "coat" / "coat.zip.part"
    for stop in stops:
        site.holds = [stop]
        asked = len(site.asked)
        process = started(raw, site)
        wait_for(lambda: size(part) >= stop and len(site.asked) > asked)  # noqa: B023
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert size(part) == stop
        assert not stop or part.read_bytes() == site.body[:stop]
        assert not (raw / "coat").exists()
    site.holds = []
    got = fetch("coat", raw, source=site.url(), accept_licence=True, patience=patience)
    told = json.loads((got.folder / "fetched.json").read_text())
    assert told["checksums"]["coat.zip"] == "sha256:" + hashlib.sha256(site.body).hexdigest()
    # It went on where it was: nothing was asked for twice.
    froms = [asked[1] for asked in site.asked]
    assert froms == [f"bytes={at}-" if at else None for at in [0, *stops]]
    assert load(got.folder).n_users == 2


def test_killed_while_it_unpacks(raw, site, patience, coat_zip):
    path = coat_zip(padding=200, files=3000)
    site.body = path.read_bytes()
    record(raw, "coat/coat.zip", "sha256:" + hashlib.sha256(site.body).hexdigest())
    whole = raw / WORK / "coat" / "whole"
    process = started(raw, site)
    wait_for(lambda: (whole / "noise").is_dir() and len(os.listdir(whole / "noise")) > 3)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (raw / "coat").exists() and whole.exists()
    asked = len(site.asked)
    got = fetch("coat", raw, source=site.url(), accept_licence=True, patience=patience)
    assert len(site.asked) == asked  # the archive was whole
    with zipfile.ZipFile(path) as archive:
        assert len(list(got.folder.rglob("*.bin"))) == len(archive.namelist()) - 2 == 3000


def test_the_command_is_killed_and_repeated(raw, site):
    start = [sys.executable, "-c", "from recnb.cli.main import main; main()"]
    words = ["data", "fetch", "coat", "--from", site.url(), "--output", str(raw)]
    line = [*start, *words, "--accept-licence", "--quiet"]
    part = raw / WORK / "coat" / "coat.zip.part"
    for stop in (1, 100_001):
        site.holds = [stop]
        process = subprocess.Popen(line)
        wait_for(lambda: size(part) == stop, 60)  # noqa: B023
        process.kill()
        assert process.wait() == -signal.SIGKILL
    site.holds = []
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert load(raw / "coat").n_users == 2 and site.asked[-1][1] == "bytes=100001-"
