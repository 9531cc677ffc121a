"""Malformed input of every kind through the real command line: one line, the place, the mend, exit code 2.

Tables, media, published layouts, archives and arguments. Readers, door and archives have more cases of their own
(`tests/unit/data`); here is what a reader of the terminal sees.
"""

from __future__ import annotations

import gzip
import io
import json
import stat
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recnb.cli.main import main

GOOD = "user_id,item_id,rating\na,x,5\nb,y,1\n"
TIMED = "user_id,item_id,timestamp\na,x,1700000000\nb,y,1700000001\n"
ITEMS = "item_id,title\nx,X\ny,Y\n"
DESCRIBE = "data describe own"
MANY = "user_id,item_id,rating\n" + "".join(f"u{n % 6},i{n % 7},{n % 5 + 1}\n" for n in range(42))
DECLARED = '{"feedback": "explicit", "scale": [1, 5]}'
EVALUATE = "evaluate own -q --models random,popularity --draws 1000"
FETCH = "data fetch coat --accept-licence -q --from archive"


def own(interactions=GOOD, **others):
    """The files of a folder of tables, named `own`."""
    files = {"own/interactions.csv": interactions}
    names = {"dataset": "own/dataset.json"}
    return files | {names.get(k, f"own/{k}.csv"): v for k, v in others.items()}


def parquet(**columns):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def with_media(files):
    """A good folder with more files in it."""
    return own() | {f"own/{name}": content for name, content in files.items()}


