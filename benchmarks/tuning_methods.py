"""Every way to tune the language model under one harness: quality, numbers trained, memory, time, saved size.

    RECNB_DATA=folder python benchmarks/tuning_methods.py [--tasks ratings,cold,office] [--seeds 0,1,2] [--items 300]

Tasks, each on the so many most used items of its data, as two processor cores allow (0 takes all):

ratings: MovieLens-100K, random tenths for validation and test, two tower with user ids, squared error; RMSE.
cold: MovieLens-100K, `cold_item` split, softmax over items, users are the mean of their history; NDCG@10 of new items
among themselves. Text of both: title, year, genres.
office: the same on Amazon Office 2018, text: title.

Every method gets the same trials: its usual learning rate for the language model times 0.3, 1 and 3 (`--rates`), the
best on the validation rows of the first seed is kept for all; the same epochs, of which the validation rows choose.
Models are fitted on the training rows and judged as they are. A seed is another split and another start. One value a
user: the mean over seeds (ratings: squared errors pooled over seeds). Differences to `full` are paired by user, Holm
within a task; equivalence within 1 % by two one-sided tests. `low`, `high` and `p` are over users alone; which items
are new is chance too, so `low_over_splits`, `high_over_splits` and `p_over_splits` add the spread of the splits
(`recnb.metrics.with_splits`), and those decide what is shown. `--restate` adds them to a recorded file.

Cost: a fit of `cold` in a process of its own, on one thread, in processor seconds, so that other work beside it counts
little; memory is what the peak lies above the process before the fit.

Finished fits lie in `.benchmarks/tuning_methods/`; results go to `results/tuning_methods.json`. The last line is
`ratio: X`: seconds per epoch of LoRA over those of the side adapter.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb import evaluate, load
from recnb.data import Text, splits
from recnb.data.catalog import find
from recnb.evaluation import Protocol
from recnb.metrics.equivalence import equivalence
from recnb.metrics.intervals import bootstrap, holm, paired
from recnb.metrics.over_splits import with_splits
from recnb.models import TwoTower
from recnb.tuning.methods import METHODS, method_of
from recnb.versions import versions

RANKING: dict[str, Any] = {
    "start": "random",
    "loss": "softmax",
    "user": "mean",
    "width": 64,
    "dropout": 0.1,
    "lr": 1e-3,
    "head_epochs": 2,
    "n_epochs": 3,
    "patience": 9,
    "items_per_batch": 8,
    "n_negatives": 512,
}
RATINGS: dict[str, Any] = {
    "loss": "mse",
    "user": "id",
    "width": 16,
    "dropout": 0.0,
    "l2": 0.2,
    "lr": 1e-2,
    "head_epochs": 4,
    "live_epochs": 2,
    "n_epochs": 2,
    "patience": 9,
    "items_per_batch": 8,
}
FILMS = Text("title", "year", "genres")
TASKS: dict[str, tuple[str, str, Text, dict[str, Any]]] = {
    "ratings": ("ml-100k", "random", FILMS, RATINGS),
    "cold": ("ml-100k", "cold_item", FILMS, RANKING),
    "office": ("amazon-office-2018", "cold_item", Text("title"), RANKING),
}
RATES = (0.3, 1.0, 3.0)
DRAWS, MARGIN = 2000, 0.01
OVER_SPLITS = (
    "95 % over users and splits: the variance over users, read from the bootstrap interval, and that of the splits' "
    "differences over their number, Satterthwaite's degrees of freedom; Holm in a task"
)


def split_of(task: str, seed: int, n_items: int) -> Any:
    """The split of a task, over its most used items."""
    name, rule, _, _ = TASKS[task]
    ds = load(name)
    if 0 < n_items < ds.n_items:
        used = np.sort(np.asarray(ds.pairs().sum(axis=0)).ravel())
        ds = ds.k_core(user=1, item=int(used[-n_items]))
    if rule == "random":
        return splits.random(ds, test=0.1, valid=0.1, seed=seed)
    return splits.cold_item(ds, seed=seed)


def model_of(task: str, method: str, rate: float, seed: int) -> TwoTower:
    """An unfitted model."""
    _, _, text, settings = TASKS[task]
    usual = method_of(method).lr
    lr = usual * rate if usual else None
    return TwoTower(text=text, method=method, lr_encoder=lr, max_tokens=64, seed=seed, **settings)


def best_value(model: TwoTower) -> float:
    """The validation value of the epoch that was kept."""
    return float(max(step["value"] for step in model.learning_))


def judge(task: str, model: TwoTower, split: Any) -> dict[str, Any]:
    """Value of each user: NDCG@10, or the mean squared error and the number of rows."""
    if task != "ratings":
        protocol = Protocol(k=10, metrics=("ndcg",), draws=1000)
        rows = evaluate({"model": model}, split, protocol).per_user
        rows = rows[(rows["metric"] == "ndcg") & (rows["candidates"] == "shelf")]
        return {"users": rows["user_id"].astype(str).tolist(), "values": rows["value"].tolist()}
    test = split.test.interactions
    users, items = test["user"].to_numpy(), test["item"].to_numpy()
    wrong = (model.predict(users, items) - test["rating"].to_numpy(float)) ** 2
    by = pd.Series(wrong).groupby(split.test.user_ids[users])
    return {
        "users": by.mean().index.astype(str).tolist(),
        "values": by.mean().tolist(),
        "rows": by.size().tolist(),
    }


def run(task: str, method: str, seed: int, rate: float, n_items: int, kept: Path) -> dict[str, Any]:
    """One fit, kept in a file."""
    file = kept / f"{task}-{n_items}-{method}-{seed}-{rate}.json"
    if not file.is_file():
        split = split_of(task, seed, n_items)
        start = time.time()
        model = model_of(task, method, rate, seed).fit(split.train, split.valid)
        record = {
            "seconds": time.time() - start,
            "valid": best_value(model),
            "epoch": model.n_epochs_,
            "tuned": model.tuned_parameters(),
            "split": split.digest,
            **judge(task, model, split),
        }
        file.write_text(json.dumps(record))
        value = float(np.mean(record["values"]))
        print(task, method, seed, rate, round(record["valid"], 4), round(value, 4), flush=True)
    return json.loads(file.read_text())


def cost(method: str, n_items: int) -> dict[str, Any]:
    """Time, memory and saved size of a fit in this process."""
    import torch

    torch.set_num_threads(1)  # so that processor time is what a calm machine would take
    split = split_of("cold", 0, n_items)
    model_of("cold", "head_only", 1.0, 0).set_params(n_epochs=1).fit(
        split.train
    )  # what is loaded once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = model_of("cold", method, 1.0, 0).set_params(n_epochs=2)
    marks = [time.process_time()]
    watch = model._value

    def timed(*args: Any) -> Any:
        inner = watch(*args)

        def value(network: Any) -> float:
            marks.append(time.process_time())
            out = inner(network)
            marks.append(time.process_time())
            return out

        return value

    model._value = timed  # type: ignore[method-assign]
    model.fit(split.train, split.valid)
    epochs = [marks[k] - marks[k - 1] for k in range(1, len(marks), 2)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        size = 0
        if model.state_["tuned"]:
            model.adapter().save(folder)
            size = (Path(folder) / "adapter.safetensors").stat().st_size
        elif model.network.side is not None:
            size = sum(p.numel() * 4 for p in model.network.side.parameters())
    return {
        "seconds_per_epoch": epochs[-1],  # the first lays in what is computed once
        "memory_mb": (peak - before) / 1024,
        "peak_memory_mb": peak / 1024,
        "saved_bytes": size,
        "trained": model.tuned_parameters(),
        "of": int(model.state_["language"]["n_parameters"]),
        "threads": torch.get_num_threads(),
    }


def summary(task: str, found: dict[str, list[dict[str, Any]]]) -> tuple[list[dict], list[dict]]:
    """Values with intervals, and paired differences to `full`."""
    root = task == "ratings"
    table, weights = {}, None
    for method, parts in found.items():
        long = pd.concat(
            pd.DataFrame({k: p[k] for k in ("users", "values", "rows") if k in p}) for p in parts
        )
        if root:
            long["values"] *= long["rows"]
            sums = long.groupby("users")[["values", "rows"]].sum()
            table[method], weights = sums["values"] / sums["rows"], sums["rows"].to_numpy(float)
        else:
            table[method] = long.groupby("users")["values"].mean()
    frame = pd.DataFrame(table)
    change = np.sqrt if root else (lambda v: v)
    records, pairs = [], []
    for method in frame:
        values = frame[method].to_numpy()
        w = np.ones(len(values)) if weights is None else weights
        low, high = bootstrap(values, weights=weights, draws=DRAWS)
        records.append(
            {
                "task": task,
                "model": method,
                "metric": "rmse" if root else "ndcg",
                "k": None if root else 10,
                "candidates": "catalogue" if root else "shelf",
                "value": float(change(w @ values / w.sum())),
                "low": float(change(low)),
                "high": float(change(high)),
                "n_users": len(frame),
                "by_seed": [
                    float(change(np.average(p["values"], weights=p.get("rows"))))
                    for p in found[method]
                ],
            }
        )
        if method == "full" or "full" not in frame:
            continue
        given = {"draws": DRAWS, "weights": weights, "transform": np.sqrt if root else None}
        d = paired(values, frame["full"].to_numpy(), **given)
        e = equivalence(values, frame["full"].to_numpy(), margin=MARGIN, **given)
        pairs.append(
            {
                "task": task,
                "model": method,
                "to": "full",
                "difference": d.difference,
                "low": d.low,
                "high": d.high,
                "p": d.p,
                "relative": e.relative,
                "relative_low_90": e.low,
                "relative_high_90": e.high,
                "p_equivalent": e.p,
                "equivalent": e.equivalent,
                "n_users": d.n,
            }
        )
    for row, p in zip(pairs, holm(np.array([r["p"] for r in pairs])) if pairs else []):
        row["p_holm"] = float(p)
    return records, with_spread_of_splits(pairs, records)


def with_spread_of_splits(
    pairs: list[dict[str, Any]], records: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Differences of one task with their values by split, and interval, p and equivalence over users and splits."""
    by_seed = {row["model"]: np.array(row["by_seed"]) for row in records}
    for row in pairs:
        base = by_seed[row["to"]]
        gaps = by_seed[row["model"]] - base
        head = (row["difference"], row["low"], row["high"])
        both = with_splits(*head, dict(enumerate(gaps)), row["n_users"])
        row |= {"by_split": gaps.tolist(), "low_over_splits": both.low}
        row |= {"high_over_splits": both.high, "p_over_splits": both.p}
        if "relative" in row:
            head = (row["relative"], row["relative_low_90"], row["relative_high_90"])
            share = with_splits(*head, dict(enumerate(gaps / base)), row["n_users"], level=0.9)
            row["equivalent_over_splits"] = bool(share.low > -MARGIN and share.high < MARGIN)
    p = holm(np.array([row["p_over_splits"] for row in pairs])) if pairs else []
    return [{**row, "p_holm_over_splits": float(value)} for row, value in zip(pairs, p)]


