"""Pseudonyms: stable under a key, different under another, and a data set that is the same but for names."""

from __future__ import annotations

from hashlib import blake2b

import pandas as pd
import pytest

from recnb.behaviour import behaviour, pseudonymise, pseudonymised
from recnb.data import Dataset
from recnb.errors import InputError

KEY = "0123456789abcdef"


def test_is_keyed_blake2b() -> None:
    expected = blake2b(b"ann", key=KEY.encode(), digest_size=16, person=b"recnb.user").hexdigest()
    assert pseudonymise(["ann"], KEY) == [expected] == pseudonymise(["ann"], KEY.encode())
    assert pseudonymise(["ann"], KEY[::-1]) != [expected]
    assert len(set(pseudonymise(map(str, range(5000)), KEY))) == 5000


@pytest.mark.parametrize(
    ("ids", "key", "problem"),
    [
        (["a"], "", "empty"),
        (["a"], b"", "empty"),
        (["a"], "short", "5 bytes"),
        (["a"], "x" * 65, "65 bytes"),
        (["a"], None, "NoneType"),
        (["a", 7], KEY, "row 2"),
    ],
)
def test_wrong_input_is_refused(ids, key, problem) -> None:
    with pytest.raises(InputError, match=problem):
        pseudonymise(ids, key)


def test_data_set_keeps_all_but_the_names() -> None:
    rows = pd.DataFrame(
        {
            "user_id": [f"u{i % 7}" for i in range(40)],
            "item_id": [f"i{i % 5}" for i in range(40)],
            "timestamp": range(40),
        }
    )
    users = pd.DataFrame({"user_id": [f"u{i}" for i in range(8)], "age": range(8)})
    ds = Dataset.from_frames(rows, users=users)
    hidden = pseudonymised(ds, KEY)
    names = dict(zip(ds.users.index, pseudonymise(ds.users.index, KEY)))
    assert set(hidden.users.index) == set(names.values())
    # Not the old order: else the row number gives the name away.
    assert list(hidden.users.index) == sorted(names.values()) != list(names.values())
    assert hidden.users["age"].to_dict() == {names[u]: a for u, a in ds.users["age"].items()}
    before, after = behaviour(ds), behaviour(hidden)
    before.index = before.index.map(names)
    pd.testing.assert_frame_equal(before.sort_index(), after.sort_index(), check_names=False)
    again = Dataset.from_frames(
        hidden.interactions.assign(
            user_id=hidden.user_ids[hidden.interactions["user"]],
            item_id=hidden.item_ids[hidden.interactions["item"]],
        )[["user_id", "item_id", "timestamp"]],
        hidden.items.reset_index(),
        hidden.users.reset_index(),
    )
    assert again.digest == hidden.digest != ds.digest  # a proper data set, rows in order
