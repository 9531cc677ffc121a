"""How much rank: LoRA on the data where tuning helps, every rank at its own learning rate.

    RECNB_DATA=folder python benchmarks/lora_rank.py [--seeds 0,1,2] [--items 300]

Amazon Office 2018, `cold_item`, NDCG@10 of new items among themselves: the task `office` of
`benchmarks/tuning_methods.py`, whose rules hold here too: each setting tries the usual learning rate of LoRA times
0.3, 1 and 3, the validation rows of the first split choose, and the choice is kept for the other splits. A seed is
another split and another start. Rows are one value per user, the mean over splits. `by_rate` holds the test values
of the first split at all rates, which chose nothing.

Settings are named as in the registry, `lora[size=32]`. LoRA stands beside query and value; its scale is 2 whatever
the rank (alpha = 2 r).

`low`, `high` and `p` are over users alone, `…_over_splits` over users and splits (`tuning_methods.py`); `--restate`
adds these to a recorded file.

Finished fits lie in `.benchmarks/lora_rank/`; results go to `results/lora_rank.json`. The last line is `ratio: X`:
trained parameters of the largest setting over those of the smallest.
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
from tuning_methods import (
    DRAWS,
    OVER_SPLITS,
    TASKS,
    best_value,
    judge,
    restated,
    split_of,
    summary,
    with_spread_of_splits,
)

from recnb import load
from recnb.data.catalog import find
from recnb.metrics import holm, paired
from recnb.models import TwoTower
from recnb.tuning import METHODS
from recnb.versions import versions

TASK, ONE = "office", "lora[size=1]"
SETTINGS: dict[str, dict[str, Any]] = {
    "head_only": {"method": "head_only"},
    "lora[size=1]": {"size": 1},
    "lora[size=2]": {"size": 2},
    "lora[size=8]": {"size": 8},
    "lora[size=32]": {"size": 32},
}
RATES = (0.3, 1.0, 3.0)


def run(name: str, seed: int, rate: float, n_items: int, kept: Path) -> dict[str, Any]:
    """One fit, kept in a file."""
    file = kept / f"{n_items}-{name}-{seed}-{rate}.json"
    if not file.is_file():
        _, _, text, common = TASKS[TASK]
        split, given = split_of(TASK, seed, n_items), {"method": "lora", **SETTINGS[name]}
        lr = METHODS[given["method"]].lr * rate or None
        start = time.time()
        model = TwoTower(text=text, lr_encoder=lr, max_tokens=64, seed=seed, **common, **given)
        model.fit(split.train, split.valid)
        record = {
            "seconds": time.time() - start,
            "valid": best_value(model),
            "epoch": model.n_epochs_,
            "tuned": model.tuned_parameters(),
            "split": split.digest,
            **judge(TASK, model, split),
        }
        file.write_text(json.dumps(record))
        value = float(np.mean(record["values"]))
        print(name, seed, rate, round(record["valid"], 4), round(value, 4), flush=True)
    return json.loads(file.read_text())


def to_rank_one(found: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Paired differences to rank 1, Holm over them; a user's value is the mean over splits."""
    parts = {
        name: pd.concat(pd.DataFrame({k: p[k] for k in ("users", "values")}) for p in fits)
        for name, fits in found.items()
    }
    table = pd.DataFrame({n: part.groupby("users")["values"].mean() for n, part in parts.items()})
    rows = []
    for name in table.columns.drop(ONE):
        d = paired(table[name].to_numpy(), table[ONE].to_numpy(), draws=DRAWS)
        rows.append({"model": name, "to": ONE, "difference": d.difference, "low": d.low})
        rows[-1] |= {"high": d.high, "p": d.p, "n_users": d.n}
    for row, p in zip(rows, holm(np.array([row["p"] for row in rows])), strict=True):
        row["p_holm"] = float(p)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--keep", type=Path, default=Path(".benchmarks") / "lora_rank")
    parser.add_argument("--output", type=Path, default=Path("results") / "lora_rank.json")
    parser.add_argument("--restate", action="store_true", help="intervals of the recorded file")
    args = parser.parse_args()
    if args.restate:
        content = restated(json.loads(args.output.read_text(encoding="utf-8")))
        args.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(pd.DataFrame(content["differences"]).round(4).to_string(index=False))
        return
    if find(TASKS[TASK][0]) is None:
        print(f"{TASKS[TASK][0]} is not here: set RECNB_DATA, or: recnb data fetch NAME")
        sys.exit(2)
    logging.disable(logging.WARNING)
    args.keep.mkdir(parents=True, exist_ok=True)
    seeds = [int(s) for s in args.seeds.split(",")]
    found, rates, by_rate, tuned = {}, {}, {}, {}
    for name in SETTINGS:
        grid = (1.0,) if name == "head_only" else RATES
        tried = {rate: run(name, seeds[0], rate, args.items, args.keep) for rate in grid}
        rates[name] = max(tried, key=lambda rate: tried[rate]["valid"])
        by_rate[name] = {f"{rate:g}": float(np.mean(t["values"])) for rate, t in tried.items()}
        found[name] = [run(name, seed, rates[name], args.items, args.keep) for seed in seeds]
        tuned[name] = found[name][0]["tuned"]
    records, _ = summary(TASK, found)
    for row in records:
        name = row["model"]
        row |= {"rate": rates[name], "by_rate": by_rate[name], "trained": tuned[name]}
    content = {
        "records": records,
        "differences": with_spread_of_splits(to_rank_one(found), records),
        "data": TASKS[TASK][0],
        "dataset_digest": load(TASKS[TASK][0]).digest,
        "split": TASKS[TASK][1],
        "splits": [part["split"] for part in found["head_only"]],
        "items": args.items,
        "settings": TASKS[TASK][3],
        "seeds": seeds,
        "rates_tried": list(RATES),
        "interval_over_splits": OVER_SPLITS,
        "interval": "95 % bootstrap over users, of the mean over three splits; new items are not in it",
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(pd.DataFrame(records)[["model", "value", "low", "high", "by_seed", "rate", "trained"]])
    print(f"ratio: {max(tuned.values()) / min(n for n in tuned.values() if n):.1f}")


if __name__ == "__main__":
    main()
