"""`recnb audit`: only the checks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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


def audit(
    data: Data,
    split: Annotated[
        str | None, typer.Option(help="As in recnb evaluate.", show_default=False)
    ] = None,
    test: Annotated[float, typer.Option(help="Share that is judged.")] = 0.2,
    valid: Annotated[float, typer.Option(help="Share on which settings are chosen.")] = 0.1,
    split_seed: Annotated[
        int, typer.Option(help="Seed of a random split, or of ties in time.")
    ] = 0,
    lists: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FILE: lists of another library, checked too. Repeatable."),
    ] = None,
    repeats: Annotated[str, typer.Option(help="exclude or include known items.")] = "exclude",
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
    output: Annotated[Path, typer.Option(help="Folder for audit.json.")] = Path("audit"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Look for what would make numbers on these data and this split untrue.

    Leaks from the future, overlap, ties, items that stand twice, columns and text that know the answer; with --lists
    the lists of another library too. Ends with 0 whatever is found.
    """
    from rich.console import Console
    from rich.markup import escape

    from recnb.cli.evaluate import named_lists
    from recnb.cli.splitting import make_split
    from recnb.cli.terminal import Steps
    from recnb.evaluation import Protocol, evaluate
    from recnb.evaluation.audit import CHECKS
    from recnb.evaluation.files import write_json
    from recnb.models import parse_models
    from recnb.study.run import made_folder

    out = Console(highlight=False)
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
    with Steps(quiet) as steps:
        steps(f"reading {data}", 0, 1)
        ds = read(data, **declared)
        chosen = make_split(ds, split, test, valid, split_seed)
        protocol = Protocol(repeats=repeats)
        judged = {**parse_models("random,popularity,itemknn"), **named_lists(lists or [])}
        ev = evaluate(judged, chosen, protocol, progress=steps)
        users = ev.settings["split"]["judged_users"]
    write_json(made_folder(output) / "audit.json", [f.to_dict() for f in ev.findings])
    out.print(f"{ds.name}, {chosen.name} split, {users:,} judged users, digest {chosen.digest}")
    for note in (*ds.notes, *chosen.notes):
        out.print(f"note: {note}", soft_wrap=True, markup=False)
    for found in ev.findings:
        out.print(
            f"\n[bold]{found.severity}[/bold] {found.code}: {escape(found.evidence)}",
            soft_wrap=True,
        )
        out.print(f"  mend: {found.mend}", soft_wrap=True, markup=False)
    silent = [code for code in CHECKS if code not in {found.code for found in ev.findings}]
    out.print(f"\nnothing to say about: {', '.join(silent)}", soft_wrap=True)
    out.print(f"findings: {output / 'audit.json'}", soft_wrap=True)
