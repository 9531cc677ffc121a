"""Checks of the division itself: leaks from the future, overlap, ties, who is tested."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import binom

from recnb.data.describe import tied_last
from recnb.evaluation.audit.material import Material
from recnb.evaluation.findings import Finding
from recnb.evaluation.protocol import Task

LEAK = 0.01
LARGE = 0.1  # of the rows, of one user
FEW = 100


def audit_rows(material: Material) -> list[Finding]:
    """Findings about the rows of a split."""
    task = material.task
    return [
        *future_leak(task),
        *overlap(material),
        *tied(task),
        *no_order(task),
        *dominant_user(task),
        *cold_users(material),
        *few_users(task),
        *test_filtered(task),
        *even_ratings(task),
    ]


def later_shares(task: Task) -> tuple[np.ndarray, np.ndarray] | None:
    """How much is known too early, per test user.

    Returns
    -------
    newer : ndarray of shape (n_test_users,)
        Share of the known rows that are newer than the user's first test row.
    after : ndarray of shape (n_test_users,)
        Share of all rows that are newer than it.
    None without a clock.
    """
    ds, split = task.dataset, task.split
    if "timestamp" not in ds.interactions:
        return None
    test = split.test.interactions
    first = test.groupby("user")["timestamp"].min().to_numpy()
    known = np.sort(split.known.interactions["timestamp"].to_numpy())
    every = np.sort(ds.interactions["timestamp"].to_numpy())
    newer = 1 - np.searchsorted(known, first, side="right") / len(known)
    after = 1 - np.searchsorted(every, first, side="right") / len(every)
    return newer, after


def future_leak(task: Task) -> list[Finding]:
    """Known rows that are newer than what is judged."""
    shares = later_shares(task)
    if shares is None:
        return []
    newer, after = shares
    if newer.mean() <= LEAK:
        return []
    own = _own_future(task)
    mixed = (
        f"; {own:.1%} of the test users have known rows of their own that are newer" if own else ""
    )
    return [
        Finding(
            "future_leak",
            "warning",
            float(newer.mean()),
            len(newer),
            f"on average {newer.mean():.1%} of the known rows are newer than a user's first test row, and "
            f"{after.mean():.1%} of all rows lie after it{mixed}",
            "judge with global_time, where one day divides what is known from what is tested",
        )
    ]


def _own_future(task: Task) -> float:
    """Share of test users with a known row of their own that is newer than their first test row."""
    test = task.split.test.interactions.groupby("user")["timestamp"].min()
    known = task.split.history.interactions.groupby("user")["timestamp"].max()
    both = test.index.intersection(known.index)
    return float((known[both] > test[both]).mean()) if len(both) else 0.0


def overlap(material: Material) -> list[Finding]:
    """Rows, and pairs, that stand on both sides."""
    task, test = material.task, material.test
    split = task.split
    twice = sparse.csr_matrix(material.known.multiply(test))
    shared = twice.nnz
    if not shared:
        return []
    columns = [c for c in split.dataset.interactions.columns if c != "split"]
    # Rows alike in every column are of a pair that stands on both sides: only those are compared.
    tested, known = (
        _of_pairs(rows.interactions[columns], twice) for rows in (split.test, split.history)
    )
    both = tested.merge(known.drop_duplicates(), how="inner", on=columns)
    out = []
    explicit = split.dataset.feedback == "explicit"
    if len(both):
        # Without an order, and where nothing is rated, rows alike may be the same thing bought again; where known
        # items are left out, no list gains by them.
        counted = task.protocol.repeats == "include" or explicit
        sure = explicit or (split.dataset.order is not None and counted)
        harm = "" if counted else "; known items are left out of the test, and these with them"
        out.append(
            Finding(
                "overlap",
                "error" if sure else "warning",
                len(both) / len(split.test.interactions),
                len(both),
                f"{len(both):,} test rows stand among the known rows, alike in every column: events written twice, or "
                f"repeated within one tick of the clock{harm}",
                "if they were written twice: --duplicates drop",
            )
        )
    share = shared / test.nnz
    if task.protocol.repeats == "exclude":
        said = "they are left out of the test, since known items are not listed"
        n_tested = int((np.diff(test.indptr) > 0).sum())
        if not explicit and len(task.users) < n_tested:
            said += f", and with them {n_tested - len(task.users):,} of {n_tested:,} users"
        mend = "--repeats include (repeats='include' in Python) if having it again should count"
    else:
        said = "buying again counts as a hit"
        mend = "read the result as the repeat and the new purchase together"
    out.append(
        Finding(
            "repeated_pairs",
            "warning" if explicit and share > 0.05 else "note",
            share,
            shared,
            f"{share:.1%} of the tested pairs were known before; {said}",
            mend,
        )
    )
    return out


def _of_pairs(rows: pd.DataFrame, pairs: sparse.csr_matrix) -> pd.DataFrame:
    """The rows whose pair is marked."""
    pairs = pairs.sorted_indices()
    n_items = np.int64(pairs.shape[1])
    marked = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr)) * n_items + pairs.indices
    key = rows["user"].to_numpy(np.int64) * n_items + rows["item"].to_numpy()
    return rows[np.isin(key, marked)]


def tied(task: Task) -> list[Finding]:
    """Users whose last rows share one time, where a split by time depends on it."""
    split = task.split
    if not split.tied_users or split.name == "global_time":
        return []
    share = tied_last(task.dataset)
    return [
        Finding(
            "tied_last",
            "note",
            share,
            split.tied_users,
            f"{share:.1%} of the users have a tied last timestamp, and the cut runs through a tie for "
            f"{split.tied_users:,} test users; the order there is a hash of the ids",
            "compare over several tie seeds, or use a finer clock",
        )
    ]


def no_order(task: Task) -> list[Finding]:
    """Data with a clock that tells no order: the rows of most users share one time."""
    ds = task.dataset
    if ds.order is None:
        return []
    clock = ds.interactions.groupby("user")[ds.order].agg(["min", "max", "size"])
    several = clock[clock["size"] > 1]
    share = float((several["min"] == several["max"]).mean()) if len(several) else 0.0
    if share <= 0.5:
        return []
    return [
        Finding(
            "no_order",
            "warning",
            share,
            len(several),
            f"{share:.0%} of the {len(several):,} users with several rows have all of them at one {ds.order}: there is "
            "no order here, and what is last, or follows what, is a hash of the ids",
            "give a finer clock or a position; else judge with --split random and read no model of sequences",
        )
    ]


def dominant_user(task: Task) -> list[Finding]:
    """One user with a large part of the known rows, as a bot or a shared account has."""
    ds = task.dataset
    n = np.bincount(task.split.known.interactions["user"], minlength=ds.n_users)
    share = float(n.max() / max(n.sum(), 1))
    if share <= LARGE or ds.n_users < FEW / 2:
        return []
    user = ds.user_ids[n.argmax()]
    return [
        Finding(
            "dominant_user",
            "warning",
            share,
            int(n.max()),
            f"user '{user}' has {n.max():,} of the {n.sum():,} known rows ({share:.0%}): what is counted over rows or "
            "pairs is mostly this one's doing",
            "leave this user out if it is a bot or a shared account",
        )
    ]


def cold_users(material: Material) -> list[Finding]:
    """Test users without history."""
    n = np.diff(material.known.indptr)[material.task.users]
    cold = int((n == 0).sum())
    if not cold:
        return []
    share = cold / len(n)
    first = "" if material.task.events is None else " for their first event"
    return [
        Finding(
            "cold_users",
            "warning" if share > 0.2 else "note",
            share,
            cold,
            f"{share:.1%} of the {len(n):,} judged users have no known row; they count, and get what a model gives to "
            f"a stranger{first}",
            "read the groups of activity beside the mean",
        )
    ]


def few_users(task: Task) -> list[Finding]:
    """Too few users to tell models apart."""
    n = len(task.users)
    if n >= FEW:
        return []
    return [
        Finding(
            "few_users",
            "warning",
            float(n),
            n,
            f"only {n} users are judged; intervals over so few are wide and rough"
            if n > 1
            else "one user is judged: intervals and differences over users need at least two",
            "take a larger test part or more data",
        )
    ]


def test_filtered(task: Task) -> list[Finding]:
    """Tested items that were chosen by popularity: below some number of known rows hardly any item is tested."""
    split = task.split
    if split.candidates is not None:
        return []  # new items have no known rows
    n_items = task.dataset.n_items
    known = np.bincount(split.known.interactions["item"], minlength=n_items)
    test = np.bincount(split.test.interactions["item"], minlength=n_items)
    for what, counts in (("known rows", known), ("rows in all", known + test)):
        order = np.argsort(counts, kind="stable")
        expected = np.cumsum(counts[order]) * test.sum() / max(counts.sum(), 1)
        observed = np.cumsum(test[order])
        # Only where the number of rows changes: items of equal popularity stay together.
        ends = np.flatnonzero(np.diff(counts[order], append=-1) != 0)
        bare = ends[(expected[ends] >= 30) & (observed[ends] < 0.02 * expected[ends])]
        if not len(bare):
            continue
        last = bare[-1]
        evidence = (
            f"the {last + 1:,} items with at most {counts[order[last]]:,} {what} have {observed[last]:,} test rows, "
            f"where their share makes {expected[last]:.0f}: the test was cut to popular items"
        )
        mend = "filter items by the known rows alone, in both parts alike, or not at all"
        share = float(1 - observed[last] / expected[last])
        return [Finding("test_filtered", "error", share, int(last + 1), evidence, mend)]
    return []


def even_ratings(task: Task) -> list[Finding]:
    """Ratings or thresholds that follow from the test rows: a cut at their mean, for all or for each user or item."""
    ds, threshold = task.dataset, task.protocol.relevant_from
    if ds.feedback != "explicit":
        return []
    known = task.split.history.interactions.dropna(subset="rating")
    test = task.split.test.interactions.dropna(subset="rating")
    grid = np.unique(ds.interactions["rating"].dropna())
    out = []
    if threshold is not None and len(grid) > 2 and len(test):
        ends = {"mean": test["rating"].mean(), "median": test["rating"].median()}
        for name, value in ends.items():
            if threshold not in grid and abs(threshold - value) < 1e-6 * max(abs(value), 1):
                out.append(
                    _cut(
                        f"relevant_from={threshold:g} is the {name} of the test ratings",
                        1,
                        len(test),
                    )
                )
    if len(grid) != 2:
        return out
    for axis in ("user", "item"):
        tested, before = (_evenness(rows, axis, grid[1]) for rows in (test, known))
        if tested is None or before is None or tested > 0.9 or before < 3 * tested:
            continue
        evidence = (
            f"the share of '{grid[1]:g}' in the test rows of each {axis} varies {tested:.2f} times as much as coins "
            f"would make it, in the known rows {before:.2f} times: the cut is a value of the {axis}'s test rows"
        )
        out.append(_cut(evidence, tested, len(test)))
    return out


def _cut(evidence: str, value: float, n: int) -> Finding:
    mend = "choose the threshold from the known rows or the scale"
    return Finding("even_ratings", "error", value, n, evidence, mend)


def _evenness(rows: Any, axis: str, high: float) -> float | None:
    """Variance of the share of high ratings over units, relative to coins of one bias; None with few units."""
    grouped = (rows["rating"] == high).groupby(rows[axis].to_numpy()).agg(["sum", "size"])
    grouped = grouped[grouped["size"] >= 3]
    if len(grouped) < 40:
        return None
    p = grouped["sum"].sum() / grouped["size"].sum()
    chance = binom.var(grouped["size"], p).sum()
    return float(((grouped["sum"] - p * grouped["size"]) ** 2).sum() / max(chance, 1e-12))
