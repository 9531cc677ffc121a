"""Archives, unpacked as if they were hostile: plain files only, inside one new folder, of bounded size and number.

Refused are paths that are absolute or hold `..`, links, devices, encrypted members, names that stand twice (for any
file system: capitals and accents do not tell names apart), and archives that grow beyond measure.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from recnb.errors import InputError

_BLOCK = 1 << 16
_LONGEST_NAME = 1 << 16  # bytes of a tar header that holds names
_SKIPPED = re.compile(r"(^|/)(__MACOSX|\.DS_Store)(/|$)")
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    gzip.BadGzipFile,
    NotImplementedError,  # a compression that zipfile does not know
    UnicodeDecodeError,
)


@dataclass(frozen=True)
class Limits:
    """What an archive may grow to.

    Attributes
    ----------
    size : int
        Bytes of all files together.
    ratio : float
        Bytes of all files for each byte of the archive. Text packs to a tenth, a bomb to a thousandth.
    free : int
        Bytes up to which the ratio does not matter.
    files : int
        Files and folders.
    """

    size: int = 1 << 36
    ratio: float = 200.0
    free: int = 1 << 20
    files: int = 10_000


def unpack(archive: Path, folder: Path, limits: Limits | None = None) -> list[str]:
    """Unpack a zip, tar (plain, gz, bz2, xz) or gz file into a folder that must not exist yet.

    Parameters
    ----------
    archive : Path
        Told by its content, not by its name; a gz file becomes one file of its name without `.gz`.
    folder : Path
        Made here. A single folder at the top of the archive is left out: `ml-100k/u.data` becomes `u.data`.
    limits : Limits, optional

    Returns
    -------
    list of str
        The paths of the files, inside the folder.

    Raises
    ------
    InputError
        The archive is hostile, broken, cut off, encrypted, or none. What was unpacked until then stays in `folder`,
        for the caller to throw away.
    """
    guard = _Guard(archive, limits or Limits())
    folder.mkdir(parents=True)
    try:
        with archive.open("rb") as file:
            start = file.read(6)
        if start.startswith(b"PK"):
            return _zip(archive, folder, guard)
        with _plain(archive, start) as stream:
            return _tar(archive, folder, guard, stream)
    except _BROKEN as error:
        raise guard.refuse(
            f"broken or cut off ({' '.join(str(error).split())[:80] or type(error).__name__})",
            "fetch it again",
        ) from None


class _Guard:
    """Counts files and bytes, and refuses names."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self.archive, self.limits = archive, limits
        self.allowed = min(
            limits.size, max(limits.free, int(limits.ratio * archive.stat().st_size))
        )
        self.bytes = 0
        self.seen: dict[str, str] = {}  # folded path: file or folder

    def refuse(self, problem: str, mend: str = "do not use this archive") -> InputError:
        return InputError(problem, file=str(self.archive), mend=mend)

    def grow(self, n: int) -> None:
        self.bytes += n
        if self.bytes > self.allowed:
            raise self.refuse(f"it unpacks to more than {self.allowed:,} bytes")

    def place(self, name: str, is_folder: bool) -> str:
        """The member's path inside the folder, or a refusal."""
        shown = ascii(name)[:80]
        path = name.replace("\\", "/")
        if "\0" in path or any(unicodedata.category(c) == "Cc" for c in path):
            raise self.refuse(f"member {shown} has control characters in its name")
        if path.startswith("/") or ":" in path:
            raise self.refuse(f"member {shown} has an absolute path")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise self.refuse(f"member {shown} leads out of the folder")
        if not parts and not is_folder:
            raise self.refuse(f"member {shown} has no name")
        if any(len(part.encode()) > 255 for part in parts) or len(parts) > 32:
            raise self.refuse(f"member {shown} has too long a path")
        for depth in range(1, len(parts) + 1):
            self._once(parts[:depth], is_folder or depth < len(parts), shown)
        if len(self.seen) > self.limits.files:
            raise self.refuse(f"it holds more than {self.limits.files:,} files")
        return "/".join(parts)

    def _once(self, parts: list[str], is_folder: bool, shown: str) -> None:
        kind = "folder" if is_folder else "file"
        folded = unicodedata.normalize("NFC", "/".join(parts)).casefold()
        before = self.seen.setdefault(folded, "new")
        if before not in ("new", kind):
            raise self.refuse(f"member {shown} is a file and a folder")
        if before == "file":
            raise self.refuse(f"member {shown} stands twice")
        self.seen[folded] = kind


