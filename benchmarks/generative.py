"""What the ids of a generative model are made of: text, interactions, nothing; beside transitions and popularity.

    RECNB_DATA=folder python benchmarks/generative.py [--data movies,beauty] [--arms text,random] [--seeds 0,1,2]
        [--minutes 60] [--like text]

Data and splits are those of `published_tables.py`: MovieLens-100K with the last row of each user (`movies`), Amazon
Beauty 2014, each user's last row (`beauty`). `tiger` generates the id of the next item; the arms differ in what an id
is made of, and in nothing else:

 - text: residual k-means of what a frozen language model says of the item's text;
 - interactions: of its factors in the training pairs;
 - random: drawn codes, which say nothing;
 - hybrid: ids from text, and the dense vectors of the same texts scored beside the generated ids.

For each arm: every candidate of its task is fitted for CANDIDATE_EPOCHS epochs with seed 0, and the best NDCG@10 on the
valid rows decides; a fit with early stopping, seed 0, says for how many epochs; then each seed is fitted on train and
valid and ranks the whole catalogue less the known items. `--like text` takes settings and epochs that were chosen for
text instead, which costs a control nothing but its fits. `share`: of what text ids have over popularity, the part that
random ids have not, (text - random) / (text - popularity), resampled over users.

What is finished lies in `.benchmarks/generative` and is not computed again; a fit that is cut goes on from its last
epoch. Results go to `results/generative.json`, where an arm that was measured on another machine stays until it is
measured here. The last line is `ratio: X`: NDCG@10 of text ids over transitions on the last data set that has both.
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
from published_tables import KEPT as TABLES
from published_tables import load, recorded_settings, with_earlier
from sequential_training import by_groups, corrected, kept_users, thirds
from sklearn.base import clone

from recnb import evaluate
from recnb.data import Split
from recnb.evaluation import Protocol
from recnb.files import write_json
from recnb.metrics import bootstrap, clustered, paired
from recnb.models import make
from recnb.recommender import Recommender
from recnb.versions import versions

KEPT = Path(".benchmarks") / "generative"
OUTPUT = Path("results") / "generative.json"
PROTOCOL = Protocol(k=(5, 10), metrics=("ndcg", "recall"), draws=2000)
COLUMNS = ("ndcg@5", "ndcg@10", "recall@5", "recall@10")
DRAWS, HEADLINE, TO = 2000, COLUMNS.index("ndcg@10"), "transitions"
CANDIDATE_EPOCHS = 4
ARMS: dict[str, str] = {
    "text": "tiger",
    "random": "tiger[ids=random]",
    "interactions": "tiger[ids=interactions]",
    "hybrid": "tiger_dense",
}
# Of each task: its data, what all arms share, and what they choose from.
TASKS: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]] = {
    "movies": (
        "ml-100k",
        {"length": 100, "batch_size": 64, "n_codes": 64, "width": 64, "n_heads": 2, "n_epochs": 40},
        [{"lr": 1e-3, "dropout": 0.2}, {"lr": 2e-3, "dropout": 0.4}],
    ),
    "beauty": (
        "amazon-beauty-2014",
        {"batch_size": 128, "n_codes": 256, "n_epochs": 30, "patience": 4},
        [{"lr": 1e-3, "dropout": 0.2}, {"lr": 2e-3, "dropout": 0.3}],
    ),
}
CLOCK = {"end": np.inf}


class OutOfTime(Exception):
    """No piece is begun any more."""


def finished(path: Path) -> dict[str, Any] | None:
    """What an earlier call left of a piece; where it left nothing, whether there is time for it."""
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    if time.monotonic() > CLOCK["end"]:
        raise OutOfTime
    path.parent.mkdir(parents=True, exist_ok=True)
    return None


def fitted(model: Recommender, split: Split, path: Path, chosen: bool) -> tuple[Any, float]:
    """A fit that goes on where it was cut, with its seconds (of this call)."""
    start = time.perf_counter()
    model = clone(model).set_params(checkpoint=str(path.with_suffix("")))
    model = model.fit(split.train, split.valid) if chosen else model.fit(split.known)
    return model, time.perf_counter() - start


def choice(task: str, arm: str, split: Split) -> dict[str, Any]:
    """Settings and epochs of an arm, from the valid rows alone."""
    _, shared, candidates = TASKS[task]
    tried = []
    for number, settings in enumerate(candidates):
        path = KEPT / task / f"{arm}-candidate{number}.json"
        one = finished(path)
        if one is None:
            short = {**shared, **settings, "n_epochs": CANDIDATE_EPOCHS}
            model, seconds = fitted(make(ARMS[arm], **short), split, path, True)
            values = [epoch["value"] for epoch in model.learning_]
            one = {"settings": settings, "valid": values, "seconds": seconds}
            write_json(path, one)
            print(task, arm, one, flush=True)
        tried.append(one)
    settings = max(tried, key=lambda one: max(one["valid"]))["settings"]
    path = KEPT / task / f"{arm}-epochs.json"
    found = finished(path)
    if found is None:
        model, seconds = fitted(make(ARMS[arm], **shared, **settings), split, path, True)
        found = {
            "settings": {**shared, **settings, **model.chosen()},
            "valid": [epoch["value"] for epoch in model.learning_],
            "seconds": seconds,
        }
        write_json(path, found)
        print(task, arm, found, flush=True)
    return {**found, "candidates": tried}


def judged(model: Recommender, split: Split, label: str) -> np.ndarray:
    """Values of a fitted model, (n_users, 4), users by their ids."""
    rows = evaluate({label: model}, split, PROTOCOL).per_user
    rows = rows.assign(column=rows["metric"] + "@" + rows["k"].astype(str))
    return rows.pivot(index="user_id", columns="column", values="value")[list(COLUMNS)].to_numpy()


def taken(task: str, arm: str, like: str) -> dict[str, Any]:
    """The choice of another arm, for this one."""
    file = KEPT / task / f"{like}-epochs.json"
    if not file.is_file():
        print(f"--like {like}: nothing is chosen for it on {task} yet")
        sys.exit(2)
    settings = json.loads(file.read_text(encoding="utf-8"))["settings"]
    found = {"settings": settings, "valid": [], "seconds": 0.0, "like": like}
    write_json(KEPT / task / f"{arm}-epochs.json", found)
    return found


def measure(task: str, arm: str, split: Split, seeds: list[int], like: str) -> None:
    """One arm: choice, then every seed on the test rows."""
    found = taken(task, arm, like) if like else choice(task, arm, split)
    model = make(ARMS[arm], **found["settings"])
    for seed in seeds:
        path = KEPT / task / f"{arm}-{seed}.json"
        if finished(path) is not None:
            continue
        one, seconds = fitted(model.set_params(seed=seed), split, path, False)
        start = time.perf_counter()
        values = judged(one, split, arm)
        np.save(path.with_suffix(".npy"), values)
        about: dict[str, Any] = {
            "fit_seconds": seconds, "judge_seconds": time.perf_counter() - start,
            "parameters": list(one.parameters()), "collisions": one.identifiers().collisions,
            **dict(zip(COLUMNS, values.mean(axis=0).tolist())),
        }  # fmt: skip
        write_json(path, about)
        print(task, arm, seed, about, flush=True)


def simple(task: str, split: Split) -> dict[str, np.ndarray]:
    """Values of popularity and of transitions, with the settings that `published_tables.py` found."""
    out = {}
    for name in ("popularity", TO):
        path = KEPT / task / f"{name}.npy"
        if not path.is_file():
            settings: dict[str, Any] = {}
            for search in sorted((TABLES / TASKS[task][0]).glob(f"search-{name}-*.json")):
                settings = json.loads(search.read_text(encoding="utf-8"))["settings"]
            path.parent.mkdir(parents=True, exist_ok=True)
            model = make(name, **settings or recorded_settings(TASKS[task][0], name))
            np.save(path, judged(model.fit(split.known), split, name))
        out[name] = np.load(path)
    return out


def summary(task: str, split: Split) -> dict[str, Any]:
    """What is finished of a task: records, differences, the share of content."""
    data, place = TASKS[task][0], KEPT / task
    values = simple(task, split)
    arms: dict[str, list[dict[str, Any]]] = {}
    for arm in ARMS:
        files = [p for p in sorted(place.glob(f"{arm}-[0-9].json")) if p.is_file()]
        if files:
            arms[arm] = [json.loads(p.read_text(encoding="utf-8")) for p in files]
            values[arm] = np.mean([np.load(p.with_suffix(".npy")) for p in files], axis=0)
    records, differences, shares = [], [], []
    for name, table in values.items():
        fits = arms.get(name, [])
        low, high = bootstrap(table, draws=DRAWS)
        for at, column in enumerate(COLUMNS):
            record = {
                "data": data, "model": name, "metric": column, "value": float(table[:, at].mean()),
                "low": float(low[at]), "high": float(high[at]), "n_users": len(table), "seeds": max(1, len(fits)),
                "by_seed": [fit[column] for fit in fits],
            }  # fmt: skip
            if fits:
                record["fit_seconds"] = float(np.mean([fit["fit_seconds"] for fit in fits]))
                record["parameters"] = fits[0]["parameters"]
                record["collisions"] = fits[0]["collisions"]
            records.append(record)
    compared = {name: table[:, HEADLINE] for name, table in values.items()}
    trained = kept_users(task)  # of `sequential_training.py`, where it was there
    if trained is not None:
        compared["sasrec"] = trained.reindex(judged_users(split)).to_numpy()
    for to in (TO, "sasrec", "text"):
        others = [name for name in arms if name != to] if to in compared else []
        for name in others:
            pair = paired(compared[name], compared[to], DRAWS)
            differences.append(
                {
                    "data": data, "model": name, "to": to, "metric": "ndcg@10",
                    "difference": pair.difference, "low": pair.low, "high": pair.high,
                    "p": pair.p, "n_users": pair.n,
                }
            )  # fmt: skip
    groups = by_group(data, values, split) if "text" in values else []
    for control in ("random", "interactions"):
        if control in values and "text" in values:
            shares.append({"data": data, "control": control, **content(values, control)})
    choices = [
        {
            "data": data, "model": arm, **json.loads(p.read_text(encoding="utf-8")),
            "candidates": [
                json.loads(one.read_text(encoding="utf-8"))
                for one in sorted(place.glob(f"{arm}-candidate*.json"))
            ],
        }
        for arm in ARMS
        for p in place.glob(f"{arm}-epochs.json")
    ]  # fmt: skip
    return {
        "records": records, "differences": differences, "groups": groups, "shares": shares, "choices": choices,
    }  # fmt: skip


def judged_users(split: Split) -> np.ndarray:
    """Ids of the users of :func:`judged`, in its order."""
    return np.sort(split.dataset.user_ids[split.test.interactions["user"].unique()])


def by_group(data: str, values: dict[str, np.ndarray], split: Split) -> list[dict[str, Any]]:
    """Text ids less transitions and less each control, for parts of the users."""
    users, groups = judged_users(split), thirds(split, False)
    of = {name: pd.Series(table[:, HEADLINE], users) for name, table in values.items()}
    return [
        {"data": data, "model": "text", "to": to, **one}
        for to in (TO, "random", "interactions")
        if to in of
        for one in by_groups(of["text"], of[to], groups)
    ]


def content(values: dict[str, np.ndarray], control: str) -> dict[str, float]:
    """Of what text ids have over popularity, the part that the control's ids have not."""
    text, other, least = (values[n][:, HEADLINE] for n in ("text", control, "popularity"))

    def share(weights: np.ndarray) -> float:
        gain = weights @ (text - least)
        return float(weights @ (text - other) / gain) if gain > 0 else np.nan

    low, high = clustered(share, np.arange(len(text)), DRAWS)
    return {"share": share(np.ones(len(text))), "low": low, "high": high, "n_users": len(text)}


