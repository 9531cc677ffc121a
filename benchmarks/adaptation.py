"""A language model adapted without labels: are new items ranked better? Which labels are worth asking for?

    RECNB_DATA=folder python benchmarks/adaptation.py [--sets ml-100k,amazon-office-2018@1000] [--seeds 5,6,7]

`cold_item` splits, the new items ranked among themselves, NDCG@10, everybody's history told. `text_frozen` reads the
items with the encoder as it was published, or as :func:`recnb.training.adaptation.adapt` made it from the texts of the
whole catalogue (hidden words; two readings of a text) or from the items that people of the training rows used together.
Every way has two trials on the validation part of each split: two learning rates; centred or not for the published one.
The two highest layers are adapted, in three passes.

Labels: a two tower learns from a tenth of the items' rows, which are chosen at random, to cover the texts, or where
four fits of it disagree; and from all rows with three pseudo-labels a user on the new items, from the same model.

Each finished (set, seed, model) is kept in `.benchmarks/adaptation`; results/adaptation.json is written after each
model.
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
from overfitting import judged, long

from recnb import Dataset, load
from recnb.data import Split, Text, splits
from recnb.encoders import TextEncoder
from recnb.metrics.intervals import bootstrap, holm
from recnb.metrics.over_splits import over_splits
from recnb.models import TextFrozen, TwoTower
from recnb.models.common.unlabelled import choose_items, disagreement, with_pseudo_labels
from recnb.models.common.validation import Validation
from recnb.training.adaptation import Adaptation, adapt, used_together
from recnb.versions import versions

SETS = ("ml-100k", "amazon-office-2018@1000")
TEXTS = {
    "ml-100k": Text("title", "year", "genres"),
    "amazon-office-2018": Text("title"),
    "amazon-games-2018": Text("title"),
    "bookcrossing-small": Text("title", "author"),
    "grocery": Text("title", "category"),
}
RATES = (3e-5, 3e-4)
ADAPTED = ("together", "simcse", "masked")  # the cheapest first
LABELS = ("random", "coverage", "uncertainty")
PAIRS = [(way, "published") for way in ADAPTED]
PAIRS += [(f"a tenth, {way}", "a tenth, random") for way in LABELS[1:]] + [
    ("pseudo-labels", "all rows")
]
TOWER: dict[str, Any] = {"rows_per_batch": 1024, "n_negatives": 512, "n_epochs": 8}
DRAWS = 2000
COLUMNS = ["model", "to", "difference", "relative", "low", "high"]
COLUMNS += ["low_over_splits", "high_over_splits"]


def data(name: str) -> tuple[Dataset, Text]:
    """A set of `SETS`, and the text of its items."""
    plain, _, users = name.partition("@")
    ds = load(plain)
    return (ds.sample_users(int(users), seed=0) if users else ds), TEXTS[plain]


def encoders(
    way: str, ds: Dataset, text: Text, split: Split, folders: Path, name: str
) -> list[str | None]:
    """The encoders of a way's trials."""
    if way == "published":
        return [None, None]
    out: list[str | None] = []
    for rate in RATES:
        # only what is learned from people depends on the split
        of = f"{split.settings['seed']}" if way == "together" else "all"
        folder = folders / f"{name.replace('@', '_')}-{way}-{rate}-{of}"
        if not (folder / "adapted.json").is_file():
            how = Adaptation(way, n_epochs=3, lr=rate, batch_size=64, max_tokens=32, n_layers=2)
            near = used_together(split.train) if way == "together" else None
            adapt(text(ds.items), folder, how, neighbours=near)
        out.append(str(folder))
    return out


def read(
    way: str, ds: Dataset, text: Text, split: Split, folders: Path, name: str
) -> dict[str, Any]:
    """`text_frozen` with the best of a way's encoders."""
    start = time.perf_counter()
    tried, best = [], None
    assert split.valid is not None
    asked = Validation.of(split.train, split.valid)
    for number, encoder in enumerate(encoders(way, ds, text, split, folders, name)):
        model = TextFrozen(encoder, text, centre=bool(encoder) or number == 0)
        tried.append(asked.value(model.fit(split.train, split.valid)))
        if tried[-1] == max(tried):
            best = model
    return {"valid": tried, "seconds": time.perf_counter() - start, **judged(best, split)}


