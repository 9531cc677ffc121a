# ruff: noqa: E501, E741
"""Files in the layouts of well-known publications, made here without a published row, each read as it should be.

The truth is one table of users, items, ratings and times; a layout writes it in its own way.
"""

from __future__ import annotations

import gzip
import io
import json
import shlex
import zipfile

import numpy as np
import pandas as pd
import pytest

from recnb import load
from recnb.cli.main import main
from recnb.data.door import Undecided

USERS, ITEMS = 40, 30
START = 1_300_000_000


def truth(seed=0):
    """400 pairs of users and items, each once, rated 1 to 5 at distinct times, in the order of time."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(USERS * ITEMS, 400, replace=False)
    rows = pd.DataFrame({"u": cells // ITEMS + 1, "i": cells % ITEMS + 1})
    rows["r"] = rng.integers(1, 6, 400)
    rows["t"] = START + np.sort(rng.choice(10**8, 400, replace=False))
    return rows


T = truth()
WHEN = pd.to_datetime(T["t"], unit="s")
ASIN = [f"B00{i:07d}" for i in range(ITEMS + 1)]
REVIEWER = [f"A{u:012d}X" for u in range(USERS + 1)]
SHA = [f"{u:040x}" for u in range(USERS + 1)]
HEX = [f"4b{i:022x}" for i in range(ITEMS + 1)]
NAME = [f"The Old Tale of Hero {chr(65 + i % 26)}{i}" for i in range(ITEMS + 1)]


def lines(*columns, sep=",", head=None, end="\n", start=""):
    rows = [sep.join(map(str, row)) for row in zip(*columns)]
    return start + end.join(([head] if head else []) + rows) + end


def named(ids, column):
    return [ids[n] for n in column]


def quoted(column):
    return [f'"{cell}"' for cell in column]


def records(**columns):
    return "".join(json.dumps(dict(zip(columns, row))) + "\n" for row in zip(*columns.values()))


def zipped(name, text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, text)
        archive.writestr("README.txt", "about")
    return out.getvalue()


U, I, R, CLOCK = T["u"], T["i"], T["r"], T["t"]
ISO = WHEN.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
US = WHEN.dt.strftime("%m/%d/%Y %H:%M")
ONES = np.ones(400, int)
# Netflix: blocks of an item each
BLOCKS = "".join(
    f"{i}:\n" + "".join(f"{r.u},{r.r},{WHEN[r.Index]:%Y-%m-%d}\n" for r in part.itertuples())
    for i, part in T.groupby("i")
)
WIDE = np.full((USERS, ITEMS), 99.0)
WIDE[U - 1, I - 1] = R * 2 - 5.5
JESTER = lines((WIDE != 99).sum(1), *WIDE.T)
STEAM = lines(named(SHA, U), quoted(named(NAME, I)), np.where(np.arange(400) % 2, "play", "purchase"),
              np.where(np.arange(400) % 2, CLOCK % 97 / 10 + 0.5, 1.0), 0 * ONES)  # fmt: skip

# name: file, content, ids of users and items (None: the plain numbers), rating (of R, or None), times?, flags
LAYOUTS = {
    "ml-100k": ("u.data", lines(U, I, R, CLOCK, sep="\t"), None, None, "r", True),
    "ml-1m": ("ratings.dat", lines(U, I, R, CLOCK, sep="::"), None, None, "r", True),
    "ml-10m": ("ratings.dat", lines(U, I, R - 0.5, CLOCK, sep="::"), None, None, "half", True),
    "ml-latest": ("ratings.csv", lines(U, I, R * 1.0, CLOCK, head="userId,movieId,rating,timestamp"), None, None, "r", True),
    "ml in a zip": ("ml.zip", zipped("ml/ratings.csv", lines(U, I, R, CLOCK, head="userId,movieId,rating,timestamp")), None, None, "r", True),
    "amazon 2014": ("ratings_Toys.csv", lines(named(REVIEWER, U), named(ASIN, I), R * 1.0, CLOCK), REVIEWER, ASIN, "r", True),
    "amazon 2018": ("Toys.csv", lines(named(ASIN, I), named(REVIEWER, U), R * 1.0, CLOCK), REVIEWER, ASIN, "r", True),
    "amazon json": ("reviews.json.gz", gzip.compress(records(reviewerID=named(REVIEWER, U), asin=named(ASIN, I), helpful=[[0, 0]] * 400, reviewText=["long " * 600] * 400, overall=R.astype(float), unixReviewTime=CLOCK, reviewTime=WHEN.dt.strftime("%m %d, %Y")).encode()), REVIEWER, ASIN, "r", True),
    "goodbooks": ("ratings.csv", lines(U, I, R, head="user_id,book_id,rating"), None, None, "r", False),
    "book-crossing": ("BX-Book-Ratings.csv", lines(quoted(U), quoted(I), quoted(np.where(np.arange(400) % 3, 0, R)), sep=";", head='"User-ID";"ISBN";"Book-Rating"').encode("latin-1"), None, None, "third", False),
    "anime": ("rating.csv", lines(U, I, np.where(np.arange(400) % 3, -1, R), head="user_id,anime_id,rating"), None, None, "third", False),
    "lastfm 360k": ("plays.tsv", lines(named(SHA, U), named(HEX, I), named(NAME, I), CLOCK % 997 + 1, sep="\t"), SHA, HEX, "plays", False),
    "hetrec": ("user_artists.dat", lines(U, I, CLOCK % 997 + 1, sep="\t", head="userID\tartistID\tweight", end="\r\n"), None, None, "plays", False),
    "yelp": ("review.json", records(review_id=named(SHA, range(400) % np.array(40)), user_id=named(SHA, U), business_id=named(HEX, I), stars=R.astype(float), useful=[0] * 400, date=WHEN.dt.strftime("%Y-%m-%d %H:%M:%S"), text=["good"] * 400), SHA, HEX, "r", True),
    "steam 200k": ("steam-200k.csv", STEAM, SHA, NAME, "any", False),
    "retailrocket": ("events.csv", lines(CLOCK * 1000, U, np.where(np.arange(400) % 9, "view", "addtocart"), I, [""] * 400, head="timestamp,visitorid,event,itemid,transactionid"), None, None, None, True),
    "online retail": ("retail.csv", lines([f"53{n // 4}" for n in range(400)], I, named(NAME, I), np.where(np.arange(400) % 50, 6, -1), US, R, [f"{u}.0" if n % 10 else "" for n, u in enumerate(U)], ["United Kingdom"] * 400, head="InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country", start="\ufeff"), "part", None, None, "minutes"),
    "jester": ("jester.csv", JESTER, None, None, "jester", False),
    "netflix": ("combined_data_1.txt", BLOCKS, None, None, "r", "days"),
    "gowalla": ("checkins.txt", lines(U, ISO, I * 1.25, I * -2.75, I, sep="\t"), None, None, None, True),
    "foursquare": ("TSMC.txt", lines(U, named(HEX, I), named(HEX, I % 7), ["Café" if i % 2 else "Bar" for i in I], I * 1.5, I * -1.5, [-240] * 400, WHEN.dt.strftime("%a %b %d %H:%M:%S +0000 %Y"), sep="\t").encode("latin-1"), None, HEX, None, True),
    "epinions": ("ratings_data.txt", lines(U, I, R, sep=" "), None, None, "r", False),
    "filmtrust": ("ratings.txt", lines(U, I, R.clip(upper=4) * 1.0, sep=" ", end=" \n"), None, None, "clipped", False),
    "yoochoose": ("clicks.dat", lines(U, ISO, I + 214_500_000, 0 * ONES), None, "yoochoose", None, True),
    "diginetica": ("views.csv", lines(U, ["NA"] * 400, I, CLOCK % 5000, WHEN.dt.strftime("%Y-%m-%d"), sep=";", head="sessionId;userId;itemId;timeframe;eventdate"), None, None, None, "days"),
    "kuairec": ("small_matrix.csv", lines(U, I, 7 * R, 9 * ONES, ISO, WHEN.dt.strftime("%Y%m%d"), CLOCK, R / 4, head="user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio"), None, None, "ratio", True),
    "ta feng": ("ta_feng.csv", lines(quoted(WHEN.dt.strftime("%m/%d/%Y")), quoted(U), quoted(["25-29"] * 400), quoted(["115"] * 400), quoted(I % 7), quoted(I), quoted(2 * ONES), quoted(R), quoted(R), head='"TRANSACTION_DT","CUSTOMER_ID","AGE_GROUP","PIN_CODE","PRODUCT_SUBCLASS","PRODUCT_ID","AMOUNT","ASSET","SALES_PRICE"'), None, None, None, "days"),
    "recbole": ("ml.inter", lines(U, I, R, CLOCK * 1.0, sep="\t", head="user_id:token\titem_id:token\trating:float\ttimestamp:float"), None, None, "r", True),
    "instacart": ("order_products.csv", lines(U, I, ONES, R % 2, head="order_id,product_id,add_to_cart_order,reordered"), None, None, None, False),
    "pandas index": ("log.csv", lines(range(400), U, I, R, head=",User,Item,Score"), None, None, "r", False),
    "excel in german": ("bewertungen.csv", lines(U, I, [f"{r - 0.5:.1f}".replace(".", ",") for r in R], WHEN.dt.strftime("%d.%m.%Y %H:%M:%S"), [""] * 400, [""] * 400, sep=";", head="User;Item;Rating;Time;;", start="sep=;\n", end="\r\n").encode("utf-16"), None, None, "half", True),
    "taste profile": ("train_triplets.txt", lines(named(SHA, U), [f"SOAA{i:014d}" for i in I], CLOCK % 97 + 1, sep="\t"), SHA, "songs", "plays97", False),
    "ciao": ("movie-ratings.txt", lines(U, I, I % 17 + 1, range(1, 401), R, WHEN.dt.strftime("%Y-%m-%d")), None, None, "r", "days"),
}  # fmt: skip
# What the first try must not decide, and the flags that settle it.
SETTLED = {
    "diginetica": ({"columns": {"user_id": "sessionId"}}, "--columns user_id=sessionId$"),
    "steam 200k": ({"events": "all"}, "--events play, or .* --events purchase, or .* --events all"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout(tmp_path, name):
    file, content, users, items, rating, clock = LAYOUTS[name]
    path = tmp_path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    settings, asked = SETTLED.get(name, ({}, ""))
    if asked:
        with pytest.raises(Undecided, match=f"recnb evaluate .* {asked}"):
            load(path)
    ds = load(path, **settings)
    want = T.copy()
    if users == "part":  # rows without a customer, or brought back, are left out
        want = want[(np.arange(400) % 10 != 0) & (np.arange(400) % 50 != 0)]
    songs = {
        "yoochoose": [str(i + 214_500_000) for i in range(ITEMS + 1)],
        "songs": [f"SOAA{i:014d}" for i in range(ITEMS + 1)],
    }
    items = songs.get(items, items) if isinstance(items, str) else items
    want["user"] = named(users, want["u"]) if isinstance(users, list) else want["u"].astype(str)
    want["item"] = named(items, want["i"]) if items is not None else want["i"].astype(str)
    rows = ds.interactions
    got = pd.DataFrame({"user": ds.user_ids[rows["user"]], "item": ds.item_ids[rows["item"]]})
    for column in ("rating", "timestamp"):
        got[column] = rows.get(column, np.nan)
    both = want.merge(got, on=["user", "item"], how="outer", indicator=True)
    assert len(both) == len(want) == len(got) and (both["_merge"] == "both").all()
    meant = {
        "r": both["r"], "half": both["r"] - 0.5, "clipped": both["r"].clip(upper=4),
        "third": both["r"].where(both["t"].rank() % 3 == 1), "plays": both["t"] % 997 + 1,
        "plays97": both["t"] % 97 + 1, "jester": both["r"] * 2 - 5.5, "ratio": both["r"] / 4,
    }  # fmt: skip
    if rating is None:
        assert "rating" not in rows
    elif rating != "any":
        np.testing.assert_array_equal(both["rating"].to_numpy(float), meant[rating].to_numpy(float))
    assert ds.feedback == (
        "count" if rating in ("plays", "plays97", "ratio", "any") else "explicit" if rating else "implicit"
    )  # fmt: skip
    if not clock:
        assert "timestamp" not in rows
    else:
        grain = {"days": 86400, "minutes": 60}.get(clock, 1)
        assert (both["timestamp"] == both["t"] // grain * grain).all()
    assert ds.notes


ITEM_FILES = {
    "u.item": lines(range(1, ITEMS + 1), [f"{n} (1995)" for n in NAME[1:]], ["01-Jan-1995"] * ITEMS, [""] * ITEMS, ["http://us.example.com/M/title-exact?Tale"] * ITEMS, [0] * ITEMS, [1] * ITEMS, sep="|"),
    "movies.dat": lines(range(1, ITEMS + 1), [f"{n}, The (1995)" for n in NAME[1:]], ["Comedy|Drama"] * ITEMS, sep="::"),
    "movies.csv": lines(range(1, ITEMS + 1), quoted(f"{n}, The" for n in NAME[1:]), ["Comedy|Drama"] * ITEMS, head="movieId,title,genres"),
    "books.csv": lines(range(1, ITEMS + 1), range(9000, 9000 + ITEMS), ["044X"] * ITEMS, NAME[1:], head="book_id,goodreads_book_id,isbn,title"),
    "artists.dat": lines(range(1, ITEMS + 1), NAME[1:], ["http://x"] * ITEMS, sep="\t", head="id\tname\turl"),
    "ml.item": lines(range(1, ITEMS + 1), NAME[1:], sep="\t", head="item_id:token\tmovie_title:token_seq"),
    "tracks.txt": lines([f"TRMMM{n:05}128F42" for n in range(ITEMS)], range(1, ITEMS + 1), ["Björk"] * ITEMS, NAME[1:], sep="<SEP>"),
    "movie_titles.csv": lines(range(1, ITEMS + 1), range(1960, 1960 + ITEMS), [f"{n}, Sick, Old" if k % 5 == 3 else n for k, n in enumerate(NAME[1:])]),
    "meta.json": "".join(str({"asin": str(i), "title": NAME[i], "price": 3.5}) + "\n" for i in range(1, ITEMS + 1)),
}  # fmt: skip


@pytest.mark.parametrize("file", ITEM_FILES)
def test_items_beside_a_file(tmp_path, file):
    (tmp_path / "ratings.csv").write_text(
        lines(U, I, R, CLOCK, head="userId,movieId,rating,timestamp")
    )
    (tmp_path / file).write_text(ITEM_FILES[file])
    ds = load(tmp_path / "ratings.csv", items=tmp_path / file)
    assert ds.n_items == ITEMS
    titles = ds.items["title"]
    assert all(titles[str(i)].startswith(NAME[i]) for i in range(1, ITEMS + 1))


def command(monkeypatch, capsys, line):
    """The exit code of a command line and what it printed."""
    monkeypatch.setattr("sys.argv", shlex.split(line))
    with pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr()
    return end.value.code, printed.out + printed.err


MIND = "".join(
    f"{n}\tU{u}\t{WHEN[n]:%m/%d/%Y} {WHEN[n]:%I:%M:%S %p}\tN{i % 30 + 1}\tN{i}-1 N{(i + 7) % 30 + 1}-0\n"
    for n, (u, i) in enumerate(zip(U, I))
)  # fmt: skip
GOODREADS = records(
    user_id=named(SHA, U), book_id=list(map(str, I)), is_read=[bool(r > 1) for r in R],
    rating=[0 if n % 2 else int(r) for n, r in enumerate(R)],
    date_added=WHEN.dt.strftime("%a %b %d %H:%M:%S -0700 %Y"),
    date_updated=(WHEN + pd.Timedelta(days=9)).dt.strftime("%a %b %d %H:%M:%S -0700 %Y"),
)  # fmt: skip
UNTIMED = lines(
    U, I, R, ["" if n == 7 else t for n, t in enumerate(CLOCK)], head="user,movie,stars,time"
)
# How many commands it takes: a report at once, or after the first command that the error prints.
COMMANDS = {
    **{name: (*LAYOUTS[name][:2], 1) for name in ("ml-1m", "amazon 2018", "jester", "netflix", "excel in german")},
    **{name: (*LAYOUTS[name][:2], 2) for name in SETTLED},
    "mind": ("behaviors.tsv", MIND, 1),
    "goodreads": ("goodreads.json.gz", gzip.compress(GOODREADS.encode()), 2),
    "a row without a time": ("my log.csv", UNTIMED, 2),
    "names that say nothing": ("x.csv", lines(U, I, R, head="a,b,c"), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_layout_reaches_a_report(tmp_path, monkeypatch, capsys, name):
    file, content, tries = COMMANDS[name]
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.chdir(tmp_path)
    line = f"recnb evaluate '{file}' -q --models=popularity,itemknn --draws 1000 --output out"
    code, text = command(monkeypatch, capsys, line)
    if tries == 2:
        assert code == 2 and not (tmp_path / "out").exists() and text.count("\n") == 1
        second = text.split("say which: ")[1].split(", or: ")[0]
        assert second.startswith(line.replace("'", "")) or second.startswith(line)
        code, text = command(monkeypatch, capsys, second)
    assert code == 0, text
    judged = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {record["model"] for record in judged} >= {"popularity", "itemknn"}
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
