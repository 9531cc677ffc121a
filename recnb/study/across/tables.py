"""From finished cells to the tables of the study: model x domain x situation, pooled, by activity, cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recnb.errors import InputError
from recnb.metrics import holm, pooled, relative
from recnb.report.effect.across import CHOSEN
from recnb.study.across.cell import CellResult
from recnb.study.across.plan import GROUPS

GAP = "low less high"


@dataclass(frozen=True, eq=False)
class Block:
    """A data set in a situation, its draws together.

    Attributes
    ----------
    cells : list of CellResult
    users : DataFrame
        Those of all draws, with `draw`.
    valid : dict of model to float
        The mean over draws on the validation part.
    """

    cells: list[CellResult]
    users: pd.DataFrame
    valid: dict[str, float]

    @classmethod
    def of(cls, cells: list[CellResult]) -> Block:
        frames = [c.users.assign(draw=c.cell.draw) for c in cells]
        shared = [m for m in cells[0].models if all(m in c.models for c in cells)]
        valid = {m: float(np.mean([c.models[m]["valid"] for c in cells])) for m in shared}
        return cls(cells, pd.concat(frames, ignore_index=True), valid)

    @property
    def data(self) -> str:
        return self.cells[0].cell.data

    @property
    def situation(self) -> str:
        return self.cells[0].cell.situation

    def names(self, language: bool) -> list[str]:
        """Models with a language model, or those without."""
        return [m for m in self.valid if self.cells[0].models[m]["language"] == language]

    def chosen(self, language: bool) -> str:
        """The best on the validation part; the test rows have no say."""
        return max(self.names(language), key=lambda m: self.valid[m])

    def change(self, model: str, to: str, group: str | None = None) -> dict[str, Any]:
        """One model's relative change to another, its interval, p, logarithm and error, or `why` there is none."""
        rows = self.users if group is None else self.users[self.users["group"] == group]
        head: dict[str, Any] = {"n_users": int(rows["user_id"].nunique())}
        for name, column in (("value", model), ("base", to)):
            head[name] = float(rows.groupby("user_id")[column].mean().mean()) if len(rows) else None
        try:
            found = relative(rows[model], rows[to], rows["user_id"], rows["draw"])
        except InputError as error:
            return {**head, **dict.fromkeys(_NUMBERS), "why": error.problem}
        return {**head, **{name: getattr(found, name) for name in _NUMBERS}}


_NUMBERS = ("change", "low", "high", "p", "log", "error")


def blocks_of(cells: Iterable[CellResult]) -> list[Block]:
    """Cells by data set and situation, in their order."""
    held: dict[tuple[str, str], list[CellResult]] = {}
    for one in cells:
        held.setdefault((one.cell.data, one.cell.situation), []).append(one)
    return [Block.of(each) for each in held.values()]


def tables_of(cells: Sequence[CellResult]) -> dict[str, list[dict[str, Any]]]:
    """All tables of the study.

    Returns
    -------
    dict
        `sets` (what each data set is in each situation), `rows` (data, situation, model with a language model, against
        the best without one: relative change with interval, p, Holm over all rows), `pooled` (situation, model: the
        random-effects mean over data sets, Holm over these rows), `groups` and `pooled_groups` (the same by activity,
        for the models chosen on validation, uncorrected), `costs` (model: seconds and parameters).
    """
    blocks = blocks_of(cells)
    rows = [row for block in blocks for row in _rows(block)]
    _adjust(rows)
    groups = [row for block in blocks for row in _groups(block)]
    return {
        "sets": [_set(block) for block in blocks],
        "rows": rows,
        "pooled": pooled_rows(rows),
        "groups": groups,
        "pooled_groups": pooled_groups(groups),
        "costs": costs(cells),
    }


def _set(block: Block) -> dict[str, Any]:
    facts = [c.facts for c in block.cells]
    head = {"data": block.data, "situation": block.situation}
    same = {
        k: facts[0][k] for k in ("users", "items", "rows", "split", "metric", "k", "candidates")
    }
    return {
        **head,
        **same,
        "rows_an_item": float(np.mean([f["rows_an_item"] for f in facts])),
        "judged": int(block.users["user_id"].nunique()),
        "draws": [c.cell.draw for c in block.cells],
        "digests": [f["digest"] for f in facts],
        "notes": facts[0]["notes"],
        "valid": block.valid,
        "values": {
            m: float(block.users.groupby("user_id")[m].mean().mean()) for m in block.valid
        },
    }  # fmt: skip