def labelled(way: str, ds: Dataset, text: Text, split: Split, seed: int) -> dict[str, Any]:
    """A two tower that learns from chosen rows."""
    start, train = time.perf_counter(), split.train
    tower = TwoTower(text=text, seed=seed, **TOWER)
    if way == "pseudo-labels":
        first = TwoTower(text=text, seed=seed, **TOWER).fit(train, split.valid)
        train = with_pseudo_labels(first, train, 3, split.candidates)
    elif way.startswith("a tenth"):
        items = np.unique(train.interactions["item"])
        n, how = len(items) // 10, way.partition(", ")[2]
        few = train.rows(
            np.isin(train.interactions["item"], choose_items(n // 2, "random", items, seed=seed))
        )
        if (
            how == "uncertainty"
        ):  # half at random, then those where members disagree that learned from them
            members = [
                TwoTower(text=text, start="random", width=64, seed=seed + k, **TOWER).fit(few)
                for k in range(4)
            ]
            unsure = disagreement(members, np.arange(0, ds.n_users, 4))
            given = np.unique(few.interactions["item"])
            rest = np.setdiff1d(items, given)
            chosen = np.concatenate(
                [given, choose_items(n - len(given), how, rest, uncertainty=unsure)]
            )
        else:
            vectors = TextEncoder().encode(text(ds.items)) if how == "coverage" else None
            chosen = choose_items(n, how, items, vectors, seed=seed)
        train = train.rows(np.isin(train.interactions["item"], chosen))
    tower.fit(train, split.valid)
    rows = {"rows": len(train.interactions), "items": int(train.interactions["item"].nunique())}
    return {**rows, "seconds": time.perf_counter() - start, **judged(tower, split)}


def summary(common: dict, models: dict[str, dict[int, dict]]) -> tuple[list[dict], list[dict]]:
    """Values, and the differences of `PAIRS`."""
    frames = {model: long(parts) for model, parts in models.items()}
    records, differences = [], []
    for model, frame in frames.items():
        per_user = frame.groupby("user")["value"].mean()
        low, high = bootstrap(per_user.to_numpy(), draws=DRAWS)
        parts = models[model]
        row = {**common, "model": model, "value": float(per_user.mean()), "low": low, "high": high}
        row |= {"n_users": len(per_user), "seeds": sorted(parts)}
        row["seconds"] = [round(parts[s]["seconds"], 1) for s in sorted(parts)]
        row["chosen"] = [int(np.argmax(p["valid"])) for p in parts.values() if "valid" in p]
        row["rows"] = [p["rows"] for p in parts.values() if "rows" in p]
        records.append(row)
    for model, to in PAIRS:
        if model not in frames or to not in frames:
            continue
        both = frames[model].merge(frames[to], on=["user", "seed"], validate="1:1")
        gaps = both.assign(value=both["value_x"] - both["value_y"])
        low, high = bootstrap(gaps.groupby("user")["value"].mean().to_numpy(), draws=DRAWS)
        wide = over_splits(gaps["value"], gaps["user"], gaps["seed"])
        base = both.groupby("user")["value_y"].mean().mean()
        differences.append(
            {
                **common, "model": model, "to": to, "difference": wide.value,
                "relative": wide.value / base, "low": low, "high": high,
                "low_over_splits": wide.low, "high_over_splits": wide.high, "p": wide.p,
                "n_users": wide.n_users, "by_split": wide.by_split,
                "detectable": float((wide.high - wide.low) / 2 * (1 + 0.84 / 1.96) / base),
            }
        )  # fmt: skip
    for row, p in zip(differences, holm(np.array([d["p"] for d in differences])), strict=True):
        row["p_holm"] = float(p)
    return records, differences


def write(output: Path, content: dict, name: str, digest: str, models: dict) -> list[dict]:
    """What is there of a set so far, beside the other sets; returns its differences."""
    common = {"set": name, "split": "cold_item", "dataset_digest": digest}
    common |= {"metric": "ndcg", "k": 10, "candidates": "shelf"}
    records, differences = summary(common, models)
    for key, rows in (("records", records), ("differences", differences)):
        content[key] = [r for r in content[key] if r["set"] != name] + rows
    content |= {
        "protocol": "fitted on train, chosen on valid, judged without a refit",
        "interval": f"95 %: low and high over users ({DRAWS:,} bootstrap draws of values averaged over "
        "splits), *_over_splits over users and splits; p from these, Holm within a set",
        "detectable": "relative difference found with power 0.8, from the interval over both",
        "rates": RATES, "device": "cpu", "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return differences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", default="5,6,7")
    parser.add_argument("--ways", default=",".join(ADAPTED), help="of " + ", ".join(ADAPTED))
    parser.add_argument("--no-labels", action="store_true")
    parser.add_argument("--keep", type=Path, default=Path(".benchmarks") / "adaptation")
    parser.add_argument("--output", type=Path, default=Path("results") / "adaptation.json")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    (args.keep / "encoders").mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {"records": [], "differences": []}
    if args.output.is_file():
        content = json.loads(args.output.read_text(encoding="utf-8"))
    for name in args.sets.split(","):
        ds, text = data(name)
        models: dict[str, dict[int, dict]] = {}
        differences: list[dict] = []
        labels = (
            []
            if args.no_labels
            else ["all rows", "pseudo-labels", *(f"a tenth, {w}" for w in LABELS)]
        )
        for model in ["published", *args.ways.split(","), *labels]:
            for seed in map(int, args.seeds.split(",")):
                file = args.keep / f"{name}@{seed}@{model}.json"
                if not file.is_file():
                    split = splits.cold_item(ds, seed=seed)
                    if model in labels:
                        held = labelled(model, ds, text, split, seed)
                    else:
                        held = read(model, ds, text, split, args.keep / "encoders", name)
                    file.write_text(json.dumps(held), encoding="utf-8")
                held = json.loads(file.read_text(encoding="utf-8"))
                models.setdefault(model, {})[seed] = held
                mean = round(float(np.mean(held["values"])), 4)
                print(
                    name,
                    seed,
                    model,
                    mean,
                    held.get("valid"),
                    round(held["seconds"], 1),
                    flush=True,
                )
            differences = write(args.output, content, name, ds.digest, models)
        if differences:
            print(pd.DataFrame(differences)[COLUMNS].round(4).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
