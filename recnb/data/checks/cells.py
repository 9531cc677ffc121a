"""Cells: ids, numbers and times are checked once and typed; what is wrong is named with its place."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recnb.errors import InputError

COLUMNS = (
    "user_id",
    "item_id",
    "rating",
    "timestamp",
    "position",
    "session",
    "event",
    "quantity",
    "split",
)
PARTS = ("train", "valid", "test")
LONGEST_ID = 1000
_ALIASES = {
    "user_id": ("user", "userid", "uid", "customer_id", "reviewerid", "household_id"),
    "item_id": (
        "item",
        "itemid",
        "iid",
        "movieid",
        "movie_id",
        "product_id",
        "asin",
        "parent_asin",
    ),
}


def require(frame: pd.DataFrame, names: tuple[str, ...], file: str) -> None:
    """Raise unless the frame is a frame with rows and these columns."""
    if not isinstance(frame, pd.DataFrame):
        raise InputError(
            f"expected a pandas DataFrame, got {type(frame).__name__}",
            file=file,
            mend="pass a frame",
        )
    if frame.columns.has_duplicates:
        name = str(frame.columns[frame.columns.duplicated()][0])
        raise InputError("the column stands twice", file=file, column=name, mend="keep one")
    for name in names:
        if name not in frame.columns:
            near = [
                c
                for c in frame.columns
                if str(c).strip().lower().replace(" ", "_") in (name, *_ALIASES.get(name, ()))
            ]
            hint = f"rename column '{near[0]}' to '{name}'" if near else "add it"
            raise InputError(
                f"column '{name}' is missing (found: {', '.join(map(str, frame.columns[:8]))})",
                file=file,
                mend=hint,
            )
    if not len(frame):
        raise InputError("the table has no rows", file=file, mend="give at least one row")


def _first(mask: np.ndarray) -> int:
    return int(np.flatnonzero(mask)[0])


def ids(series: pd.Series, file: str, column: str) -> pd.Series:
    """Ids as strings. Whole numbers lose a '.0' that they got in a float column; null and blank ids raise."""
    null = series.isna().to_numpy()
    if null.any():
        raise InputError("no id", file=file, column=column, row=_first(null) + 1, mend="fill it in")
    odd = isinstance(series.iloc[0], (bytes, list, dict, np.ndarray)) if len(series) else False
    if odd or _is_no_number(series):
        raise InputError(
            f"ids of type {type(series.iloc[0]).__name__ if odd else series.dtype}",
            file=file,
            column=column,
            mend="give text or whole numbers",
        )
    if pd.api.types.is_float_dtype(series):
        values = series.to_numpy(dtype=float)
        # Above 2**53 a float no longer tells neighbouring whole numbers apart.
        broken = ~(np.abs(values) <= 2.0**53) | (values != np.floor(values))
        if broken.any():
            row = _first(broken)
            raise InputError(
                f"{values[row]} is no id", file=file, column=column, row=row + 1, mend="give text"
            )
        series = series.astype("int64")
    elif series.dtype == object:
        series = series.map(lambda v: int(v) if isinstance(v, float) and v.is_integer() else v)
    text = series.reset_index(drop=True).astype(str)
    blank = (text.str.strip() == "").to_numpy()
    if blank.any():
        raise InputError(
            "a blank id", file=file, column=column, row=_first(blank) + 1, mend="fill it in"
        )
    # A NUL byte or a cell of a page's length is a damaged file, not a name.
    broken = (text.str.contains("\x00", regex=False) | (text.str.len() > LONGEST_ID)).to_numpy()
    if broken.any():
        raise InputError(
            f"an id with a NUL byte, or longer than {LONGEST_ID:,} characters",
            file=file,
            column=column,
            row=_first(broken) + 1,
            mend="save the file again as text",
        )
    return text


def bare(ids: pd.Series) -> pd.Series:
    """What stays of ids without blanks around them and a float's ".0"."""
    return ids.str.strip().str.replace(r"^(\d+)\.0+$", r"\1", regex=True)


