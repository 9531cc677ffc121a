"""The service under load beside the usual tutorial's loop: requests a second, latency, errors, cold start, memory.

    python benchmarks/serving.py [--part load,pace,soak] [--seconds 10]

A generated catalogue (50,000 items, 20,000 users), an ALS model fitted on it, exported and served by `recnb serve` on
loopback; beside it what a tutorial would write: one FastAPI application that multiplies a user's vector with all items
in PyTorch for each request. The service works as it is deployed: it writes its feedback log (each list with its
chances), its audit log and its metrics. The tutorial writes nothing, so that the comparison is against the service.

- `load`: so many connections, each asking again when it is answered; both servers are up, and each load goes to one
  and then to the other. Three kinds of requests: users that the model knows, histories that are sent along, free text
  with one pass of the encoder (no text twice). The processor time of the server for a request stands beside.
- `pace`: requests at given rates whether or not earlier ones are answered; latency counts from the moment that a
  request was due.
- `soak`: ten minutes of a mixture at 70 % of the measured limit: errors, and memory at both ends.

Load comes from the same machine and shares its processors. Every row is written to `results/serving.json` when it is
measured; a run that was stopped goes on there (`--fresh` begins anew).

The last line is `ratio: X`: requests a second for known users, ours over the tutorial's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from recnb.data import Dataset
from recnb.files import write_json
from recnb.versions import versions

KEPT = Path(".benchmarks") / "serving"
HOST = "127.0.0.1"
WORDS = [
    f"{a}{b}" for a in ("red", "blue", "warm", "old") for b in ("river", "garden", "stone", "song")
]
TUTORIAL = """
import sys
import numpy as np, pandas as pd, torch
from fastapi import FastAPI
from pydantic import BaseModel
folder = sys.argv[1]
items = pd.read_parquet(f"{folder}/items.parquet")
users = {u: n for n, u in enumerate(np.load(f"{folder}/users.npy").tolist())}
places = {i: n for n, i in enumerate(items["item_id"])}
left, right = (torch.from_numpy(np.load(f"{folder}/{n}.npy")) for n in ("left", "right"))
known = np.load(f"{folder}/known.npz")
from transformers import AutoModel, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[3])
encoder = AutoModel.from_pretrained(sys.argv[3])
texts = torch.from_numpy(np.load(f"{folder}/texts.npy"))
app = FastAPI()
class Ask(BaseModel):
    history: list[str] | None = None
    text: str | None = None
    k: int = 10
def best(scores, k):
    values, rows = torch.topk(scores, k)
    return {"items": [{"item_id": items.iloc[r]["item_id"], "title": items.iloc[r]["title"], "score": float(v)}
                      for v, r in zip(values, rows.tolist())]}
@app.get("/recommend")
def recommend(user: str, k: int = 10):
    code = users[user]
    scores = right @ left[code]
    scores[known["indices"][known["indptr"][code]:known["indptr"][code + 1]]] = -torch.inf
    return best(scores, k)
@app.post("/recommend")
def recommend_for(ask: Ask):
    if ask.text is not None:
        with torch.no_grad():
            read = tokenizer([ask.text], return_tensors="pt", truncation=True)
            vector = torch.nn.functional.normalize(encoder(**read).last_hidden_state.mean(1), dim=-1)[0]
        return best(texts @ vector, ask.k)
    rows = [places[i] for i in ask.history]
    scores = right @ right[rows].mean(0)
    scores[rows] = -torch.inf
    return best(scores, ask.k)
