"""Parquet, Excel and JSON: tables whose cells have types."""

from __future__ import annotations

import ast
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recnb.data.checks.cells import COLUMNS
from recnb.data.door import names
from recnb.data.door.parsing import Grid
from recnb.errors import InputError
from recnb.optional import has, install_line

_LONGEST = 2000  # characters of a text that is kept where no usual name asks for it


def parquet(source: Path | bytes, file: str) -> Grid:
    """A parquet file; NaN where null is meant is refused."""
    try:
        table = pq.read_table(io.BytesIO(source) if isinstance(source, bytes) else source)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"not a readable parquet file ({str(error).splitlines()[0][:120]})",
            file=file,
            mend="write it again",
        ) from None
    for name in table.column_names:
        column = table[name]
        if name in COLUMNS and pa.types.is_floating(column.type):
            nan = pc.is_nan(column).fill_null(False)
            if pc.any(nan).as_py():
                raise InputError(
                    "NaN is no value",
                    file=file,
                    column=name,
                    row=pc.index(nan, True).as_py() + 1,
                    mend="write a number, or null where there is none",
                )
    return Grid(table.to_pandas(types_mapper=_nullable), file)


def _nullable(kind: pa.DataType) -> Any:
    """The type of pandas that keeps nulls apart from NaN; None for what needs none."""
    if pa.types.is_signed_integer(kind) or kind in (pa.float32(), pa.float64()):
        return pd.api.types.pandas_dtype(kind.to_pandas_dtype().__name__.capitalize())
    return None


def workbook(raw: bytes, file: str) -> tuple[bytes, list[str]]:
    """The one filled sheet of an Excel workbook as csv, and what is said of it.

    Raises
    ------
    InputError
        `openpyxl` is not installed, the workbook is broken, or not one sheet holds a table.
    """
    if not has("openpyxl"):
        mend = f"save the sheet as csv, or {install_line('openpyxl')}"
        raise InputError("an Excel workbook", file=file, mend=mend)
    try:
        sheets = pd.read_excel(
            io.BytesIO(raw),
            sheet_name=None,
            header=None,
            dtype=str,
            keep_default_na=False,
            na_values=[""],
            engine="openpyxl",
        )
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:80]
        raise InputError(
            f"not a readable Excel workbook ({reason})", file=file, mend="save the sheet as csv"
        ) from None
    filled = {name: sheet for name, sheet in sheets.items() if sheet.notna().any(axis=None)}
    if len(filled) != 1:
        shown = f" ({', '.join(map(str, filled))})" if filled else ""
        raise InputError(
            f"{len(filled)} sheets hold a table{shown}", file=file, mend="save the one as csv"
        )
    name, sheet = filled.popitem()
    return sheet.to_csv(index=False, header=False).encode(), [f"sheet '{name}' is read"]


def is_json(text: str) -> bool:
    start = text[:200].lstrip()
    return start.startswith("{") or (start.startswith("[") and "{" in start[:50])


def records(text: str, file: str) -> Grid:
    """A JSON list of records, or one record a line; Python's own way of writing them is understood and said."""
    notes: list[str] = []
    if text.lstrip().startswith("["):
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise InputError(f"no JSON ({error})", file=file, mend="write it again") from None
    else:
        rows = []
        for at, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                rows.append(_record(line, at, file, notes))
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(
            "no records in it", file=file, mend="write one JSON object a line, each an interaction"
        )
    keys = dict.fromkeys(key for row in rows[:1000] for key in row)
    kept = [key for key in keys if names.is_known(key) or _short(rows[:1000], key)]
    frame = pd.DataFrame({key: [_plain(row.get(key)) for row in rows] for key in kept})
    for key in kept:
        if frame[key].dtype.kind == "f":
            frame[key] = frame[key].astype("Float64")
    return Grid(frame, file, True, notes)


def _record(line: str, at: int, file: str, notes: list[str]) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        try:
            record = ast.literal_eval(line.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise InputError(
                f"no JSON ({str(error)[:80]})", file=file, row=at, mend="fetch the file again"
            ) from None
    said = "records are written as Python writes them, not as JSON"
    if said not in notes:
        notes.append(said)
    return record


def _short(rows: list[dict], key: str) -> bool:
    return all(
        isinstance(value := row.get(key), (str, int, float, bool, type(None)))
        and len(str(value)) <= _LONGEST
        for row in rows
    )


def _plain(value: Any) -> Any:
    """A cell: lists of words become text, other nests are left out."""
    if isinstance(value, list):
        # Amazon's categories are lists of paths: each word once.
        flat = [v for part in value for v in (part if isinstance(part, list) else [part])]
        words = list(dict.fromkeys(str(v) for v in flat if isinstance(v, (str, int, float))))
        return ", ".join(words) if words else None
    return None if isinstance(value, dict) else value
