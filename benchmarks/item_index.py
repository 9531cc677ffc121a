"""Nearest items among a million: the exact product, compressed lists, a graph, and faiss's own defaults beside them.

    python benchmarks/item_index.py [--items 1000000] [--kinds ivfpq] [--record]

Vectors are generated: as many clusters as a hundredth of the items, of unequal size, in a space of 32 dimensions that
is turned into 128, with noise in all of them; queries are drawn likewise and are no items. Recall@10 is against the
exact product over 1,000 queries, milliseconds are of one query at a time on one thread, the median; bytes are those of
the file. `default` is faiss's factory string without any setting (`IVFn,PQ32`, one list searched). Writes
`results/item_index.json` with --record.

The last line is `ratio: X`: milliseconds of the exact product over those of the compressed lists.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from recnb.serving.index import IndexRecord, ItemIndex, build
from recnb.versions import versions


def vectors(n: int, dim: int, centres: np.ndarray, turn: np.ndarray, seed: int) -> np.ndarray:
    """Unit vectors around centres of unequal weight, float32."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, len(centres) + 1) ** 0.5
    out = np.empty((n, dim), np.float32)
    for start in range(0, n, 100_000):
        size = min(100_000, n - start)
        chosen = centres[rng.choice(len(centres), size, p=weights / weights.sum())]
        inner = chosen + 0.5 * rng.normal(size=chosen.shape)
        block = inner @ turn + 0.05 * rng.normal(size=(size, dim))
        out[start : start + size] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return out


def measured(
    index: ItemIndex, queries: np.ndarray, truth: np.ndarray | None
) -> tuple[np.ndarray, dict[str, Any]]:
    """What is found, and recall, milliseconds and bytes."""
    found, seconds = [], []
    for query in queries:
        start = time.perf_counter()
        found.append(index.search(query[None], 10)[0][0])
        seconds.append(time.perf_counter() - start)
    got = np.stack(found)
    right = 1.0
    if truth is not None:
        right = float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(got, truth)]))
    with tempfile.NamedTemporaryFile(suffix=".faiss") as file:
        index.save(Path(file.name))
        size = Path(file.name).stat().st_size
    ms = 1000 * float(np.median(seconds))
    return got, {"recall": right, "ms": ms, "n_bytes": size, "factory": index.record.factory}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument(
        "--kinds", default="ivfpq", help="of ivfpq, hnsw (many minutes), with commas"
    )
    parser.add_argument("--record", action="store_true", help="write results/item_index.json")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    n, dim = arguments.items, arguments.dim
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(max(10, n // 100), 32))
    turn = np.linalg.qr(rng.normal(size=(dim, 32)))[0].T
    items = vectors(n, dim, centres, turn, seed=1)
    queries = vectors(arguments.queries, dim, centres, turn, seed=2)
    rows: dict[str, dict[str, Any]] = {}

    def told(name: str, index: ItemIndex, seconds: float, truth: np.ndarray | None) -> np.ndarray:
        got, row = measured(index, queries, truth)
        rows[name] = {**row, "build_seconds": seconds}
        print(
            f"{name:8} {row['factory']:32} recall@10 {row['recall']:.3f} {row['ms']:8.3f} ms "
            f"{row['n_bytes'] / 1e6:7.1f} MB built in {seconds:.0f} s",
            flush=True,
        )
        return got

    start = time.perf_counter()
    exact = build(items, "exact", queries)
    truth = told("exact", exact, time.perf_counter() - start, None)
    for kind in arguments.kinds.split(","):
        start = time.perf_counter()
        told(kind, build(items, kind, queries), time.perf_counter() - start, truth)
    lists = int(4 * np.sqrt(n))
    start = time.perf_counter()
    plain = faiss.index_factory(dim, f"IVF{lists},PQ32", faiss.METRIC_INNER_PRODUCT)
    plain.train(items)
    plain.add(items)
    record = IndexRecord("ivfpq", f"IVF{lists},PQ32", 0.0, 0, 0.0, 0.0)
    told("default", ItemIndex(plain, record), time.perf_counter() - start, truth)
    if arguments.record:
        result = {
            "benchmark": "item_index",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": {"items": n, "dim": dim, "queries": arguments.queries, "seed": 0},
            "data": {"kind": "generated"},
            "versions": {**versions(), "faiss-cpu": faiss.__version__},
            "load_average": list(os.getloadavg()),
            "indexes": rows,
        }
        Path("results/item_index.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"ratio: {rows['exact']['ms'] / rows[arguments.kinds.split(',')[0]]['ms']:.1f}")


if __name__ == "__main__":
    main()
