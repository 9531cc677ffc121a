"""What helps against overfitting, alone and together, where a model learns from 1 %, 10 % and all of the rows?

    RECNB_DATA=folder python benchmarks/overfitting.py [--sets ml-100k] [--shares 0.01,0.1,1] [--seeds 5,6,7]

New films of MovieLens-100K (`cold_item`), ranked among themselves, NDCG@10. The rows that are learned from are those of
so many people, drawn by the seed, as make up the share; at the test everybody's whole history is told, so that users
are the same at every share. The two tower is `text_dot` on title, year and genres with a frozen language model: a fit
takes seconds. Word noise there is three other readings of each text (`n_views`), of which each step draws; noise drawn
anew in the language model itself needs `method="full"` or `"lora"` and is not in this table. `start=pretrained` begins
at the scores of the frozen language model, `start=random` at a random map.

Every arm gets the same number of trials (`--trials`) on the validation part of each split, its own: two learning
rates and two strengths, or two dropouts where nothing is added. Fits are judged as they are: a refit would learn from
all rows of the validation part. "best" is, in each split, the arm with the highest validation value: what a reader who
tries them all would take.

All arms of a split but the ensemble begin from one seed, the split's; the ensemble's members have seeds of their own,
and learned from ten people a seed alone moves the value as much as any arm. So "members alone" is the mean of its
members, each judged by itself: "ensembles" compares the ensemble with that.

Each finished (set, start, share, seed, arm) is kept in `.benchmarks/overfitting`; results/overfitting.json is written
after each share.
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

from recnb import load
from recnb.data import Dataset, Split, Text, splits
from recnb.metrics import evaluate_lists
from recnb.metrics.intervals import bootstrap, holm
from recnb.metrics.over_splits import over_splits
from recnb.models import Ensemble, TwoTower
from recnb.models.common.validation import Validation
from recnb.versions import versions

TEXTS = {"ml-100k": Text("title", "year", "genres"), "amazon-office-2018": Text("title")}
RATES = (1e-3, 3e-3)
# an arm's settings at two strengths
ARMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "none": ({}, {"dropout": 0.4}),
    "word_dropout": ({"word_dropout": 0.2}, {"word_dropout": 0.2, "dropout": 0.4}),
    "synonyms": ({"synonyms": 0.3}, {"synonyms": 0.3, "dropout": 0.4}),
    "fgm": ({"adversarial": "fgm", "epsilon": 0.1}, {"adversarial": "fgm", "epsilon": 0.5}),
    "pgd": ({"adversarial": "pgd", "epsilon": 0.1}, {"adversarial": "pgd", "epsilon": 0.5}),
    "r_drop": ({"r_drop": 1.0}, {"r_drop": 5.0, "dropout": 0.3}),
    "label_smoothing": ({"label_smoothing": 0.1}, {"label_smoothing": 0.3}),
    "ema": ({"average": "ema", "average_decay": 0.9}, {"average": "ema", "average_decay": 0.99}),
    "swa": ({"average": "swa"}, {"average": "swa", "swa_start": 20}),
    "together": (
        {"word_dropout": 0.2, "synonyms": 0.3, "adversarial": "fgm", "r_drop": 1.0}
        | {"label_smoothing": 0.1, "average": "ema", "average_decay": 0.9},
        {"word_dropout": 0.2, "synonyms": 0.3, "adversarial": "fgm", "epsilon": 0.5}
        | {"r_drop": 5.0, "dropout": 0.4, "label_smoothing": 0.3, "average": "ema"},
    ),
    "ensemble": ({}, {"dropout": 0.4}),
    "members alone": ({}, {"dropout": 0.4}),
    "distilled": ({}, {"dropout": 0.4}),
}
MEMBERS, DRAWS = 4, 2000


def of_some_people(train: Dataset, share: float, seed: int) -> Dataset:
    """The rows of people drawn until they are `share` of all rows."""
    if share >= 1:
        return train
    rows = train.interactions["user"].to_numpy()
    counts = np.bincount(rows, minlength=train.n_users)
    order = np.random.default_rng([seed, 31]).permutation(np.flatnonzero(counts))
    n = int(np.searchsorted(np.cumsum(counts[order]), share * len(rows))) + 1
    return train.rows(np.isin(rows, order[:n]))


def model_of(arm: str, start: str, text: Text, seed: int, number: int, n_rows: int) -> Any:
    """The unfitted model of a trial: rates in turn, the first strength first."""
    base: dict[str, Any] = {"text": text, "start": start, "lr": RATES[number % len(RATES)]}
    large = n_rows > 20_000
    base |= {"rows_per_batch": 2048 if large else 512, "n_epochs": 6 if large else 12}
    base |= {"n_negatives": 512, "n_views": 3, "seed": seed}
    if start == "random":
        base["width"] = 64
    tower = TwoTower(**base | ARMS[arm][number // len(RATES) % 2])
    if arm == "members alone":
        return Apart(tower, MEMBERS, seed=seed)
    if arm in ("ensemble", "distilled"):
        return Ensemble(tower, MEMBERS, distil=arm == "distilled", seed=seed)
    return tower


class Apart(Ensemble):
    """The members of an ensemble, not joined."""


def judged(model: Any, split: Split) -> dict[str, Any]:
    """NDCG@10 of each user, everybody's history told; of models apart their mean."""
    if isinstance(model, Apart):
        each = [judged(member, split) for member in model.parts()]
        return {**each[0], "values": np.mean([e["values"] for e in each], axis=0).tolist()}
    asked = Validation.asking(
        split.known, split.test, split.candidates, most_users=split.dataset.n_users
    )
    lists = asked.lists(model.score(asked.users, split.known)[:, asked.items])
    values = evaluate_lists(lists, asked.relevant, ["ndcg"], 10)["ndcg"]
    users = split.dataset.user_ids[asked.users].astype(str)
    return {"users": users.tolist(), "values": np.asarray(values).round(7).tolist()}


