"""The service under load beside the usual tutorial's loop: requests a second, latency, errors, cold start, memory.

    python benchmarks/serving.py [--seconds 10] [--record]

A generated catalogue (50,000 items, 20,000 users), an ALS model fitted on it, exported and served by `recnb serve` on
loopback; beside it, in the same run and with the same load, what a tutorial would write: one FastAPI application that
multiplies a user's vector with all items in PyTorch for each request. Both log no feedback to compare like with like
in nothing but the answer (the service writes its audit log and metrics as it always does). Load comes from this
machine: so many connections, each asking again when it is answered. Three kinds of requests: users that the model
knows, histories that are sent along, and free text with one pass of the encoder. The processor time that the server
takes for a request stands beside, which a busy machine changes least.

Writes `results/serving.json` with --record. The last line is `ratio: X`: requests a second for known users, ours over
the tutorial's.
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
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from recnb.data import Dataset
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


def measured(
    name: str, command: list[str], port: int, ds: Dataset, arguments: argparse.Namespace
) -> dict[str, Any]:
    """All loads against one server."""
    rows = []
    with process(command, port) as (pid, cold):
        print(f"{name}: first answer after {cold:.2f} s, {memory(pid):,.0f} MB", flush=True)
        before = memory(pid)
        for kind in ("known", "history", "text"):
            asyncio.run(load(port, kind, ds, 4, min(1.0, arguments.seconds)))  # warm
            for connections in arguments.connections:
                worked = processor(pid)
                row = asyncio.run(load(port, kind, ds, connections, arguments.seconds))
                row["server_cpu_ms"] = 1000 * (processor(pid) - worked) / max(1, row["requests"])
                rows.append({"server": name, **row})
                print(
                    f"{name:10} {kind:8} {connections:4d} connections {row['per_second']:9,.0f}/s "
                    f"p50 {row['p50_ms']:7.1f} ms p99 {row['p99_ms']:7.1f} ms "
                    f"processor {row['server_cpu_ms']:6.2f} ms errors {row['errors']} "
                    f"fallbacks {row['fallbacks']}",
                    flush=True,
                )
        after = memory(pid)
    return {"cold_seconds": cold, "memory_mb": [before, after], "loads": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument(
        "--connections", type=lambda t: [int(n) for n in t.split(",")], default=[1, 8, 32]
    )
    parser.add_argument("--port", type=int, default=18_000)
    parser.add_argument("--record", action="store_true", help="write results/serving.json")
    arguments = parser.parse_args()
    artefact, plain, ds = prepared(arguments.users, arguments.items)
    from recnb.encoders.loading import locate

    port, out = arguments.port, {}
    ours = [sys.executable, "-m", "recnb.cli.main", "serve", str(artefact), "--port", str(port)]
    ours += ["--state", str(KEPT / "state"), "--queue", "1024", "--milliseconds", "2000"]
    out["recnb"] = measured("recnb", ours, port, ds, arguments)
    theirs = [sys.executable, "-c", TUTORIAL, str(plain), str(port + 1), str(locate().folder)]
    out["tutorial"] = measured("tutorial", theirs, port + 1, ds, arguments)

    def best(server: str, kind: str) -> float:
        return max(r["per_second"] for r in out[server]["loads"] if r["kind"] == kind)

    ratios = {
        kind: best("recnb", kind) / best("tutorial", kind) for kind in ("known", "history", "text")
    }
    for kind, ratio in ratios.items():
        print(f"{kind}: {ratio:.1f} times the tutorial's requests a second")
    if arguments.record:
        result = {
            "benchmark": "serving",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": {k: v for k, v in vars(arguments).items() if k not in ("record", "port")},
            "data": {
                "kind": "generated",
                "digest": ds.digest,
                "users": ds.n_users,
                "items": ds.n_items,
            },
            "versions": versions(),
            "load_average": list(os.getloadavg()),
            "ratios": ratios,
            **out,
        }
        Path("results/serving.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"ratio: {ratios['known']:.2f}")


if __name__ == "__main__":
    main()
