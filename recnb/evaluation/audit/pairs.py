"""Tables that name single test pairs: buyers in an item's text, the answer in a user's column, copies of test rows."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.evaluation.audit.words import word_table, words_of
from recnb.evaluation.findings import Finding
from recnb.evaluation.protocol import Task

MEND = "build it from what was known before the test, or leave it out"
LIFT = 5.0
MOST_CELLS = 50_000_000  # of a product of two tables


def audit_pairs(task: Task) -> list[Finding]:
    """Findings about test pairs that a table or another id gives away."""
    return [
        *named_users(task),
        *named_items(task),
        *telling_groups(task),
        *words_of_users(task),
        *copied_rows(task),
    ]


def _cells(task: Task, users: list[int], items: list[int]) -> sparse.csr_matrix:
    shape = (task.dataset.n_users, task.dataset.n_items)
    cells = sparse.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)
    cells.data[:] = 1
    return cells


def _given_away(task: Task, cells: sparse.csr_matrix) -> tuple[int, float] | None:
    """How many test pairs stand among named ones, and how many there would be by chance, where it is far more."""
    test, known = task.split.test.pairs(), task.split.history.pairs()
    hits, before = cells.multiply(test).nnz, cells.multiply(known).nnz
    if hits < 5:
        return None
    per_user, per_item = np.diff(test.indptr), np.asarray(test.sum(axis=0)).ravel()
    named = cells.tocoo()
    chance = float((per_user[named.row] * per_item[named.col]).sum() / test.nnz)
    # What people said of themselves earlier names known pairs as well: then nothing is given away.
    fair = test.nnz / (test.nnz + known.nnz)
    if hits < LIFT * chance or hits / (hits + before) < min(0.9, 2 * fair):
        return None
    return hits, chance


def named_users(task: Task) -> list[Finding]:
    """Item texts that name the users who will take the item."""
    code = {str(u).lower(): k for k, u in enumerate(task.dataset.user_ids)}
    users, items = [], []
    for item, words in enumerate(words_of(task.dataset.items)):
        for word in words & code.keys():
            users.append(code[word])
            items.append(item)
    told = _given_away(task, _cells(task, users, items)) if users else None
    if told is None:
        return []
    hits, chance = told
    evidence = f"item texts name the user of {hits:,} test pairs (by chance {chance:.0f})"
    share = hits / task.split.test.pairs().nnz
    return [Finding("pairs_revealed", "error", share, hits, evidence, MEND)]


def named_items(task: Task) -> list[Finding]:
    """Columns of users that name the item which they will take, by id or title."""
    ds = task.dataset
    code = {str(i).lower(): k for k, i in enumerate(ds.item_ids)}
    if "title" in ds.items:
        titles = ds.items["title"].astype("string").fillna("").str.lower().to_numpy()
        code |= {t: k for k, t in enumerate(titles) if t and t not in code}
    out = []
    for column in ds.users.columns:
        users, items = [], []
        for user, value in enumerate(ds.users[column].map(_as_text)):
            parts = [value, *re.split(r"[,;|]\s*", value), *value.split()]
            for part in set(parts) & code.keys():
                users.append(user)
                items.append(code[part])
        told = _given_away(task, _cells(task, users, items)) if users else None
        if told is not None:
            hits, chance = told
            evidence = f"user column '{column}' names the item of {hits:,} test pairs (by chance {chance:.0f})"
            share = hits / task.split.test.pairs().nnz
            out.append(Finding("pairs_revealed", "error", share, hits, evidence, MEND))
    return out


def _as_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().lower()


def telling_groups(task: Task) -> list[Finding]:
    """Columns of users whose values bring together users of the same test items, but not of the same known items."""
    out = []
    for column in task.dataset.users.columns:
        levels, names = pd.factorize(task.dataset.users[column].map(_as_text))
        if not 2 <= len(names) < 0.9 * len(levels):
            continue
        test = _agreement(levels, task.split.test.pairs())
        known = _agreement(levels, task.split.history.pairs())
        if test is None or known is None or test[1] < 6 or test[0] < 3 * max(known[0], 1.0):
            continue
        evidence = (
            f"users with the same '{column}' take the same test items {test[0]:.1f} times as often as other users, the "
            f"same known items {known[0]:.1f} times"
        )
        out.append(Finding("pairs_revealed", "error", test[0], len(levels), evidence, MEND))
    return out


def _agreement(levels: np.ndarray, pairs: sparse.csr_matrix) -> tuple[float, float] | None:
    """How much oftener users of one level share items than users who are put together at random: times, and z."""
    rng = np.random.default_rng(0)
    active = np.flatnonzero(np.diff(pairs.indptr) > 0)
    pairs, levels = pairs[active].astype(np.float64), levels[active]

    def shared(groups: np.ndarray) -> float:
        one_hot = sparse.csr_matrix((np.ones(len(groups)), (groups, np.arange(len(groups)))))
        counts = (one_hot @ pairs).data
        return float((counts * (counts - 1)).sum() / 2)

    chance = np.array([shared(rng.permutation(levels)) for _ in range(8)])
    observed = shared(levels)
    if observed < 20:
        return None
    spread = max(float(chance.std()), np.sqrt(max(chance.mean(), 1)))
    return observed / max(chance.mean(), 1), (observed - chance.mean()) / spread


def words_of_users(task: Task) -> list[Finding]:
    """Words that stand on exactly the test items of one user: buyers under another name."""
    table = word_table(task.dataset.items).T.tocsr().astype(np.float32)
    size = np.diff(table.indptr)
    table = table[(size >= 3) & (size <= 500)]
    test = task.split.test.pairs()
    each = np.diff(test.indptr)
    eligible = np.flatnonzero((each >= 3) & (each <= 500))[:2000]
    if not len(eligible) or not table.shape[0]:
        return []
    shared = (test[eligible].astype(np.float32) @ table.T.tocsr()).tocoo()
    in_word, in_test = np.diff(table.indptr)[shared.col], each[eligible][shared.row]
    same = (shared.data >= 0.9 * in_word) & (shared.data >= 0.8 * in_test)
    n = len(np.unique(shared.row[same]))
    if n < max(5, 0.02 * len(eligible)):
        return []
    evidence = f"for {n:,} of {len(eligible):,} users a word stands on just their test items, and on no others"
    return [Finding("pairs_revealed", "error", n / len(eligible), n, evidence, MEND)]


def copied_rows(task: Task) -> list[Finding]:
    """Test rows that are known under another item's id: the users of one known item are those who test another."""
    known, test = task.split.history.pairs().tocsc(), task.split.test.pairs().tocsc()
    n, m = np.diff(known.indptr), np.diff(test.indptr)
    tested = np.flatnonzero(m >= 3)
    like = np.flatnonzero((n >= 3) & (n <= 2 * m.max(initial=0)))
    if not len(tested) or not len(like):
        return []
    rng = np.random.default_rng(0)
    work = float(
        np.asarray(known[:, like].sum(axis=1)).ravel()
        @ np.asarray(test[:, tested].sum(axis=1)).ravel()
    )
    if work > MOST_CELLS:
        tested = np.sort(
            rng.choice(tested, max(1, int(len(tested) * MOST_CELLS / work)), replace=False)
        )
    shared = (test[:, tested].T.astype(np.float32) @ known[:, like].astype(np.float32)).tocoo()
    either = m[tested][shared.row] + n[like][shared.col] - shared.data
    alike = (shared.data >= 0.75 * either) & (tested[shared.row] != like[shared.col])
    rows = int(shared.data[alike].sum())
    if alike.sum() < 3 or rows < 20:
        return []
    one, other = tested[shared.row[alike][0]], like[shared.col[alike][0]]
    ids = task.dataset.item_ids
    evidence = (
        f"{len(np.unique(shared.row[alike])):,} test items have the users of another item's known rows ('{ids[one]}' "
        f"those of '{ids[other]}'): {rows:,} test rows are known under another id"
    )
    return [
        Finding(
            "copied_rows",
            "error",
            rows / test.nnz,
            rows,
            evidence,
            "merge the ids before splitting",
        )
    ]
