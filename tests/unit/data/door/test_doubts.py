"""Where two readings lead to other numbers the door asks, and its flags settle it; else it says what it did."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb import InputError, load
from recnb.data import Dataset, splits
from recnb.data.door import Undecided
from recnb.models import make

PAIRS = [(u, i) for u in range(1, 13) for i in range(1, 9) if (u + i) % 3]


def table(path, head, *columns, sep=","):
    rows = [sep.join(map(str, row)) for row in zip(*columns)]
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def users():
    return [u for u, _ in PAIRS]


def items():
    return [i for _, i in PAIRS]


def ratings(*levels):
    return [levels[(u * 7 + i) % len(levels)] for u, i in PAIRS]


def test_two_candidates_for_an_item(tmp_path):
    path = table(tmp_path / "a.csv", "user,artist_id,track_id", users(), items(), items())
    with pytest.raises(Undecided, match=r"'artist_id' and 'track_id' could each be item_id"):
        load(path)
    assert load(path, columns={"item_id": "track_id"}).n_items == 8


def test_zero_that_stands_too_often_is_asked_about(tmp_path):
    zeros = ratings(0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5)
    path = table(tmp_path / "a.csv", "user,item,rating", users(), items(), zeros)
    with pytest.raises(Undecided, match=r"--unrated 0, or .* --unrated none"):
        load(path)
    assert load(path, unrated="none").scale == (0, 5)
    none = load(path, unrated=0)
    assert none.scale == (1, 5) and none.interactions["rating"].isna().sum() == zeros.count(0)


def test_dates_of_which_no_day_is_above_twelve(tmp_path):
    days = [f"0{1 + n % 9}/0{1 + n % 5}/2020" for n in range(len(PAIRS))]
    path = table(tmp_path / "a.csv", "user,item,date", users(), items(), days)
    with pytest.raises(Undecided, match=r"--dates dmy, or .* --dates mdy"):
        load(path)
    months = {
        order: pd.to_datetime(load(path, dates=order).interactions["timestamp"], unit="s").dt.month
        for order in ("dmy", "mdy")
    }
    assert months["dmy"].max() == 5 and months["mdy"].max() == 9


def test_times_that_differ_are_asked_about_and_a_day_beside_its_moment_is_not(tmp_path):
    clock = [1_500_000_000 + 90_000 * n for n in range(len(PAIRS))]
    later = [t + 10**7 for t in clock]
    head = "user,item,created_at,updated_at"
    path = table(tmp_path / "a.csv", head, users(), items(), clock, later)
    with pytest.raises(Undecided, match="'created_at' and 'updated_at' could each be the time"):
        load(path)
    days = pd.to_datetime(clock, unit="s").strftime("%Y-%m-%d")
    path = table(tmp_path / "b.csv", "user,item,date,time", users(), items(), days, clock)
    assert set(load(path).interactions["timestamp"]) == set(clock)


def test_words_alone_may_be_a_header_or_a_row(tmp_path):
    words = ["u" + "abcdefghijklm"[u] for u in users()]
    path = table(tmp_path / "a.csv", "anna,heat", words, ["i" + "abcdefghi"[i] for i in items()])
    with pytest.raises(Undecided, match="whether the first row"):
        load(path)
    assert len(load(path, columns={"user_id": "1", "item_id": "2"}).interactions) == len(PAIRS) + 1
    named = load(path, columns={"user_id": "anna", "item_id": "heat"})
    assert len(named.interactions) == len(PAIRS)


def test_a_matrix_with_names(tmp_path):
    dense = np.arange(6 * 25).reshape(6, 25) % 4
    head = "who," + ",".join(f"band {n}" for n in range(25))
    path = table(tmp_path / "a.csv", head, [f"p{n}" for n in range(6)], *dense.T)
    with pytest.raises(Undecided, match="--matrix 0"):
        load(path)
    assert load(path, matrix=0).matrix().nnz == (dense > 0).sum()


@pytest.mark.parametrize(
    ("cells", "value", "word"),
    [("4,5", 4.5, "decimal"), ("1,234", 1234, "thousands"), ("1.234,5", 1234.5, "points")],
)
def test_commas_in_numbers(tmp_path, cells, value, word):
    plays = [cells if n % 2 else "7" for n in range(len(PAIRS))]
    path = table(tmp_path / "a.csv", "user;item;plays", users(), items(), plays, sep=";")
    ds = load(path)
    assert sorted(ds.interactions["rating"].unique()) == sorted({7.0, value})
    assert any(word in note and cells in note for note in ds.notes)


def test_events_repeat_and_ratings_do_not(tmp_path):
    path = table(tmp_path / "a.csv", "user,item", users() * 2, items() * 2)
    ds = load(path)
    assert len(ds.interactions) == 2 * len(PAIRS)
    assert any("kept: events repeat" in note for note in ds.notes)
    path = table(
        tmp_path / "b.csv", "user,item,rating", users() * 2, items() * 2, ratings(1, 5) * 2
    )
    with pytest.raises(InputError, match="--duplicates keep"):
        load(path)
    clock = range(10**9, 10**9 + 2 * len(PAIRS))
    head = "user,item,rating,time"
    path = table(tmp_path / "c.csv", head, users() * 2, items() * 2, ratings(1, 5) * 2, clock)
    assert any("rated again at another time" in note for note in load(path).notes)


@pytest.mark.parametrize(("one", "other"), [("i1", " i1"), ("1", "1.0")])
def test_one_id_in_two_ways(one, other):
    rows = pd.DataFrame({"user_id": ["a", "b"], "item_id": [one, other]})
    with pytest.raises(InputError, match=f"'{other}' and '{one}' would be two ids"):
        Dataset.from_frames(rows)
    with pytest.raises(InputError, match=f"is not in items, which has '{one}'"):
        Dataset.from_frames(rows[1:], pd.DataFrame({"item_id": [one]}))


def test_a_global_cut_through_one_time_is_said():
    rows = pd.DataFrame({"user_id": list("abcdefghij"), "item_id": list("xyxyxyxyxy")})
    rows["timestamp"] = [1, 2, 3, 4, 5, 6, 7, 7, 7, 8]
    split = splits.global_time(Dataset.from_frames(rows), test=0.2, valid=0)
    assert len(split.notes) == 1 and "3 rows of one timestamp (7)" in split.notes[0]
    rows["timestamp"] = range(10)
    assert splits.global_time(Dataset.from_frames(rows), test=0.2, valid=0).notes == ()


def test_rows_that_cannot_be_split(tmp_path):
    path = table(tmp_path / "a.csv", "user,item", users(), items())
    path.write_text(path.read_text() + "1,2,3\n")
    with pytest.raises(Undecided, match="--bad-rows drop"):
        load(path)
    assert len(load(path, bad_rows="drop").interactions) == len(PAIRS)


def test_gz_latin_1_and_a_broken_zip(tmp_path):
    import gzip

    path = table(tmp_path / "a.csv", "user,item", users(), [f"Café {i}" for i in items()])
    raw = path.read_text().encode("latin-1")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(raw))
    ds = load(tmp_path / "a.csv.gz")
    assert "Café 1" in ds.items.index and any("Latin-1" in note for note in ds.notes)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(raw)[:-9])
    with pytest.raises(InputError, match="broken or cut off"):
        load(tmp_path / "b.csv.gz")


def test_a_column_of_dates_without_a_usual_name_is_named(tmp_path):
    days = [f"0{1 + n % 9}.01.2025 04:{10 + n % 49}" for n in range(len(PAIRS))]
    released = [f"2001-02-0{i}" for i in items()]
    head = "user;item;Erschienen;Wann"
    path = table(tmp_path / "a.csv", head, users(), items(), released, days, sep=";")
    ds = load(path)
    said = [note for note in ds.notes if "looks like times" in note]
    assert said == ["'Wann' looks like times and is left aside; --columns timestamp=Wann reads it"]
    assert ds.order is None
    assert load(path, columns={"timestamp": "Wann"}, dates="dmy").order == "timestamp"
    told = load(path, columns={"item_id": "item"}).notes
    assert any("--columns item_id=item,timestamp=Wann reads it" in note for note in told)


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("mark", [",", "."])
def test_numbers_of_items_with_fractions_are_numbers(tmp_path, folder: bool, mark: str):
    path = table(tmp_path / "interactions.csv", "user_id,item_id", users(), items())
    cells = [
        (i, f"Ding {i}", f"{i}6{mark}98", f"1{mark}{i}" if i > 1 else "rot", f"0{i}", f"{i}{mark}0")
        for i in range(1, 9)
    ]
    header = "item_id;title;preis;codes;shelf;kind"
    titles = table(tmp_path / "items.csv", header, *zip(*cells), sep=";")
    ds = load(tmp_path) if folder else load(path, items=titles)
    assert ds.items["preis"].tolist() == [float(f"{i}6.98") for i in range(1, 9)]
    assert ds.items["codes"].tolist()[:2] == ["rot", f"1{mark}2"]
    assert ds.items["shelf"].tolist()[0] == "01", "whole numbers may be codes"
    if mark == ",":
        assert any("are decimal ('16,98')" in note for note in ds.notes)
    else:
        assert ds.items["kind"].tolist()[0] == "1.0" and not any("decimal" in n for n in ds.notes)


def test_the_new_names_of_the_items_columns_are_said(tmp_path):
    path = table(tmp_path / "a.csv", "user,item", users(), items())
    cells = [(i, f"Ding {i}", "rot", i) for i in range(1, 9)]
    titles = table(tmp_path / "i.csv", "ArtNr,Name,Farbe,zahl", *zip(*cells))
    said = [note for note in load(path, items=titles).notes if note.startswith("items: columns: ")]
    assert said == [
        "items: columns: item_id from 'ArtNr', title from 'Name', farbe from 'Farbe', zahl"
    ]


def test_items_may_hold_lists(tmp_path):
    rows = pd.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "y"]})
    rows.to_parquet(tmp_path / "interactions.parquet")
    items = pd.DataFrame({"item_id": ["x", "y"], "genres": [["drama", "war"], ["comedy"]]})
    items.to_parquet(tmp_path / "items.parquet")
    ds = load(tmp_path)
    assert [list(genres) for genres in ds.items["genres"]] == [["drama", "war"], ["comedy"]]


def test_columns_of_items_are_named_or_left_aside(tmp_path):
    """By either name, of a file and of a folder's table; no other column is touched."""
    rows = table(tmp_path / "a.csv", "user,item", users(), items())
    cells = [(i, f"Thing {i}", "red", f"Says {i}") for i in range(1, 9)]
    told = table(tmp_path / "i.csv", "item,title,cat,description", *zip(*cells))

    def kept(**item_columns):
        return list(load(rows, items=told, item_columns=item_columns).items.columns)

    assert kept() == ["title", "cat", "text"]
    assert kept(cat="none") == ["title", "text"]
    assert kept(description="none") == kept(text="none") == ["title", "cat"]
    assert kept(text="cat") == ["title", "text", "description"]
    assert kept(kind="cat", title="none") == ["kind", "text"]
    notes = load(rows, items=told, item_columns={"cat": "none"}).notes
    assert "items: columns left aside: cat" in notes
    for wrong, words in (
        ({"cart": "none"}, r"--item-columns: no column 'cart' \(found: item, title, cat"),
        ({"titel": "cat"}, "--item-columns: 'titel' is no column of ours; did you mean title"),
        ({"item_id": "none"}, "--item-columns: item_id cannot be left aside"),
    ):
        with pytest.raises(InputError, match=words):
            kept(**wrong)
    folder = tmp_path / "folder"
    folder.mkdir()
    table(folder / "interactions.csv", "user_id,item_id", users(), items())
    table(folder / "items.csv", "item_id,title,cat,description", *zip(*cells))
    assert list(load(folder).items.columns) == ["title", "cat", "description"]
    aside = load(folder, item_columns={"cat": "none", "text": "description"})
    assert list(aside.items.columns) == ["title", "text"]


