"""Book-Crossing (Freiburg, 2004): `BX-Book-Ratings.csv`, `BX-Books.csv`, `BX-Users.csv`, in Latin-1.

Cells stand between semicolons and in quotes, a quote inside is written with a backslash before it. C.-N. Ziegler,
S. McNee, J. Konstan, G. Lausen, "Improving Recommendation Lists Through Topic Diversification", WWW 2005.
"""

from __future__ import annotations

import csv
import html
from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.dataset import Dataset
from recnb.data.readers.lines import (
    AGAIN,
    check_widths,
    complete,
    read_lines,
    require,
    selected,
    whole,
)
from recnb.errors import InputError

_BOOKS = ("ISBN", "Book-Title", "Book-Author", "Year-Of-Publication", "Publisher")


def read_book_crossing(folder: str | Path, **settings) -> Dataset:
    """Ratings from 1 to 10, or null where the book was only used (0 in the file); books; users.

    Parameters
    ----------
    folder : str or Path
        Holds `BX-Book-Ratings.csv` and `BX-Books.csv`; `BX-Users.csv` may be missing.
    **settings
        Passed to :meth:`Dataset.from_frames`.

    Raises
    ------
    InputError
        A file is missing, cut off, or not of the layout.

    Notes
    -----
    About a tenth of the ratings name a book that `BX-Books.csv` lacks; it is kept without a title. A year of 0 or
    in the future means that none is known, and so do ages below 5 and above 100.
    """
    folder = Path(folder)
    path = folder / "BX-Book-Ratings.csv"
    rows = _read(path, ("User-ID", "ISBN", "Book-Rating"))
    rows = rows.rename(columns={"User-ID": "user_id", "ISBN": "item_id", "Book-Rating": "rating"})
    rows["rating"] = rows["rating"].where(rows["rating"] != "0")
    items, unknown = complete(_books(folder / "BX-Books.csv"), rows["item_id"])
    users = None
    if (folder / "BX-Users.csv").is_file():
        users, _ = complete(_users(folder / "BX-Users.csv"), rows["user_id"], "user_id")
    return Dataset.from_frames(
        rows,
        items,
        users,
        files=tuple(str(folder / f"BX-{name}.csv") for name in ("Book-Ratings", "Books", "Users")),  # type: ignore[arg-type]
        **{"feedback": "explicit", "scale": (1, 10), "name": "book-crossing", **settings},
    ).with_notes(f"{unknown:,} rated books are not described" if unknown else "")


def _read(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    try:
        cells = list(csv.reader(read_lines(path, "latin-1"), delimiter=";", escapechar="\\"))
    except csv.Error as error:
        raise InputError(f"cannot be split ({error})", file=str(path), mend=AGAIN) from None
    names, body = cells[0], cells[1:]
    require(names, required, path)
    if not body:
        raise InputError("a header and no rows", file=str(path), mend=AGAIN)
    if path.name == "BX-Books.csv":
        body = [_mended(row, len(names)) for row in body]
    check_widths(np.array([len(row) for row in body]), len(names), path)
    return selected(pd.DataFrame(body, columns=names, dtype=str), required, path)


def _mended(row: list[str], width: int) -> list[str]:
    """In three published rows a backslash takes the title's last quote away: the author stands in the title."""
    if len(row) == width - 1 and '";' in row[1]:
        title, _, author = row[1].rpartition('";')
        return [row[0], title, author.strip('"'), *row[2:]]
    return row


def _books(path: Path) -> pd.DataFrame:
    table = _read(path, _BOOKS)
    year = whole(table["Year-Of-Publication"])
    text = {name: table[name].map(_words) for name in ("Book-Title", "Book-Author", "Publisher")}
    return pd.DataFrame(
        {
            "item_id": table["ISBN"],
            "title": text["Book-Title"],
            "author": text["Book-Author"],
            "year": year.where((year > 0) & (year <= 2005)),
            "publisher": text["Publisher"],
        }
    )


def _users(path: Path) -> pd.DataFrame:
    table = _read(path, ("User-ID", "Location", "Age"))
    age = whole(table["Age"])
    place = table["Location"].map(
        lambda cell: ", ".join(
            p for p in map(str.strip, _words(cell).split(",")) if p not in ("", "n/a")
        )
    )
    return pd.DataFrame(
        {
            "user_id": table["User-ID"],
            "location": place,
            "age": age.where((age >= 5) & (age <= 100)),
        }
    )


def _words(cell: str) -> str:
    text = " ".join(html.unescape(html.unescape(cell)).split())
    return "" if text == "NULL" else text
