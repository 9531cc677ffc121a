"""Amazon Reviews 2023: records in JSON, packed or not, or saved by `datasets`; prices, lists, milliseconds."""

from __future__ import annotations

import gzip
import json

import pytest

from recnb import InputError, load
from recnb.data.readers.amazon_2023 import read_amazon_2023, read_amazon_reviews

REVIEWS = [
    {
        "rating": 5.0,
        "title": "Great",
        "text": "Works – really",
        "images": [],
        "asin": "A1-red",
        "parent_asin": "A1",
        "user_id": "U1",
        "timestamp": 1588687728923,
        "helpful_vote": 2,
        "verified_purchase": True,
    },
    {"rating": 1.0, "parent_asin": "A2", "user_id": "U1", "timestamp": 1588615855070, "text": ""},
    {"rating": 1.0, "parent_asin": "A2", "user_id": "U1", "timestamp": 1588615855070, "text": ""},
    {
        "rating": 3.0,
        "parent_asin": "A9",
        "user_id": "U2",
        "timestamp": 1589665266052,
        "text": "so so",
    },
]
META = [
    {
        "main_category": "All Beauty",
        "title": "Soap",
        "average_rating": 4.8,
        "rating_number": 10,
        "features": ["Mild", ""],
        "description": ["A soap.", "For  hands."],
        "price": "$1,299.99",
        "store": "Maker",
        "categories": ["Beauty", "Hands"],
        "details": {"Colour": "red"},
        "parent_asin": "A1",
        "bought_together": None,
    },
    {"title": None, "description": [], "price": None, "parent_asin": "A2", "categories": []},
    {"title": "Twice", "price": "—", "parent_asin": "A2"},
]


def lines(records):
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)


FILES = {
    "All_Beauty.jsonl.gz": gzip.compress(lines(REVIEWS).encode()),
    "meta_All_Beauty.jsonl": lines(META),
}


def check(ds):
    assert (ds.feedback, ds.scale, ds.n_users, ds.n_items) == ("explicit", (1.0, 5.0), 2, 3)
    assert len(ds.interactions) == 3 and ds.interactions["timestamp"].iloc[1] == 1588687728.923
    assert ds.items.loc["A1"].tolist() == [
        "Soap",
        "Mild A soap. For hands.",
        "Maker",
        "All Beauty",
        "Beauty > Hands",
        1299.99,
    ]
    assert ds.items.loc["A2", "title"] == "" and ds.items["price"].isna().tolist() == [
        False,
        True,
        True,
    ]
    assert ds.items.loc["A9", "title"] == ""
    assert any("1 rows alike" in n for n in ds.notes) and any(
        "1 reviewed products" in n for n in ds.notes
    )


def test_files(write):
    folder = write(FILES)
    check(load(folder))
    said = read_amazon_reviews(folder)
    assert said["text"].iloc[0] == "Works – really" and said["verified_purchase"].iloc[0]
    assert said["timestamp"].iloc[0] == 1588687728 and len(said) == 4


def test_folders_saved_by_datasets(tmp_path):
    datasets = pytest.importorskip("datasets", reason="the library datasets is not installed")
    plain = [{k: r.get(k) for k in REVIEWS[0] if k != "images"} for r in REVIEWS]
    # the hub's copy has details as text and never a mixture of types in a column
    keys = (
        "title",
        "features",
        "description",
        "price",
        "store",
        "main_category",
        "categories",
        "parent_asin",
    )
    meta = [{k: r.get(k) for k in keys} for r in META]
    datasets.Dataset.from_list(plain).save_to_disk(tmp_path / "raw_review_All_Beauty")
    datasets.DatasetDict({"full": datasets.Dataset.from_list(meta)}).save_to_disk(
        tmp_path / "raw_meta_All_Beauty"
    )
    check(read_amazon_2023(tmp_path))
    check(load(tmp_path))


def test_without_meta_and_with_several_categories(write):
    ds = load(write({"Toys.jsonl": lines(REVIEWS[:1])}, "toys"))
    assert ds.items.shape == (1, 0) and any("no meta file" in n for n in ds.notes)
    both = write({**FILES, "Toys.jsonl": lines(REVIEWS[:1])})
    with pytest.raises(InputError, match="All_Beauty, Toys"):
        load(both)
    assert read_amazon_2023(both, category="Toys").n_items == 1


PACKED = FILES["All_Beauty.jsonl.gz"]
WRONG = {
    "packed file cut off": ("All_Beauty.jsonl.gz", PACKED[:-12], None, "breaks off"),
    "packed file broken": (
        "All_Beauty.jsonl.gz",
        PACKED[:40] + b"\0" * 9 + PACKED[49:],
        None,
        "broken",
    ),
    "meta cut off": ("meta_All_Beauty.jsonl", lines(META)[:-20], 3, "no JSON"),
    "meta a list": ("meta_All_Beauty.jsonl", "[1]\n", 1, "no JSON object"),
    "meta without id": ("meta_All_Beauty.jsonl", '{"title": "x"}\n', 1, "missing"),
    "rating": (
        "All_Beauty.jsonl.gz",
        gzip.compress(lines([{**REVIEWS[0], "rating": 7}]).encode()),
        1,
        "outside the scale",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files(write, name):
    file, content, row, word = WRONG[name]
    folder = write({**FILES, file: content})
    with pytest.raises(InputError) as caught:
        read_amazon_2023(folder)
    error = caught.value
    assert error.file == str(folder / file) and word in error.problem and error.mend
    assert row is None or error.row == row
