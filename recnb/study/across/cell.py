"""One data set in one situation: every model judged and asked on the validation part, and the outcome kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recnb.data import Dataset, Split
from recnb.evaluation import Evaluation
from recnb.evaluation.files import write_parquet
from recnb.files import write_json
from recnb.progress import Progress
from recnb.recommender import Recommender
from recnb.study.across.plan import AcrossPlan, Cell, split_of
from recnb.study.run import Study, made_folder, run
from recnb.study.search import validated
from recnb.study.store import DiskStore, safe_name

_WORK = ".finished"


@dataclass(frozen=True, eq=False)
class CellResult:
    """What a cell gave.

    Attributes
    ----------
    cell : Cell
    facts : dict
        `users, items, rows` of the data, `train_rows` and `rows_an_item` of what is learned from, `judged` users,
        `split`, `digest`, `notes`, `seconds`.
    models : dict of name to dict
        `language`, `valid` (the metric on the validation part, fitted on train), `value`, `fit_seconds`,
        `score_seconds`, `parameters`, `settings`.
    users : DataFrame
        `user_id, group` (activity in thirds: low, middle, high), a column per model: its value, the mean over seeds.
    folder : Path
        With the report of the cell.
    """

    cell: Cell
    facts: dict[str, Any]
    models: dict[str, dict[str, Any]]
    users: pd.DataFrame
    folder: Path


def folder_of(cell: Cell, output: Path) -> Path:
    """Where a cell is kept; a name that is no folder name gets a few digits that tell it from its like."""
    name = cell.name.replace(" ", "-")
    plain = safe_name(name)
    digits = "" if plain == name else f"-{sha256(name.encode()).hexdigest()[:6]}"
    return output / "cells" / f"{plain}{digits}"


def judged_cell(
    cell: Cell,
    ds: Dataset,
    models: Mapping[str, Recommender],
    plan: AcrossPlan,
    output: Path,
    command: str = "",
    progress: Progress | None = None,
    report: Callable[[str], None] | None = None,
    page: bool = True,
) -> CellResult:
    """Judge every model in a cell; what was finished before is read.

    A kill loses at most the model that was being fitted.
    """
    split, place = split_of(ds, cell, plan), folder_of(cell, output)
    store = DiskStore(place / _WORK, split, plan.protocol)
    key = key_of(split, models, plan)
    kept = read_cell(cell, place, key)
    if kept is not None:
        return kept
    start = time.perf_counter()
    study = Study(split, models, plan.protocol, plan.seeds, plan.trials, command, ds.notes)
    ev = run(study, place, progress=progress, said=report, page=page)
    chosen = _with_settings(models, ev)
    values = {}
    for done, (name, model) in enumerate(chosen.items()):
        if progress is not None:
            progress(f"{name}: on the validation part", done, len(chosen))
        values[name] = _on_validation(name, model, split, plan, store)
    facts = {**_facts(ds, split, ev), "seconds": time.perf_counter() - start, "key": key}
    result = CellResult(cell, facts, _models(ev, values), _users(ev), place)
    write_parquet(made_folder(place) / "cell.parquet", result.users)
    write_json(place / "cell.json", {"cell": asdict(cell), "facts": facts, "models": result.models})
    return result


def read_cell(cell: Cell, place: Path, key: str) -> CellResult | None:
    """A finished cell that was made by the same work, or None."""
    if not (place / "cell.json").is_file() or not (place / "cell.parquet").is_file():
        return None
    head = json.loads((place / "cell.json").read_text(encoding="utf-8"))
    if head["cell"] != asdict(cell) or head["facts"]["key"] != key:
        return None
    users = pd.read_parquet(place / "cell.parquet")
    return CellResult(cell, head["facts"], head["models"], users, place)


def key_of(split: Split, models: Mapping[str, Recommender], plan: AcrossPlan) -> str:
    """Identity of all work of a cell: models, their source and settings, seeds, trials, split, protocol."""
    store = DiskStore(Path(), split, plan.protocol)
    parts = [store.key(name, model, s) for name, model in models.items() for s in plan.seeds]
    return sha256(json.dumps([sorted(parts), plan.trials]).encode()).hexdigest()[:20]


def _with_settings(models: Mapping[str, Recommender], ev: Evaluation) -> dict[str, Recommender]:
    """The models with the settings that the search chose."""
    found = ev.settings.get("search", {}).get("models", {})
    return {
        name: clone(model).set_params(**found[name]["settings"]) if name in found else model
        for name, model in models.items()
    }


def _on_validation(
    name: str, model: Recommender, split: Split, plan: AcrossPlan, store: DiskStore
) -> float:
    """The value on the validation part, kept."""
    seed = plan.seeds[0]
    file = store.folder / f"valid-{store.key(name, model, seed)}.json"
    if not file.is_file():
        seeded = clone(model).set_params(seed=seed) if model.seeded else model
        value = validated(seeded, split, plan.protocol)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"value": value})
    return float(json.loads(file.read_text(encoding="utf-8"))["value"])


def _facts(ds: Dataset, split: Split, ev: Evaluation) -> dict[str, Any]:
    known = split.known.interactions
    learned = int((np.bincount(known["item"], minlength=ds.n_items) > 0).sum())
    metric, k, candidates = ev.headline
    return {
        "users": ds.n_users,
        "items": ds.n_items,
        "rows": len(ds.interactions),
        "train_rows": len(known),
        "rows_an_item": len(known) / max(learned, 1),
        "judged": int(ev.rows()["n_users"].max()),
        "metric": metric,
        "k": k,
        "candidates": candidates,
        "split": split.name,
        "digest": split.digest,
        "notes": list(ds.notes),
    }


def _models(ev: Evaluation, valid: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """What is told of each model: the mean over seeds."""
    rows = ev.rows().set_index("model")
    costs = ev.costs.groupby("model")[["fit_seconds", "score_seconds"]].mean()
    records = {record.model: record for record in ev.records}
    return {
        name: {
            "language": ev.reads[name].language,
            "valid": valid[name],
            "value": float(rows["value"][name]),
            "low": float(rows["low"][name]),
            "high": float(rows["high"][name]),
            "fit_seconds": float(costs["fit_seconds"][name]),
            "score_seconds": float(costs["score_seconds"][name]),
            "parameters": int(records[name].costs.get("total_parameters", 0)),
        }
        for name in valid
    }


def _users(ev: Evaluation) -> pd.DataFrame:
    """Per-user values of the headline, the mean over seeds, and how active each user was."""
    values = {}
    for name in ev.models:
        column = ev.mean_over_seeds(name, ev.headline)
        assert column is not None
        values[name] = pd.Series(column.values, index=ev.users.index[column.users])
    frame = pd.DataFrame(values)
    group = ev.groups("activity").astype(str).str.partition(" ")[0]
    frame.insert(0, "group", group.reindex(frame.index))
    return frame.rename_axis("user_id").reset_index()
