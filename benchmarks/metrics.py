"""Time NDCG, recall, MAP and MRR @10 of many lists: recnb beside ranx, pytrec_eval and RecTools.

    python benchmarks/metrics.py                # recnb, ranx, pytrec_eval
    python benchmarks/metrics.py --rectools     # and RecTools, in an environment of its own

Part 1 times the evaluation alone. Every library gets the input form that is fastest for it, made
beforehand (that time is shown apart): ranx its arrays (compiled, all cores), pytrec_eval its
dictionaries, recnb an array of codes and a `RelevantItems`. Part 2 starts from data frames with string
ids and takes each library's own way from there; the peers are also timed after the rows beyond rank
k were filtered out for them, which helps them, and the faster way counts. Runs alternate, and
medians are compared, of elapsed time and beside it of processor time (of all threads together), which
a busy machine disturbs less. Equal values are asserted first. `--slow` adds ranx's Run object and its way
from whole frames, which take minutes and are not its fastest.

RecTools needs numpy below 2: `--rectools` builds a virtual environment for it (kept in the user's
cache), which evaluates the same arrays in a process of its own, in alternation.

The last line is `ratio: X`: the time of the faster of ranx and pytrec_eval over ours, part 1.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# A script's folder comes first on the path, where `coverage.py` would hide the package of that name
# from numba.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).parent]

PYTREC = {"ndcg_cut.10", "recall.10", "map_cut.10", "recip_rank"}
RANX = ["ndcg@10", "recall@10", "map@10", "mrr@10"]
OURS = ("ndcg", "recall", "average_precision_n", "reciprocal_rank")  # MAP as the peers define it
PYTREC_NAMES = ("ndcg_cut_10", "recall_10", "map_cut_10", "recip_rank")
K = 10


def make_data(n_users: int, n_items: int, length: int, seed: int) -> dict[str, np.ndarray]:
    """Lists (n_users, length) of distinct items, and truth rows; hits are likelier at the top."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(1, max(n_items // length, 2), (n_users, length))
    lists = (rng.integers(0, n_items, (n_users, 1)) + np.cumsum(steps, axis=1)) % n_items
    lists = rng.permuted(lists, axis=1)
    found = rng.random(lists.shape) < 0.25 / (1 + np.arange(length) / 5)
    found_user, found_rank = np.nonzero(found)
    other_user = np.repeat(np.arange(n_users), np.minimum(rng.geometric(1 / 9, n_users), 100))
    user = np.concatenate([found_user, other_user])
    item = np.concatenate(
        [lists[found_user, found_rank], rng.integers(0, n_items, len(other_user))]
    )
    truth = np.unique(np.column_stack([user, item]), axis=0)
    return {"lists": lists.astype(np.int64), "user": truth[:, 0], "item": truth[:, 1]}


