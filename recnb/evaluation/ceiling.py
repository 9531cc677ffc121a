"""How far a model could reach that looks at few items: an oracle that knows the test rows orders its candidates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from recnb.evaluation.findings import Finding
from recnb.evaluation.protocol import Key, Task
from recnb.metrics import bootstrap, evaluate_lists, hits
from recnb.recommender import Recommender
from recnb.recommender.blocks import user_blocks

# n: candidates of a user; caught: share of the relevant test pairs among them
CEILING = ("metric", "k", "candidates", "n", "value", "low", "high", "caught", "n_users")


def ceilings(
    model: Recommender | None, task: Task, lists: Mapping[str, np.ndarray]
) -> tuple[dict[str, Any], ...]:
    """The best that any order of a model's candidates could reach.

    Parameters
    ----------
    model : Recommender or None
        Fitted. One with a method ``candidates(users, allowed, barred, history)`` that gives the item codes it looks at,
        (n, m) with -1 where there are fewer; any other has no ceiling.
    task : Task
    lists : mapping of candidate set to ndarray of shape (n_users, n_ranks), int
        What the model lists, -1 where a list is short.

    Returns
    -------
    tuple of dict
        For every ranking metric of lists, cut-off and candidate set a record of :data:`CEILING`; `low` and `high` are
        the bootstrap interval over users.

    Notes
    -----
    The relevant test items among the candidates stand first: no order of these candidates has a higher value. Behind
    the last candidate stands what the model itself lists there, so that a cut-off above their number has a ceiling too.
    The model never sees the test rows; they are read here, after it has answered.
    """
    offered = getattr(model, "candidates", None)
    if offered is None:
        return ()
    table = task.protocol.table.items()
    metrics = [name for name, metric in table if metric.needs == "lists" and not metric.whole]
    out = []
    for shelf, codes in task.shelves.items():
        items = _candidates(offered, task, codes)
        relevant = hits(items, task.truth)
        best = np.take_along_axis(items, np.argsort(~relevant, axis=1, kind="stable"), axis=1)
        best = _followed(best, lists[shelf][:, : max(task.protocol.ks)], task.dataset.n_items)
        caught = float(relevant.sum() / task.truth.counts.sum())
        for k in task.protocol.ks if metrics else ():
            for metric, each in evaluate_lists(best, task.truth, metrics, k).items():
                values = task.per_user(each)[1]
                low, high = bootstrap(values, draws=task.protocol.draws, seed=task.protocol.seed)
                n = int((items >= 0).sum(axis=1).max(initial=0))
                row = (metric, k, shelf, n, float(values.mean()), low, high, caught, len(values))
                out.append(dict(zip(CEILING, row)))
    return tuple(out)


def ceiling_findings(
    name: str, reach: Iterable[Mapping[str, Any]], values: Mapping[Key, tuple]
) -> list[Finding]:
    """The ceiling of the headline, as a note beside what the model reached: one a candidate set."""
    out: list[Finding] = []
    told: set[str] = set()
    for row in reach:
        if row["candidates"] in told:
            continue
        told.add(row["candidates"])
        reached = float(values[row["metric"], row["k"], row["candidates"]][1].mean())
        between = f" ({row['low']:.4f} to {row['high']:.4f})" if np.isfinite(row["low"]) else ""
        out.append(
            Finding(
                "ceiling",
                "note",
                row["value"],
                row["n_users"],
                f"{name}: at most {row['metric']}@{row['k']} {row['value']:.4f}{between} with these {row['n']} "
                f"candidates a user, {reached:.4f} reached; {row['caught']:.1%} of the test items are among them "
                f"({row['candidates']})",
                "raise n, or take a first stage that finds more, where the ceiling is near",
            )
        )
    return out


def _followed(first: np.ndarray, then: np.ndarray, n_items: int) -> np.ndarray:
    """Each row of items, and behind it those of another that are not in it; -1 only at the end.

    Examples
    --------
    >>> _followed(np.array([[3, 1], [2, -1]]), np.array([[1, 3, 0], [2, -1, -1]]), 4).tolist()
    [[3, 1, 0, -1, -1], [2, -1, -1, -1, -1]]
    """
    row = np.arange(len(first))[:, None] * n_items
    more = np.where(np.isin(then + row, (first + row)[first >= 0]), -1, then)
    out = np.concatenate([first, np.where(then < 0, -1, more)], axis=1)
    return np.take_along_axis(out, np.argsort(out < 0, axis=1, kind="stable"), axis=1)


def _candidates(offered: Any, task: Task, codes: np.ndarray | None) -> np.ndarray:
    allowed = None
    if codes is not None:
        allowed = np.zeros(task.dataset.n_items, bool)
        allowed[codes] = True
    rows, blocks = [], []
    for asked in task.asked():
        for start, stop in user_blocks(len(asked.users), task.dataset.n_items):
            users = asked.users[start:stop]
            barred = None if asked.excluded is None else asked.excluded[users]
            blocks.append(offered(users, allowed, barred, asked.history))
            rows.append(asked.rows[start:stop])
    return np.concatenate(blocks)[np.argsort(np.concatenate(rows))]
