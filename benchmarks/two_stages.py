"""Two stages on real data: what a second stage that reads text adds to EASE, what it costs, and how far it could reach.

    RECNB_DATA=folder python benchmarks/two_stages.py [--part stages|reading] [--models "ease>pair,ease>tagger"]
        [--data ml-100k,amazon-office-2018] [--splits user_time,global_time] [--seeds 0,1,2] [--users 0]

stages: the best 100 items of EASE ranked by each second stage, its weight set on the validation part; paired
differences to EASE with Holm, the ceiling of the candidates, milliseconds a user of both stages. A finished (model,
seed) is kept in `.benchmarks` and not computed again.
reading: the expected calibration error of `pair` before and after Platt's numbers, each half of the validation users by
the other half; and the tagger, trained with shuffled slates and with the popular items first: scikit-learn's report of
its labels, and the share of pairs of a slate that change places between two drawn orders.

The two parts go to `results/two_stages.json` and `results/joint_reading.json`. The last line is `ratio: X`: in `stages`
the best second stage's NDCG@10 over that of EASE, the mean over data and splits; in `reading` the share of swapped
pairs without shuffled training over that with it.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb import evaluate, load
from recnb.data import Dataset, Split, splits
from recnb.data.catalog import find
from recnb.evaluation import Protocol
from recnb.models import SlateTagger, TextPair, parse_models
from recnb.models.common.histories import Histories
from recnb.models.language.joint.drawing import Draws
from recnb.progress import listening
from recnb.study.store import DiskStore
from recnb.versions import versions

PROTOCOL = Protocol(k=10, metrics=("ndcg", "recall"), draws=2000)
KEPT = Path(".benchmarks") / "two_stages"
SLATES = 500


def said(line: str) -> None:
    print(line, flush=True)


def judged(name: str, rule: str, users: int) -> tuple[Dataset, Split] | None:
    """Data and split; None where the data have no clock and the split needs one."""
    ds = load(name)
    if rule == "global_time" and ds.order != "timestamp":
        return None
    if users:
        ds = ds.sample_users(users)
    return ds, getattr(splits, rule)(ds)


def stages(args: argparse.Namespace) -> dict[str, Any]:
    """EASE, and each second stage behind it."""
    runs = []
    for name in args.data.split(","):
        for rule in args.splits.split(","):
            prepared = judged(name, rule, args.users)
            if prepared is None:
                continue
            ds, split = prepared
            models = parse_models(f"popularity,ease,{args.models}")
            store = DiskStore(KEPT / f"{name}-{rule}-{args.users}", split, PROTOCOL)
            seeds = tuple(int(s) for s in args.seeds.split(","))
            with listening(said=said):
                ev = evaluate(models, split, PROTOCOL, seeds, lambda w, *_: said(w), store)
            weights = [
                {"model": r.model, "seed": r.seed, "weight": r.settings["weight"]}
                for r in ev.records
                if "weight" in r.settings
            ]
            runs.append(
                {
                    "data": name,
                    "dataset_digest": ds.digest,
                    "protocol": rule,
                    "split": split.digest,
                    "seeds": list(seeds),
                    "records": plain(ev.table()),
                    "differences": plain(ev.compare(to="ease")),
                    "ceilings": plain(ev.ceilings),
                    "weights": weights,
                    "costs": plain(ev.costs),
                }
            )
            print(name, rule)
            print(ev.compare(to="ease").round(4).to_string(index=False))
            print(pd.DataFrame(weights).to_string(index=False))
            print(ev.ceilings.round(4).to_string(index=False), flush=True)
    gains = []
    for run in runs:
        value = {r["model"]: r["value"] for r in run["records"] if r["metric"] == "ndcg"}
        gains.append(max(v for m, v in value.items() if ">" in m) / value["ease"])
    return {"runs": runs, "ratio": float(np.mean(gains))}


def reading(args: argparse.Namespace) -> dict[str, Any]:
    """How far the probabilities are off, and how far a slate's order moves its ranking."""
    rows, swapped = [], {True: [], False: []}
    for name in args.data.split(","):
        prepared = judged(name, "user_time", args.users)
        assert prepared is not None
        _, split = prepared
        assert split.valid is not None
        for seed in (int(s) for s in args.seeds.split(",")):
            with listening(said=said):
                pair = TextPair(seed=seed).fit(split.train, split.valid)
            row = {"data": name, "seed": seed, "model": "pair", **pair.calibration_errors}
            rows.append({**row, "epochs": pair.n_epochs_})
            for shuffle in (False, True):
                with listening(said=said):
                    tagger = SlateTagger(seed=seed, shuffle=shuffle).fit(split.train, split.valid)
                users, items, wanted = slates(tagger, split, seed)
                moved = tagger.order_sensitivity(users, items, seed=seed)
                labels = {
                    level: tagger.report(users, items, wanted, level) for level in ("item", "token")
                }
                swapped[shuffle].append(moved["swapped"])
                row = {"data": name, "seed": seed, "model": "tagger", "shuffle": shuffle, **moved}
                rows.append({**row, "epochs": tagger.n_epochs_, "report": labels})
                print({k: v for k, v in rows[-1].items() if k != "report"}, flush=True)
    return {"records": rows, "ratio": float(np.mean(swapped[False]) / np.mean(swapped[True]))}


def slates(
    tagger: SlateTagger, split: Split, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slates as in training: up to three liked validation items of a user, the rest drawn."""
    known, asked = Histories.of(split.train), Histories.of(split.valid)
    draws = Draws(known, split.dataset.n_items, True, negatives=tagger.negatives)
    rng = np.random.default_rng(seed)
    liked = [asked.items[a:b][asked.liked[a:b]] for a, b in zip(asked.start, asked.start[1:])]
    users = rng.permutation([u for u, items in enumerate(liked) if len(items)])[:SLATES]
    items, wanted = [], []
    for user in users:
        mine = liked[user][: tagger.n_targets]
        before = known.items[known.start[user] : known.start[user + 1]]
        others = draws.others(rng, np.concatenate([liked[user], before]), tagger.slate - len(mine))
        order = rng.permutation(tagger.slate)
        items.append(np.concatenate([mine, others])[order])
        wanted.append((np.arange(tagger.slate) < len(mine))[order])
    return users, np.array(items), np.array(wanted)


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(frame.to_json(orient="records"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=("stages", "reading"), default="stages")
    parser.add_argument("--models", default="ease>pair,ease>tagger,ease>tfidf")
    parser.add_argument("--data", default="ml-100k,amazon-office-2018")
    parser.add_argument("--splits", default="user_time,global_time")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--users", type=int, default=0, help="a random sample of so many; 0 = all")
    parser.add_argument("--output")
    args = parser.parse_args()
    if any(find(name) is None for name in args.data.split(",")):
        print(f"{args.data}: set RECNB_DATA")
        sys.exit(2)
    found = {"stages": stages, "reading": reading}[args.part](args)
    found |= {
        "interval": "95 % percentile bootstrap over users, 2,000 draws; p by randomisation, Holm",
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    name = {"stages": "two_stages", "reading": "joint_reading"}[args.part]
    output = Path(args.output or f"results/{name}.json")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"written to {output}")
    print(f"ratio: {found['ratio']:.3f}")


if __name__ == "__main__":
    main()
