"""Files and folders written whole or not at all: a kill or an error leaves what was there before."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recnb.errors import InputError


@contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A place to write a file; what was written there takes the file's name at the end.

    Parameters
    ----------
    path : path
        Its folder is made where it is not there.

    Yields
    ------
    Path
        In the same folder, hidden, with the same suffix.

    Raises
    ------
    InputError
        The folder cannot be made or written.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> target = Path(folder.name) / "a" / "b.txt"
    >>> with whole(target) as part:
    ...     _ = part.write_text("all")
    >>> target.read_text(), [p.name for p in target.parent.iterdir()]
    ('all', ['b.txt'])
    """
    path = Path(path)
    with _refusals(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(None, "a folder has this name")
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix
        )
        os.close(handle)
    part = Path(name)
    try:
        yield part
        with open(part, "rb") as written:
            os.fsync(written.fileno())
        part.chmod(0o666 & ~_umask())
        with _refusals(path):
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def leftovers(path: str | os.PathLike[str]) -> list[Path]:
    """Parts of a file that killed writers left beside it."""
    path = Path(path)
    return sorted(path.parent.glob(f".{path.stem}.*{path.suffix}"))


@contextmanager
def whole_folder(path: str | os.PathLike[str], ours: str | None = None) -> Iterator[Path]:
    """A folder to fill; at the end it takes the place of `path`.

    Parameters
    ----------
    path : path
    ours : str, optional
        A file that shows that a folder of this name may be replaced. A folder that is neither empty nor has it
        is refused.

    Raises
    ------
    InputError
        The folder cannot be made, or holds something else.
    """
    path = Path(path)
    with _refusals(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and (not path.is_dir() or _foreign(path, ours)):
            what = "the folder is not empty" if ours is None else "holds something else"
            raise InputError(what, file=str(path), mend="name a new folder")
        part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        part.chmod(0o777 & ~_umask())
    aside = part.with_name(part.name + ".old")
    try:
        yield part
        with _refusals(path):
            if path.exists():
                path.rename(aside)
            try:
                part.rename(path)
            except OSError:
                if aside.exists():
                    aside.rename(path)
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text with Unix line ends, whole or not at all."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(
    path: str | os.PathLike[str],
    value: Any,
    default: Callable[[Any], Any] | None = None,
    **settings: Any,
) -> None:
    """Write json and a line end, whole or not at all; `settings` are those of :func:`json.dumps`."""
    text = json.dumps(value, **{"indent": 1, "ensure_ascii": False, "default": default, **settings})
    write_text(path, text + "\n")


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror or error})",
            file=str(path),
            mend="name a place that can",
        ) from error


def _foreign(folder: Path, ours: str | None) -> bool:
    held = next(folder.iterdir(), None) is not None
    return held and (ours is None or not (folder / ours).is_file())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
