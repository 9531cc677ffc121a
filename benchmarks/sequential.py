"""Speed and memory of the sequence models.

    python benchmarks/sequential.py --part transitions           # a million users, 100,000 items, 20 million events
    python benchmarks/sequential.py --part transitions --users 100000 --events 2000000

transitions: the counts of what follows what, fitted on made sequences (items by a power law, a third of the events
follow the event before by a fixed map, so that there is something to count) in a process of its own, whose peak memory
is that of the operating system, the data among it. Beside it a plain way to count the same, a loop over the events with
a dictionary of pairs, on a slice of the users; compared is the time per event. Then 1,000 users are scored.

The results go to `results/benchmark_sequential.json`, part by part; the last line is `ratio: X`: the plain way's time
per event over ours.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb.data import Dataset
from recnb.models import Transitions
from recnb.models.common.sequences import Sequences
from recnb.versions import versions

PARTS = ("transitions",)
SLICE = 20_000  # users of the plain way
SCORED = 1000


def made(n_users: int, n_items: int, n_events: int, seed: int = 0) -> Dataset:
    """Sequences of lengths by a geometric law; a third of the events follow the one before by a fixed map."""
    rng = np.random.default_rng(seed)
    lengths = rng.geometric(1 / (n_events / n_users), n_users)
    users = np.repeat(np.arange(n_users, dtype=np.int32), lengths)[:n_events]
    ranks = rng.pareto(0.8, len(users))
    items = rng.permutation(n_items)[np.minimum(ranks * 20, n_items - 1).astype(np.int64)]
    follows, next_one = rng.random(len(users)) < 1 / 3, rng.permutation(n_items)
    follows[0] = False
    items = np.where(follows, next_one[np.roll(items, 1)], items).astype(np.int32)
    place = np.arange(len(users)) - np.searchsorted(users, users)
    rows = pd.DataFrame({"user": users, "item": items, "position": place.astype(np.int32)})
    names = [pd.Index([f"{kind}{i}" for i in range(n)], name=f"{key}_id") for kind, key, n in
             (("i", "item", n_items), ("u", "user", n_users))]  # fmt: skip
    return Dataset(rows, pd.DataFrame(index=names[0]), pd.DataFrame(index=names[1]))


def transitions(args: argparse.Namespace) -> dict[str, Any]:
    """Fit and score in a process of its own; the plain way beside it."""
    command = [
        sys.executable,
        __file__,
        "--child",
        "--users",
        str(args.users),
        "--items",
        str(args.items),
    ]
    command += ["--events", str(args.events), "--seed", str(args.seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ours = json.loads(done.stdout.splitlines()[-1])
    ds = made(SLICE, args.items, SLICE * args.events // args.users, args.seed)
    start = time.perf_counter()
    n_pairs = plain(Sequences.of(ds), Transitions().window)
    seconds = time.perf_counter() - start
    theirs = {"users": SLICE, "events": len(ds.interactions), "seconds": seconds, "pairs": n_pairs}
    ratio = (seconds / len(ds.interactions)) / (ours["fit_seconds"] / ours["events"])
    return {"ours": ours, "plain": theirs, "ratio": ratio}


def plain(sequences: Sequences, window: int) -> int:
    """The same counts, event by event in a dictionary; the number of distinct pairs."""
    counts: dict[tuple[int, int], float] = {}
    items, offsets = sequences.items.tolist(), sequences.offsets.tolist()
    for start, stop in pairwise(offsets):
        for at in range(start, stop):
            for later in range(at + 1, min(at + window, stop - 1) + 1):
                pair = items[at], items[later]
                counts[pair] = counts.get(pair, 0.0) + 1 / (later - at)
    return len(counts)


def child(args: argparse.Namespace) -> dict[str, Any]:
    """Made data, one fit, some scores: seconds, and the peak of this process in MB."""
    ds = made(args.users, args.items, args.events, args.seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    model = Transitions().fit(ds)
    fit_seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    model.score(np.arange(SCORED))
    score_seconds = time.perf_counter() - start
    return {
        "users": ds.n_users, "items": ds.n_items, "events": len(ds.interactions),
        "window": model.window, "neighbours": model.neighbours, "stored": int(model.followers_.nnz),
        "fit_seconds": fit_seconds, "peak_mb": peak, "data_mb": before,
        "score_seconds": score_seconds, "scored_users": SCORED,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=PARTS, default="transitions")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", default="results")
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(args)))
        return
    found = transitions(args)
    file = Path(args.output) / "benchmark_sequential.json"
    held = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    held |= {
        "what": "seconds and memory of sequence models on made data",
        "device": "cpu",
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions(),
    }
    held[args.part] = [{"way": way, **row} for way, row in found.items() if way != "ratio"]
    held[f"{args.part}_ratio"] = found["ratio"]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    for row in held[args.part]:
        print(row)
    print(f"written to {file}")
    print(f"ratio: {found['ratio']:.2f}")


if __name__ == "__main__":
    main()