def test_what_is_no_mapping_and_what_is_no_data_is_said(tmp_path):
    path = table(tmp_path / "a.csv", "user,item", users(), items())
    with pytest.raises(
        InputError, match=r'columns=.timestamp=when. is no mapping; write columns={"'
    ):
        load(path, columns="timestamp=when")
    make("popularity").fit(load(path)).save(tmp_path / "model")
    with pytest.raises(InputError, match=r"a saved model, not data; recnb\.load_model reads it"):
        load(tmp_path / "model")


def test_words_among_times_are_counted_and_dropped_when_asked(tmp_path):
    clock = [f"2024-05-{1 + n % 28:02d} 10:00:00" for n in range(len(PAIRS))]
    clock[3] = clock[7] = "gestern"
    path = table(tmp_path / "a.csv", "user,item,time", users(), items(), clock)
    with pytest.raises(Undecided, match=r"'gestern' is no time \(2 such rows\).*--bad-rows drop"):
        load(path)
    ds = load(path, bad_rows="drop")
    assert len(ds.interactions) == len(PAIRS) - 2
    assert "2 rows without a time are left out" in ds.notes


def test_a_user_with_one_row_has_no_test_row(tmp_path):
    clock = range(1_700_000_000, 1_700_000_012)
    path = table(tmp_path / "a.csv", "user,item,time", range(12), [i % 5 for i in range(12)], clock)
    with pytest.raises(InputError, match=r"is empty \(12 rows; every user has one row\)"):
        splits.leave_one_out(load(path))
