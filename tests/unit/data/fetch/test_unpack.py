"""Hostile archives: each is refused in words, and nothing is written outside the folder."""

from __future__ import annotations

import bz2
import gzip
import io
import random
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from recnb import InputError
from recnb.data.fetch.unpack import Limits, unpack

NOISE = random.Random(3).randbytes(4000)


def zipped(*members, **settings):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **settings) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def zip_entry(name, mode, content=b"x"):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info, content


def encrypted():
    """The flag of encryption set in both headers, as a packer with a password sets it."""
    raw = bytearray(zipped(("a.csv", b"secret")))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


def lying():
    """A member that says it has 10 bytes and unpacks to 4 MB."""
    raw = bytearray(zipped(("a.csv", b"0" * (4 << 20))))
    for at in (22, raw.index(b"PK\x01\x02") + 24):
        raw[at : at + 4] = struct.pack("<I", 10)
    return bytes(raw)


def tarred(*members, mode="w:gz"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.PAX_FORMAT) as archive:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def long_header():
    """A tar whose header of names says that it is 1 GB long."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + b"a" * 4096)


REG, SYM, LNK = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
HOSTILE = {
    "zip up": (zipped(("../out.csv", "x")), "leads out"),
    "zip deep up": (zipped(("a/../../out.csv", "x")), "leads out"),
    "zip backslash up": (zipped(("..\\out.csv", "x")), "leads out"),
    "zip absolute": (zipped(("/tmp/out.csv", "x")), "absolute"),
    "zip drive": (zipped(("C:/out.csv", "x")), "absolute"),
    "zip share": (zipped(("\\\\host\\out.csv", "x")), "absolute"),
    "zip symlink": (zipped(zip_entry("a", stat.S_IFLNK | 0o777, b"/etc/passwd")), "link"),
    "zip device": (zipped(zip_entry("a", stat.S_IFCHR | 0o600)), "device"),
    "zip fifo": (zipped(zip_entry("a", stat.S_IFIFO | 0o600)), "device"),
    "zip twice": (zipped(("a.csv", "1"), ("b.csv", "2"), ("A.csv", "3")), "twice"),
    "zip twice by accent": (zipped(("caf\u00e9", "1"), ("cafe\u0301", "2")), "twice"),
    "zip file and folder": (zipped(("a", "1"), ("a/b", "2")), "a file and a folder"),
    "zip line break": (zipped(("a\nb", "x")), "control"),
    "zip NUL": (zipped(("a.csvXb", "x")).replace(b"a.csvXb", b"a.csv\0b"), "control"),
    "zip no name": (zipped((".", "x")), "no name"),
    "zip long name": (zipped(("a" * 300, "x")), "too long"),
    "zip deep": (zipped(("a/" * 50 + "b", "x")), "too long"),
    "zip bomb by ratio": (zipped(("a.csv", b"0" * (30 << 20))), "unpacks to more"),
    "zip bomb in parts": (
        zipped(*((f"{n}", b"0" * (1 << 20)) for n in range(9))),
        "unpacks to more",
    ),
    "zip that lies": (lying(), "broken"),
    "zip of many": (zipped(*((f"{n}", "") for n in range(200))), "more than 100 files"),
    "zip encrypted": (encrypted(), "encrypted"),
    "zip cut off": (zipped(("a.csv", NOISE))[:-30], "broken or cut off"),
    "zip cut in half": (zipped(("a.csv", NOISE))[:2000], "broken or cut off"),
    "zip broken inside": (zipped(("a.csv", NOISE)).replace(NOISE[50:60], NOISE[60:70]), "broken"),
    "zip empty start": (b"PK\x03\x04", "broken or cut off"),
    "tar up": (tarred(("../out.csv", REG, b"x")), "leads out"),
    "tar absolute": (tarred(("/tmp/out.csv", REG, b"x")), "absolute"),
    "tar symlink": (tarred(("a", SYM, "/etc/passwd"), ("a/b", REG, b"x")), "link"),
    "tar hardlink": (tarred(("a", LNK, "../../secret")), "link"),
    "tar device": (tarred(("a", tarfile.CHRTYPE, b"")), "device"),
    "tar block device": (tarred(("a", tarfile.BLKTYPE, b"")), "device"),
    "tar fifo": (tarred(("a", tarfile.FIFOTYPE, b"")), "device"),
    "tar twice": (tarred(("a", REG, b"1"), ("./a", REG, b"2")), "twice"),
    "tar bomb": (tarred(("a", REG, b"0" * (30 << 20))), "unpacks to more"),
    "tar of many": (tarred(*((f"{n}", REG, b"") for n in range(200))), "more than 100 files"),
    "tar cut off": (tarred(("a", REG, NOISE))[:-200], "broken or cut off"),
    "tar with long header": (long_header(), "broken or cut off"),
    "tar of nothing": (tarred(("a", tarfile.DIRTYPE, b"")), "no file"),
    "gz bomb": (gzip.compress(b"0" * (30 << 20)), "unpacks to more"),
    "gz cut off": (gzip.compress(NOISE)[:-9], "broken or cut off"),
    "gz broken": (gzip.compress(b"a,b\n" * 9)[:-6] + b"\0" * 6, "broken or cut off"),
    "page of a web site": (b"<!doctype html><html>Not found</html>", "no zip, tar or gz"),
    "nothing": (b"", "no zip, tar or gz"),
}
LIMITS = Limits(files=100, ratio=50.0, free=1 << 20)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(tmp_path, name):
    content, word = HOSTILE[name]
    archive = tmp_path / "in" / "made.gz"
    archive.parent.mkdir()
    archive.write_bytes(content)
    with pytest.raises(InputError) as caught:
        unpack(archive, tmp_path / "in" / "out", LIMITS)
    error = caught.value
    assert error.file == str(archive) and word in error.problem and error.mend
    assert "\n" not in str(error)
    assert {p.name for p in tmp_path.iterdir()} == {"in", "home"}
    assert not any(Path(place, "out.csv").exists() for place in ("/tmp", "/", archive.parent))
    assert {p.name for p in archive.parent.iterdir()} <= {"made.gz", "out", "out.top"}
    unpacked = sum(
        p.stat().st_size for p in archive.parent.rglob("*") if p != archive and p.is_file()
    )
    assert unpacked <= 2 << 20 and not any(p.is_symlink() for p in tmp_path.rglob("*"))


GOOD = (("top/u.data", b"1\t2\n"), ("top/more/x.csv", b"a\n"), ("__MACOSX/top/._u.data", b"?"))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_what_is_right_is_unpacked_without_its_top_folder(tmp_path, kind):
    if kind == "zip":
        raw = zipped(("top/", b""), *GOOD)
    else:
        members = [("top", tarfile.DIRTYPE, b""), *((n, REG, c) for n, c in GOOD)]
        raw = tarred(*members, mode="w:" + kind.partition(".")[2])
    archive = tmp_path / "a"
    archive.write_bytes(raw)
    assert sorted(unpack(archive, tmp_path / "out")) == ["more/x.csv", "u.data"]
    found = {
        str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()
    }
    assert found == {"more/x.csv", "u.data"}
    assert (tmp_path / "out/u.data").read_bytes() == b"1\t2\n"
    assert not (tmp_path / "out/u.data").stat().st_mode & 0o111


def test_one_packed_file(tmp_path):
    archive = tmp_path / "reviews.jsonl.gz"
    archive.write_bytes(gzip.compress(b"{}\n"))
    assert unpack(archive, tmp_path / "out") == ["reviews.jsonl"]


def test_several_files_at_the_top_stay_there(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zipped(("x.csv", "1"), ("top/y.csv", "2")))
    assert sorted(unpack(archive, tmp_path / "out")) == ["top/y.csv", "x.csv"]


def test_a_tar_packed_with_bzip2_may_not_grow_either(tmp_path):
    archive = tmp_path / "a.tar.bz2"
    archive.write_bytes(bz2.compress(gzip.decompress(HOSTILE["tar bomb"][0])))
    with pytest.raises(InputError, match="unpacks to more"):
        unpack(archive, tmp_path / "out", LIMITS)


def test_text_that_packs_well_is_no_bomb(tmp_path):
    rows = "\n".join(f"{n % 943}\t{n % 1682}\t{n % 5 + 1}\t88{n}" for n in range(200_000)).encode()
    archive = tmp_path / "a.zip"
    archive.write_bytes(zipped(("u.data", rows)))
    assert unpack(archive, tmp_path / "out") == ["u.data"]
