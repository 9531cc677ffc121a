"""Nearest items among a million: the exact product, compressed lists, a graph, and faiss's own defaults beside them.

    python benchmarks/item_index.py [--items 1000000] [--kinds ivfpq,default,hnsw]

Vectors are generated: as many clusters as a hundredth of the items, of unequal size, in a space of 32 dimensions that
is turned into 128, with noise in all of them; queries are drawn likewise and are no items. Recall@10 is against the
exact product over 1,000 queries; milliseconds are of one query at a time on one thread, the median, and every query is
asked of all indexes one after another, so that a busy machine is slow for all of them. Bytes are those of the file.
`default` is faiss's factory string without any setting (`IVFn,PQ32`, one list searched); `hnsw` takes many minutes to
build.

Built indexes are kept under `.benchmarks`: a run that was stopped builds none twice. Writes `results/item_index.json`.

The last line is `ratio: X`: milliseconds of the exact product over those of the compressed lists.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from recnb.files import write_json
from recnb.serving.index import IndexRecord, ItemIndex, build_index
from recnb.versions import versions

KEPT = Path(".benchmarks") / "item_index"


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


def made(kind: str, items: np.ndarray, folder: Path) -> tuple[ItemIndex, float]:
    """An index, built once, and the seconds that it took to build."""
    file, note = folder / f"{kind}.faiss", folder / f"{kind}.json"
    if not note.is_file():
        print(f"building {kind}", flush=True)
        start = time.perf_counter()
        index = _default(items) if kind == "default" else build_index(items, kind)
        seconds = time.perf_counter() - start
        index.save(file)
        write_json(note, {"record": vars(index.record), "seconds": seconds})
    told = json.loads(note.read_text())
    index = ItemIndex.read(file, IndexRecord(**told["record"]), *items.shape)
    return index, told["seconds"]


def _default(items: np.ndarray) -> ItemIndex:
    factory = f"IVF{int(4 * np.sqrt(len(items)))},PQ32"
    plain = faiss.index_factory(items.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    plain.train(items)
    plain.add(items)
    return ItemIndex(plain, IndexRecord("ivfpq", factory, 0.0, 0, 0.0, 0.0))


def measured(
    indexes: dict[str, ItemIndex], queries: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, list[float]]]:
    """What each index finds, and its seconds, a query at a time in turn."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in indexes}
    seconds: dict[str, list[float]] = {name: [] for name in indexes}
    for query in queries:
        for name, index in indexes.items():
            start = time.perf_counter()
            found[name].append(index.search(query[None], 10)[0][0])
            seconds[name].append(time.perf_counter() - start)
    return {name: np.stack(rows) for name, rows in found.items()}, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--kinds", default="ivfpq,default", help="of ivfpq, default, hnsw")
    parser.add_argument("--output", type=Path, default=Path("results/item_index.json"))
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    n, dim = arguments.items, arguments.dim
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(max(10, n // 100), 32))
    turn = np.linalg.qr(rng.normal(size=(dim, 32)))[0].T
    items = vectors(n, dim, centres, turn, seed=1)
    queries = vectors(arguments.queries, dim, centres, turn, seed=3)
    folder = KEPT / f"{n}-{dim}"
    folder.mkdir(parents=True, exist_ok=True)
    kinds = ["exact", *arguments.kinds.split(",")]
    built = {kind: made(kind, items, folder) for kind in kinds}
    found, seconds = measured({kind: index for kind, (index, _) in built.items()}, queries)
    rows: dict[str, dict[str, Any]] = {}
    for kind, (index, build_seconds) in built.items():
        pairs = zip(found[kind], found["exact"])
        ms = 1000 * np.array(seconds[kind])
        rows[kind] = {
            "factory": index.record.factory,
            "recall": float(np.mean([len(set(a) & set(b)) / 10 for a, b in pairs])),
            "ms": float(np.median(ms)),
            "p99_ms": float(np.percentile(ms, 99)),
            "n_bytes": (folder / f"{kind}.faiss").stat().st_size,
            "build_seconds": build_seconds,
        }
        row = rows[kind]
        print(
            f"{kind:8} {row['factory']:32} recall@10 {row['recall']:.3f} {row['ms']:8.3f} ms "
            f"{row['n_bytes'] / 1e6:7.1f} MB built in {row['build_seconds']:.0f} s",
            flush=True,
        )
    result = {
        "benchmark": "item_index",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {"items": n, "dim": dim, "queries": arguments.queries, "seed": 0},
        "data": {"kind": "generated"},
        "versions": {**versions(), "faiss-cpu": faiss.__version__},
        "load_average": list(os.getloadavg()),
        "indexes": rows,
    }
    write_json(arguments.output, result)
    print(f"ratio: {rows['exact']['ms'] / rows['ivfpq']['ms']:.1f}")


if __name__ == "__main__":
    main()