def png(width, height):
    """The header of a PNG with a right checksum, and no pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    whole = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + whole + struct.pack(">I", 10) + b"IDAT" + b"\0" * 14


def wav(rate, samples):
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16)
    body += b"data" + struct.pack("<I", 2 * samples)
    return b"RIFF" + struct.pack("<I", len(body) + 2 * samples) + body + b"\0\0" * samples


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def zipped(*members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def odd(mode):
    info = zipfile.ZipInfo("coat/train.ascii")
    info.create_system, info.external_attr = 3, mode << 16
    return zipped((info, "/etc/passwd"))


def encrypted():
    raw = bytearray(zipped(("a", b"secret")))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


def tarred(name, kind=tarfile.REGTYPE, link=""):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        archive.addfile(info)
    return out.getvalue()


UDATA = {"own/u.data": "7\t1\t5\t881250949\n", "own/u.item": "1|A (1995)|||" + "|0" * 19 + "\n"}
COAT = {"own/train.ascii": "5 0\n0 3\n", "own/test.ascii": "0 2\n4 0\n"}
BX = {"own/BX-Book-Ratings.csv": '"User-ID";"ISBN";"Book-Rating"\n"7";"1";"5"\n'}
BOOKS = '"ISBN";"Book-Title";"Book-Author";"Year-Of-Publication";"Publisher"\n'
NEWS = "N1\tnews\tworld\tT\tA\tu\t[]\t[]\n"
REVIEW = json.dumps({"user_id": "u", "parent_asin": "a", "rating": 5, "timestamp": 1588687728923})

# name: (files, command line, words that name the place, words of the mend)
TABLES = {
    "no such path": ({}, "data describe nowhere", "'nowhere'", "recnb data list"),
    "almost a name": ({}, "data describe ml-100", "'ml-100'", "did you mean 'ml-100k'"),
    "no tables in the folder": ({"own/x.txt": "x"}, DESCRIBE, "own", "recnb init"),
    "other kind of file": ({"own.xlsx": "x"}, "data describe own.xlsx", "own.xlsx", "commas"),
    "NUL in an id": (own("user_id,item_id\na,\0x\n"), DESCRIBE, "line 2", "fetch the file again"),
    "an endless id": (
        own(f"user_id,item_id\na,{'x' * 2000}\n"),
        DESCRIBE,
        "row 1",
        "again as text",
    ),
    "no user column": (own("item_id\nx\n"), DESCRIBE, "no column is known as user_id", "--columns"),
    "no user at all": (own("user_id,item_id\n  ,x\n"), DESCRIBE, "'user_id'", "another column"),
    "one id in two ways": (
        own("user_id,item_id\n1,x\n1.0,y\n"),
        DESCRIBE,
        "row 2: '1.0' and '1'",
        "one way",
    ),
    "text rating": (own(GOOD + "b,x,high\n"), DESCRIBE, "'rating', row 3", "write a number"),
    "NaN in text": (own(GOOD + "b,x,nan\n"), DESCRIBE, "'rating', row 3", "write a number"),
    "infinite": (own(GOOD + "b,x,inf\n"), DESCRIBE, "'rating', row 3", "write a number"),
    "no rows": (own("user_id,item_id\n"), DESCRIBE, "interactions.csv", "at least one row"),
    "empty file": (own(""), DESCRIBE, "interactions.csv", "header"),
    "long row": (own(GOOD + "b,x,4,9\n"), DESCRIBE, "row 3", "quote cells"),
    "short row": (own(GOOD + "b,x\n"), DESCRIBE, "row 3", "quote cells"),
    "short row after mixed line ends": (
        own(b"user_id,item_id,rating\r\na,x,5\nb,y,1\rc,y\n"),
        DESCRIBE,
        "row 3",
        "quote cells",
    ),
    "byte order mark, then a wrong cell": (
        own(b"\xef\xbb\xbf" + GOOD.encode() + b"b,x,?\n"),
        DESCRIBE,
        "'rating', row 3",
        "write a number",
    ),
    "open quote": (own('user_id,item_id\na,"x\nb,y\n'), DESCRIBE, "interactions.csv", "quote"),
    "open quote over a huge cell": (
        own('user_id,item_id\na,"' + "x" * 2_000_000 + "\nb,y\n"),
        DESCRIBE,
        "interactions.csv",
        "quote",
    ),
    "column twice": (own("user_id,item_id,item_id\na,x,y\n"), DESCRIBE, "'item_id'", "keep one"),
    "row twice": (own(GOOD + "a,x,5\n"), DESCRIBE, "row 3", "--duplicates"),
    "no time": (own(TIMED + "a,y,soon\n"), DESCRIBE, "'timestamp', row 3", "--bad-rows drop"),
    "two units of time": (own(TIMED + "a,y,1700000000000\n"), DESCRIBE, "'timestamp'", "seconds"),
    "half of the times": (own(TIMED + "a,y,\n"), DESCRIBE, "'timestamp', row 3", "--bad-rows drop"),
    "unknown item": (own(items="item_id\nx\n"), DESCRIBE, "'item_id', row 2", "items.csv"),
    "item twice": (
        own(items=ITEMS + "x,Z\n"),
        DESCRIBE,
        "items.csv, column 'item_id', row 3",
        "one",
    ),
    "unknown user": (own(users="user_id\na\n"), DESCRIBE, "'user_id', row 2", "users.csv"),
    "two formats": (
        own() | {"own/interactions.parquet": parquet(user_id=["a"], item_id=["x"])},
        DESCRIBE,
        "own",
        "keep one",
    ),
    "broken parquet": ({"own/interactions.parquet": b"PAR1 oh"}, DESCRIBE, ".parquet", "write it"),
    "NaN in parquet": (
        {"own/interactions.parquet": parquet(user_id=["a"], item_id=["x"], rating=[float("nan")])},
        DESCRIBE,
        "interactions.parquet",
        "null",
    ),
    "dataset.json is none": (own(dataset="{"), DESCRIBE, "dataset.json", "delete"),
    "dataset.json says more": (
        own(dataset='{"x": 1}'),
        DESCRIBE,
        "dataset.json",
        "delete the rest",
    ),
    "scale upside down": (own(dataset='{"scale": [5, 1]}'), DESCRIBE, "scale", "[1, 5]"),
}
MEDIA = {
    "a picture of no bytes": (
        with_media({"images/x.png": b""}),
        "x.png",
        "replace the file",
    ),
    "a page for a picture": (
        with_media({"images/x.png": b"<html>404</html>"}),
        "none of PNG",
        "replace the file",
    ),
    "a picture that is a bomb": (
        with_media({"images/x.png": png(60_000, 60_000)}),
        "x.png",
        "smaller",
    ),
    "a picture of many pixels": (
        with_media({"images/x.png": png(10_000, 10_000)}),
        "10,000 x 10,000",
        "smaller",
    ),
    "two pictures of one item": (
        with_media({"images/x.png": png(2, 2), "images/x.gif": b"GIF"}),
        "x.gif and x.png",
        "keep one",
    ),
    "pictures of nobody": (
        with_media({"images/shoe.png": png(2, 2)}),
        "shoe.png",
        "name the files",
    ),
    "no pictures": (with_media({"images/x.txt": "x"}), "images", "put some in"),
    "no sound": (with_media({"audio/x.flac": b"fLaC oh"}), "x.flac", "replace the file"),
    "a sound of no samples": (
        with_media({"audio/x.wav": wav(8000, 0)}),
        "0 samples",
        "replace the file",
    ),
    "a sound cut off": (
        with_media({"audio/x.wav": wav(8000, 90)[:-80]}),
        "claims",
        "replace the file",
    ),
    "an array of no bytes": (
        with_media({"features/v.npy": b"", "features/v.ids.txt": "x\n"}),
        "v.npy",
        "replace the file",
    ),
    "an array cut off": (
        with_media({"features/v.npy": npy(np.ones((2, 9)))[:-8], "features/v.ids.txt": "x\ny\n"}),
        "claims 144 bytes",
        "replace the file",
    ),
    "an array of objects": (
        with_media({"features/v.npy": npy(np.array([[None]])), "features/v.ids.txt": "x\n"}),
        "object",
        "float32",
    ),
    "an array of one dimension": (
        with_media({"features/v.npy": npy(np.ones(2)), "features/v.ids.txt": "x\ny\n"}),
        "(2,)",
        "two dimensions",
    ),
    "an array without ids": (
        with_media({"features/v.npy": npy(np.ones((2, 2)))}),
        "v.npy",
        "v.ids.txt",
    ),
    "an array with an id too many": (
        with_media({"features/v.npy": npy(np.ones((1, 2))), "features/v.ids.txt": "x\ny\n"}),
        "1 rows for 2 ids",
        "one id a row",
    ),
    "an id of an array twice": (
        with_media({"features/v.npy": npy(np.ones((2, 2))), "features/v.ids.txt": "x\nx\n"}),
        "v.ids.txt, row 2",
        "keep one vector",
    ),
    "an array with a hole": (
        with_media(
            {"features/v.npy": npy(np.array([[1], [np.nan]])), "features/v.ids.txt": "x\ny\n"}
        ),
        "v.npy, row 2",
        "write numbers",
    ),
    "a reserved name": (
        with_media({"features/text.npy": npy(np.ones((2, 2)))}),
        "'text'",
        "rename",
    ),
    "a safetensors of nothing": (
        with_media({"features/v.safetensors": b"\xff" * 20}),
        "v.safetensors",
        "replace the file",
    ),
}
LAYOUTS = {
    "u.data cut off": (
        UDATA | {"own/u.data": "7\t1\t5\t1\n7\t1"},
        DESCRIBE,
        "u.data, row 2",
        "again",
    ),
    "u.data with NUL": (UDATA | {"own/u.data": "7\t1\t\0\t1\n"}, DESCRIBE, "u.data", "again"),
    "u.data without movies": (UDATA | {"own/u.item": None}, DESCRIBE, "u.item", "published"),
    "ratings.dat with commas": (
        {"own/ratings.dat": "1,10,5,978300760\n", "own/movies.dat": "10::A (1977)::War\n"},
        DESCRIBE,
        "ratings.dat, row 1",
        "again",
    ),
    "ratings.csv without a time": (
        {"own/ratings.csv": "userId,movieId,rating\n1,1,4\n", "own/movies.csv": "movieId\n1\n"},
        DESCRIBE,
        "'timestamp' is missing",
        "published",
    ),
    "book of one huge cell": (
        BX | {"own/BX-Books.csv": BOOKS + '"1";"' + "x" * 200_000},
        DESCRIBE,
        "BX-Books.csv",
        "again",
    ),
    "matrices of two shapes": (
        COAT | {"own/test.ascii": "0 1 2\n"},
        DESCRIBE,
        "test.ascii",
        "again",
    ),
    "a letter in a matrix": (COAT | {"own/train.ascii": "5 0\n0 x\n"}, DESCRIBE, "row 2", "again"),
    "artists without a header": (
        {
            "own/user_artists.dat": "userID\tartistID\tweight\n2\t5\t1\n",
            "own/artists.dat": "5\tA\n",
        },
        DESCRIBE,
        "artists.dat",
        "published",
    ),
    "a month that is none": (
        {"own/behaviors.tsv": "1\tU\t31/11/2019 1:00:00 AM\t\tN1-1\n", "own/news.tsv": NEWS},
        DESCRIBE,
        "behaviors.tsv, column 'time', row 1",
        "again",
    ),
    "news that nobody describes": (
        {"own/behaviors.tsv": "1\tU\t11/11/2019 1:00:00 AM\t\tN2-1\n", "own/news.tsv": NEWS},
        DESCRIBE,
        "'N2'",
        "again",
    ),
    "packed reviews cut off": (
        {"own/A.jsonl.gz": gzip.compress((REVIEW + "\n").encode() * 500)[:-9]},
        DESCRIBE,
        "A.jsonl.gz",
        "again",
    ),
    "reviews of two categories": (
        {"own/A.jsonl": REVIEW, "own/B.jsonl": REVIEW},
        DESCRIBE,
        "A, B",
        "category",
    ),
    "a log without users": (
        {"own/men/men.csv": "item_id\n1\n", "own/men/item_context.csv": "item_id\n1\n"},
        DESCRIBE,
        "no set of interactions",
        "read_open_bandit",
    ),
}
ARCHIVES = {
    "leads out": (zipped(("../out", "x")), "'../out'"),
    "leads out by backslash": (zipped(("..\\out", "x")), "out of the folder"),
    "absolute": (zipped(("/out", "x")), "absolute"),
    "drive": (zipped(("C:\\out", "x")), "absolute"),
    "symlink": (odd(stat.S_IFLNK | 0o777), "link or a device"),
    "device": (odd(stat.S_IFBLK | 0o600), "link or a device"),
    "bomb": (zipped(("a", b"0" * (400 << 20 >> 3))), "unpacks to more"),
    "twice": (zipped(("a", "1"), ("A", "2")), "twice"),
    "too many": (zipped(*((str(n), "") for n in range(10_001))), "more than 10,000"),
    "encrypted": (encrypted(), "encrypted"),
    "zip cut off": (zipped(("a", "x" * 999))[:-40], "cut off"),
    "tar leads out": (tarred("../out"), "out of the folder"),
    "tar symlink": (tarred("a", tarfile.SYMTYPE, "/etc"), "link or a device"),
    "tar hardlink": (tarred("a", tarfile.LNKTYPE, "../x"), "link or a device"),
    "tar fifo": (tarred("a", tarfile.FIFOTYPE), "link or a device"),
    "tar cut off": (tarred("a" * 90)[:-20], "cut off"),
    "a web page": (b"<html>Please log in</html>", "no zip, tar or gz"),
    "nothing": (b"", "no zip, tar or gz"),
}
ARGUMENTS = {
    "no such command": ({}, "evaluat own", "evaluat", "--help"),
    "no such option": ({}, "check --colour", "--colour", "--help"),
    "no data": ({}, "evaluate", "'data'", "--help"),
    "k is no number": (own(MANY, dataset=DECLARED), f"{EVALUATE} -k ten", "--k ten", "numbers"),
    "k is zero": (own(MANY, dataset=DECLARED), f"{EVALUATE} -k 0", "k", "1"),
    "seed is no number": (
        own(MANY, dataset=DECLARED),
        f"{EVALUATE} --seeds a",
        "--seeds a",
        "numbers",
    ),
    "no such split": (
        own(MANY, dataset=DECLARED),
        f"{EVALUATE} --split weekly",
        "--split",
        "user_time",
    ),
    "no such model": (
        own(MANY, dataset=DECLARED),
        "evaluate own -q --models ease,magic",
        "magic",
        "there are random",
    ),
    "no such metric": (
        own(MANY, dataset=DECLARED),
        f"{EVALUATE} --metrics beauty",
        "beauty",
        "ndcg",
    ),
    "half a scale": (own(MANY, dataset=DECLARED), f"{EVALUATE} --scale 5", "--scale 5", "1,5"),
    "no such feedback": (
        own(MANY, dataset=DECLARED),
        f"{EVALUATE} --feedback loud",
        "loud",
        "explicit",
    ),
    "no such rule for duplicates": (
        own(MANY, dataset=DECLARED),
        f"{EVALUATE} --duplicates shake",
        "shake",
        "keep",
    ),
    "too few draws": (
        own(MANY, dataset=DECLARED),
        "evaluate own -q --draws 10",
        "draws=10",
        "at least 1,000",
    ),
    "trials below zero": (
        own(MANY, dataset=DECLARED),
        f"{EVALUATE} --trials -1",
        "--trials",
        "--help",
    ),
    "lists without a name": (
        own(MANY, dataset=DECLARED),
        f"{EVALUATE} --lists recs.csv",
        "--lists",
        "NAME=FILE",
    ),
    "lists that are not there": (
        own(MANY, dataset=DECLARED),
        f"{EVALUATE} --lists a=recs.csv",
        "recs.csv",
        "path",
    ),
    "share above one": (own(MANY, dataset=DECLARED), f"{EVALUATE} --test 1.5", "test", "0"),
    "folder in use": (own(MANY, dataset=DECLARED), "init own", "own", "new folder"),
    "fetch: no such name": ({}, "data fetch ml-100", "'ml-100'", "did you mean 'ml-100k'"),
    "fetch: made here": ({}, "data fetch generated-shop", "generated-shop", "recnb evaluate"),
    "fetch: licence": ({}, "data fetch coat", "licence of coat", "--accept-licence"),
    "fetch: no such file": ({}, FETCH, "archive", "https://"),
    "fetch: other scheme": (
        {},
        "data fetch coat --accept-licence --from ftp://x/y",
        "ftp://x/y",
        "https://",
    ),
    "fetch: into a file": (
        {"f": "x"},
        "data fetch coat --accept-licence --output f",
        "f:",
        "folder",
    ),
    "fetch: one address for two files": (
        {},
        "data fetch mind-small --accept-licence --from https://example.org/a.zip",
        "2 files",
        '"/"',
    ),
}
CASES = {
    **{f"table: {name}": case for name, case in TABLES.items()},
    **{
        f"media: {name}": (files, "evaluate own -q", place, mend)
        for name, (files, place, mend) in MEDIA.items()
    },
    **{f"layout: {name}": case for name, case in LAYOUTS.items()},
    **{f"argument: {name}": case for name, case in ARGUMENTS.items()},
}


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("RECNB_DATA", raising=False)
    monkeypatch.chdir(tmp_path)

    def runner(files, line):
        for name, content in files.items():
            if content is None:
                continue
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        before = tree(tmp_path)
        monkeypatch.setattr(sys, "argv", ["recnb", *line.split()])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == 2, said.err
        assert said.out == ""
        assert said.err.startswith("error: ") and said.err.count("\n") == 1, said.err
        return said.err, before, tree(tmp_path)

    return runner


@pytest.mark.parametrize("name", CASES)
def test_one_line_and_code_2(run, name):
    files, line, place, mend = CASES[name]
    said, before, after = run(files, line)
    assert place in said and mend in said, said
    assert after == before, "something was written"


@pytest.mark.parametrize("name", ARCHIVES)
def test_hostile_archives(run, name):
    raw, word = ARCHIVES[name]
    said, before, after = run({"archive": raw}, FETCH)
    assert "coat.zip" in said and word in said and "; " in said, said
    written = set(after) - set(before)
    kept = {"data", "data/raw", "data/raw/.licences.json"}
    assert {p for p in written if not p.startswith("data/raw/.fetching")} <= kept
    assert "data/raw/coat" not in after and after["archive"] == raw


def test_there_are_enough():
    assert len(CASES) + len(ARCHIVES) >= 40
