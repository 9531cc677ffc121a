"""MIND: clicks, what was shown and not clicked, histories, parts, times with AM and PM."""

from __future__ import annotations

import pytest

from recnb import InputError, load
from recnb.data import splits
from recnb.data.readers.mind import read_mind, read_mind_histories, read_mind_impressions

ENTITY = '[{"Label": "Ada Lovelace", "Type": "P", "WikidataId": "Q1", "Confidence": 1.0}]'


def news(ident, title="A title", entities="[]"):
    return f'{ident}\tnews\tnewsworld\t{title}\tAn "abstract"\thttp://example.org\t{entities}\t[]\n'


NEWS = news("N1", "Ünïcode’s day", ENTITY) + news("N2") + news("N3")
TRAIN = (
    "1\tU1\t11/11/2019 9:05:58 AM\tN2 N3\tN1-1 N2-0\n"
    "2\tU1\t11/12/2019 12:00:00 AM\tN2 N3\tN3-1 N1-0\n"
    "3\tU2\t11/11/2019 12:30:00 PM\t\tN1-0 N2-1 N3-1\n"
)
FILES = {"behaviors.tsv": TRAIN, "news.tsv": NEWS}


def test_clicks(write):
    ds = load(write(FILES))
    assert ds.feedback == "implicit" and set(ds.interactions["event"]) == {"click"}
    assert ds.pairs().toarray().tolist() == [[1, 0, 1], [0, 1, 1]]
    # 9:05:58 in the morning, midnight of the next day, half past noon
    assert ds.interactions["timestamp"].tolist() == [1573463158, 1573516800, 1573475400, 1573475400]
    assert ds.items.loc["N1", ["title", "text", "entities"]].tolist() == [
        "Ünïcode’s day",
        'An "abstract"',
        "Ada Lovelace",
    ]


def test_impressions_and_histories(write):
    folder = write(FILES)
    shown = read_mind_impressions(folder)
    assert shown["label"].tolist() == [1, 0, 1, 0, 0, 1, 1]
    assert shown.groupby("impression_id")["item_id"].agg(list).to_dict() == {
        "1": ["N1", "N2"],
        "2": ["N3", "N1"],
        "3": ["N1", "N2", "N3"],
    }
    assert read_mind_histories(folder)["history"].tolist() == [["N2", "N3"], ["N2", "N3"], []]


def test_history_has_an_order_and_no_time(write):
    ds = read_mind(write(FILES), history=True)
    assert ds.order == "position" and "timestamp" not in ds.interactions
    first = ds.interactions[ds.interactions["user"] == 0].sort_values("position")
    assert ds.item_ids[first["item"]].tolist() == ["N2", "N3", "N1", "N3"]


def test_parts(write):
    dev = "1\tU1\t11/15/2019 8:00:00 AM\tN2\tN4-1 N1-0\n"
    test = "1\tU1\t11/16/2019 8:00:00 AM\tN2\tN4 N1\n"
    files = {f"MINDsmall_train/{k}": v for k, v in FILES.items()}
    files |= {"MINDsmall_dev/behaviors.tsv": dev, "MINDsmall_dev/news.tsv": NEWS + news("N4")}
    files |= {"MINDsmall_test/behaviors.tsv": test, "MINDsmall_test/news.tsv": NEWS + news("N4")}
    folder = write(files)
    split = splits.predefined(load(folder))
    assert (len(split.train.interactions), len(split.test.interactions)) == (4, 1)
    shown = read_mind_impressions(folder)
    assert shown["impression_id"].nunique() == 5  # numbers start anew in each part
    assert shown[shown["part"] == "test"]["label"].isna().all()


WRONG = {
    "time": ("behaviors.tsv", TRAIN.replace("11/11/2019", "31/11/2019", 1), 1, "31/11/2019"),
    "unknown news": ("behaviors.tsv", TRAIN.replace("N3-1 N1-0", "N9-1 N1-0"), 2, "'N9'"),
    "half labelled": ("behaviors.tsv", TRAIN.replace("N3-1 N1-0", "N3 N1-0"), 2, "no label"),
    "cut off": ("behaviors.tsv", TRAIN + "4\tU2\t11/1", 4, "cut off"),
    "entities": ("news.tsv", NEWS + news("N4", entities="[{"), 4, "JSON"),
    "not UTF-8": (
        "news.tsv",
        NEWS.encode() + news("N4", "Café").encode("latin-1"),
        None,
        "line 4 is not UTF-8",
    ),
    "tab in title": ("news.tsv", NEWS + news("N4", "a\tb"), 4, "9 cells"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files(write, name):
    file, content, row, word = WRONG[name]
    folder = write({**FILES, file: content})
    with pytest.raises(InputError) as caught:
        load(folder)
    error = caught.value
    assert error.file == str(folder / file) and error.row == row
    assert word in error.problem and error.mend


def test_no_click_and_no_part(write):
    with pytest.raises(InputError, match="no impression was clicked"):
        load(write({**FILES, "behaviors.tsv": "1\tU1\t11/11/2019 9:05:58 AM\t\tN1 N2\n"}))
    with pytest.raises(InputError, match="'sets' is no part"):
        load(write({f"sets/{k}": v for k, v in FILES.items()} | {"more/x.csv": ""}, "other"))