def frames(data: dict[str, np.ndarray], text: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lists and truth as frames; ids are strings, or integers for RecTools' fastest form."""
    n_users, length = data["lists"].shape
    n_items = int(max(data["lists"].max(), data["item"].max())) + 1
    users, items = np.arange(n_users), np.arange(n_items)
    if text:
        users = pd.array([f"u{i}" for i in users], dtype="str")
        items = pd.array([f"i{i}" for i in items], dtype="str")
    lists = pd.DataFrame(
        {
            "user_id": users.take(np.repeat(np.arange(n_users), length)),
            "item_id": items.take(data["lists"].ravel()),
            "rank": np.tile(np.arange(1, length + 1), n_users),
        }
    )
    truth = pd.DataFrame({"user_id": users.take(data["user"]), "item_id": items.take(data["item"])})
    return lists, truth


def nested(user: pd.Series, item: pd.Series, value: np.ndarray | list) -> dict[str, dict[str, Any]]:
    """Frame columns with each user's rows together -> {user: {item: value}}, without pandas loops."""
    codes = pd.factorize(user)[0]
    starts = np.flatnonzero(np.diff(codes, prepend=-1)).tolist()
    names = user.iloc[starts].tolist()
    items, values = item.tolist(), list(value)
    ends = [*starts[1:], len(items)]
    return {
        name: dict(zip(items[a:b], values[a:b]))
        for name, a, b in zip(names, starts, ends, strict=True)
    }


class Peers:
    """The peers' prepared inputs, and how long preparing took."""

    def __init__(
        self, data: dict[str, np.ndarray], lists: pd.DataFrame, truth: pd.DataFrame, slow: bool
    ):
        import pytrec_eval
        from ranx import Qrels, Run
        from scipy import sparse

        from recnb.metrics import RelevantItems

        self.seconds: dict[str, float] = {}
        n_users, length = data["lists"].shape
        n_items = int(max(data["lists"].max(), data["item"].max())) + 1
        scores = np.arange(length, 0, -1)

        start = time.perf_counter()
        entries = (np.ones(len(data["user"]), dtype=bool), (data["user"], data["item"]))
        self.truth = RelevantItems(sparse.csr_array(entries, shape=(n_users, n_items)))
        self.seconds["recnb"] = time.perf_counter() - start

        start = time.perf_counter()
        self.run_array = np.empty((n_users, length, 2), dtype=np.int64)
        self.run_array[:, :, 0], self.run_array[:, :, 1] = data["lists"], scores
        counts = np.bincount(data["user"], minlength=n_users)
        place = np.arange(len(data["user"])) - np.repeat(np.cumsum(counts) - counts, counts)
        self.qrels_array = np.zeros((n_users, counts.max(), 2), dtype=np.int64)
        self.qrels_array[:, :, 0] = -1  # padding, of relevance 0
        self.qrels_array[data["user"], place] = np.column_stack(
            [data["item"], np.ones_like(data["item"])]
        )
        self.seconds["ranx arrays"] = time.perf_counter() - start

        start = time.perf_counter()
        qrels = nested(truth["user_id"], truth["item_id"], [1] * len(truth))
        run = nested(lists["user_id"], lists["item_id"], np.tile(scores, n_users).tolist())
        self.run_dict = {user: {i: float(s) for i, s in row.items()} for user, row in run.items()}
        self.evaluator = pytrec_eval.RelevanceEvaluator(qrels, PYTREC)
        self.seconds["pytrec_eval"] = time.perf_counter() - start

        self.run = self.qrels = None
        if slow:
            start = time.perf_counter()
            self.run, self.qrels = Run.from_dict(self.run_dict), Qrels.from_dict(qrels)
            self.seconds["ranx Run"] = time.perf_counter() - start
        # Everybody's lists cut to k beforehand, which the libraries would do themselves.
        self.run_array_cut = np.ascontiguousarray(self.run_array[:, :K])
        self.run_dict_cut = {u: dict(list(row.items())[:K]) for u, row in self.run_dict.items()}


def part_one(data: dict[str, np.ndarray], peers: Peers) -> dict[str, Callable[[], Any]]:
    import ranx

    from recnb.metrics import evaluate_lists

    lists, cut = data["lists"], np.ascontiguousarray(data["lists"][:, :K])
    return {
        "recnb": lambda: evaluate_lists(lists, peers.truth, OURS, K),
        "ranx arrays": lambda: ranx.evaluate(peers.qrels_array, peers.run_array, RANX),
        "ranx Run": lambda: ranx.evaluate(peers.qrels, peers.run, RANX, save_results_in_run=False),
        "pytrec_eval": lambda: peers.evaluator.evaluate(peers.run_dict),
        "recnb, cut": lambda: evaluate_lists(cut, peers.truth, OURS, K),
        "ranx arrays, cut": lambda: ranx.evaluate(peers.qrels_array, peers.run_array_cut, RANX),
        "pytrec_eval, cut": lambda: peers.evaluator.evaluate(peers.run_dict_cut),
    }


def our_steps(data: dict[str, np.ndarray], peers: Peers) -> dict[str, Callable[[], Any]]:
    """Steps of our part 1, each alone: what of its time is left."""
    from recnb.metrics import evaluate_lists, hits

    lists, cut = data["lists"][:, :K], np.ascontiguousarray(data["lists"][:, :K])
    return {
        "first k places from memory": lambda: np.ascontiguousarray(lists),
        "hits of places in the cache": lambda: hits(cut, peers.truth),
        "hits": lambda: hits(lists, peers.truth),
        "hits and one metric": lambda: evaluate_lists(lists, peers.truth, OURS[:1], K),
        "hits and four metrics": lambda: evaluate_lists(lists, peers.truth, OURS, K),
    }


def part_two(lists: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Callable[[], Any]]:
    import pytrec_eval
    import ranx
    from ranx import Qrels, Run

    from recnb.metrics import evaluate_frames

    def by_ranx(table: pd.DataFrame) -> Any:
        ids = {"user_id": object, "item_id": object}
        run = table.astype(ids).assign(score=-table["rank"].astype(float))
        qrels = truth.astype(ids).assign(score=1)
        return ranx.evaluate(
            Qrels.from_df(qrels, "user_id", "item_id", "score"),
            Run.from_df(run, "user_id", "item_id", "score"),
            RANX,
            make_comparable=True,
        )

    def by_pytrec(table: pd.DataFrame) -> Any:
        qrels = nested(truth["user_id"], truth["item_id"], [1] * len(truth))
        score = (-table["rank"]).astype(float).tolist()
        run = nested(table["user_id"], table["item_id"], score)
        return pytrec_eval.RelevanceEvaluator(qrels, PYTREC).evaluate(run)

    return {
        "recnb": lambda: evaluate_frames(lists, truth, OURS, K),
        "ranx": lambda: by_ranx(lists),
        "pytrec_eval": lambda: by_pytrec(lists),
        "ranx, filtered": lambda: by_ranx(lists[lists["rank"] <= K]),
        "pytrec_eval, filtered": lambda: by_pytrec(lists[lists["rank"] <= K]),
    }


def assert_equal(one: dict[str, Callable], two: dict[str, Callable]) -> dict[str, float]:
    """Mean of every metric, equal for all forms and libraries to 1e-9."""
    ours = {name: float(values.mean()) for name, values in one["recnb"]().items()}
    expected = list(ours.values())
    for name, run in {**one, **{f"frames {n}": f for n, f in two.items()}}.items():
        if name in ("frames ranx",):
            continue  # minutes for the same values as the filtered way
        result = run()
        if "recnb" in name:
            means = [float(result[m].mean()) for m in OURS]
        elif "ranx" in name:
            means = [float(result[m]) for m in RANX]
        else:
            # pytrec_eval has no MRR@k: only lists cut to k give it.
            whole = "cut" not in name and "filtered" not in name
            names = PYTREC_NAMES[:3] if whole else PYTREC_NAMES
            means = [float(np.mean([row[m] for row in result.values()])) for m in names]
        np.testing.assert_allclose(means, expected[: len(means)], rtol=0, atol=1e-9, err_msg=name)
    return ours


def alternate(
    runs: dict[str, Callable[[], Any]], repeats: int, rare: dict[str, int]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds and processor seconds of each run, in turns; `rare` limits the repetitions of slow ones.

    A sample lasts at least 0.3 s: a short run is repeated within it and the mean taken, so that a
    moment's load on the machine weighs alike on all. Before each sample the run is made once
    untimed, so that its data are in memory and cache again after the others' turns.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    cpu_seconds: dict[str, list[float]] = {name: [] for name in runs if name != "RecTools"}
    for turn in range(repeats):
        for name, run in runs.items():
            if turn < rare.get(name, repeats):
                if name not in rare and name != "RecTools":
                    run()
                start, spent, times = time.perf_counter(), 0.0, 0
                cpu_start = time.process_time()
                while spent < 0.3:
                    result = run()
                    times += 1
                    spent = time.perf_counter() - start
                    if isinstance(result, float):  # RecTools reports its own seconds
                        spent, times = result, 1
                        break
                    del result
                seconds[name].append(spent / times)
                if name in cpu_seconds:
                    cpu_seconds[name].append((time.process_time() - cpu_start) / times)
    return seconds, cpu_seconds


class RecTools:
    """RecTools in a process and an environment of its own; each call returns its seconds."""

    def __init__(self, data: dict[str, np.ndarray], folder: Path):
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        home = cache / "recnb" / "benchmark-rectools"
        python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
        alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        try:
            subprocess.run([python, "-c", "import rectools"], env=alone, check=True)
        except (OSError, subprocess.CalledProcessError):
            venv.create(home, with_pip=True, clear=True)
            command = [python, "-m", "pip", "install", "-q", "rectools"]
            subprocess.run(command, env=alone, check=True)
        np.savez(folder / "data.npz", **data)
        command = [str(python), __file__, "--rectools-worker", str(folder / "data.npz")]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=alone
        )
        self.versions = json.loads(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the RecTools process ended early")
        return line

    def run(self, form: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(form + "\n")
        self.process.stdin.flush()
        return json.loads(self._line())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


def rectools_worker(path: str) -> None:
    """Answer each line 'codes' or 'frames' on stdin with the seconds and values of one run."""
    from rectools.metrics import MAP, MRR, NDCG, Recall, calc_metrics

    data = dict(np.load(path))
    metrics = {"ndcg": NDCG(k=K), "recall": Recall(k=K), "map": MAP(k=K), "mrr": MRR(k=K)}
    forms = {"codes": frames(data, text=False), "frames": frames(data, text=True)}
    names = ("rectools", "numpy", "pandas")
    print(json.dumps({name: importlib.metadata.version(name) for name in names}), flush=True)
    for line in sys.stdin:
        lists, truth = forms[line.strip()]
        start = time.perf_counter()
        values = calc_metrics(metrics, reco=lists, interactions=truth)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "values": values}), flush=True)


