"""Months of learning: a model left alone, kept up day by day, or fitted anew, and what each way reaches and costs.

    RECNB_DATA=folder python benchmarks/continual.py [--data grocery,ml-100k] [--seeds 0,1,2]
        [--models transitions,sasrec,popularity,recent_popularity,ease]

Data: `grocery`, 700 households and the 1,350 products that most have; the clock starts after half a year and takes
182 daily steps, judged every 14 days on the week that follows, one list a household for its new products of that week.
`ml-100k`: people come, rate films on one evening and go, so every liked film is judged with all that the person rated
before (at most 200 people a judgement); the clock starts after 60 days and takes 140 daily steps, judged every 14 days
on the 14 days that follow.

Models: `transitions` (stale, exact counts each day, a new fit each day), `sasrec` of width 32 with free vectors
(stale, fine-tuned daily, with replay, an adapter a month of 28 days, a new fit each month, a new fit each day) and,
fitted anew each day, `popularity`, `recent_popularity` and `ease`. A new fit each day is computed at the judgements
alone, since what happens between them changes none; its cost is counted for every day. The epochs of `sasrec` are
chosen once, on the 28 days before the start. A tenth of the users is never learned from: what the last model reaches
on their earlier weeks, less what the model of that week reached, is what was forgotten.

NDCG@10. Intervals over users and judgements (`recnb.metrics.over_splits`), those of values between 0 and 1. Every
finished (data, model, way, seed) is kept in `.benchmarks/continual` and not computed again; results go to
`results/continual.json` after each, where a model that was measured on another machine stays until it is measured here.
The last line is `ratio: X`: the seconds of the daily new fit of `sasrec` over those of the cheapest way within 2 % of
its value on the first data set (1 where none is).
"""

from __future__ import annotations

import argparse
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from published_tables import with_earlier

from recnb import Protocol, load, make
from recnb.data import Dataset
from recnb.files import write_json
from recnb.recommender import Recommender
from recnb.study import Clock, Run, Way, compared, over_time
from recnb.versions import versions

KEPT = Path(".benchmarks") / "continual"
DAY = 86_400.0
MONTH = 28
STEPS = {"grocery": 182, "ml-100k": 140}
SASREC: dict[str, Any] = {"width": 32, "n_layers": 1, "length": 50, "dropout": 0.2}
_TUNED: dict[str, Any] = {"epochs": 2, "lr": 5e-4}
WAYS: dict[str, dict[str, Way]] = {
    "transitions": {"stale": Way("stale"), "count": Way("count"), "refit": Way("refit")},
    "sasrec": {
        "stale": Way("stale"),
        "finetune": Way("finetune", settings=_TUNED),
        "replay": Way("replay", settings=_TUNED),
        "adapter": Way("adapter", fresh=MONTH, settings={**_TUNED, "lr": 2e-3}),
        "refit, monthly": Way("refit", every=MONTH),
        "refit": Way("refit"),
    },
    "popularity": {"refit": Way("refit")},
    "recent_popularity": {"refit": Way("refit")},
    "ease": {"refit": Way("refit")},
}


def loaded(name: str) -> tuple[Dataset, Clock, Protocol, int | None]:
    """Data, clock, what is asked, and of how many users at a time."""
    ds = load(name)
    if name == "ml-100k":
        ds = ds.to_implicit()  # what is liked, as the models read it
        start = ds.interactions["timestamp"].min() + 60 * DAY
        clock = Clock(float(start), 1, STEPS[name], 14, 14)
        return ds, clock, Protocol(k=10, metrics=("ndcg",), draws=1000, next_event=True), 200
    counts = np.sort(np.asarray(ds.pairs().sum(axis=0)).ravel())
    ds = ds.k_core(user=1, item=max(1, int(counts[-1350]))).sample_users(700, seed=0)
    start = ds.interactions["timestamp"].min() + 180 * DAY
    return ds, Clock(float(start), 1, STEPS[name], 14, 7), Protocol(10, ("ndcg",), draws=1000), None


