"""What a run looks like on a terminal: how far it is, the table at its end, where the report is."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from recnb.evaluation import Evaluation

# no markup: names of models have brackets
console = Console(stderr=True, highlight=False, markup=False)


NOTED = ("repeated_pairs",)  # notes that change whom or what the table is about


class Steps:
    """A progress callback `(what, done, all)` for a block of work.

    Examples
    --------
    >>> with Steps() as steps:  # doctest: +SKIP
    ...     steps("ease", 0, 3)
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet, self.last, self.since = quiet, "", time.perf_counter()
        self.bar: Progress | None = None

    def __enter__(self) -> Steps:
        if not self.quiet and sys.stderr.isatty():
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(24),
                TimeElapsedColumn(),
            )
            self.bar = Progress(*columns, console=console, transient=True)
            self.bar.start()
            self.task = self.bar.add_task("starting", total=None)
        return self

    def __call__(self, what: str, done: int, total: int) -> None:
        if self.bar is not None:
            self.bar.update(self.task, description=what, completed=done, total=total)
        elif not self.quiet and what != self.last:
            seconds = time.perf_counter() - self.since
            print(f"[{seconds:6.1f} s] {what} ({done + 1} of {total})", file=sys.stderr, flush=True)
        self.last = what

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()


out = Console(highlight=False)


def show(ev: Evaluation, output: Path) -> None:
    """Print the headline table with intervals, the differences to the best model, and the path of the report."""
    metric, k, candidates = ev.headline
    values = ev.rows()
    best = ev.best()
    changes = ev.compare(best).set_index("model")
    name = f"{metric}@{k}" if k else metric
    n = values["n_users"].max()
    title = f"{name}, {candidates}, {ev.settings['dataset']['name']}, {n:,} users"
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("model", overflow="fold")
    for heading in (name, "95 % interval", "less best", "95 % interval", "p (Holm)", "fit s"):
        table.add_column(heading, justify="right", no_wrap=True)
    seconds = ev.costs.groupby("model")["fit_seconds"].mean()
    for row in values.to_dict("records"):
        model = str(row["model"])
        cells = [f"{row['value']:.4f}", _ends(row["low"], row["high"], "")]
        if model in changes.index:
            d = changes.loc[model]
            ends = _ends(d["low"], d["high"], "+")
            cells += [f"{d['difference']:+.4f}", ends, f"{d['p_holm']:.4f}"]
        else:
            cells += ["best", "", ""]
        table.add_row(escape(model), *cells, f"{seconds[model]:.1f}")
    out.print(table)
    if len(values) > 1:
        out.print(
            f"{best} was picked on these rows, which is hard on the others. Intervals are each model's own, "
            f"not corrected; p is, for {len(changes)} {'comparison' if len(changes) == 1 else 'comparisons'}.",
            soft_wrap=True,
            markup=False,
        )
    for found in ev.findings:
        if found.severity != "note" or (found.code in NOTED and found.value > 0.05):
            out.print(
                f"[bold]{found.severity}[/bold] {found.code}: {escape(found.evidence)}",
                soft_wrap=True,
            )
            out.print(f"  mend: {found.mend}", soft_wrap=True, markup=False)
    out.print(f"report: {output / 'report.html'}", soft_wrap=True, markup=False)


def _ends(low: Any, high: Any, sign: str) -> str:
    """An interval; of one user there is none.

    Examples
    --------
    >>> _ends(0.1, 0.25, "+"), _ends(float("nan"), float("nan"), "")
    ('+0.100..+0.250', 'none')
    """
    return f"{low:{sign}.3f}..{high:{sign}.3f}" if math.isfinite(low) else "none"
