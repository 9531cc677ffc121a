"""From a file to text: unpacked, decoded, its encoding said."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from recnb.data.door.options import Undecided
from recnb.errors import InputError

PLAIN = (
    *(".csv", ".tsv", ".txt", ".dat", ".data", ".tab", ".log", ""),
    *(".inter", ".item", ".user", ".json", ".jsonl", ".ndjson"),
)
PACKED = (".gz", ".zip", ".bz2", ".xz")
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_FOREIGN = {
    b"PAR1": "parquet",
    b"SQLi": "an SQLite data base",
    b"\x89HDF": "HDF5",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
}
_MOST = 1 << 36  # bytes that one packed table may grow to


def unpacked(path: Path) -> tuple[bytes, str]:
    """The bytes of a file and its name without the packing's ending; a zip must hold one table.

    Raises
    ------
    InputError
        The file is missing, empty, broken, cut off, or no text; a zip holds several tables.
    """
    if not path.is_file():
        raise InputError("no such file", file=str(path), mend="check the path")
    raw, name = path.read_bytes(), path.name
    try:
        if raw.startswith(b"PK\x03\x04"):
            raw, name = _member(path, raw)
        elif raw.startswith(b"\x1f\x8b"):
            raw, name = gzip.decompress(raw), name.removesuffix(".gz")
        elif raw.startswith(b"BZh"):
            raw, name = bz2.decompress(raw), name.removesuffix(".bz2")
        elif raw.startswith(b"\xfd7zXZ"):
            raw, name = lzma.decompress(raw), name.removesuffix(".xz")
    except (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise InputError(
            f"the packed file is broken or cut off ({str(error)[:80]})",
            file=str(path),
            mend="fetch it again",
        ) from None
    if raw[257:262] == b"ustar":
        raise InputError(
            "an archive of files", file=str(path), mend=f"unpack it: tar -xf {path.name}"
        )
    kind = next((kind for start, kind in _FOREIGN.items() if raw.startswith(start)), None)
    if kind and kind != "parquet":
        raise InputError(f"the file is {kind}", file=str(path), mend="save the table as csv")
    if not raw.strip():
        raise InputError("the file is empty", file=str(path), mend="write a header and rows")
    return raw, name


def _member(path: Path, raw: bytes) -> tuple[bytes, str]:
    """The one table of a zip; a workbook of Excel, which is a zip too, as it is."""
    with zipfile.ZipFile(path) as archive:
        names = [member.filename for member in archive.infolist() if not member.is_dir()]
        if "xl/workbook.xml" in names:
            return raw, path.name
        tables = [name for name in names if _is_table(name)]
        if len(tables) != 1:
            shown = ", ".join(tables[:6]) or ", ".join(names[:6]) or "nothing"
            raise InputError(
                f"{len(tables) or 'no'} tables are in it ({shown})",
                file=str(path),
                mend=f"unpack it and name one: unzip {path.name}",
            )
        info = archive.getinfo(tables[0])
        if info.flag_bits & 1:
            raise InputError("it is encrypted", file=str(path), mend="unpack it yourself")
        if info.file_size > _MOST:
            raise InputError(f"it grows to {info.file_size:,} bytes", file=str(path), mend="cut it")
        raw, name = archive.read(info), PurePosixPath(tables[0]).name
    return (gzip.decompress(raw), name.removesuffix(".gz")) if name.endswith(".gz") else (raw, name)


def _is_table(name: str) -> bool:
    place = PurePosixPath(name)
    words = ("readme", "license", "licence", "changelog")
    return (
        not name.startswith("__MACOSX")
        and not place.name.startswith(".")
        and not place.name.lower().startswith(words)
        and (place.suffix.lower() in (*PLAIN, ".parquet", ".gz"))
    )


def decoded(raw: bytes, file: str, encoding: str | None) -> tuple[str, list[str]]:
    """Text and what is to be said about its encoding.

    Raises
    ------
    InputError
        NUL bytes, or not the encoding that was named.
    """
    marked = next((code for mark, code in _MARKS if raw.startswith(mark)), None)
    if encoding is None and marked is None and b"\0" in raw[:4096]:
        even, odd = raw[:4096:2].count(b"\0"), raw[1:4096:2].count(b"\0")
        if odd > 10 * (even + 1) and odd > 0.25 * len(raw[:4096:2]):
            marked = "utf-16-le"
        elif even > 10 * (odd + 1) and even > 0.25 * len(raw[:4096:2]):
            marked = "utf-16-be"
    if encoding is None and marked is None:
        try:
            text, notes = raw.decode("utf-8"), []
        except UnicodeDecodeError as error:
            text, notes = _western(raw), [_said(raw, error.start, file)]
    else:
        try:
            text = raw.decode(encoding or marked or "utf-8")
        except LookupError:
            raise InputError(f"no encoding '{encoding}'", mend="name one, such as utf-8") from None
        except UnicodeError as error:
            at = getattr(error, "start", 0)
            raise Undecided(
                f"byte {at} is not {(encoding or marked or '').upper()}",
                file=file,
                flags=["--encoding latin-1"],
            ) from None
        notes = [f"{Path(file).name} is UTF-16"] if (marked or "").startswith("utf-16") else []
    nul = text.find("\0")
    if nul >= 0:
        line = text.count("\n", 0, nul) + 1
        raise InputError(
            f"a NUL byte in line {line}", file=file, mend="copy or fetch the file again"
        )
    return text.removeprefix("\ufeff"), notes


def _western(raw: bytes) -> str:
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _said(raw: bytes, at: int, file: str) -> str:
    line = raw.count(b"\n", 0, at) + 1
    return (
        f"{Path(file).name} is not UTF-8 (line {line}): read as Latin-1 (Windows-1252); "
        "--encoding names another"
    )
