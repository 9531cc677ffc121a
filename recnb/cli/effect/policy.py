"""`recnb policy`: what a policy would have earned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Option = typer.Option


def policy(
    logs: Annotated[
        Path,
        typer.Argument(
            help="A table of shown items: item_id and click, conversion, revenue or satisfaction; user_id, "
            "propensity, position, slate_id where there are. parquet, csv, JSON lines.",
            show_default=False,
        ),
    ],
    policies: Annotated[
        list[str],
        Option(
            "--policies",
            help="NAME=SOURCE, repeatable: the folder of a saved model (recnb evaluate --save-models), a table of "
            "lists (user_id, item_id, rank or score), a table of chances (user_id, item_id, probability), or the "
            "word uniform.",
            show_default=False,
        ),
    ],
    made: Annotated[
        str,
        Option(
            "--as",
            help="How scores become chances: softmax:TEMPERATURE, epsilon:CHANCE or top:K. Lists show their first "
            "items; epsilon:CHANCE mixes any item in.",
        ),
    ] = "softmax:1",
    repeats: Annotated[
        str | None,
        Option(
            help="Whether a saved model shows again what a user had had: exclude or include. Default: as in the "
            "evaluation that saved it; include where there is none.",
            show_default=False,
        ),
    ] = None,
    outcomes: Annotated[
        str | None, Option(help="With commas. Default: all that are logged.", show_default=False)
    ] = None,
    estimators: Annotated[
        str | None,
        Option(
            help="With commas, of dm, ips, clipped, snips, dr, switch_dr, and of whole slates reward_interaction, "
            "cascade_dr. Default: all; those of slates where the log has slate_id and position.",
            show_default=False,
        ),
    ] = None,
    rewards: Annotated[
        str,
        Option(
            help="Reward model: items (their levels) or scores (those of the saved models too)."
        ),
    ] = "items",
    items: Annotated[
        Path | None,
        Option(help="A table with item_id: all that could be shown.", show_default=False),
    ] = None,
    clip: Annotated[
        float | None,
        Option(
            help="Largest weight of the clipped estimate. Default: the root of the rows.",
            show_default=False,
        ),
    ] = None,
    draws: Annotated[int, Option(help="Bootstrap draws, at least 1000.")] = 1000,
    interval: Annotated[str, Option(help="studentised or percentile.")] = "studentised",
    seed: Annotated[int, Option(min=0, help="Of folds and draws.")] = 0,
    output: Annotated[Path, Option(help="Folder for the report and the data behind it.")] = Path(
        "policy"
    ),
    fresh: Annotated[bool, Option("--fresh", help="Forget finished work of earlier runs.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Estimate from logs what other policies would have earned, and say whether the logs can answer.

    Estimates with intervals, which of them answers and which cannot be read, differences from what the log earned, and
    what the weights say about them. Where the log has no propensities, any answer is on a condition. Ends with 0
    whatever the verdict. A stopped run is repeated with the same line and computes nothing twice.

    Example:

        recnb policy logs.csv --policies even=uniform --policies new=report/models/ease-0 --as softmax:0.5
    """
    from recnb.cli.reading import command_line
    from recnb.cli.terminal import Steps, console
    from recnb.effect.logs import read_log
    from recnb.effect.policy import EVERY, Settings
    from recnb.study.policies import read_policy, run_policies

    named = _named(policies)
    kind, chosen = _kind(made)
    settings = Settings(
        estimators=EVERY
        if estimators is None
        else tuple(e.strip() for e in estimators.split(",") if e.strip()),
        clip=clip,
        draws=draws,
        seed=seed,
        interval=interval,
    )
    with Steps(quiet) as steps:
        steps(f"reading {logs}", 0, 1)
        log = read_log(logs, items)
        for note in log.notes:
            console.print(f"note: {note}", soft_wrap=True)
        judged = {
            name: read_policy(source, log, kind, repeats, **chosen)
            for name, source in named.items()
        }
        result = run_policies(
            log,
            judged,
            output,
            tuple(o.strip() for o in outcomes.split(",")) if outcomes else None,
            rewards,
            settings,
            {name: f"{made} {repeats} {_identity(source)}" for name, source in named.items()},
            command_line(),
            fresh,
            steps,
            lambda line: console.print(line, soft_wrap=True),
        )
    _show(result, output)


def _named(given: list[str]) -> dict[str, str]:
    from recnb.errors import InputError

    out: dict[str, str] = {}
    for item in given:
        name, equals, source = item.partition("=")
        if not equals or not name or not source:
            raise InputError(f"--policies {item}", mend="write NAME=SOURCE")
        if name in out:
            raise InputError(f"--policies: '{name}' stands twice", mend="give each its own name")
        out[name] = source
    return out


def _kind(made: str) -> tuple[str, dict[str, float]]:
    from recnb.errors import InputError

    settings = {"softmax": "temperature", "epsilon": "epsilon", "top": "k"}
    kind, _, value = made.partition(":")
    try:
        number = float(value) if value else {"softmax": 1.0, "epsilon": 0.1, "top": 10.0}[kind]
        return kind, {settings[kind]: int(number) if kind == "top" else number}
    except (KeyError, ValueError, OverflowError):
        raise InputError(
            f"--as {made}", mend="write softmax:TEMPERATURE, epsilon:CHANCE or top:K"
        ) from None


def _identity(source: str) -> str:
    """Hash of what a policy is made from: of a model also what an evaluation left beside it."""
    from hashlib import sha256

    path = Path(source)
    files = [path]
    if path.is_dir():
        report = path.resolve().parent.parent
        files = [
            *sorted(p for p in path.rglob("*") if p.is_file()),
            report / "split.parquet",
            report / "run.json",
        ]
    digest = sha256()
    for file in files:
        if file.is_file():
            digest.update(sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _show(result, output: Path) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from recnb.cli.terminal import out

    table = Table(
        title=f"{result.log['name']}, {result.log['rows']:,} rows, {result.log['units']:,} {result.log['unit']}",
        title_justify="left", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for heading in ("policy", "outcome", "estimate", "value", "95 % interval"):
        right = heading in ("value", "95 % interval")
        table.add_column(
            heading, justify="right" if right else "left", no_wrap=right, overflow="fold"
        )
    table.add_column("", overflow="fold")
    for r in result.in_order():
        ends = f"{r.low:.4f}..{r.high:.4f}"
        table.add_row(
            escape(r.policy), r.outcome, r.estimator, f"{r.value:.4f}", ends, result.standing(r)
        )
    out.print(table)
    for (name, outcome), d in result.diagnostics.items():
        r = result.value(name, outcome)
        told = "" if d["answers"] == "no" else f"{r.value:.4f} by {r.estimator}. "
        out.print(f"{name}, {outcome}: {told}{d['verdict']}", soft_wrap=True, markup=False)
    out.print(f"report: {output / 'report.html'}", soft_wrap=True, markup=False)
