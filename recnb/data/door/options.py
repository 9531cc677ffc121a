"""What a reader may say about a file, and the error that names what has to be said."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from recnb.errors import InputError

DATES, BAD_ROWS = ("dmy", "mdy"), ("error", "drop", "join")


@dataclass(frozen=True)
class Reading:
    """How files are read where they do not say it themselves.

    Attributes
    ----------
    columns : mapping of str to str
        Our name of a column to its name in the file, or to its place (from 1): `{"user_id": "User"}`,
        `{"user_id": "1"}` where there is no header; "none" leaves a column aside.
    item_columns : mapping of str to str
        The same for the file of items.
    encoding : str or None
        Such as "gb18030"; by default UTF-8, UTF-16 with its mark, else Windows-1252 (Latin-1), which is said.
    unrated : str or None
        The rating that means "none given", such as "0"; "none" where every number is a rating.
    dates : {"dmy", "mdy"} or None
        Whether 03/04/2020 is in April or in March.
    bad_rows : {"error", "drop", "join"}
        What to do with rows of too many or too few cells, and with rows without a time where others
        have one. "join" is for items: what is too much belongs to the last column where that alone holds words; else
        the row is dropped.
    events : str or None
        Names of the events that are kept, with commas; "all" where the mix of them is meant.
    matrix : str or None
        The file is a matrix, a user a row and an item a column; this cell means "no rating".
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    item_columns: Mapping[str, str] = field(default_factory=dict)
    encoding: str | None = None
    unrated: str | None = None
    dates: str | None = None
    bad_rows: str = "error"
    events: str | None = None
    matrix: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in (("dates", DATES), ("bad_rows", BAD_ROWS)):
            value = getattr(self, name)
            if value is not None and value not in allowed:
                raise InputError(f"{name}={value!r}", mend=f"write one of {', '.join(allowed)}")
        for name in ("unrated", "matrix"):
            value = getattr(self, name)
            try:
                float(0 if value in (None, "", "none") else value)
            except ValueError:
                raise InputError(f"{name}={value!r}", mend="write a number") from None

    @classmethod
    def taken_from(cls, settings: dict) -> Reading:
        """The reading's own among these settings, which lose them."""
        names = [f.name for f in fields(cls)]
        given = {name: settings.pop(name) for name in names if name in settings}
        for name in ("columns", "item_columns"):
            if not isinstance(given.get(name) or {}, Mapping):
                raise InputError(
                    f"{name}={given[name]!r} is no mapping",
                    mend=f'write {name}={{"timestamp": "when"}}: our name to that of the file',
                )
            given[name] = {str(k): str(v) for k, v in (given.get(name) or {}).items()}
        for name in ("unrated", "events", "matrix"):
            if given.get(name) is not None:
                given[name] = str(given[name])
        return cls(**given)


class Undecided(InputError):
    """A file can be read in several ways that lead to other numbers: the flags that settle it are named.

    Attributes
    ----------
    flags : tuple of str
        What may be added to the command, the most likely first.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str,
        flags: Sequence[str],
        column: str | None = None,
        row: int | None = None,
    ) -> None:
        self.flags = tuple(flags)
        line = f"recnb evaluate {shlex.quote(str(file))}"
        mend = "say which: " + ", or ".join(f"{line} {flag}" for flag in flags)
        super().__init__(problem, file=file, column=column, row=row, mend=mend)


def columns_flag(mapping: Mapping[str, object], flag: str = "--columns") -> str:
    """The flag that states this mapping, quoted for a shell.

    Examples
    --------
    >>> columns_flag({"user_id": "User", "item_id": "Anime ID"})
    "--columns 'user_id=User,item_id=Anime ID'"
    """
    return f"{flag} " + shlex.quote(
        ",".join(f"{ours}={theirs}" for ours, theirs in mapping.items())
    )


def events_flag(names: Iterable[object]) -> str:
    """The flag that keeps these events, quoted for a shell.

    Examples
    --------
    >>> events_flag(["play", "add to cart"])
    "--events 'play,add to cart'"
    """
    return "--events " + shlex.quote(",".join(map(str, names)))