def run(ds: Dataset, text: Text, start: str, share: float, seed: int, arm: str, n: int) -> dict:
    """The best of `n` trials of an arm on one split, judged."""
    split = splits.cold_item(ds, seed=seed)
    train, begun = of_some_people(split.train, share, seed), time.perf_counter()
    assert split.valid is not None
    asked = Validation.of(train, split.valid)
    best, best_value, tried = None, -1.0, []
    for number in range(n):
        model = model_of(arm, start, text, seed, number, len(train.interactions)).fit(
            train, split.valid
        )
        parts = model.parts() if isinstance(model, Apart) else [model]
        value = float(np.mean([asked.value(part) for part in parts]))
        tried.append(value)
        if value > best_value:
            best, best_value = model, value
    epochs = getattr(best, "n_epochs_", None)
    return {
        "valid": tried,
        "n_epochs": epochs
        if epochs is not None
        else getattr(best, "epochs_", np.array([])).tolist(),
        "people": int(train.interactions["user"].nunique()),
        "rows": len(train.interactions),
        "seconds": round(time.perf_counter() - begun, 1),
        "split": split.digest,
        **judged(best, split),
    }


def long(parts: dict[int, dict[str, Any]]) -> pd.DataFrame:
    """Values of an arm by user and seed."""
    return pd.concat(
        pd.DataFrame({"user": p["users"], "seed": seed, "value": p["values"]})
        for seed, p in parts.items()
    )


def summary(common: dict, arms: dict[str, dict[int, dict]]) -> tuple[list[dict], list[dict]]:
    """Values, and differences to the arm where nothing is added, of one set, start and share."""
    if "none" not in arms:
        return [], []
    every = sorted(arms["none"])
    arms = {arm: {s: parts[s] for s in every if s in parts} for arm, parts in arms.items()}
    whole = [parts for parts in arms.values() if len(parts) == len(every)]
    arms["best"] = {s: max((p[s] for p in whole), key=lambda p: max(p["valid"])) for s in every}
    frames = {arm: long(parts) for arm, parts in arms.items()}
    common |= {"metric": "ndcg", "k": 10, "candidates": "shelf"}
    records, differences = [], []
    for arm, frame in frames.items():
        seeds = sorted(arms[arm])
        common |= {k: [arms[arm][s][k] for s in seeds] for k in ("rows", "people")}
        common["seeds"] = seeds
        per_user = frame.groupby("user")["value"].mean()
        low, high = bootstrap(per_user.to_numpy(), draws=DRAWS)
        row = {**common, "model": arm, "value": float(per_user.mean()), "low": low, "high": high}
        row |= {"n_users": len(per_user), "n_epochs": [arms[arm][s]["n_epochs"] for s in seeds]}
        row["seconds"] = [arms[arm][s]["seconds"] for s in seeds]
        row["chosen"] = [int(np.argmax(arms[arm][s]["valid"])) for s in seeds]
        row["chosen_arm"] = [
            next(a for a, p in arms.items() if p.get(s) is arms[arm][s]) for s in seeds
        ]
        records.append(row)
        if arm == "none":
            continue
        differences.append({**common, "model": arm, "to": "none", **gap(frame, frames["none"])})
    alone = [d for d in differences if d["model"] != "best"]
    for row, p in zip(alone, holm(np.array([d["p"] for d in alone])) if alone else [], strict=True):
        row["p_holm"] = float(p)
    return records, differences


