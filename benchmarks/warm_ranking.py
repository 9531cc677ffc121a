"""Ranking known items: three heads times the losses, and hybrids against the best tuned classical model.

    RECNB_DATA=folder python benchmarks/warm_ranking.py [--part heads|hybrid] [--seeds 0,1,2]

heads: `user_time` split of MovieLens-100K, text-only two towers (mean of the history, frozen encoder), every
head with every ranking loss, equal settings, each with the number of epochs that the validation part
chose; paired differences to `dot` with softmax, Holm over all.
hybrid: `global_time` and `user_time` of MovieLens-100K, `user_time` of Amazon Office, which has no clock; classical
models searched with equal budget on the validation part, the best of them there against blends of it with text and
against the hybrid two tower (ids and text). The two parts go to `results/heads_losses.json` and
`results/warm_hybrid.json`.

The last line is `ratio: X`: in `heads` the best pair's NDCG@10 over that of popularity; in `hybrid` the first hybrid's
over the best classical model's, the mean over data and splits.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb import evaluate, load, search
from recnb.data import Text, splits
from recnb.data.catalog import find
from recnb.evaluation import Protocol
from recnb.models import Blend, TwoTower, make
from recnb.study.store import DiskStore
from recnb.versions import versions

HEADS = ("weighted_sum", "dot", "mlp")
LOSSES = ("bce", "bpr", "softmax", "infonce")
PROTOCOL = Protocol(k=10, metrics=("ndcg", "recall"), draws=2000)
KEPT = Path(".benchmarks") / "warm_ranking"  # finished fits
CLASSICAL = ("itemknn", "ease", "als")
TEXTS = {"ml-100k": Text("title", "year", "genres"), "amazon-office-2018": Text("title")}


def said(what: str, done: int, of: int) -> None:
    """Progress, a line each."""
    print(f"{done} of {of}: {what}", flush=True)


def heads(seeds: tuple[int, ...]) -> dict[str, Any]:
    """Three heads times four losses on one split."""
    ds = load("ml-100k")
    split = splits.user_time(ds)
    models: dict[str, Any] = {"popularity": make("popularity"), "ease": make("ease")}
    for head in HEADS:
        for loss in LOSSES:
            models[f"{head} · {loss}"] = TwoTower(
                text=TEXTS["ml-100k"],
                head=head,
                loss=loss,
                start="random",
                width=32,
                lr=2e-3 if head != "weighted_sum" else 1e-2,
                n_epochs=3,
                patience=2,
                rows_per_batch=256 if head != "mlp" else 64,
                n_negatives=128 if head != "mlp" else 64,
            )
    store = DiskStore(KEPT / "heads", split, PROTOCOL, None)
    ev = evaluate(models, split, PROTOCOL, seeds, said, store)
    table = ev.table()
    best = table[(table["metric"] == "ndcg") & table["model"].str.contains("·")]
    top = best.loc[best["value"].idxmax()]
    popular = table[(table["model"] == "popularity") & (table["metric"] == "ndcg")]["value"].iloc[0]
    return {
        "data": "MovieLens-100K",
        "dataset_digest": ds.digest,
        "protocol": "user_time",
        "split": split.digest,
        "seeds": list(seeds),
        "records": json.loads(table.to_json(orient="records")),
        "differences": json.loads(
            ev.compare(to="dot · softmax", metric="ndcg").to_json(orient="records")
        ),
        "best": str(top["model"]),
        "ratio": float(top["value"] / popular),
    }


def hybrid(seeds: tuple[int, ...], trials: int) -> dict[str, Any]:
    """Hybrids against the best tuned classical model."""
    out: dict[str, Any] = {"seeds": list(seeds), "trials": trials, "runs": []}
    gains = []
    for name, text in TEXTS.items():
        ds = load(name)
        for rule in ("user_time", "global_time") if ds.order == "timestamp" else ("user_time",):
            start = time.time()
            split = getattr(splits, rule)(ds)
            tuned = {m: search(make(m), split, trials=trials, seed=0) for m in CLASSICAL}
            values = {m: v.searched.trials[v.searched.best].value for m, v in tuned.items()}
            best = max(values, key=lambda m: values[m])
            joint = search(make("text_joint", text=text), split, trials=trials, seed=0)
            tower = search(
                make("hybrid", text=text, start="random", width=64, n_epochs=8, patience=2),
                split,
                trials=4,
                seed=0,
            )
            models = {
                "popularity": make("popularity"),
                **tuned,
                "text_joint": joint,
                "hybrid": tower,
                f"{best}+text_joint": Blend([tuned[best], joint]),
                f"{best}+hybrid": Blend([tuned[best], tower]),
            }
            store = DiskStore(KEPT / f"{name}-{rule}", split, PROTOCOL, None)
            ev = evaluate(models, split, PROTOCOL, seeds, said, store)
            table, pairs = ev.table(), ev.compare(to=best, metric="ndcg")
            value = table[table["metric"] == "ndcg"].set_index("model")["value"]
            gains.append(float(value[f"{best}+text_joint"] / value[best]))
            out["runs"].append(
                {
                    "data": name,
                    "dataset_digest": ds.digest,
                    "protocol": rule,
                    "split": split.digest,
                    "best_classical_on_valid": best,
                    "valid": values,
                    "records": json.loads(table.to_json(orient="records")),
                    "differences": json.loads(pairs.to_json(orient="records")),
                    "seconds": time.time() - start,
                }
            )
            print(name, rule, best, flush=True)
            print(pairs.round(4).to_string(index=False), flush=True)
    out["records"] = [
        {"data": r["data"], "protocol": r["protocol"], **row}
        for r in out["runs"]
        for row in r.pop("records")
    ]
    return out | {"ratio": float(np.mean(gains))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=("heads", "hybrid"), default="heads")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--trials", type=int, default=10)
    args = parser.parse_args()
    if any(find(name) is None for name in TEXTS):
        print("MovieLens-100K and amazon-office-2018 are not here: set RECNB_DATA")
        sys.exit(2)
    logging.disable(logging.WARNING)
    seeds = tuple(int(s) for s in args.seeds.split(","))
    found = heads(seeds) if args.part == "heads" else hybrid(seeds, args.trials)
    found |= {
        "interval": "95 % percentile bootstrap over users, 2,000 draws; p by randomisation, Holm",
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    name = {"heads": "heads_losses", "hybrid": "warm_hybrid"}[args.part]
    output = Path("results") / f"{name}.json"
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if args.part == "heads":
        print(pd.DataFrame(found["records"]).round(4).to_string(index=False))
        print(pd.DataFrame(found["differences"]).round(4).to_string(index=False))
    print(f"written to {output}")
    print(f"ratio: {found['ratio']:.3f}")


if __name__ == "__main__":
    main()
