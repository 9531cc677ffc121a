"""`recnb data fetch`: a published data set onto this machine."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from recnb.data.catalog import Entry

Option = typer.Option


def fetch(
    name: Annotated[str, typer.Argument(help="A name of recnb data list.")],
    source: Annotated[
        str | None,
        Option(
            "--from",
            help="Another address, or a file or folder on this machine. Ends in / where it holds several files.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, Option(help="Folder that gets NAME/. Default: data/raw.", show_default=False)
    ] = None,
    accept_licence: Annotated[
        bool, Option("--accept-licence", help="Accept the licence without being asked.")
    ] = False,
    fresh: Annotated[bool, Option("--fresh", help="Fetch it again though it is here.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Fetch a published data set: its licence is shown and accepted once, its checksum is checked.

    A fetch that was stopped goes on where it was when the same line is run again. What is already in $RECNB_DATA or
    data/raw is used, without a network.

    Examples:

        recnb data fetch ml-100k

        recnb data fetch book-crossing --from ~/Downloads/BX-CSV-Dump.zip
    """
    from recnb.cli.terminal import console
    from recnb.data.fetch import FetchError, books, sets

    entry = sets.fetchable(name)
    here = None if fresh else sets.present(name, output)
    if here is not None:
        print(f"{name} is already here, nothing was fetched: {here}")
        return
    folder = output or sets.default_output()
    if not (accept_licence or books.accepted(folder, entry)):
        accept_licence = _asked(entry)
    try:
        with _Bytes(quiet) as progress:
            got = sets.fetch(
                name,
                output,
                source=source,
                accept_licence=accept_licence,
                fresh=fresh,
                progress=progress,
            )
    except FetchError as error:
        print(f"failed: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    for note in got.notes:
        console.print(f"note: {note}", soft_wrap=True)
    shown = name if output is None else got.folder
    print(f"{name} is in {got.folder}; look at it: recnb data describe {shown}")


def _asked(entry: Entry) -> bool:
    """Show the licence and ask; without a terminal nobody can answer."""
    from recnb.errors import InputError

    lines = [f"{entry.title}", f"licence: {entry.licence}"]
    if entry.citation:
        lines.append(f"cite: {entry.citation}")
    if not sys.stdin.isatty():
        raise InputError(
            f"the licence of {entry.name} is not accepted yet: {entry.licence}",
            mend="read it and pass --accept-licence",
        )
    print("\n".join(lines), file=sys.stderr)
    if not typer.confirm("Do you accept it?", err=True):
        raise InputError(
            f"the licence of {entry.name} was not accepted", mend="nothing was fetched"
        )
    return True


class _Bytes:
    """Bytes so far: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self.quiet, self.said = quiet, 0.0
        self.task: dict[str, TaskID] = {}
        self.bar: Progress | None = None

    def __enter__(self) -> _Bytes:
        if not self.quiet and sys.stderr.isatty():
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
                TransferSpeedColumn,
            )

            from recnb.cli.terminal import console

            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(24),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self.bar.start()
        return self

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if self.bar is not None:
            if what not in self.task:
                self.task[what] = self.bar.add_task(what)
            self.bar.update(self.task[what], completed=done, total=total)
        elif not self.quiet and time.monotonic() - self.said > 5:
            self.said = time.monotonic()
            share = f" of {total / 1e6:,.1f}" if total else ""
            print(f"{what}: {done / 1e6:,.1f}{share} MB", file=sys.stderr, flush=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()
