"""What a table of an experiment must be, each way in which it is not named with its place."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recnb.data.checks import cells
from recnb.effect.numbers import check_size
from recnb.errors import InputError

BEFORE = "before_"
MOST_ARMS = 10
_ALIASES = {
    "variant": "arm",
    "group": "arm",
    "treatment": "arm",
    "bucket": "arm",
    "userid": "user_id",
    "user": "user_id",
    "time": "timestamp",
    "date": "timestamp",
    "assignment_time": "assigned_at",
    "assigned": "assigned_at",
}
_CONTROLS = ("control", "a", "off", "0", "false", "baseline")
_KEYS = ("user_id", "arm", "timestamp", "assigned_at")


def renamed(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Our names for columns that have usual other ones; `pre_METRIC` is `before_METRIC`."""
    if not isinstance(frame, pd.DataFrame):
        return frame, []
    named: dict[object, str] = {}
    for column in frame.columns:
        plain = str(column).strip().lower()
        ours = _ALIASES.get(plain)
        if plain.startswith("pre_"):
            ours = BEFORE + str(column).strip()[4:]
        if ours and ours not in frame.columns and ours not in named.values():
            named[column] = ours
    notes = [f"column '{theirs}' is read as {ours}" for theirs, ours in named.items()]
    return frame.rename(columns=named), notes


def arms(arm: pd.Series, control: str | None, file: str) -> tuple[str, ...]:
    """Names of the arms, the control first."""
    names = sorted(arm.unique())
    if len(names) == 1:
        raise InputError(
            f"every row is in arm '{names[0]}'",
            file=file,
            column="arm",
            mend="give the rows of the other arm too",
        )
    if len(names) > MOST_ARMS:
        raise InputError(
            f"{len(names):,} arms (at most {MOST_ARMS})",
            file=file,
            column="arm",
            mend="name the column that says who was in which arm 'arm'",
        )
    if control is None:
        control = next((n for c in _CONTROLS for n in names if n.lower() == c), names[0])
    if control not in names:
        raise InputError(
            f"no arm is called '{control}' (found: {', '.join(names)})",
            file=file,
            column="arm",
            mend="name one of these as the control",
        )
    return (control, *(n for n in names if n != control))


def one_arm_each(users: pd.Series, arm: pd.Series, file: str) -> None:
    """Raise where a user is in two arms."""
    first = arm.groupby(users, sort=False).transform("first")
    other = (first != arm).to_numpy()
    if other.any():
        at = int(other.argmax())
        n = users[other].nunique()
        raise InputError(
            f"user '{users.iloc[at]}' is in '{first.iloc[at]}' and in '{arm.iloc[at]}' ({n:,} such users)",
            file=file,
            column="arm",
            row=at + 1,
            mend="find out what they saw; an experiment with such users cannot be read",
        )


def numbers(
    frame: pd.DataFrame, file: str
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[str]]:
    """Metrics, what they were before, and columns that are left out."""
    metrics: dict[str, np.ndarray] = {}
    before: dict[str, np.ndarray] = {}
    notes = []
    for column in map(str, frame.columns):
        if column in _KEYS:
            continue
        values = _numbers(frame[column], file, column)
        if values is None:
            notes.append(f"column '{column}' holds no numbers and is left out")
        elif column.startswith(BEFORE):
            before[column.removeprefix(BEFORE)] = values
        else:
            metrics[column] = values
    if not metrics:
        raise InputError(
            f"no metric (found: {', '.join(map(str, frame.columns[:8]))})",
            file=file,
            mend="add a column of numbers beside user_id and arm",
        )
    for name in before:
        if name not in metrics:
            raise InputError(
                f"there is no metric '{name}'",
                file=file,
                column=BEFORE + name,
                mend="name the column before_METRIC after a metric of the table",
            )
    return metrics, before, notes


def _numbers(series: pd.Series, file: str, column: str) -> np.ndarray | None:
    if pd.api.types.is_bool_dtype(series):
        return series.to_numpy(dtype=np.float64)
    if pd.api.types.is_datetime64_any_dtype(series):
        return None
    plain = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(plain).mean() > 0.5 and not series.isna().any():
        return None  # words
    if series.isna().all():
        raise InputError("the column is empty", file=file, column=column, mend="drop it")
    values = cells.numbers(series, file, column)
    assert values is not None
    gap = np.isnan(values)
    if gap.any():
        raise InputError(
            f"empty in {gap.sum():,} rows",
            file=file,
            column=column,
            row=int(gap.argmax()) + 1,
            mend="write 0 where nothing happened; a user without outcome is a user with 0",
        )
    check_size(values, file, column)
    return values


def moments(
    frame: pd.DataFrame, users: pd.Series, file: str
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Times of rows and of assignments, in seconds; nothing may follow before its cause."""
    times = cells.times(frame["timestamp"], file) if "timestamp" in frame else None
    assigned = (
        cells.times(frame["assigned_at"], file, "assigned_at") if "assigned_at" in frame else None
    )
    if times is not None and assigned is not None:
        early = times < assigned
        if early.any():
            at = int(early.argmax())
            raise InputError(
                f"what followed for user '{users.iloc[at]}' lies before the assignment ({early.sum():,} such rows)",
                file=file,
                column="timestamp",
                row=at + 1,
                mend="leave earlier rows out, or give them as before_METRIC",
            )
    return times, assigned


def varied(
    outcomes: dict[str, np.ndarray], arm: np.ndarray, names: tuple[str, ...], file: str
) -> None:
    """Raise where an arm has a single user, or a metric is the same for everybody."""
    counts = np.bincount(arm, minlength=len(names))
    if counts.min() < 2:
        raise InputError(
            f"arm '{names[int(counts.argmin())]}' has {counts.min()} user",
            file=file,
            column="arm",
            mend="give at least two users an arm",
        )
    for name, values in outcomes.items():
        if np.ptp(values) == 0:
            raise InputError(
                f"it is {values[0]:g} for every user",
                file=file,
                column=name,
                mend="drop the column: what does not vary cannot differ",
            )


def of_user(values: np.ndarray, code: np.ndarray, n: int, name: str, file: str) -> np.ndarray:
    """One value a user of what was before; several rows of a user must agree."""
    out = np.zeros(n)
    out[code] = values
    other = out[code] != values
    if other.any():
        raise InputError(
            "two rows of a user differ",
            file=file,
            column=BEFORE + name,
            row=int(other.argmax()) + 1,
            mend="what was before the assignment is one number a user",
        )
    return out
