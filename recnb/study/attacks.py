"""Attacks on several models, in steps that survive a kill: a model that was attacked once is not attacked again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

import recnb
from recnb.data import Dataset, Split
from recnb.effect.attacks import (
    Edit,
    copying,
    ordering,
    pick_targets,
    rewritten,
    sanitised,
    shilling_gains,
    stuffing,
    summary,
    text_gains,
)
from recnb.errors import InputError
from recnb.evaluation import Protocol, evaluate
from recnb.evaluation.judge import plain_settings
from recnb.files import write_json
from recnb.metrics.intervals import paired
from recnb.progress import Progress
from recnb.recommender import Recommender
from recnb.report.effect.attack import write_attacks
from recnb.study.run import made_folder
from recnb.versions import versions

_WORK = ".finished"
AMONG = 20  # items that a model of single pairs ranks a target among


@dataclass(frozen=True)
class AttackPlan:
    """How hard to attack.

    Parameters
    ----------
    edits : int
        Words written, or interactions invented, for each target: the attacker's cost.
    targets, users : int
        Items pushed, and users whose lists are looked at; drawn.
    fed : int
        Targets for which a model is trained again with invented users.
    k, seed : int
    """

    edits: int = 20
    targets: int = 30
    users: int = 300
    fed: int = 10
    k: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("edits", "users", "k"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} {getattr(self, name)}", mend="at least 1")
        if self.targets < 2 or self.fed < 0:
            raise InputError(
                f"--targets {self.targets}, --fed {self.fed}", mend="two targets or more"
            )


def run_attacks(
    split: Split,
    models: Mapping[str, Recommender],
    plan: AttackPlan,
    output: Path,
    command: str = "",
    fresh: bool = False,
    progress: Progress | None = None,
    said: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Attack every model, keep each when it is done, and write `attacks.json`, `run.json` and `report.html`.

    Returns
    -------
    dict
        `records` (a model, an attack: places gained, per edit, share of lists reached, with intervals over the
        targets), `defences` (a model: NDCG@10 with texts as they are and cleaned, gain of the same attacks after the
        door), `plan` (what was asked for), `used` (how many targets and users the data had of these), `data`.
    """
    folder = made_folder(output)
    if fresh:
        shutil.rmtree(folder / _WORK, ignore_errors=True)
    known = split.known
    result: dict[str, Any] = {
        "data": {"name": split.dataset.name, "split": split.name, "digest": split.digest},
        "plan": asdict(plan),
        "used": {
            "targets": len(pick_targets(known, plan.targets, plan.seed)),
            "users": min(plan.users, known.n_users),
        },
        "records": [],
        "defences": [],
    }
    for at, (name, model) in enumerate(models.items()):
        if progress is not None:
            progress(f"{name}: attacked", at, len(models))
        key = [recnb.__version__, split.digest, name, plain_settings(model), asdict(plan)]
        kept = (
            folder
            / _WORK
            / f"{sha256(json.dumps(key, sort_keys=True, default=repr).encode()).hexdigest()[:20]}.json"
        )
        if kept.is_file():
            if said is not None:
                said(f"{name}: attacked before")
            part = json.loads(kept.read_text(encoding="utf-8"))
        else:
            part = attacked(split, known, name, model, plan)
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_json(kept, part)
        result["records"] += part["records"]
        result["defences"] += part["defences"]
    write_json(folder / "attacks.json", result)
    write_json(
        folder / "run.json", {"command": command, "plan": asdict(plan), "versions": versions()}
    )
    write_attacks(result, folder / "report.html", command)
    return result


