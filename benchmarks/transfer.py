"""A sequence model that knows items by their titles: learned in one shop, put to work in another.

    RECNB_DATA=folder python benchmarks/transfer.py [--targets amazon-office-2018,amazon-beauty-2014,…]
        [--sources amazon-beauty-2014,others] [--rows 0,30,100,300,1000,all] [--seeds 0,1,2]

Domains: `amazon-beauty-2014`, `amazon-office-2018`, `amazon-games-2018` (10,000 people), `grocery`. Of a target 1,000
people (by a hash of their ids) are judged: their last item is to be found from the items before it, among the whole
catalogue less what they have. They are never learned from; `rows` is the number of other people whose histories are.

Sources: `sasrec[items=text]` fitted in each other domain, and in all others together (`others`), epochs chosen on the
last items there. In the target it is asked as it is (0 people), and fine-tuned for ten epochs from 30 people on. Beside
it on the same people: random and popularity, `text_frozen` (needs no rows, reads the histories), `transitions`,
`sasrec` on ids and on titles learned from these people alone. Models of ids have nothing to bring along: without rows
of the target they score every item alike and their lists are those of `random`, which stands for them at 0.

NDCG@10 and recall@10. Sources and judgements are kept in `.benchmarks/transfer` and not computed again; results go to
`results/transfer.json` after each target and number of people. Intervals are over users and seeds
(`recnb.metrics.over_splits`), those of values between 0 and 1; differences to `transitions` and to `text_frozen`, which
was trained nowhere (`untrained_…`), are paired. The last line is `ratio: X`: without any row of the first target,
NDCG@10 of its best source over popularity learned from 30 people.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb import Protocol, Text, load, load_model, make, splits
from recnb.data import Dataset, Split
from recnb.data.catalog import find
from recnb.data.split import GIVEN, TEST, TRAIN
from recnb.evaluation.judge import judge
from recnb.evaluation.protocol import Task
from recnb.files import write_json
from recnb.hashing import hash_ids, mix
from recnb.metrics import over_splits
from recnb.models import Transferred
from recnb.recommender import Recommender
from recnb.versions import versions

KEPT = Path(".benchmarks") / "transfer"
DOMAINS = ("amazon-office-2018", "amazon-beauty-2014", "amazon-games-2018", "grocery")
PROTOCOL = Protocol(k=10, metrics=("ndcg", "recall"), draws=1000)
JUDGED, MOST = 1000, 10_000
TITLE = Text("title")
SASREC: dict[str, Any] = {"width": 64, "n_layers": 2, "dropout": 0.2, "n_epochs": 30, "patience": 3}
_JUDGED = 3001  # a seed of its own


def domain(name: str) -> Dataset:
    """Rows without ratings, items with their titles alone."""
    folder = find(name) if name != "grocery" else None
    ds = load(name) if folder is None else Dataset.from_folder(folder)
    ds = ds.to_implicit(-np.inf) if ds.feedback == "explicit" else ds
    rows = ds.interactions
    order = ds.in_time
    frame = pd.DataFrame(
        {"user_id": ds.user_ids[rows["user"]][order], "item_id": ds.item_ids[rows["item"]][order]}
    ).drop_duplicates()
    frame["position"] = frame.groupby("user_id").cumcount()
    items = ds.items[["title"]].fillna("").rename_axis("item_id").reset_index()
    out = Dataset.from_frames(frame, items, feedback="implicit", name=name)
    return out.sample_users(MOST, seed=0)


def joined(names: list[str]) -> Dataset:
    """Several domains as one: ids carry the domain's name."""
    frames, tables = [], []
    for name in names:
        ds = domain(name)
        rows = ds.interactions
        frames.append(
            pd.DataFrame(
                {
                    "user_id": [f"{name}/{u}" for u in ds.user_ids[rows["user"]]],
                    "item_id": [f"{name}/{i}" for i in ds.item_ids[rows["item"]]],
                    "position": rows["position"],
                }
            )
        )
        ids = [f"{name}/{i}" for i in ds.item_ids]
        tables.append(pd.DataFrame({"item_id": ids, "title": ds.items["title"].to_numpy()}))
    return Dataset.from_frames(
        pd.concat(frames), pd.concat(tables), feedback="implicit", name="others"
    )


def source_of(name: str, target: str, seed: int) -> Recommender:
    """The text-keyed model of a domain, fitted once."""
    label = f"others-than-{target}" if name == "others" else name
    folder = KEPT / "sources" / f"{label}-{seed}"
    if not (folder / "model.json").is_file():
        ds = joined([d for d in DOMAINS if d != target]) if name == "others" else domain(name)
        split = splits.leave_one_out(ds, valid=False)
        start = time.perf_counter()
        model = make("sasrec", items="text", text=TITLE, seed=seed, **SASREC)
        model.fit(split.known, split.test)
        folder.parent.mkdir(parents=True, exist_ok=True)
        model.save(folder)
        seconds = time.perf_counter() - start
        print(f"  source {label}: {model.chosen()}, {seconds:.0f} s", flush=True)
    return load_model(folder)


def question(ds: Dataset, people: int | None) -> Split:
    """The judged people, and the rows of so many others; of one other person where none are learned from."""
    order = mix(hash_ids(ds.user_ids), seed=_JUDGED).argsort(kind="stable").argsort(kind="stable")
    long = np.bincount(ds.interactions["user"], minlength=ds.n_users) > 1
    rank = np.where(long, order, ds.n_users).argsort(kind="stable").argsort(kind="stable")
    judged, others = rank < JUDGED, rank - JUDGED
    user = ds.interactions["user"].to_numpy()
    learned = (others >= 0) & (others < (ds.n_users if people is None else max(people, 1)))
    kept = judged[user] | learned[user]
    last = (
        ds.interactions["position"].to_numpy() == np.bincount(user, minlength=ds.n_users)[user] - 1
    )
    part = np.where(judged[user], np.where(last, TEST, GIVEN), TRAIN)[kept]
    return Split(ds.rows(kept), part.astype(np.int8), "transfer", {"people": people})


