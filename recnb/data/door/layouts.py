"""Layouts that are no table of rows: Netflix's blocks, MIND's impressions, a matrix, properties of items."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from recnb.data.door import names
from recnb.data.door.options import Undecided
from recnb.data.door.parsing import Grid
from recnb.errors import InputError

WIDE = 20  # columns from which a table of numbers may be a matrix
_MANY = 99.0  # Jester's "not rated"


def blocks(text: str, file: str) -> Grid | None:
    """Netflix's files: a line `17:` names the film of the lines `user,rating,date` below it; None for others."""
    if not re.match(r"\s*\d+:\s*\r?\n", text):
        return None
    lines = pd.Series([line for line in text.splitlines() if line.strip()])
    heads = lines.str.fullmatch(r"\d+:\s*").to_numpy()
    item = lines.where(heads).ffill().str.strip().str.rstrip(":")[~heads]
    cells = lines[~heads].str.split(",", expand=True)
    if cells.empty or cells.shape[1] not in (2, 3) or cells.isna().any(axis=None):
        raise InputError(
            "lines below 'ITEM:' are not 'user,rating,date'",
            file=file,
            mend="give the file as published",
        )
    cells.columns = pd.Index(["user_id", "rating", "timestamp"][: cells.shape[1]])
    cells.insert(1, "item_id", item)
    note = f"a line such as '{lines.iloc[0]}' names the item of the rows below it"
    return Grid(cells.reset_index(drop=True), file, True, [note])


def impressions(text: str, file: str) -> Grid | None:
    """MIND's behaviours: number, user, time, history, and what was shown as `N1-0 N2-1`; None for others.

    A row is made of each click. The history has no times and is left aside, as are news that were shown in vain.
    """
    shown = r"[^\t\n]*\t[^\t\n]+\t[^\t\n]+\t[^\t\n]*\t\S+-[01](?: \S+-[01])*\s*(?:\n|$)"
    if not re.match(shown, text):
        return None
    cells = pd.Series(text.splitlines()).loc[lambda lines: lines != ""].str.split("\t", expand=True)
    if cells.shape[1] != 5 or cells.isna().any(axis=None):
        raise InputError(
            "lines are not number, user, time, history and impressions",
            file=file,
            mend="give the file as published",
        )
    rows = pd.DataFrame(
        {"user_id": cells[1], "item_id": cells[4].str.split(), "timestamp": cells[2]}
    )
    rows = rows.explode("item_id").dropna(subset="item_id")
    clicked = rows["item_id"].str.endswith("-1")
    rows = rows[clicked].reset_index(drop=True)
    rows["item_id"] = rows["item_id"].str.removesuffix("-1")
    if rows.empty:
        raise InputError("no impression was clicked", file=file, mend="give a part with labels")
    notes = [
        f"MIND's behaviours: {len(rows):,} clicks are read; {int((~clicked).sum()):,} news shown in vain and the "
        "histories, which have no times, are left aside"
    ]
    return Grid(rows, file, True, notes)


def matrix(grid: Grid, missing: str | None) -> Grid | None:
    """A row a user, a column an item: as rows of user, item and rating; None where it is no such matrix.

    Jester's files count each user's ratings in a first column and write 99 for none: told without being asked.
    """
    frame = grid.frame
    if missing is None and frame.shape[1] < WIDE:
        return None
    body = frame
    users = pd.Series(np.arange(1, len(frame) + 1).astype(str))
    if grid.header:
        body, users = frame.iloc[:, 1:], frame.iloc[:, 0].astype(str)
    text = body.apply(lambda column: column.str.replace(",", ".", regex=False))
    values = text.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    if (np.isnan(values) & body.notna().to_numpy()).any():
        if missing is None:
            return None
        raise InputError(
            "cells that are no numbers", file=grid.file, mend="read it without --matrix"
        )
    notes = list(grid.notes)
    counted = not grid.header and bool((values[:, 0] == (values[:, 1:] != _MANY).sum(axis=1)).all())
    if counted and missing is None:
        missing = "99"
    if missing is None:
        empty = "''" if np.isnan(values).any() else "0"
        raise Undecided(
            f"{frame.shape[1]} columns of numbers look like a matrix, a user a row and an item a column",
            file=grid.file,
            flags=[f"--matrix {empty}", "--matrix 99", "--columns user_id=1,item_id=2"],
        )
    items = np.array([str(name) for name in body.columns], dtype=object)
    if counted:
        values, items = values[:, 1:], np.arange(1, values.shape[1]).astype(str).astype(object)
        notes.append("the first column counts a user's ratings and is left out")
    gone = (
        np.isnan(values)
        if missing in ("", "none")
        else (values == float(missing)) | np.isnan(values)
    )
    u, i = np.nonzero(~gone)
    notes = [note for note in notes if "no header" not in note]
    notes.append(
        f"read as a matrix of {values.shape[0]:,} users and {values.shape[1]:,} items; "
        f"{missing or 'an empty cell'} means no rating"
    )
    rows = pd.DataFrame(
        {"user_id": users.to_numpy(dtype=object)[u], "item_id": items[i], "rating": values[u, i]}
    )
    if rows.empty:
        raise InputError("no rating is given", file=grid.file, mend="name another --matrix")
    return Grid(rows, grid.file, True, notes)


def properties(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A row an item from rows of item, property and value, as Retailrocket writes them; other tables as they are.

    The latest value of each property that most items have becomes a column.
    """
    if not {"property", "value"} <= set(frame.columns) or frame["item_id"].is_unique:
        return frame, []
    if "timestamp" in frame:
        clock = pd.to_numeric(frame["timestamp"], errors="coerce")
        frame = frame.iloc[np.argsort(clock.to_numpy(), kind="stable")]
    last = frame.drop_duplicates(["item_id", "property"], keep="last")
    ids = last["item_id"].unique()
    shares = last["property"].value_counts() / len(ids)
    common = shares.index[shares > 0.5]
    wide = last[last["property"].isin(common)].pivot(
        index="item_id", columns="property", values="value"
    )
    wide = wide.reindex(ids).rename(columns=lambda name: f"property_{names.snake(name)}")
    note = (
        f"a row is a property of an item: the latest values of {len(common):,} that most items have become columns, "
        f"{len(shares) - len(common):,} rarer ones are left aside"
    )
    return wide.rename_axis(columns=None).reset_index(), [note]
