"""Whether the code of today gives the numbers that are recorded: fixed settings, no search, values alone.

    RECNB_DATA=folder python benchmarks/recompute.py ml-100k     # results/recompute_ml-100k.json
    python benchmarks/recompute.py grocery                       # results/recompute_grocery.json
    … --record                                                   # write the file anew, with a reason in the commit

Two splits of each (`user_time` of 1,000 users, `cold_item`), models with the settings that stand in `MODELS`. A value
counts as equal within 1e-6. The last line is `ratio: X`: the share of values that are equal.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from recnb import evaluate, load
from recnb.data import splits
from recnb.evaluation import Protocol
from recnb.models import make

MODELS = {
    "user_time": (
        "random",
        "popularity",
        "recent_popularity",
        "itemknn",
        "userknn",
        "ease",
        "als",
        "bpr",
        "tfidf",
        "text_frozen",
        "ease+popularity",
    ),
    "cold_item": ("random", "attributes", "tfidf", "text_frozen"),
}
# Ways of content models that do not depend on what the validation part says.
FIXED = {
    "tfidf": {"way": "mean", "rank": None},
    "text_frozen": {"way": "mean", "rank": None},
    "attributes": {"way": "mean", "rank": None},
}
PROTOCOL = Protocol(k=10, metrics=("ndcg", "recall", "auc"), draws=1000)
WITHIN = 1e-6


def values(data: str) -> list[dict[str, object]]:
    """Records of model, split, metric, candidates and value."""
    ds = load(data).sample_users(1000, seed=0)
    rows: list[dict[str, object]] = []
    for name, models in MODELS.items():
        split = splits.make(ds, name)
        chosen = {m: make(m, **FIXED.get(m, {})) for m in models}
        table = evaluate(chosen, split, PROTOCOL).table()
        for row in table.itertuples():
            rows.append(
                {
                    "split": name,
                    "model": str(row.model),
                    "metric": str(row.metric),
                    "candidates": str(row.candidates),
                    "value": float(row.value),
                    "n_users": int(row.n_users),
                }
            )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=("ml-100k", "grocery"))
    parser.add_argument("--record", action="store_true")
    told = parser.parse_args()
    file = Path(__file__).parents[1] / "results" / f"recompute_{told.data}.json"
    rows = values(told.data)
    if told.record:
        head = {"what": "values that code of today must give again", "data": told.data}
        date = datetime.now(UTC).date().isoformat()
        file.write_text(json.dumps({**head, "date": date, "records": rows}, indent=1) + "\n")
        print(f"{len(rows)} values recorded in {file.name}")
        return 0
    key = ("split", "model", "metric", "candidates")
    recorded = {tuple(r[k] for k in key): r for r in json.loads(file.read_text())["records"]}
    equal = 0
    for row in rows:
        old = recorded.get(tuple(row[k] for k in key))
        away = abs(row["value"] - old["value"]) if old else float("nan")  # type: ignore[operator]
        equal += away <= WITHIN
        if not away <= WITHIN:
            before = f"{old['value']:.6f}" if old else "not recorded"
            print(f"{' '.join(str(row[k]) for k in key):60s} {before} → {row['value']:.6f}")
    print(f"{equal} of {len(rows)} values are equal within {WITHIN:g}")
    print(f"ratio: {equal / len(rows):.4f}")
    return 0 if equal == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