def with_rectools(
    one: dict[str, Callable], two: dict[str, Callable], rectools: RecTools, expected: list[float]
) -> None:
    values = rectools.run("codes")["values"]
    values = [values[name] for name in ("ndcg", "recall", "map", "mrr")]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9, err_msg="RecTools")
    rectools.run("frames")
    one["RecTools"] = lambda: rectools.run("codes")["seconds"]
    two["RecTools"] = lambda: rectools.run("frames")["seconds"]


def report(
    title: str, seconds: dict[str, list[float]], base: str, prepared: dict[str, float]
) -> dict[str, float]:
    """Print medians and return each one's ratio to `base`."""
    medians = {name: float(np.median(s)) for name, s in seconds.items() if s}
    print(
        f"\n{title}\n{'':30}{'median s':>10}{'min s':>10}{'runs':>6}{'prepared s':>12}{'ratio':>9}"
    )
    for name, median in medians.items():
        before = f"{prepared[name]:.2f}" if name in prepared else ""
        ratio = f"{median / medians[base]:.1f}"
        least, runs = min(seconds[name]), len(seconds[name])
        print(f"{name:30}{median:10.4f}{least:10.4f}{runs:6d}{before:>12}{ratio:>9}")
    return {name: median / medians[base] for name, median in medians.items()}


