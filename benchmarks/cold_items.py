"""New items ranked from their text alone: words, a pretrained encoder, both, and a tuned two tower.

    RECNB_DATA=folder python benchmarks/cold_items.py [--seeds 0,1,2] [--trials 10]

`cold_item` splits of MovieLens-100K: a random fifth of the items is held out and ranked among
themselves (the shelf), relevant = rating of 4 or more. Text: title, year, plot, genres, director and
five of the cast. Settings of every model are searched on the validation items with the same number of trials
(two towers with three, their defaults among them); then the model is fitted on all known items. One value a
user: the mean over the splits in which the user has a relevant new item. Differences are paired by user, bootstrap
over users, Holm over the comparisons. `words_only` is the two tower with the encoder's states set to zero: what the
training does with the words alone; `side_adapter` is a small network over the states of all layers. Results go to
`results/cold_items.json`.

The last line is `ratio: X`: NDCG@10 of the best text model over that of the best TF-IDF model, both as
chosen by their means on the validation items.
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
from recnb.metrics.intervals import bootstrap, holm, paired
from recnb.models import TwoTower, make
from recnb.recommender import Recommender
from recnb.versions import versions

TEXT = Text("title", "year", "text")
DRAWS = 2000
PROTOCOL = Protocol(k=10, metrics=("ndcg",), draws=1000)
TOWER_TRIALS = 3
WORDS_ONLY = ("tfidf", "words_only")  # arms that read no language model
TOWER: dict[str, Any] = {
    "words": 512,
    "dropout": 0.6,
    "lr": 2e-3,
    "n_epochs": 25,
    "patience": 4,
    "rows_per_batch": 2048,
}


class WordsOnly(TwoTower):
    """The two tower on TF-IDF alone: the encoder's states are zero."""

    def _start(self, *args: Any):
        state, network = super()._start(*args)
        network.states.zero_()
        network.shift.zero_()
        network.size.fill_(1e-6)
        return state, network


def arms() -> dict[str, Recommender]:
    """Unfitted models by name."""
    return {
        "random": make("random"),
        "tfidf": make("tfidf", text=TEXT),
        "text_frozen": make("text_frozen", text=TEXT),
        "text_joint": make("text_joint", text=TEXT),
        "words_only": WordsOnly(text=TEXT, **TOWER),
        "text_dot + words": make("text_dot", text=TEXT, **TOWER),
        "side_adapter + words": make("text_dot@side_adapter", text=TEXT, **TOWER),
    }


def measure(seed: int, trials: int, kept: Path, wanted: dict[str, Recommender]) -> pd.DataFrame:
    """Per-user values of one split, kept in a file so that a killed run goes on."""
    ds = load("ml-100k")
    split = splits.cold_item(ds, seed=seed)
    out = []
    for name, model in wanted.items():
        file = kept / f"{seed}-{name.replace(' ', '')}.json"
        if not file.is_file():
            start = time.time()
            n = 0 if name == "random" else trials
            if isinstance(model, TwoTower):  # slow here: fewer trials than the others get
                n = min(n, TOWER_TRIALS)
            best = search(model, split, trials=n, seed=seed)
            found = getattr(best, "searched", None)
            ev = evaluate({name: best}, split, PROTOCOL, seeds=(seed,))
            rows = ev.per_user
            rows = rows[(rows["metric"] == "ndcg") & (rows["candidates"] == "shelf")]
            trial = None if found is None else found.trials[found.best]
            record = {
                "model": name,
                "seed": seed,
                "users": rows["user_id"].astype(str).tolist(),
                "values": rows["value"].tolist(),
                "valid": None if trial is None or n == 0 else trial.value,
                "settings": None
                if trial is None
                else {k: str(v) for k, v in trial.settings.items()},
                "seconds": time.time() - start,
            }
            file.write_text(json.dumps(record))
            print(
                seed, name, round(float(np.mean(record["values"])), 4), record["valid"], flush=True
            )
        out.append(json.loads(file.read_text()))
    return pd.DataFrame(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--models", default=",".join(arms()))
    parser.add_argument("--keep", type=Path, default=Path(".benchmarks") / "cold_items")
    parser.add_argument("--output", type=Path, default=Path("results") / "cold_items.json")
    args = parser.parse_args()
    if find("ml-100k") is None:
        print("MovieLens-100K is not here: set RECNB_DATA, or: recnb data fetch ml-100k")
        sys.exit(2)
    logging.disable(logging.WARNING)
    args.keep.mkdir(parents=True, exist_ok=True)
    wanted = {name: model for name, model in arms().items() if name in args.models.split(",")}
    seeds = [int(s) for s in args.seeds.split(",")]
    parts = pd.concat([measure(seed, args.trials, args.keep, wanted) for seed in seeds])
    long = parts.explode(["users", "values"]).astype({"values": float})
    table = long.pivot_table(index="users", columns="model", values="values", aggfunc="mean")
    table = table[list(wanted)]
    chosen = parts.groupby("model")["valid"].mean()
    words = chosen[chosen.index.isin(WORDS_ONLY)].idxmax()
    reads = [m for m in chosen.index if m not in (*WORDS_ONLY, "random")]
    best = chosen[reads].idxmax()
    records = []
    for name in table:
        low, high = bootstrap(table[name].to_numpy(), draws=DRAWS, seed=0)
        mine = parts[parts["model"] == name]
        records.append(
            {
                "model": name,
                "metric": "ndcg",
                "k": 10,
                "candidates": "shelf",
                "value": float(table[name].mean()),
                "low": low,
                "high": high,
                "n_users": len(table),
                "by_seed": [float(np.mean(v)) for v in mine["values"]],
                "valid": [None if pd.isna(v) else float(v) for v in mine["valid"]],
                "settings": mine["settings"].tolist(),
                "seconds": mine["seconds"].tolist(),
            }
        )
    pairs = [(m, words) for m in [*reads, *WORDS_ONLY] if m != words and m in table]
    pairs += [(m, "tfidf") for m in reads if words != "tfidf"]
    differences = []
    for model, to in pairs:
        a, b = table[model].to_numpy(), table[to].to_numpy()
        found = paired(a, b, draws=DRAWS, seed=0)
        differences.append(
            {
                "model": model,
                "to": to,
                "difference": found.difference,
                "low": found.low,
                "high": found.high,
                "p": found.p,
                "relative": float(a.mean() / b.mean() - 1),
                "n_users": len(table),
            }
        )
    for row, p in zip(differences, holm(np.array([d["p"] for d in differences]))):
        row["p_holm"] = float(p)
    print(
        pd.DataFrame(records)[
            ["model", "value", "low", "high", "n_users", "by_seed", "valid"]
        ].round(4)
    )
    print(pd.DataFrame(differences).round(4).to_string(index=False))
    content = {
        "data": "MovieLens-100K",
        "dataset_digest": load("ml-100k").digest,
        "protocol": "cold_item, a fifth of the items, ranked among themselves; relevant = rating >= 4",
        "splits": [splits.cold_item(load("ml-100k"), seed=s).digest for s in seeds],
        "seeds": seeds,
        "trials": args.trials,
        "trials_of_two_towers": min(args.trials, TOWER_TRIALS),
        "interval": f"95 % percentile bootstrap over users, {DRAWS:,} draws",
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
        "best_text_model_on_valid": best,
        "best_tfidf_model_on_valid": words,
        "records": records,
        "differences": differences,
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"written to {args.output}")
    print(f"ratio: {table[best].mean() / table[words].mean():.3f}")


if __name__ == "__main__":
    main()
