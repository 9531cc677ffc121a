"""Last.fm, HetRec 2011: mixed encodings, tags by user and time, impossible dates, friends."""

from __future__ import annotations

import pytest

from recnb import InputError, load
from recnb.data.readers.lastfm import read_lastfm, read_lastfm_friends, read_lastfm_tags

FILES = {
    "user_artists.dat": "userID\tartistID\tweight\r\n2\t51\t13883\r\n2\t52\t1\r\n3\t51\t7\r\n",
    "artists.dat": b'id\tname\turl\tpictureURL\r\n51\tMot\xc3\xb6r "Quote\tu\tp\r\n'
    b"52\tSigur R\xf3s\tu\tp\r\n53\tNobody\tu\t\r\n",
    "tags.dat": b"tagID\ttagValue\r\n1\tmetal\r\n2\tcaf\xe9\r\n",
    "user_taggedartists-timestamps.dat": "userID\tartistID\ttagID\ttimestamp\r\n"
    "2\t51\t1\t1238536800000\r\n3\t51\t2\t1243807200000\r\n3\t52\t2\t-428720400000\r\n3\t99\t2\t1243807200000\r\n",
    "user_taggedartists.dat": "userID\tartistID\ttagID\tday\tmonth\tyear\r\n2\t51\t1\t1\t4\t2009\r\n",
    "user_friends.dat": "userID\tfriendID\r\n2\t3\r\n3\t2\r\n",
}


def test_layout(write):
    ds = load(write(FILES))
    assert ds.feedback == "count" and ds.matrix().toarray().tolist() == [[13883, 1, 0], [7, 0, 0]]
    assert ds.items["title"].tolist() == ['Motör "Quote', "Sigur Rós", "Nobody"]
    assert ds.items["text"].tolist() == ["café, metal", "café", ""]
    assert ds.users["n_friends"].tolist() == [1, 1]
    assert any("tag texts were written by the users" in note for note in ds.notes)


def test_tags_of_given_users_and_times(write):
    folder = write(FILES)
    ds = read_lastfm(folder, tag_users=["2"])
    assert ds.items["text"].tolist() == ["metal", "", ""] and not any("tag" in n for n in ds.notes)
    # the undated tag of 52 does not count: nobody knows that it came before
    assert read_lastfm(folder, tags_until=1.24e9).items["text"].tolist() == ["metal", "", ""]
    assert "text" not in read_lastfm(folder, tags=False).items


def test_tables_beside(write):
    folder = write(FILES)
    tags = read_lastfm_tags(folder)
    assert tags["timestamp"].isna().tolist() == [False, False, True, False]
    assert tags["timestamp"].iloc[0] == 1238536800 and tags["tag"].iloc[1] == "café"
    assert read_lastfm_friends(folder).values.tolist() == [["2", "3"], ["3", "2"]]


def test_tags_dated_by_day(write):
    folder = write({k: v for k, v in FILES.items() if "timestamps" not in k})
    assert read_lastfm_tags(folder)["timestamp"].tolist() == [1238544000]


WRONG = {
    "cut off": ("user_artists.dat", "userID\tartistID\tweight\n2\t51\t1\n2\t5", 2, "cut off"),
    "header": ("artists.dat", "51\tSome\tu\tp\n", None, "'id' is missing"),
    "only a header": ("tags.dat", "tagID\ttagValue\n", None, "no rows"),
    "unknown tag": (
        "user_taggedartists-timestamps.dat",
        "userID\tartistID\ttagID\ttimestamp\n2\t51\t9\t1238536800000\n",
        1,
        "tag '9'",
    ),
    "no time": (
        "user_taggedartists-timestamps.dat",
        "userID\tartistID\ttagID\ttimestamp\n2\t51\t1\tx\n",
        1,
        "no time",
    ),
    "count below zero": ("user_artists.dat", "userID\tartistID\tweight\n2\t51\t-1\n", 1, "below"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files(write, name):
    file, content, row, word = WRONG[name]
    folder = write({**FILES, file: content})
    with pytest.raises(InputError) as caught:
        load(folder)
    error = caught.value
    assert error.file == str(folder / file) and word in error.problem and error.mend
    assert row is None or error.row == row