def write(tasks: dict[str, Split]) -> None:
    """All that is finished, of every task that was ever begun."""
    parts = [
        summary(task, tasks.get(task) or load(TASKS[task][0]))
        for task in TASKS
        if task in tasks or (KEPT / task).is_dir()
    ]
    lists = {key: [row for part in parts for row in part[key]] for key in parts[0]}
    lists = with_earlier(OUTPUT, lists, ("data", "model", "to", "by", "control"))
    corrected(lists["differences"], "data", "to")
    write_json(
        OUTPUT,
        {
            "what": "what the ids of a generative model are made of, next item, leave one out",
            "chosen": f"on the valid rows: {CANDIDATE_EPOCHS} epochs of each candidate, then the number of epochs",
            "interval": f"95 % percentile bootstrap over users, {DRAWS:,} draws; seeds averaged per user",
            "device": "cpu, one thread",
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "versions": versions(),
            "arms": ARMS,
            **lists,
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", default=",".join(TASKS), help="of " + ", ".join(TASKS))
    parser.add_argument("--arms", default=",".join(ARMS), help="of " + ", ".join(ARMS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument(
        "--minutes", type=float, default=np.inf, help="begin no piece after so many"
    )
    parser.add_argument("--like", default="", choices=["", *ARMS], help="take this arm's settings")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    CLOCK["end"] = time.monotonic() + 60 * args.minutes
    for name, known in (("data", TASKS), ("arms", ARMS)):
        unknown = [part for part in getattr(args, name).split(",") if part not in known]
        if unknown:
            print(f"--{name} {unknown[0]}: one of {', '.join(known)}")
            sys.exit(2)
    tasks = {task: load(TASKS[task][0]) for task in args.data.split(",")}
    # the first seed of every arm before the others
    asked = [int(seed) for seed in args.seeds.split(",")]
    for seeds in (asked[:1], asked):
        for task, split in tasks.items():
            for arm in args.arms.split(","):
                try:
                    measure(task, arm, split, seeds, args.like)
                except OutOfTime:
                    print(f"left: {task} {arm} seeds {seeds}", flush=True)
                else:
                    write(tasks)
    write(tasks)
    records = json.loads(OUTPUT.read_text(encoding="utf-8"))["records"]
    best = {(r["data"], r["model"]): r["value"] for r in records if r["metric"] == "ndcg@10"}
    both = [data for data, model in best if model == "text" and (data, TO) in best]
    print(f"ratio: {best[both[-1], 'text'] / best[both[-1], TO]:.3f}" if both else "ratio: nan")


if __name__ == "__main__":
    main()
