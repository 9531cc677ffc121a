"""Two stages on real data: what a second stage that reads text adds to EASE, what it costs, and how far it could reach.

    RECNB_DATA=folder python benchmarks/two_stages.py [--part stages|reading] [--models "ease>pair,ease>lm_yes"]
        [--data ml-100k,amazon-office-2018] [--splits user_time,global_time] [--seeds 0,1,2] [--users 150]
        [--valid-users 60] [--minutes 60]

stages: the best 100 items of EASE ranked by each second stage, its weight set on the validation part; paired
differences to EASE with Holm, the ceiling of the candidates, milliseconds a user of both stages. All rows train; of
those who could be judged so many people, drawn by a hash of their ids, are, since a decoder of 135M parameters takes
seconds for the candidates of one. `ease>[weight=0.3]lm_yes` has a weight that nobody chose: where validation switches
a second stage off, it says what that spared. `detectable` is the difference that a test at 5 % would find in four of
five such samples: (1.96 + 0.84) standard errors. Office Products have no clock, but a published division by one: that
is its `global_time`. A finished (model, seed) is kept in `.benchmarks` and not computed again; results are written
after each model, and no model is begun after so many minutes.
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
import re
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb import evaluate, load
from recnb.data import Split, splits
from recnb.data.catalog import find
from recnb.data.split import TEST
from recnb.data.text import Text
from recnb.evaluation import Protocol, Task
from recnb.files import write_json
from recnb.hashing import hash_ids, mix
from recnb.models import EASE, Rerank, SlateTagger, TextPair, make
from recnb.models.common.histories import Histories
from recnb.models.language.joint.drawing import Draws
from recnb.progress import listening
from recnb.study.store import DiskStore
from recnb.versions import versions

PROTOCOL = Protocol(k=10, metrics=("ndcg", "recall"), draws=2000)
KEPT = Path(".benchmarks") / "two_stages"
CANDIDATES = 100
TITLE_WORDS = 12  # that a decoder is told of a title
SLATES = 200


def said(line: str) -> None:
    print(line, flush=True)


def judged(name: str, rule: str, users: int) -> Split:
    """All rows to learn from, and test rows of so many people (0: of all)."""
    ds = load(name)
    if rule == "global_time" and ds.order != "timestamp":
        split = splits.predefined(
            ds
        )  # the division of its publisher, by a clock that is not published
    else:
        split = getattr(splits, rule)(ds)
    able = Task(split, PROTOCOL).users
    if not users or users >= len(able):
        return split
    chosen = able[np.argsort(mix(hash_ids(ds.user_ids)[able], seed=14), kind="stable")[:users]]
    kept = (split.part != TEST) | np.isin(ds.interactions["user"].to_numpy(), chosen)
    name = f"{rule}, {users} users"
    return replace(split, dataset=ds.rows(kept), part=split.part[kept], name=name)


def second_stages(names: list[str], data: str, valid_users: int) -> dict[str, Any]:
    """EASE, and EASE before each of the models named."""
    thing = {"ml-100k": "film"}.get(data, "product")
    text = Text("title", max_words=TITLE_WORDS)
    out: dict[str, Any] = {"popularity": make("popularity"), "ease": EASE()}
    for name in names:
        first, _, second = name.partition(">")
        fixed = ""
        if second.startswith("[weight="):
            fixed, _, second = second.removeprefix("[weight=").partition("]")
        asked = {"thing": thing, "text": text} if second.startswith("lm_") else {}
        if second == "lm_yes":
            asked["platt"] = (1.0, 0.0)  # a ranking needs no probabilities
        out[name] = Rerank(
            make(first),
            make(second, **asked),
            n=CANDIDATES,
            weight=float(fixed) if fixed else None,
            users=valid_users,
        )
    return out


def run_of(args: argparse.Namespace, name: str, rule: str, models: dict[str, Any]) -> Any:
    """One data set and split: what is finished comes from the folder."""
    split = judged(name, rule, args.users)
    store = DiskStore(KEPT / f"{name}-{rule}-{args.users}", split, PROTOCOL)
    seeds = tuple(int(s) for s in args.seeds.split(","))
    with listening(said=said):
        return evaluate(models, split, PROTOCOL, seeds, lambda w, *_: said(w), store)


def written(args: argparse.Namespace, name: str, rule: str, ev: Any) -> dict[str, Any]:
    """What is published of a run."""
    differences = plain(ev.compare(to="ease"))
    ease = next(r["value"] for r in plain(ev.table()) if r["model"] == "ease")
    for row in differences:  # its interval is 2 x 1.96 standard errors wide
        row["detectable"] = (1.96 + 0.84) * (row["high"] - row["low"]) / (2 * 1.96)
        row["relative"] = row["difference"] / ease
    weights = [
        {"model": r.model, "seed": r.seed, "weight": r.settings["weight"]}
        for r in ev.records
        if "weight" in r.settings
    ]
    return {
        "data": name,
        "dataset_digest": ev.settings["dataset"]["digest"],
        "protocol": rule,
        "split": ev.settings["split"]["digest"],
        "judged_users": ev.settings["split"]["judged_users"],
        "valid_users": args.valid_users,
        "seeds": [int(s) for s in args.seeds.split(",")],
        "records": plain(ev.table()),
        "differences": differences,
        "ceilings": plain(ev.ceilings),
        "weights": weights,
        "costs": plain(ev.costs),
    }


def key_of(run: dict[str, Any]) -> tuple[str, ...]:
    """One table: all its second stages have the same people and seeds."""
    return run["data"], run["protocol"], str(run["judged_users"]), str(run["seeds"])


def stages(args: argparse.Namespace, output: Path) -> dict[str, Any]:
    """EASE, and each second stage behind it: a model on all data sets before the next one."""
    runs: dict[tuple[str, ...], dict[str, Any]] = {}
    if output.is_file():
        for run in json.loads(output.read_text(encoding="utf-8"))["runs"]:
            runs[key_of(run)] = run
    end = time.monotonic() + 60 * args.minutes
    names, finished = re.split(r",(?![^\[]*\])", args.models), {}  # no comma within brackets
    for name, data, rule in product(names, args.data.split(","), args.splits.split(",")):
        if time.monotonic() > end:
            print(f"left: {data} {rule} {name}", flush=True)
            continue
        start = time.monotonic()
        before = finished.setdefault((data, rule), {})
        models = second_stages([*before, name], data, args.valid_users)
        ev = run_of(args, data, rule, models)
        before[name] = None
        run = written(args, data, rule, ev)
        runs[key_of(run)] = run
        print(data, rule, f"{time.monotonic() - start:.0f} s")
        print(ev.compare(to="ease").round(4).to_string(index=False))
        print(pd.DataFrame(run["weights"]).to_string(index=False))
        print(ev.ceilings.round(4).to_string(index=False), flush=True)
        write(output, summed(runs))
    return summed(runs)


def summed(runs: dict[tuple[str, ...], dict[str, Any]]) -> dict[str, Any]:
    """The runs, and the mean gain of the best second stage of each."""
    gains = []
    for run in runs.values():
        value = {r["model"]: r["value"] for r in run["records"] if r["metric"] == "ndcg"}
        seconds = [v for m, v in value.items() if ">" in m]
        gains += [max(seconds) / value["ease"]] if seconds else []
    language_models = {
        "pair, tagger": "all-MiniLM-L6-v2, 22M, two layers tuned by LoRA",
        "lm_yes, lm_likelihood": "SmolLM2-135M-Instruct, 135M, as it is, float32",
    }
    return {
        "benchmark": f"two stages: the best {CANDIDATES} of EASE ranked by a model that reads text",
        "language_models": language_models,
        "runs": [runs[key] for key in sorted(runs)],
        "ratio": float(np.mean(gains)),
    }


def reading(args: argparse.Namespace, output: Path) -> dict[str, Any]:
    """How far the probabilities are off, and how far a slate's order moves its ranking."""
    rows: list[dict[str, Any]] = []
    end = time.monotonic() + 60 * args.minutes
    pieces = product(args.seeds.split(","), args.data.split(","), (calibrated, tagged))
    for seed, name, measure in pieces:
        file = KEPT / "reading" / f"{measure.__name__}-{name}-{seed}.json"
        if not file.is_file():
            if time.monotonic() > end:
                print(f"left: {measure.__name__} {name} {seed}", flush=True)
                continue
            with listening(said=said):
                found = measure(judged(name, "user_time", 0), int(seed))
            write_json(file, found)
        for row in json.loads(file.read_text(encoding="utf-8")):
            rows.append({"data": name, "seed": int(seed), **row})
            print({k: v for k, v in rows[-1].items() if k != "report"}, flush=True)
        write(output, read_so_far(rows))
    return read_so_far(rows)


