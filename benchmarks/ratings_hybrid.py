"""What text, attributes and implicit parts add to a Bayesian factorisation machine on MovieLens-100K.

    RECNB_DATA=folder python benchmarks/ratings_hybrid.py
    … --arms "ids, 200 draws" "ids + text, 200 draws"    # these anew, the others as recorded

The folder holds `ml-100k` with `splits.parquet`, whose column `fold` names the five random folds of
the peers (`benchmarks/parity_ml100k.py`). Every arm is one class, `TextBFM`, with parts switched on
or off and all else equal: the same rank, chains, samples and seeds. Beside it stands `bfm`, ids
alone with one long chain, which is stronger than the peer's 0.8964. The arms have two chains of 70 draws, which
is too few for ids alone: what text adds to ids is measured once more with 200 draws in both. Models see
the training rows of a fold, and the tables of items and users; the column `imdb_rating` is not used.

Settings were chosen on a tenth of the training rows of fold 0 (see `CHOSEN`); no arm had a search
of its own. Results go to `results/ratings_hybrid.json`. The last line is `ratio: X`: the peer's
RMSE over that of the full model. The control gives every item the text of another one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb.data import Dataset, splits
from recnb.data.catalog import find
from recnb.data.splits import Split
from recnb.encoders import TextEncoder
from recnb.metrics import bootstrap, holm, mae, paired, rmse
from recnb.models import make
from recnb.models.ratings.text_bfm import TextBFM
from recnb.versions import versions

SEEDS, DRAWS, PEER = (0, 1, 2), 2000, 0.8964
CHOSEN = (
    "by hand on one or two random tenths of the training rows of fold 0, without its test rows: about "
    "50 settings of the implicit parts, rank 6-24, 30-300 samples, 1-10 chains, 10-64 text directions, "
    "TF-IDF, text neighbours, attributes, demographics, ordered probit; differences below .002 "
    "between them are noise; rows of these tenths are test rows of folds 1 to 4, not of fold 0"
)
BARE = {"item_ids": True, "implicit": False, "use_text": False}
IMPLICIT = {**BARE, "implicit": True}
ATTRIBUTES = {"item_columns": ("genres", "year")}
PEOPLE = {"user_columns": ("age", "gender", "occupation")}
TEXT = {"use_text": True}
LONG = {"n_epochs": 200}
CONTROL = "ids + implicit + text of another item"
FULL = "ids + implicit + text + attributes + demographics"
ARMS: dict[str, tuple[str, dict[str, Any]]] = {
    "bfm": ("bfm", {}),
    "text": ("bfm_text", {**BARE, **TEXT, "item_ids": False}),
    "ids": ("bfm_text", BARE),
    "ids + text": ("bfm_text", {**BARE, **TEXT}),
    "ids, 200 draws": ("bfm_text", {**BARE, **LONG}),
    "ids + text, 200 draws": ("bfm_text", {**BARE, **TEXT, **LONG}),
    "ids + implicit": ("bfm_text", IMPLICIT),
    "ids + implicit + text": ("bfm_text", {**IMPLICIT, **TEXT}),
    CONTROL: ("bfm_text", {**IMPLICIT, **TEXT}),
    "ids + implicit + attributes": ("bfm_text", {**IMPLICIT, **ATTRIBUTES}),
    "ids + implicit + text + attributes": ("bfm_text", {**IMPLICIT, **TEXT, **ATTRIBUTES}),
    "ids + implicit + demographics": ("bfm_text", {**IMPLICIT, **PEOPLE}),
    FULL: ("bfm_text", {**IMPLICIT, **TEXT, **ATTRIBUTES, **PEOPLE}),
}
PAIRS = [
    ("ids + text", "ids"),
    ("ids + text, 200 draws", "ids, 200 draws"),
    ("ids + text, 200 draws", "bfm"),
    (CONTROL, "ids + implicit"),
    ("ids + implicit + text", CONTROL),
    ("ids + implicit", "ids"),
    ("ids + implicit + text", "ids + implicit"),
    ("ids + implicit + attributes", "ids + implicit"),
    ("ids + implicit + text + attributes", "ids + implicit + attributes"),
    ("ids + implicit + demographics", "ids + implicit"),
    (FULL, "ids + implicit"),
    ("ids + implicit", "bfm"),
    ("ids + implicit + text", "bfm"),
    (FULL, "bfm"),
]


class OtherText(TextBFM):
    """The control: every item has the text of another one, so that only the number of features is right."""

    def _encode(self, items: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        vectors, told = super()._encode(items)
        order = np.random.default_rng(0).permutation(len(items))
        return vectors[order], told[order]


def build(name: str, seed: int = 0) -> Any:
    """The unfitted model of an arm."""
    plain, settings = ARMS[name]
    return (
        OtherText(**settings, seed=seed) if name == CONTROL else make(plain, **settings, seed=seed)
    )


def cut(folder: Path) -> tuple[Dataset, list[Split]]:
    """The data set and the peers' five folds."""
    ds = Dataset.from_folder(folder, feedback="explicit", scale=(1, 5))
    rows = pd.read_parquet(folder / "splits.parquet")
    each = []
    for fold in sorted(rows["fold"].unique()):
        part = np.where(rows["fold"] == fold, "test", "train")
        each.append(splits.predefined(ds, rows[["user_id", "item_id"]].assign(part=part)))
    return ds, each


