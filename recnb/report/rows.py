"""Rows of an evaluation as the report needs them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from recnb.evaluation import Evaluation
from recnb.evaluation.protocol import LOWER_IS_BETTER, Key
from recnb.plots.words import decimals

Row = dict[str, Any]


def records(frame: pd.DataFrame) -> list[Row]:
    """The rows of a frame, in its order."""
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def by_model(frame: pd.DataFrame) -> dict[str, Row]:
    """Every model's row, in the order of the frame."""
    return {
        str(row["model"]): {str(k): v for k, v in row.items()} for row in frame.to_dict("records")
    }


def finer_of(row: Row) -> int:
    """:func:`finer` for one row."""
    return finer(pd.DataFrame([row]))


def digits_of(row: Row) -> int:
    """:func:`decimals` for one row."""
    return decimals(pd.Series([row["low"]]), pd.Series([row["high"]]))


def readers(ev: Evaluation) -> list[str]:
    """The models that read text with a language model, as they said when they were judged."""
    return [m for m in ev.models if ev.reads[m].language]


def mixed(ev: Evaluation) -> list[str]:
    """The readers that have pictures, sounds, vectors, attributes or users' traits beside the text."""
    return [m for m in readers(ev) if ev.reads[m].more_than_text]


def unknown(ev: Evaluation) -> list[str]:
    """The models of which it is not known whether a language model reads for them."""
    return [m for m in ev.models if not ev.reads[m].known and not ev.reads[m].language]


def popular(ev: Evaluation) -> str | None:
    """The first model that knows nothing but how popular an item is: the baseline of every comparison."""
    plain = (m for m in ev.models if ev.reads[m].known and not ev.reads[m].learns)
    return next((m for m in plain if ev.reads[m].ids == "counts"), None)


def headline_rows(ev: Evaluation) -> pd.DataFrame:
    """The rows of the table for the headline, the best model first."""
    return rows_of(ev, ev.headline)


def rows_of(ev: Evaluation, key: Key) -> pd.DataFrame:
    """The rows of the table for one metric, the best model first."""
    return ev.rows(key).sort_values("value", ascending=key[0] in LOWER_IS_BETTER, kind="stable")


def cost_table(ev: Evaluation) -> pd.DataFrame:
    """Costs per model, means over its seeds; `seconds` is fitting and scoring together."""
    costs = ev.costs.copy()
    if costs.empty or "fit_seconds" not in costs:
        return pd.DataFrame(columns=["model", "seconds"])
    costs["seconds"] = costs["fit_seconds"].fillna(0) + costs["score_seconds"].fillna(0)
    # Lists, matrices and fitted models were made elsewhere: their time here says nothing.
    costs.loc[~(costs["fit_seconds"] > 0), "seconds"] = 0.0
    numbers = [
        c
        for c in costs.columns
        if c not in ("model", "seed") and pd.api.types.is_numeric_dtype(costs[c])
    ]
    out = costs.groupby("model", sort=False)[numbers].mean()
    if "device" in costs:
        out["device"] = costs.groupby("model", sort=False)["device"].agg(
            lambda d: ", ".join(sorted({str(v) for v in d.dropna()}))
        )
    return out.reset_index()


def finer(rows: pd.DataFrame) -> int:
    """Decimals for differences: as :func:`decimals`, and enough that no end of an interval is rounded to zero.

    Examples
    --------
    >>> finer(pd.DataFrame({"low": [-0.0093], "high": [-0.0002]}))
    4
    """
    digits = decimals(rows["low"], rows["high"])
    ends = np.abs(rows[["low", "high"]].to_numpy(dtype=float))
    ends = ends[np.isfinite(ends) & (ends > 0)]
    while digits < 6 and (ends < 0.5 * 10.0**-digits).any():
        digits += 1
    return digits
