"""The few-shot movie benchmark of TALLRec on MovieLens-100K, answered without any training.

    RECNB_DATA=folder python benchmarks/fewshot_ml100k.py

The folder holds `ml-100k` (its own tables, or `u.data` as published). The rows are rebuilt from the
file by :mod:`recnb.evaluation.fewshot`; where the folder also holds `fewshot.parquet`, the published
equivalent, they must be equal to it row by row. Four rules that train nothing are judged by AUC,
with an interval that resamples users (16 stand behind the 1,000 test rows), beside the published
values of a language model of 7 billion parameters with LoRA. Results go to
`results/fewshot_ml100k.json`.

The last line is `ratio: X`: the AUC of the share of liked films over the published one of 256 shots.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from recnb import load
from recnb.data.catalog import find
from recnb.evaluation.fewshot import few_shot_rows, ratings_in_file_order, untrained_scores
from recnb.metrics import bootstrap, clustered, grouped_auc
from recnb.versions import versions

SEED, DRAWS = 0, 2000
PUBLISHED = {"256": 0.720, "64": 0.675, "16": 0.672}  # Bao et al. 2023; shots to AUC
READS = {
    "history_share": "the question alone",
    "popularity": "all ratings of other users",
    "like_rate": "earlier ratings of other users",
    "both": "the question and earlier ratings of other users",
}


def rows_digest(rows: pd.DataFrame) -> str:
    """Identity of rows: user, item, time and history, in order."""
    said = rows[["user_id", "item_id", "timestamp", "part"]].assign(
        history=rows["history"].map(" ".join)
    )
    return sha256(said.to_csv(index=False).encode()).hexdigest()[:16]


def assert_equal(rows: pd.DataFrame, file: Path) -> None:
    """Stop where the rebuilt rows differ from those in the file."""
    theirs = pd.read_parquet(file)
    for name in rows:
        ours, other = rows[name].map(_plain).tolist(), theirs[name].map(_plain).tolist()
        if ours != other:
            raise SystemExit(f"column {name} of the rebuilt rows differs from {file.name}")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | np.ndarray) else value


def measure(rows: pd.DataFrame, scores: pd.DataFrame, group: str) -> list[dict[str, Any]]:
    """AUC and interval of each rule, and what the whole table adds to the share of liked films."""
    test = rows[rows["part"] == "test"]
    liked, user = test["liked"].to_numpy(), test["user_id"].to_numpy()
    head = {"metric": "auc", "group": group, "n_rows": len(test)}
    found = []
    for name, score in scores.items():
        auc = grouped_auc(liked, score, user, draws=DRAWS, seed=SEED)
        values = {"value": auc.value, "low": auc.low, "high": auc.high, "n_users": auc.n_users}
        found.append({"model": name, "reads": READS[str(name)], **head, **values})

    liking = test.groupby("user_id")["liked"].mean()
    mixed = liking.index[(liking > 0) & (liking < 1)]
    for name, score in scores.items():
        own = [user == one for one in mixed]
        inner = np.array([roc_auc_score(liked[rows], score[rows]) for rows in own])
        low, high = bootstrap(inner, draws=DRAWS, seed=SEED)
        values = {"value": float(inner.mean()), "low": low, "high": high, "n_users": len(inner)}
        found.append({"model": name, **head, "metric": "auc_within_user", **values})

    def gain(w: np.ndarray) -> float:
        if len(set(liked[w > 0])) < 2:
            return float("nan")
        one, other = (
            roc_auc_score(liked, scores[name], sample_weight=w)
            for name in ("both", "history_share")
        )
        return float(one - other)

    low, high = clustered(gain, user, draws=1000, seed=SEED)
    found.append(
        {
            "model": "both less history_share",
            **head,
            "metric": "auc_difference",
            "value": gain(np.ones(len(test))),
            "low": low,
            "high": high,
            "n_users": len(set(user)),
        }
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("results") / "fewshot_ml100k.json")
    output = parser.parse_args().output
    folder = find("ml-100k")
    if folder is None:
        print("MovieLens-100K is not here: set RECNB_DATA, or: recnb data fetch ml-100k")
        sys.exit(2)
    ratings = ratings_in_file_order(folder)
    rows = few_shot_rows(ratings)
    if (folder / "fewshot.parquet").is_file():
        assert_equal(rows, folder / "fewshot.parquet")
        print(f"{len(rows):,} rows, equal to those of fewshot.parquet in every column")
    records = measure(rows, untrained_scores(rows, ratings), "as published")
    apart = few_shot_rows(ratings, whole_users=True)
    records += measure(apart, untrained_scores(apart, ratings), "whole users")
    for shots, value in PUBLISHED.items():
        model = f"7B language model with LoRA, {shots} shots"
        records.append({"model": model, "metric": "auc", "group": "as published", "value": value})
        records[-1] |= {"source": "published, no interval given"}
    print(pd.DataFrame(records).drop(columns=["reads", "source"]).round(4).to_string(index=False))
    users = {part: set(group["user_id"]) for part, group in rows.groupby("part")}
    content = {
        "data": "MovieLens-100K",
        "benchmark": "few-shot movies of TALLRec (Bao et al., RecSys 2023), rebuilt",
        "dataset_digest": load("ml-100k").digest,
        "rows_digest": rows_digest(rows),
        "rows": {part: int((rows["part"] == part).sum()) for part in users},
        "users": {part: len(ids) for part, ids in users.items()},
        "users_in_valid_and_test": len(users["valid"] & users["test"]),
        "users_in_train_and_test": len(users["train"] & users["test"]),
        "interval": f"95 % percentile bootstrap over the users of the test rows, {DRAWS:,} draws",
        "seeds": [SEED],
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
        "records": records,
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"written to {output}")
    print(f"ratio: {records[0]['value'] / PUBLISHED['256']:.3f}")


if __name__ == "__main__":
    main()
