"""One table for the Amazon sets of 2014: models without training beside the values that papers and others report.

    RECNB_DATA=folder python benchmarks/published_tables.py                      # all data, all rows
    RECNB_DATA=folder python benchmarks/published_tables.py --data amazon-beauty-2014 --rows transitions,vsknn
    RECNB_DATA=folder python benchmarks/published_tables.py --more "sasrec=sasrec[items=text]" --rows sasrec

Data: `amazon-beauty-2014`, `amazon-sports-2014`, `amazon-toys-2014` (5-core; each user's last row is test, the last but
one valid, by the column `split` of the folder), `amazon-office-2018` on the rows that are here (a part of the published
ones, without the users who were active early only; each test row is judged with the rows before it),
`amazon-games-2018` (each user's last row; nobody's table is known on it), and `ml-100k` with the last row of each user,
as `last_one` of its `splits.parquet` says.

Protocol: settings are chosen on the valid rows alone, with the same number of trials for every model that has
settings, by NDCG@10 over `--users` users (trial 0 is the defaults); then each model is fitted on train and valid and
ranks the whole catalogue less the user's known items. Recall@5, @10, NDCG@5, @10; one relevant item a user, so recall
is the hit rate. Intervals are 95 % bootstrap over users; differences are paired by user and corrected by Holm over the
rows of a set: to `transitions`, to the counting model with the best valid value, and to `sasrec` where it is measured.

Finished searches, fits and judgements are kept in `.benchmarks/published_tables` and not computed again. A row is one
line of ROWS; those of LEARNED are measured where `--rows` names them, others are added by `--more`. The results go to
`results/published_tables.json`, data set by data set. The last line is `ratio: X`: NDCG@10 on Beauty of
`transitions+itemknn` over the best of the published rows.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recnb import evaluate, search
from recnb.data import Dataset, Split, splits
from recnb.evaluation import Protocol
from recnb.files import write_json
from recnb.models import Blend, make
from recnb.recommender import Recommender
from recnb.study.store import DiskStore
from recnb.versions import versions

KEPT = Path(".benchmarks") / "published_tables"
PROTOCOL = Protocol(k=(5, 10), metrics=("ndcg", "recall"), draws=2000)
HEADLINE = Protocol(k=10, metrics=("ndcg",))
DATA = (
    "amazon-beauty-2014",
    "amazon-toys-2014",
    "amazon-sports-2014",
    "amazon-office-2018",
    "amazon-games-2018",
    "ml-100k",
)
NEXT = ("amazon-office-2018",)  # several test rows a user: each is judged with the rows before it
TO = "transitions"  # what differences are taken to


@dataclass(frozen=True)
class Row:
    """One model of the table: its name in the registry, or the rows that a blend joins, and how it is fitted.

    A blend joins its rows as they were tuned alone or, `together`, tunes the first alone and then the second within
    the blend, with as many trials each.

    `seeds` are those of a model that draws random numbers; `trials` replaces the common number where a fit is long, and
    then stands in the results.
    """

    spec: str = ""
    parts: tuple[str, ...] = ()
    together: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    trials: int | None = None


# Every item counts here: the sets have up to 18,357, most with few rows. float32 halves the time of the inverse.
_WHOLE = {"max_items": 20_000, "precision": "float32"}
ROWS: dict[str, Row] = {
    "popularity": Row("popularity"),
    "recent_popularity": Row("recent_popularity"),
    "itemknn": Row("itemknn"),
    "itemknn_recent": Row("itemknn_recent"),
    "ease": Row("ease", settings=_WHOLE),
    "ease_recent": Row("ease_recent", settings=_WHOLE),
    "sknn": Row("sknn"),
    "vsknn": Row("vsknn"),
    "transitions": Row("transitions"),
    "transitions+itemknn": Row(parts=("transitions", "itemknn")),
    "transitions+itemknn_recent": Row(parts=("transitions", "itemknn_recent")),
    "transitions+itemknn_recent together": Row(
        parts=("transitions", "itemknn_recent"), together=True
    ),
    "transitions+vsknn": Row(parts=("transitions", "vsknn")),
    "transitions+ease_recent": Row(parts=("transitions", "ease_recent")),
}
# Fits that take a while: only where `--rows` names them.
_READER = {"n_epochs": 60, "batch_size": 128}
LEARNED = {
    spec: Row(spec, settings=_READER, seeds=(0, 1, 2))
    for spec in ("sasrec", "sasrec[items=text]", "sasrec[items=both]", "sasrec[start=text]")
}
ROWS |= LEARNED

_GENREC = "reproduced: phonism/genrec"
_PAPER = "Rajput et al. (NeurIPS 2023), TIGER, its own table"
_MINI = "MiniOneRec's table, on all published rows"
_SAME = "measured on the same rows with another tool"
_OURS = "a first trial without search, constants set beforehand"
_K = ("recall@5", "recall@10", "ndcg@5", "ndcg@10")


def _values(*values: float) -> dict[str, float]:
    return dict(zip(_K, values))


# What others report, and where it is from. The values of phonism/genrec and of MiniOneRec are those of their tables.
PUBLISHED: dict[str, list[tuple[str, str, dict[str, float]]]] = {
    "amazon-beauty-2014": [
        ("TIGER", _PAPER, _values(0.0454, 0.0648, 0.0321, 0.0384)),
        ("SASRec", _GENREC, _values(0.0469, 0.0688, 0.0305, 0.0375)),
        ("HSTU", _GENREC, _values(0.0486, 0.0708, 0.0340, 0.0412)),
        ("TIGER", _GENREC, _values(0.0465, 0.0721, 0.0297, 0.0378)),
        ("LC-Rec", _GENREC, _values(0.0525, 0.0791, 0.0352, 0.0438)),
        ("counts and item cosine", _OURS, _values(0.0669, 0.0892, 0.0489, 0.0560)),
    ],
    "amazon-sports-2014": [
        ("TIGER", _PAPER, _values(0.0264, 0.0400, 0.0181, 0.0225)),
        ("SASRec", _GENREC, _values(0.0249, 0.0373, 0.0145, 0.0185)),
        ("HSTU", _GENREC, _values(0.0243, 0.0365, 0.0168, 0.0207)),
        ("TIGER", _GENREC, _values(0.0266, 0.0414, 0.0176, 0.0224)),
        ("LC-Rec", _GENREC, _values(0.0281, 0.0422, 0.0181, 0.0226)),
        ("counts and item cosine", _OURS, _values(0.0355, 0.0486, 0.0252, 0.0294)),
    ],
    "amazon-toys-2014": [
        ("TIGER", _PAPER, _values(0.0521, 0.0712, 0.0371, 0.0432)),
        ("SASRec", _GENREC, _values(0.0483, 0.0700, 0.0304, 0.0374)),
        ("HSTU", _GENREC, _values(0.0504, 0.0685, 0.0368, 0.0427)),
        ("TIGER", _GENREC, _values(0.0420, 0.0647, 0.0280, 0.0350)),
        ("LC-Rec", _GENREC, _values(0.0444, 0.0683, 0.0294, 0.0371)),
        ("counts and item cosine", _OURS, _values(0.0853, 0.1090, 0.0631, 0.0708)),
    ],
    "amazon-office-2018": [
        ("SASRec", _MINI, {"recall@10": 0.1120, "ndcg@10": 0.0858}),
        ("HSTU", _MINI, {"recall@10": 0.1400, "ndcg@10": 0.1126}),
        ("TIGER", _MINI, {"recall@10": 0.1408, "ndcg@10": 0.1002}),
        ("LC-Rec", _MINI, {"recall@10": 0.1237, "ndcg@10": 0.0920}),
        ("BIGRec", _MINI, {"recall@10": 0.1434, "ndcg@10": 0.1091}),
        ("D3", _MINI, {"recall@10": 0.1634, "ndcg@10": 0.1213}),
        ("S-DPO", _MINI, {"recall@10": 0.1587, "ndcg@10": 0.1255}),
        ("MiniOneRec", _MINI, {"recall@10": 0.1634, "ndcg@10": 0.1242}),
    ],
    "ml-100k": [
        ("EASE", _SAME, {"recall@10": 0.1601, "ndcg@10": 0.0811}),
        ("SASRec, full softmax", _SAME, {"recall@10": 0.1743, "ndcg@10": 0.0917}),
    ],
}  # fmt: skip
# The values that the table of counts has to reach: NDCG@10 of it or of its blends, tuned on the valid rows.
GOALS = {"amazon-beauty-2014": 0.0560, "amazon-toys-2014": 0.0707, "amazon-sports-2014": 0.0294}


def load(name: str) -> Split:
    """The split of a data set, or a plain word and exit code 2."""
    root = os.environ.get("RECNB_DATA")
    folder = Path(root or ".") / name
    if not root or not folder.is_dir():
        why = "RECNB_DATA is not set" if not root else f"no folder {name} in RECNB_DATA"
        print(f"nothing measured: {why}")
        sys.exit(2)
    if name != "ml-100k":
        return splits.predefined(Dataset.from_folder(folder))
    ds = Dataset.from_folder(folder, feedback="explicit", scale=(1, 5)).with_relevance(1)
    rows = pd.read_parquet(folder / "splits.parquet")
    part = np.where(rows["last_one"].astype(bool), "test", "train")
    frame = rows[["user_id", "item_id"]].assign(part=part)
    known = splits.predefined(ds, frame).known
    late = splits.leave_one_out(known, valid=False).frame().query("part == 'test'")
    keys = ["user_id", "item_id"]
    chosen = frame.merge(late[keys].assign(late=True), how="left", on=keys)["late"].notna()
    return splits.predefined(ds, frame.assign(part=np.where(chosen, "valid", frame["part"])))


def protocol_of(name: str, protocol: Protocol) -> Protocol:
    """The protocol of a data set."""
    return replace(protocol, next_event=True) if name in NEXT else protocol


def tuned(row: Row, name: str, place: Path, split: Split, trials: int, users: int) -> Recommender:
    """The row's model with settings chosen on the valid rows; a finished search is read back."""
    if row.together:
        parts = [make(ROWS[part].spec, **ROWS[part].settings) for part in row.parts]
        model: Recommender = Blend(parts, users=users, tuned="together")
    else:
        model = make(row.spec, **row.settings)
    headline = protocol_of(place.name, HEADLINE)
    space = model.search_space() if hasattr(model, "search_space") else {}
    n = (trials if row.trials is None else row.trials) if space else 0
    if not n:
        return model
    kept = place / f"search-{name}-{n}-{users}.json"
    if not kept.is_file():
        start = time.perf_counter()
        storage = kept.with_suffix(".sqlite")
        best = search(model, split, n, seed=0, protocol=headline, users=users, kept=storage)
        record = best.searched  # type: ignore[attr-defined]
        values = [trial.value for trial in record.trials]
        params = best.get_params()
        first = {f"models__0__{key}" for key in parts[0].search_space()} if row.together else ()
        found = {
            "settings": {key: params[key] for key in (*first, *space, "n_epochs") if key in params},
            "trials": len(values), "default": values[0], "best": values[record.best],
            "seconds": time.perf_counter() - start,
        }  # fmt: skip
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, found)
    found = json.loads(kept.read_text(encoding="utf-8"))
    out = clone(model).set_params(**found["settings"])
    print(f"  {name}: {found}", flush=True)
    SEARCHED[str(place), name] = found
    return out