def answer(name: str, folds: list[Split], keep: Path | None) -> tuple[list[np.ndarray], float]:
    """Predictions of the test rows, an array (seeds, rows) a fold, and the mean seconds of a fit.

    With `keep` a finished fit is written there and read again, so that a stopped run goes on.
    """
    found: list[np.ndarray] = []
    seconds: list[float] = []
    for split in folds:
        asked = split.test.matrix().tocoo()
        rows = []
        for seed in SEEDS:
            model = build(name, seed)
            file = keep and keep / f"{name.replace(' ', '')}-{split.digest}-{seed}.npz"
            if file and file.is_file():
                with np.load(file) as kept:
                    rows.append(kept["predicted"])
                    seconds.append(float(kept["seconds"]))
                continue
            start = time.perf_counter()
            model.fit(split.known)
            seconds.append(time.perf_counter() - start)
            rows.append(model.predict(asked.row, asked.col))
            if file:
                np.savez(file, predicted=rows[-1], seconds=seconds[-1])
        found.append(np.array(rows))
    return found, float(np.mean(seconds))


def per_user(ds: Dataset, folds: list[Split], found: list[np.ndarray]) -> np.ndarray:
    """Sum of squared errors of each user over the folds, the mean over seeds: (n_users,)."""
    total = np.zeros(ds.n_users)
    for split, predicted in zip(folds, found):
        asked = split.test.matrix().tocoo()
        error = ((predicted - asked.data) ** 2).mean(axis=0)
        total += np.bincount(asked.row, error, ds.n_users)
    return total


def record(
    name: str, ds: Dataset, folds: list[Split], found: list[np.ndarray], number: np.ndarray
) -> dict[str, Any]:
    """RMSE and MAE of an arm: mean over seeds of a fold, mean and spread over folds, interval over users."""
    truth = [split.test.matrix().tocoo().data for split in folds]
    square = np.array([[rmse(t, p) for p in rows] for t, rows in zip(truth, found)])
    absolute = np.array([[mae(t, p) for p in rows] for t, rows in zip(truth, found)])
    low, high = np.sqrt(
        bootstrap(per_user(ds, folds, found) / np.maximum(number, 1), number, draws=DRAWS)
    )
    spread = float(square.mean(axis=0).std(ddof=1)) if square.shape[1] > 1 else None
    return {
        "model": name,
        "rmse": float(square.mean()),
        "rmse_by_fold": square.mean(axis=1).tolist(),
        "rmse_sd_over_folds": float(square.mean(axis=1).std(ddof=1)),
        "rmse_sd_over_seeds": spread,
        "rmse_low": float(low),
        "rmse_high": float(high),
        "mae": float(absolute.mean()),
        "n_users": int((number > 0).sum()),
        "n_rows": int(number.sum()),
    }