import uvicorn
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
"""


def catalogue(n_users: int, n_items: int, seed: int = 0) -> Dataset:
    """Interactions with popular and rare items, and titles of three words."""
    rng = np.random.default_rng(seed)
    popular = 1 / np.arange(1, n_items + 1) ** 0.8
    users = np.repeat(np.arange(n_users), 20)
    items = rng.choice(n_items, len(users), p=popular / popular.sum())
    rows = pd.DataFrame({"user_id": users, "item_id": items}).drop_duplicates().astype(str)
    # a few thousand distinct titles: the vectors of a catalogue are not what is measured here
    titles = [" ".join(rng.choice(WORDS, 3)) for _ in range(2000)]
    table = pd.DataFrame({"item_id": np.arange(n_items).astype(str)})
    table["title"] = [titles[n % len(titles)] for n in range(n_items)]
    return Dataset.from_frames(rows, table, feedback="implicit", name="generated catalogue")


def prepared(n_users: int, n_items: int) -> tuple[Path, Path, Dataset]:
    """The artefact and the tutorial's arrays, made once."""
    from recnb.encoders import TextEncoder
    from recnb.models import make
    from recnb.serving.export import export

    ds = catalogue(n_users, n_items)
    folder = KEPT / f"{n_users}-{n_items}"
    artefact, plain = folder / "artefact", folder / "tutorial"
    if not (plain / "texts.npy").is_file():
        model = make("als", n_epochs=2).fit(ds)
        model.save(folder / "model")
        encoder = TextEncoder(device="cpu")
        made = export(folder / "model", artefact, ds, name="als", encoder=encoder)
        plain.mkdir(exist_ok=True)
        made.items.reset_index().to_parquet(plain / "items.parquet")
        left, right = model.factors()
        arrays = {"left": left, "right": right, "users": ds.user_ids.astype(str)}
        arrays["texts"] = encoder.encode(made.text(made.items))
        for name, array in arrays.items():
            np.save(plain / f"{name}.npy", array)
        known = ds.pairs()
        np.savez(plain / "known.npz", indices=known.indices, indptr=known.indptr)
    return artefact, plain, ds


@contextmanager
def process(command: list[str], port: int) -> Iterator[tuple[int, float]]:
    """A server: its process id and the seconds to its first answer."""
    start = time.perf_counter()
    one = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, **_ONE_THREAD})
    try:
        while True:
            try:
                status, _ = asyncio.run(
                    _once(port, b"GET /recommend?user=0 HTTP/1.1\r\nhost: a\r\n\r\n")
                )
                if status == 200:
                    break
            except OSError:
                time.sleep(0.01)
            if one.poll() is not None:
                raise RuntimeError(f"the server ended with {one.returncode}")
        yield one.pid, time.perf_counter() - start
    finally:
        one.send_signal(signal.SIGTERM)
        one.wait(30)


def all_read(port: int) -> float:
    """Seconds from now until the service has read its encoders, which it does after the first answers."""
    start = time.perf_counter()
    while (
        b'"loading":[]'
        not in asyncio.run(_once(port, b"GET /ready HTTP/1.1\r\nhost: a\r\n\r\n"))[1]
    ):
        time.sleep(0.01)
    return time.perf_counter() - start


_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