def attacked(
    split: Split,
    known: Dataset,
    name: str,
    model: Recommender,
    plan: AttackPlan,
    fitted: Recommender | None = None,
) -> dict[str, Any]:
    """Records of one model; `fitted` is it where it has been fitted on `known` before."""
    rng = np.random.default_rng(plan.seed)
    users = np.sort(rng.choice(known.n_users, min(plan.users, known.n_users), replace=False))
    targets = pick_targets(known, plan.targets, plan.seed)
    records: list[dict[str, Any]] = []
    defences: list[dict[str, Any]] = []
    fitted = clone(model).fit(known) if fitted is None else fitted
    reads = fitted.reads()
    if hasattr(fitted, "with_items") and reads.ids != "pairs":
        asks_pairs = hasattr(fitted, "score_candidates")
        if asks_pairs:
            users, targets = users[:10], targets[:10]
        edits = attacks_on_text(known, plan.edits, asks_pairs)
        if asks_pairs and "title" in known.items:  # a judge is told titles, not descriptions
            edits = [replace(edit, column="title") for edit in edits]
        among = AMONG if asks_pairs else None
        gains = text_gains(fitted, known, targets.tolist(), edits, users, plan.k, among, plan.seed)
        records += _records(gains, name, reads.language, "read")
        if not asks_pairs:
            defences.append(_door(split, known, name, model, fitted, targets, edits, users, plan))
    if reads.ids != "none" and plan.fed:
        some = targets[: plan.fed]
        for kind in ("random", "bandwagon"):
            gains = shilling_gains(
                model, known, some.tolist(), plan.edits, users, kind, plan.k, plan.seed
            )
            records += _records(gains, name, reads.language, "trained again")
    if not records:
        raise InputError(
            f"{name} reads neither text nor who had what",
            mend="name a text model or one that counts",
        )
    return {"records": records, "defences": defences}


def attacks_on_text(known: Dataset, edits: int, prompt: bool = False) -> list[Edit]:
    """The attacks of one cost."""
    keywords, copied = stuffing(known, edits), copying(known, edits)
    out = [keywords, copied, keywords.hidden("invisible"), keywords.hidden("look-alike")]
    return [*out, ordering()] if prompt else out


def _records(gains: pd.DataFrame, name: str, language: bool, how: str) -> list[dict[str, Any]]:
    head = {"model": name, "language": language, "how": how}
    return [{**head, **_named(row)} for row in summary(gains).to_dict("records")]


def _named(row: dict[Any, Any]) -> dict[str, Any]:
    """Plain values; what is not known is None."""
    return {str(k): None if isinstance(v, float) and v != v else v for k, v in row.items()}


def _door(
    split: Split, known: Dataset, name: str, model: Recommender, fitted: Recommender,
    targets: np.ndarray, edits: list[Edit], users: np.ndarray, plan: AttackPlan,
) -> dict[str, Any]:  # fmt: skip
    """The same attacks where every text is cleaned at the door, and what cleaning costs in NDCG."""
    cleaned = sanitised(known.items, trusted=known.items)
    washed_split = split.with_dataset(replace(split.dataset, items=cleaned.items))
    data = washed_split.known
    clean = clone(model).fit(data)
    passed = []
    for edit in edits:
        after = sanitised(
            rewritten(known, {int(targets[0]): edit}).items.iloc[[int(targets[0])]],
            trusted=known.items,
        ).items
        before = data.items.iloc[[int(targets[0])]]
        passed.append(_passed(edit, before, after))
    gains = text_gains(clean, data, targets.tolist(), passed, users, plan.k, seed=plan.seed)
    values = {
        kind: evaluate({"m": one}, on, Protocol(metrics=("ndcg",), k=plan.k)).per_user
        for kind, one, on in (("plain", fitted, split), ("cleaned", clean, washed_split))
    }
    plain, washed = (frame["value"].to_numpy() for frame in values.values())
    d = paired(washed, plain, seed=plan.seed)
    return {
        "model": name,
        "defence": "cleaned at the door",
        "texts_changed": cleaned.changed,
        "ndcg": float(plain.mean()),
        "ndcg_defended": float(washed.mean()),
        "difference": d.difference,
        "low": d.low,
        "high": d.high,
        "n_users": len(plain),
        "gains": [_named(row) for row in summary(gains).to_dict("records")],
    }


def _passed(edit: Edit, before: pd.DataFrame, after: pd.DataFrame) -> Edit:
    """What is left of an edit behind the door: the words that the door lets through."""
    old = {w for column in before for w in str(before[column].iloc[0]).lower().split()}
    new = [w for c in after if c in before for w in str(after[c].iloc[0]).split()]
    through = {w.lower() for w in new} | old
    plain = Edit(edit.name, edit.words)
    kept = tuple(w for w in plain.words if w.lower() in through)
    return replace(plain, words=kept or ("",), column=edit.column)