def distinct(ids: pd.Series, file: str, column: str) -> pd.Series:
    """The ids, unless two of them are one that was written in two ways: "1.0" and "1", " i1" and "i1"."""
    names = ids.drop_duplicates()
    twins = bare(names)
    again = twins.duplicated().to_numpy()
    if again.any():
        at = _first(again)
        first = names[twins == twins.iloc[at]].iloc[0]
        raise InputError(
            f"'{names.iloc[at]}' and '{first}' would be two ids ({again.sum():,} such pairs)",
            file=file,
            column=column,
            row=int(names.index[at]) + 1,
            mend="write each id in one way",
        )
    return ids


def numbers(series: pd.Series, file: str, column: str) -> np.ndarray | None:
    """Float64 values with NaN for null; None where the whole column is null.

    A float NaN inside a NumPy column is refused: it may be a failed computation, and becoming
    "no rating given" without a word would hide that. Null (``pd.NA``, an empty cell) is fine.
    """
    null = series.isna().to_numpy()
    if null.all():
        return None
    if isinstance(series.dtype, np.dtype) and series.dtype.kind == "f" and null.any():
        raise InputError(
            "NaN is no value",
            file=file,
            column=column,
            row=_first(null) + 1,
            mend="give a number, or null (pd.NA in a nullable column) where there is none",
        )
    if _is_no_number(series):
        raise InputError(
            f"expected numbers, got {series.dtype}", file=file, column=column, mend="give numbers"
        )
    values = np.array(
        pd.to_numeric(series, errors="coerce").to_numpy(dtype="float64", na_value=np.nan), copy=True
    )
    if str(series.dtype).lower() == "float32":
        # 0.7 in 32 bits is 0.699999988 in 64: take the number that was meant, as text would give it.
        distinct, place = np.unique(values, return_inverse=True)
        values = distinct.astype(np.float32).astype(str).astype(np.float64)[place]
    broken = (np.isnan(values) & ~null) | np.isinf(values)
    if broken.any():
        row = _first(broken)
        raise InputError(
            f"'{series.iloc[row]}' is no finite number",
            file=file,
            column=column,
            row=row + 1,
            mend="write a number",
        )
    return values


def _is_no_number(series: pd.Series) -> bool:
    kinds = pd.api.types
    return (
        kinds.is_bool_dtype(series)
        or kinds.is_datetime64_any_dtype(series)
        or kinds.is_timedelta64_dtype(series)
    )


def times(series: pd.Series, file: str, column: str = "timestamp") -> np.ndarray | None:
    """Unix seconds from seconds, milli-, micro- or nanoseconds, dates, or ISO text; None if all are null.

    The unit of plain numbers is told by size: 1e11 seconds is the year 5138. Numbers that all read as days of
    1900 to 2100 (20240531) are days. Whole seconds come back as int64, anything finer as float64, to the
    microsecond. Times without a zone are UTC.
    """
    null = series.isna().to_numpy()
    if null.all():
        return None
    if null.any():
        raise InputError(
            "no time, while other rows have one",
            file=file,
            column=column,
            row=_first(null) + 1,
            mend="fill it in, drop the row, or drop the column",
        )
    if not pd.api.types.is_datetime64_any_dtype(series):
        if _is_no_number(series):
            raise InputError(
                f"expected times, got {series.dtype}", file=file, column=column, mend="give seconds"
            )
        plain = pd.to_numeric(series, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
        number = ~np.isnan(plain)
        if number.all():
            days = _days(plain)
            if days is None:
                return _seconds(plain, file, column)
            parsed = days
        elif pd.api.types.is_numeric_dtype(series):
            row = _first(~number)
            raise InputError(
                "NaN is no time", file=file, column=column, row=row + 1, mend="fill it in"
            )
        else:
            parsed = pd.to_datetime(series, errors="coerce", utc=True, format="ISO8601")
        broken = parsed.isna().to_numpy()
        if (broken & ~number).any():
            broken = broken & ~number  # neither a number nor a date
        elif number.mean() > 0.5 and not number.all():
            broken = ~number  # a date among numbers
        if broken.any():
            row = _first(broken)
            more = f" ({broken.sum():,} such rows)" if broken.sum() > 1 else ""
            raise InputError(
                f"'{series.iloc[row]}' is no time{more}",
                file=file,
                column=column,
                row=row + 1,
                mend="write Unix seconds or ISO text such as 2024-05-31T12:00:00",
            )
        series = parsed
    if getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    micro = series.to_numpy().astype("datetime64[us]").astype(np.int64)
    return micro // 10**6 if not (micro % 10**6).any() else micro / 1e6


def _days(values: np.ndarray) -> pd.Series | None:
    """Days from numbers such as 20240531; None unless every one is such a day."""
    if not ((values >= 19000101) & (values <= 21001231) & (values == np.floor(values))).all():
        return None
    text = pd.Series(values.astype(np.int64).astype(str))
    days = pd.to_datetime(text, format="%Y%m%d", errors="coerce")
    return None if days.isna().any() else days


def _seconds(values: np.ndarray, file: str, column: str) -> np.ndarray:
    if np.isinf(values).any():
        row = _first(np.isinf(values))
        raise InputError("infinite time", file=file, column=column, row=row + 1, mend="fill it in")
    size = np.abs(values)
    for limit, unit in ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3)):
        if size.max() >= limit:
            if size.min() < limit:
                row = _first(size < limit)
                raise InputError(
                    f"{values[row]:.0f} and {values[size.argmax()]:.0f} are times in different units",
                    file=file,
                    column=column,
                    row=row + 1,
                    mend="write all of them in seconds",
                )
            # To the microsecond first: a float64 holds no finer times of our century.
            values = np.round(values / (unit / 1e6)) / 1e6 if unit >= 1e6 else values / unit
            break
    whole = np.floor(values)
    return whole.astype(np.int64) if (whole == values).all() else values


