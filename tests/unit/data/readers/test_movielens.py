"""MovieLens 100K, 1M, 10M and latest: encodings, flags, years, half stars, tags of given users."""

from __future__ import annotations

import numpy as np
import pytest

from recnb import InputError, load
from recnb.data.readers.detect import detect
from recnb.data.readers.movielens.ml_1m import read_movielens_1m
from recnb.data.readers.movielens.ml_100k import GENRES, read_movielens_100k
from recnb.data.readers.movielens.ml_latest import read_movielens_latest, read_movielens_tags


def movie(ident, title, *genres, date="01-Jan-1995"):
    flags = "|".join("1" if g in genres else "0" for g in GENRES)
    return f"{ident}|{title}|{date}||http://example.org/{ident}|{flags}\n".encode("latin-1")


ITEMS = (
    movie(1, "Plain Story (1995)", "Comedy", "Children's")
    + movie(2, "Café Noir, Le (1996)", "Film-Noir")
    + movie(267, "unknown", "unknown", date="")
)
K100 = {
    "u.data": "7\t1\t5\t881250949\n7\t2\t3\t881250950\n9\t1\t1\t891717742\n",
    "u.item": ITEMS,
    "u.user": "7|24|M|technician|85711\n9|53|F|other|T8H1N\n",
}
M1 = {
    "ratings.dat": "1::10::5::978300760\n1::20::3::978302109\n2::10::1::978301968\n",
    "movies.dat": "10::Old Story (1977)::Drama|Sci-Fi\n20::Niño, El (1984)::Comedy\n".encode(
        "latin-1"
    ),
    "users.dat": "1::F::1::10::48067\n2::M::56::16::70072\n",
}
LATEST = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,10,4.0,1147880044\n1,20,0.5,1147868817\n2,10,5.0,1147868818\n",
    "movies.csv": 'movieId,title,genres\n10,"Story, A ""True"" One (2001)",Drama|War\n20,Naïve,(no genres listed)\n',
    "tags.csv": "userId,movieId,tag,timestamp\n1,10,slow,1147880044\n2,10,slow,1147880045\n2,10,war,1147880046\n",
}


def test_100k(write):
    ds = load(write(K100))
    assert (ds.feedback, ds.scale) == ("explicit", (1.0, 5.0))
    assert ds.matrix().toarray().tolist() == [[5, 3, 0], [1, 0, 0]]
    assert ds.interactions["timestamp"].tolist() == [881250949, 881250950, 891717742]
    assert ds.items["title"].tolist() == ["Plain Story", "Café Noir, Le", "unknown"]
    assert ds.items["year"].tolist()[:2] == [1995, 1996] and ds.items["year"].isna().iloc[2]
    assert ds.items["genres"].tolist() == ["Children's, Comedy", "Film-Noir", ""]
    assert ds.users.loc["9", ["age", "gender", "zip_code"]].tolist() == [53, "F", "T8H1N"]
    assert any("MovieLens 100K" in note for note in ds.notes)


def test_100k_without_users_and_with_other_settings(write):
    files = {k: v for k, v in K100.items() if k != "u.user"}
    ds = read_movielens_100k(write(files), relevant_from=3, name="mine")
    assert ds.name == "mine" and ds.positives().sum() == 2


def test_1m(write):
    ds = load(write(M1))
    assert ds.items["title"].tolist() == ["Old Story", "Niño, El"]
    assert ds.items["genres"].tolist() == ["Drama, Sci-Fi", "Comedy"]
    assert ds.users.loc["1"].tolist() == ["F", "under 18", "K-12 student", "48067"]
    assert ds.users.loc["2", "age"] == "56 and over" and ds.scale == (1.0, 5.0)


def test_10m_is_utf8_with_half_stars(write):
    files = {
        "ratings.dat": "1::10::4.5::978300760\n",
        "movies.dat": "10::Amélie à Paris (2001)::Romance\n",
    }
    ds = read_movielens_1m(write(files))
    assert ds.scale == (0.5, 5.0) and ds.items["title"].tolist() == ["Amélie à Paris"]