SEARCHED: dict[tuple[str, str], dict[str, Any]] = {}


def measure(name: str, rows: dict[str, Row], trials: int, users: int) -> dict[str, Any]:
    """All rows of one data set: records, differences."""
    split = load(name)
    place, protocol = KEPT / name, protocol_of(name, PROTOCOL)
    print(f"{split}, {split.dataset.n_items:,} items, digest {split.digest}", flush=True)
    store = DiskStore(place, split, protocol)
    models: dict[str, Recommender] = {}
    for label, row in rows.items():
        if row.parts and not row.together:
            parts = [tuned(ROWS[part], part, place, split, trials, users) for part in row.parts]
            models[label] = Blend(parts, users=users)
        else:
            models[label] = tuned(row, label, place, split, trials, users)
        seeds = row.seeds if models[label].seeded else (0,)
        evaluate(
            {label: models[label]}, split, protocol, seeds, store=store
        )  # kept, and read below
    seeds = tuple(dict.fromkeys(seed for row in rows.values() for seed in row.seeds))
    ev = evaluate(models, split, protocol, seeds, store=store)
    cost = ev.costs.groupby("model").mean(numeric_only=True)
    settings = {record.model: record.settings for record in ev.records}
    records = []
    for row in ev.table().to_dict("records"):
        label, key = row["model"], f"{row['metric']}@{row['k']}"
        found = SEARCHED.get((str(place), label), {})
        records.append(
            {
                "data": name,
                "model": label,
                "metric": key,
                **{k: row[k] for k in ("value", "low", "high", "n_users", "seeds", "seed_sd")},
                "fit_seconds": float(cost.loc[label, "fit_seconds"]),
                "score_seconds": float(cost.loc[label, "score_seconds"]),
                "parameters": int(cost.loc[label, "total_parameters"]),
                "trials": found.get("trials", 0),
                "valid_default": found.get("default"),
                "valid_best": found.get("best"),
                "settings": _plain(settings[label]),
            }
        )
    out: dict[str, Any] = {"records": records, "differences": []}
    for to in dict.fromkeys((TO, best_counted(records), "sasrec")):
        if to not in models or len(models) < 2:
            continue
        for k in protocol.ks:
            pairs = ev.compare(to=to, metric="ndcg", k=k).drop(columns=["language", "candidates"])
            out["differences"] += [{"data": name, **pair} for pair in pairs.to_dict("records")]
    out["split"] = {
        "data": name,
        "dataset_digest": split.dataset.digest,
        "split": split.digest,
        "users": split.dataset.n_users,
        "items": split.dataset.n_items,
        "train": int((split.part == 0).sum()),
        "valid": int((split.part == 1).sum()),
        "test": int((split.part == 2).sum()),
        "trials": trials,
        "search_users": min(users, int((split.part == 1).sum())),
    }
    return out