def check_interactions(frame: pd.DataFrame, file: str = "interactions") -> pd.DataFrame:
    """A new frame with `user_id`, `item_id` (str) and those of the other known columns that hold something."""
    require(frame, ("user_id", "item_id"), file)
    out = pd.DataFrame({c: ids(frame[c], file, c) for c in ("user_id", "item_id")})
    for column in ("user_id", "item_id"):
        distinct(out[column], file, column)
    for name in ("rating", "position", "quantity"):
        if name in frame and (values := numbers(frame[name], file, name)) is not None:
            out[name] = values
    if "timestamp" in frame and (seconds := times(frame["timestamp"], file)) is not None:
        out["timestamp"] = seconds
    if "position" in out:
        missing = out["position"].isna().to_numpy()
        if missing.any():
            raise InputError(
                "no position, while other rows have one",
                file=file,
                column="position",
                row=_first(missing) + 1,
                mend="fill it in or drop the column",
            )
    if "session" in frame and not frame["session"].isna().all():
        out["session"] = ids(frame["session"], file, "session")
    for name in ("event", "split"):
        if name in frame and not frame[name].isna().all():
            out[name] = frame[name].reset_index(drop=True).fillna("").astype(str)
    if "split" in out and not out["split"].isin(PARTS).all():
        row = _first(~out["split"].isin(PARTS).to_numpy())
        raise InputError(
            f"'{out['split'].iloc[row]}' is no part",
            file=file,
            column="split",
            row=row + 1,
            mend=f"write one of {', '.join(PARTS)}",
        )
    return out


def check_entities(frame: pd.DataFrame, key: str, file: str) -> pd.DataFrame:
    """The items or users table, indexed by its string id; ids stand once; text columns hold no null."""
    if isinstance(frame, pd.DataFrame) and frame.index.name == key and key not in frame:
        frame = frame.reset_index()
    require(frame, (key,), file)
    out = frame.reset_index(drop=True).drop(columns=[key])
    index = pd.Index(distinct(ids(frame[key], file, key), file, key), name=key)
    twice = index.duplicated()
    if twice.any():
        row = _first(twice)
        raise InputError(
            f"'{index[row]}' stands twice", file=file, column=key, row=row + 1, mend="keep one row"
        )
    for name in ("title", "text"):
        if name in out:
            out[name] = out[name].fillna("").astype(str)
    out.index = index
    return out
