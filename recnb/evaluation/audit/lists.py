"""Checks of what was listed: known items, sampled candidates, hits first among ties, popular items, too many hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.evaluation.audit.material import Material
from recnb.evaluation.audit.reference import better_than_known
from recnb.evaluation.findings import Finding
from recnb.evaluation.judge import Judged
from recnb.evaluation.protocol import Task
from recnb.hashing import hash_ids

REPEATS = 0.9
FEW_HITS = 10
_SAYS_SO = ("popularity", "recent_popularity")


def audit_lists(material: Material, judged: Sequence[Judged]) -> list[Finding]:
    """Findings about the lists of every model."""
    out: list[Finding] = []
    listed: dict[str, sparse.csr_matrix] = {}
    task, reference = material.task, material.reference
    with_hit: dict[str, int] = {}
    for one in judged:
        for shelf, (items, scores) in one.lists.items():
            rows = _long(items, scores, task)
            if rows.empty:
                continue
            with_hit[one.model] = max(
                with_hit.get(one.model, 0), int(rows.loc[rows["hit"], "user"].nunique())
            )
            out += seen_recommended(task, one.model, rows)
            out += sampled_candidates(task, one.model, rows, shelf)
            out += optimistic_ties(task, one.model, rows)
            if shelf == "catalogue" and one.model not in _SAYS_SO:
                out += repeats_popularity(task, one.model, rows)
            out += follows_test(task, one.model, rows)
            if shelf == "catalogue":
                listed.setdefault(one.model, reference.cells(items))
    fitted_here = {
        one.model: not (one.reads.modalities or one.reads.traits)
        for one in judged
        if one.record.fitted_here
    }
    out += few_hits(with_hit, len(task.users))
    return out + better_than_known(reference, listed, fitted_here)


def few_hits(with_hit: dict[str, int], n_users: int) -> list[Finding]:
    """So few users with a hit, for every model, that percentile intervals are too narrow."""
    if not with_hit or max(with_hit.values()) >= FEW_HITS:
        return []
    best = max(with_hit, key=lambda name: with_hit[name])
    evidence = (
        f"of {n_users:,} users at most {with_hit[best]} have a hit ({best}): bootstrap intervals over so few "
        "values that are not 0 cover less than they promise"
    )
    mend = "take a larger test part or a larger k, or --interval bca for values; read no interval narrowly"
    return [
        Finding("few_hits", "warning", with_hit[best] / n_users, with_hit[best], evidence, mend)
    ]


def _long(items: np.ndarray, scores: np.ndarray, task: Task) -> pd.DataFrame:
    """A row per listed place, up to the longest k: user and item codes, rank, score, and whether it is a hit."""
    items, scores = (block[:, : max(task.protocol.ks)] for block in (items, scores))
    rows, places = np.nonzero(items >= 0)
    listed = items[rows, places]
    hit = np.asarray(task.relevant[rows, listed]).ravel() > 0
    return pd.DataFrame(
        {
            "user": task.users[rows],
            "item": listed,
            "rank": places + 1,
            "score": scores[rows, places],
            "hit": hit,
        }
    )


def seen_recommended(task: Task, model: str, rows: pd.DataFrame) -> list[Finding]:
    """Known items in the lists, where they must not be."""
    if task.excluded is None:
        return []
    seen = np.asarray(task.excluded[rows["user"].to_numpy(), rows["item"].to_numpy()]).ravel() > 0
    if not seen.any():
        return []
    users = rows.loc[seen, "user"].nunique()
    return [
        Finding(
            "seen_recommended",
            "error",
            float(seen.mean()),
            int(seen.sum()),
            f"{model}: {seen.mean():.1%} of the listed places ({users:,} users) are items that the user already had",
            "leave known items out of the lists, or judge with --repeats include (repeats='include' in Python)",
        )
    ]


def sampled_candidates(task: Task, model: str, rows: pd.DataFrame, shelf: str) -> list[Finding]:
    """Lists that hold all test items of all users: no model finds them all in a catalogue."""
    size = int(np.median(task.room(shelf)))
    depth = int(rows["rank"].max())
    hits = rows.groupby("user")["hit"].sum()
    targets = pd.Series(np.diff(task.relevant.indptr), index=task.users)
    share = float((hits.reindex(targets.index).fillna(0) == targets).mean())
    if share < 0.95 or depth > 0.5 * size or len(targets) < 20:
        return []
    return [
        Finding(
            "sampled_candidates",
            "error",
            share,
            len(targets),
            f"{model}: the lists of {share:.0%} of the users hold every one of their test items within {depth} places "
            f"of the {size:,} items left for a user; they rank a sample that was built around the answer",
            "rank the whole catalogue: sampled metrics reorder models",
        )
    ]


def optimistic_ties(task: Task, model: str, rows: pd.DataFrame) -> list[Finding]:
    """Among places of equal score, hits that stand first more often than chance allows."""
    rows = rows[rows["score"].notna()]
    groups = rows.groupby(["user", "score"], sort=False)
    size = groups["hit"].transform("size").to_numpy()
    hits = groups["hit"].transform("sum").to_numpy()
    mixed = (size > 1) & (hits > 0) & (hits < size)
    if not mixed.any():
        return []
    tied = rows[mixed]
    keys = [tied["user"], tied["score"]]
    place = tied.groupby(keys)["rank"].rank()  # 1 .. size within the tie
    m, h = size[mixed].astype(float), hits[mixed].astype(float)
    one = tied["hit"].to_numpy()
    # Sum of the hits' places in each tie: mean h (m + 1) / 2, variance h (m - h)(m + 1) / 12 (Wilcoxon, 1945).
    first = ~tied.duplicated(["user", "score"]).to_numpy()
    mean = (h * (m + 1) / 2)[first].sum()
    spread = np.sqrt((h * (m - h) * (m + 1) / 12)[first].sum())
    z = (place.to_numpy()[one].sum() - mean) / spread
    if z > -4:
        return []
    return [
        Finding(
            "optimistic_ties",
            "error",
            float(-z),
            int(first.sum()),
            f"{model}: among {first.sum():,} ties of equal score the hits stand first more often than chance allows "
            f"(z = {z:.1f})",
            "break ties without looking at the answer (by a hash of the ids, or at random)",
        )
    ]


def repeats_popularity(task: Task, model: str, rows: pd.DataFrame) -> list[Finding]:
    """Lists that are the most popular items the user does not have yet."""
    k = min(max(task.protocol.ks), int(rows["rank"].max()))
    counts = np.asarray(task.split.known.positives().sum(axis=0)).ravel()
    order = np.lexsort((hash_ids(task.dataset.item_ids), -counts))
    top = rows[rows["rank"] <= k]
    per_user: dict[Any, set] = {u: set(g) for u, g in top.groupby("user")["item"]}
    sample = np.array(sorted(per_user))[:: max(1, len(per_user) // 500)]
    shared = []
    for user in sample:
        barred = set() if task.excluded is None else set(task.excluded[user].indices)
        popular = [i for i in order[: k + len(barred)] if i not in barred][:k]
        shared.append(len(per_user[user] & set(popular)) / k)
    share = float(np.mean(shared))
    if share < REPEATS:
        return []
    return [
        Finding(
            "repeats_popularity",
            "warning",
            share,
            len(sample),
            f"{model}: {share:.0%} of its top {k} are the most popular items that the user does not have",
            "call it popularity; look whether it learned anything",
        )
    ]


def follows_test(task: Task, model: str, rows: pd.DataFrame) -> list[Finding]:
    """Lists in the order of the test counts, or of the counts of all rows: popularity that knows the answer."""
    n_items = task.dataset.n_items
    known = np.bincount(task.split.known.interactions["item"], minlength=n_items)
    test = np.bincount(task.split.test.interactions["item"], minlength=n_items)
    ordered = rows.sort_values(["user", "rank"])
    user, item = ordered["user"].to_numpy(), ordered["item"].to_numpy()
    beside = user[1:] == user[:-1]

    def order(counts: np.ndarray) -> float:
        steps = np.sign(counts[item[:-1]] - counts[item[1:]])[beside]
        return float((steps > 0).sum() / max((steps != 0).sum(), 1))

    if len(np.unique(item)) < 8 or beside.sum() < 50:
        return []
    by_known = order(known)
    for what, counts in (("test counts", test), ("counts of all rows", known + test)):
        share = order(counts)
        if share > 0.98 and by_known < 0.95:
            evidence = (
                f"{model}: {share:.1%} of neighbouring places stand in the order of the {what}, {by_known:.1%} in that "
                "of the known counts"
            )
            mend = "count popularity in the known rows"
            return [Finding("follows_test", "error", share, len(rows), evidence, mend)]
    return []
