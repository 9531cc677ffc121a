"""A file of interactions, items or users: read, its columns understood, its cells mended where that is safe."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.door import columns, item_columns, layouts, names, records, values
from recnb.data.door.content import told_by_content
from recnb.data.door.opening import decoded, unpacked
from recnb.data.door.options import Reading, Undecided, columns_flag, events_flag
from recnb.data.door.parsing import Grid, parse
from recnb.errors import InputError

# Book-Crossing and Goodreads write 0 where a book was shelved and not rated.
_ZERO_IS_NONE = ({"bookrating", "isbn"}, {"bookid", "isread", "rating"})


@dataclass
class Arrived:
    """A table with our columns.

    Attributes
    ----------
    frame : DataFrame
    notes : list of str
        What was guessed or mended, a line each.
    feedback : str or None
        "count" where the column that became `rating` counts.
    items : DataFrame or None
        Of interactions that carry the items' titles.
    """

    frame: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    feedback: str | None = None
    items: pd.DataFrame | None = None


def read_grid(
    path: str | Path,
    reading: Reading,
    chosen: Collection[str],
    numbered: bool = True,
    ids: Collection[str] = (),
) -> Grid:
    """The cells of a file of any of the formats.

    Raises
    ------
    InputError
        The file is missing, empty, broken, or of no format that is read.
    """
    path = Path(path)
    file = str(path)
    raw, name = unpacked(path)
    notes: list[str] = []
    if raw.startswith(b"PK\x03\x04"):
        raw, notes = records.workbook(raw, file)
    if raw.startswith(b"PAR1"):
        return records.parquet(raw, file)
    if name.endswith(".parquet"):
        raise InputError("not a readable parquet file", file=file, mend="write it again")
    text, said = decoded(raw, file, reading.encoding)
    notes += said
    del raw
    if records.is_json(text):
        grid = records.records(text, file)
    else:
        known = layouts.blocks(text, file) or layouts.impressions(text, file)
        grid = known or parse(text, file, name, reading, list(chosen), numbered, ids)
    grid.notes[:0] = notes
    return grid


def read_table(path: str | Path) -> pd.DataFrame:
    """A table that has our columns already, of any of the formats; cells of text files stay text.

    Raises
    ------
    InputError
        As :func:`read_grid`; rows that can be read in several ways are refused.
    """
    try:
        return read_grid(path, Reading(), ()).frame
    except Undecided as error:
        raise InputError(
            error.problem,
            file=error.file,
            column=error.column,
            row=error.row,
            mend="write it with a header, and as many cells in each row",
        ) from None


def read_interactions(path: str | Path, reading: Reading) -> Arrived:
    """Interactions: `user_id`, `item_id` and what there is of the other columns.

    Raises
    ------
    InputError
        Besides :func:`read_grid`: no column of users or items. Undecided, which names the flags: the file can be read
        in several ways that lead to other numbers.
    """
    grid = read_grid(path, reading, reading.columns.values())
    if not reading.columns or reading.matrix is not None:
        told = {names.squashed(c) for c in grid.frame.columns} & {
            *names.EXACT["item_id"],
            *names.NAMED["item_id"],
        }
        if reading.matrix is not None or not (grid.header and told):
            wide = layouts.matrix(grid, reading.matrix) if _is_text(grid) else None
            if wide is not None:
                return Arrived(wide.frame, wide.notes)
    notes = list(grid.notes)
    if grid.header:
        found, said = columns.told_by_names(grid, reading.columns, reading.dates)
    elif reading.columns:
        found, said = columns.stated(grid, reading.columns), []
    else:
        found, said = told_by_content(grid.frame, grid.file)
    notes += said
    feedback = "count" if "count" in found else None
    if feedback:
        found["rating"] = found.pop("count")
    frame = grid.frame[list(found.values())].copy()
    frame.columns = pd.Index(list(found))
    frame, said = _of_events(frame, grid.file, reading, counts=feedback is not None)
    notes += said
    header = {names.squashed(c) for c in grid.frame.columns}
    known_zero = any(header >= layout for layout in _ZERO_IS_NONE)
    said = _ordered(frame, grid, found.get("position"))
    notes += said
    frame, said = _mended(frame, grid.file, reading, known_zero and feedback is None)
    items = item_columns.titles(grid, found["item_id"], frame)
    return Arrived(frame.reset_index(drop=True), notes + said, feedback, items)


def _of_events(
    frame: pd.DataFrame, file: str, reading: Reading, counts: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Rows of the events that the reader named; asked where a count means something in rows of some events only."""
    chosen = reading.events
    if "event" not in frame:
        if chosen in (None, "all"):
            return frame, []
        raise InputError(
            "--events: no column holds events", file=file, mend="name it: --columns event=NAME"
        )
    kinds = frame["event"].fillna("").astype(str).str.strip()
    if chosen is None and counts:
        # Steam counts the hours of `play`, and writes 1 for each `purchase`.
        values = frame["rating"].groupby(kinds).agg(["nunique", "size"])
        same = values.index[(values["nunique"] == 1) & (values["size"] > 10)]
        varied = values.index[values["nunique"] > 1]
        if len(same) and len(varied):
            raise Undecided(
                f"the count differs in rows of {', '.join(varied)} and is always the same in rows of {', '.join(same)}",
                file=file,
                column="event",
                flags=[events_flag(varied), events_flag(same), "--events all"],
            )
    if chosen in (None, "all"):
        return frame, []
    wanted = [name.strip() for name in str(chosen).split(",")]
    missing = [name for name in wanted if name not in set(kinds)]
    if missing:
        raise InputError(
            f"--events: no row is a '{missing[0]}' (found: {', '.join(sorted(set(kinds))[:8])})",
            file=file,
            mend="name one of these",
        )
    kept = kinds.isin(wanted).to_numpy()
    note = f"{(~kept).sum():,} rows of other events than {', '.join(wanted)} are left out"
    return frame[kept], [note] if not kept.all() else []


