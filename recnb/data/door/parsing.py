"""From text to cells: the separator, the quotes, the header."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.door import names
from recnb.data.door.options import Reading, Undecided, columns_flag
from recnb.errors import InputError

SEPARATORS = ("\t", "<SEP>", "::", ";", "|", ",", "\x01", "^")
_LONG = ("<SEP>", "::")
SPACES = r"\s+"
SHOWN = {
    "\t": "tabs",
    "::": "'::'",
    "<SEP>": "'<SEP>'",
    ";": "semicolons",
    "|": "'|'",
    SPACES: "spaces",
}
_STAND_IN = "\x1f"  # for "::" and others, which pandas would read as a pattern
_SAMPLE = 200  # lines by which a separator is told


@dataclass
class Grid:
    """A table as it arrived.

    Attributes
    ----------
    frame : DataFrame
        Cells of text; null where empty. Columns have the header's names, else "1", "2", ….
    file : str
    header : bool
    notes : list of str
    """

    frame: pd.DataFrame
    file: str
    header: bool = True
    notes: list[str] = field(default_factory=list)


def parse(
    text: str,
    file: str,
    name: str,
    reading: Reading,
    chosen: Sequence[str],
    numbered: bool = True,
    ids: Collection[str] = (),
) -> Grid:
    """Split text into cells.

    Parameters
    ----------
    text : str
    file, name : str
        The file as it is shown, and its name without the packing.
    chosen : sequence of str
        Names or places of columns that the reader stated: they may tell that there is a header.
    numbered : bool
        Whether a first column that counts the rows is left out; in a file of items it may be their ids.
    ids : collection of str
        Ids that the file's rows should name; a first row with one of them is no header.

    Raises
    ------
    InputError
        One column only, rows of unequal width, a column twice; or it cannot be told whether there is a header.
    """
    notes: list[str] = []
    text, named, said = _without_preamble(text)
    notes += said
    sample = _sample(text)
    separator = named or separator_of(sample, Path(name).suffix.lower(), file)
    if separator in SHOWN and not (
        separator == "\t" and name.endswith((".tsv", ".inter", ".item"))
    ):
        notes.append(f"cells are separated by {SHOWN[separator]}")
    frame, said = _cells(text, separator, sample, file, reading.bad_rows)
    notes += said
    frame, said = _without_empty_columns(frame)
    header = _has_header(frame, chosen, file, ids)
    if header:
        frame, more = _with_header(frame, file)
        said += more
    else:
        frame.columns = pd.Index([str(at + 1) for at in range(frame.shape[1])])
        said.append(
            f"the file has no header: its {frame.shape[1]} columns are told by what they hold"
        )
    if numbered or header:
        frame, more = _without_row_numbers(frame, header, chosen)
    else:
        more = []
    if not len(frame):
        raise InputError("the table has no rows", file=file, mend="give at least one row")
    return Grid(frame, file, header, [*notes, *said, *more])


def _without_preamble(text: str) -> tuple[str, str | None, list[str]]:
    """Text without Excel's `sep=;` line and lines of comment, the separator that was named, and notes."""
    text = text.lstrip("\r\n")
    named = re.match(r"""["']?sep=(\t|.)["']?\r?\n""", text, re.IGNORECASE)
    if named:
        return text[named.end() :], named[1], ["the line 'sep=' names the separator"]
    comments = re.match(r"(?:[#%][^\n]*\n)+", text)
    if comments:
        lines = comments[0].splitlines()
        last = re.split(r"[\t,; |]+", lines[-1].lstrip("#% "))
        if any(names.is_known(cell) for cell in last) and len(last) > 1:
            skipped = len(comments[0]) - len(lines[-1]) - 1
            text = text[skipped:].lstrip("#% ")
            lines = lines[:-1]
        else:
            text = text[comments.end() :]
        if lines:
            return text, None, [f"{len(lines)} lines of comment are passed over"]
    return text, None, []


