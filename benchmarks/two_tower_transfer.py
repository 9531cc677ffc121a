"""Is the two tower with its defaults worth training on data that it was not tuned on?

    RECNB_DATA=folder python benchmarks/two_tower_transfer.py [--sets coat,ml-100k:5] [--seeds 5,6,7]

`cold_item` splits, the new items ranked among themselves. `text_dot` starts at the scores of the frozen language model
and keeps this start where training does not better it; `text_dot[start=random]` is how it was before: a random
projection. Beside them the frozen model (`text_frozen`) and words (`tfidf`). Sets as in `benchmarks/text_transfer.py`;
`amazon-office-2018@1000` has 1,000 of its users. The start was settled on seeds 0 to 2; others are judged.

Intervals: users and splits are both samples (`recnb.metrics.over_splits`). Each finished (set, seed, model) is kept in
`.benchmarks/two_tower_transfer` and not computed again; `results/two_tower_transfer.json` is written after each set.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from text_transfer import divide, long, measured, read

from recnb import Dataset, evaluate
from recnb.evaluation import Protocol
from recnb.models import make
from recnb.versions import versions

SETS = ("coat", "amazon-office-2018@1000", "ml-100k:5", "bookcrossing-small@1000", "grocery:300")
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "tfidf": ("tfidf", {}),
    "text_frozen": ("text_frozen", {}),
    "text_dot": ("text_dot", {}),
    "text_dot[start=random]": ("text_dot", {"start": "random"}),
}
PAIRS = (
    ("text_dot", "text_dot[start=random]"),
    ("text_dot", "text_frozen"),
    ("text_dot", "tfidf"),
    ("text_dot[start=random]", "text_frozen"),
)
PROTOCOL = Protocol(k=10, metrics=("ndcg",), draws=1000)


def some_users(name: str) -> Dataset:
    """A data set of `SETS`."""
    name, _, size = name.partition("@")
    return read(name).sample_users(int(size), seed=0) if size else read(name)


def judge(split: Any, model: str) -> dict[str, Any]:
    """Values per user of a model on one split."""
    start = time.perf_counter()
    name, settings = MODELS[model]
    ev = evaluate({model: make(name, **settings)}, split, PROTOCOL)
    values = ev.per_user
    values = values[(values["metric"] == "ndcg") & (values["candidates"] == "shelf")]
    return {
        "users": values["user_id"].astype(str).tolist(),
        "values": values["value"].round(7).tolist(),
        "n_epochs": ev.records[0].settings.get("n_epochs"),
        "seconds": round(time.perf_counter() - start, 1),
    }


def one(name: str, seeds: list[int], keep: Path) -> tuple[list[dict], list[dict]]:
    """Values and differences of a set, those kept already not computed again."""
    ds, parts = some_users(name), {}
    for seed in seeds:
        split, models = divide(ds, "cold_item", seed), {}
        for model in MODELS:
            file = keep / f"{name.replace(':', '_')}-{seed}-{model}.json"
            if not file.is_file():
                file.write_text(json.dumps(judge(split, model)), encoding="utf-8")
            models[model] = json.loads(file.read_text(encoding="utf-8"))
            mean = sum(models[model]["values"]) / len(models[model]["values"])
            print(f"  {name} {seed} {model} {mean:.4f}", models[model]["n_epochs"], flush=True)
        known = split.known.interactions
        parts[seed] = {"rows_per_item": len(known) / known["item"].nunique(), "models": models}
    common = {
        "set": name,
        "split": "cold_item",
        "dataset_digest": ds.digest,
        "users": ds.n_users,
        "rows_per_item": sum(p["rows_per_item"] for p in parts.values()) / len(parts),
        "metric": "ndcg",
        "k": 10,
        "candidates": "shelf",
        "seeds": seeds,
    }
    values = {model: long(model, parts) for model in MODELS}
    records, differences = [], []
    for model, frame in values.items():
        row = {**common, "model": model, "value": mean_of(frame), **measured(frame)}
        row |= {k: [parts[s]["models"][model][k] for s in seeds] for k in ("n_epochs", "seconds")}
        records.append(row)
    for model, to in PAIRS:
        both = values[model].merge(values[to], on=["user", "seed"], validate="1:1")
        both["value"] = both["value_x"] - both["value_y"]
        row = {**common, "model": model, "to": to, "difference": mean_of(both), **measured(both)}
        differences.append(row)
    return records, differences


def mean_of(values: pd.DataFrame) -> float:
    """Mean over users, each of which is first averaged over its splits."""
    return float(values.groupby("user")["value"].mean().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", default="5,6,7")
    parser.add_argument("--keep", type=Path, default=Path(".benchmarks") / "two_tower_transfer")
    parser.add_argument("--output", type=Path, default=Path("results") / "two_tower_transfer.json")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    args.keep.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {"records": [], "differences": []}
    if args.output.is_file():
        content = json.loads(args.output.read_text(encoding="utf-8"))
    for name in args.sets.split(","):
        records, differences = one(name, [int(s) for s in args.seeds.split(",")], args.keep)
        for key, rows in (("records", records), ("differences", differences)):
            content[key] = [r for r in content[key] if r["set"] != name] + rows
        content |= {
            "protocol": "defaults; cold_item, new items among themselves",
            "interval": "95 %, users and splits both samples",
            "versions": versions(),
            "date": datetime.now(UTC).date().isoformat(),
        }
        args.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        columns = ["set", "model", "to", "difference", "low", "high", "n_users"]
        print(pd.DataFrame(differences)[columns].round(4).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
