"""Which column of a file is which of ours, by its name; two candidates are an error that names the command."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches

import numpy as np
import pandas as pd

from recnb.data.checks import cells
from recnb.data.checks.cells import COLUMNS
from recnb.data.door import names, values
from recnb.data.door.options import Undecided, columns_flag
from recnb.data.door.parsing import Grid
from recnb.errors import InputError


def stated(grid: Grid, chosen: Mapping[str, str]) -> dict[str, str]:
    """Our columns of interactions to those that the reader named, by name or place.

    Raises
    ------
    InputError
        A name that is not ours or not the file's.
    """
    known = COLUMNS
    found: dict[str, str] = {}
    for ours, theirs in chosen.items():
        if ours not in known:
            near = get_close_matches(ours, known, n=1)
            raise InputError(
                f"--columns: '{ours}' is no column of ours",
                mend=f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}",
            )
        if theirs != "none":
            found[ours] = named(grid, theirs, "--columns")
    for ours in ("user_id", "item_id"):
        if ours not in found and not grid.header:
            raise InputError(
                f"--columns says no {ours}", file=grid.file, mend="name it by its place, from 1"
            )
    return found


def named(grid: Grid, theirs: str, flag: str) -> str:
    """The file's column of this name, or at this place."""
    header = list(grid.frame.columns)
    matches = [n for n in header if str(n) == theirs]
    matches = matches or [n for n in header if names.squashed(n) == names.squashed(theirs)]
    if not matches and theirs.isdigit() and 1 <= int(theirs) <= len(header):
        matches = [header[int(theirs) - 1]]
    if not matches:
        shown = ", ".join(map(str, header[:12]))
        raise InputError(
            f"{flag}: no column '{theirs}' (found: {shown})", file=grid.file, mend="name one"
        )
    return matches[0]


def told_by_names(
    grid: Grid, chosen: Mapping[str, str], dates: str | None
) -> tuple[dict[str, str], list[str]]:
    """Our columns to those of a file with a header; where the reader said something, that counts.

    Raises
    ------
    Undecided
        Two columns could be the same one of ours.
    InputError
        No column of users or items.
    """
    header = list(grid.frame.columns)
    found = stated(grid, chosen)
    free = [name for name in header if name not in found.values()]
    own = {"user_id", "item_id"} <= set(map(str, header))
    for ours in ("user_id", "item_id"):
        if ours not in found:
            found[ours] = _entity(grid, ours, free, found)
            free.remove(found[ours])
    asked = set(chosen)
    if "rating" not in asked:
        rating = _rating(grid, free, found, own)
        if rating:
            found["count" if names.squashed(rating) in names.COUNTS else "rating"] = rating
            free.remove(rating)
    if "timestamp" not in asked:
        clock = _clock(grid, free, found, dates, own)
        if clock:
            found["timestamp"] = clock
            free.remove(clock)
    for ours, usual in names.OTHERS.items():
        if ours not in asked and (columns := names.candidates(free, usual)):
            numeric = ours in ("quantity", "position")
            if not numeric or _numeric(grid.frame[columns[0]]) or str(columns[0]) == ours:
                found[ours] = columns[0]
                free.remove(columns[0])
    read = [
        f"{'rating' if o == 'count' else o} from '{t}'" for o, t in found.items() if o != str(t)
    ]
    notes = [f"columns: {', '.join(read)}"] if read else []
    if names.squashed(found["user_id"]) in names.VISITS and "user_id" not in asked:
        notes.append(f"each '{found['user_id']}' is taken as a user: no column names people")
    if "timestamp" not in found and "timestamp" not in asked:
        for clock in [c for c in free if _dated(grid, c, found["item_id"])][:1]:
            flag = columns_flag({**chosen, "timestamp": clock})
            notes.append(f"'{clock}' looks like times and is left aside; {flag} reads it")
    if free:
        notes.append(
            f"columns left aside: {', '.join(map(str, free[:12]))}{' …' if len(free) > 12 else ''}"
        )
    order = ["user_id", "item_id", *(k for k in found if k not in ("user_id", "item_id"))]
    return {ours: found[ours] for ours in order}, notes


def _entity(grid: Grid, ours: str, free: list, found: Mapping[str, str]) -> str:
    if ours in map(str, free):
        return ours
    groups = [names.EXACT[ours][at : at + 1] for at in range(len(names.EXACT[ours]))]
    groups.append(names.NAMED[ours])
    if ours == "user_id":
        groups.append(names.VISITS)
    else:
        groups += [names.TITLES[at : at + 1] for at in range(len(names.TITLES))]
    for group in groups:
        columns = names.candidates(free, group)
        if {names.squashed(c) for c in columns} == {"parentasin", "asin"}:
            columns = columns[:1]  # colours and sizes of a product are one item
        columns = [c for c in columns if grid.frame[c].notna().any()]
        if len(columns) > 1:
            raise Undecided(
                f"columns {_listed(columns)} could each be {ours}",
                file=grid.file,
                flags=[columns_flag({**_known(found), ours: c}) for c in columns],
            )
        if columns:
            _mostly_there(grid, ours, columns[0], free, found)
            return columns[0]
    shown = ", ".join(map(str, grid.frame.columns[:12]))
    raise Undecided(
        f"no column is known as {ours} (found: {shown})",
        file=grid.file,
        flags=[columns_flag({**_known(found), **pair}) for pair in _proposed(grid, ours, free)],
    )