def _rows(block: Block) -> list[dict[str, Any]]:
    to, best = block.chosen(False), block.chosen(True)
    return [
        {
            "data": block.data,
            "situation": block.situation,
            "model": model,
            "to": to,
            "chosen": model == best,
            **block.change(model, to),
        }
        for model in block.names(True)
    ]


def _adjust(rows: list[dict[str, Any]]) -> None:
    """Holm over all rows that have a p."""
    tested = [row for row in rows if row.get("p") is not None]
    for row in rows:
        row["p_holm"] = None
    for row, p in zip(tested, holm([row["p"] for row in tested]) if tested else []):
        row["p_holm"] = float(p)


def pooled_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every model's mean effect over data sets in each situation, and that of the ones chosen on validation."""
    out = []
    for situation in dict.fromkeys(row["situation"] for row in rows):
        inside = [row for row in rows if row["situation"] == situation]
        families = {CHOSEN: [row for row in inside if row["chosen"]]}
        for model in dict.fromkeys(row["model"] for row in inside):
            families[model] = [row for row in inside if row["model"] == model]
        for name, members in families.items():
            out.append({"situation": situation, "model": name, **_pool(members)})
    _adjust(out)
    return out


def _groups(block: Block) -> list[dict[str, Any]]:
    """By activity, the model chosen with a language model against the one chosen without; and low less high."""
    model, to = block.chosen(True), block.chosen(False)
    head = {"data": block.data, "situation": block.situation, "model": model, "to": to}
    rows = [{**head, "group": g, **block.change(model, to, g)} for g in GROUPS]
    low, high = rows[0], rows[-1]
    if low["log"] is not None and high["log"] is not None:
        error = float(np.hypot(low["error"], high["error"]))
        rows.append({**head, "group": GAP, "log": low["log"] - high["log"], "error": error})
    return rows


def pooled_groups(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Groups of users pooled over data sets; a description, not corrected."""
    out = []
    for situation in dict.fromkeys(row["situation"] for row in groups):
        for group in (*GROUPS, GAP):
            members = [r for r in groups if r["situation"] == situation and r["group"] == group]
            out.append({"situation": situation, "group": group, **_pool(members)})
    return out


def _pool(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The random-effects mean of some rows, as a relative change.

    Two models that list the same for everybody differ by 0 with an error of 0; such a set weighs no more than the most
    exact of the others.
    """
    held = [row for row in members if row.get("log") is not None]
    errors = np.array([row["error"] for row in held], dtype=float)
    out: dict[str, Any] = {"n_sets": len(held), "sets": [row["data"] for row in held]}
    if len(held) < 2 or not (errors > 0).any():
        empty = dict.fromkeys((*_NUMBERS, *_SPREAD, "predict_low", "predict_high"))
        return {**out, **empty, "why": "fewer than two sets with a ratio that can move"}
    errors[errors <= 0] = errors[errors > 0].min()
    found = pooled([row["log"] for row in held], errors)
    ends = {"change": found.value, "low": found.low, "high": found.high}
    ends |= {"predict_low": found.predict_low, "predict_high": found.predict_high}
    shown = {k: None if np.isnan(v) else float(np.expm1(v)) for k, v in ends.items()}
    spread = {name: getattr(found, name) for name in _SPREAD}
    return {**out, **shown, "p": found.p, "log": found.value, "error": found.error, **spread}


_SPREAD = ("tau2", "i2", "q", "q_p")


def costs(cells: Sequence[CellResult]) -> list[dict[str, Any]]:
    """What each model took: the middle cell and the most, where its texts were read for the first time."""
    rows = pd.DataFrame([{"model": m, **told} for c in cells for m, told in c.models.items()])
    grouped = rows.groupby("model", sort=False)
    return [
        {
            "model": str(name),
            "language": bool(each["language"].iloc[0]),
            "parameters": int(each["parameters"].max()),
            "fit_seconds": float(each["fit_seconds"].median()),
            "most_fit_seconds": float(each["fit_seconds"].max()),
            "score_seconds": float(each["score_seconds"].median()),
        }
        for name, each in grouped
    ]
