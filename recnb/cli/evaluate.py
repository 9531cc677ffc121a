"""`recnb evaluate`: the main job."""

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
    command_line,
    read,
)
from recnb.models.table import DEFAULTS, TABLE

Option = typer.Option


def evaluate(
    data: Data,
    split: Annotated[
        str | None,
        Option(
            help="user_time, leave_one_out, global_time, random, cold_item, cold_user, predefined. "
            "Default: user_time, or random where the data have no order.",
            show_default=False,
        ),
    ] = None,
    models: Annotated[
        str | None,
        Option(
            help=f"Names with commas, of {', '.join(TABLE)}; recnb models says what each reads and needs; "
            "ease+tfidf is a blend, 'ease>pair' two stages (in quotes, as a shell reads > as a file to write), "
            "text_dot@lora tunes, "
            "'fusion\\[modalities=text+image]' sets, mine=package.module:Class is one of your own. "
            f"Default: {','.join(DEFAULTS)}.",
            show_default=False,
        ),
    ] = None,
    k: Annotated[str, Option("-k", "--k", help="Cut-offs of the lists, with commas.")] = "10",
    metrics: Annotated[
        str, Option(help="With commas; the first is the headline. ndcg, recall, precision, auc, …")
    ] = "ndcg,recall,average_precision,reciprocal_rank",
    seeds: Annotated[str, Option(help="Seeds of models that draw random numbers.")] = "0",
    trials: Annotated[
        int, Option(min=0, help="Search trials per model on the validation part; 0 = untuned.")
    ] = 0,
    lists: Annotated[
        list[str] | None,
        Option(
            help="NAME=FILE: lists of another library (user_id, item_id, rank or score). Repeatable."
        ),
    ] = None,
    output: Annotated[Path, Option(help="Folder for the report and the data behind it.")] = Path(
        "report"
    ),
    test: Annotated[float, Option(help="Share that is judged.")] = 0.2,
    valid: Annotated[float, Option(help="Share on which settings are chosen.")] = 0.1,
    split_seed: Annotated[int, Option(help="Seed of a random split, or of ties in time.")] = 0,
    relevant_from: Annotated[
        float | None,
        Option(
            help="Rating from which an item is relevant. Default: 4/5 of the scale.",
            show_default=False,
        ),
    ] = None,
    repeats: Annotated[
        str,
        Option(help="exclude or include known items in the lists (include: buying again counts)."),
    ] = "exclude",
    next_event: Annotated[
        bool,
        Option(
            "--next-event",
            help="Judge each test event on its own, told everything before it; a user's value is the mean over them.",
        ),
    ] = False,
    feedback: Feedback = None,
    scale: Annotated[
        str | None, Option(help="Lowest and highest rating, such as 1,5.", show_default=False)
    ] = None,
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
    core: Annotated[
        int, Option(min=0, help="Keep users and items with at least so many pairs (0 = all).")
    ] = 0,
    users: Annotated[
        int,
        Option(
            min=0,
            help="Cut the data to a random sample of so many users, before the split: rows of the others are not "
            "trained on either (0 = all).",
        ),
    ] = 0,
    draws: Annotated[int, Option(help="Bootstrap draws, at least 1000.")] = 2000,
    interval: Annotated[
        str, Option(help="Of values: percentile, or bca where most users have no hit.")
    ] = "percentile",
    save_models: Annotated[
        bool,
        Option(
            "--save-models",
            help="Keep the fitted models in OUTPUT/models: recnb export takes them from there.",
        ),
    ] = False,
    workers: Annotated[
        str | None,
        Option(
            help="Who fits and searches: local:2 (two processes of this machine) or ray://HOST:10001, by Ray "
            "(recnb\\[scale]). Default: this process. The results are the same.",
            show_default=False,
        ),
    ] = None,
    fresh: Annotated[bool, Option("--fresh", help="Forget finished work of earlier runs.")] = False,
    quiet: Annotated[
        bool, Option("--quiet", "-q", help="No progress, no notes (the report has them).")
    ] = False,
) -> None:
    """Fit models on one split, judge them with intervals, compare them, and write a report.

    A run that was stopped is repeated with the same line: models that were judged, trials and judged pairs are not
    computed again (a training that was stopped begins again), and the earlier output stays whole until the new one is
    complete.

    Examples:

        recnb evaluate ml-100k --models random,popularity,itemknn,ease,als

        recnb evaluate my-data --split global_time --trials 20 --seeds 0,1,2 --output report
    """
    import shutil

    from recnb.cli.splitting import make_split
    from recnb.cli.terminal import Steps, console, show
    from recnb.data.text import title_notes
    from recnb.errors import InputError
    from recnb.evaluation import Protocol
    from recnb.study.run import Study, choose_models, run, text_notes

    protocol = Protocol(
        k=tuple(numbers(k, int, "--k")),
        metrics=tuple(m.strip() for m in metrics.split(",") if m.strip()),
        relevant_from=relevant_from,
        repeats=repeats,
        draws=draws,
        interval=interval,
        next_event=next_event,
    )
    declared = {
        "feedback": feedback,
        "scale": _scale(scale),
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
        "relevant_from": relevant_from,
    }
    seed_list = tuple(numbers(seeds, int, "--seeds"))
    with Steps(quiet) as steps:
        steps(f"reading {data}", 0, 1)
        ds = read(data, **declared)
        if core:
            ds = ds.k_core(core).with_notes(
                f"{core}-core: the filter has seen all rows, those of the test too"
            )
        if users:
            ds = ds.sample_users(users).with_notes(f"a random sample of {users:,} users")
        chosen = make_split(ds, split, test, valid, split_seed)
        judged, left_out = choose_models(models, ds)
        every = {**judged, **named_lists(lists or [])}
        if len(every) < len(judged) + len(lists or []):
            raise InputError(
                "a name of --lists is also a model", mend="give the lists another name"
            )
        notes = (*ds.notes, *chosen.notes, *left_out)
        if any(model.needs_text for model in judged.values()):
            notes += (*title_notes(ds.items), *text_notes(judged, ds.items))
        if split is None:
            notes += (
                f"the split is {chosen.name}: the data have {'an' if ds.order else 'no'} order",
            )
        for note in notes if not quiet else ():
            console.print(f"note: {note}", soft_wrap=True, markup=False)
        command = command_line()
        study = Study(chosen, every, protocol, seed_list, trials, command, notes)
        if fresh:
            shutil.rmtree(output / ".finished", ignore_errors=True)

        def told(line: str) -> None:
            console.print(line, soft_wrap=True)

        said = None if quiet else told

        if workers is None:
            ev = run(study, output, save_models, steps, said)
        else:
            from recnb.serving.scale import RayWorkers

            with RayWorkers(workers) as ray:
                ev = run(study, output, save_models, steps, said, ray)
    show(ev, output)


def numbers(text: str, kind: type, flag: str) -> list:
    from recnb.errors import InputError

    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{flag} {text}", mend="write numbers with commas, such as 5,10") from None


def _scale(text: str | None) -> tuple[float, float] | None:
    from recnb.errors import InputError

    if text is None:
        return None
    ends = numbers(text, float, "--scale")
    if len(ends) != 2:
        raise InputError(
            f"--scale {text}", mend="write the lowest and the highest rating, such as 1,5"
        )
    return ends[0], ends[1]


def named_lists(given: list[str]) -> dict:
    """Lists from NAME=FILE options."""
    from recnb import read_lists
    from recnb.errors import InputError

    out = {}
    for item in given:
        name, equals, file = item.partition("=")
        if not equals or not name or not file:
            raise InputError(f"--lists {item}", mend="write NAME=FILE")
        if name in out:
            raise InputError(f"--lists: '{name}' stands twice", mend="give each its own name")
        out[name] = read_lists(file)
    return out
