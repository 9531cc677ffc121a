"""Cells into values: numbers with commas, dates, ids that became floats, ratings that mean none."""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np
import pandas as pd

from recnb.data.door.options import Undecided
from recnb.errors import InputError

NOTHING = frozenset({"", "null", "\\n", "na", "n/a", "none", "<na>", "-"})
NO_ID = frozenset({"", "\\n"})
_PERHAPS_NO_ID = frozenset({"null", "nan", "na", "n/a", "none", "<na>", "undefined"})
_DECIMAL_COMMA = r"[-+]?\d+,\d+"
_THOUSANDS = r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?"
_POINT_THOUSANDS = r"[-+]?\d{1,3}(?:\.\d{3})+,\d+"
_PLAIN = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


def is_text(series: pd.Series) -> bool:
    return series.dtype == object or pd.api.types.is_string_dtype(series)


def emptied(series: pd.Series, words: frozenset[str] = NOTHING) -> tuple[pd.Series, int]:
    """Cells that say "nothing" become null; and how many those were, empty cells not counted."""
    if not is_text(series):
        return series, 0
    distinct = pd.Series(series.dropna().unique()).astype("str")
    nothing = distinct[distinct.str.strip().str.lower().isin(words)].tolist()
    if not nothing:
        return series, 0
    gone = series.isin(nothing)
    written = gone & series.notna() & (series.astype(str).str.strip() != "")
    return series.mask(gone, None), int(written.sum())


def identified(series: pd.Series) -> pd.Series:
    """Null in place of what is no id: empty cells, and words such as NULL where they stand too often for a name."""
    series, _ = emptied(series, NO_ID)
    named, n = emptied(series, _PERHAPS_NO_ID)
    return named if n >= 10 and n >= 0.05 * len(series) else series


def ids(series: pd.Series, column: str) -> tuple[pd.Series, list[str]]:
    """Ids without blanks around them and without the `.0` of a column that was once of floats."""
    series = identified(series)
    if not is_text(series):
        return series, []
    notes = []
    distinct = pd.Series(series.dropna().unique(), dtype=object).astype(str)
    bare = distinct.str.strip()
    padded = bare != distinct
    if padded.any():
        series = series.astype("str").str.strip()
        notes.append(f"blanks around ids of {column} are taken away ('{distinct[padded].iloc[0]}')")
    if len(bare) and bare.str.fullmatch(r"\d+\.0+").all():
        series = series.astype("str").str.replace(r"\.0+$", "", regex=True)
        notes.append(f"ids of {column} lose their '.0' ('{bare.iloc[0]}')")
    return series, notes


def numbers(series: pd.Series, column: str) -> tuple[pd.Series, list[str]]:
    """Text of numbers as pandas reads it: decimal commas and thousands are understood and said."""
    if not is_text(series):
        return series, []
    series, nothing = emptied(series)
    notes = [f"{nothing:,} cells of {column} say that there is nothing"] if nothing else []
    distinct = pd.Series(series.dropna().unique(), dtype=object).astype(str).str.strip()
    comma = distinct[distinct.str.contains(",", regex=False)]
    rest = distinct[~distinct.str.contains(",", regex=False)]
    if comma.empty or not rest.str.fullmatch(_PLAIN).all():
        return series, notes
    points = rest.str.contains(".", regex=False).any()
    text = series.astype("str").str.strip()
    if comma.str.fullmatch(_THOUSANDS).all():
        text = text.str.replace(",", "", regex=False)
        notes.append(f"commas in {column} are thousands ('{comma.iloc[0]}')")
    elif comma.str.fullmatch(_DECIMAL_COMMA).all() and not points:
        text = text.str.replace(",", ".", regex=False)
        notes.append(f"commas in {column} are decimal ('{comma.iloc[0]}')")
    elif comma.str.fullmatch(f"{_POINT_THOUSANDS}|{_DECIMAL_COMMA}").all():
        text = text.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
        notes.append(f"in {column} points are thousands and commas decimal ('{comma.iloc[0]}')")
    else:
        return series, notes
    return text, notes


def with_plain_numbers(frame: pd.DataFrame, but: Collection[str]) -> tuple[pd.DataFrame, list[str]]:
    """Columns of text that hold nothing but numbers become numbers, where they are written as no code is.

    With a fraction behind a point or a comma, or with thousands set apart; what commas are taken for is said. Whole
    numbers stay text, also those that end in `.0`: they may be codes of a shelf or a category.
    """
    notes: list[str] = []
    for name in frame.columns:
        if name in but or pd.api.types.infer_dtype(frame[name], skipna=True) != "string":
            continue  # numbers already, or lists as parquet holds them
        text, said = numbers(frame[name], str(name))
        if not any("comma" in note for note in said) and not _fractions(text):
            continue
        frame = frame.assign(**{name: pd.to_numeric(text)})
        notes += said
    return frame, notes


def _fractions(text: pd.Series) -> bool:
    """Whether all cells are numbers with points, and one of them is not whole."""
    distinct = pd.Series(text.dropna().unique(), dtype=object).astype(str).str.strip()
    broken = distinct.str.fullmatch(r"[-+]?\d*\.\d*[1-9]\d*")
    return bool(broken.any() and distinct.str.fullmatch(_PLAIN).all())


# -------------------------------------------------------------------- times

