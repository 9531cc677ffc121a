"""`recnb plan`: what a service beyond these machines would need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Option = typer.Option


def plan(
    items: Annotated[float, Option(help="In the catalogue, such as 100e6.")],
    users: Annotated[float, Option(help="Known ones, such as 1e9.")],
    qps: Annotated[float, Option(help="Requests a second at the busiest time.")],
    dim: Annotated[int, Option(help="Numbers of a vector.")] = 128,
    history: Annotated[float, Option(help="Known items of a user.")] = 50,
    cold: Annotated[float, Option(help="Share of requests by history instead of user.")] = 0.2,
    new_items: Annotated[float, Option(help="Items a day whose text is encoded.")] = 0,
    cores: Annotated[float, Option(help="Of a machine.")] = 16,
    memory_gb: Annotated[float, Option(help="Of a machine.")] = 128,
    core_hour: Annotated[float, Option(help="Money of a core for an hour: put yours.")] = 0.03,
    gb_hour: Annotated[float, Option(help="Money of a gigabyte for an hour: put yours.")] = 0.004,
    busy: Annotated[float, Option(help="Share of a machine that is used at most.")] = 0.6,
    copies: Annotated[int, Option(help="Machines that can answer each request.")] = 2,
    results: Annotated[
        Path | None,
        Option(
            help="Folder of measured results. Default: those that the package brings.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Calculate memory, machines and money from measured unit costs; every formula is shown.

    Example:

        recnb plan --items 100e6 --users 1e9 --qps 50000
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from recnb.cli.terminal import out
    from recnb.course.results import results_folder
    from recnb.errors import InputError
    from recnb.serving.scale.planning import UnitCosts, Wanted
    from recnb.serving.scale.planning import plan as calculate

    wanted = Wanted(
        items,
        users,
        qps,
        dim,
        history,
        cold,
        new_items,
        cores,
        memory_gb,
        core_hour,
        gb_hour,
        busy,
        copies,
    )
    folder = results or results_folder()
    if folder is None:
        raise InputError(
            "this copy of the package has no results", mend="name a folder with --results"
        )
    made = calculate(wanted, UnitCosts.recorded(folder))
    table = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("", "value", "calculated as"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for line in made.lines:
        shown = f"{line.value:,.0f}" if line.value >= 100 else f"{line.value:,.3g}"
        table.add_row(line.name, f"{shown} {line.unit}".strip(), escape(line.formula))
    out.print(table)
    for note in made.notes:
        out.print(note, soft_wrap=True, markup=False)