def settled(name: str, model: str, ds: Dataset, clock: Clock) -> Recommender:
    """The model; epochs of `sasrec` chosen on the month before the start, and kept."""
    if model != "sasrec":
        return make(model)
    file = KEPT / name / "epochs.json"
    if not file.is_file():
        times = ds.interactions["timestamp"].to_numpy()
        before, month = clock.start - MONTH * DAY, times < clock.start
        fitted = make("sasrec", **SASREC).fit(
            ds.rows(times < before), ds.rows((times >= before) & month)
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"n_epochs": fitted.n_epochs_})  # type: ignore[attr-defined]
        print(f"  {name}: {fitted.n_epochs_} epochs", flush=True)  # type: ignore[attr-defined]
    return make("sasrec", **SASREC, **json.loads(file.read_text(encoding="utf-8")))


def run_of(name: str, model: str, label: str, seed: int) -> Run:
    """One way through the clock, kept."""
    file = KEPT / name / f"{model}-{label}-{seed}.json".replace(", ", "-")
    if file.is_file():
        return Run.from_dict(json.loads(file.read_text(encoding="utf-8")))
    ds, clock, protocol, most = loaded(name)
    way = WAYS[model][label]
    unfitted = settled(name, model, ds, clock)
    run = over_time(unfitted, ds, clock, way, protocol, 0.1, seed, most)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, run.to_dict())
    mean = run.by_step()["value"]
    said = f"{mean.mean():.4f}, {run.seconds:.1f} s"
    print(f"  {name} {model}, {label}, seed {seed}: {said}", mean.round(3).tolist(), flush=True)
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="grocery,ml-100k")
    parser.add_argument("--models", default=",".join(WAYS))
    parser.add_argument("--ways", default="", help="with commas; all by default")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--output", default="results")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    seeds = [int(seed) for seed in args.seeds.split(",")]
    for name in args.data.split(","):
        print(name, loaded(name)[0], flush=True)
        for model in args.models.split(","):
            for label in WAYS[model]:
                if args.ways and label not in args.ways.split(","):
                    continue
                for seed in seeds if make(model).seeded else [0]:
                    run_of(name, model, label, seed)
                write(Path(args.output) / "continual.json")
    print(f"ratio: {write(Path(args.output) / 'continual.json'):.1f}")


def write(file: Path) -> float:
    """All that is finished, as a results file."""
    records, months, forgotten = [], [], []
    ratios = {}
    for name in STEPS:
        for model, ways in WAYS.items():
            runs = {label: finished(name, model, label) for label in ways}
            runs = {label: held for label, held in runs.items() if held}
            if "refit" not in runs:
                continue
            table = compared(runs, to="refit").rename(columns={"model": "way"})
            for row in table.to_dict("records"):
                seeds = len(runs[row["way"]])
                cell = {"data": name, "model": model, "metric": "ndcg", "k": 10, "seeds": seeds}
                records.append({**cell, "to": "refit", **row})
            for label, held in runs.items():
                for step in sorted(held[0].values["step"].unique()):
                    at = [run.values.groupby("step")["value"].mean()[step] for run in held]
                    months.append({"data": name, "model": model, "way": label, "day": int(step),
                                   "value": float(np.mean(at)), "seeds": len(held)})  # fmt: skip
                for number, run in enumerate(held):
                    lost = run.forgetting().to_dict("records")
                    forgotten += [
                        {"data": name, "model": model, "way": label, "run": number, **row}
                        for row in lost
                    ]
            if model == "sasrec":
                near = table[table["share"] >= 0.98]
                cheapest = near["seconds"].clip(lower=1e-3).min()
                ratios[name] = float(table.query("way == 'refit'")["seconds"].iloc[0] / cheapest)
    found = {
        "records": json.loads(json.dumps(records).replace("NaN", "null")),
        "over_time": months,
        "forgetting": forgotten,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(
        file,
        {
            "what": "a model through the months: stale, kept up, or fitted anew",
            "device": "cpu",
            "date": datetime.now(UTC).date().isoformat(),
            "versions": versions(),
            "sasrec": SASREC,
            "steps": STEPS,
            **with_earlier(file, found, ("data", "model")),
        },
    )
    return next(iter(ratios.values()), 1.0)


def finished(name: str, model: str, label: str) -> list[Run]:
    stem = f"{model}-{label}".replace(", ", "-")
    files = sorted((KEPT / name).glob(f"{stem}-[0-9]*.json"))
    return [Run.from_dict(json.loads(file.read_text(encoding="utf-8"))) for file in files]


if __name__ == "__main__":
    main()
