"""Where does reading words and meaning together help, and from how many rows an item?

    RECNB_DATA=folder python benchmarks/text_transfer.py [--sets ml-100k,ml-100k:5] [--splits cold_item]

Every set at hand, every model with its defaults. `cold_item` splits (the new items ranked among themselves) with
three seeds, since new items are the sample and not only users; `user_time` (`random` where there is no order) with
one. The values from which the models choose, how cautiously and in which order were settled on seeds 0 to 2 of most
of these sets, and seeds 5 to 7 showed that few validation items choose badly; so other seeds are judged.
`ml-100k:5` is MovieLens-100K thinned to 5 rows an item, `grocery:1000` has 1,000 households. Last.fm is read by
artists' names alone: its tags were written by the users who are judged. Sets of more than 1,500 users are judged on
1,500 of them. `joint_rank20` is the joint model as it was before: 20 factors by ridge.

Intervals: users and splits are both samples (`recnb.metrics.over_splits`); with one split over users alone. Each
finished (set, split, seed, model) is kept in `.benchmarks/text_transfer` and not computed again. Results go to
`results/text_transfer.json` after each set.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb import Dataset, evaluate, load
from recnb.data import splits
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.hashing import hash_ids, mix
from recnb.metrics import over_splits
from recnb.models import make
from recnb.versions import versions

SETS = (
    *("coat", "bookcrossing-small", "msweb", "amazon-office-2018", "lastfm-hetrec-2011"),
    *("ml-100k", "ml-100k:20", "ml-100k:10", "ml-100k:5", "grocery:300", "grocery:1000"),
    *("grocery", "amazon-beauty-2014", "amazon-games-2018"),
)
MODELS: dict[str, dict[str, Any]] = {
    "random": {},
    "popularity": {},
    "attributes": {},
    "tfidf": {},
    "text_frozen": {},
    "text_joint": {},
}
OLD = {"way": "ridge", "rank": 20, "l2": 3.0, "share": 0.2}
OLD_NAME = "joint_rank20"
PAIRS = (
    ("text_joint", "tfidf"),
    ("text_joint", "text_frozen"),
    ("text_joint", OLD_NAME),
    ("text_joint", "attributes"),
    ("text_frozen", "tfidf"),
)
PROTOCOL = Protocol(k=10, metrics=("ndcg",), draws=1000)
MOST_USERS = 1500


def read(name: str) -> Dataset:
    """A data set of `SETS`."""
    base, _, size = name.partition(":")
    folder = find_folder(base)
    ds = load(folder if folder else base)
    if base.startswith("lastfm"):
        ds = replace(ds, items=ds.items[["title"]])
    if base == "grocery":
        return ds.sample_users(int(size), seed=0).k_core(user=5, item=5) if size else ds
    return thinned(ds, int(size)) if size else ds


def find_folder(base: str) -> Path | None:
    """The folder of a set that the catalogue does not name."""
    folder = Path(os.environ.get("RECNB_DATA", "")) / base
    return folder if base.endswith("2014") and folder.is_dir() else None


def thinned(ds: Dataset, rows_per_item: int) -> Dataset:
    """A random part of the rows, so many an item on average."""
    rows = ds.interactions
    # A seed of its own: by the hash that orders ties and random lists, these would know which rows are left.
    user, item = hash_ids(ds.user_ids)[rows["user"]], hash_ids(ds.item_ids)[rows["item"]]
    order = np.argsort(mix(user, item, seed=1009))
    return ds.rows(order[: rows_per_item * rows["item"].nunique()])


def divide(ds: Dataset, kind: str, seed: int) -> splits.Split:
    """The split, judged on at most 1,500 users: the test rows of the others are left out."""
    split = splits.make(ds, kind, **({"tie_seed": seed} if kind == "user_time" else {"seed": seed}))
    asked = np.unique(split.test.interactions["user"])
    if len(asked) <= MOST_USERS:
        return split
    asked = asked[np.argsort(mix(hash_ids(ds.user_ids[asked]), seed=seed))[:MOST_USERS]]
    keep = (split.part != 2) | np.isin(ds.interactions["user"], asked)
    return replace(split, dataset=ds.rows(keep), part=split.part[keep])


def judge(name: str, ds: Dataset, kind: str, seed: int, file: Path) -> None:
    """Values per user of every model on one split, those that the file has left out."""
    kept: dict[str, Any] = {}
    if file.is_file():
        kept = json.loads(file.read_text(encoding="utf-8"))["models"]
        if {*MODELS, OLD_NAME} <= set(kept):
            return
    split = divide(ds, kind, seed)
    known = split.known.interactions
    out: dict[str, Any] = {
        "split": kind,
        "rows_per_item": len(known) / known["item"].nunique(),
        "split_digest": split.digest,
        "models": kept,
    }
    for model, settings in [*MODELS.items(), (OLD_NAME, OLD)]:
        if model in out["models"]:
            continue
        start = time.perf_counter()
        unfitted = make("text_joint" if model == OLD_NAME else model, **settings)
        try:
            ev = evaluate({model: unfitted}, split, PROTOCOL)
        except InputError as error:  # no attributes, no words
            print(f"  {name} {model}: {error}")
            out["models"][model] = None
            continue
        values = ev.per_user
        shelf = "shelf" if kind == "cold_item" else "catalogue"
        values = values[(values["metric"] == "ndcg") & (values["candidates"] == shelf)]
        chosen = {k: ev.records[0].settings.get(k) for k in ("way", "l2", "rank", "share")}
        out["models"][model] = {
            "users": values["user_id"].astype(str).tolist(),
            "values": values["value"].round(7).tolist(),
            "chosen": {k: v for k, v in chosen.items() if v is not None},
            "seconds": time.perf_counter() - start,
        }
        file.write_text(json.dumps(out), encoding="utf-8")
        print(f"  {name} {kind} {seed} {model} {values['value'].mean():.4f}", chosen, flush=True)


def long(model: str, parts: dict[int, dict[str, Any]]) -> pd.DataFrame:
    """One value per user and split: columns user, seed, value; empty where a split has none of the model."""
    held = {seed: part["models"].get(model) for seed, part in parts.items()}
    if not all(held.values()):
        return pd.DataFrame()
    return pd.concat(
        pd.DataFrame({"user": m["users"], "seed": seed, "value": m["values"]})
        for seed, m in held.items()
    )


def about(name: str, ds: Dataset, kind: str, parts: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """What every row of a set and split says."""
    return {
        "set": name,
        "split": next(iter(parts.values())).get("split", kind),
        "dataset_digest": ds.digest,
        "rows_per_item": float(np.mean([p["rows_per_item"] for p in parts.values()])),
        "metric": "ndcg",
        "k": 10,
        "candidates": "shelf" if kind == "cold_item" else "catalogue",
        "seeds": sorted(parts),
        "n_splits": len(parts),
    }


def measured(values: pd.DataFrame) -> dict[str, Any]:
    """Interval over users and splits."""
    found = over_splits(values["value"], values["user"], values["seed"])
    return {
        "low": found.low,
        "high": found.high,
        "n_users": found.n_users,
        "by_split": found.by_split,
    }


def tables(
    name: str, ds: Dataset, kind: str, parts: dict[int, dict[str, Any]]
) -> tuple[list[dict], list[dict]]:
    """Values and differences of one set and kind of split."""
    common = about(name, ds, kind, parts)
    values = {model: long(model, parts) for model in (*MODELS, OLD_NAME)}
    values = {model: frame for model, frame in values.items() if len(frame)}
    records, differences = [], []
    for model, frame in values.items():
        held = [parts[seed]["models"][model] for seed in sorted(parts)]
        records.append(
            {
                **common,
                "model": model,
                "value": float(frame.groupby("user")["value"].mean().mean()),
                **measured(frame),
                "chosen": [m["chosen"] for m in held],
                "seconds": [round(m["seconds"], 1) for m in held],
            }
        )
    for model, to in PAIRS:
        if model in values and to in values:
            both = values[model].merge(values[to], on=["user", "seed"], validate="1:1")
            both["value"] = both["value_x"] - both["value_y"]
            mean = float(both.groupby("user")["value"].mean().mean())
            row = {**common, "model": model, "to": to, "difference": mean, **measured(both)}
            differences.append(row)
    return records, differences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", default="8,9,10")
    parser.add_argument("--splits", default="cold_item,warm")
    parser.add_argument("--keep", type=Path, default=Path(".benchmarks") / "text_transfer")
    parser.add_argument("--output", type=Path, default=Path("results") / "text_transfer.json")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    args.keep.mkdir(parents=True, exist_ok=True)
    seeds = [int(s) for s in args.seeds.split(",")]
    sets, kinds = args.sets.split(","), args.splits.split(",")
    # All sets with one split, then with two: what stands when it is stopped is even.
    for n in range(1, len(seeds) + 1):
        for kind, name in ((kind, name) for kind in kinds for name in sets):
            if kind == "cold_item" or n == 1:
                one(name, kind, seeds[:n], args.keep, args.output)


def one(name: str, kind: str, seeds: list[int], keep: Path, output: Path) -> None:
    """Judge a set on some splits, those kept already left out, and write its rows."""
    files = {seed: keep / f"{name.replace(':', '_')}-{kind}-{seed}.json" for seed in seeds}
    ds = read(name)
    for seed, file in files.items():
        usual = "user_time" if ds.order else "random"
        judge(name, ds, usual if kind == "warm" else kind, seed, file)
    parts = {seed: json.loads(file.read_text(encoding="utf-8")) for seed, file in files.items()}
    write(output, *tables(name, ds, kind, parts))


def write(output: Path, records: list[dict], differences: list[dict]) -> None:
    """Put the rows of a set and split in the place of older ones."""
    content: dict[str, Any] = {"records": [], "differences": []}
    if output.is_file():
        content = json.loads(output.read_text(encoding="utf-8"))
    key = {(r["set"], r["split"]) for r in records}
    for name, rows in (("records", records), ("differences", differences)):
        content[name] = [r for r in content[name] if (r["set"], r["split"]) not in key] + rows
    content = {
        "protocol": "defaults; cold_item: new items among themselves; else the whole catalogue",
        "interval": "95 %, users and splits both samples",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
        **{name: content[name] for name in ("records", "differences")},
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    columns = ["set", "split", "rows_per_item", "model", "to", "difference", "low", "high"]
    print(pd.DataFrame(differences)[columns].round(4).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
