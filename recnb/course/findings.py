"""The table of findings: value, interval, paired difference and verdict, in one call that follows the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from recnb.errors import InputError
from recnb.evaluation import Evaluation
from recnb.evaluation.protocol import Key
from recnb.metrics import holm
from recnb.plots.words import metric_name, p_value

LEVEL = 0.05
SAME, BETTER, WORSE = "cannot be told apart", "better", "worse"
HOW_TO_READ = """\
<details><summary>How to read interval, p and Holm</summary>
<p><b>Value (interval)</b>: the mean over users, and the range in which it would fall in 95 of 100 draws of other users
of the same kind. Two intervals that overlap decide nothing: both models were judged on the same users.</p>
<p><b>Difference (interval)</b>: taken user by user, then averaged. Users who are easy for both models drop out, so it
is far more precise than two separate means. Each interval stands alone: of twenty differences that are all zero, one
interval in twenty misses zero.</p>
<p><b>p</b>: how often a difference at least this large would come about if the two names were exchanged at random,
user by user. A small p says that chance is a poor explanation; it does not say that the difference is large.</p>
<p><b>p (Holm)</b>: the same, corrected for the number of rows of this table, since the luckiest of many comparisons
always looks good. The verdict follows it: under 0.05 <i>better</i> or <i>worse</i>, else <i>cannot be told apart</i>.
So a row may have an interval without zero and still no verdict. And <i>cannot be told apart</i> is not <i>equal</i>:
the interval says how large a difference may still be.</p></details>"""


@dataclass(frozen=True)
class Finding:
    """One row of the table: a model, the one it is compared with, and what came out."""

    model: str
    to: str
    metric: str
    k: int | None
    candidates: str
    value: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    p: float
    p_holm: float
    n_users: int

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `cannot be told apart`, by the corrected p."""
        if not self.p_holm < LEVEL:
            return SAME
        lower_is_better = self.metric in ("rmse", "mae", "mse")
        return BETTER if (self.difference > 0) != lower_is_better else WORSE


