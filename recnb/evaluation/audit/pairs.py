"""Tables that name single test pairs: buyers in an item's text, the answer in a user's column, copies of test rows."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.evaluation.audit.material import Material, left_out
from recnb.evaluation.findings import Finding
from recnb.evaluation.protocol import Task

MEND = "build it from what was known before the test, or leave it out"
LIFT = 5.0
MOST_USERS = 2000
MOST_CELLS = 50_000_000  # of a product of two tables


def audit_pairs(material: Material) -> list[Finding]:
    """Findings about test pairs that a table or another id gives away."""
    return [
        *named_users(material),
        *named_items(material),
        *telling_groups(material),
        *words_of_users(material),
        *copied_rows(material),
    ]


def _cells(task: Task, users: list[int], items: list[int]) -> sparse.csr_matrix:
    shape = (task.dataset.n_users, task.dataset.n_items)
    cells = sparse.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)
    cells.data[:] = 1
    return cells


def _given_away(material: Material, cells: sparse.csr_matrix) -> tuple[int, float] | None:
    """How many test pairs stand among named ones, and how many there would be by chance, where it is far more."""
    test, known = material.test, material.known
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


def named_users(material: Material) -> list[Finding]:
    """Item texts that name the users who will take the item."""
    task = material.task
    code = {str(u).lower(): k for k, u in enumerate(task.dataset.user_ids)}
    users, items = [], []
    for item, words in enumerate(material.words("item")):
        for word in words & code.keys():
            users.append(code[word])
            items.append(item)
    told = _given_away(material, _cells(task, users, items)) if users else None
    if told is None:
        return []
    hits, chance = told
    evidence = f"item texts name the user of {hits:,} test pairs (by chance {chance:.0f})"
    share = hits / material.test.nnz
    return [Finding("pairs_revealed", "error", share, hits, evidence, MEND)]


def named_items(material: Material) -> list[Finding]:
    """Columns of users that name the item which they will take, by id or title."""
    task, ds = material.task, material.task.dataset
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
        told = _given_away(material, _cells(task, users, items)) if users else None
        if told is not None:
            hits, chance = told
            evidence = f"user column '{column}' names the item of {hits:,} test pairs (by chance {chance:.0f})"
            share = hits / material.test.nnz
            out.append(Finding("pairs_revealed", "error", share, hits, evidence, MEND))
    return out


def _as_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().lower()


def telling_groups(material: Material) -> list[Finding]:
    """Columns of users whose values bring together users of the same test items, but not of the same known items."""
    out = []
    table = material.task.dataset.users
    for column in table.columns:
        levels, names = pd.factorize(table[column].map(_as_text))
        if not 2 <= len(names) < 0.9 * len(levels):
            continue
        test = _agreement(levels, material.test)
        if test is None or test[1] < 6 or test[0] < 3:
            continue
        known = _agreement(levels, material.known)
        if known is None or test[0] < 3 * max(known[0], 1.0):
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

    observed = shared(levels)
    if observed < 20:
        return None
    chance = np.array([shared(rng.permutation(levels)) for _ in range(8)])
    spread = max(float(chance.std()), np.sqrt(max(chance.mean(), 1)))
    return observed / max(chance.mean(), 1), (observed - chance.mean()) / spread


def words_of_users(material: Material) -> list[Finding]:
    """Words that stand on exactly the test items of one user: buyers under another name."""
    table = material.word_tables["item"].T.tocsr().astype(np.float32)
    size = np.diff(table.indptr)
    table = table[(size >= 3) & (size <= 500)]
    test = material.test
    each = np.diff(test.indptr)
    able = np.flatnonzero((each >= 3) & (each <= 500))
    eligible = able[:MOST_USERS]
    if not len(eligible) or not table.shape[0]:
        return []
    out = []
    if len(able) > MOST_USERS:
        evidence = f"words that stand for single users were looked for among {MOST_USERS:,} of {len(able):,} users"
        out.append(left_out(evidence, 1 - MOST_USERS / len(able), len(able) - MOST_USERS))
    shared = (test[eligible].astype(np.float32) @ table.T.tocsr()).tocoo()
    in_word, in_test = np.diff(table.indptr)[shared.col], each[eligible][shared.row]
    same = (shared.data >= 0.9 * in_word) & (shared.data >= 0.8 * in_test)
    n = len(np.unique(shared.row[same]))
    if n < max(5, 0.02 * len(eligible)):
        return out
    evidence = f"for {n:,} of {len(eligible):,} users a word stands on just their test items, and on no others"
    return [*out, Finding("pairs_revealed", "error", n / len(eligible), n, evidence, MEND)]


def copied_rows(material: Material) -> list[Finding]:
    """Test rows that are known under another item's id: the users of one known item are those who test another.

    Small circles of people share items too: where rows parted by chance look as much alike, nothing is said.
    """
    known, test = material.known.tocsc(), material.test.tocsc()
    rng = np.random.default_rng(0)
    alike, out = _alike(known, test, rng)
    if len(alike.rows) < 3 or alike.rows.sum() < 20:
        return out
    rows = int(alike.rows.sum())
    if rows <= 3 * _alike_by_chance(known, test, rng):
        return out
    ids = material.task.dataset.item_ids
    evidence = (
        f"{len(np.unique(alike.tested)):,} test items have the users of another item's known rows "
        f"('{ids[alike.tested[0]]}' those of '{ids[alike.like[0]]}'): {rows:,} test rows are known under another id"
    )
    mend = "merge the ids before splitting"
    return [*out, Finding("copied_rows", "error", rows / test.nnz, rows, evidence, mend)]


class _Alike(NamedTuple):
    """Pairs of items whose users are almost the same: codes (n,), and how many rows they share (n,)."""

    tested: np.ndarray
    like: np.ndarray
    rows: np.ndarray


def _alike(
    known: sparse.csc_matrix, test: sparse.csc_matrix, rng: np.random.Generator
) -> tuple[_Alike, list[Finding]]:
    """Tested items whose users are, by three quarters of either, the known users of another item."""
    n, m = np.diff(known.indptr), np.diff(test.indptr)
    tested = np.flatnonzero(m >= 3)
    like = np.flatnonzero((n >= 3) & (n <= 2 * m.max(initial=0)))
    empty = np.empty(0, int)
    if not len(tested) or not len(like):
        return _Alike(empty, empty, empty), []
    work = float(
        np.asarray(known[:, like].sum(axis=1)).ravel()
        @ np.asarray(test[:, tested].sum(axis=1)).ravel()
    )
    out = []
    if work > MOST_CELLS:
        drawn = max(1, int(len(tested) * MOST_CELLS / work))
        evidence = f"test rows known under another id were looked for among {drawn:,} of {len(tested):,} tested items"
        out.append(left_out(evidence, 1 - drawn / len(tested), len(tested) - drawn))
        tested = np.sort(rng.choice(tested, drawn, replace=False))
    shared = _cells_of_three(
        test[:, tested].T.astype(np.float32) @ known[:, like].astype(np.float32)
    )
    either = m[tested][shared.row] + n[like][shared.col] - shared.data
    same = (shared.data >= 0.75 * either) & (tested[shared.row] != like[shared.col])
    return _Alike(tested[shared.row[same]], like[shared.col[same]], shared.data[same]), out


def _alike_by_chance(
    known: sparse.csc_matrix, test: sparse.csc_matrix, rng: np.random.Generator, draws: int = 4
) -> float:
    """Rows that are alike where all rows are parted by chance: copies are torn apart, circles stay."""
    pairs = (known + test).tocoo()
    share, total = test.nnz / pairs.nnz, 0.0
    for _ in range(draws):
        asked = rng.random(pairs.nnz) < share
        parts = [
            sparse.csc_matrix((np.ones(s.sum()), (pairs.row[s], pairs.col[s])), shape=known.shape)
            for s in (~asked, asked)
        ]
        total += float(_alike(parts[0], parts[1], rng)[0].rows.sum())
    return total / draws


def _cells_of_three(shared: sparse.csr_matrix) -> sparse.coo_matrix:
    """Cells of at least 3: three quarters of a union of three or more cannot be fewer."""
    shared = shared.tocsr()
    kept = shared.data >= 3
    row = np.repeat(np.arange(shared.shape[0]), np.diff(shared.indptr))[kept]
    cells = (shared.data[kept], (row, shared.indices[kept]))
    return sparse.coo_matrix(cells, shape=shared.shape)
