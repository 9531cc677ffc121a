"""An evaluation on a terminal: the table, the differences, where the report is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from recnb.evaluation import Evaluation

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
        cells = [f"{row['value']:.4f}", f"{row['low']:.3f}..{row['high']:.3f}"]
        if model in changes.index:
            d = changes.loc[model]
            ends = f"{d['low']:+.3f}..{d['high']:+.3f}"
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
        if found.severity != "note":
            out.print(
                f"[bold]{found.severity}[/bold] {found.code}: {escape(found.evidence)}",
                soft_wrap=True,
            )
    out.print(f"report: {output / 'report.html'}", soft_wrap=True, markup=False)
