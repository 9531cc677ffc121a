"""Whatever happens to a published file, its reader reads it or says what is wrong: nothing else comes out."""

from __future__ import annotations

import random
import runpy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recnb import InputError, load
from recnb.data import Dataset
from recnb.data.readers.movielens.ml_1m import read_movielens_1m
from recnb.data.readers.movielens.ml_100k import GENRES, read_movielens_100k
from recnb.data.readers.movielens.ml_latest import read_movielens_latest

# The tiny files of the other tests here, by layout.
SETS = {
    f"{home}.{name}": files
    for home, names in {
        "movielens": ("K100", "M1", "LATEST"),
        "lastfm": ("FILES",),
        "book_crossing": ("FILES",),
        "mind": ("FILES",),
        "coat": ("FILES",),
        "amazon_2023": ("FILES",),
    }.items()
    for found in [runpy.run_path(str(Path(__file__).with_name(f"test_{home}.py")))]
    for name, files in ((name, found[name]) for name in names)
}


def raw(content):
    return content if isinstance(content, bytes) else content.encode()


def damaged(content, rng):
    """Cut off, a byte turned, a piece lost, a piece doubled."""
    at, to = sorted(rng.sample(range(len(content) + 1), 2))
    yield content[:at]
    yield content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
    yield content[:at] + content[to:]
    yield content[:to] + content[at:]


@pytest.mark.parametrize("name", SETS)
def test_damage_is_read_or_refused(write, name):
    files, rng, refused = SETS[name], random.Random(name), 0
    for file, content in files.items():
        for _ in range(5):
            for broken in damaged(raw(content), rng):
                folder = write({**files, file: broken})
                try:
                    assert isinstance(load(folder), Dataset)
                except InputError as error:
                    refused += 1
                    assert error.mend and "\n" not in str(error)
    assert refused > 5


# A title as it may stand in a file without quotes, and in Latin-1.
LATIN = st.text(
    st.characters(codec="latin-1", exclude_categories=["Cc"], exclude_characters="|:"), min_size=1
).map(lambda text: " ".join(text.split()) or "x")
ANY = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)
ONCE = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def rated(draw, titles, ratings):
    """Titles with a year, and ratings of pairs that stand once."""
    names = draw(st.lists(titles, min_size=1, max_size=5))
    pairs = draw(
        st.lists(
            st.tuples(st.integers(1, 4), st.integers(1, len(names))),
            min_size=1,
            max_size=12,
            unique=True,
        )
    )
    return names, [(*pair, draw(ratings), draw(st.integers(1, 2**31))) for pair in pairs]


def same(ds, names, rows):
    found = {
        (ds.user_ids[r.user], ds.item_ids[r.item], r.rating, r.timestamp)
        for r in ds.interactions.itertuples()
    }
    assert found == {(str(u), str(i), float(rating), when) for u, i, rating, when in rows}
    assert ds.items["title"].tolist() == names and ds.items["year"].eq(1999).all()


@ONCE
@given(rated(LATIN, st.integers(1, 5)))
def test_what_is_written_as_100k_is_read(write, made):
    names, rows = made
    flags = "|0" * len(GENRES)
    items = "".join(f"{n}|{name} (1999)|||{flags}\n" for n, name in enumerate(names, start=1))
    data = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    same(read_movielens_100k(write({"u.data": data, "u.item": items.encode("latin-1")})), *made)


@ONCE
@given(rated(ANY.map(lambda t: " ".join(t.replace(":", "").split()) or "x"), st.integers(1, 5)))
def test_what_is_written_as_1m_is_read(write, made):
    names, rows = made
    items = "".join(f"{n}::{name} (1999)::Drama\n" for n, name in enumerate(names, start=1))
    data = "".join("::".join(map(str, row)) + "\n" for row in rows)
    same(read_movielens_1m(write({"ratings.dat": data, "movies.dat": items})), *made)


@ONCE
@given(rated(ANY.map(lambda t: t.strip() or "x"), st.integers(1, 10).map(lambda n: n / 2)))
def test_what_is_written_as_latest_is_read(write, made):
    names, rows = made
    quoted = ['"' + f"{name} (1999)".replace('"', '""') + '"' for name in names]
    items = "".join(f"{n},{name},Drama\n" for n, name in enumerate(quoted, start=1))
    data = "".join(",".join(map(str, row)) + "\n" for row in rows)
    files = {
        "ratings.csv": "userId,movieId,rating,timestamp\n" + data,
        "movies.csv": "movieId,title,genres\n" + items,
    }
    same(read_movielens_latest(write(files)), *made)