def best_counted(records: list[dict[str, Any]]) -> str:
    """Of the models that count, the one with the best value on the valid rows; "" where none was searched."""
    values = {
        row["model"]: row["valid_best"]
        for row in records
        if row["valid_best"] is not None and row["model"] not in LEARNED
    }
    return max(values, key=values.__getitem__, default="")


def recorded(name: str) -> list[dict[str, Any]]:
    """Records of a data set in `results/published_tables.json`; none where it is not there."""
    file = Path("results") / "published_tables.json"
    if not file.is_file():
        return []
    rows = json.loads(file.read_text(encoding="utf-8"))["records"]
    return [row for row in rows if row["data"] == name]


def recorded_settings(name: str, model: str) -> dict[str, Any]:
    """Settings of a row on a data set in `results/published_tables.json`; none where it is not there."""
    rows = [row["settings"] for row in recorded(name) if row["model"] == model]
    found = (rows or [{}])[0]
    return found if model in ROWS and ROWS[model].parts else _known(make(model), found)


def recorded_model(name: str, model: str) -> Recommender:
    """A row with its settings in `results/published_tables.json`; a blend keeps the weights that it chose."""
    settings = recorded_settings(name, model)
    if not (parts := ROWS[model].parts):
        return make(model, **settings)
    models = [make(ROWS[part].spec) for part in parts]
    models = [m.set_params(**_known(m, found)) for m, found in zip(models, settings["models"])]
    return Blend(models, weights=tuple(settings["weights"]), scale=settings["scale"])