def _zip(archive: Path, folder: Path, guard: _Guard) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        if len(members) > guard.limits.files:
            raise guard.refuse(f"it holds more than {guard.limits.files:,} files")
        wanted = []
        for member in members:
            mode = member.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise guard.refuse(f"member {ascii(member.filename)[:80]} is a link or a device")
            # zipfile cuts a name at NUL; the name as written is judged.
            place = guard.place(member.orig_filename, member.is_dir())
            if member.flag_bits & 1:
                raise guard.refuse(f"member {ascii(member.filename)[:80]} is encrypted")
            if not member.is_dir() and not _SKIPPED.search(place):
                wanted.append((place, member))
        if sum(member.file_size for _, member in wanted) > guard.allowed:
            raise guard.refuse(f"it unpacks to more than {guard.allowed:,} bytes")
        top = _top([place for place, _ in wanted])
        for place, member in wanted:
            with opened.open(member) as source:
                _write(source, folder / place.removeprefix(top), guard)
        return [place.removeprefix(top) for place, _ in wanted]


def _plain(archive: Path, start: bytes) -> IO[bytes]:
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(archive, "rb")  # type: ignore[return-value]
    if start.startswith(b"BZh"):
        return bz2.open(archive, "rb")
    if start.startswith(b"\xfd7zXZ"):
        return lzma.open(archive, "rb")
    return archive.open("rb")


def _tar(archive: Path, folder: Path, guard: _Guard, stream: IO[bytes]) -> list[str]:
    counted = _Counted(stream, guard)
    head = counted.peek(512)
    packed = not isinstance(stream, io.BufferedReader)
    if head[257:262] != b"ustar":
        if not isinstance(stream, gzip.GzipFile):
            raise guard.refuse("no zip, tar or gz archive", "name the file as it was published")
        place = guard.place(archive.name.removesuffix(".gz"), False)
        _write(counted, folder / place, guard, count=False)
        return [place]
    places: list[str] = []

    def keep(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        """Plain files under names that are in order; owner and mode as the standard library's filter allows them."""
        if not (member.isreg() or member.isdir()) or member.issparse():
            raise guard.refuse(f"member {ascii(member.name)[:80]} is a link or a device")
        place = guard.place(member.name, member.isdir())
        if member.isdir() or _SKIPPED.search(place):
            return None
        places.append(place)
        return tarfile.data_filter(member, path).replace(name=place, deep=False)

    with tarfile.open(fileobj=counted, mode="r|", tarinfo=_Member) as opened:  # type: ignore[call-overload]
        opened.extractall(folder, filter=keep)
    # tarfile takes a missing end for an end; what is packed has its own.
    if packed:
        while counted.read(_BLOCK):
            pass
    if not places:
        raise guard.refuse("it holds no file", "name the file as it was published")
    return _lifted(folder, places)


class _Member(tarfile.TarInfo):
    """A header whose names are of bounded length: tarfile reads them into memory whole."""

    def _proc_member(self, tarfile_):
        named = (
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE,
        )
        if self.type in named and self.size > _LONGEST_NAME:
            raise tarfile.ReadError("a header of names is too long")
        return super()._proc_member(tarfile_)  # type: ignore[misc]


class _Counted(io.RawIOBase):
    """A stream whose bytes are counted as they are unpacked, headers and skipped members too."""

    def __init__(self, stream: IO[bytes], guard: _Guard) -> None:
        self.stream, self.guard, self.ahead = stream, guard, b""

    def peek(self, n: int) -> bytes:
        while len(self.ahead) < n and (more := self._more(n - len(self.ahead))):
            self.ahead += more
        return self.ahead

    def _more(self, n: int) -> bytes:
        block = self.stream.read(min(n, _BLOCK))
        self.guard.grow(len(block))
        return block

    def read(self, n: int = -1) -> bytes:  # type: ignore[override]
        n = _BLOCK if n < 0 else n
        if self.ahead:
            out, self.ahead = self.ahead[:n], self.ahead[n:]
            return out
        return self._more(n)


def _write(source: IO[bytes] | _Counted, path: Path, guard: _Guard, count: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        while block := source.read(_BLOCK):
            if count:
                guard.grow(len(block))
            file.write(block)


def _top(places: list[str]) -> str:
    """The one folder that all paths begin with, and its slash; "" where there is none.

    Examples
    --------
    >>> _top(["a/x", "a/b/y"]), _top(["a/x", "z"]), _top(["x"])
    ('a/', '', '')
    """
    tops = {place.partition("/")[0] for place in places}
    return f"{tops.pop()}/" if len(tops) == 1 and all("/" in place for place in places) else ""


def _lifted(folder: Path, places: list[str]) -> list[str]:
    """Take the one folder at the top away: a tar stream shows only at its end that there is one."""
    top = _top(places)
    if not top:
        return places
    inside = folder / top.rstrip("/")
    aside = folder.with_name(folder.name + ".top")
    inside.rename(aside)
    folder.rmdir()
    aside.rename(folder)
    return [place.removeprefix(top) for place in places]
