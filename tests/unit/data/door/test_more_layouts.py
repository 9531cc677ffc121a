"""More public layouts, each with the quirk on which a reading once failed."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from recnb import InputError, load
from recnb.data.door import Undecided

PAIRS = [(u, i) for u in range(1, 13) for i in range(1, 11) if (u * i) % 3]
STARS = [1 + (u * 7 + i * 3) % 5 for u, i in PAIRS]


def written(path, lines, encoding="utf-8"):
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return str(path)


def items_of(ds):
    return set(map(str, ds.item_ids))


def test_clicks_of_mind(tmp_path):
    shown = [f"N{i}-{int(i == 1 + n % 5)}" for n in range(60) for i in range(1, 6)]
    lines = [
        f"{n + 1}\tU{n % 12}\t11/{11 + n % 5}/2019 9:{n % 60:02d}:58 AM\tN7 N8\t{' '.join(shown[n * 5 : n * 5 + 5])}"
        for n in range(60)
    ]
    news = [
        f'N{i}\tsports\tgolf\tThe "Open" of {i}\tAbstract {i}\thttps://a/{i}\t[]\t[]'
        for i in range(1, 6)
    ]
    ds = load(
        written(tmp_path / "behaviors.tsv", lines), items=written(tmp_path / "news.tsv", news)
    )
    assert len(ds.interactions) == 60
    assert items_of(ds) == {f"N{i}" for i in range(1, 6)}
    assert 'The "Open" of 1' in set(ds.items["title"])


def test_several_ratings_of_one_thing_are_asked(tmp_path):
    lines = ["user,item,overall_rating,taste_rating"]
    lines += [f"{u},{i},{s},{6 - s}" for (u, i), s in zip(PAIRS, STARS)]
    file = written(tmp_path / "beers.csv", lines)
    with pytest.raises(Undecided, match="rating=overall_rating"):
        load(file)
    ds = load(file, columns={"user_id": "user", "item_id": "item", "rating": "overall_rating"})
    assert ds.interactions["rating"].sum() == sum(STARS)


def test_the_mean_rating_of_an_item_is_no_rating(tmp_path):
    lines = ["user,item,imdb_rating"] + [f"{u},{i},{i / 2}" for u, i in PAIRS]
    assert load(written(tmp_path / "seen.csv", lines)).feedback == "implicit"


def test_baskets_are_in_the_order_of_their_numbers(tmp_path):
    lines = ["order_id,product_id,add_to_cart_order,user_id,order_number"]
    lines += [
        f"{u * 10 + n},{100 + (u + n + at) % 9},{at},{u},{n}"
        for u in range(1, 11)
        for n in (2, 1)
        for at in (1, 2, 3)
    ]
    ds = load(written(tmp_path / "orders.csv", lines))
    ordered = ds.interactions[ds.interactions["user"] == 0].sort_values("position")
    ids = [str(ds.item_ids[i]) for i in ordered["item"]]
    assert ids == ["103", "104", "105", "104", "105", "106"]


def test_backslashes_before_quotes(tmp_path):
    ratings = ["user_id,item_id,rating"] + [f"{u},x{i},{s}" for (u, i), s in zip(PAIRS, STARS)]
    books = ['"ISBN";"Book-Title";"Book-Author"']
    books += [f'"x{i}";"Die \\"Gr\xfcne\\" Stra\xdfe; Teil {i}";"M\xfcller"' for i in range(1, 11)]
    ds = load(
        written(tmp_path / "r.csv", ratings),
        items=written(tmp_path / "books.csv", books, "latin-1"),
    )
    assert set(ds.items["title"]) == {f'Die "Grüne" Straße; Teil {i}' for i in range(1, 11)}
    assert set(ds.items["author"]) == {"Müller"}


def test_nested_categories_become_words(tmp_path):
    ratings = ["user_id,item_id,rating"] + [f"{u},x{i},{s}" for (u, i), s in zip(PAIRS, STARS)]
    meta = [
        json.dumps({"asin": f"x{i}", "categories": [["Beauty", "Skin"], ["Beauty"]]})
        for i in range(1, 11)
    ]
    ds = load(written(tmp_path / "r.csv", ratings), items=written(tmp_path / "meta.json", meta))
    assert set(ds.items["category"]) == {"Beauty, Skin"}


@pytest.mark.parametrize("head", ["Kunde\tArtikel\tBewertung\tDatum", "用户ID\t商品ID\t评分\t时间"])
def test_other_languages_and_dotted_dates(tmp_path, head):
    lines = [head]
    lines += [f"K{u}\tA{i:02d}\t{s},5\t{13 + u}.{i:02d}.2021" for (u, i), s in zip(PAIRS, STARS)]
    ds = load(written(tmp_path / "export.txt", lines, "utf-16"))
    when = pd.to_datetime(ds.interactions["timestamp"], unit="s")
    assert ds.interactions["rating"].sum() == sum(STARS) + len(STARS) / 2
    assert set(when.dt.day) == {13 + u for u, _ in PAIRS}


def test_rows_without_a_time_are_asked(tmp_path):
    lines = ["user_id,video_id,watch_ratio,timestamp"]
    lines += [
        f"{u},{i},{s / 3:.4f},{'' if n < 4 else 1593898838.4 + n * 60}"
        for n, ((u, i), s) in enumerate(zip(PAIRS, STARS))
    ]
    file = written(tmp_path / "watched.csv", lines)
    with pytest.raises(Undecided, match="--bad-rows drop"):
        load(file)
    assert len(load(file, bad_rows="drop").interactions) == len(PAIRS) - 4
    whole = load(file, columns={"timestamp": "none"})
    assert len(whole.interactions) == len(PAIRS) and "timestamp" not in whole.interactions


def test_a_count_of_one_event_only_is_asked(tmp_path):
    rng = np.random.default_rng(0)
    lines, hours = [], rng.integers(1, 3000, len(PAIRS)) / 10
    for (u, i), h in zip(PAIRS, hours):
        lines += [f"{1000 + u},Game {i},purchase,1.0,0", f"{1000 + u},Game {i},play,{h},0"]
    file = written(tmp_path / "steam.csv", lines)
    with pytest.raises(
        Undecided, match=r"--events play, or .* --events purchase, or .* --events all"
    ):
        load(file)
    played = load(file, events="play")
    assert sorted(played.interactions["rating"]) == sorted(hours) and played.feedback == "count"
    assert any(f"{len(PAIRS)} rows of other events than play" in note for note in played.notes)
    assert len(load(file, events="all").interactions) == 2 * len(PAIRS)
    with pytest.raises(InputError, match=r"no row is a 'view' .found: play, purchase"):
        load(file, events="view")


def test_events_are_chosen_where_there_are_some(tmp_path):
    kinds = ["view", "view", "add to cart"]
    lines = ["visitorid,itemid,event"]
    lines += [f"{u},{i},{kinds[n % 3]}" for n, (u, i) in enumerate(PAIRS)]
    file = written(tmp_path / "events.csv", lines)
    assert len(load(file).interactions) == len(PAIRS)
    assert set(load(file, events="add to cart").interactions["event"]) == {"add to cart"}
    with pytest.raises(InputError, match="no column holds events"):
        load(file, columns={"event": "none"}, events="view")


def workbook(path, sheets):
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        for name, frame in sheets.items():
            frame.to_excel(book, sheet_name=name, index=False)
    return path


def test_a_workbook_of_excel(tmp_path, monkeypatch):
    frame = pd.DataFrame(PAIRS, columns=["Customer ID", "StockCode"])
    frame["Rating"] = STARS
    frame["Date"] = pd.Timestamp("2020-05-17 08:30") + pd.to_timedelta(np.arange(len(frame)), "D")
    path = workbook(tmp_path / "sales.xlsx", {"2020": frame, "notes": pd.DataFrame()})
    ds = load(path)
    assert len(ds.interactions) == len(PAIRS) and ds.interactions["rating"].sum() == sum(STARS)
    assert set(ds.user_ids) == {str(u) for u, _ in PAIRS}
    assert ds.interactions["timestamp"].min() == pd.Timestamp("2020-05-17 08:30").timestamp()
    assert any("sheet '2020' is read" in note for note in ds.notes)
    with pytest.raises(InputError, match=r"2 sheets hold a table .a, b.; save the one as csv"):
        load(workbook(tmp_path / "two.xlsx", {"a": frame, "b": frame}))
    (tmp_path / "cut.xlsx").write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match="broken or cut off"):
        load(tmp_path / "cut.xlsx")
    monkeypatch.setattr("recnb.data.door.records.has", lambda module: False)
    with pytest.raises(InputError, match="save the sheet as csv, or pip install openpyxl"):
        load(path)


def test_items_told_property_by_property(tmp_path):
    rows = written(tmp_path / "events.csv", ["visitorid,itemid", *(f"{u},{i}" for u, i in PAIRS)])
    told = ["timestamp,itemid,property,value"]
    for i in range(1, 11):
        told += [f"200,{i},categoryid,new{i}", f"100,{i},categoryid,old{i}", f"100,{i},790,n{i}.0"]
    told += ["100,1,rare,x"]
    ds = load(rows, items=written(tmp_path / "item_properties.csv", told))
    assert ds.n_items == 10 and set(ds.items.columns) == {"property_790", "property_categoryid"}
    assert all(ds.items.loc[str(i), "property_categoryid"] == f"new{i}" for i in range(1, 11))
    assert any("2 that most items have" in note and "1 rarer" in note for note in ds.notes)
