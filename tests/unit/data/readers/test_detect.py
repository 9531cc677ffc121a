"""A folder of ours wins over a published layout; what is neither is refused as ours would be."""

from __future__ import annotations

import pytest

from recnb import InputError, load
from recnb.data.readers.detect import detect


def test_our_tables_win(write):
    folder = write({"interactions.csv": "user_id,item_id\na,x\n", "u.data": "1\t1\t1\t1\n"})
    assert load(folder).feedback == "implicit"


def test_nothing_known(write, tmp_path):
    folder = write({"notes.txt": "hello", "reviews.jsonl": "{}\n"})
    assert detect(folder) is None and detect(tmp_path / "none") is None
    with pytest.raises(InputError, match=r"no interactions\.parquet"):
        load(folder)