def least_ratio(seconds: dict[str, list[float]], base: str, peers: tuple[str, ...]) -> float:
    """Least median of the peers over that of `base`."""
    timed = [name for name in peers if seconds.get(name)]
    return float(min(np.median(seconds[name]) for name in timed) / np.median(seconds[base]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--length", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slow", action="store_true", help="ranx's slow forms too")
    parser.add_argument("--rectools", action="store_true", help="build its environment on demand")
    parser.add_argument("--rectools-worker", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--output", default="results/benchmark_metrics.json")
    args = parser.parse_args()
    if args.rectools_worker:
        rectools_worker(args.rectools_worker)
        return

    from recnb.metrics import evaluate_lists

    data = make_data(args.users, args.items, args.length, args.seed)
    lists, truth = frames(data, text=True)
    peers = Peers(data, lists, truth, args.slow)
    one, two = part_one(data, peers), part_two(lists, truth)
    if not args.slow:
        del one["ranx Run"], two["ranx"]
    values = assert_equal(one, two)
    versions = {
        name: importlib.metadata.version(name)
        for name in ("numpy", "pandas", "pyarrow", "scipy", "ranx", "numba", "pytrec-eval-terrier")
    }
    rectools = None
    with tempfile.TemporaryDirectory() as folder:
        if args.rectools:
            rectools = RecTools(data, Path(folder))
            versions["RecTools environment"] = rectools.versions
            fixed = evaluate_lists(data["lists"], peers.truth, ("ndcg_fixed_ideal", *OURS[1:]), K)
            with_rectools(one, two, rectools, [float(v.mean()) for v in fixed.values()])
        few = max(args.repeats // 2, 1)
        first, first_cpu = alternate(one, args.repeats, {"ranx Run": few})
        steps, steps_cpu = alternate(our_steps(data, peers), args.repeats, {})
        second, second_cpu = alternate(two, few, {"ranx": 1, "ranx, filtered": 1})
        if rectools:
            rectools.close()

    print(f"{args.users} users, lists of {args.length}, {args.items} items, {len(truth)} relevant")
    print("values: " + ", ".join(f"{name} {value:.6f}" for name, value in values.items()))
    ratios = report("1. evaluation alone", first, "recnb", peers.seconds)
    cut = {name: first[name] for name in first if name.endswith(", cut")}
    cut_ratios = report("   lists cut to k beforehand", cut, "recnb, cut", {})
    report("   steps of ours", steps, "hits and four metrics", {})
    frame_ratios = report("2. from data frames with string ids", second, "recnb", {})
    headline = min(
        ratios[name] for name in ("ranx arrays", "ranx Run", "pytrec_eval") if name in ratios
    )
    record = {
        "benchmark": "metrics",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {k: v for k, v in vars(args).items() if k not in ("rectools_worker", "output")},
        "data": {"kind": "generated", "n_relevant": len(truth)},
        "device": {"cpus": os.cpu_count(), "machine": platform.machine()},
        "python": platform.python_version(),
        "versions": versions,
        "values": values,
        "prepared_seconds": peers.seconds,
        "evaluation_seconds": first,
        "evaluation_cpu_seconds": first_cpu,
        "steps_seconds": steps,
        "steps_cpu_seconds": steps_cpu,
        "frames_seconds": second,
        "frames_cpu_seconds": second_cpu,
        "ratio": headline,
        "ratio_cpu": least_ratio(first_cpu, "recnb", ("ranx arrays", "ranx Run", "pytrec_eval")),
        "ratio_cut": min(r for n, r in cut_ratios.items() if n != "recnb, cut"),
        "ratio_frames": min(r for n, r in frame_ratios.items() if n not in ("recnb", "RecTools")),
        "ratio_rectools": ratios.get("RecTools"),
        "ratio_frames_rectools": frame_ratios.get("RecTools"),
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
    }
    output = Path(args.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"\nfrom frames, ratio: {record['ratio_frames']:.1f}")
    print(f"in processor time, ratio: {record['ratio_cpu']:.1f}")
    print(f"ratio: {headline:.1f}")


if __name__ == "__main__":
    main()