def _sample(text: str) -> list[str]:
    start = text[: 1 << 18]
    lines = start.splitlines()
    if len(start) < len(text) and len(lines) > 1:
        lines.pop()  # cut off
    return [line for line in lines if line.strip()][:_SAMPLE]


def separator_of(sample: Sequence[str], suffix: str, file: str) -> str:
    """The separator that gives most lines the same number of cells, two or more."""
    scores = []
    for at, separator in enumerate(SEPARATORS):
        rows = list(_split(sample, separator))
        widths = Counter(map(len, rows))
        width, n = widths.most_common(1)[0]
        if width < 2:
            continue
        heads = [cell for cell in rows[0] if names.is_known(cell)]
        understood = len(rows[0]) > 1 and len(heads) >= 2
        steady = n / len(rows) >= 0.95
        usual = separator == "\t" and suffix in (".tsv", ".inter", ".item", ".user", ".tab")
        scores.append(((understood, steady, usual and steady, width, -at), separator))
    if scores and (max(scores)[0][0] or max(scores)[0][1]):
        return max(scores)[1]
    widths = Counter(len(line.split()) for line in sample)
    width, n = widths.most_common(1)[0]
    if width >= 2 and n / len(sample) >= 0.95:
        return SPACES
    if scores:
        return max(scores)[1]
    if names.is_known(sample[0]):
        return ","  # a list of ids
    raise InputError(
        f"only one column, '{sample[0].strip()[:60]}'",
        file=file,
        mend="separate users, items and what else there is with commas",
    )


def _split(lines: Sequence[str], separator: str, escape: str | None = None) -> Iterator[list[str]]:
    if separator == SPACES:
        yield from (line.split() for line in lines)
    elif len(separator) > 1:
        yield from (line.split(separator) for line in lines)
    else:
        try:
            yield from csv.reader(lines, delimiter=separator, escapechar=escape)
        except csv.Error:
            return


def _quoted(sample: Sequence[str], separator: str) -> bool:
    """Whether quotes enclose cells; in tab files they are often plain characters of a title."""
    if separator in (SPACES, *_LONG):
        return False
    if separator in ",;":
        return True
    cells = [cell.strip() for line in sample for cell in line.split(separator)]
    starting = [cell for cell in cells if cell.startswith('"')]
    return bool(starting) and all(len(c) > 1 and c.endswith('"') for c in starting)


def _escape(text: str, quoting: int, separator: str) -> str | None:
    """A backslash where it stands before a quote inside a cell; at a cell's end it is a plain character."""
    inside = rf'\\"(?!\s*(?:{re.escape(separator)}|\r?\n|$))'
    if quoting == csv.QUOTE_MINIMAL and '\\"' in text and re.search(inside, text):
        return "\\"
    return None