def _known(model: Recommender, settings: dict[str, Any]) -> dict[str, Any]:
    """Those settings that the model has."""
    known = model.get_params()
    return {key: value for key, value in settings.items() if key in known}


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that say something: of a blend those of its parts."""
    return json.loads(json.dumps(settings, default=repr))


def beside(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The published rows, and our best of the same data beside each value."""
    out = []
    for name, rows in PUBLISHED.items():
        ours = {r["metric"]: {} for r in records if r["data"] == name}
        for r in records:
            if r["data"] == name:
                ours[r["metric"]][r["model"]] = r["value"]
        for model, source, values in rows:
            row = {"data": name, "model": model, "source": source, **values}
            if TO in ours.get("ndcg@10", {}):
                row |= {f"{TO}, ndcg@10": ours["ndcg@10"][TO]}
            out.append(row)
    return out


def goals(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whether the table of counts, or a blend of it, reaches what it has to."""
    out = []
    for name, goal in GOALS.items():
        rows = [
            r
            for r in records
            if r["data"] == name and r["metric"] == "ndcg@10" and r["model"].startswith(TO)
        ]
        for r in rows:
            low, value = r["low"], r["value"]
            out.append(
                {"data": name, "model": r["model"], "value": value, "low": low, "high": r["high"],
                 "goal": goal, "reached": bool(round(value, 4) >= goal)}
            )  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=",".join(DATA))
    parser.add_argument(
        "--rows", default="", help="names of ROWS with commas; all of them by default"
    )
    parser.add_argument("--more", action="append", default=[], help="NAME=SPEC, a row of your own")
    parser.add_argument("--seeds", default="0,1,2", help="of rows of your own that draw numbers")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--users", type=int, default=5000, help="of the valid rows in a search")
    parser.add_argument("--output", default="results")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    seeds = tuple(int(seed) for seed in args.seeds.split(","))
    for told in args.more:
        name, _, spec = told.partition("=")
        ROWS[name] = Row(spec, seeds=seeds)
    asked = [name.strip() for name in args.rows.split(",") if name.strip()]
    asked = asked or [name for name in ROWS if name not in LEARNED]
    file = Path(args.output) / "published_tables.json"
    held = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    for name in args.data.split(","):
        earlier = {r["model"] for r in held.get("records", []) if r["data"] == name}
        rows = {label: row for label, row in ROWS.items() if label in asked or label in earlier}
        held = merged(held, name, measure(name, rows, args.trials, args.users), args)
        write(file, held)
        print(shown(held["records"], name), flush=True)
    print(f"written to {file}")
    print(f"ratio: {ratio(held['records']):.3f}")


def merged(
    held: dict[str, Any], name: str, found: dict[str, Any], args: argparse.Namespace
) -> dict[str, Any]:
    """The results with those of one data set in place of what they held of it."""
    parts = {}
    for key in ("records", "differences"):
        parts[key] = [row for row in held.get(key, []) if row["data"] != name] + found[key]
    split_rows = [r for r in held.get("splits", []) if r["data"] != name] + [found["split"]]
    return {
        "what": "next item, leave one out, the whole catalogue less the known items, beside published values",
        "interval": "95 % percentile bootstrap over users, 2,000 draws; differences paired, Holm",
        "chosen": "on the valid rows, NDCG@10; trials and users of a search: see splits",
        "device": "cpu",
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions(),
        "splits": split_rows,
        **parts,
        "published": beside(parts["records"]),
        "goals": goals(parts["records"]),
    }


def with_earlier(
    file: Path, found: dict[str, list[dict[str, Any]]], same: tuple[str, ...]
) -> dict[str, list[dict[str, Any]]]:
    """Lists of records with those of the results file that were measured elsewhere and not again.

    Records are of one piece where they agree in all of the keys `same` that they have.
    """
    held = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    out = {}
    for name, rows in found.items():
        new = {tuple(row.get(key) for key in same) for row in rows}
        old = [r for r in held.get(name, []) if tuple(r.get(key) for key in same) not in new]
        out[name] = [*old, *rows]
    return out


def write(file: Path, held: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(
        held, indent=1, default=lambda v: v.item() if isinstance(v, np.generic) else repr(v)
    )
    part = file.with_suffix(".part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(file)


def shown(records: list[dict[str, Any]], name: str) -> str:
    """The table of one data set, published rows below."""
    mine = pd.DataFrame([r for r in records if r["data"] == name])
    table = mine.pivot(index="model", columns="metric", values="value")[list(_K)]
    table = table.loc[list(dict.fromkeys(mine["model"]))]
    other = pd.DataFrame(
        [{"model": f"{m} ({s})", **v} for m, s, v in PUBLISHED.get(name, [])]
    ).set_index("model")
    return f"\n{name}\n{pd.concat([table, other]).round(4).to_string()}\n"


def ratio(records: list[dict[str, Any]]) -> float:
    """NDCG@10 on Beauty of the blend over the best published value; 0 where it is not measured."""
    name = DATA[0]
    ours = [
        r["value"]
        for r in records
        if (r["data"], r["model"], r["metric"]) == (name, f"{TO}+itemknn", "ndcg@10")
    ]
    best = max(v["ndcg@10"] for _, source, v in PUBLISHED[name] if source != _OURS)
    return ours[0] / best if ours else 0.0


if __name__ == "__main__":
    main()
