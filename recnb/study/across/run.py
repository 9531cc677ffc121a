"""The whole study: every data set in every situation, one table over all; a kill loses at most the cell it was in."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import recnb
from recnb.data import Dataset, Text
from recnb.errors import InputError
from recnb.evaluation import evaluate
from recnb.files import write_json
from recnb.progress import Progress, duration
from recnb.recommender import Recommender
from recnb.report.effect.across import write_across
from recnb.study.across.cell import CellResult, folder_of, judged_cell, key_of, read_cell
from recnb.study.across.plan import AcrossPlan, Cell, cells_of, sides, split_of
from recnb.study.across.tables import tables_of
from recnb.study.run import made_folder
from recnb.versions import versions

PILOT_USERS = 150


def run_across(
    data: Mapping[str, Callable[[], Dataset]],
    models: Mapping[str, Recommender],
    plan: AcrossPlan,
    output: Path,
    command: str = "",
    fresh: bool = False,
    progress: Progress | None = None,
    report: Callable[[str], None] | None = None,
    pages: bool = True,
) -> dict[str, Any]:
    """Judge all models on all data sets in all situations and write `across.json`, `run.json` and `report.html`.

    Every language model is compared with the best model without one, chosen on the validation part of the same data
    set and situation. Each finished cell stays in `cells`, with a report of its own; repeating the call goes on where
    it was stopped. How long it will take is reported before it starts.

    Parameters
    ----------
    data : mapping of name to callable
        Reads the data set; all are held in memory while the study runs.
    models : mapping of name to Recommender
        Unfitted, at least one with a language model and one without. One that a data set lacks something for (text,
        ratings) is left out there, and that is said.
    plan : AcrossPlan
    output : Path
    command : str
    fresh : bool
        Forget finished work.
    progress, report
        Called with what is being done, and with lines to be known.
    pages : bool
        Whether each cell gets a report of its own.

    Returns
    -------
    dict
        `plan`, `data` and the tables of :func:`recnb.study.across.tables.tables_of`.

    Raises
    ------
    InputError
        A data set cannot be read or split, or allows no model with, or none without a language model. All sets are
        tried before anything is fitted.
    """
    say = report or _silent
    folder = made_folder(Path(output))
    if fresh:
        shutil.rmtree(folder / "cells", ignore_errors=True)
    with_language, without = sides(models)
    for model in models.values():
        model.check_installed()
    held: dict[str, Dataset] = {}
    kept: dict[Cell, CellResult | None] = {}
    usable: dict[str, dict[str, Recommender]] = {}
    cells = cells_of(list(data), plan)
    for at, (name, read) in enumerate(data.items()):
        if progress is not None:
            progress(f"reading {name}", at, len(data))
        held[name] = read()
        usable[name] = _usable(name, held[name], models, say)
        for cell in cells:
            if cell.data == name:  # what cannot be split is told now
                key = key_of(split_of(held[name], cell, plan), usable[name], plan)
                kept[cell] = read_cell(cell, folder_of(cell, folder), key)
    clock = Clock(kept, {name: len(ds.interactions) for name, ds in held.items()})
    clock.start(held, usable, plan, say)
    finished: list[CellResult] = []
    for at, cell in enumerate(cells):
        if progress is not None:
            progress(cell.name, at, len(cells))
        one = judged_cell(
            cell, held[cell.data], usable[cell.data], plan, folder, command, progress, page=pages
        )
        finished.append(one)
        if cell not in clock.done:
            clock.add(cell, one.facts["seconds"])
            say(f"{cell.name}: done in {duration(one.facts['seconds'])}{clock.left()}")
    tables = tables_of(finished)
    for row in tables["sets"]:
        row["words"] = _words(held[row["data"]])
    result = {
        "plan": plan.to_dict(),
        "models": {"language": with_language, "without": without},
        "reports": {
            c.cell.name: f"cells/{c.folder.name}/report.html"
            for c in finished
            if (c.folder / "report.html").is_file()
        },
        **tables,
    }
    write_json(folder / "across.json", result)
    write_json(
        folder / "run.json",
        {"command": command, "plan": plan.to_dict(), "versions": versions(), "recnb": recnb.__version__},
    )  # fmt: skip
    write_across(result, folder / "report.html", command)
    return result


def _silent(_: str) -> None:
    """Nobody listens."""


def _words(ds: Dataset) -> float | None:
    """Words of the middle item's text; None without text."""
    try:
        texts = Text()(ds)
    except InputError:
        return None
    return float(np.median([len(text.split()) for text in texts]))


