"""One table of a data set: models without training, sequence models, generated ids, and what others report."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.site.recorded import RESULTS, content

METRICS = ("recall@5", "recall@10", "ndcg@5", "ndcg@10")
NAMES = {
    "text": "tiger", "random": "tiger[ids=random]", "interactions": "tiger[ids=interactions]", "hybrid": "tiger_dense",
}  # fmt: skip
HERE = "here"


def leaderboard(data: str) -> list[dict[str, Any]]:
    """Every model that was measured or is reported on a data set, the best NDCG@10 first.

    Returns
    -------
    list of dict
        `model`, `source` (:data:`HERE`, or whose table), the four metrics (None where unknown); of ours also `low`,
        `high` (95 %, NDCG@10, seeds averaged by user), `seeds`, `fit_seconds`, `parameters` and
        `trials`: settings that were tried.
    """
    rows = _counted(data)
    searched = {row["model"] for row in rows}
    rows += [row for row in (*_trained(data), *_generated(data)) if row["model"] not in searched]
    for row in content("published_tables")["published"]:
        if row["data"] == data:
            rows.append({"model": row["model"], "source": row["source"], **_metrics(row)})
    return sorted(rows, key=lambda row: -row["ndcg@10"])


def _metrics(row: dict[str, Any]) -> dict[str, float | None]:
    return {name: row.get(name) for name in METRICS}


def _counted(data: str) -> list[dict[str, Any]]:
    """Rows of `published_tables.json`."""
    models: dict[str, list[dict[str, Any]]] = {}
    for record in content("published_tables")["records"]:
        if record["data"] == data:
            models.setdefault(record["model"], []).append(record)
    trials = {model: records[0]["trials"] for model, records in models.items()}
    # a blend's parts were searched, each alone
    return [
        _one(model, records, max(trials.get(part, 0) for part in model.split("+")))
        for model, records in models.items()
    ]


def _one(model: str, records: list[dict[str, Any]], trials: int) -> dict[str, Any]:
    """A row of the records of one model, one for each metric."""
    values = {record["metric"]: record["value"] for record in records}
    head = next(record for record in records if record["metric"] == "ndcg@10")
    held = head.get("parameters")
    return {
        "model": model,
        "source": HERE,
        **_metrics(values),
        **{key: head.get(key) for key in ("low", "high", "seeds", "fit_seconds")},
        "parameters": held[-1] if isinstance(held, list) else held,  # trained, held
        "trials": trials,
    }


def _trained(data: str) -> list[dict[str, Any]]:
    """Rows of `sequential_training.json`, the mean over seeds."""
    held, out = content("sequential_training"), []
    for mean in held["means"]:
        if mean["data"] != data:
            continue
        seeds = [r for r in held["records"] if r["row"] == mean["row"]]
        values = {
            m: float(np.mean([r["value"] for r in seeds if r["metric"] == m])) for m in METRICS
        }
        records = [{**mean, "metric": name, "value": value} for name, value in values.items()]
        asked = [c for c in held["candidates"] if (c["data"], c["model"]) == (data, mean["model"])]
        out.append(_one(mean["model"], records, len(asked)))
    return out


def _generated(data: str) -> list[dict[str, Any]]:
    """Rows of `generative.json`, where it was measured."""
    if not (RESULTS / "generative.json").is_file():
        return []
    held = content("generative")
    arms: dict[str, list[dict[str, Any]]] = {}
    for record in held["records"]:
        if record["data"] == data and record["model"] in NAMES:
            arms.setdefault(record["model"], []).append(record)
    asked = {c["model"]: len(c["candidates"]) for c in held["choices"] if c["data"] == data}
    return [_one(NAMES[arm], records, asked[arm]) for arm, records in arms.items()]