def gap(frame: pd.DataFrame, other: pd.DataFrame) -> dict[str, Any]:
    """What an arm is worth less another, by users and over splits."""
    both = frame.merge(other, on=["user", "seed"], validate="1:1")
    gaps = both.assign(value=both["value_x"] - both["value_y"])
    base = both.groupby("user")["value_y"].mean().mean()
    by_user = gaps.groupby("user")["value"].mean().to_numpy()
    low, high = bootstrap(by_user, draws=DRAWS)
    wide = over_splits(gaps["value"], gaps["user"], gaps["seed"])
    half = (wide.high - wide.low) / 2
    return {
        "difference": wide.value, "relative": wide.value / base, "low": low, "high": high,
        "low_over_splits": wide.low, "high_over_splits": wide.high, "p": wide.p,
        "n_users": wide.n_users, "by_split": wide.by_split,
        # what would have been found with four chances in five
        "detectable": float(half * (1 + 0.84 / 1.96) / base),
    }  # fmt: skip


def joined(common: dict, arms: dict[str, dict[int, dict]]) -> list[dict]:
    """What the mean of the members' scores is worth less the members alone."""
    if not {"ensemble", "members alone"} <= arms.keys():
        return []
    parts = {name: long(arms[name]) for name in ("ensemble", "members alone")}
    found = gap(parts["ensemble"], parts["members alone"])
    return [{**common, "model": "ensemble", "to": "members alone", **found}]


def write(output: Path, keep: Path) -> pd.DataFrame:
    """Everything that is kept, as one file."""
    cells: dict[tuple, dict[str, dict[int, dict]]] = {}
    digests = json.loads((keep / "digests.json").read_text(encoding="utf-8"))
    for file in sorted(keep.glob("*@*.json")):
        name, start, share, seed, arm = file.stem.split("@")
        held = json.loads(file.read_text(encoding="utf-8"))
        cells.setdefault((name, start, float(share)), {}).setdefault(arm, {})[int(seed)] = held
    records, differences, ensembles = [], [], []
    for (name, start, share), arms in sorted(cells.items()):
        common = {"set": name, "split": "cold_item", "start": start, "share": share}
        common |= {
            "dataset_digest": digests[name],
            "trials": len(next(iter(arms["none"].values()))["valid"]),
        }
        some, more = summary(common, {a: arms[a] for a in ARMS if a in arms})
        records, differences = records + some, differences + more
        ensembles += joined(common, arms)
    content = {
        "records": records,
        "differences": differences,
        "ensembles": ensembles,
        "protocol": "text_dot, language model frozen; trials on each split's validation part; no refit",
        "interval": f"95 %: low and high over users ({DRAWS:,} bootstrap draws of values averaged over "
        "splits), *_over_splits over users and splits; p from these, Holm within a set, start and share",
        "detectable": "relative difference found with power 0.8, from the interval over users and splits",
        "arms": ARMS, "rates": RATES, "members": MEMBERS,
        "device": "cpu", "versions": versions(), "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return pd.DataFrame(differences)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default="ml-100k")
    parser.add_argument("--starts", default="random,pretrained")
    parser.add_argument("--shares", default="0.01,0.1,1")
    parser.add_argument("--seeds", default="5,6,7")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--keep", type=Path, default=Path(".benchmarks") / "overfitting")
    parser.add_argument("--output", type=Path, default=Path("results") / "overfitting.json")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    args.keep.mkdir(parents=True, exist_ok=True)
    known = args.keep / "digests.json"
    table = pd.DataFrame()
    for name in args.sets.split(","):
        ds = load(name)
        digests = json.loads(known.read_text(encoding="utf-8")) if known.is_file() else {}
        known.write_text(json.dumps(digests | {name: ds.digest}), encoding="utf-8")
        for share in args.shares.split(","):
            for start in args.starts.split(","):
                for seed in map(int, args.seeds.split(",")):
                    for arm in args.arms.split(","):
                        file = args.keep / f"{name}@{start}@{share}@{seed}@{arm}.json"
                        if file.is_file():
                            continue
                        held = run(ds, TEXTS[name], start, float(share), seed, arm, args.trials)
                        file.write_text(json.dumps(held), encoding="utf-8")
                        mean = round(float(np.mean(held["values"])), 4)
                        print(
                            name,
                            start,
                            share,
                            seed,
                            arm,
                            round(max(held["valid"]), 4),
                            mean,
                            held["seconds"],
                            flush=True,
                        )
                table = write(args.output, args.keep)
    if len(table):
        columns = [
            "start",
            "share",
            "model",
            "difference",
            "relative",
            "low",
            "high",
            "low_over_splits",
            "high_over_splits",
            "p_holm",
        ]
        print(table[columns].round(4).to_string(index=False))


if __name__ == "__main__":
    main()
