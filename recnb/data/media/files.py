"""One file of media: that it is there, what it starts with, and how damage is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from recnb.errors import InputError

AGAIN = "replace the file or take it away"


def start(file: Path) -> tuple[int, bytes]:
    """Number of bytes, and the first of them, of a file that is there and not empty."""
    if not file.is_file():
        raise InputError("no such file", file=str(file), mend="check the path")
    try:
        with file.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise unreadable("file", file, error) from None
    if not head:
        raise InputError("the file is empty", file=str(file), mend=AGAIN)
    return file.stat().st_size, head


def counted(left: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {what}" for what, n in sorted(left.items()) if n)


def no_match(place: Path, example: str, item_ids: Iterable[str], mend: str) -> InputError:
    item = next(iter(sorted(item_ids)), "")
    return InputError(
        f"nothing here belongs to an item: {example}, say, where an item is '{item}'",
        file=str(place),
        mend=mend,
    )


def unreadable(what: str, file: Path, error: Exception) -> InputError:
    said = getattr(error, "error_string", str(error))  # libsndfile's own words, without the path
    reason = (said.splitlines() or [type(error).__name__])[0][:120]
    return InputError(f"no readable {what} ({reason})", file=str(file), mend=AGAIN)


def claims(file: Path, claimed: int, held: int) -> InputError:
    return InputError(
        f"its header claims {claimed:,} bytes, and there are {held:,}", file=str(file), mend=AGAIN
    )
