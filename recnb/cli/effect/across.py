"""`recnb across`: where a language model helps, over several data sets."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

Option = typer.Option


def across(
    data: Annotated[
        str,
        typer.Argument(
            help="Names (recnb data list) or folders, with commas. NAME:5 is the 5-core, NAME@800 takes "
            "800 users at random, NAME:5@800 does both."
        ),
    ],
    models: Annotated[
        str | None,
        Option(
            help="With commas, as in recnb evaluate: at least one with a language model and one without.",
            show_default=False,
        ),
    ] = None,
    situations: Annotated[
        str,
        Option(help="warm (known users and items), items (new items), users (new users)."),
    ] = "warm,items,users",
    seeds: Annotated[str, Option(help="Of models that draw, with commas.")] = "0",
    draws: Annotated[
        str,
        Option(
            help="Seeds by which new items and new users are drawn; several show what that chance does."
        ),
    ] = "0",
    trials: Annotated[
        int, Option(min=0, help="Search trials on the validation part, the same for every model.")
    ] = 0,
    k: Annotated[int, Option("-k", help="Length of the lists.")] = 10,
    metric: Annotated[str, Option(help="What is compared.")] = "ndcg",
    repeats: Annotated[
        str, Option(help="exclude or include items that a user has had.")
    ] = "exclude",
    output: Annotated[Path, Option(help="Folder for the report and the data behind it.")] = Path(
        "across"
    ),
    fresh: Annotated[bool, Option("--fresh", help="Forget finished work of earlier runs.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """One study over several data sets: does a language model help, where, for whom, at what cost?

    On every data set, in every situation, each model with a language model is compared with the best one without,
    chosen on the validation part; then the changes are pooled over data sets by a random-effects model. Holm over the
    whole table. A run that was stopped is repeated with the same line and computes no finished cell again.

    Example:

        recnb across ml-100k,amazon-office-2018@1500,generated-news --draws 0,1,2
    """
    from recnb import load
    from recnb.cli.evaluate import numbers
    from recnb.cli.reading import command_line
    from recnb.cli.terminal import Steps, console
    from recnb.errors import InputError
    from recnb.evaluation import Protocol
    from recnb.models import parse_models
    from recnb.study.across import AcrossPlan, read_set, run_across
    from recnb.study.across.plan import MODELS

    names = [name.strip() for name in data.split(",") if name.strip()]
    if len(set(names)) < len(names) or not names:
        raise InputError(f"data sets '{data}'", mend="name at least one, each once")
    plan = AcrossPlan(
        tuple(s.strip() for s in situations.split(",")),
        tuple(numbers(seeds, int, "--seeds")),
        tuple(numbers(draws, int, "--draws")),
        trials,
        Protocol(k=k, metrics=(metric,), repeats=repeats),
    )
    with Steps(quiet) as steps:
        result = run_across(
            {name: partial(read_set, name, load) for name in names},
            parse_models(models or MODELS),
            plan,
            output,
            command_line(),
            fresh,
            steps,
            lambda line: console.print(line, soft_wrap=True, markup=False),
        )
    _show(result, output)


def _show(result: dict, output: Path) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from recnb.cli.terminal import out
    from recnb.plots.words import p_value
    from recnb.report.effect.across import WORDS, answer
    from recnb.report.numbers import percent

    table = Table(
        title="change over data sets", title_justify="left", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("situation, model", overflow="fold")
    for heading in ("sets", "change", "95 % interval", "I²", "p (Holm)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for r in result["pooled"]:
        head = [escape(f"{WORDS[r['situation']]}, {r['model']}"), str(r["n_sets"])]
        if r["change"] is None:
            table.add_row(*head, "not pooled", "", "", "")
            continue
        table.add_row(
            *head, percent(r["change"]), f"{percent(r['low'])} to {percent(r['high'])}",
            f"{100 * r['i2']:.0f} %", p_value(r["p_holm"]),
        )  # fmt: skip
    out.print(table)
    out.print(answer(result), soft_wrap=True, markup=False)
    out.print(f"report: {output / 'report.html'}", soft_wrap=True, markup=False)
