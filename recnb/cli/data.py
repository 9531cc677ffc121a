"""`recnb data`: the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from recnb.cli import fetch
from recnb.cli.reading import (
    BadRows,
    Columns,
    Data,
    Dates,
    Duplicates,
    Encoding,
    Events,
    Feedback,
    ItemColumns,
    Items,
    Matrix,
    Unrated,
    read,
)

if TYPE_CHECKING:
    from recnb.data.fetch import Remote

app = typer.Typer(
    no_args_is_help=True,
    help="The catalogue of data sets: what there is, what is in it, and how to get it.",
)
app.command("fetch")(fetch.fetch)


@app.command("list")
def list_sets() -> None:
    """Names, titles, licences, and which of them are on this machine."""
    from rich.console import Console
    from rich.table import Table

    from recnb.data.catalog import ENTRIES, available, folders
    from recnb.data.fetch import REMOTES

    table = Table(title="Data sets by name", title_justify="left")
    for heading in ("name", "here", "what", "licence"):
        table.add_column(heading, no_wrap=heading == "name")
    for entry in ENTRIES.values():
        here = "yes" if available(entry) else "fetch" if entry.name in REMOTES else "no"
        table.add_row(entry.name, here, entry.title, entry.licence)
    out = Console(highlight=False)
    out.print(table)
    sizes = Table(title="What recnb data fetch NAME gets", title_justify="left")
    for heading in ("name", "size", "checksum"):
        sizes.add_column(heading, no_wrap=True)
    for name, remotes in REMOTES.items():
        sizes.add_row(name, *_size(remotes))
    out.print(sizes)
    out.print(f"Folders are looked for in: {', '.join(str(f) for f in folders())}", soft_wrap=True)


@app.command()
def describe(
    data: Data,
    feedback: Feedback = None,
    duplicates: Duplicates = None,
    items: Items = None,
    columns: Columns = None,
    item_columns: ItemColumns = None,
    encoding: Encoding = None,
    unrated: Unrated = None,
    dates: Dates = None,
    bad_rows: BadRows = "error",
    events: Events = None,
    matrix: Matrix = None,
) -> None:
    """Counts, density, inequality, tied timestamps, text coverage."""
    from rich.console import Console
    from rich.table import Table

    from recnb.data.catalog import ENTRIES

    declared = {
        "feedback": feedback,
        "duplicates": duplicates,
        "items": items,
        "columns": columns,
        "item_columns": item_columns,
        "encoding": encoding,
        "unrated": unrated,
        "dates": dates,
        "bad_rows": bad_rows,
        "events": events,
        "matrix": matrix,
    }
    ds = read(data, **declared)
    table = Table(title=ds.name, title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in ds.describe().items():
        table.add_row(str(name).replace("_", " "), _text(value))
    table.add_row("digest", ds.digest)
    out = Console(highlight=False)
    out.print(table)
    for note in ds.notes:
        out.print(f"note: {note}", soft_wrap=True, markup=False)
    entry = ENTRIES.get(data)
    if entry:
        out.print(f"licence: {entry.licence}", soft_wrap=True)
        if entry.citation:
            out.print(f"cite: {entry.citation}", soft_wrap=True)


def _size(remotes: tuple[Remote, ...]) -> tuple[str, str]:
    sizes = [remote.size for remote in remotes]
    known = sum(size for size in sizes if size)
    sums = {line.partition(":")[0] for remote in remotes for line in remote.checksums}
    return f"{known / 1e6:,.1f} MB" if all(sizes) else "", ", ".join(
        sorted(sums)
    ) or "recorded by the first fetch"


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value == int(value) and abs(value) >= 1 else f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
