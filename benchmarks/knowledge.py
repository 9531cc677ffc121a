"""What is known of the items, three ways: spread along a graph, told in the sentence, walked as reasons and rules.

    RECNB_DATA=folder python benchmarks/knowledge.py [--data ml-100k,amazon-office-2018,grocery]
        [--parts warm,cold,reasons,rules] [--seeds 0,1,2] [--trials 6]

Data: `ml-100k` (genres, directors, cast, year; the series of a film by its title), `amazon-office-2018` (brand),
`grocery` (category, department, manufacturer, size; 800 households, the 1,350 products that most have).

`warm`: `user_time` splits, as many model seeds as `--seeds`. `cold`: `cold_item` splits, a draw of new items a seed,
ranked among themselves. Models: popularity, EASE, attributes as coordinates, the frozen encoder on the title alone and
on title and attributes, LightGCN on who likes what (`lightgcn`), with attribute nodes (`lightgcn_attributes`), with
edges between items taken together besides (`lightgcn_together`), and the control: attribute nodes whose values were
handed to other items (`lightgcn_shuffled`). Settings of every model that has some are chosen on the valid rows of the
first `user_time` split with the same number of trials.

`reasons`: how many of the ten listed items a path user, liked item, value, item reaches, beside ten random items; and
how far the first listed item falls, in standard deviations of the user's scores, when the liked item that the reason
names is taken out of the history, less the same for another liked item. `rules`: not two of one kind in a list, as a
price at ranking and as a term of the loss: kinds repeated in a list of ten against NDCG@10.

Every finished (data, part, seed, model) is kept in `.benchmarks/knowledge` and not computed again. Results go to
`results/knowledge.json`, data set by data set. Intervals are over users and seeds or draws
(`recnb.metrics.over_splits`). The last line is `ratio: X`: NDCG@10 of `lightgcn_attributes` over `lightgcn` on the new
items of the first data set.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recnb import Protocol, Text, evaluate, load, make, search, splits, top_k
from recnb.data import Dataset, Split
from recnb.files import write_json
from recnb.metrics import over_splits
from recnb.models import Apart, Paths, kinds_of, random_reasons, reliance, repeated_kinds, series_of
from recnb.recommender import Recommender
from recnb.versions import versions

KEPT = Path(".benchmarks") / "knowledge"
PROTOCOL = Protocol(k=10, metrics=("ndcg", "recall"), draws=1000)
PRICES = (0.0, 0.25, 0.5, 1.0, 2.0, np.inf)
WEIGHTS = (0.0, 1.0, 10.0, 100.0)


@dataclass(frozen=True)
class Set:
    """A data set, the columns that are read, and the column of the rule."""

    columns: tuple[str, ...]
    rule: str
    words: tuple[str, ...] = ("title",)


SETS = {
    "ml-100k": Set(("genres", "directors", "cast", "year"), "series"),
    "amazon-office-2018": Set(("brand",), "brand"),
    "grocery": Set(("category", "department", "manufacturer", "size"), "category"),
}


def loaded(name: str) -> Dataset:
    """The data, with a column of series for films and, for the control, the columns of other items."""
    ds = load(name)
    if name == "grocery":
        counts = np.sort(np.asarray(ds.pairs().sum(axis=0)).ravel())
        ds = ds.k_core(user=1, item=max(1, int(counts[-1350]))).sample_users(800, seed=0)
    items = ds.items.copy()
    if name == "ml-100k":
        items["series"] = series_of(items["title"].tolist())
    other = np.random.default_rng(0).permutation(len(items))
    for column in SETS[name].columns:
        items[f"other_{column}"] = items[column].to_numpy()[other]
    return replace(ds, items=items)


def models(name: str) -> dict[str, Recommender]:
    """The rows of the table."""
    about = SETS[name]
    others = tuple(f"other_{column}" for column in about.columns)
    graph = partial(make, "lightgcn_attributes")
    return {
        "popularity": make("popularity"),
        "ease": make("ease"),
        "attributes": make("attributes", columns=about.columns),
        "text_frozen, title": make("text_frozen", text=Text(*about.words)),
        "text_frozen, title and attributes": make(
            "text_frozen", text=Text(*about.words, *about.columns)
        ),
        "lightgcn": make("lightgcn"),
        "lightgcn_attributes": graph(columns=about.columns),
        "lightgcn_together": graph(columns=about.columns, together=10),
        "lightgcn_shuffled": graph(columns=others),
    }


def divided(ds: Dataset, part: str, seed: int) -> Split:
    return splits.cold_item(ds, seed=seed) if part == "cold" else splits.user_time(ds)


def kept(name: str, what: str) -> Path:
    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{what}.json"


def settled(name: str, label: str, model: Recommender, ds: Dataset, trials: int) -> Recommender:
    """The model with settings chosen on the valid rows of the `user_time` split."""
    space = model.search_space() if hasattr(model, "search_space") else {}
    if not space or not trials:
        return model
    file = kept(name, f"search-{label}-{trials}")
    if not file.is_file():
        best = search(model, splits.user_time(ds), trials, seed=0, protocol=PROTOCOL, users=1000)
        write_json(file, {key: best.get_params()[key] for key in space})
    return clone(model).set_params(**json.loads(file.read_text(encoding="utf-8")))


def judge(name: str, ds: Dataset, part: str, seed: int, trials: int) -> dict[str, Any]:
    """Values per user of every model on one split."""
    file = kept(name, f"{part}-{seed}")
    out: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    split = None
    for label, model in models(name).items():
        if label in out:
            continue
        split = divided(ds, part, seed) if split is None else split
        start = time.perf_counter()
        ev = evaluate({label: settled(name, label, model, ds, trials)}, split, PROTOCOL, (seed,))
        shelf = "shelf" if part == "cold" else "catalogue"
        values = ev.per_user[ev.per_user["candidates"] == shelf]
        out[label] = {"seconds": time.perf_counter() - start}
        for metric in PROTOCOL.metrics:
            one = values[values["metric"] == metric]
            out[label][metric] = {
                "users": one["user_id"].astype(str).tolist(),
                "values": one["value"].round(7).tolist(),
            }
        write_json(file, out)
        mean = float(np.mean(out[label]["ndcg"]["values"]))
        print(
            f"  {name} {part} {seed} {label}: {mean:.4f}, {out[label]['seconds']:.0f} s", flush=True
        )
    return out


def table(name: str, part: str, runs: dict[int, dict[str, Any]]) -> tuple[list[dict], list[dict]]:
    """Values and differences over seeds, with intervals."""
    records, differences = [], []
    common = {"data": name, "split": "cold_item" if part == "cold" else "user_time", "k": 10}
    labels = [label for label in models(name) if all(label in run for run in runs.values())]
    for metric in PROTOCOL.metrics:
        held = {
            label: pd.concat(
                pd.DataFrame(run[label][metric]).assign(seed=seed) for seed, run in runs.items()
            )
            for label in labels
        }
        for label, frame in held.items():
            found = over_splits(frame["values"], frame["users"], frame["seed"])
            seconds = float(np.mean([run[label]["seconds"] for run in runs.values()]))
            records.append(
                {**common, "model": label, "metric": metric, **spread(found), "seconds": seconds}
            )
        pairs = [(a, b) for a, b in PAIRS if a in held and b in held]
        for a, b in pairs if metric == "ndcg" else []:
            both = held[a].merge(held[b], on=["users", "seed"], suffixes=("", "_b"))
            found = over_splits(both["values"] - both["values_b"], both["users"], both["seed"])
            row = {**common, "model": a, "to": b, "metric": metric, **spread(found), "p": found.p}
            row["difference"] = row.pop("value")
            differences.append(row)
    return records, differences


PAIRS = (
    ("lightgcn_attributes", "lightgcn"),
    ("lightgcn_together", "lightgcn_attributes"),
    ("lightgcn_attributes", "lightgcn_shuffled"),
    ("lightgcn_attributes", "text_frozen, title and attributes"),
    ("text_frozen, title and attributes", "text_frozen, title"),
    ("attributes", "text_frozen, title and attributes"),
    ("lightgcn_attributes", "ease"),
)


def spread(found: Any) -> dict[str, Any]:
    return {"value": found.value, "low": found.low, "high": found.high, "n_users": found.n_users}


def reasons(name: str, ds: Dataset, trials: int) -> list[dict[str, Any]]:
    """How many listed items a path reaches, and whether the score stands on it."""
    file = kept(name, "reasons")
    if file.is_file():
        return json.loads(file.read_text(encoding="utf-8"))
    split = splits.user_time(ds)
    known, columns = split.known, SETS[name].columns
    paths, liked = Paths(ds.items, columns), split.known.positives()
    users = np.flatnonzero(np.diff(liked.indptr) > 4)[:500]
    rng = np.random.default_rng(0)
    drawn = np.stack([rng.choice(ds.n_items, 10, replace=False) for _ in users])
    chance = paths.strength(liked[users], drawn)
    out = []
    for label in ("ease", "attributes", "text_frozen, title and attributes", "lightgcn_attributes"):
        model = settled(name, label, models(name)[label], ds, trials).fit(known)
        lists = top_k(model, users, k=10, exclude=known)
        strength = paths.strength(liked[users], lists)
        ways = [paths.between(liked[u].indices, i, 1) for u, i in zip(users, lists[:, 0])]
        some = np.array([bool(way) for way in ways])
        named = np.array([way[0].item for way in ways if way])
        who, first = users[some], lists[some, 0]
        others = random_reasons(known, who, named)
        falls = reliance(model, known, who, first, named)
        other = reliance(model, known, who, first, others)
        gap = over_splits(falls - other, who, np.zeros(len(who)))
        out.append(
            {
                "data": name,
                "model": label,
                "reached": float((strength > 0).mean()),
                "reached_at_random": float((chance > 0).mean()),
                "weight": float(strength[strength > 0].mean()),
                "weight_at_random": float(chance[chance > 0].mean()),
                "fall": float(falls.mean()),
                "fall_of_another": float(other.mean()),
                "difference": gap.value,
                "low": gap.low,
                "high": gap.high,
                "n_users": len(who),
            }
        )
        print(f"  {out[-1]}", flush=True)
    write_json(file, out)
    return out


def rules(name: str, ds: Dataset, trials: int, seed: int = 0) -> list[dict[str, Any]]:
    """Repeated kinds against quality, by the price at ranking and by the weight in training."""
    file = kept(name, f"rules-{seed}")
    out: list[dict[str, Any]] = json.loads(file.read_text()) if file.is_file() else []
    done = {(row["model"], row["where"], str(row["strength"])) for row in out}
    split, rule = splits.user_time(ds), SETS[name].rule
    kinds = kinds_of(ds.items[rule])

    def add(label: str, where: str, strength: float, model: Recommender) -> None:
        ev = evaluate({label: model}, split, PROTOCOL, (seed,))
        row = ev.table().query("metric == 'ndcg'").iloc[0]
        users = np.unique(ev.per_user["user_id"])
        codes = ds.users.index.get_indexer(users)
        counts = repeated_kinds(top_k(model, codes, k=10, exclude=split.known), kinds)
        cell = {k: float(row[k]) for k in ("value", "low", "high")}
        out.append(
            {"data": name, "model": label, "rule": rule, "where": where, "strength": str(strength),
             "metric": "ndcg", "k": 10, **cell, "n_users": int(row["n_users"]),
             "repeated": float(counts.mean()), "lists_with_a_repeat": float((counts > 0).mean())}
        )  # fmt: skip
        write_json(file, out)
        print(f"  {out[-1]}", flush=True)

    for label in ("ease", "lightgcn"):
        if all((label, "ranking", str(price)) in done for price in PRICES):
            continue
        fitted = settled(name, label, models(name)[label], ds, trials).fit(split.known)
        for price in PRICES:
            if (label, "ranking", str(price)) not in done:
                model = Apart.around(fitted, split.known, rule, price)
                add(label, "ranking", price, model)
    base = settled(name, "lightgcn", models(name)["lightgcn"], ds, trials)
    for weight in WEIGHTS:
        if ("lightgcn", "training", str(weight)) not in done:
            model = clone(base).set_params(rule=rule, rule_weight=weight, seed=seed)
            add("lightgcn", "training", weight, model.fit(split.known))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=",".join(SETS))
    parser.add_argument("--parts", default="warm,cold,reasons,rules")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--output", default="results")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    seeds, parts = [int(seed) for seed in args.seeds.split(",")], args.parts.split(",")
    file = Path(args.output) / "knowledge.json"
    names = ("records", "differences", "reasons", "rules")
    held = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    rows: dict[str, list[dict[str, Any]]] = {key: held.get(key, []) for key in names}
    for name in args.data.split(","):
        ds = loaded(name)
        print(ds, ds.digest, flush=True)
        for part in [p for p in ("warm", "cold") if p in parts]:
            runs = {seed: judge(name, ds, part, seed, args.trials) for seed in seeds}
            kind = "cold_item" if part == "cold" else "user_time"
            for key, new in zip(names, table(name, part, runs)):
                old = [r for r in rows[key] if (r["data"], r["split"]) != (name, kind)]
                rows[key] = [*old, *new]
        for key, run in (("reasons", reasons), ("rules", rules)):
            if key in parts:
                rows[key] = [r for r in rows[key] if r["data"] != name] + run(name, ds, args.trials)
        write_json(
            file,
            {
                "what": "what is known of the items: along a graph, in the sentence, as reasons and as rules",
                "device": "cpu",
                "date": datetime.now(UTC).date().isoformat(),
                "versions": versions(),
                "digests": {**held.get("digests", {}), name: ds.digest},
                "seeds": seeds,
                "trials": args.trials,
                **rows,
            },
        )
        held = json.loads(file.read_text(encoding="utf-8"))
    first = args.data.split(",")[0]
    cold = {
        r["model"]: r["value"]
        for r in rows["records"]
        if (r["data"], r["split"], r["metric"]) == (first, "cold_item", "ndcg")
    }
    if {"lightgcn", "lightgcn_attributes"} <= set(cold):
        print(f"ratio: {cold['lightgcn_attributes'] / max(cold['lightgcn'], 1e-9):.2f}")


if __name__ == "__main__":
    main()
