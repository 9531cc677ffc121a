"""An evaluation as files that other tools can read, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb import files
from recnb.errors import InputError
from recnb.evaluation.columns import Column
from recnb.evaluation.findings import Finding
from recnb.evaluation.protocol import Key
from recnb.evaluation.record import Record
from recnb.metrics import METRICS

SCHEMA = 2
_HEAD = ["model", "seed", "metric", "k", "candidates"]


def save(ev: Any, path: str | Path) -> None:
    """Write the json and parquet files of an output folder.

    Every file is written under another name first, so that a kill leaves the earlier one whole.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    run = {"schema": SCHEMA, **ev.settings}
    write_json(folder / "results.json", records(ev.by_seed()))
    write_json(folder / "comparisons.json", records(ev.comparisons().drop(columns="language")))
    write_json(folder / "groups.json", records(all_groups(ev).drop(columns="language")))
    write_json(folder / "models.json", [record.to_dict() for record in ev.records])
    write_json(folder / "audit.json", [finding.to_dict() for finding in ev.findings])
    write_parquet(folder / "per_user.parquet", ev.per_user)
    write_parquet(folder / "recommendations.parquet", ev.lists)
    write_parquet(folder / "users.parquet", ev.users.reset_index())
    titles = pd.DataFrame(ev.titles.items(), columns=["item_id", "title"], dtype="string")
    write_parquet(folder / "titles.parquet", titles)
    if ev.split_frame is not None:
        write_parquet(folder / "split.parquet", ev.split_frame)
    write_json(folder / "run.json", run)


def read(path: str | Path) -> dict[str, Any]:
    """The arguments of :class:`Evaluation` in a folder that :func:`save` wrote."""
    folder = Path(path)
    if not (folder / "run.json").is_file():
        raise InputError(
            "no run.json here", file=str(folder), mend="name an output of recnb evaluate"
        )
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    if run.pop("schema", None) != SCHEMA:
        raise InputError("written by another version", file=str(folder), mend="run evaluate again")
    models = json.loads((folder / "models.json").read_text(encoding="utf-8"))
    kept = tuple(Record.from_dict(one) for one in models)
    found = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    findings = tuple(Finding(**one) for one in found)
    users = pd.read_parquet(folder / "users.parquet").set_index("user_id")
    long = pd.read_parquet(folder / "per_user.parquet")
    at = users.index.get_indexer(pd.Index(long["user_id"]))
    columns: dict[tuple[str, int, Key], Column] = {}
    groups: dict[Any, Any] = long.groupby(_HEAD, sort=False, dropna=False).indices
    for (model, seed, metric, k, candidates), rows in groups.items():
        part = long.iloc[rows]
        weights = part["weight"].to_numpy()
        columns[model, int(seed), (metric, None if pd.isna(k) else int(k), candidates)] = Column(
            at[rows],
            part["value"].to_numpy(),
            weights if METRICS[metric].needs == "ratings" else None,
        )
    lists = pd.read_parquet(folder / "recommendations.parquet")
    named = pd.read_parquet(folder / "titles.parquet")
    titles = dict(zip(named["item_id"], named["title"]))
    split = folder / "split.parquet"
    frame = pd.read_parquet(split) if split.is_file() else None
    return {
        "columns": columns,
        "users": users,
        "lists": lists,
        "records": kept,
        "findings": findings,
        "settings": run,
        "split_frame": frame,
        "titles": titles,
    }


def all_groups(ev: Any) -> pd.DataFrame:
    """:meth:`Evaluation.by` for activity, popularity and every column of the users table with few values."""
    parts = []
    for group in ev.users.columns:
        values = ev.users[group]
        numeric = pd.api.types.is_numeric_dtype(values)
        if values.notna().sum() == 0 or (not numeric and values.astype("string").nunique() > 12):
            continue
        part = ev.by(str(group))
        part.insert(0, "by", str(group))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain dictionaries; missing values become null."""
    out = []
    for row in frame.to_dict("records"):
        out.append({str(k): _plain(v) for k, v in row.items()})
    return out


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def write_json(path: Path, value: Any) -> None:
    """Write json whole or not at all."""
    files.write_json(path, value, default=_plain)


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write parquet whole or not at all."""
    with files.whole(path) as part:
        frame.to_parquet(part, index=False)