@dataclass(frozen=True)
class Findings:
    """The rows of a table of findings; shows itself as the table, with a box on how to read it."""

    rows: tuple[Finding, ...]

    def __getitem__(self, pair: str | tuple[str, str]) -> Finding:
        """The row of a model, or of (model, compared with)."""
        model, to = (pair, None) if isinstance(pair, str) else pair
        for row in self.rows:
            if row.model == model and to in (None, row.to):
                return row
        there = ", ".join(f"{row.model} less {row.to}" for row in self.rows)
        raise InputError(f"no finding on {pair!r}", mend=f"there are: {there}")

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a frame, numbers as numbers, with the verdict."""
        return pd.DataFrame([{**vars(row), "verdict": row.verdict} for row in self.rows])

    def records(self) -> list[dict[str, Any]]:
        """The differences as rows for `recnb.course.record`."""
        return [
            {
                "model": row.model,
                "metric": f"{row.metric} less that of {row.to}",
                "k": row.k,
                "candidates": row.candidates,
                "value": row.difference,
                "low": row.difference_low,
                "high": row.difference_high,
                "n_users": row.n_users,
                "p_holm": row.p_holm,
            }
            for row in self.rows
        ]

    def _shown(self) -> pd.DataFrame:
        measure = metric_name(self.rows[0].metric, self.rows[0].k)
        shown = [
            {
                "model": row.model,
                f"{measure} (95 % interval)": _interval(row.value, row.low, row.high),
                "less": row.to,
                "difference (95 % interval)": _interval(
                    row.difference, row.difference_low, row.difference_high, "+"
                ),
                "p": p_value(row.p),
                "p (Holm)": p_value(row.p_holm),
                "users": f"{row.n_users:,}",
                "verdict": row.verdict,
            }
            for row in self.rows
        ]
        return pd.DataFrame(shown)

    def __repr__(self) -> str:
        return str(self._shown().to_string(index=False))

    def _repr_html_(self) -> str:
        frame = self._shown().map(escape)
        for at, row in enumerate(self.rows):
            if row.verdict != SAME:
                frame.loc[at, "verdict"] = f"<b>{row.verdict}</b>"
        return f"{frame.to_html(index=False, border=0, escape=False)}\n{HOW_TO_READ}"


def findings(
    ev: Evaluation,
    pairs: Iterable[str | tuple[str, str]] | None = None,
    *,
    to: str | None = None,
    metric: str | None = None,
    k: int | None = None,
    candidates: str | None = None,
) -> Findings:
    """Compare models by user and say what can be told: the table of a lesson's findings.

    Parameters
    ----------
    ev : Evaluation
    pairs : iterable of str or (str, str), optional
        Which comparisons, ``(model, compared with)``, or a model alone, compared with `to`. Default: every model
        with `to`. Holm's correction is made over these rows and no others, so show all that you looked at.
    to : str, optional
        Default: the model with the best value.
    metric, k, candidates
        Default: the headline of the evaluation.

    Returns
    -------
    Findings
        ``found["text_frozen"].verdict``, ``found["a+b", "a"].difference`` for assertions.

    Raises
    ------
    InputError
        A model that was not judged, a model compared with itself.
    """
    key = ev.key(metric, k, candidates)
    base = to if to is not None else ev.best(key)
    if pairs is None:
        pairs = [model for model in ev.rows(key)["model"] if model != base]
    asked = [(pair, base) if isinstance(pair, str) else pair for pair in pairs]
    asked = list(dict.fromkeys(asked))
    values = ev.rows(key).set_index("model")
    tables = {
        other: ev.compare(other, *key).set_index("model")
        for other in dict.fromkeys(other for _, other in asked)
    }
    for model, other in asked:
        if model not in tables[other].index:
            there = ", ".join(tables[other].index)
            raise InputError(f"no '{model}' to compare with '{other}'", mend=f"one of {there}")
    if not asked:
        raise InputError("nothing to compare", mend="judge two models or more")
    corrected = holm([float(tables[other]["p"].to_dict()[model]) for model, other in asked])
    return Findings(
        tuple(
            _finding(values.loc[model].to_dict(), tables[other].loc[model].to_dict(), pair, key, p)
            for pair, p in zip(asked, corrected, strict=True)
            for model, other in [pair]
        )
    )


def _finding(value: Any, row: Any, pair: tuple[str, str], key: Key, p_holm: float) -> Finding:
    metric, k, candidates = key
    return Finding(
        model=pair[0],
        to=pair[1],
        metric=metric,
        k=k,
        candidates=candidates,
        value=float(value["value"]),
        low=float(value["low"]),
        high=float(value["high"]),
        difference=float(row["difference"]),
        difference_low=float(row["low"]),
        difference_high=float(row["high"]),
        p=float(row["p"]),
        p_holm=float(p_holm),
        n_users=int(row["n_users"]),
    )


def table_rows(
    ev: Evaluation, metrics: Iterable[str] | None = None, **columns: Any
) -> list[dict[str, Any]]:
    """Return the values of an evaluation as rows for `recnb.course.record`.

    Parameters
    ----------
    ev : Evaluation
    metrics : iterable of str, optional
        Default: all.
    **columns
        Put into every row, for example ``group="new items"``.
    """
    table = ev.table()
    if metrics is not None:
        table = table[table["metric"].isin(list(metrics))]
    names = ["model", "metric", "k", "candidates", "value", "low", "high", "n_users"]
    rows = table[names].assign(**columns).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _interval(value: float, low: float, high: float, sign: str = "") -> str:
    """Numbers with a true minus: `-0.071 (-0.077 to -0.066)`."""
    said = f"{value:{sign}.4f} ({low:{sign}.4f} to {high:{sign}.4f})"
    return said.replace("-", "−")
