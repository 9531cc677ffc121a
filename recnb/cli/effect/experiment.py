"""`recnb experiment`: an A/B test read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from recnb.effect.experiment import Experiment, ExperimentResult, Guardrail

Option = typer.Option


def experiment(
    file: Annotated[
        Path,
        typer.Argument(
            help="A table: user_id, arm, and a column of numbers for each metric; one row a user, or several with a "
            "timestamp. before_METRIC is taken out of METRIC; assigned_at, or else timestamp, makes daily looks. "
            "parquet, csv, JSON lines.",
            show_default=False,
        ),
    ],
    control: Annotated[
        str | None,
        Option(
            help="Name of the control arm. Default: control, a, off or 0, else the first.",
            show_default=False,
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        Option(
            help="Those that are judged, with commas; the first is primary. Default: all that do not count what was "
            "shown (shown, impressions, views ...).",
            show_default=False,
        ),
    ] = None,
    ratio: Annotated[
        list[str] | None,
        Option(
            help="NAME=NUMERATOR/DENOMINATOR, such as ctr=clicks/shown. Repeatable.",
            show_default=False,
        ),
    ] = None,
    guardrail: Annotated[
        list[str] | None,
        Option(
            help="METRIC:higher:MARGIN or METRIC:lower:MARGIN: which way is better, and the relative loss that is "
            "bearable, such as seconds:lower:0.01. Repeatable.",
            show_default=False,
        ),
    ] = None,
    shares: Annotated[
        str | None,
        Option(
            help="Shares that were meant: ARM=SHARE with commas. Default: equal.",
            show_default=False,
        ),
    ] = None,
    planned_users: Annotated[
        int | None,
        Option(
            min=2,
            help="Users of all arms that were planned. With fewer so far, the interval that holds at every look "
            "judges, and says whether the test may stop.",
            show_default=False,
        ),
    ] = None,
    lift: Annotated[
        float | None,
        Option(
            help="Plan a next test: users that find this relative change of each metric.",
            show_default=False,
        ),
    ] = None,
    users_a_day: Annotated[
        float | None, Option(help="With --lift: new users a day.", show_default=False)
    ] = None,
    level: Annotated[float, Option(help="Of the intervals.")] = 0.95,
    output: Annotated[Path, Option(help="Folder for the report and the data behind it.")] = Path(
        "experiment"
    ),
) -> None:
    """Read an experiment: are the arms sound, what differs, what may not get worse, may the test stop.

    Sample-ratio mismatch, differences with intervals (CUPED where before_METRIC is there, ratios by the delta method),
    Holm over metrics and arms, guardrails, intervals that hold at every look; those judge while users are still to
    come. Where users are missing from an arm nothing is compared. Ends with 0 whatever it shows.

    Example:

        recnb experiment results.csv --ratio ctr=clicks/shown --metrics ctr,orders --guardrail seconds:lower:0.01
    """
    from recnb.cli.reading import command_line
    from recnb.cli.terminal import console
    from recnb.effect.experiment import Reading, analyse, read_experiment
    from recnb.files import write_json
    from recnb.report.effect import write_experiment
    from recnb.study.run import made_folder
    from recnb.versions import versions

    reading = Reading(
        metrics=tuple(m.strip() for m in (metrics or "").split(",") if m.strip()),
        ratios=_ratios(ratio or []),
        guardrails=tuple(_guardrail(text) for text in guardrail or []),
        expected=_shares(shares),
        level=level,
        planned_users=planned_users,
    )
    read = read_experiment(file, control)
    result = analyse(read, reading)
    for note in result.notes:
        console.print(f"note: {note}", soft_wrap=True)
    plans = _plans(read, result, lift, users_a_day) if lift is not None and result.sound else []
    folder = made_folder(output)
    command = command_line()
    write_json(folder / "experiment.json", {**result.to_dict(), "plans": plans})
    write_json(
        folder / "run.json",
        {"command": command, "settings": result.settings, "versions": versions()},
    )
    write_experiment(result, folder / "report.html", command)
    _show(result, output)
    for line in plans:
        days = f", {line['days']:,} days" if line["days"] else ""
        console.print(
            f"to find {line['lift']:+.1%} of {line['metric']}: {line['users_per_arm']:,} users an arm{days}",
            soft_wrap=True,
        )


def _ratios(given: list[str]) -> dict[str, tuple[str, str]]:
    from recnb.errors import InputError

    out: dict[str, tuple[str, str]] = {}
    for item in given:
        name, equals, rest = item.partition("=")
        top, slash, bottom = rest.partition("/")
        if not (name and equals and top and slash and bottom) or name in out:
            raise InputError(
                f"--ratio {item}", mend="write NAME=NUMERATOR/DENOMINATOR, each name once"
            )
        out[name] = top, bottom
    return out


def _guardrail(text: str) -> Guardrail:
    from recnb.effect.experiment import Guardrail
    from recnb.errors import InputError

    try:
        metric, better, margin = text.rsplit(":", 2)
        return Guardrail(metric, better, float(margin))
    except (ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"--guardrail {text}", mend="write METRIC:higher:MARGIN or METRIC:lower:MARGIN"
        ) from None


def _shares(text: str | None) -> dict[str, float] | None:
    from recnb.errors import InputError

    if text is None:
        return None
    try:
        pairs = [part.rsplit("=", 1) for part in text.split(",")]
        return {name.strip(): float(share) for name, share in pairs}
    except ValueError:
        raise InputError(
            f"--shares {text}", mend="write ARM=SHARE with commas, such as a=0.9,b=0.1"
        ) from None


def _plans(
    read: Experiment, result: ExperimentResult, lift: float, users_a_day: float | None
) -> list[dict]:
    from dataclasses import asdict

    from recnb.effect.experiment import plan

    out = []
    for row in result.rows:
        if row["kind"] != "guardrail" and row["smallest_lift"] and row["arm"] == result.arms[1]:
            values = read.outcomes[row["metric"]][read.arm == 0]
            made = plan(
                float(values.mean()), float(values.std(ddof=1)), lift, users_a_day, len(result.arms),
                alpha=1 - result.settings["level"], reduction=row["reduction"],
            )  # fmt: skip
            out.append({"metric": row["metric"], **asdict(made)})
    return out


def _show(result: ExperimentResult, output: Path) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from recnb.cli.terminal import out
    from recnb.plots.words import p_value
    from recnb.report.effect.experiment import answer, interval_name, reading, relative_ends

    table = Table(
        title=f"{result.name}, {int(result.counts.sum()):,} users", title_justify="left",
        box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    longest = max(len(f"{row['metric']}, {row['arm']}") for row in result.rows)
    table.add_column("metric, arm", overflow="fold", min_width=min(longest, 20))
    # What users are missing from is shown, and not compared.
    compared = ("change", interval_name(result), "p (Holm)") if result.sound else ()
    for heading in ("control", "arm", *compared):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    for row in result.rows:
        name = escape(f"{row['metric']}, {row['arm']}")
        cells = [name, f"{row['control']:.4g}", f"{row['treatment']:.4g}"]
        if result.sound:
            low, high = relative_ends(row, result)
            holm = "" if row["p_holm"] is None else p_value(row["p_holm"])
            cells += [f"{row['relative']:+.1%}", f"{low:+.1%}..{high:+.1%}", holm]
        table.add_row(*cells, row["verdict"])
    out.print(table)
    for line in (answer(result), *reading(result)):
        out.print(line, soft_wrap=True, markup=False)
    out.print(f"report: {output / 'report.html'}", soft_wrap=True, markup=False)