async def _once(port: int, request: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        return await _asked(reader, writer, request)
    finally:
        writer.close()


async def _asked(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes]:
    """One request over a kept connection: status and body."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    body = await reader.readexactly(int(length.group(1))) if length else b""
    return int(head[9:12]), body


def requests_of(kind: str, ds: Dataset, seed: int) -> Iterator[bytes]:
    """Requests without end; no two texts are alike, so that none comes from a cache."""
    rng = np.random.default_rng(seed)
    for n in count():
        if kind == "known":
            user = rng.integers(ds.n_users)
            yield f"GET /recommend?user={user} HTTP/1.1\r\nhost: a\r\n\r\n".encode()
            continue
        if kind == "history":
            body: dict[str, Any] = {
                "history": rng.integers(ds.n_items, size=10).astype(str).tolist()
            }
        else:
            body = {"text": " ".join([*rng.choice(WORDS, 5), str(seed), str(n)])}
        text = json.dumps(body).encode()
        head = f"POST /recommend HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {len(text)}"
        yield head.encode() + b"\r\n\r\n" + text


async def load(
    port: int, kind: str, ds: Dataset, connections: int, seconds: float
) -> dict[str, Any]:
    """So many connections for so long: requests a second, milliseconds, errors, fallbacks."""
    times: list[float] = []
    errors = fallbacks = 0
    end = time.perf_counter() + seconds

    async def one(number: int) -> None:
        nonlocal errors, fallbacks
        reader, writer = await asyncio.open_connection(HOST, port)
        for request in requests_of(kind, ds, number):
            start = time.perf_counter()
            if start > end:
                break
            status, body = await _asked(reader, writer, request)
            times.append(time.perf_counter() - start)
            errors += status != 200
            fallbacks += b'"fallback":"' in body
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(one(n) for n in range(connections)))
    taken = time.perf_counter() - start
    ms = 1000 * np.array(times)
    return {
        "kind": kind,
        "connections": connections,
        "requests": len(times),
        "per_second": len(times) / taken,
        "p50_ms": float(np.percentile(ms, 50)),
        "p99_ms": float(np.percentile(ms, 99)),
        "errors": errors,
        "fallbacks": fallbacks,
    }


def memory(pid: int) -> float:
    """Megabytes of a process and its children."""
    one = psutil.Process(pid)
    return sum(p.memory_info().rss for p in [one, *one.children(recursive=True)]) / 1e6


def processor(pid: int) -> float:
    """Seconds of processor time that a process and its children have used."""
    one = psutil.Process(pid)
    times = [p.cpu_times() for p in [one, *one.children(recursive=True)]]
    return sum(t.user + t.system for t in times)


async def paced(
    port: int, kinds: list[str], ds: Dataset, rate: float, seconds: float, connections: int = 64
) -> dict[str, Any]:
    """Requests due at a fixed rate, kinds in turn, over so many connections; milliseconds from when each was due."""
    times: list[float] = []
    errors = fallbacks = 0
    begin = time.perf_counter() + 0.1
    numbers = count()

    async def one(number: int) -> None:
        nonlocal errors, fallbacks
        reader, writer = await asyncio.open_connection(HOST, port)
        sources = [requests_of(kind, ds, 1000 + number) for kind in kinds]
        while True:
            at = next(numbers)
            due = begin + at / rate
            if due > begin + seconds:
                break
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            status, body = await _asked(reader, writer, next(sources[at % len(kinds)]))
            times.append(time.perf_counter() - due)
            errors += status != 200
            fallbacks += b'"fallback":"' in body
        writer.close()

    await asyncio.gather(*(one(n) for n in range(connections)))
    ms = 1000 * np.array(times)
    return {
        "kinds": kinds,
        "asked_per_second": rate,
        "seconds": seconds,
        "requests": len(times),
        "per_second": len(times) / (time.perf_counter() - begin),
        "p50_ms": float(np.percentile(ms, 50)),
        "p99_ms": float(np.percentile(ms, 99)),
        "max_ms": float(ms.max()),
        "errors": errors,
        "fallbacks": fallbacks,
    }


def stages(port: int) -> dict[str, float]:
    """Mean milliseconds by stage that the service has measured itself."""
    _, text = asyncio.run(_once(port, b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n"))
    found = re.findall(rb'recnb_seconds_(sum|count)\{stage="(\w+)"\} ([\d.e+-]+)', text)
    values = {(stage.decode(), what.decode()): float(value) for what, stage, value in found}
    names = {stage for stage, _ in values}
    return {n: 1000 * values[n, "sum"] / values[n, "count"] for n in names if values[n, "count"]}


class Record:
    """`results/serving.json`, written after each row.

    Parameters
    ----------
    file : Path
    fresh : bool
        Whether rows of earlier runs are forgotten.
    """

    def __init__(self, file: Path, settings: dict[str, Any], fresh: bool) -> None:
        self.file = file
        kept = json.loads(file.read_text()) if file.is_file() and not fresh else {}
        self.values = kept if kept.get("settings") == settings else {"settings": settings}
        self.values.setdefault("measured", {})

    def has(self, name: str) -> bool:
        return name in self.values["measured"]

    def add(self, name: str, row: dict[str, Any]) -> None:
        row = {**row, "load_average": os.getloadavg()[0], "cores": len(os.sched_getaffinity(0))}
        self.values["measured"][name] = row
        self.save()
        figures = {k: round(v, 2) for k, v in row.items() if isinstance(v, (int, float))}
        print(name, figures, flush=True)

    def save(self, **facts: Any) -> None:
        self.values |= {
            "benchmark": "serving",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": versions(),
            **facts,
        }
        write_json(self.file, self.values)


class Servers:
    """Both servers, started when they are first needed and kept up.

    Parameters
    ----------
    record : Record
    arguments : Namespace
    """

    def __init__(self, record: Record, arguments: argparse.Namespace) -> None:
        from recnb.encoders.loading import locate

        artefact, plain, self.ds = prepared(arguments.users, arguments.items)
        port = arguments.port
        ours = ["-m", "recnb.cli.main", "serve", str(artefact), "--port", str(port), "--open"]
        ours += ["--state", str(KEPT / "state"), "--queue", "1024", "--milliseconds", "2000"]
        theirs = ["-c", TUTORIAL, str(plain), str(port + 1), str(locate().folder)]
        self.commands = {"recnb": (ours, port), "tutorial": (theirs, port + 1)}
        self.record, self._up, self._stack = record, {}, ExitStack()

    def up(self, name: str) -> tuple[int, int]:
        """Process id and port."""
        if name not in self._up:
            command, port = self.commands[name]
            pid, cold = self._stack.enter_context(process([sys.executable, *command], port))
            self._up[name] = pid, port
            row = {"cold_seconds": cold}
            if name == "recnb":
                row["all_read_seconds"] = cold + all_read(port)
            self.record.add(f"start {name}", {**row, "memory_mb": memory(pid)})
        return self._up[name]

    def close(self) -> None:
        self._stack.close()


def load_part(servers: Servers, record: Record, arguments: argparse.Namespace) -> None:
    for kind in ("known", "history", "text"):
        for connections in arguments.connections:
            for server in ("recnb", "tutorial"):
                name = f"load {kind} {connections} {server}"
                if record.has(name):
                    continue
                pid, port = servers.up(server)
                asyncio.run(load(port, kind, servers.ds, 4, min(1.0, arguments.seconds)))  # warm
                worked = processor(pid)
                row = asyncio.run(load(port, kind, servers.ds, connections, arguments.seconds))
                row["server_cpu_ms"] = 1000 * (processor(pid) - worked) / max(1, row["requests"])
                row["server"] = server
                if server == "recnb":
                    row["stages_ms"] = stages(port)
                record.add(name, row)


def best(record: Record, server: str, kind: str) -> float:
    """Most requests a second over the numbers of connections."""
    rows = record.values["measured"].values()
    mine = [r for r in rows if r.get("server") == server and r.get("kind") == kind]
    return max((r["per_second"] for r in mine if not r["errors"]), default=float("nan"))


def pace_part(servers: Servers, record: Record, arguments: argparse.Namespace) -> None:
    rates = {"known": (250, 500, 1000), "history": (125, 250, 500), "text": (15, 30, 60)}
    for kind, some in rates.items():
        for rate in some:
            if not record.has(f"pace {kind} {rate}"):
                _, port = servers.up("recnb")
                seconds = arguments.seconds
                row = asyncio.run(paced(port, [kind], servers.ds, rate, seconds))
                record.add(f"pace {kind} {rate}", row)


def soak_part(servers: Servers, record: Record, arguments: argparse.Namespace) -> None:
    """Known users and histories in turn: 70 % of the harmonic mean of their limits."""
    if record.has("soak"):
        return
    pid, port = servers.up("recnb")
    limits = [best(record, "recnb", kind) for kind in ("known", "history")]
    if not all(np.isfinite(limits)):
        raise SystemExit("run --part load first: the limits are not measured")
    rate = 0.7 * 2 / sum(1 / limit for limit in limits)
    asyncio.run(paced(port, ["known", "history"], servers.ds, rate, min(60, arguments.soak)))
    megabytes = [memory(pid)]
    parts = []
    for _ in range(10):
        part = paced(port, ["known", "history"], servers.ds, rate, arguments.soak / 10)
        parts.append(asyncio.run(part))
        megabytes.append(memory(pid))
    record.add(
        "soak",
        {
            "asked_per_second": rate,
            "seconds": arguments.soak,
            "requests": sum(p["requests"] for p in parts),
            "errors": sum(p["errors"] for p in parts),
            "fallbacks": sum(p["fallbacks"] for p in parts),
            "worst_p99_ms": max(p["p99_ms"] for p in parts),
            "memory_mb": megabytes,
            "memory_change": megabytes[-1] / megabytes[0] - 1,
        },
    )


PARTS = {"load": load_part, "pace": pace_part, "soak": soak_part}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", default="load,pace,soak", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--soak", type=float, default=600, help="seconds")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument(
        "--connections", type=lambda t: [int(n) for n in t.split(",")], default=[1, 8, 32]
    )
    parser.add_argument("--port", type=int, default=18_000)
    parser.add_argument("--fresh", action="store_true", help="measure all rows again")
    parser.add_argument("--output", type=Path, default=Path("results/serving.json"))
    arguments = parser.parse_args()
    settings = {key: getattr(arguments, key) for key in ("users", "items", "seconds", "soak")}
    record = Record(arguments.output, settings, arguments.fresh)
    servers = Servers(record, arguments)
    ds = servers.ds
    data = {"kind": "generated", "digest": ds.digest, "users": ds.n_users, "items": ds.n_items}
    try:
        for part in arguments.part.split(","):
            PARTS[part](servers, record, arguments)
    finally:
        servers.close()
    ratios = {
        kind: best(record, "recnb", kind) / best(record, "tutorial", kind)
        for kind in ("known", "history", "text")
    }
    record.save(data=data, ratios=ratios)
    for kind, ratio in ratios.items():
        print(f"{kind}: {ratio:.1f} times the tutorial's requests a second")
    print(f"ratio: {ratios['known']:.2f}")


if __name__ == "__main__":
    main()
