"""Book-Crossing: Latin-1, quotes behind backslashes, HTML remains, shifted rows, zeros that are no ratings."""

from __future__ import annotations

import pytest

from recnb import InputError, load

URL = '"http://s";"http://m";"http://l"'
NAMES = ("ISBN", "Book-Title", "Book-Author", "Year-Of-Publication", "Publisher")
HEAD = ";".join(f'"{n}"' for n in (*NAMES, "Image-URL-S", "Image-URL-M", "Image-URL-L")) + "\r\n"
FILES = {
    "BX-Book-Ratings.csv": '"User-ID";"ISBN";"Book-Rating"\r\n"7";"000X";"0"\r\n"7";"0002";"5"\r\n'
    '"8";"0003";"10"\r\n"8";"gone";"3"\r\n',
    "BX-Books.csv": (
        HEAD
        + f'"000X";"The \\"Quoted\\" One; Part 2";"M. Müller";"2002";"Smith &amp; Sons";{URL}\r\n'
        + f'"0002";"Cats &amp;amp; Dogs";"Anon";"0";"X";{URL}\r\n'
        + f'"0003";"Shifted: A Book (Level 4)\\";Jane Doe";"2000";"Pub Inc";{URL}\r\n'
    ).encode("latin-1"),
    "BX-Users.csv": '"User-ID";"Location";"Age"\r\n"7";"berlin, n/a, germany";NULL\r\n'
    '"8";"x, \\"y\\", usa";"244"\r\n"9";"n/a, n/a, n/a";"18"\r\n',
}


def test_layout(write):
    ds = load(write(FILES))
    assert (ds.feedback, ds.scale) == ("explicit", (1.0, 10.0))
    rated = ds.interactions.set_index(["user", "item"])["rating"]
    assert rated.isna().sum() == 1 and len(ds.interactions) == 4 and ds.matrix().nnz == 3
    assert ds.pairs().nnz == 4
    assert ds.items.loc["000X", ["title", "author", "publisher"]].tolist() == [
        'The "Quoted" One; Part 2',
        "M. Müller",
        "Smith & Sons",
    ]
    assert ds.items.loc["0002", "title"] == "Cats & Dogs" and ds.items["year"].isna().loc["0002"]
    assert ds.items.loc["0003", ["title", "author", "year"]].tolist() == [
        "Shifted: A Book (Level 4)",
        "Jane Doe",
        2000,
    ]
    assert ds.items.loc["gone", "title"] == "" and any("1 rated books" in n for n in ds.notes)
    assert ds.users["location"].tolist() == ["berlin, germany", 'x, "y", usa', ""]
    assert ds.users["age"].isna().tolist() == [True, True, False]


WRONG = {
    "cut off": ("BX-Book-Ratings.csv", '"User-ID";"ISBN";"Book-Rating"\n"7";"00', 1, "2 cells"),
    "open quote": (
        "BX-Book-Ratings.csv",
        '"User-ID";"ISBN";"Book-Rating"\n"7";"000X;"5"\n"8";"0002";"6"\n',
        1,
        "cells",
    ),
    "commas": ("BX-Book-Ratings.csv", "User-ID,ISBN,Book-Rating\n7,000X,5\n", None, "is missing"),
    "too high": (
        "BX-Book-Ratings.csv",
        '"User-ID";"ISBN";"Book-Rating"\n"7";"000X";"11"\n',
        1,
        "outside the scale",
    ),
    "book twice": ("BX-Books.csv", HEAD + f'"1";"A";"B";"2000";"P";{URL}\n' * 2, 2, "twice"),
    "huge cell": ("BX-Books.csv", HEAD + '"1";"' + "a" * 200_000 + '"', None, "cannot be split"),
    "no books": ("BX-Books.csv", None, None, "no such file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files(write, name):
    file, content, row, word = WRONG[name]
    files = {**FILES, file: content}
    folder = write({k: v for k, v in files.items() if v is not None})
    with pytest.raises(InputError) as caught:
        load(folder)
    error = caught.value
    assert error.file == str(folder / file) and word in error.problem and error.mend
    assert row is None or error.row == row
