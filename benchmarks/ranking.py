"""Time the top k of a whole catalogue for every user: recnb beside the bare matrix product and peers.

    python benchmarks/ranking.py

recnb runs through its public door (`top_k` of a model with factors): float32, all processors, ids
hashed, scores returned in the order of the lists. The bare product computes the same scores, block
after block into memory that is used again, and keeps nothing; it runs in several forms (threads of
BLAS, or BLAS of one thread in several Python threads; several block sizes; all items at once, or tiles of
items whose scores stay in the cache) and the fastest counts.
The peers rank a slice of the users (rows are independent) and are compared by the time per user:
`implicit` (its C++ top-k), `torch.topk` and `numpy.argpartition`. Runs alternate, and medians are
compared. Before, the peak memory of a run of ours is taken in a process of its own (the factors are
part of it), and our scores are compared with a full sort.

The last line is `ratio: X`: the time per user of the fastest peer over ours, in this run.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from recnb import top_k
from recnb.recommender import Recommender, top_k_scores

KNOWN = 50  # items of each user that must not be listed, in the row "known items out"


class Factors(Recommender):
    """A fitted model that is nothing but its factors."""

    def __init__(self, left: np.ndarray, right: np.ndarray):
        self.left, self.right = left, right
        self.user_ids_ = np.array([f"u{i}" for i in range(len(left))], dtype=object)
        self.item_ids_ = np.array([f"i{i}" for i in range(len(right))], dtype=object)

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        return self.left, self.right


def make_factors(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Normal factors of users and items."""
    rng = np.random.default_rng(args.seed)
    left = rng.standard_normal((args.users, args.factors), dtype=np.float32)
    return left, rng.standard_normal((args.items, args.factors), dtype=np.float32)


def bare(left: np.ndarray, right: np.ndarray, size: int, threads: int) -> None:
    """The product in blocks of `size` users; `threads` 0 leaves the threads to BLAS."""
    own = threading.local()

    def block(start: int) -> None:
        if not hasattr(own, "scores"):
            own.scores = np.empty((size, right.shape[1]), np.float32)
        users = left[start : start + size]
        np.matmul(users, right, out=own.scores[: len(users)])

    starts = range(0, len(left), size)
    if threads:
        with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
            list(pool.map(block, starts))
    else:
        for start in starts:
            block(start)


def bare_tiles(left: np.ndarray, items: np.ndarray, size: int, threads: int, tile: int) -> None:
    """The product in blocks of `size` users and tiles of items, into the memory of one tile."""
    own = threading.local()

    def block(start: int) -> None:
        users = np.ascontiguousarray(left[start : start + size].T)
        if not hasattr(own, "scores"):
            own.scores = np.empty((tile, size), np.float32)
        for first in range(0, len(items), tile):
            part = items[first : first + tile]
            np.matmul(part, users, out=own.scores[: len(part), : users.shape[1]])

    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        list(pool.map(block, range(0, len(left), size)))


def bare_forms(left: np.ndarray, items: np.ndarray) -> dict[str, Callable[[], object]]:
    right = np.ascontiguousarray(items.T)
    threads = os.cpu_count() or 1
    forms: dict[str, Callable[[], object]] = {}
    for size in (80, 160, 320):
        forms[f"bare, {threads} threads, {size}"] = lambda n=size: bare(left, right, n, threads)
    forms[f"bare, {threads} threads, 1280 by 512 items"] = lambda: bare_tiles(
        left, items, 1280, threads, 512
    )
    forms["bare, BLAS threads, 320"] = lambda: bare(left, right, 320, 0)
    return forms


def peer_forms(
    left: np.ndarray, items: np.ndarray, k: int, size: int = 80
) -> dict[str, Callable[[], object]]:
    """Peers that are installed, on these users."""
    right = np.ascontiguousarray(items.T)
    starts = range(0, len(left), size)

    def by_numpy() -> None:
        def block(start: int) -> np.ndarray:
            scores = left[start : start + size] @ right
            best = np.argpartition(scores, scores.shape[1] - k, axis=1)[:, -k:]
            order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
            return np.take_along_axis(best, order, axis=1)

        with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(block, starts))

    forms: dict[str, Callable[[], object]] = {"numpy.argpartition": by_numpy}
    try:
        from implicit.cpu.topk import topk

        forms["implicit"] = lambda: topk(items, left, k)
    except ImportError:
        pass
    try:
        import torch

        users, matrix = torch.from_numpy(left), torch.from_numpy(right)
        forms["torch.topk"] = lambda: [
            torch.topk(users[start : start + size] @ matrix, k) for start in starts
        ]
    except ImportError:
        pass
    return forms


def known_items(n_users: int, n_items: int, seed: int) -> sparse.csr_matrix:
    """`KNOWN` random items of each user (a few less where one is drawn twice)."""
    items = np.random.default_rng(seed + 1).integers(0, n_items, n_users * KNOWN)
    entries = (np.ones(len(items), np.float32), items, np.arange(n_users + 1) * KNOWN)
    known = sparse.csr_matrix(entries, shape=(n_users, n_items))
    known.sum_duplicates()
    return known