def _ordered(frame: pd.DataFrame, grid: Grid, position: str | None) -> list[str]:
    """Where a place counts within an order and the orders are numbered, both make the position."""
    numbers = [c for c in grid.frame.columns if names.squashed(c) == "ordernumber"]
    if not numbers or position is None or names.squashed(position) != "addtocartorder":
        return []
    order = pd.to_numeric(grid.frame[numbers[0]], errors="coerce")
    place = pd.to_numeric(frame["position"], errors="coerce")
    if order.isna().any() or place.isna().any():
        return []
    frame["position"] = order * (place.max() + 1) + place
    return [f"position counts by '{numbers[0]}', then by '{position}'"]


def _is_text(grid: Grid) -> bool:
    return all(values.is_text(grid.frame[name]) for name in grid.frame.columns)


def _mended(
    frame: pd.DataFrame, file: str, reading: Reading, known_zero: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Interactions whose cells can be read, without rows that name nobody or nothing."""
    notes: list[str] = []
    for column in ("user_id", "item_id"):
        frame[column], said = values.ids(frame[column], column)
        notes += said
    for column in ("user_id", "item_id"):
        null = frame[column].isna().to_numpy()
        if null.all():
            raise InputError("no id", file=file, column=column, mend="name another column")
        if null.any():
            kind = column.removesuffix("_id")
            notes.append(
                f"{null.sum():,} rows without {kind} are left out (row {int(null.argmax()) + 1} is the first)"
            )
            frame = frame[~null]
    if "quantity" in frame:
        frame["quantity"], said = values.numbers(frame["quantity"], "quantity")
        notes += said
        frame, said = values.returns(frame)
        notes += said
    if "rating" in frame:
        frame["rating"], said = values.numbers(frame["rating"], "rating")
        notes += said
        ratings = pd.to_numeric(frame["rating"], errors="coerce")
        if (ratings.isna() == frame["rating"].isna()).all():
            given, said = values.unrated(ratings.astype(float), known_zero, reading.unrated, file)
            if said and "is read as no rating" in said[0]:
                frame["rating"] = given.astype("Float64")
            notes += said
    if "timestamp" in frame:
        frame["timestamp"] = _worded(frame["timestamp"], file, reading)
        frame["timestamp"], said = values.times(
            frame["timestamp"], file, "timestamp", reading.dates
        )
        notes += said
        frame, said = _timed(frame, file, reading)
        notes += said
    return frame, notes


def _worded(clock: pd.Series, file: str, reading: Reading) -> pd.Series:
    """Words among times, such as "yesterday": asked, or emptied where bad rows are left out."""
    if not values.is_text(clock):
        return clock
    text = values.emptied(clock)[0].astype("string")
    words = (text.notna() & ~text.str.contains(r"\d", na=True)).to_numpy(bool)
    if not words.any() or words[text.notna().to_numpy()].all():
        return clock
    if reading.bad_rows == "drop":
        return clock.mask(words)
    raise _no_time(f"'{clock.iloc[int(words.argmax())]}' is no time", words, file, reading)


def _timed(frame: pd.DataFrame, file: str, reading: Reading) -> tuple[pd.DataFrame, list[str]]:
    """Rows without a time among rows that have one: asked, or left out where the reader said so."""
    lacking = frame["timestamp"].isna().to_numpy()
    if not lacking.any() or lacking.all():
        return frame, []
    if reading.bad_rows == "drop":
        return frame[~lacking], [f"{lacking.sum():,} rows without a time are left out"]
    raise _no_time("no time, while other rows have one", lacking, file, reading)


def _no_time(what: str, rows: np.ndarray, file: str, reading: Reading) -> Undecided:
    """The question what to do with rows whose time cannot be read, the first of them named."""
    return Undecided(
        f"{what} ({rows.sum():,} such rows)",
        file=file,
        column="timestamp",
        row=int(rows.argmax()) + 1,
        flags=["--bad-rows drop", columns_flag({**reading.columns, "timestamp": "none"})],
    )


def read_items(path: str | Path, used: Collection[str], reading: Reading) -> Arrived:
    """Items beside interactions: found by the ids that these use.

    Parameters
    ----------
    path : str or Path
    used : collection of str
        The items of the interactions; those that the file lacks get an empty row, which is said.

    Raises
    ------
    InputError
        Besides :func:`read_grid`: no column holds the items' ids.
    """
    tolerant = Reading(encoding=reading.encoding, bad_rows="join")
    grid = read_grid(path, tolerant, reading.item_columns.values(), numbered=False, ids=set(used))
    found, notes = item_columns.of_items(grid, set(used), reading.item_columns)
    frame = item_columns.kept(grid.frame, found)
    frame["item_id"], said = values.ids(frame["item_id"], "item_id")
    notes = [*grid.notes, *notes, *said]
    frame, told = layouts.properties(frame[frame["item_id"].notna()])
    frame, said = values.with_plain_numbers(frame, ("item_id", "title", "text"))
    notes += told + said
    named = next(theirs for theirs, ours in found.items() if ours == "item_id")
    if "title" not in frame and names.squashed(named) in names.TITLES:
        frame = frame.assign(title=frame["item_id"])
    twice = frame["item_id"].astype(str).duplicated().to_numpy()
    if twice.any():
        first = frame["item_id"].astype(str)[twice].iloc[0]
        notes.append(f"{twice.sum():,} rows repeat an item ('{first}'): its first row counts")
        frame = frame[~twice]
    missing = sorted(set(used) - set(frame["item_id"].astype(str)))
    idle = int((~frame["item_id"].astype(str).isin(set(used))).sum())
    if missing:
        notes.append(
            f"{len(missing):,} items of the interactions are not in {Path(path).name} ('{missing[0]}')"
        )
        frame = pd.concat([frame, pd.DataFrame({"item_id": missing})], ignore_index=True)
    if idle:
        notes.append(
            f"{idle:,} items of {Path(path).name} are in no interaction; they stay candidates"
        )
    return Arrived(frame.reset_index(drop=True), [f"items: {note}" for note in notes])


def read_entities(path: str | Path, key: str, reading: Reading) -> Arrived:
    """The items or users of a data folder: `key`, and the other columns under their names."""
    chosen = reading.item_columns if key == "item_id" else {}
    grid = read_grid(path, reading, chosen.values(), numbered=False)
    found, notes = item_columns.of_entities(grid, key, chosen)
    frame, said = values.with_plain_numbers(
        item_columns.kept(grid.frame, found), (key, "title", "text")
    )
    return Arrived(frame, [*grid.notes, *notes, *said])
