"""`recnb run`: execute notebooks of the course."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    numbers: Annotated[
        list[str] | None, typer.Argument(help="Numbers of notebooks, such as 00 03; none = all.")
    ] = None,
    profile: Annotated[str, typer.Option(help="smoke, cpu or gpu.")] = "cpu",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="NAME=VALUE of a parameter that the notebook declares. Repeatable."
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for executed notebooks.")] = Path(
        "course-output"
    ),
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Notebooks at once; default: one a core where memory allows."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run finished notebooks again.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Execute notebooks with papermill, collect what they recorded, and write a page that links them."""
    from recnb.cli.terminal import Steps, console
    from recnb.course.running.batch import Progress, run_course

    with Steps(quiet) as steps:

        def say(step: Progress) -> None:
            if step.state == "cell":
                steps(f"{step.notebook}", step.cell, step.cells)
            elif step.state in ("failed", "reused"):
                console.print(
                    f"{step.notebook}: {step.state} {step.problem}".rstrip(), soft_wrap=True
                )

        result = run_course(
            numbers or None, profile, set_ or [], output, jobs=jobs, force=fresh, progress=say
        )
    for notebook in result.notebooks:
        said = (
            f"{notebook.number}  {notebook.status:8}  {notebook.seconds:6.1f} s  {notebook.title}"
        )
        print(said)
    print(
        f"{len(result.notebooks) - len(result.failed)} of {len(result.notebooks)} notebooks ran: {result.page}"
    )
    if result.failed:
        raise typer.Exit(1)