def assert_exact(model: Factors, k: int, n_users: int = 200) -> None:
    """Our lists hold k different items whose scores are those of a full sort."""
    items, scores = top_k_scores(model, np.arange(min(n_users, len(model.left))), k)
    product = model.left[: len(items)].astype(float) @ model.right.T.astype(float)
    expected = -np.sort(-product, axis=1)[:, :k]
    np.testing.assert_allclose(scores[:, : expected.shape[1]], expected, rtol=1e-4, atol=1e-4)
    picked = np.take_along_axis(product, np.maximum(items, 0), axis=1)[:, : expected.shape[1]]
    np.testing.assert_allclose(picked, expected, rtol=1e-4, atol=1e-4)
    assert all(len(set(row[row >= 0])) == min(k, product.shape[1]) for row in items)


def peak_memory_mb(args: argparse.Namespace) -> float:
    """Peak resident memory of a run of ours in a new process, MB (10^6 bytes)."""
    command = [sys.executable, __file__, "--memory-worker"]
    for name in ("users", "items", "factors", "k", "seed"):
        command += [f"--{name}", str(getattr(args, name))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def memory_worker(args: argparse.Namespace) -> None:
    left, items = make_factors(args)
    top_k(Factors(left, items), k=args.k)
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--peer-users", type=int, default=5_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory-worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", default="results/benchmark_ranking.json")
    args = parser.parse_args()
    if args.memory_worker:
        memory_worker(args)
        return

    load_before = os.getloadavg()
    memory = peak_memory_mb(args)  # first: the peak of a new process starts at its parent's size
    left, items = make_factors(args)
    model, known = Factors(left, items), known_items(args.users, args.items, args.seed)
    assert_exact(model, args.k)
    few = left[: args.peer_users]
    plain, peers = bare_forms(left, items), peer_forms(few, items, args.k)
    ours: dict[str, Callable[[], object]] = {
        "recnb": lambda: top_k(model, k=args.k),
        "recnb, known items out": lambda: top_k(model, k=args.k, exclude=known),
    }
    forms = {**plain, **ours, **peers}
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    cpu_seconds: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(args.repetitions):
        for name, run in forms.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            run()
            seconds[name].append(time.perf_counter() - start)
            cpu_seconds[name].append(time.process_time() - cpu_start)

    ranked = {name: len(few) if name in peers else args.users for name in forms}
    each = {name: float(np.median(s)) / ranked[name] * 1e6 for name, s in seconds.items()}
    cpu = {name: float(np.median(s)) / ranked[name] * 1e6 for name, s in cpu_seconds.items()}
    product, peer = min(plain, key=each.__getitem__), min(peers, key=each.__getitem__)
    print(f"top {args.k} of {args.items} items, {args.users} users, {args.factors} factors")
    print(
        f"{'':40}{'users':>8}{'median s':>10}{'min s':>9}{'us a user':>11}{'cpu us':>8}{'to recnb':>10}"
    )
    for name, s in seconds.items():
        numbers = (
            f"{ranked[name]:8d}{np.median(s):10.2f}{min(s):9.2f}{each[name]:11.1f}{cpu[name]:8.1f}"
        )
        print(f"{name:40}{numbers}{each[name] / each['recnb']:10.2f}")
    # Each repetition on its own: a busy machine slows the neighbours of a run too.
    least = np.min([seconds[name] for name in plain], axis=0)
    paired = np.array(seconds["recnb"]) / least
    to_product = each["recnb"] / each[product]
    print(f"recnb takes {to_product:.2f} times the fastest bare product ({product});")
    to_cpu = cpu["recnb"] / min(cpu[name] for name in plain)
    print(f"in processor time, which a busy machine disturbs less, {to_cpu:.2f} times the least;")
    print(f"against the fastest of each repetition: {', '.join(f'{x:.2f}' for x in paired)}")
    print(f"peak memory {memory:.0f} MB; load average {load_before[0]:.1f} before, ", end="")
    print(f"{os.getloadavg()[0]:.1f} after; fastest peer: {peer}")

    packages = ("numpy", "scipy", "threadpoolctl", "implicit", "torch")
    record = {
        "benchmark": "ranking",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {k: v for k, v in vars(args).items() if k not in ("memory_worker", "output")},
        "data": {"kind": "generated", "distribution": "standard normal factors"},
        "device": {"cpus": os.cpu_count(), "machine": platform.machine()},
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "load_average_before": load_before,
        "load_average_after": os.getloadavg(),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "users": ranked,
        "microseconds_per_user": each,
        "bare": product,
        "ours_to_bare": to_product,
        "ours_to_bare_cpu": to_cpu,
        "ours_to_bare_by_repetition": paired.tolist(),
        "peak_memory_mb": memory,
        "peer": peer,
        "ratio": each[peer] / each["recnb"],
    }
    output = Path(args.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"ratio: {record['ratio']:.1f}")


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
