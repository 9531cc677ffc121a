"""`recnb attack`: how far a seller can climb."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recnb.cli.reading import Columns, Data, Feedback, Items, command_line, read

Option = typer.Option


def attack(
    data: Data,
    models: Annotated[
        str, Option(help="With commas, as in recnb evaluate.")
    ] = "popularity,itemknn,ease,tfidf",
    split: Annotated[str | None, Option(help="As in recnb evaluate.", show_default=False)] = None,
    edits: Annotated[
        int, Option(help="Words written, or interactions invented, for each target.")
    ] = 20,
    targets: Annotated[int, Option(help="Items of little popularity that are pushed.")] = 30,
    users: Annotated[int, Option(help="Users whose lists are looked at.")] = 300,
    fed: Annotated[
        int, Option(help="Targets for which a model is trained again with invented users.")
    ] = 10,
    k: Annotated[int, Option("-k", help="Length of the lists.")] = 10,
    seed: Annotated[int, Option(min=0, help="Of the draws.")] = 0,
    feedback: Feedback = None,
    items: Items = None,
    columns: Columns = None,
    output: Annotated[Path, Option(help="Folder for the report and the data behind it.")] = Path(
        "attack"
    ),
    fresh: Annotated[bool, Option("--fresh", help="Forget finished work of earlier runs.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Push items as a seller would, and say how far each model lets them climb.

    Text models: keywords, passages of best-sellers, the same in disguise, orders for models with a prompt. Models of
    pairs: invented users. Then texts are cleaned at the door, and what that costs is said. Ends with 0
    whatever is found.

    Example:

        recnb attack ml-100k --models tfidf,text_frozen,ease
    """
    from recnb.cli.splitting import make_split
    from recnb.cli.terminal import Steps, console
    from recnb.models import parse_models
    from recnb.study.attacks import AttackPlan, run_attacks

    plan = AttackPlan(edits, targets, users, fed, k, seed)
    with Steps(quiet) as steps:
        steps(f"reading {data}", 0, 1)
        ds = read(data, feedback=feedback, items=items, columns=columns)
        judged = parse_models(models)
        for model in judged.values():
            model.check_installed()
            model.check_data(ds)
        result = run_attacks(
            make_split(ds, split, 0.2, 0.1, seed),
            judged,
            plan,
            output,
            command_line(),
            fresh,
            steps,
            lambda line: console.print(line, soft_wrap=True),
        )
    _show(result, output)


def _show(result: dict, output: Path) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from recnb.cli.terminal import out
    from recnb.report.effect.attack import answer, door, question, size

    table = Table(
        title=f"{result['data']['name']}: {size(result)}", title_justify="left", box=box.SIMPLE, pad_edge=False,
        padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("model, attack", overflow="fold")
    for heading in ("edits", "places gained", "95 % interval", "an edit", "lists", "after"):
        table.add_column(heading, justify="right", no_wrap=True)
    for r in result["records"]:
        table.add_row(
            escape(f"{r['model']}, {r['attack']}"), f"{r['cost']}", f"{r['places']:+.1f}",
            _ends(r["low"], r["high"]), f"{r['per_edit']:+.2f}", f"{r['top_before']:.1%}",
            f"{r['top_after']:.1%}",
        )  # fmt: skip
    out.print(table)
    out.print(f"{question(result)} {answer(result)}", soft_wrap=True, markup=False)
    if result["defences"]:
        out.print("What is a door worth?", soft_wrap=True, markup=False)
    for sentence in door(result):
        out.print(sentence, soft_wrap=True, markup=False)
    out.print(f"report: {output / 'report.html'}", soft_wrap=True, markup=False)


def _ends(low: float | None, high: float | None) -> str:
    """An interval, where there are targets enough."""
    return "too few" if low is None or high is None else f"{low:+.1f}..{high:+.1f}"
