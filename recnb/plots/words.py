"""Names of measures and numbers as figures and reports write them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

_NAMES = {
    "ndcg": "NDCG",
    "auc": "AUC",
    "rmse": "RMSE",
    "mae": "MAE",
    "mse": "MSE",
    "f1": "F1",
    "hit_rate": "Hit rate",
    "ndcg_fixed_ideal": "NDCG (fixed ideal)",
    "ndcg_rank2": "NDCG (rank 2)",
}
_UNITS = {"rmse": "rating units", "mae": "rating units", "mse": "squared rating units"}


def metric_name(metric: str, k: int | None = None) -> str:
    """A measure as it is written: its name, and the cut-off.

    Examples
    --------
    >>> metric_name("ndcg", 10), metric_name("average_precision", 5), metric_name("auc")
    ('NDCG@10', 'Average precision@5', 'AUC')
    """
    name = _NAMES.get(metric, metric.replace("_", " ").capitalize())
    return name if k is None or pd.isna(k) else f"{name}@{int(k)}"


def metric_axis(metric: str, k: int | None = None) -> str:
    """A measure with its unit and direction, for an axis.

    Examples
    --------
    >>> metric_axis("ndcg", 10), metric_axis("rmse")
    ('NDCG@10 (0 to 1, higher is better)', 'RMSE (rating units, lower is better)')
    """
    unit = _UNITS.get(metric)
    said = f"{unit}, lower is better" if unit else "0 to 1, higher is better"
    return f"{metric_name(metric, k)} ({said})"


def plain(text: object, longest: int = 30) -> str:
    """Text for a figure: never read as a formula, never longer than there is room for.

    Examples
    --------
    >>> plain("a $x$ b"), plain("abcdefgh", 5)
    ('a \\\\$x\\\\$ b', 'abcd…')
    """
    said = " ".join(str(text).split()) or "(no name)"
    said = said if len(said) <= longest else said[: longest - 1] + "…"
    said = said.replace("$", r"\$")
    # matplotlib leaves names out of legends that begin with an underscore.
    return f" {said}" if said.startswith("_") else said


def seconds(value: float) -> str:
    """A duration with two digits that matter.

    Examples
    --------
    >>> seconds(0.0123), seconds(4.26), seconds(75.0), seconds(7300)
    ('12 ms', '4.3 s', '75 s', '2.0 h')
    """
    if value < 0.0005:
        return "under 1 ms" if value > 0 else "0 s"
    if value < 1:
        return f"{value * 1000:.2g} ms" if value < 0.0995 else f"{value:.2f} s"
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def p_value(p: float) -> str:
    """A p-value with its relation; missing is said in words.

    Examples
    --------
    >>> p_value(0.0004), p_value(0.0312), p_value(0.4), p_value(float("nan"))
    ('< 0.001', '0.031', '0.40', 'not defined')
    """
    if not np.isfinite(p):
        return "not defined"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def decimals(low: pd.Series, high: pd.Series) -> int:
    """How many decimals the values of a column deserve: two digits of the typical interval's width, 2 to 4.

    Examples
    --------
    >>> decimals(pd.Series([0.30]), pd.Series([0.33])), decimals(pd.Series([3.0]), pd.Series([9.0]))
    (3, 2)
    """
    width = (high - low).astype(float)
    width = width[np.isfinite(width) & (width > 0)]
    if width.empty:
        return 3
    return int(np.clip(math.ceil(-math.log10(float(width.median()))) + 1, 2, 4))


def people(n: pd.Series) -> str:
    """How many users, one number or a range.

    Examples
    --------
    >>> people(pd.Series([943, 943])), people(pd.Series([10, 1200])), people(pd.Series([1]))
    ('943 users', '10 to 1,200 users', '1 user')
    """
    low, high = int(n.min()), int(n.max())
    if low != high:
        return f"{low:,} to {high:,} users"
    return f"{low:,} user" if low == 1 else f"{low:,} users"