def models(target: str, sources: list[str], people: int | None, seed: int) -> dict[str, Any]:
    """What is asked with so many people's rows, by name; sources are opened when they are needed."""
    out: dict[str, Any] = {"text_frozen": lambda: make("text_frozen", text=TITLE)}
    if people == 0:
        out["random"] = lambda: make("random", seed=seed)
    else:
        out["popularity"] = lambda: make("popularity")
        out["transitions"] = lambda: make("transitions")
    for name in sources:
        if name == target:
            continue
        if people == 0:
            out[f"from {name}"] = lambda name=name: Transferred(source_of(name, target, seed))
        elif people is None or people >= 30:
            out[f"from {name}, tuned"] = lambda name=name: Transferred(
                source_of(name, target, seed), n_epochs=10, seed=seed
            )
    if people is None or people >= 100:
        out["sasrec"] = lambda: make("sasrec", seed=seed, **{**SASREC, "n_epochs": 15})
        out["sasrec[items=text]"] = lambda: make(
            "sasrec", items="text", text=TITLE, seed=seed, **{**SASREC, "n_epochs": 15}
        )
    return out


def measured(target: str, sources: list[str], people: int | None, seed: int) -> dict[str, Any]:
    """Values per user of all models with so many people's rows, kept."""
    file = KEPT / target / f"{'all' if people is None else people}-{seed}.json"
    out: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    task = None
    for label, unfitted in models(target, sources, people, seed).items():
        if label in out:
            continue
        task = Task(question(domain(target), people), PROTOCOL) if task is None else task
        start = time.perf_counter()
        fitted = unfitted().fit(task.split.known)
        seconds = time.perf_counter() - start
        judged = judge(label, fitted, task)
        out[label] = {"seconds": seconds}
        for metric in PROTOCOL.metrics:
            users, values, _ = judged.values[metric, 10, "catalogue"]
            out[label][metric] = {"users": users.tolist(), "values": values.round(7).tolist()}
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, out)
        mean = float(np.mean(out[label]["ndcg"]["values"]))
        print(f"  {target}, {people} people, {label}: {mean:.4f}, {seconds:.0f} s", flush=True)
    return out


def table(target: str, people: int | None, runs: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """Values with intervals over users and seeds, and the differences to transitions."""
    out = []
    labels = [
        label for label in next(iter(runs.values())) if all(label in r for r in runs.values())
    ]
    for metric in PROTOCOL.metrics:
        held = {
            label: pd.concat(
                pd.DataFrame(run[label][metric]).assign(seed=seed) for seed, run in runs.items()
            )
            for label in labels
        }
        for label, frame in held.items():
            found = over_splits(frame["values"], frame["users"], frame["seed"]).as_share()
            row = {
                "data": target,
                "people": "all" if people is None else people,
                "model": label,
                "metric": metric,
                "k": 10,
                "value": found.value,
                "low": found.low,
                "high": found.high,
                "n_users": found.n_users,
                "seeds": len(runs),
                "seconds": float(np.mean([run[label]["seconds"] for run in runs.values()])),
            }
            if "transitions" in held and label != "transitions":
                row |= {"to": "transitions", **less(frame, held["transitions"])}
            if label != "text_frozen":
                gap = less(frame, held["text_frozen"])
                row |= {f"untrained_{key}": value for key, value in gap.items()}
            out.append(row)
    return out


def less(frame: pd.DataFrame, other: pd.DataFrame) -> dict[str, float]:
    """The difference of two models on the same people, with its interval."""
    both = frame.merge(other, on=["users", "seed"], suffixes=("", "_to"))
    gap = over_splits(both["values"] - both["values_to"], both["users"], both["seed"])
    return {
        "difference": gap.value, "difference_low": gap.low, "difference_high": gap.high, "p": gap.p,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--targets", default=",".join(DOMAINS))
    parser.add_argument("--sources", default=",".join((*DOMAINS, "others")))
    parser.add_argument("--rows", default="0,30,100,300,1000,all")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--output", default="results")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    seeds, sources = [int(seed) for seed in args.seeds.split(",")], args.sources.split(",")
    file = Path(args.output) / "transfer.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["records"] if file.is_file() else []
    for target in args.targets.split(","):
        for told in args.rows.split(","):
            people = None if told == "all" else int(told)
            runs = {seed: measured(target, sources, people, seed) for seed in seeds}
            new = table(target, people, runs)
            cell = (target, "all" if people is None else people)
            rows = [r for r in rows if (r["data"], r["people"]) != cell] + new
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(
                file,
                {
                    "what": "a text-keyed sequence model of one domain at work in another",
                    "device": "cpu",
                    "date": datetime.now(UTC).date().isoformat(),
                    "versions": versions(),
                    "sasrec": SASREC,
                    "records": rows,
                },
            )
    first = args.targets.split(",")[0]
    ndcg = [r for r in rows if r["data"] == first and r["metric"] == "ndcg"]
    moved = [r["value"] for r in ndcg if r["people"] == 0 and r["model"].startswith("from ")]
    counted = [r["value"] for r in ndcg if (r["people"], r["model"]) == (30, "popularity")]
    if moved and counted:
        print(f"ratio: {max(moved) / max(counted[0], 1e-9):.2f}")


if __name__ == "__main__":
    main()
