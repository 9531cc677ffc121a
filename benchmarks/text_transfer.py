"""Where does reading words and meaning together help, and from how many rows an item?

    RECNB_DATA=folder python benchmarks/text_transfer.py [--sets ml-100k,ml-100k:5] [--splits cold_item]

Every set at hand, every model with its defaults. `cold_item` splits (the new items ranked among themselves) with
five seeds, since new items are the sample and not only users; `user_time` (`random` where there is no order) with
one. The values from which the models choose, and how cautiously, were settled on seeds 0 to 2 of most of these sets;
so other seeds are judged. `ml-100k:5` is MovieLens-100K thinned to 5 rows an item, `grocery:1000` has 1,000
households. Last.fm is read by artists' names alone: its tags were written by the users who are judged. Sets of
more than 3,000 users are judged on 3,000 of them. `joint_rank20` is the joint model as it was before: 20 factors by
ridge.

Differences are to the better of `tfidf` and `text_frozen` on that set. Intervals: users and splits are both drawn
anew (2,000 draws). Each finished (set, split, seed) is kept in `.benchmarks/text_transfer` and not computed again.
Results go to `results/text_transfer.json` after each set.
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
from recnb.evaluation.versions import versions
from recnb.hashing import hash_ids, mix
from recnb.models import make

SETS = (
    *("coat", "ml-100k", "ml-100k:20", "ml-100k:10", "ml-100k:5", "amazon-office-2018"),
    *("bookcrossing-small", "msweb", "grocery:300", "grocery:1000", "grocery"),
    *("lastfm-hetrec-2011", "amazon-games-2018", "amazon-beauty-2014"),
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
PROTOCOL = Protocol(k=10, metrics=("ndcg",), draws=1000)
MOST_USERS = 3000
DRAWS = 2000


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
    order = np.argsort(
        mix(hash_ids(ds.user_ids)[rows["user"]], hash_ids(ds.item_ids)[rows["item"]])
    )
    return ds.rows(order[: rows_per_item * rows["item"].nunique()])


def divide(ds: Dataset, kind: str, seed: int) -> splits.Split:
    """The split, judged on at most 3,000 users: the test rows of the others are left out."""
    split = splits.make(ds, kind, **({"tie_seed": seed} if kind == "user_time" else {"seed": seed}))
    asked = np.unique(split.test.interactions["user"])
    if len(asked) <= MOST_USERS:
        return split
    asked = asked[np.argsort(mix(hash_ids(ds.user_ids[asked]), seed=seed))[:MOST_USERS]]
    keep = (split.part != 2) | np.isin(ds.interactions["user"], asked)
    return replace(split, dataset=ds.rows(keep), part=split.part[keep])


def judge(name: str, ds: Dataset, kind: str, seed: int) -> dict[str, Any]:
    """Values per user of every model on one split."""
    split = divide(ds, kind, seed)
    known = split.known.interactions
    out: dict[str, Any] = {
        "rows_per_item": len(known) / known["item"].nunique(),
        "split_digest": split.digest,
        "models": {},
    }
    for model, settings in [*MODELS.items(), ("joint_rank20", OLD)]:
        start = time.perf_counter()
        unfitted = make("text_joint" if settings else model, **settings)
        try:
            ev = evaluate({model: unfitted}, split, PROTOCOL)
        except InputError as error:  # no attributes, no words
            print(f"  {name} {model}: {error}")
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
        print(f"  {name} {kind} {seed} {model} {values['value'].mean():.4f}", chosen, flush=True)
    return out


def interval(table: np.ndarray) -> tuple[float, float, float]:
    """Mean over users of a user's mean over splits, and its interval; NaN where a user has no value in a split.

    References
    ----------
    Owen (2007), "The pigeonhole bootstrap", section 3: users and splits are drawn independently.
    """
    rng = np.random.default_rng(0)
    n_users, n_splits = table.shape
    held, filled = ~np.isnan(table), np.nan_to_num(table)

    def mean(users: np.ndarray, parts: np.ndarray) -> float:
        total = filled[np.ix_(users, parts)].sum(axis=1)
        count = held[np.ix_(users, parts)].sum(axis=1)
        return float((total[count > 0] / count[count > 0]).mean())

    draws = [
        mean(rng.choice(n_users, n_users), rng.choice(n_splits, n_splits)) for _ in range(DRAWS)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return mean(np.arange(n_users), np.arange(n_splits)), float(low), float(high)


def records(name: str, ds: Dataset, kind: str, parts: dict[int, dict[str, Any]]) -> list[dict]:
    """The table of one set and kind of split."""
    frames = {
        model: pd.DataFrame(
            {
                seed: pd.Series(m["values"], index=m["users"])
                for seed, part in parts.items()
                if (m := part["models"].get(model))
            }
        )
        for model in (*MODELS, "joint_rank20")
    }
    frames = {model: frame for model, frame in frames.items() if frame.shape[1] == len(parts)}
    means = {model: float(frame.mean(axis=1).mean()) for model, frame in frames.items()}
    better = max(("tfidf", "text_frozen"), key=lambda m: means.get(m, 0.0))
    out = []
    for model, frame in frames.items():
        value, low, high = interval(frame.to_numpy())
        to = "text_frozen" if model == "tfidf" else "tfidf" if model == "text_frozen" else better
        difference, at_least, at_most = interval((frame - frames[to]).to_numpy())
        out.append(
            {
                "set": name,
                "split": kind,
                "dataset_digest": ds.digest,
                "rows_per_item": float(np.mean([p["rows_per_item"] for p in parts.values()])),
                "model": model,
                "metric": "ndcg",
                "k": 10,
                "candidates": "shelf" if kind == "cold_item" else "catalogue",
                "value": value,
                "low": low,
                "high": high,
                "n_users": len(frame),
                "seeds": sorted(parts),
                "by_seed": [float(frame[s].mean()) for s in sorted(parts)],
                "to": to,
                "difference": difference,
                "difference_low": at_least,
                "difference_high": at_most,
                "chosen": [parts[s]["models"][model]["chosen"] for s in sorted(parts)],
                "seconds": [parts[s]["models"][model]["seconds"] for s in sorted(parts)],
            }
        )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", default="5,6,7,8,9")
    parser.add_argument("--splits", default="cold_item,warm")
    parser.add_argument("--keep", type=Path, default=Path(".benchmarks") / "text_transfer")
    parser.add_argument("--output", type=Path, default=Path("results") / "text_transfer.json")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    args.keep.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {"records": []}
    if args.output.is_file():
        content = json.loads(args.output.read_text(encoding="utf-8"))
    for name in args.sets.split(","):
        ds = read(name)
        for wanted in args.splits.split(","):
            kind = ("user_time" if ds.order else "random") if wanted == "warm" else wanted
            seeds = [int(s) for s in args.seeds.split(",")][: None if kind == "cold_item" else 1]
            parts = {}
            for seed in seeds:
                file = args.keep / f"{name.replace(':', '_')}-{kind}-{seed}.json"
                if not file.is_file():
                    file.write_text(json.dumps(judge(name, ds, kind, seed)), encoding="utf-8")
                parts[seed] = json.loads(file.read_text(encoding="utf-8"))
            new = records(name, ds, kind, parts)
            others = [r for r in content["records"] if (r["set"], r["split"]) != (name, kind)]
            content = {
                "protocol": "defaults; cold_item: new items among themselves; else the whole catalogue",
                "interval": f"95 %, users and splits drawn anew, {DRAWS:,} draws",
                "versions": versions(),
                "date": datetime.now(UTC).date().isoformat(),
                "records": others + new,
            }
            args.output.parent.mkdir(parents=True, exist_ok=True)
            args.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            columns = [
                "set",
                "split",
                "rows_per_item",
                "model",
                "value",
                "low",
                "high",
                "difference",
            ]
            columns += ["difference_low", "difference_high", "n_users"]
            print(pd.DataFrame(new)[columns].round(4).to_string(index=False), flush=True)
    joint = [
        r for r in content["records"] if r["model"] == "text_joint" and r["split"] == "cold_item"
    ]
    gains = [r["value"] / (r["value"] - r["difference"]) for r in joint]
    print(f"ratio: {float(np.exp(np.mean(np.log(gains)))):.3f}")


if __name__ == "__main__":
    main()
