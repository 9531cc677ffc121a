"""`recnb demo`: the whole question in under a minute, on what the package carries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    output: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report-demo"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Judge six models on a generated film world and write the report; needs no download and no torch.

    The world is generated: it shows what a report says, not what language models can do.
    """
    from recnb import load
    from recnb.cli.terminal import Steps, console, show
    from recnb.data import splits
    from recnb.models import parse_models
    from recnb.study.run import Study, run

    names = "random,popularity,itemknn,ease,tfidf,ease+tfidf"
    with Steps(quiet) as steps:
        steps("generating a film world", 0, 1)
        ds = load("generated-video")
        study = Study(
            splits.user_time(ds), parse_models(names), command="recnb demo", notes=ds.notes
        )
        ev = run(study, output, progress=steps)
    show(ev, output)
    console.print(
        "Next: recnb evaluate grocery (real purchases), or recnb init my-data for your own.",
        soft_wrap=True,
    )
