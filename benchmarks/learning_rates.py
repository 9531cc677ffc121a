"""What learning rate, warm-up and optimiser do: the language model's top layer tuned on new films, three seeds.

    RECNB_DATA=folder python benchmarks/learning_rates.py [--seeds 0,1,2] [--users 120] [--items 200]

MovieLens-100K, so many of its users and the so many most used films, `cold_item` split, text: title, year, genres. The
two tower of `benchmarks/tuning_methods.py` (random start, mean of the history, softmax); only the highest layer of the
language model is tuned, the states below are computed once, so a fit takes seconds. The head learns at 1e-3; the rate
of the language model is what varies. NDCG@10 of new films among themselves after the last of three epochs, no early
stopping: a run that diverges is shown as it ended. The range test (Smith 2017) runs on the same network and batches,
head and language model at one rate.

Each finished fit is kept in `.benchmarks/learning_rates`; results/learning_rates.json is written at the end.
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

from recnb import load
from recnb.data import Split, Text, splits
from recnb.errors import InputError
from recnb.models import TwoTower
from recnb.models.common.validation import Validation
from recnb.versions import versions

RATES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
WAYS: dict[str, dict[str, Any]] = {
    "AdamW": {},
    "AdamW, warm-up": {"warmup": 0.2},
    "AdamW, one cycle": {"schedule": "one_cycle"},
    "AdamW, warm-up, linear": {"warmup": 0.2, "schedule": "linear"},
    "Adafactor": {"optimizer": "adafactor"},
}
BASE: dict[str, Any] = {
    "text": Text("title", "year", "genres"),
    "start": "random",
    "loss": "softmax",
    "width": 64,
    "method": "top_layers",
    "n_layers": 1,
    "max_tokens": 32,
    "lr": 1e-3,
    "n_epochs": 3,
    "items_per_batch": 16,
    "n_negatives": 512,
}


def split_of(seed: int, n_users: int, n_items: int) -> Split:
    """New films among the `n_items` most used ones of some users."""
    ds = load("ml-100k").sample_users(n_users, seed=0)
    if 0 < n_items < ds.n_items:
        used = np.sort(np.asarray(ds.pairs().sum(axis=0)).ravel())
        ds = ds.k_core(user=1, item=int(used[-n_items]))
    return splits.cold_item(ds, seed=seed)


def value_of(split: Split, **settings: Any) -> dict[str, Any]:
    """One fit on train, judged on the test films; a training that breaks is worth nothing."""
    start = time.perf_counter()
    model = TwoTower(**BASE | settings)
    asked = Validation.asking(split.known, split.test, split.candidates)
    try:
        model.fit(split.train)
    except InputError as error:
        return {"value": None, "broke": str(error), "seconds": time.perf_counter() - start}
    losses = [row["loss"] for row in model.learning_]
    value = asked.value_of(lambda users: model.score(users, split.known))
    return {"value": value, "losses": losses, "seconds": time.perf_counter() - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--users", type=int, default=120)
    parser.add_argument("--ways", default=",".join(w for w in WAYS).replace(", ", ";"))
    parser.add_argument(
        "--others", default=",".join(map(str, RATES)), help="rates of all but AdamW"
    )
    parser.add_argument("--keep", type=Path, default=Path(".benchmarks") / "learning_rates")
    parser.add_argument("--output", type=Path, default=Path("results") / "learning_rates.json")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    args.keep.mkdir(parents=True, exist_ok=True)
    seeds = [int(s) for s in args.seeds.split(",")]
    records: list[dict[str, Any]] = []
    frozen: list[dict[str, Any]] = []
    for way in [w.replace(";", ", ") for w in args.ways.split(",")]:
        for rate in RATES if way == "AdamW" else [float(r) for r in args.others.split(",")]:
            held = []
            for seed in seeds:
                file = (
                    args.keep
                    / f"{args.users}-{args.items}-{way.replace(', ', '_')}-{rate}-{seed}.json"
                )
                if not file.is_file():
                    settings = {**WAYS[way], "lr_encoder": rate, "seed": seed}
                    file.write_text(
                        json.dumps(value_of(split_of(seed, args.users, args.items), **settings))
                    )
                held.append(json.loads(file.read_text()))
                print(way, rate, seed, held[-1]["value"], round(held[-1]["seconds"], 1), flush=True)
            values = [h["value"] for h in held]
            whole = [v for v in values if v is not None]
            spread = float(np.std(whole, ddof=1)) if len(whole) > 1 else None
            records.append(
                {
                    "way": way, "rate": rate, "by_seed": values, "broke": values.count(None),
                    "value": float(np.mean(whole)) if whole else None, "spread": spread,
                    "loss": [h.get("losses", [None])[-1] for h in held],
                    "seconds": [h["seconds"] for h in held],
                }
            )  # fmt: skip
    for seed in seeds:
        file = args.keep / f"{args.users}-{args.items}-frozen-{seed}.json"
        if not file.is_file():
            settings = {"method": "head_only", "n_layers": None, "seed": seed}
            file.write_text(
                json.dumps(value_of(split_of(seed, args.users, args.items), **settings))
            )
        frozen.append(json.loads(file.read_text()))
    content = {
        "records": records,
        "frozen": {"by_seed": [h["value"] for h in frozen], "value": float(np.mean([h["value"] for h in frozen]))},
        "data": "ml-100k", "items": args.items, "users": args.users, "split": "cold_item", "metric": "ndcg", "k": 10,
        "candidates": "shelf", "seeds": seeds,
        "dataset_digest": split_of(seeds[0], args.users, args.items).dataset.digest,
        "settings": {k: v for k, v in BASE.items() if k != "text"}, "ways": WAYS,
        "spread": "standard deviation over the seeds, which draw new films, too",
        "device": "cpu", "versions": versions(), "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    args.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    content["range_test"] = tested(seeds[0], args.users, args.items)
    args.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for row in records:
        print(row["way"], row["rate"], row["value"], row["spread"])


def tested(seed: int, n_users: int, n_items: int) -> dict[str, Any]:
    """The range test on the same network, head and language model at one rate."""
    from functools import partial

    from recnb.models.two_tower.batches import BatchMaker, order_of_ids, rows_of
    from recnb.models.two_tower.items import ItemReader
    from recnb.training import LIVE, Batches, BatchPlan, Training, range_test

    split = split_of(seed, n_users, n_items)
    model = TwoTower(**BASE, seed=seed)
    train = split.train.in_order(*order_of_ids(split.train))
    reader = ItemReader.for_data(model.settings, train, model.open_encoder)
    rows = rows_of(train, model.settings)
    state, network = model._start(reader, train, train, 0)
    network.joint = True
    maker = BatchMaker(*rows, state.users, train.positives(), 512, False, 1024, seed)
    plan = BatchPlan(rows.items, 16, 1024, head_epochs=0, live_epochs=1, seed=seed)
    lives = [[part for part in plan(epoch) if part[0] == LIVE] for epoch in range(9)]
    found = range_test(
        network,
        lambda epoch: Batches(lives[epoch], partial(maker, epoch)),
        Training(lr=1.0, lr_encoder=1.0, seed=seed),
        low=1e-6,
        high=1.0,
        n_steps=80,
    )
    return {
        "rates": found.rates.tolist(), "losses": found.losses.tolist(),
        "smoothed": found.smoothed.tolist(), "steepest": found.steepest, "lowest": found.lowest,
    }  # fmt: skip


if __name__ == "__main__":
    main()