def read_so_far(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows, and the share of swapped pairs without shuffled training over that with it."""
    swapped = [
        [r["swapped"] for r in rows if r.get("shuffle") is shuffle] for shuffle in (False, True)
    ]
    ratio = float(np.mean(swapped[0]) / np.mean(swapped[1])) if all(swapped) else None
    what = "the pair model's probabilities, and the tagger's labels and orders"
    return {"benchmark": what, "records": rows, "ratio": ratio}


def calibrated(split: Split, seed: int) -> list[dict[str, Any]]:
    """The pair model's expected calibration error."""
    pair = TextPair(seed=seed).fit(split.train, split.valid)
    return [{"model": "pair", **pair.calibration_errors, "epochs": pair.n_epochs_}]


def tagged(split: Split, seed: int) -> list[dict[str, Any]]:
    """The tagger's labels and order, trained on slates with the popular items first, and on shuffled ones."""
    rows = []
    for shuffle in (False, True):
        tagger = SlateTagger(seed=seed, shuffle=shuffle).fit(split.train, split.valid)
        users, items, wanted = slates(tagger, split, seed)
        labels = {level: tagger.report(users, items, wanted, level) for level in ("item", "token")}
        moved = tagger.order_sensitivity(users, items, seed=seed)
        row = {"model": "tagger", "shuffle": shuffle, **moved, "epochs": tagger.n_epochs_}
        rows.append({**row, "report": labels})
    return rows


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


def write(output: Path, found: dict[str, Any]) -> None:
    """The results so far."""
    about = {
        "interval": "95 % percentile bootstrap over users, 2,000 draws; p by randomisation, Holm",
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    write_json(output, found | about)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", choices=("stages", "reading"), default="stages")
    parser.add_argument("--models", default="ease>pair,ease>lm_yes,ease>lm_likelihood,ease>tagger")
    parser.add_argument("--data", default="ml-100k,amazon-office-2018")
    parser.add_argument("--splits", default="user_time,global_time")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--users", type=int, default=150, help="of the test part; 0 = all")
    parser.add_argument("--valid-users", type=int, default=60, help="that choose the weight")
    parser.add_argument(
        "--minutes", type=float, default=np.inf, help="begin no model after so many"
    )
    parser.add_argument("--output")
    args = parser.parse_args()
    if any(find(name) is None for name in args.data.split(",")):
        print(f"{args.data}: set RECNB_DATA")
        sys.exit(2)
    name = {"stages": "two_stages", "reading": "joint_reading"}[args.part]
    output = Path(args.output or f"results/{name}.json")
    found = stages(args, output) if args.part == "stages" else reading(args, output)
    write(output, found)
    print(f"written to {output}")
    print(f"ratio: {found['ratio'] or np.nan:.3f}")


if __name__ == "__main__":
    main()
