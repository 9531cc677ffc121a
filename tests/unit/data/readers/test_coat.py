"""Coat: matrices in ASCII, one-hot attributes with their names, self-selected and random ratings."""

from __future__ import annotations

import pytest

from recnb import InputError, load
from recnb.data import splits
from recnb.data.readers.coat import read_coat, read_coat_propensities

FILES = {
    "train.ascii": "5 0 1 \n0 3 0 \n",
    "test.ascii": "0 2 1 \n4 0 0 \n",
    "propensities.ascii": "0.5 0.1 0.2\n0.3 0.25 0.01\n",
    "user_item_features/user_features.ascii": "1 0 1 0\n0 1 0 1\n",
    "user_item_features/user_features_map.txt": "gender:men\ngender:women\nage:20-30\nage:over 60",
    "user_item_features/item_features.ascii": "1 0 1 0 1 0\n0 1 0 1 0 1\n0 1 0 0 1 0\n",
    "user_item_features/item_features_map.txt": "gender:men\ngender:women\njackettype:bomber\n"
    "jackettype:other\ncolor:black\ncolor:other",
}


def test_selected_and_random(write):
    folder = write(FILES)
    assert load(folder).matrix().toarray().tolist() == [[5, 0, 1], [0, 3, 0]]
    assert read_coat(folder, part="random").matrix().toarray().tolist() == [[0, 2, 1], [4, 0, 0]]
    split = splits.predefined(read_coat(folder, part="both"))
    assert split.train.matrix().toarray().tolist() == [[5, 0, 1], [0, 3, 0]]
    assert split.test.matrix().toarray().tolist() == [[0, 2, 1], [4, 0, 0]]
    assert read_coat_propensities(folder)[1].tolist() == [0.3, 0.25, 0.01]


def test_attributes(write):
    ds = load(write(FILES))
    assert ds.users.values.tolist() == [["men", "20-30"], ["women", "over 60"]]
    assert ds.items["title"].tolist() == [
        "Men's black bomber coat",
        "Women's coat",
        "Women's black coat",
    ]
    assert ds.items["jacket_type"].tolist() == ["bomber", "other", ""]
    bare = load(write({k: v for k, v in FILES.items() if "/" not in k}, "bare"))
    assert bare.items.shape == (3, 0) and bare.n_users == 2


WRONG = {
    "cut off": ("train.ascii", "5 0 1\n0 3\n", 2, "cut off"),
    "no number": ("train.ascii", "5 0 1\n0 x 0\n", 2, "no number"),
    "too high": ("test.ascii", "0 2 1\n6 0 0\n", 2, "outside 0 to 5"),
    "other shape": ("test.ascii", "0 2\n4 0\n", None, "2 × 2 cells"),
    "no test": ("test.ascii", None, None, "no such file"),
    "names": ("user_item_features/item_features_map.txt", "gender:men", None, "1 names"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files(write, name):
    file, content, row, word = WRONG[name]
    folder = write({k: v for k, v in {**FILES, file: content}.items() if v is not None})
    with pytest.raises(InputError) as caught:
        load(folder)
    named = file.replace("_map.txt", ".ascii")
    assert caught.value.file == str(folder / named) and word in caught.value.problem
    assert caught.value.mend and caught.value.row == row
    with pytest.raises(InputError, match="selected, random, both"):
        read_coat(folder, part="all")
