"""What goes wrong while the service answers: silent connections, a killed worker, a swapped artefact, a full disk.

    python benchmarks/serving_faults.py [--part hanging,kill,swap,disk] [--connections 10000]

Each fault meets the real process under a steady load of known users and feedback events, and after it three things
are counted: answers that were wrong or missing, events that were acknowledged and are not in the log, and seconds from
the end of the fault until requests are answered again within 100 ms.

- `hanging`: so many connections that send half a request or nothing; as many as this process may open are opened, and
  the number stands in the result.
- `kill`: the worker is killed by SIGKILL three times.
- `swap`: the artefact in the folder is replaced five times by one with another digest.
- `disk`: the process may write no byte more to any file (its limit of file size, which refuses as a full disk does),
  for five seconds.

Writes `results/serving_faults.json` after each part. The last line is `ratio: X`: the share of requests under faults
that were answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
from serving import HOST, KEPT, prepared, process

from recnb.files import write_json
from recnb.serving import manifest
from recnb.serving.records import read_feedback
from recnb.versions import versions


class Load:
    """Known users asked and an event sent for each list, until it is stopped.

    Parameters
    ----------
    port : int
    users : int
    """

    def __init__(self, port: int, users: int) -> None:
        self.url, self.users = f"http://{HOST}:{port}", users
        self.answers = self.retried = self.wrong = self.refused = 0
        self.acknowledged: list[tuple[str, str]] = []
        self.times: list[tuple[float, float]] = []  # when asked, seconds
        self.digests: set[str] = set()
        self._stop = False

    def stop(self) -> None:
        self._stop = True

    async def run(self, workers: int = 4) -> None:
        await asyncio.gather(*(self._one(n) for n in range(workers)))

    async def _one(self, number: int) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            user = number
            while not self._stop:
                user = (user + 7) % self.users
                start = time.perf_counter()
                try:
                    answer = await client.get("/recommend", params={"user": str(user)})
                except httpx.TransportError:
                    self.retried += 1  # cut off by the kill: asked again, as a client would
                    continue
                self.times.append((start, time.perf_counter() - start))
                if answer.status_code != 200 or len(answer.json()["items"]) != 10:
                    self.wrong += 1
                    continue
                self.answers += 1
                shown = answer.json()
                self.digests.add(shown["artefact"])
                await self._click(client, shown["slate_id"], shown["items"][0]["item_id"])
                await asyncio.sleep(0.02)

    async def _click(self, client: httpx.AsyncClient, slate: str, item: str) -> None:
        event = {"slate_id": slate, "item_id": item, "event": "click"}
        with suppress(httpx.TransportError):
            answer = await client.post("/feedback", json=event)
            if answer.status_code == 204:
                self.acknowledged.append((slate, item))
            else:
                self.refused += 1

    def well_since(self, ended: float) -> list[float]:
        """When requests were asked that were answered within 100 ms, from a time on."""
        return [start for start, seconds in self.times if start > ended and seconds < 0.1]

    def summary(self, state: Path, ended: float) -> dict[str, Any]:
        """What became of the requests, and of the events in the log."""
        table = read_feedback(state / "feedback.sqlite")
        clicked = table[table["click"] > 0]
        kept = set(zip(clicked["slate_id"], clicked["item_id"]))
        lost = [pair for pair in self.acknowledged if pair not in kept]
        after = self.well_since(ended)
        return {
            "requests": self.answers + self.wrong,
            "wrong": self.wrong,
            "asked_again": self.retried,
            "events_acknowledged": len(self.acknowledged),
            "events_refused": self.refused,
            "acknowledged_and_lost": len(lost),
            "recovered_seconds": (min(after) - ended) if after else None,
            "slowest_seconds": max(seconds for _, seconds in self.times),
        }


def worker_of(pid: int) -> psutil.Process:
    """The process that answers; waited for where it is being started again."""
    while True:
        children = psutil.Process(pid).children()
        if children:
            return children[0]
        time.sleep(0.05)


async def hanging(load: Load, pid: int, folder: Path, arguments: argparse.Namespace) -> dict:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = min(arguments.connections, hard - 200)
    port = int(load.url.rsplit(":", 1)[1])
    readers, writers = [], []
    for at in range(wanted):
        try:
            reader, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            break
        if at % 2:
            writer.write(b"GET /recommend?user=1 HTTP/1.1\r\nHost: a\r\n")
        readers.append(reader)
        writers.append(writer)
    opened = time.perf_counter()
    during = [s for start, s in load.times if start > opened - 1]
    await asyncio.sleep(12)  # the service gives a connection ten seconds
    during += [s for start, s in load.times if start > opened]
    alive = sum(not reader.at_eof() for reader in readers)
    left = len(worker_of(pid).net_connections("tcp"))
    for writer in writers:
        writer.close()
    return {
        "connections": len(writers),
        "asked_for": arguments.connections,
        "still_open_after_12_s": alive,
        "connections_of_the_worker": left,
        "p99_ms_meanwhile": 1000 * sorted(during)[int(0.99 * len(during))],
    }


async def kill(load: Load, pid: int, folder: Path, arguments: argparse.Namespace) -> dict:
    for _ in range(3):
        worker_of(pid).kill()
        await asyncio.sleep(6)
    return {"kills": 3}


async def swap(load: Load, pid: int, folder: Path, arguments: argparse.Namespace) -> dict:
    digests = []
    async with httpx.AsyncClient(base_url=load.url, timeout=60) as client:
        for turn in range(5):
            head = json.loads((folder / manifest.NAME).read_text())
            head["created"] = f"203{turn}-01-01T00:00:00+00:00"
            head["digest"] = manifest.digest(head)
            write_json(folder / manifest.NAME, head)
            digests.append(head["digest"][:16])
            await client.post("/admin/reload")
            await asyncio.sleep(1)
    return {"swaps": 5, "answered_from": len(set(digests) & load.digests)}


async def disk(load: Load, pid: int, folder: Path, arguments: argparse.Namespace) -> dict:
    worker = worker_of(pid)
    worker.rlimit(psutil.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    await asyncio.sleep(5)
    during = load.refused
    worker.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await asyncio.sleep(2)
    return {"seconds": 5, "events_refused_meanwhile": during}


PARTS = {"hanging": hanging, "kill": kill, "swap": swap, "disk": disk}


async def run(part: str, pid: int, port: int, state: Path, folder: Path, users: int, arguments):
    """One fault under load."""
    load = Load(port, users)
    asking = asyncio.create_task(load.run())
    await asyncio.sleep(3)
    facts = await PARTS[part](load, pid, folder, arguments)
    ended = time.perf_counter()
    while time.perf_counter() - ended < 60 and not load.well_since(ended):
        await asyncio.sleep(0.2)
    await asyncio.sleep(3)
    load.stop()
    await asking
    await asyncio.sleep(0.5)
    return {**facts, **load.summary(state, ended)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", default=",".join(PARTS))
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--port", type=int, default=18_100)
    parser.add_argument("--output", type=Path, default=Path("results/serving_faults.json"))
    arguments = parser.parse_args()
    artefact, _, ds = prepared(arguments.users, arguments.items)
    done: dict[str, Any] = {}
    for at, part in enumerate(arguments.part.split(",")):
        state, folder = KEPT / f"state-{part}", KEPT / f"artefact-{part}"
        for old in (state, folder):
            shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(artefact, folder)
        port = arguments.port + at
        command = [sys.executable, "-m", "recnb.cli.main", "serve", str(folder), "--open"]
        command += ["--port", str(port), "--state", str(state), "--milliseconds", "2000"]
        with process(command, port) as (pid, _):
            done[part] = asyncio.run(run(part, pid, port, state, folder, ds.n_users, arguments))
        print(part, done[part], flush=True)
        shutil.rmtree(folder)
        result = {
            "benchmark": "serving_faults",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": {"users": ds.n_users, "items": ds.n_items},
            "versions": versions(),
            "cores": len(os.sched_getaffinity(0)),
            "faults": done,
        }
        write_json(arguments.output, result)
    asked = sum(row["requests"] for row in done.values())
    print(f"ratio: {1 - sum(row['wrong'] for row in done.values()) / asked:.4f}")


if __name__ == "__main__":
    main()
