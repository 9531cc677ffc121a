"""Tables: unknown ids, repeated rows, and guesses where nothing is declared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.checks import cells
from recnb.errors import InputError

ORDER = ("timestamp", "position")
FEEDBACK = ("explicit", "implicit", "count")
DUPLICATES = ("error", "keep", "drop")


def declared(path: Path) -> dict:
    """What a `dataset.json` declares; empty where there is none."""
    if not path.is_file():
        return {}
    try:
        declared = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not JSON ({error})", file=str(path), mend="mend or delete it") from None
    known = {"feedback", "scale", "name", "relevant_from", "duplicates"}
    if not isinstance(declared, dict) or set(declared) - known:
        raise InputError(
            "may hold only " + ", ".join(sorted(known)), file=str(path), mend="delete the rest"
        )
    if declared.get("scale") is not None:
        declared["scale"] = pair(declared["scale"], str(path))
    if not _is_number(declared.get("relevant_from", 0) or 0):
        raise InputError(
            f"relevant_from is {declared['relevant_from']!r}", file=str(path), mend="write a number"
        )
    if not isinstance(declared.get("name") or "", str):
        raise InputError(f"name is {declared['name']!r}", file=str(path), mend="write text")
    for key, allowed in (("feedback", FEEDBACK), ("duplicates", DUPLICATES)):
        choose(declared.get(key) or allowed[0], key, allowed, str(path))
    return {key: value for key, value in declared.items() if value is not None}


def choose(value: object, name: str, allowed: tuple[str, ...], file: str | None = None) -> None:
    """Raise unless the value is one of those allowed."""
    if value not in allowed:
        raise InputError(f"{name}={value!r}", file=file, mend=f"write one of {', '.join(allowed)}")


def pair(scale: object, file: str) -> tuple[float, float]:
    """A rating scale: two finite numbers, the lower one first."""
    ends = list(scale) if isinstance(scale, (list, tuple, np.ndarray)) else []
    if len(ends) != 2 or not all(map(_is_number, ends)) or not ends[0] < ends[1]:
        raise InputError(
            f"scale {scale!r} is no pair of numbers, low before high",
            file=file,
            mend="write [1, 5]",
        )
    return float(ends[0]), float(ends[1])


def _is_number(value: object) -> bool:
    number = isinstance(value, (int, float, np.integer, np.floating))
    return number and not isinstance(value, bool) and bool(np.isfinite(value))  # type: ignore[call-overload]


def entities(
    table: pd.DataFrame | None, seen: pd.Series, key: str, file: str, rows_file: str
) -> pd.DataFrame:
    if table is None:
        return pd.DataFrame(index=pd.Index(np.sort(seen.unique().astype(object)), name=key))
    out = cells.check_entities(table, key, file)
    unknown = ~seen.isin(out.index).to_numpy()
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        twins = cells.bare(out.index.to_series())
        near = out.index[(twins == cells.bare(seen.iloc[[row]]).iloc[0]).to_numpy()]
        hint = f", which has '{near[0]}'" if len(near) else ""
        raise InputError(
            f"'{seen.iloc[row]}' is not in {Path(file).name}{hint} ({unknown.sum():,} rows like this)",
            file=rows_file,
            column=key,
            row=row + 1,
            mend=f"add it to {Path(file).name}, drop these rows, or take that table away",
        )
    return out


def guess(
    rows: pd.DataFrame, feedback: str | None, scale: Sequence[float] | None, file: str
) -> tuple[str, tuple[float, float] | None, tuple[str, ...]]:
    notes: list[str] = []
    ratings = rows["rating"].dropna().to_numpy() if "rating" in rows else np.empty(0)
    if feedback is None:
        if not len(ratings):
            feedback = "implicit"
            notes.append("feedback is taken as implicit: there are no ratings")
        elif (ratings == 1).all():
            feedback = "implicit"
            notes.append("feedback is taken as implicit: every rating is 1")
        elif ratings.max() > 10 and ratings.min() >= 0 and len(np.unique(ratings)) > 20:
            feedback = "count"
            notes.append(
                f"feedback is taken as counts: values from {ratings.min():g} to {ratings.max():g}"
            )
        else:
            feedback = "explicit"
            notes.append("feedback is taken as explicit: the ratings lie on a short scale")
    if feedback == "explicit":
        if not len(ratings):
            raise InputError(
                "explicit feedback without a rating",
                file=file,
                column="rating",
                mend="say implicit",
            )
        if scale is None:
            low, high = float(ratings.min()), float(ratings.max())
            for lo, hi in ((1, 5), (0.5, 5), (0, 5), (1, 10), (0, 10), (0, 1), (0, 100)):
                if lo <= low and high <= hi and high > hi / 2:
                    low, high = float(lo), float(hi)
                    break
            scale = (low, high)
            notes.append(f"the rating scale is taken as {low:g} to {high:g}")
            if low == high:
                raise InputError(
                    f"every rating is {low:g}, which shows no scale",
                    file=file,
                    column="rating",
                    mend="declare the scale, lowest and highest rating",
                )
        low, high = pair(scale, file)
        outside = (rows["rating"] < low) | (rows["rating"] > high)
        if outside.any():
            row = int(np.flatnonzero(outside.to_numpy())[0])
            raise InputError(
                f"{rows['rating'].iloc[row]:g} lies outside the scale {low:g} to {high:g}",
                file=file,
                column="rating",
                row=row + 1,
                mend="mend the rating or the scale",
            )
        return feedback, (low, high), tuple(notes)
    if feedback == "count" and len(ratings) and (rows["rating"] < 0).any():
        row = int(np.flatnonzero((rows["rating"] < 0).to_numpy())[0])
        raise InputError(
            "a count below zero", file=file, column="rating", row=row + 1, mend="drop it"
        )
    return feedback, None, tuple(notes)


def duplicates(
    rows: pd.DataFrame, rule: str, feedback: str, file: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows that stand more than once, by the rule; and what is said of those that are kept without being asked.

    Events without a rating repeat by nature, and so does a rating given again at another time. What else is alike in
    every column is an error that names the flag.
    """
    notes: list[str] = []
    known = [c for c in rows.columns if c not in ("user_id", "item_id", "split")]
    twice = rows.duplicated(known).to_numpy()
    if twice.any():
        if rule == "drop":
            rows = rows[~twice].reset_index(drop=True)
        elif rule == "error" and "rating" not in rows:
            notes.append(f"{twice.sum():,} rows are alike in every column and kept: events repeat")
        elif rule == "error":
            row = int(np.flatnonzero(twice)[0])
            raise InputError(
                f"user '{rows['user_id'].iloc[row]}' and item '{rows['item_id'].iloc[row]}' stand here a second "
                f"time, alike in every column ({twice.sum():,} such rows)",
                file=file,
                row=row + 1,
                mend="drop them, or accept them with --duplicates keep (or drop)",
            )
    if feedback == "explicit" and rule == "error":
        clock = [c for c in ("user", "item", *ORDER) if c in rows]
        twice = rows.duplicated(clock).to_numpy()
        if twice.any():
            row = int(np.flatnonzero(twice)[0])
            raise InputError(
                f"user '{rows['user_id'].iloc[row]}' rates item '{rows['item_id'].iloc[row]}' a second time, and no "
                "time tells which rating is the later one",
                file=file,
                row=row + 1,
                mend="keep one, add a timestamp, or accept with --duplicates keep",
            )
        again = int(rows.duplicated(["user", "item"]).sum())
        if again:
            notes.append(
                f"{again:,} pairs are rated again at another time: the latest rating counts"
            )
    return rows, tuple(notes)
