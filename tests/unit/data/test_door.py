"""The door: every malformed table is refused in one line that says where it is wrong and how to mend it."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from recnb import InputError, load
from recnb.data import Dataset
from recnb.data.checks.cells import times

GOOD = "user_id,item_id,rating\na,x,5\nb,y,1\n"
ITEMS = "item_id,title\nx,X\ny,Y\n"


def folder(tmp_path, interactions=GOOD, **others):
    """A data folder of csv texts (bytes and frames are taken as they are)."""
    for name, content in {"interactions": interactions, **others}.items():
        if content is None:
            continue
        if isinstance(content, pd.DataFrame):
            content.to_parquet(tmp_path / f"{name}.parquet")
        elif name == "dataset":
            (tmp_path / "dataset.json").write_text(content)
        else:
            raw = content if isinstance(content, bytes) else content.encode()
            (tmp_path / f"{name}.csv").write_bytes(raw)
    return tmp_path


# what arrives, then: file, column, row, a word of the problem, a word of the mend
CSV = {
    "user missing": (
        "item_id,rating\nx,5\n",
        None,
        None,
        "no column is known as user_id",
        "--columns user_id=",
    ),
    "duplicate rows": (GOOD + "a,x,5\n", None, 3, "second time", "--duplicates"),
    "two ratings": (GOOD + "b,y,2\n", None, 3, "which rating is the later", "--duplicates"),
    "text rating": (GOOD + "b,x,high\n", "rating", 3, "'high'", "number"),
    "NaN as text": (GOOD + "b,x,NaN\n", "rating", 3, "'NaN'", "number"),
    "infinite rating": (GOOD + "b,x,inf\n", "rating", 3, "'inf'", "number"),
    "minus infinity": (GOOD + "b,x,-Infinity\n", "rating", 3, "Infinity", "number"),
    "no user at all": ("user_id,item_id\n  ,x\n", "user_id", None, "no id", "another column"),
    "empty table": ("user_id,item_id\n", None, None, "no rows", "at least one"),
    "empty file": ("", None, None, "empty", "header"),
    "long row": (GOOD + "b,x,4,9\n", None, 3, "4 cells under 3 columns", "--bad-rows drop"),
    "long first row": (
        "user_id,item_id\na,x,5\n",
        None,
        1,
        "3 cells under 2 columns",
        "--bad-rows drop",
    ),
    "short row": (GOOD + "b,x\n", None, 3, "2 cells under 3 columns", "--bad-rows drop"),
    "short row, blank lines": ("user_id,item_id,rating\n\na,x,1\n\nb,y\n", None, 2, "2 cells", ""),
    "open quote": ('user_id,item_id\na,"x\nb,y\n', None, None, "cannot be split", "quote"),
    "column twice": ("user_id,item_id,rating,rating\na,x,1,2\n", "rating", None, "twice", "one"),
    "no time": (
        "user_id,item_id,timestamp\na,x,1\nb,y,soon\n",
        "timestamp",
        2,
        "'soon'",
        "--bad-rows drop",
    ),
    "time among numbers": (
        "user_id,item_id,timestamp\na,x,1\nb,y,2\nc,y,2020-01-01\n",
        "timestamp",
        3,
        "'2020-01-01' is no time",
        "ISO",
    ),
    "impossible date": (
        "user_id,item_id,timestamp\na,x,2024-02-28\nb,y,2024-02-30\n",
        "timestamp",
        2,
        "2024-02-30",
        "ISO",
    ),
    "times half given": ("user_id,item_id,timestamp\na,x,1\nb,y,\n", "timestamp", 2, "no time", ""),
    "two units": (
        "user_id,item_id,timestamp\na,x,1700000000000\nb,y,1700000000\n",
        "timestamp",
        2,
        "different units",
        "seconds",
    ),
    "positions half given": (
        "user_id,item_id,position\na,x,\nb,y,2\n",
        "position",
        1,
        "no position",
        "fill it in",
    ),
    "unknown part": ("user_id,item_id,split\na,x,train\nb,y,dev\n", "split", 2, "'dev'", "valid"),
}


@pytest.mark.parametrize("name", CSV)
def test_wrong_csv(tmp_path, name):
    content, column, row, problem, mend = CSV[name]
    with pytest.raises(InputError) as caught:
        Dataset.from_folder(folder(tmp_path, content))
    error = caught.value
    assert error.file == str(tmp_path / "interactions.csv")
    assert (error.column, error.row) == (column, row)
    assert problem in error.problem and error.mend and mend in error.mend
    assert "\n" not in str(error) and str(error).startswith(error.file)


TABLES = {
    "unknown item": (
        dict(items="item_id,title\nx,X\n"),
        "interactions",
        "item_id",
        2,
        "'y' is not",
    ),
    "unknown user": (dict(users="user_id,age\na,3\n"), "interactions", "user_id", 2, "'b' is not"),
    "item twice": (dict(items=ITEMS + "x,again\n"), "items", "item_id", 3, "'x' stands twice"),
    "user twice": (dict(users="user_id\nb\na\nb\n"), "users", "user_id", 3, "'b' stands twice"),
    "no items": (dict(items="item_id,title\n"), "items", None, None, "no rows"),
    "item without id": (dict(items=ITEMS + ",Z\n"), "items", "item_id", 3, "no id"),
    "ragged items": (dict(items=ITEMS + "z,Z,1\n"), "items", None, 3, "3 cells"),
    "scale backwards": (dict(dataset='{"scale": [5, 1]}'), "dataset", None, None, "scale"),
    "scale of one": (dict(dataset='{"scale": [5]}'), "dataset", None, None, "scale"),
    "scale in words": (dict(dataset='{"scale": "1-5"}'), "dataset", None, None, "scale"),
    "scale of bools": (dict(dataset='{"scale": [false, true]}'), "dataset", None, None, "scale"),
    "endless scale": (dict(dataset='{"scale": [1, Infinity]}'), "dataset", None, None, "scale"),
    "not JSON": (dict(dataset="{feedback: explicit}"), "dataset", None, None, "not JSON"),
    "a list": (dict(dataset="[]"), "dataset", None, None, "may hold only"),
    "unknown key": (dict(dataset='{"skale": [1, 5]}'), "dataset", None, None, "may hold only"),
    "unknown feedback": (dict(dataset='{"feedback": "loud"}'), "dataset", None, None, "'loud'"),
    "relevant in words": (dict(dataset='{"relevant_from": "4"}'), "dataset", None, None, "'4'"),
    "outside the scale": (
        dict(dataset='{"feedback": "explicit", "scale": [1, 4]}'),
        "interactions",
        "rating",
        1,
        "5 lies outside the scale 1 to 4",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_wrong_tables(tmp_path, name):
    files, file, column, row, problem = TABLES[name]
    suffix = ".json" if file == "dataset" else ".csv"
    with pytest.raises(InputError) as caught:
        Dataset.from_folder(folder(tmp_path, **files))
    error = caught.value
    assert error.file == str(tmp_path / f"{file}{suffix}")
    assert (error.column, error.row) == (column, row)
    assert problem in error.problem and error.mend


def frame(**columns):
    return pd.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "y"], **columns})


FRAMES = {
    "not a frame": ([("a", "x")], None, None, "expected a pandas DataFrame, got list"),
    "NaN rating": (frame(rating=[4, np.nan]), "rating", 2, "NaN is no value"),
    "infinite rating": (frame(rating=[np.inf, 4]), "rating", 1, "no finite number"),
    "bool rating": (frame(rating=[True, False]), "rating", None, "bool"),
    "date rating": (frame(rating=pd.to_datetime(["2020", "2021"])), "rating", None, "datetime64"),
    "span rating": (frame(rating=pd.to_timedelta([1, 2], "D")), "rating", None, "timedelta64"),
    "text rating": (frame(rating=["4", "good"]), "rating", 2, "'good'"),
    "bool time": (frame(timestamp=[True, False]), "timestamp", None, "expected times, got bool"),
    "infinite time": (frame(timestamp=[1.0, np.inf]), "timestamp", 2, "infinite time"),
    "NaT": (frame(timestamp=pd.to_datetime(["2020-01-01", None])), "timestamp", 2, "no time"),
    "fractional id": (frame().assign(user_id=[1.0, 1.5]), "user_id", 2, "1.5 is no id"),
    "inexact id": (frame().assign(user_id=[1.0, 1e20]), "user_id", 2, "is no id"),
    "NaN id": (frame().assign(item_id=["x", None]), "item_id", 2, "no id"),
    "bool ids": (frame().assign(item_id=[True, False]), "item_id", None, "type bool"),
    "date ids": (frame().assign(item_id=pd.to_datetime(["2020", "2021"])), "item_id", None, "type"),
    "bytes ids": (frame().assign(item_id=[b"x", b"y"]), "item_id", None, "type bytes"),
    "list ids": (frame().assign(item_id=[["x"], ["y"]]), "item_id", None, "type list"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_wrong_frame(name):
    value, column, row, problem = FRAMES[name]
    with pytest.raises(InputError) as caught:
        Dataset.from_frames(value)
    error = caught.value
    assert (error.file, error.column, error.row) == ("interactions", column, row)
    assert problem in error.problem and error.mend


def test_column_twice_in_a_frame():
    doubled = pd.DataFrame([["a", "x", 1, 2]], columns=["user_id", "item_id", "rating", "rating"])
    with pytest.raises(InputError, match="column 'rating': the column stands twice"):
        Dataset.from_frames(doubled)


def test_nan_in_parquet_is_named_and_null_is_not(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"]}
    table = pa.table({**rows, "rating": pa.array([5.0, float("nan"), None])})
    pq.write_table(table, tmp_path / "interactions.parquet")
    with pytest.raises(InputError, match=r"interactions.parquet, column 'rating', row 2: NaN"):
        Dataset.from_folder(tmp_path)
    table = pa.table({**rows, "rating": pa.array([5.0, None, 2.0])})
    pq.write_table(table, tmp_path / "interactions.parquet")
    ds = Dataset.from_folder(tmp_path)
    assert ds.interactions["rating"].isna().tolist() == [False, True, False]


def test_wrong_parquet(tmp_path):
    (tmp_path / "interactions.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match="not a readable parquet file"):
        Dataset.from_folder(tmp_path)


def test_places(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        Dataset.from_folder(tmp_path / "nowhere")
    with pytest.raises(
        InputError, match=r"no interactions.parquet or interactions.csv.*recnb init"
    ):
        Dataset.from_folder(tmp_path)
    folder(tmp_path)
    frame().to_parquet(tmp_path / "interactions.parquet")
    with pytest.raises(
        InputError, match=r"both interactions.parquet and interactions.csv.*keep one"
    ):
        Dataset.from_folder(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        Dataset.from_file(tmp_path / "rows.csv")
    with zipfile.ZipFile(tmp_path / "rows.xlsx", "w") as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(
        InputError, match=r"not a readable Excel workbook .*; save the sheet as csv"
    ):
        load(tmp_path / "rows.xlsx")


@pytest.mark.parametrize("scale", [(5, 1), (1, 1), (1,), "1-5", (1, None), (np.nan, 5), (1, "5")])
def test_wrong_scale(scale):
    with pytest.raises(InputError, match=r"scale .* is no pair of numbers"):
        Dataset.from_frames(frame(rating=[1, 5]), feedback="explicit", scale=scale)


def test_wrong_settings():
    with pytest.raises(InputError, match=r"feedback='stars'.*explicit, implicit, count"):
        Dataset.from_frames(frame(), feedback="stars")
    with pytest.raises(InputError, match=r"duplicates='sum'.*error, keep, drop"):
        Dataset.from_frames(frame(), duplicates="sum")
    with pytest.raises(InputError, match="explicit feedback without a rating"):
        Dataset.from_frames(frame(), feedback="explicit")
    with pytest.raises(InputError, match=r"column 'rating', row 2: a count below zero"):
        Dataset.from_frames(frame(rating=[3, -1]), feedback="count")
    with pytest.raises(InputError, match=r"every rating is -3, which shows no scale"):
        Dataset.from_frames(frame(rating=[-3, -3]), feedback="explicit")


# ---------------------------------------------------------------- what is accepted

NOON = 1_717_156_800  # 2024-05-31 12:00 UTC
CLOCKS = {
    "seconds": [NOON, NOON + 1],
    "float seconds": [float(NOON), NOON + 1.0],
    "milliseconds": [NOON * 10**3, (NOON + 1) * 10**3],
    "microseconds": [NOON * 10**6, (NOON + 1) * 10**6],
    "nanoseconds": [NOON * 10**9, (NOON + 1) * 10**9],
    "text of seconds": [str(NOON), str(NOON + 1)],
    "text of milliseconds": [str(NOON * 1000), str((NOON + 1) * 1000)],
    "ISO": ["2024-05-31T12:00:00", "2024-05-31T12:00:01"],
    "ISO with a blank": ["2024-05-31 12:00:00", "2024-05-31 12:00:01"],
    "ISO with Z": ["2024-05-31T12:00:00Z", "2024-05-31T12:00:01Z"],
    "ISO, two zones": ["2024-05-31T20:00:00+08:00", "2024-05-31T07:00:01-05:00"],
    "datetime": pd.to_datetime(["2024-05-31 12:00:00", "2024-05-31 12:00:01"]),
    "datetime of seconds": pd.to_datetime([NOON, NOON + 1], unit="s").astype("datetime64[s]"),
    "datetime of ns": pd.to_datetime([NOON, NOON + 1], unit="s").astype("datetime64[ns]"),
    "datetime in Tokyo": pd.to_datetime([NOON, NOON + 1], unit="s", utc=True).tz_convert(
        "Asia/Tokyo"
    ),
    "datetime objects": pd.Series(
        [pd.Timestamp(NOON, unit="s"), pd.Timestamp(NOON + 1, unit="s")], dtype=object
    ),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_clocks_agree(name):
    seconds = times(pd.Series(CLOCKS[name]), "rows")
    assert seconds.dtype == np.int64
    assert seconds.tolist() == [NOON, NOON + 1]


def test_fractions_of_a_second_agree():
    forms = (
        [NOON + 0.25, NOON + 0.123456],
        [NOON * 1000 + 250, NOON * 1000 + 123.456],
        [NOON * 10**6 + 250_000, NOON * 10**6 + 123_456],
        [NOON * 10**9 + 250_000_000, NOON * 10**9 + 123_456_000],
        ["2024-05-31T12:00:00.25", "2024-05-31T12:00:00.123456"],
    )
    for form in forms:
        np.testing.assert_allclose(
            times(pd.Series(form), "rows"), [NOON + 0.25, NOON + 0.123456], rtol=0, atol=5e-7
        )
    exact = [times(pd.Series(forms[i]), "rows").tolist() for i in (2, 3, 4)]
    assert exact[0] == exact[1] == exact[2]


def test_days_as_numbers_are_days_and_not_a_morning_in_1970():
    day = times(pd.Series([20240531, 20240601]), "rows")
    assert day.tolist() == [NOON - 43_200, NOON + 43_200]
    assert times(pd.Series([20240531, 20249999]), "rows").tolist() == [20240531, 20249999]


@pytest.mark.parametrize(
    "column",
    [
        ["1", "2"],
        [1, 2],
        [1.0, 2.0],
        pd.array([1, 2], "Int64"),
        pd.Series([1.0, 2], dtype=object),
        pd.Categorical([1, 2]),
    ],
)
def test_whole_ids_are_the_same_however_they_are_typed(column):
    rows = pd.DataFrame({"user_id": column, "item_id": ["x", "y"]})
    ds = Dataset.from_frames(rows, users=pd.DataFrame({"user_id": [2, 1]}))
    assert ds.users.index.tolist() == ["2", "1"]
    assert ds.interactions["user"].tolist() == [0, 1]
    assert ds.interactions["item"].tolist() == [1, 0]


def test_text_ids_stay_as_they_are(tmp_path):
    ds = Dataset.from_folder(folder(tmp_path, "user_id,item_id\n007,1.0\nNA,null\n"))
    assert ds.users.index.tolist() == ["007", "NA"]
    assert ds.items.index.tolist() == ["1.0", "null"]


def test_byte_order_mark_quotes_and_line_breaks(tmp_path):
    rows = '\ufeffuser_id,item_id\n"a, b","x\ny"\n'
    ds = Dataset.from_folder(folder(tmp_path, rows))
    assert (ds.users.index.tolist(), ds.items.index.tolist()) == (["a, b"], ["x\ny"])


def test_empty_cells_at_the_end_of_full_rows_are_nulls(tmp_path):
    ds = Dataset.from_folder(folder(tmp_path, GOOD + "b,x,\n"))
    assert ds.interactions["rating"].isna().sum() == 1


def test_unused_columns_and_nulls_throughout_are_dropped():
    ds = Dataset.from_frames(frame(rating=[None, None], timestamp=[None, None], color=["r", "g"]))
    assert list(ds.interactions) == ["user", "item"] and ds.feedback == "implicit"


def test_dataset_json_declares_and_arguments_win(tmp_path):
    said = {"feedback": "explicit", "scale": [0, 10], "name": "mine", "relevant_from": 5}
    folder(tmp_path, dataset=json.dumps(said))
    ds = Dataset.from_folder(tmp_path)
    assert (ds.feedback, ds.scale, ds.name, ds.threshold, ds.notes) == (
        "explicit",
        (0.0, 10.0),
        "mine",
        5,
        (),
    )
    assert Dataset.from_folder(tmp_path, scale=(1, 5), relevant_from=3).threshold == 3
    plain = Dataset.from_folder(folder(tmp_path, dataset="{}"))
    assert plain.name == tmp_path.name and len(plain.notes) == 2  # feedback and scale are guessed


@pytest.mark.parametrize(
    ("ratings", "feedback", "scale"),
    [
        ([5, 1], "explicit", (1, 5)),
        ([0.5, 4], "explicit", (0.5, 5)),
        ([1, 8], "explicit", (1, 10)),
        ([0, 1], "explicit", (0, 1)),
        ([1, 1], "implicit", None),
        (list(range(1, 31)), "count", None),
        ([-3, 3], "explicit", (-3, 3)),
    ],
)
def test_guesses_are_made_and_said(ratings, feedback, scale):
    rows = pd.DataFrame({"user_id": range(len(ratings)), "item_id": 1, "rating": ratings})
    ds = Dataset.from_frames(rows)
    assert (ds.feedback, ds.scale) == (feedback, scale)
    assert any("feedback is taken as" in note for note in ds.notes)
    assert any("rating scale is taken as" in n for n in ds.notes) == (feedback == "explicit")


def test_numbers_of_32_bits_are_what_they_were_written_as():
    """0.7 in 32 bits lies below 0.7 in 64, and must not fall outside a scale that starts there."""
    rows = frame(rating=np.array([0.7, 4.1], dtype=np.float32))
    ds = Dataset.from_frames(rows, feedback="explicit", scale=(0.7, 4.1), relevant_from=4.1)
    assert ds.interactions["rating"].tolist() == [0.7, 4.1]
    assert ds.positives().nnz == 1 and len(ds.to_implicit().interactions) == 1
