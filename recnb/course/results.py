"""The recorded runs on real data, rendered: "the same question on other data"."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from recnb.course.records import checked_rows
from recnb.course.render import as_html, as_text
from recnb.errors import InputError


@dataclass(frozen=True)
class Recorded:
    """Recorded runs on real data, shown as one table, or the sentence that there are none.

    Attributes
    ----------
    rows : tuple of dict
        The rows of all files, with `data`, `date` and `device` from the head of each file. Lists in them, as of a
        value by seed, are not shown.
    note : str
        Where the rows come from, or why there are none.
    columns : tuple of str
        Those that are shown, in this order; empty: all.
    """

    rows: tuple[dict[str, Any], ...]
    note: str
    columns: tuple[str, ...] = ()

    def _shown(self) -> tuple[dict[str, Any], ...]:
        if self.columns:
            return tuple({name: row.get(name) for name in self.columns} for row in self.rows)
        return tuple(
            {k: v for k, v in row.items() if not isinstance(v, list | dict)} for row in self.rows
        )

    def __repr__(self) -> str:
        return f"{as_text(self._shown(), {})}\n{self.note}" if self.rows else self.note

    def _repr_html_(self) -> str:
        return (as_html(self._shown(), {}) if self.rows else "") + f"<p>{escape(self.note)}</p>"


def recorded(
    pattern: str,
    *,
    part: str = "records",
    folder: str | Path | None = None,
    columns: Sequence[str] = (),
    **only: Any,
) -> Recorded:
    """Return the recorded runs on real data that match, for the reader to see.

    Parameters
    ----------
    pattern : str
        Names of files in ``results/``, for example ``"classical-*"``; ``.json`` is added.
    part : str
        Which part of the files: "records" holds the values; others are lists of rows ("differences") or rows by
        name ("costs"), whose name becomes the column `model`.
    folder : path, optional
        Where the files are; default: those that the package brings, in a checkout ``results/``.
    columns : sequence of str
        Columns to show, in this order; the rows keep all. Default: all.
    **only
        Keep the rows with these values, for example ``metric="ndcg"``; a list means any of them.

    Returns
    -------
    Recorded
        Shows itself as a table. Where there is no run yet it says so; it never makes up a row.

    Raises
    ------
    InputError
        A matching file that is no JSON or holds no rows; a column that no row has.

    Notes
    -----
    A file is a list of rows, or an object with `records` (or `rows`) and, for all of them, what
    there is of `data` (or `dataset`), `split`, `device`, `date`. Every row has `metric` and `value`.
    An object may hold `runs` instead, a list of such objects: each row then tells its run's `data` and `protocol`.

    Examples
    --------
    >>> recorded("no-such-run", folder=".")
    No run on other data is recorded yet under 'no-such-run'.
    """
    name = pattern if pattern.endswith(".json") else f"{pattern}.json"
    place = Path(folder) if folder is not None else results_folder()
    if place is None:
        note = "The recorded runs are in results/ of the repository; this copy of the package lacks them."
        return Recorded((), note)
    files = sorted(place.glob(name))
    rows = [row for file in files for row in _read(file, part)]
    for column, wanted in only.items():
        allowed = wanted if isinstance(wanted, list | tuple | set) else [wanted]
        rows = [row for row in rows if row.get(column) in allowed]
    if not rows:
        return Recorded((), f"No run on other data is recorded yet under '{pattern}'.")
    unknown = [name for name in columns if not any(name in row for row in rows)]
    if unknown:
        raise InputError(f"no recorded row of '{pattern}' has it", column=unknown[0])
    names = ", ".join(f"results/{file.name}" for file in files)
    return Recorded(tuple(rows), f"Recorded in {names}.", tuple(columns))


def recorded_run(name: str, folder: str | Path | None = None) -> dict[str, Any]:
    """Return all that one recorded run holds, for what is no table of rows; empty where it is not recorded.

    Parameters
    ----------
    name : str
        A file in ``results/`` without ``.json``.
    folder : path, optional
        As in `recorded`.

    Examples
    --------
    >>> recorded_run("no-such-run", folder=".")
    {}
    """
    place = Path(folder) if folder is not None else results_folder()
    file = None if place is None else place / f"{name}.json"
    if file is None or not file.is_file():
        return {}
    content = json.loads(file.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {"records": content}


def results_folder() -> Path | None:
    """Where the recorded runs are: inside an installed package, else in the checkout around it; None without any."""
    package = Path(__file__).resolve().parent / "results"
    checkout = Path(__file__).resolve().parents[2] / "results"
    return next((place for place in (package, checkout) if place.is_dir()), None)


def _read(file: Path, part: str) -> list[dict[str, Any]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"no JSON ({error})", file=str(file), mend="record the run again"
        ) from error
    head = content if isinstance(content, dict) else {}
    if "runs" in head and not {"records", "rows", part} & head.keys():
        return [row for run in head["runs"] for row in _of_run(head, run, part)]
    if part != "records":
        return _part(head.get(part, []))
    rows = head.get("records", head.get("rows")) if head else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError("holds no rows", file=str(file), mend="write a list named 'records'")
    return _with_head(head, rows)


def _of_run(head: dict[str, Any], run: dict[str, Any], part: str) -> list[dict[str, Any]]:
    """Rows of one run of several: its own data and protocol stand first in each."""
    if part == "records":
        return _with_head({**head, **run, "split": run.get("protocol")}, run["records"])
    which: dict[str, Any] = {name: run[name] for name in ("data", "protocol") if name in run}
    return [{**which, **row} for row in _part(run.get(part, []))]


def _with_head(head: dict[str, Any], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    shared = {
        "data": head.get("data", head.get("dataset")),
        "split": head.get("split"),
        "date": head.get("date"),
        "device": head.get("device"),
    }
    said = {name: str(value) for name, value in shared.items() if isinstance(value, str)}
    first: dict[str, Any] = {name: said.pop(name) for name in ("data", "split") if name in said}
    return [{**first, **row, **said} for row in checked_rows(rows)]


def _part(content: Any) -> list[dict[str, Any]]:
    """Rows of another part than the records; none where there is no such part."""
    if isinstance(content, dict):
        content = [{"model": name, **row} for name, row in content.items() if isinstance(row, dict)]
    return [dict(row) for row in content]
