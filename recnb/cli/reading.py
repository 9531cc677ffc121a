"""The flags that say how files are read, shared by the commands that read data; the command that settles a doubt."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recnb.errors import InputError

if TYPE_CHECKING:
    from recnb.data import Dataset

DATA_HELP = (
    "A name (recnb data list), a folder, or one file of interactions: csv, tsv, other separators, JSON lines, "
    "parquet, an Excel sheet; plain, gz or zip."
)
_PANEL = "How files are read"


def _option(help: str, *names: str):
    return typer.Option(*names, help=help, show_default=False, rich_help_panel=_PANEL)


Data = Annotated[str, typer.Argument(help=DATA_HELP)]
Items = Annotated[
    Path | None, _option("A file of items beside one file of interactions.", "--items")
]
Columns = Annotated[
    str | None,
    _option(
        "user_id=User,item_id=Anime: which column is which, by name or place from 1; none leaves it aside."
    ),
]
ItemColumns = Annotated[
    str | None,
    _option(
        "The same for the items: title=name,text=description names them, cat=none leaves one aside.",
        "--item-columns",
    ),
]
Encoding = Annotated[str | None, _option("Such as latin-1 or gb18030.")]
Unrated = Annotated[
    str | None, _option("The rating that means none given, such as 0; none if every number is one.")
]
Dates = Annotated[str | None, _option("dmy or mdy: whether 03/04/2020 is in April or in March.")]
BadRows = Annotated[
    str,
    _option("drop leaves out rows of too many or too few cells, or without a time.", "--bad-rows"),
]
Events = Annotated[
    str | None,
    _option("Events to keep, with commas, such as play,buy; all where the mix of them is meant."),
]
Matrix = Annotated[
    str | None, _option("The file is a matrix of users and items; this cell means no rating.")
]
Feedback = Annotated[str | None, _option("explicit, implicit or count; guessed if not given.")]
Duplicates = Annotated[str | None, _option("keep or drop rows that are alike in every column.")]


def read(data: str, **given) -> Dataset:
    """Load data with the flags that were given; a doubt ends with this very command and the flag that settles it."""
    from recnb import load
    from recnb.data.door import Undecided

    settings = {key: value for key, value in given.items() if value is not None}
    for key in ("columns", "item_columns"):
        if key in settings:
            settings[key] = _pairs(settings[key], f"--{key.replace('_', '-')}")
    if settings.get("bad_rows") == "error":
        del settings["bad_rows"]
    if "items" in settings and not Path(data).is_file():
        raise InputError(
            "--items stands beside one file of interactions",
            mend="put it into the folder as items.csv",
        )
    try:
        return load(data, **settings)
    except Undecided as error:
        commands = ", or: ".join(_command(flag) for flag in error.flags)
        raise InputError(
            error.problem,
            file=error.file,
            column=error.column,
            row=error.row,
            mend=f"say which: {commands}",
        ) from None


def _pairs(text: str, flag: str) -> dict[str, str]:
    out = {}
    for part in text.split(","):
        ours, equals, theirs = part.partition("=")
        if not equals or not ours.strip() or not theirs.strip():
            raise InputError(f"{flag} {text}", mend="write it as user_id=User,item_id=Anime")
        out[ours.strip()] = theirs.strip()
    return out


def command_line() -> str:
    """The command that is running, quoted so that a shell runs it again as it was."""
    return shlex.join(["recnb", *sys.argv[1:]])


def _command(flag: str) -> str:
    """The command that is running, with a flag more; of the same flag the newer wins."""
    comment, _, flag = flag.rpartition(") ") if flag.startswith("(") else ("", "", flag)
    name, *rest = shlex.split(flag)
    # "--columns=a=b" is "--columns a=b"
    words = [
        part
        for word in sys.argv[1:]
        for part in (word.split("=", 1) if word.startswith(f"{name}=") else [word])
    ]
    while name in words:
        at = words.index(name)
        before = words[at + 1]
        if name.endswith("columns") and rest:
            kept = _pairs(before, name) | _pairs(rest[0], name)
            rest = [",".join(f"{ours}={theirs}" for ours, theirs in kept.items())]
        del words[at : at + 2]
    line = shlex.join(["recnb", *words, name, *rest])
    return f"{line} {comment})" if comment else line