def restated(content: dict[str, Any]) -> dict[str, Any]:
    """A recorded file with intervals over users and splits beside those over users."""
    rows: list[dict[str, Any]] = []
    for task in dict.fromkeys(row.get("task") for row in content["differences"]):
        parts = (content["differences"], content["records"])
        pairs, records = ([r for r in part if task in (None, r.get("task"))] for part in parts)
        rows += with_spread_of_splits(pairs, records)
    return {**content, "differences": rows, "interval_over_splits": OVER_SPLITS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--rates", default=",".join(map(str, RATES)))
    parser.add_argument("--cost")
    parser.add_argument("--no-costs", action="store_true")
    parser.add_argument("--restate", action="store_true", help="intervals of the recorded file")
    parser.add_argument("--keep", type=Path, default=Path(".benchmarks") / "tuning_methods")
    parser.add_argument("--output", type=Path, default=Path("results") / "tuning_methods.json")
    args = parser.parse_args()
    if args.restate:
        content = restated(json.loads(args.output.read_text(encoding="utf-8")))
        args.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(pd.DataFrame(content["differences"]).round(4).to_string(index=False))
        return
    tasks, methods = args.tasks.split(","), args.methods.split(",")
    missing = {TASKS[t][0] for t in tasks if find(TASKS[t][0]) is None}
    if missing:
        print(f"{', '.join(sorted(missing))} not here: set RECNB_DATA, or: recnb data fetch NAME")
        sys.exit(2)
    logging.disable(logging.WARNING)
    if args.cost:
        print(json.dumps(cost(args.cost, args.items)))
        return
    args.keep.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {}
    if args.output.is_file():
        content = json.loads(args.output.read_text())
    content.setdefault("records", [])
    content.setdefault("differences", [])
    content.setdefault("tasks", {})
    content.setdefault("costs", {})
    seeds = [int(s) for s in args.seeds.split(",")]
    given_rates = tuple(float(r) for r in args.rates.split(","))
    for task in tasks:
        found, rates = {}, {}
        for method in methods:
            grid = given_rates if method_of(method).lr else (1.0,)
            tried = {
                rate: run(task, method, seeds[0], rate, args.items, args.keep) for rate in grid
            }
            rates[method] = max(tried, key=lambda r: tried[r]["valid"])
            found[method] = [
                run(task, method, seed, rates[method], args.items, args.keep) for seed in seeds
            ]
        records, pairs = summary(task, found)
        content["records"] = [r for r in content["records"] if r["task"] != task] + records
        content["differences"] = [r for r in content["differences"] if r["task"] != task] + pairs
        content["tasks"][task] = {
            "data": TASKS[task][0],
            "dataset_digest": load(TASKS[task][0]).digest,
            "items": args.items,
            "protocol": TASKS[task][1],
            "splits": [p["split"] for p in next(iter(found.values()))],
            "settings": TASKS[task][3],
            "rates_tried": list(given_rates),
            "rates": {m: method_of(m).lr * r for m, r in rates.items()},
            "trained": {m: parts[0]["tuned"] for m, parts in found.items()},
        }
        print(pd.DataFrame(records)[["model", "value", "low", "high", "by_seed"]].round(4))
        if pairs:
            print(pd.DataFrame(pairs).drop(columns=["task", "to"]).round(4).to_string(index=False))
    for method in () if args.no_costs else methods:
        done = subprocess.run(
            [sys.executable, __file__, "--cost", method, "--items", str(args.items)],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
        content["costs"][method] = json.loads(done.stdout.strip().splitlines()[-1])
        print(method, content["costs"][method], flush=True)
    content |= {
        "seeds": seeds,
        "interval_over_splits": OVER_SPLITS,
        "interval": f"95 % percentile bootstrap over users, {DRAWS:,} draws; p by randomisation, Holm in a task",
        "equivalence": "two one-sided tests at 5 %, within 1 % of full",
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"written to {args.output}")
    times = {m: c["seconds_per_epoch"] for m, c in content["costs"].items()}
    if {"lora", "side_adapter"} <= set(times):
        print(f"ratio: {times['lora'] / times['side_adapter']:.1f}")


if __name__ == "__main__":
    main()
