"""Text files as publishers leave them: odd separators, old encodings, cut-off ends, each named with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from recnb.errors import InputError

AGAIN = "copy or fetch the file again"
_WIDE = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}


def read_lines(path: str | Path, encoding: str | None = None) -> list[str]:
    """The lines of a text file, without their ends.

    Parameters
    ----------
    path : str or Path
    encoding : str, optional
        Not given: UTF-8 where the whole file is, else Latin-1. "by line": the same, decided line by line, for
        files that mix both.

    Raises
    ------
    InputError
        The file is missing or empty, holds NUL bytes, is UTF-16, or is not of the encoding.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", file=str(path), mend="the published folder holds it")
    raw = path.read_bytes()
    for mark, wide in _WIDE.items():
        if raw.startswith(mark):
            raise InputError(f"the file is {wide}", file=str(path), mend="save it as UTF-8")
    nul = raw.find(b"\0")
    if nul >= 0:
        line = raw.count(b"\n", 0, nul) + 1
        raise InputError(f"a NUL byte in line {line}", file=str(path), mend=AGAIN)
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if encoding == "by line":
        lines = [_decode(line) for line in raw.split(b"\n")]
    elif encoding is None:
        lines = _decode(raw).split("\n")
    else:
        try:
            lines = raw.decode(encoding).split("\n")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise InputError(
                f"line {line} is not {encoding.upper()}", file=str(path), mend=AGAIN
            ) from None
    # Not `splitlines`: Latin-1 texts hold characters that it takes for line ends.
    lines = [line.removesuffix("\r") for line in lines]
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InputError("the file is empty", file=str(path), mend=AGAIN)
    return lines


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def read_delimited(
    path: str | Path,
    separator: str,
    columns: Sequence[str] | None = None,
    *,
    required: Sequence[str] = (),
    encoding: str | None = None,
) -> pd.DataFrame:
    """A table whose cells are never quoted, as text.

    Parameters
    ----------
    path : str or Path
    separator : str
        One or more characters, such as "::".
    columns : sequence of str, optional
        Names for a file without a header. Not given: the first line is the header.
    required : sequence of str
        Columns that the header must name.
    encoding : str, optional
        See :func:`read_lines`.

    Returns
    -------
    DataFrame of shape (n_lines, n_columns), str

    Raises
    ------
    InputError
        A line has more or fewer cells than there are columns, or a column is missing.
    """
    lines = read_lines(path, encoding)
    if columns is None:
        columns, lines = lines[0].split(separator), lines[1:]
        require(columns, required, path)
    if not lines:
        raise InputError("a header and no rows", file=str(path), mend=AGAIN)
    counts = np.fromiter((line.count(separator) for line in lines), np.int64, len(lines)) + 1
    check_widths(counts, len(columns), path)
    return pd.DataFrame([line.split(separator) for line in lines], columns=list(columns), dtype=str)


def refuse_where(
    wrong: np.ndarray | pd.Series,
    problem: str | Callable[[int], str],
    path: str | Path,
    column: str | None = None,
) -> None:
    """Raise at the first row that is wrong; the problem may be told from its number, counted from 0."""
    wrong = np.asarray(wrong, dtype=bool)
    if wrong.any():
        row = int(wrong.argmax())
        words = problem if isinstance(problem, str) else problem(row)
        raise InputError(words, file=str(path), column=column, row=row + 1, mend=AGAIN)


def selected(table: pd.DataFrame, required: Sequence[str], path: str | Path) -> pd.DataFrame:
    """These columns of a table, all of which its header names."""
    require(table.columns, required, path)
    return table[list(required)]


def require(columns: Iterable[str], required: Sequence[str], path: str | Path) -> None:
    """Raise unless the header names these columns."""
    found = list(columns)
    for name in required:
        if name not in found:
            raise InputError(
                f"column '{name}' is missing (found: {', '.join(map(str, found[:8]))[:120]})",
                file=str(path),
                mend="give the file as it was published",
            )


def check_widths(counts: np.ndarray, width: int, path: str | Path) -> None:
    """Raise at the first line that has not so many cells."""

    def problem(row: int) -> str:
        end = " in the last line: the file is cut off" if row == len(counts) - 1 else ""
        return f"{counts[row]} cells where {width} belong{end}"

    refuse_where(counts != width, problem, path)


def complete(
    items: pd.DataFrame, used: Iterable[str], key: str = "item_id"
) -> tuple[pd.DataFrame, int]:
    """The table with an empty row for each id that is used and not described, and how many those are."""
    missing = sorted(set(used) - set(items[key]))
    return pd.concat([items, pd.DataFrame({key: missing})], ignore_index=True), len(missing)


def whole(series: pd.Series) -> pd.Series:
    """Text as nullable whole numbers; what is none becomes null."""
    numbers = pd.to_numeric(series, errors="coerce")
    return numbers.where(numbers == np.floor(numbers)).astype("Int64")