def _cells(
    text: str, separator: str, sample: Sequence[str], file: str, bad_rows: str
) -> tuple[pd.DataFrame, list[str]]:
    quoting = csv.QUOTE_MINIMAL if _quoted(sample, separator) else csv.QUOTE_NONE
    escape = _escape(text, quoting, separator)
    rows = [row for row in _split(sample, separator, escape) if row]
    width = max(Counter(map(len, rows)).most_common(1)[0][0], len(rows[0]))
    frame = _read(text, separator, quoting, width, escape)
    if frame is None and escape is None and '\\"' in text and quoting == csv.QUOTE_MINIMAL:
        escape = "\\"
        frame = _read(text, separator, quoting, width, escape)
    if frame is not None and not frame.iloc[:, -1].isna().any():
        return frame, []
    # pandas fills rows that end early with nulls, which would say "none given".
    cells = list(_rows(text, separator, quoting, escape, file))
    widths = np.fromiter(map(len, cells), np.int64, len(cells))
    if len(cells[0]) == width - 1 and (widths[1:] == width).all():
        if all(not row[-1].strip() for row in cells[1:]):  # a separator at each row's end
            return pd.DataFrame([row[: width - 1] for row in cells]).replace("", None), []
        cells[0] = ["", *cells[0]]  # names of rows, as R writes them
        return pd.DataFrame(cells).replace("", None), []
    wrong = np.flatnonzero(widths != width)
    if not len(wrong):
        return (frame if frame is not None else pd.DataFrame(cells).replace("", None)), []
    if bad_rows == "join":
        cells, joined = _joined(cells, width, separator)
        left = sum(len(row) != width for row in cells)
        notes = [f"{joined:,} rows have a separator in their last cell"] if joined else []
        if not left:
            return pd.DataFrame(cells).replace("", None), notes
        kept = [row for row in cells if len(row) == width]
        return pd.DataFrame(kept).replace("", None), [
            *notes,
            f"{left:,} rows without {width} cells are left out",
        ]
    if bad_rows == "drop":
        kept = [row for row in cells if len(row) == width]
        note = f"{len(wrong):,} rows without {width} cells are left out"
        return pd.DataFrame(kept).replace("", None), [note]
    raise Undecided(
        f"{widths[wrong[0]]} cells under {width} columns (quote cells that hold a separator, leave empty cells "
        f"empty; {len(wrong):,} such rows)",
        file=file,
        row=int(wrong[0]),
        flags=["--bad-rows drop"],
    )


def _joined(cells: list[list[str]], width: int, separator: str) -> tuple[list[list[str]], int]:
    """Rows of too many cells, the rest of which belongs to the last one if that alone holds words; and how many."""
    even = [row for row in cells if len(row) == width][1 : _SAMPLE + 1]
    words = [
        np.mean(
            [
                not (is_typed(row[at]) or row[at].strip() in ("", "NULL"))
                for row in even or [[""] * width]
            ]
        )
        for at in range(width)
    ]
    if separator == SPACES or max(words[:-1], default=0) > 0.1 or words[-1] < 0.5:
        return cells, 0
    n = sum(len(row) > width for row in cells)
    return [
        [*row[: width - 1], separator.join(row[width - 1 :])] if len(row) > width else row
        for row in cells
    ], n


def _read(
    text: str, separator: str, quoting: int, width: int, escape: str | None
) -> pd.DataFrame | None:
    """By pandas, which is fast; None where rows are too long or quotes stay open."""
    if separator in _LONG:
        text, separator = text.replace(separator, _STAND_IN), _STAND_IN
    try:
        with warnings.catch_warnings():
            # pandas only warns where it drops what stands beyond the last column.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(  # type: ignore[call-overload]
                io.StringIO(text),
                sep=separator,
                header=None,
                names=range(width),
                index_col=False,
                dtype=str,
                keep_default_na=False,
                na_values=[""],
                quoting=quoting,
                escapechar=escape,
                skipinitialspace=separator not in ("\t", _STAND_IN),
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning):
        return None


def _rows(
    text: str, separator: str, quoting: int, escape: str | None, file: str
) -> Iterator[list[str]]:
    """The cells of each line that is not blank."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if separator in (SPACES, *_LONG):
        yield from _split([line for line in lines if line.strip()], separator)
        return
    reader = csv.reader(
        (line + "\n" for line in lines),
        delimiter=separator,
        quoting=quoting,  # type: ignore[arg-type]
        escapechar=escape,
        strict=True,
    )
    try:
        yield from (row for row in reader if row)
    except csv.Error as error:
        raise InputError(
            f"cannot be split into columns ({error}, line {reader.line_num})",
            file=file,
            mend="quote cells that hold a separator or a line break",
        ) from None


def _without_empty_columns(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Excel leaves columns without name and content at the end."""
    empty = frame.isna().all().to_numpy()
    n = len(empty) - int(np.flatnonzero(~empty).max(initial=-1)) - 1
    if not n:
        return frame, []
    return frame.iloc[:, :-n].copy(), [f"{n} empty columns at the end are left out"]


