"""What a log must be: cells typed once, and every way in which rows can contradict each other named with its place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recnb.data.checks import cells
from recnb.effect.numbers import check_size
from recnb.errors import InputError

BINARY = ("click", "conversion")
OUTCOMES = (*BINARY, "revenue", "satisfaction")
IDS = ("user_id", "item_id", "slate_id", "context")
COLUMNS = (*IDS, "position", "propensity", "timestamp", *OUTCOMES)
# Names that other tools give to our columns.
ALIASES = {
    "action": "item_id",
    "arm": "item_id",
    "pscore": "propensity",
    "propensity_score": "propensity",
    "action_prob": "propensity",
    "reward": "click",
    "clicked": "click",
    "clicks": "click",
    "converted": "conversion",
    "purchase": "conversion",
    "rank": "position",
    "impression_id": "slate_id",
    "request_id": "slate_id",
    "session_id": "slate_id",
}


def checked(frame: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[str]]:
    """The table with typed cells, and what there is to say about it.

    Raises
    ------
    InputError
        Anything that has no meaning.
    """
    frame, notes = _renamed(frame)
    cells.require(frame, ("item_id",), file)
    if not any(c in frame for c in OUTCOMES):
        raise InputError(
            f"no outcome: none of {', '.join(OUTCOMES)} is a column "
            f"(found: {', '.join(map(str, frame.columns[:8]))})",
            file=file,
            mend="add what followed each row, 0 where nothing did",
        )
    columns: dict[str, object] = {c: cells.ids(frame[c], file, c) for c in IDS if c in frame}
    for name in (*OUTCOMES, "position", "propensity"):
        if name in frame:
            columns[name] = _numbers(frame[name], file, name)
    if "timestamp" in frame:
        columns["timestamp"] = cells.times(frame["timestamp"], file)
    table = pd.DataFrame({k: v for k, v in columns.items() if v is not None})
    rest = [c for c in frame.columns if c not in COLUMNS]
    if rest:
        table = pd.concat([table, frame[rest].reset_index(drop=True)], axis=1)
    _outcomes(table, file)
    _positions(table, file)
    if "propensity" in table:
        propensities(table, file)
    else:
        notes.append("propensities are not logged: they are estimated, or only models answer")
    _slates(table, file)
    notes += _said(table)
    return table, notes


def _renamed(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    if not isinstance(frame, pd.DataFrame):
        return frame, []
    named: dict[object, str] = {}
    for column in frame.columns:
        ours = ALIASES.get(str(column).strip().lower())
        if ours and ours not in frame.columns and ours not in named.values():
            named[column] = ours
    notes = [f"column '{theirs}' is read as {ours}" for theirs, ours in named.items()]
    return frame.rename(columns=named), notes


def _numbers(series: pd.Series, file: str, name: str) -> np.ndarray | None:
    """Numbers without a gap; None where a propensity or position is null throughout."""
    if series.isna().all() and name in ("propensity", "position"):
        return None
    if series.isna().all():
        raise InputError(
            "the column is empty", file=file, column=name, mend="fill it in or drop it"
        )
    values = cells.numbers(series, file, name)
    assert values is not None
    gap = np.isnan(values)
    if gap.any():
        mend = {
            "propensity": "give the chance of every row, or of none",
            "position": "give the place of every row, or of none",
        }.get(name, "write 0 where nothing followed")
        raise InputError(
            f"empty in {gap.sum():,} rows", file=file, column=name, row=_first(gap), mend=mend
        )
    check_size(values, file, name)
    return values


def _outcomes(table: pd.DataFrame, file: str) -> None:
    for name in BINARY:
        if name in table:
            wrong = ~table[name].isin((0.0, 1.0)).to_numpy()
            if wrong.any():
                value = table[name].iloc[int(wrong.argmax())]
                raise InputError(
                    f"{value:g} is neither 0 nor 1",
                    file=file,
                    column=name,
                    row=_first(wrong),
                    mend="write 1 where it happened; amounts belong into revenue or satisfaction",
                )


def _positions(table: pd.DataFrame, file: str) -> None:
    if "position" not in table:
        return
    values = table["position"].to_numpy()
    wrong = ~((values >= 1) & (values == np.floor(values)))
    if wrong.any():
        raise InputError(
            f"{values[wrong][0]:g} is no place",
            file=file,
            column="position",
            row=_first(wrong),
            mend="count places 1, 2, 3, …",
        )
    table["position"] = values.astype(np.int64)


def propensities(table: pd.DataFrame, file: str) -> None:
    """Raise unless each is above 0 and at most 1."""
    values = table["propensity"].to_numpy(dtype=np.float64)
    wrong = ~((values > 0) & (values <= 1))
    if wrong.any():
        raise InputError(
            f"{values[wrong][0]:g} is no chance of something that was shown",
            file=file,
            column="propensity",
            row=_first(wrong),
            mend="give numbers above 0 and at most 1, or no column: then they are estimated",
        )


def _slates(table: pd.DataFrame, file: str) -> None:
    if "slate_id" not in table:
        return
    if "position" in table:
        twice = table.duplicated(["slate_id", "position"]).to_numpy()
        if twice.any():
            at = int(twice.argmax())
            raise InputError(
                f"place {table['position'].iloc[at]} of slate '{table['slate_id'].iloc[at]}' stands here "
                f"a second time ({twice.sum():,} such rows)",
                file=file,
                column="position",
                row=at + 1,
                mend="give every slate its own id, and every place one row",
            )
    elif table.duplicated(["slate_id", "item_id"]).any():
        at = int(table.duplicated(["slate_id", "item_id"]).to_numpy().argmax())
        raise InputError(
            f"item '{table['item_id'].iloc[at]}' stands twice in slate '{table['slate_id'].iloc[at]}'",
            file=file,
            column="item_id",
            row=at + 1,
            mend="give every slate its own id, or add a column 'position'",
        )
    for column in ("user_id", "context"):
        if column not in table:
            continue
        firsts = table.groupby("slate_id", sort=False)[column].transform("first")
        other = (firsts != table[column]).to_numpy()
        if other.any():
            at = int(other.argmax())
            raise InputError(
                f"slate '{table['slate_id'].iloc[at]}' is shown to '{firsts.iloc[at]}' and to "
                f"'{table[column].iloc[at]}'",
                file=file,
                column="slate_id",
                row=at + 1,
                mend="give every slate its own id",
            )


def _said(table: pd.DataFrame) -> list[str]:
    notes = []
    for name in OUTCOMES:
        if name in table and not table[name].any():
            notes.append(f"{name} is 0 in every row: nothing can be said about it")
    if {"click", "conversion"} <= set(table.columns):
        without = int(((table["conversion"] == 1) & (table["click"] == 0)).sum())
        if without:
            notes.append(f"{without:,} rows convert without a click: both outcomes are kept")
    if "slate_id" in table and "position" not in table:
        notes.append("slates have no places: only estimates row by row are made")
    elif "slate_id" in table:
        again = int(table.duplicated(["slate_id", "item_id"]).sum())
        if again:
            notes.append(
                f"{again:,} rows show an item that stands in the same slate already: places were "
                "filled independently"
            )
    return notes


def catalogue(items: Sequence[str] | np.ndarray, shown: np.ndarray, file: str) -> np.ndarray:
    """The items that could be shown, in the order given; each stands once and all shown ones are there."""
    names = cells.ids(pd.Series(list(items), dtype=object), "items", "item_id").to_numpy(object)
    index = pd.Index(names)
    if index.has_duplicates:
        again = names[int(index.duplicated().argmax())]
        raise InputError(f"'{again}' stands twice", file="items", column="item_id", mend="keep one")
    foreign = ~np.isin(shown.astype(str), names.astype(str))
    if foreign.any():
        raise InputError(
            f"'{shown[foreign][0]}' is shown and not among the items ({foreign.sum():,} such items)",
            file=file,
            column="item_id",
            mend="add them to the items",
        )
    return names


def _first(mask: np.ndarray) -> int:
    return int(np.asarray(mask).argmax()) + 1
