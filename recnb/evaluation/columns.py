"""Columns of per-user values: their mean, their bootstrap draws, their differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recnb.errors import InputError
from recnb.evaluation.protocol import Key
from recnb.metrics.intervals import (
    Difference,
    bca_ends,
    exchange_p,
    paired,
    resampled_means,
    without_each,
)

TABLE = ["model", "metric", "k", "candidates", "value", "low", "high", "n_users"]


@dataclass(frozen=True, eq=False)
class Column:
    """Values of one model, seed and metric: one per user (a row number of `Evaluation.users`).

    For rmse and mae a value is the user's mean squared or absolute error and its weight the user's number of rows.
    """

    users: np.ndarray
    values: np.ndarray
    weights: np.ndarray | None = None

    def mean(self, metric: str) -> float:
        """The metric over all users."""
        mean = float(np.average(self.values, weights=self.weights))
        return float(np.sqrt(mean)) if metric == "rmse" else mean

    def within(self, inside: np.ndarray) -> Column:
        """The part whose users are marked; `inside` is a mask over all users."""
        kept = inside[self.users]
        weights = None if self.weights is None else self.weights[kept]
        return Column(self.users[kept], self.values[kept], weights)


def resampled(
    held: Mapping[Any, Column], metric: str, draws: int, seed: int
) -> dict[Any, np.ndarray]:
    """The bootstrap draws of each column's mean; columns over the same users share the users drawn."""
    groups: dict[bytes, list[Any]] = {}
    for name, column in held.items():
        groups.setdefault(column.users.tobytes(), []).append(name)
    out = {}
    for names in groups.values():
        block = np.column_stack([held[n].values for n in names])
        means = resampled_means(block, held[names[0]].weights, draws, seed)
        means = np.sqrt(means) if metric == "rmse" else means
        if len(block) == 1:
            means = np.full_like(means, np.nan)  # one user says nothing about others
        out.update({name: means[:, at] for at, name in enumerate(names)})
    return {name: out[name] for name in held}


def differences(
    held: Mapping[str, Column],
    drawn: Mapping[str, np.ndarray],
    to: str,
    metric: str,
    draws: int,
    seed: int,
) -> dict[str, Difference]:
    """Every other column less one, paired by user."""
    base = held[to]
    change = np.sqrt if metric == "rmse" else _same
    out = {}
    for name, column in held.items():
        if name == to:
            continue
        if not np.array_equal(column.users, base.users):
            out[name] = _overlap(column, base, metric, draws, seed)
            continue
        w = np.ones(len(base.values)) if base.weights is None else base.weights
        p = exchange_p(column.values, base.values, w, change, draws, seed)
        gap = column.mean(metric) - base.mean(metric)
        out[name] = Difference(gap, *ends(drawn[name] - drawn[to]), p, len(w))
    return out


def long_table(columns: Mapping[tuple[str, int, Key], Column], ids: np.ndarray) -> pd.DataFrame:
    """`model, seed, metric, k, candidates, user_id, value, weight`: one row per user of every column."""
    parts = []
    for (model, seed, (metric, k, candidates)), c in columns.items():
        weight = np.ones(len(c.values)) if c.weights is None else c.weights
        part = pd.DataFrame({"user_id": ids[c.users], "value": c.values, "weight": weight})
        head: dict[str, Any] = {
            "model": model,
            "seed": seed,
            "metric": metric,
            "k": k,
            "candidates": candidates,
        }
        part = part.assign(**head)[[*head, *part.columns]]
        parts.append(part.astype({"k": "Int64"}))
    return pd.concat(parts, ignore_index=True)


def ends_of(
    column: Column, drawn: np.ndarray, metric: str, protocol: Mapping[str, Any]
) -> tuple[float, float]:
    """The 95 % interval of a column's mean, of the kind that the protocol asks for."""
    if protocol.get("interval", "percentile") != "bca" or np.isnan(drawn).any():
        return ends(drawn)
    without = without_each(column.values[:, None], column.weights)[:, 0]
    without = np.sqrt(without) if metric == "rmse" else without
    return bca_ends(drawn, column.mean(metric), without)


def ends(drawn: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of some draws: percentiles."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _overlap(a: Column, b: Column, metric: str, draws: int, seed: int) -> Difference:
    """The difference over the users that two columns share."""
    users, at_a, at_b = np.intersect1d(a.users, b.users, return_indices=True)
    if not len(users):
        raise InputError("the models share no user", mend="judge them on the same split")
    return paired(
        a.values[at_a],
        b.values[at_b],
        draws=draws,
        seed=seed,
        weights=None if a.weights is None else a.weights[at_a],
        transform=np.sqrt if metric == "rmse" else None,
    )


def _same(values: np.ndarray) -> np.ndarray:
    return values