# -------------------------------------------------------------------- header


def _has_header(
    frame: pd.DataFrame, chosen: Sequence[str], file: str, ids: Collection[str] = ()
) -> bool:
    """Whether the first row names the columns."""
    first = ["" if pd.isna(cell) else str(cell).strip() for cell in frame.iloc[0]]
    body = frame.iloc[1 : 1 + _SAMPLE]
    if any(cell in ids for cell in first):
        return False
    known = sum(names.is_known(cell) for cell in first)
    stated = [name for name in chosen if name != "none" and not name.isdigit()]
    if stated and all(_same(name, first) for name in stated):
        return True
    typed = [is_typed(cell) for cell in first]
    if known >= 2 or (known and not any(typed)):
        return True
    if any(typed[1:]) or (typed and typed[0] and len(first) < 3):
        return False
    if len(body) and any(
        body[column].dropna().map(is_typed).mean() > 0.9 for column in body.columns
    ):
        return not any(typed)
    if any(name.isdigit() for name in chosen):
        return False
    if ids:
        return True  # some row names an id that is used, and this one does not
    header = columns_flag({"user_id": first[0], "item_id": first[1]})
    raise Undecided(
        f"it cannot be told whether the first row ('{', '.join(first)[:60]}') is a header",
        file=file,
        flags=["--columns user_id=1,item_id=2", f"(a header) {header}"],
    )


def _same(name: str, first: Sequence[str]) -> bool:
    return name in first or names.squashed(name) in map(names.squashed, first)


def is_typed(cell: str) -> bool:
    """Whether a cell looks like a value of data rather than like a name: a number, a date, a long id."""
    cell = cell.strip()
    return bool(
        re.fullmatch(r"[-+]?[\d.,:/\- ]*\d[\d.,:/\- ]*([eE][-+]?\d+)?", cell)
        or re.match(r"\d{4}-\d\d-\d\d", cell)
        or re.fullmatch(r"[0-9a-f]{16,}|B0[0-9A-Z]{8}|A[0-9A-Z]{11,20}|[0-9]{8,}[0-9X]", cell)
        or re.match(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} \d", cell)
    )


def _with_header(frame: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[str]]:
    first = ["" if pd.isna(cell) else str(cell).strip().strip("\"'") for cell in frame.iloc[0]]
    frame = frame.iloc[1:].reset_index(drop=True)
    named = [name or f"unnamed {at + 1}" for at, name in enumerate(first)]
    twice = [name for at, name in enumerate(named) if name in named[:at]]
    if twice:
        raise InputError("the column stands twice", file=file, column=twice[0], mend="keep one")
    frame.columns = pd.Index(named)
    return frame, []


def _without_row_numbers(
    frame: pd.DataFrame, header: bool, chosen: Sequence[str]
) -> tuple[pd.DataFrame, list[str]]:
    """A first column without a name that counts the rows, as pandas and R write it."""
    name = str(frame.columns[0])
    nameless = not header or re.fullmatch(r"unnamed.*|index|x", name.lower())
    if not nameless or name in chosen or frame.shape[1] < 3 or len(frame) < 3:
        return frame, []
    if pd.to_numeric(frame.iloc[:3, 0], errors="coerce").diff().iloc[1:].ne(1).any() and not (
        header and name.lower().startswith("unnamed")
    ):
        return frame, []
    cells = pd.to_numeric(frame.iloc[:, 0], errors="coerce").to_numpy()
    steps = np.diff(cells)
    if header and name.lower().startswith("unnamed"):
        counted = bool(frame.iloc[:, 0].is_unique)
    else:
        counted = bool((steps == 1).all()) and cells[0] in (0, 1)
    if not counted:
        return frame, []
    return frame.iloc[:, 1:], ["the first column counts the rows and is left out"]
