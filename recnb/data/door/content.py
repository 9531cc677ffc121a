"""Which column is which where nothing names them: told by what they hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recnb.data.door.options import Undecided, columns_flag
from recnb.data.door.values import emptied, numbers, times

_ASIN = r"B0[0-9A-Z]{8}|[0-9]{9}[0-9X]"
_AMAZON_USER = r"A[0-9A-Z]{9,20}"
_ROWS = 20_000  # rows that are looked at
_FIRST, _LAST = 8.0e8, 2.05e9  # Unix seconds of 1995 and 2034


@dataclass(frozen=True)
class _Column:
    name: str
    kind: str  # constant, time, level, number, event, id
    distinct: int
    text: bool = False


def told_by_content(frame: pd.DataFrame, file: str) -> tuple[dict[str, str], list[str]]:
    """Our columns to those of a file without a header.

    Notes
    -----
    Of two columns of ids the first is the user, as nearly all files have it, unless one holds Amazon's numbers of
    products and the other its reviewers. What is the same in every row, differs in every row, or is settled by the
    item (its category, its place) is left aside.

    Raises
    ------
    Undecided
        There are not two columns of ids, or a column could be the rating and does not stand where ratings do.
    """
    head = frame.iloc[:_ROWS]
    columns = [_kind(head[name]) for name in frame.columns]
    ids = [c for c in columns if c.kind == "id" and c.distinct < max(len(head), 50)]
    if len(ids) < 2:
        ids = [c for c in columns if c.kind in ("id", "number", "level") and c.distinct > 1][:2]
    if len(ids) < 2:
        raise Undecided(
            f"there are no two columns of ids among its {len(columns)}",
            file=file,
            flags=["--columns user_id=1,item_id=2"],
        )
    user, item, why = _ordered(head, ids)
    found = {"user_id": user.name, "item_id": item.name}
    rest = [c for c in columns if c not in (user, item) and c.kind != "constant"]
    clocks = [c for c in rest if c.kind == "time"]
    if clocks:
        found["timestamp"] = clocks[0].name
    events = [c for c in rest if c.kind == "event" and not _settled(head, item.name, c.name)]
    if events:
        found["event"] = events[0].name
    values = [c for c in rest if _is_value(c, len(head)) and not _settled(head, item.name, c.name)]
    levels = [c for c in values if c.kind == "level"]
    if levels:
        chosen = levels[0]
        between = [c for c in values if _between(columns, item, user, c, chosen)]
        if len(levels) > 1 or between:
            raise Undecided(
                f"column {chosen.name} may be the rating",
                file=file,
                flags=[
                    columns_flag({**found, "rating": chosen.name}),
                    columns_flag({**found, "rating": "none"}),
                ],
            )
        found["rating"] = chosen.name
    elif len(values) == 1 and _counts(head[values[0].name]):
        found["count"] = values[0].name
    said = ", ".join(f"{'rating' if k == 'count' else k} {v}" for k, v in found.items())
    aside = [c.name for c in columns if c.name not in found.values()]
    notes = [
        f"columns by what they hold: {said}"
        + (f"; left aside: {', '.join(aside)}" if aside else "")
    ]
    other = {**found, "user_id": item.name, "item_id": user.name}
    if "count" in other:
        other["rating"] = other.pop("count")
    notes.append(f"{why}; the other way round: {columns_flag(other)}")
    return found, notes


def _is_value(column: _Column, n_rows: int) -> bool:
    """Whether it may be a rating or a count: numbers that do not differ in every row."""
    whole = column.kind == "id" and not column.text and column.distinct < n_rows
    return whole or column.kind in ("level", "number")


def _kind(series: pd.Series) -> _Column:
    name = str(series.name)
    cells = emptied(series)[0].dropna().astype(str).str.strip()
    distinct = cells.unique()
    if len(distinct) <= 1 and len(cells) > 1:
        return _Column(name, "constant", len(distinct))
    values = pd.to_numeric(numbers(pd.Series(distinct, dtype=object), name)[0], errors="coerce")
    plain = values.to_numpy(dtype=float)
    if np.isnan(plain).any():
        return _of_text(name, pd.Series(distinct), len(cells))
    leading = any(len(cell) > 1 and cell[0] == "0" and cell.isdigit() for cell in distinct)
    seconds = plain / (1e3 if plain.max() > 1e11 else 1)
    if not leading and seconds.min() >= _FIRST and seconds.max() <= _LAST:
        # An id of nine or ten digits can look like a time; a clock has hardly any repeated gap of zeros.
        return _Column(name, "time", len(distinct))
    whole = bool((plain == np.floor(plain)).all()) and not leading
    halves = bool((plain * 2 == np.floor(plain * 2)).all())
    top = plain.max()
    usual = top == 1 or 3 <= top <= 10
    few = len(distinct) <= 21 and len(cells) > len(distinct)
    if few and plain.min() >= -1 and halves and usual:
        return _Column(name, "level", len(distinct))
    if not whole and not leading:
        return _Column(name, "number", len(distinct))
    return _Column(name, "id", len(distinct))


def _of_text(name: str, distinct: pd.Series, n: int) -> _Column:
    if distinct.str.match(r"\d{4}-\d\d?-\d\d?").all():
        return _Column(name, "time", len(distinct))
    try:
        dated = pd.api.types.is_datetime64_any_dtype(times(distinct, "", name, "mdy")[0])
    except ValueError:
        dated = False
    if dated:
        return _Column(name, "time", len(distinct))
    if (
        len(distinct) <= 12
        and n > 3 * len(distinct)
        and distinct.str.fullmatch(r"[A-Za-z_ \-]+").all()
    ):
        return _Column(name, "event", len(distinct), text=True)
    return _Column(name, "id", len(distinct), text=True)


def _ordered(head: pd.DataFrame, ids: list[_Column]) -> tuple[_Column, _Column, str]:
    def share(column: _Column, pattern: str) -> float:
        return float(head[column.name].dropna().astype(str).str.fullmatch(pattern).mean())

    products = [c for c in ids if share(c, _ASIN) > 0.9]
    people = [c for c in ids if share(c, _AMAZON_USER) > 0.9]
    if len(products) == 1 and people and people[0] is not products[0]:
        return people[0], products[0], "users and items are told by the form of Amazon's ids"
    user, *others = ids
    # Of several columns the item is the finest: its category follows from it, not it from the category.
    item = others[0]
    for other in others[1:]:
        if _settled(head, other.name, item.name) and not _settled(head, item.name, other.name):
            item = other
    return (
        user,
        item,
        f"column {user.name} is taken as the user and {item.name} as the item, the usual order",
    )


def _settled(head: pd.DataFrame, by: str, column: str) -> bool:
    """Whether `by` settles the column: each of its values that repeats has one value there."""
    pairs = head[[by, column]].dropna()
    repeated = pairs[pairs.duplicated(by, keep=False)]
    if len(repeated) < 10:
        return False
    return bool((repeated.groupby(by)[column].nunique() == 1).mean() > 0.99)


def _between(
    columns: list[_Column], item: _Column, user: _Column, other: _Column, rating: _Column
) -> bool:
    """Whether another undecided number stands between the ids and what may be the rating."""
    place = {c.name: at for at, c in enumerate(columns)}
    start = max(place[item.name], place[user.name])
    return start < place[other.name] < place[rating.name]


def _counts(series: pd.Series) -> bool:
    values = pd.to_numeric(numbers(series, "")[0], errors="coerce").dropna()
    return len(values) > 0 and float(values.min()) >= 0
