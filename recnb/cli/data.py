"""`recnb data`: the catalogue."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="The catalogue of data sets: what there is, and what is in it."
)


@app.command("list")
def list_sets() -> None:
    """Names, titles, licences, and which of them are on this machine."""
    from rich.console import Console
    from rich.table import Table

    from recnb.data.catalog import SOURCES, available, folders

    table = Table(title="Data sets by name", title_justify="left")
    for heading in ("name", "here", "what", "licence"):
        table.add_column(heading, no_wrap=heading == "name")
    for source in SOURCES.values():
        here = "yes" if available(source) else "no"
        table.add_row(source.name, here, source.title, source.licence)
    out = Console(highlight=False)
    out.print(table)
    out.print(f"Folders are looked for in: {', '.join(str(f) for f in folders())}", soft_wrap=True)


@app.command()
def describe(
    data: Annotated[str, typer.Argument(help="A name, a folder with interactions, or a csv file.")],
    feedback: Annotated[str | None, typer.Option(help="explicit, implicit or count.")] = None,
    duplicates: Annotated[str | None, typer.Option(help="keep or drop repeated rows.")] = None,
) -> None:
    """Counts, density, inequality, tied timestamps, text coverage."""
    from rich.console import Console
    from rich.table import Table

    from recnb import load
    from recnb.data.catalog import SOURCES

    declared = {"feedback": feedback, "duplicates": duplicates}
    ds = load(data, **{key: value for key, value in declared.items() if value is not None})
    table = Table(title=ds.name, title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in ds.describe().items():
        table.add_row(str(name).replace("_", " "), _text(value))
    table.add_row("digest", ds.digest)
    out = Console(highlight=False)
    out.print(table)
    for note in ds.notes:
        out.print(f"note: {note}", soft_wrap=True)
    source = SOURCES.get(data)
    if source:
        out.print(f"licence: {source.licence}", soft_wrap=True)
        if source.citation:
            out.print(f"cite: {source.citation}", soft_wrap=True)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value == int(value) and abs(value) >= 1 else f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