def compared(answers: dict[str, np.ndarray], number: np.ndarray) -> list[dict[str, Any]]:
    """Paired differences of those pairs of arms of which both are there."""
    out: list[dict[str, Any]] = []
    for one, other in PAIRS:
        for tail in ("", ", seeds averaged"):
            left, right = one + tail, other + tail
            if left not in answers or right not in answers:
                continue
            gap = paired(
                answers[left] / np.maximum(number, 1),
                answers[right] / np.maximum(number, 1),
                weights=number,
                transform=np.sqrt,
                draws=DRAWS,
            )
            head = {"model": left, "to": right, "metric": "rmse"}
            out.append({**head, **vars(gap), "n_rows": int(number.sum())})
            print(
                f"{left} less {right}: {gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}], "
                f"p {gap.p:.4f}, {gap.n} users",
                flush=True,
            )
    return out


def merged(
    new: list[dict[str, Any]], before: list[dict[str, Any]], keys: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Rows of today, and before them those recorded earlier that were not measured again."""
    again = {tuple(row[k] for k in keys) for row in new}
    return [row for row in before if tuple(row[k] for k in keys) not in again] + new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("results") / "ratings_hybrid.json")
    parser.add_argument("--keep", type=Path, help="folder for finished fits: a stopped run goes on")
    parser.add_argument("--arms", nargs="*", choices=list(ARMS), help="these; others as recorded")
    args = parser.parse_args()
    folder = find("ml-100k")
    if folder is None or not (folder / "splits.parquet").is_file():
        print("nothing measured: set RECNB_DATA to a folder with ml-100k and its splits.parquet")
        sys.exit(0)
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
    before: dict[str, Any] = {}
    if args.arms and args.output.is_file():
        before = json.loads(args.output.read_text(encoding="utf-8"))
    ds, folds = cut(folder)
    asked = np.concatenate([split.test.matrix().tocoo().row for split in folds])
    number = np.bincount(asked, minlength=ds.n_users)
    answers, records = {}, []
    for name in args.arms or ARMS:
        plain = ARMS[name][0]
        found, seconds = answer(name, folds, args.keep)
        pooled = [rows.mean(axis=0, keepdims=True) for rows in found]
        for label, each, seeds in ((name, found, 1), (f"{name}, seeds averaged", pooled, 3)):
            answers[label] = per_user(ds, folds, each)
            row = record(label, ds, folds, each, number)
            row |= {"class": plain, "settings": build(name).get_params()}
            row |= {"seeds_in_one_prediction": seeds, "fit_seconds": seconds * seeds}
            records.append(row)
            print(
                f"{label:66s} RMSE {row['rmse']:.4f} ± {row['rmse_sd_over_folds']:.4f} "
                f"[{row['rmse_low']:.4f}, {row['rmse_high']:.4f}]  MAE {row['mae']:.4f}  "
                f"{row['fit_seconds']:.0f} s",
                flush=True,
            )
    records = merged(records, before.get("rows", []), ("model",))
    differences = merged(compared(answers, number), before.get("differences", []), ("model", "to"))
    for row, p in zip(differences, holm([row["p"] for row in differences])):
        row["p_holm"] = float(p)
    content = {
        "data": "MovieLens-100K",
        "dataset_digest": ds.digest,
        "protocol": "five random folds, predictions cut to 1-5",
        "splits": [split.digest for split in folds],
        "encoder": TextEncoder(device="cpu").settings,
        "settings_from": CHOSEN,
        "peer": {"model": "myfm, Gibbs, rank 10, ids only", "rmse": PEER},
        "interval": f"95 % percentile bootstrap over users, {DRAWS:,} draws",
        "seeds": list(SEEDS),
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
        "rows": records,
        "differences": differences,
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(content, indent=1, default=repr) + "\n", encoding="utf-8")
    print(f"written to {args.output}")
    best = next(r["rmse"] for r in records if r["model"] == FULL)
    print(f"ratio: {PEER / best:.3f}")


if __name__ == "__main__":
    main()