def test_latest(write):
    ds = load(write(LATEST))
    assert ds.items["title"].tolist() == ['Story, A "True" One', "Naïve"]
    assert ds.items["genres"].tolist() == ["Drama, War", ""] and "text" not in ds.items
    assert ds.scale == (0.5, 5.0) and ds.interactions["rating"].min() == 0.5


def test_latest_tags_of_given_users(write):
    folder = write(LATEST)
    assert read_movielens_tags(folder)["timestamp"].tolist() == [1147880044, 1147880045, 1147880046]
    everyone = read_movielens_latest(folder, tags=True)
    assert everyone.items.loc["10", "text"] == "slow, war" and any(
        "tag" in n for n in everyone.notes
    )
    given = read_movielens_latest(folder, tag_users=["1"])
    assert given.items.loc["10", "text"] == "slow" and not any("tag" in n for n in given.notes)
    assert read_movielens_latest(folder, tags_until=1147880044).items["text"].eq("").all()


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(write):
    plain = load(write(K100))
    files = {
        name: b"\xef\xbb\xbf" * (name == "u.data")
        + (c if isinstance(c, bytes) else c.encode()).replace(b"\n", b"\r\n")
        for name, c in K100.items()
    }
    assert load(write(files, "windows")).digest == plain.digest


WRONG = {
    # name: files to replace, the file named, row, a word of the problem
    "cut off": (K100, {"u.data": K100["u.data"] + "9\t2\t4"}, "u.data", 4, "cut off"),
    "no items": (K100, {"u.item": None}, "u.item", None, "no such file"),
    "commas": (K100, {"u.data": "7,1,5,881250949\n"}, "u.data", 1, "1 cells where 4"),
    "flag": (K100, {"u.item": ITEMS.replace(b"|1|", b"|2|", 1)}, "u.item", 1, "genre flag"),
    "unknown movie": (K100, {"u.data": "7\t5\t5\t881250949\n"}, "u.data", 1, "'5' is not in"),
    "rating": (K100, {"u.data": "7\t1\t6\t881250949\n"}, "u.data", 1, "outside the scale"),
    "time": (K100, {"u.data": "7\t1\t5\tsoon\n"}, "u.data", 1, "'soon'"),
    "twice": (K100, {"u.data": K100["u.data"] * 2}, "u.data", None, "second time"),
    "NUL": (K100, {"u.data": "7\t1\t5\t88\n7\t2\t\0\t88\n"}, "u.data", None, "NUL byte in line 2"),
    "UTF-16": (K100, {"u.data": K100["u.data"].encode("utf-16")}, "u.data", None, "UTF-16"),
    "empty": (K100, {"u.data": "\n\n"}, "u.data", None, "empty"),
    "1m, one colon": (M1, {"ratings.dat": "1:10:5:978300760\n"}, "ratings.dat", 1, "1 cells"),
    "1m, cut off": (
        M1,
        {"movies.dat": "10::Old Story (1977)::\n20::Ni"},
        "movies.dat",
        2,
        "cut off",
    ),
    "latest, column": (
        LATEST,
        {"ratings.csv": "userId,movieId,rating\n1,10,4\n"},
        "ratings.csv",
        None,
        "'timestamp' is missing",
    ),
    "latest, cells": (
        LATEST,
        {"movies.csv": "movieId,title,genres\n10,Story, A (2001),Drama\n"},
        "movies.csv",
        1,
        "4 cells under 3",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files(write, name):
    files, changes, file, row, word = WRONG[name]
    kept = {k: v for k, v in {**files, **changes}.items() if v is not None}
    folder = write(kept)
    with pytest.raises(InputError) as caught:
        load(folder)
    error = caught.value
    assert error.file == str(folder / file) and word in error.problem and error.mend
    assert row is None or error.row == row


def test_a_folder_inside_a_folder_is_found(write):
    folder = write({f"ml-100k/{k}": v for k, v in K100.items()} | {"__MACOSX/x": "x"})
    assert detect(folder).folder == folder / "ml-100k"
    assert np.isclose(load(folder).matrix().sum(), 9)
