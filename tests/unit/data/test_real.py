"""Facts of the published data sets, measured on the copies under `RECNB_DATA`."""

from __future__ import annotations

import os

import pytest

from recnb import load
from recnb.data import splits
from recnb.data.catalog import ENTRIES, find

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not os.environ.get("RECNB_DATA"), reason="RECNB_DATA names no folder of data sets"
    ),
]

# users, items in the table, items used, interactions, feedback, order
FACTS = {
    "ml-100k": (943, 1682, 1682, 100_000, "explicit", "timestamp"),
    "amazon-games-2018": (50_546, 16_859, 16_859, 440_264, "implicit", "position"),
    "amazon-office-2018": (3231, 3459, 3317, 22_447, "implicit", "position"),
    "lastfm-hetrec-2011": (1892, 17_632, 17_632, 92_834, "count", None),
    "bookcrossing-small": (11_650, 981, 981, 100_172, "explicit", None),
    "coat": (290, 300, 300, 6960, "explicit", None),
    "msweb": (32_710, 285, 285, 98_653, "implicit", None),
}


def get(name):
    if find(name) is None:
        pytest.skip(f"RECNB_DATA holds no {name}")
    return load(name)


def test_every_folder_of_the_catalogue_has_facts():
    assert set(FACTS) == {s.name for s in ENTRIES.values() if s.kind == "folder"}


@pytest.mark.parametrize("name", FACTS)
def test_counts(name):
    ds = get(name)
    used = len(set(ds.interactions["item"]))
    assert (ds.n_users, ds.n_items, used, len(ds.interactions), ds.feedback, ds.order) == FACTS[
        name
    ]
    split = splits.make(ds)
    assert split.name == ("user_time" if ds.order else "random")
    assert len(split.train.interactions) > len(split.test.interactions) > 0


def test_movielens():
    ds = get("ml-100k")
    d = ds.describe()
    assert round(d["tied_last"], 2) == 0.44
    assert (d["first"], d["last"], d["text_coverage"]) == ("1997-09-20", "1998-04-22", 1)
    # Another order of ties judges another last item for these users, and for no others.
    a, b = (splits.leave_one_out(ds, tie_seed=s) for s in (0, 1))
    other = ds.interactions["user"][(a.part == 2) != (b.part == 2)].nunique()
    assert 0.15 * ds.n_users < other <= a.tied_users == b.tied_users
    assert a.tied_users == round(d["tied_last"] * ds.n_users)


def test_unrated_books_are_not_rated_zero():
    ds = get("bookcrossing-small")
    assert ds.interactions["rating"].isna().any()
    assert ds.matrix().data.min() == 1 and ds.matrix().nnz < ds.pairs().nnz