def _usable(
    name: str, ds: Dataset, models: Mapping[str, Recommender], say: Callable[[str], None]
) -> dict[str, Recommender]:
    """The models that the data allow; the others are named with the reason."""
    out: dict[str, Recommender] = {}
    reasons = []
    for model_name, model in models.items():
        try:
            model.check_data(ds)
            out[model_name] = model
        except InputError as error:
            reasons.append(f"{model_name} ({error.problem})")
    try:
        sides(out)
    except InputError:
        raise InputError(
            f"'{name}' leaves no pair to compare: without {', '.join(reasons)}",
            mend="leave it out, or name other models",
        ) from None
    if reasons:
        say(f"{name}: left out are {', '.join(reasons)}")
    return out


class Clock:
    """How long a study will take: cells take time as they have rows, at the pace of those that are done.

    Parameters
    ----------
    kept : mapping of Cell to CellResult or None
        All cells in their order, the finished ones with their results, which tell the pace; without one a first trial
        with a few users of the largest set does.
    rows : mapping of data set to int
    """

    def __init__(self, kept: Mapping[Cell, CellResult | None], rows: Mapping[str, int]) -> None:
        self.cells, self.rows = list(kept), rows
        self.seconds = {c: float(one.facts["seconds"]) for c, one in kept.items() if one}
        self.done = set(self.seconds)

    def start(
        self,
        held: Mapping[str, Dataset],
        usable: Mapping[str, Mapping[str, Recommender]],
        plan: AcrossPlan,
        say: Callable[[str], None],
    ) -> None:
        """Say what is to come."""
        total = len(self.cells)
        if self.done:
            say(f"{len(self.done)} of {total} cells were finished before{self.left()}")
            return
        name = max(held, key=lambda n: self.rows[n])
        ds = held[name].sample_users(PILOT_USERS)
        split = split_of(ds, Cell(name, plan.situations[0], plan.draws[0]), plan)
        start = time.perf_counter()
        try:
            if ds.n_users < held[name].n_users:
                evaluate(usable[name], split, plan.protocol, plan.seeds[:1])
        except InputError:  # so few users may have nothing to judge
            start = time.perf_counter()
        seconds = time.perf_counter() - start
        if seconds < 1:
            say(f"{total} cells; the first one will tell how long they take")
            return
        each = 2 + plan.trials  # fitted and judged, on the validation part, in each trial
        pace = each * seconds / len(ds.interactions)
        ahead = sum(max(seconds, pace * self.rows[c.data]) for c in self.cells)
        say(
            f"{total} cells, about {duration(ahead)} by a trial with {ds.n_users:,} users of {name}; "
            "a stopped run goes on where it was"
        )

    def add(self, cell: Cell, seconds: float) -> None:
        """A cell is done."""
        self.seconds[cell] = seconds

    def left(self) -> str:
        """What is left, at the pace so far."""
        todo = list(self._todo())
        if not todo:
            return ""
        pace = sum(self.seconds.values()) / sum(self.rows[c.data] for c in self.seconds)
        ahead = sum(pace * self.rows[c.data] for c in todo)
        return f"; {len(todo)} to come, about {duration(ahead)}"

    def _todo(self) -> Iterator[Cell]:
        return (cell for cell in self.cells if cell not in self.seconds)
