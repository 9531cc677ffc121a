"""`recnb reasons`: why a user is shown this."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Option = typer.Option


def reasons(
    model: Annotated[
        Path,
        typer.Argument(
            help="A model that recnb evaluate --save-models kept, such as report/models/ease-0."
        ),
    ],
    user: Annotated[str, Option(help="Id of a user that the model knows.", show_default=False)],
    data: Annotated[
        str | None,
        Option(
            help="The data that the model was fitted on; only where no evaluation stands beside it, or the model "
            "scores no histories by themselves.",
            show_default=False,
        ),
    ] = None,
    k: Annotated[int, Option("-k", help="Length of the list that is spoken of.")] = 10,
    shown: Annotated[int, Option(help="Places that are explained.")] = 5,
    words: Annotated[bool, Option("--words/--no-words", help="Tell words.")] = True,
    output: Annotated[Path, Option(help="Folder for the report and the data behind it.")] = Path(
        "reasons"
    ),
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Say why a user is shown the first items of the list: past items, words, and what would have to be otherwise.

    Every part of a sentence is checked against the model before it is said.

    Example:

        recnb evaluate ml-100k --models tfidf,ease --save-models --output report

        recnb reasons report/models/ease-0 --user 42
    """
    from recnb.cli.reading import command_line, read
    from recnb.cli.terminal import Steps, out
    from recnb.report.effect.reasons import added
    from recnb.study.reasons import run_reasons

    with Steps(quiet) as steps:
        ds = None if data is None else read(data)
        command = command_line()
        found = run_reasons(model, user, output, ds, k, shown, words, command, steps)
    for reason in found:
        out.print(f"{reason.rank}. {reason.sentence}", soft_wrap=True, markup=False)
        for line in added(reason.to_dict()):
            out.print(f"   {line}", soft_wrap=True, markup=False)
    out.print(f"report: {output / 'report.html'}", soft_wrap=True, markup=False)