_SLASHED = re.compile(r"\s*(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{2,4})\b")
_FORMATS = (
    "%a %b %d %H:%M:%S %z %Y",
    "%a %b %d %H:%M:%S %Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%m %d, %Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d%H%M%S",
    "%d/%b/%Y:%H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %z",
)
_CLOCKS = (
    *("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p"),
    *(" %H:%M:%S.%f", ", %H:%M:%S", " %I:%M:%S%p"),
)


def times(
    series: pd.Series, file: str, column: str, dates: str | None
) -> tuple[pd.Series, list[str]]:
    """Text of dates that ISO does not know becomes dates; numbers, ISO text and what is no date stay as they are."""
    if not is_text(series):
        return series, []
    series, _ = emptied(series)
    distinct = pd.Series(series.dropna().unique(), dtype=object).astype(str).str.strip()
    if distinct.empty or distinct.str.fullmatch(r"[-+]?\d+(?:\.\d*)?(?:[eE]\+?\d+)?").all():
        return series, []
    if distinct.str.match(r"\d{4}-\d\d?-\d\d?").all():
        return series, []
    slashed = distinct.str.extract(_SLASHED)
    if slashed[0].notna().all():
        parsed, note = _slashed(distinct, slashed, file, column, dates)
        notes = [note] if note else []
    else:
        parsed, notes = _formatted(distinct), []
    if parsed is None:
        return series, []
    table = dict(zip(distinct, parsed.to_numpy()))
    return series.astype("str").str.strip().map(table), notes


def _slashed(
    distinct: pd.Series, parts: pd.DataFrame, file: str, column: str, dates: str | None
) -> tuple[pd.Series | None, str]:
    first, second = parts[0].astype(int), parts[1].astype(int)
    day_first, month_first = bool((first > 12).any()), bool((second > 12).any())
    if dates is None and not day_first and not month_first:
        raise Undecided(
            f"'{distinct.iloc[0]}' is in month {first.iloc[0]} or {second.iloc[0]}, and no date tells which",
            file=file,
            column=column,
            flags=["--dates dmy", "--dates mdy"],
        )
    if day_first and month_first:
        raise InputError(
            f"'{distinct[first > 12].iloc[0]}' has the day first, '{distinct[second > 12].iloc[0]}' the month",
            file=file,
            column=column,
            mend="write all dates in one way, 2024-05-31 for one",
        )
    order = dates or ("dmy" if day_first else "mdy")
    mark = re.search(r"[/.\-]", distinct.iloc[0])[0]  # type: ignore[index]
    year = "%Y" if parts[2].str.len().max() == 4 else "%y"
    day = mark.join(["%d", "%m", year] if order == "dmy" else ["%m", "%d", year])
    words = {"dmy": "day/month/year", "mdy": "month/day/year"}
    return _first_fit(distinct, [day + clock for clock in _CLOCKS]), (
        f"times are read as {words[order]} ('{distinct.iloc[0]}')"
    )


def _formatted(distinct: pd.Series) -> pd.Series | None:
    return _first_fit(distinct, list(_FORMATS))


def _first_fit(distinct: pd.Series, formats: list[str]) -> pd.Series | None:
    for form in formats:
        parsed = pd.to_datetime(distinct, format=form, errors="coerce", utc=True)
        if parsed.notna().all():
            return parsed.dt.tz_localize(None)
    return None


# -------------------------------------------------------------------- ratings that mean none


def unrated(
    ratings: pd.Series, known_zero: bool, choice: str | None, file: str
) -> tuple[pd.Series, list[str]]:
    """Ratings of which one value may mean "none given": null in its place, said; or asked.

    Parameters
    ----------
    ratings : Series of numbers, NaN for null
    known_zero : bool
        The layout is known to write 0 where a book was used and not rated.
    choice : str or None
        The reader's word: the value, or "none".
    """
    if choice == "none":
        return ratings, []
    if choice is not None:
        gone = ratings == float(choice)
        return ratings.mask(gone), [f"{choice} is read as no rating ({gone.sum():,} rows)"]
    given = ratings.dropna()
    counts = given.value_counts()
    values = np.sort(counts.index.to_numpy(dtype=float))
    if len(values) < 3 or values.max() > 10:
        return ratings, []
    if values[0] == -1 and values[1] >= 0:
        return ratings.mask(ratings == -1), [
            f"-1 is read as no rating ({counts[-1.0]:,} rows); --unrated none reads it as a rating"
        ]
    whole = bool((values == np.floor(values)).all())
    if values[0] != 0 or values[-1] < 4 or values[1] < 0.5:
        return ratings, []
    zeros, next_ones = int(counts[0.0]), int(counts[values[1]])
    if known_zero:
        return ratings.mask(ratings == 0), [
            f"0 is read as no rating ({zeros:,} rows); --unrated none reads it as a rating"
        ]
    if whole and zeros > 3 * next_ones and zeros > 0.02 * len(given):
        raise Undecided(
            f"0 stands {zeros:,} times beside ratings up to {values[-1]:g} ({values[1]:g} stands {next_ones:,} "
            "times): the lowest rating, or none given",
            file=file,
            column="rating",
            flags=["--unrated 0", "--unrated none"],
        )
    return ratings, [f"0 is read as a rating ({zeros:,} rows); --unrated 0 reads it as none"]


def returns(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Without rows of a quantity below zero: things that were brought back."""
    quantity = pd.to_numeric(frame["quantity"], errors="coerce")
    back = (quantity < 0).fillna(False).to_numpy(dtype=bool)
    if not back.any():
        return frame, []
    note = f"{back.sum():,} rows with a quantity below zero (returns) are left out"
    return frame[~back].reset_index(drop=True), [note]