def _proposed(grid: Grid, ours: str, free: list) -> list[dict[str, object]]:
    """What may be meant where no name tells it: columns whose values repeat; users and items at once."""
    distinct = {c: grid.frame[c].nunique() for c in free}
    columns = [c for c in free if 1 < distinct[c] < max(len(grid.frame), 3)] or free
    if ours == "item_id":
        return [{ours: c} for c in columns[:3]]
    items = names.candidates(free, (*names.EXACT["item_id"], *names.NAMED["item_id"]))
    if items:
        return [{ours: c} for c in columns if c not in items][:3] or [{ours: columns[0]}]
    first, second = (*columns, *free)[:2] if len(free) > 1 else (free[0], free[0])
    return [{ours: first, "item_id": second}, {ours: second, "item_id": first}]


def _mostly_there(grid: Grid, ours: str, column: str, free: list, found: Mapping) -> None:
    """Raise where most rows name no user while a visit is named."""
    others = [c for c in names.candidates(free, names.VISITS) if c != column]
    empty = values.identified(grid.frame[column]).isna().mean()
    if ours == "user_id" and others and empty > 0.5:
        raise Undecided(
            f"{empty:.0%} of the rows have no '{column}'",
            file=grid.file,
            flags=[
                columns_flag({**_known(found), ours: c})
                for c in (others[:1] if empty == 1 else [others[0], column])
            ],
        )


def _rating(grid: Grid, free: list, found: Mapping[str, str], own: bool) -> str | None:
    if own and "rating" in map(str, free):
        return "rating"
    for group in (names.RATINGS, names.LABELS):
        columns = [c for c in names.candidates(free, group) if _numeric(grid.frame[c])]
        counts = [c for c in names.candidates(free, names.COUNTS) if _numeric(grid.frame[c])]
        if len(columns) > 1 or (columns and counts and group is names.RATINGS):
            several = [*columns, *counts]
            raise Undecided(
                f"columns {_listed(several)} could each be the rating",
                file=grid.file,
                flags=[columns_flag({**_known(found), "rating": c}) for c in (*several, "none")],
            )
        if columns:
            return columns[0]
    if len(counts) > 1:
        raise Undecided(
            f"columns {_listed(counts)} could each be the count",
            file=grid.file,
            flags=[columns_flag({**_known(found), "rating": c}) for c in (*counts, "none")],
        )
    if counts:
        return counts[0]
    item = grid.frame[found["item_id"]]
    rated = [
        c
        for c in names.rated(free)
        if names.squashed(c) not in names.RATINGS
        and _numeric(grid.frame[c])
        and (grid.frame[c].groupby(item).nunique() > 1).any()  # else it describes the item
    ]
    if len(rated) > 1:
        raise Undecided(
            f"columns {_listed(rated)} could each be the rating",
            file=grid.file,
            flags=[columns_flag({**_known(found), "rating": c}) for c in (*rated, "none")],
        )
    if rated:
        return rated[0]
    exact = [c for c in free if names.squashed(c) == "rating"]
    return exact[0] if exact else None


def _clock(grid: Grid, free: list, found: Mapping, dates: str | None, own: bool) -> str | None:
    columns = [c for c in names.candidates(free, names.TIMES) if grid.frame[c].notna().any()]
    if not columns or (own and "timestamp" in map(str, free)):
        return "timestamp" if columns else None
    if len(columns) == 1:
        return columns[0]
    head = grid.frame.iloc[:2000]
    readable: dict[str, np.ndarray] = {}
    for column in columns:
        try:
            series, _ = values.times(head[column], grid.file, str(column), dates or "mdy")
            if (seconds := cells.times(series, grid.file, str(column))) is not None:
                readable[column] = np.asarray(seconds, dtype=float)
        except InputError:
            continue
    if not readable:
        return columns[0]
    first, *others = readable
    # A day and its moment agree; where zones differ they are a day apart at most.
    if all(np.abs(readable[first] - readable[o]).max() < 2 * 86400 for o in others):
        return max(readable, key=lambda c: len(np.unique(readable[c])))
    raise Undecided(
        f"columns {_listed(list(readable))} could each be the time, and they differ",
        file=grid.file,
        flags=[columns_flag({**_known(found), "timestamp": c}) for c in readable],
    )


def _dated(grid: Grid, column: str, item: str) -> bool:
    """Whether the first cells are dates that differ among the rows of an item: a release date describes it."""
    head = grid.frame[[column, item]].iloc[:2000].dropna()
    cells_ = values.emptied(head[column])[0].dropna()
    if cells_.empty or not (head[column].groupby(head[item]).nunique() > 1).any():
        return False
    if not values.is_text(cells_):
        return pd.api.types.is_datetime64_any_dtype(cells_)
    if cells_.astype(str).str.match(r"\s*\d{4}-\d\d?-\d\d?").all():
        return True
    try:
        read, _ = values.times(cells_, grid.file, str(column), None)
    except Undecided:  # a date, of which only the order of day and month is open
        return True
    except InputError:
        return False
    return pd.api.types.is_datetime64_any_dtype(read)


def _known(found: Mapping[str, str]) -> dict[str, str]:
    return {("rating" if k == "count" else k): v for k, v in found.items() if k != str(v)}


def _listed(columns: Collection) -> str:
    return " and ".join(f"'{c}'" for c in columns)


def _numeric(series: pd.Series) -> bool:
    """Whether the first cells that are not empty are numbers."""
    head = values.emptied(series.iloc[:1000])[0].dropna()
    if head.empty:
        head = values.emptied(series)[0].dropna().iloc[:1000]
    if head.empty:
        return False
    text, _ = values.numbers(head, str(series.name))
    return bool(pd.to_numeric(text, errors="coerce").notna().mean() > 0.5)
