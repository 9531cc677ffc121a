"""Splits: one object that says what is known, what is judged, and how it was cut.

Every split is a division of the rows of one :class:`Dataset`. The validation part is carved from what is not
test in the same way as the test part was, so that a setting chosen on it is chosen for the right task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from recnb.data.checks.cells import PARTS, ids, require
from recnb.data.dataset import Dataset
from recnb.data.order import event_order, row_hash
from recnb.data.split import GIVEN, MAKERS, TEST, TRAIN, VALID, VALID_GIVEN, Split
from recnb.errors import InputError
from recnb.hashing import hash_ids, mix

# -------------------------------------------------------------------- by row


def random(ds: Dataset, test: float = 0.2, valid: float = 0.1, seed: int = 0) -> Split:
    """Rows at random. It mixes past and future: use it only where there is no order, or to show what it hides.

    Parameters
    ----------
    ds : Dataset
    test, valid : float
        Shares of all rows.
    seed : int
    """
    _shares(test, valid)
    rank = row_hash(ds, seed).argsort(kind="stable").argsort(kind="stable")
    n = len(rank)
    n_test, n_valid = _count(n, test), _count(n, valid)
    part = np.select([rank < n_test, rank < n_test + n_valid], [TEST, VALID], TRAIN)
    return _split(ds, part, "random", test=test, valid=valid, seed=seed)


def k_fold(ds: Dataset, k: int = 5, valid: float = 0.1, seed: int = 0) -> list[Split]:
    """`k` splits at random; every row is test in exactly one. `valid` is a share of the rows that are not test.

    Examples
    --------
    >>> rows = pd.DataFrame({"user_id": list("aabbcc"), "item_id": list("xyxyxy")})
    >>> folds = k_fold(Dataset.from_frames(rows), k=3, valid=0)
    >>> [len(fold.test.interactions) for fold in folds]
    [2, 2, 2]
    """
    _shares(1 / k if k > 1 else 1.0, valid)
    if k > len(ds.interactions):
        raise InputError(f"k={k} folds of {len(ds.interactions)} rows", mend="ask for fewer folds")
    rank = row_hash(ds, seed).argsort(kind="stable").argsort(kind="stable")
    fold = rank % k
    chance = mix(row_hash(ds, seed), seed=seed + 1).argsort(kind="stable").argsort(kind="stable")
    out = []
    for f in range(k):
        rest = np.flatnonzero(fold != f)
        order = rest[np.argsort(chance[rest])]
        part = np.where(fold == f, TEST, TRAIN)
        part[order[: _count(len(rest), valid)]] = VALID
        out.append(_split(ds, part, "k_fold", k=k, valid=valid, seed=seed, fold=f))
    return out


# -------------------------------------------------------------------- by time


def user_time(ds: Dataset, test: float = 0.2, valid: float = 0.1, tie_seed: int = 0) -> Split:
    """The last share of each user's rows, by time (or position).

    Each user gives ``floor(test * n)`` rows to the test and, before them, ``floor(valid * n)`` to the
    validation; a user with too few rows gives none. Every user is judged on
    the own future, but the training rows of other users may be newer: it leaks
    (the audit says by how much); `global_time` does not.

    Raises
    ------
    InputError
        The data have no order.
    """
    _shares(test, valid)
    rank, size = _rank_from_end(ds, tie_seed, "user_time")
    n_test, n_valid = _count(size, test), _count(size, valid)
    part = np.select([rank < n_test, rank < n_test + n_valid], [TEST, VALID], TRAIN)
    return _split(ds, part, "user_time", test=test, valid=valid, tie_seed=tie_seed)


def leave_one_out(ds: Dataset, valid: bool | float = True, tie_seed: int = 0) -> Split:
    """The last row of each user is test, the last but one valid; a user keeps at least one row to learn from."""
    rank, size = _rank_from_end(ds, tie_seed, "leave_one_out")
    part = np.where((rank == 0) & (size > 1), TEST, TRAIN)
    if valid:
        part[(rank == 1) & (size > 2)] = VALID
    return _split(ds, part, "leave_one_out", valid=bool(valid), tie_seed=tie_seed)


def global_time(ds: Dataset, test: float = 0.2, valid: float = 0.1, tie_seed: int = 0) -> Split:
    """The last share of all rows, by time: one day divides what is known from what is judged.

    Raises
    ------
    InputError
        The data have no clock: positions order the rows of one user, not those of two.
    """
    _shares(test, valid)
    if "timestamp" not in ds.interactions:
        why = (
            "positions order the rows within a user, not between users"
            if ds.order
            else "no order at all"
        )
        raise InputError(
            f"global_time needs a clock and '{ds.name}' has none ({why})",
            column="timestamp",
            mend="use user_time or leave_one_out" if ds.order else "use random",
        )
    clock = ds.interactions["timestamp"].to_numpy()
    order = np.lexsort((row_hash(ds, tie_seed), clock))
    n = len(order)
    n_test, n_valid = _count(n, test), _count(n, valid)
    part = np.full(n, TRAIN)
    part[order[n - n_test :]] = TEST
    part[order[n - n_test - n_valid : n - n_test]] = VALID
    return _split(ds, part, "global_time", test=test, valid=valid, tie_seed=tie_seed)


# -------------------------------------------------------------------- by item or user


def cold_item(ds: Dataset, test: float = 0.2, valid: float = 0.1, seed: int = 0) -> Split:
    """All rows of a random share of the items are test: nobody has used them yet.

    The new items are `candidates` (the shelf); `evaluate` ranks them among themselves and, beside it, within the whole
    catalogue. Only items that occur are drawn.
    """
    _shares(test, valid)
    n_items = ds.n_items
    used = np.flatnonzero(np.bincount(ds.interactions["item"], minlength=n_items) > 0)
    h = mix(hash_ids(ds.item_ids), seed=seed)
    order = used[np.argsort(h[used], kind="stable")]
    n_test, n_valid = _count(len(order), test), _count(len(order), valid)
    kind = np.full(n_items, TRAIN)
    kind[order[:n_test]] = TEST
    kind[order[n_test : n_test + n_valid]] = VALID
    part = kind[ds.interactions["item"]]
    split = _split(ds, part, "cold_item", test=test, valid=valid, seed=seed)
    return replace(
        split,
        candidates=np.flatnonzero(kind == TEST),
        valid_candidates=np.flatnonzero(kind == VALID) if n_valid else None,
    )


def cold_user(
    ds: Dataset, test: float = 0.2, valid: float = 0.1, given: float = 0.5, seed: int = 0
) -> Split:
    """A random share of the users is unknown in training; the first `given` share of their rows is shown at test time.

    `split.history` holds the given rows; the later ones are the test. Without an order, the given rows are
    drawn at random.
    """
    _shares(test, valid)
    if not 0 <= given < 1:
        raise InputError(f"given={given}", mend="a share from 0 to below 1")
    h = mix(hash_ids(ds.user_ids), seed=seed)
    used = np.flatnonzero(np.bincount(ds.interactions["user"], minlength=ds.n_users) > 0)
    order = used[np.argsort(h[used], kind="stable")]
    n_test, n_valid = _count(len(order), test), _count(len(order), valid)
    kind = np.full(ds.n_users, TRAIN)
    kind[order[:n_test]] = TEST
    kind[order[n_test : n_test + n_valid]] = VALID
    part = kind[ds.interactions["user"]]
    shown = _earlier(ds, given, seed)
    part = np.where(shown & (part == TEST), GIVEN, part)
    part = np.where(shown & (part == VALID), VALID_GIVEN, part)
    return _split(ds, part, "cold_user", test=test, valid=valid, given=given, seed=seed)


def predefined(ds: Dataset, parts: pd.DataFrame | None = None) -> Split:
    """A division that somebody else made.

    Parameters
    ----------
    ds : Dataset
    parts : DataFrame with `user_id`, `item_id`, `part` (train, valid, test, given), optional
        One row per interaction, for data in which a pair occurs once. Without it the column `split` of the
        interactions is used. "given" rows are shown at test time of a user who is new then.
    """
    codes = {name: code for code, name in enumerate((*PARTS, "given"))}
    if parts is None:
        if "split" not in ds.interactions:
            raise InputError(
                f"'{ds.name}' has no column 'split'", mend="add it, or pass a frame of parts"
            )
        part = ds.interactions["split"].map(codes).to_numpy()
        return _split(ds, part, "predefined")
    require(parts, ("user_id", "item_id", "part"), "parts")
    u = ds.users.index.get_indexer(pd.Index(ids(parts["user_id"], "parts", "user_id")))
    i = ds.items.index.get_indexer(pd.Index(ids(parts["item_id"], "parts", "item_id")))
    code = parts["part"].map(codes)
    for bad, column in ((u < 0, "user_id"), (i < 0, "item_id"), (code.isna().to_numpy(), "part")):
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"'{parts[column].iloc[row]}' is unknown",
                file="parts",
                column=column,
                row=row + 1,
                mend="name ids of the data and parts train, valid, test, given",
            )
    table = pd.Series(code.to_numpy(), index=u.astype(np.int64) * ds.n_items + i)
    if table.index.has_duplicates:
        raise InputError(
            "a pair stands twice",
            file="parts",
            row=int(np.flatnonzero(table.index.duplicated())[0]) + 1,
            mend="write one row per pair",
        )
    cell = (
        ds.interactions["user"].to_numpy().astype(np.int64) * ds.n_items + ds.interactions["item"]
    )
    part = table.reindex(cell).to_numpy()
    if np.isnan(part.astype(float)).any():
        n = int(np.isnan(part.astype(float)).sum())
        raise InputError(
            f"{n:,} interactions have no part", file="parts", mend="name every user and item pair"
        )
    user = ds.interactions["user"].to_numpy()
    validated = np.isin(user, user[part == VALID])
    part = np.where((part == GIVEN) & validated, VALID_GIVEN, part)
    return _split(ds, part, "predefined")


BY_NAME: dict[str, Callable[..., Split]] = {
    "random": random,
    "user_time": user_time,
    "leave_one_out": leave_one_out,
    "global_time": global_time,
    "cold_item": cold_item,
    "cold_user": cold_user,
    "predefined": predefined,
}
MAKERS.update(BY_NAME)


def usual(ds: Dataset) -> str:
    """The name of the split where none is asked for: `user_time` where the data have an order, else `random`."""
    return "user_time" if ds.order else "random"


def make(ds: Dataset, name: str | None = None, **settings) -> Split:
    """A split by name; None means the usual one."""
    name = name or usual(ds)
    if name not in BY_NAME:
        raise InputError(f"no split '{name}'", mend=f"one of {', '.join(BY_NAME)}")
    return BY_NAME[name](ds, **settings)


def fold_in(train: Dataset, valid: Dataset) -> tuple[Dataset, Dataset]:
    """What a model is told and what it is asked about the users of a validation part.

    Users without training rows tell the earlier half of their validation rows and are asked for the later half (at
    random without an order); all others are asked for everything.

    Returns
    -------
    history : Dataset
        The training rows and the told ones.
    asked : Dataset

    References
    ----------
    Liang et al. (2018), "Variational autoencoders for collaborative filtering", WWW, section 4.1.

    Examples
    --------
    >>> rows = pd.DataFrame({"user_id": list("aabbb"), "item_id": list("xyxyz"), "timestamp": range(5)})
    >>> ds = Dataset.from_frames(rows)
    >>> history, asked = fold_in(ds.rows(np.array([0, 1])), ds.rows(np.array([2, 3, 4])))
    >>> len(history.interactions), len(asked.interactions)
    (3, 2)
    """
    known = np.bincount(train.interactions["user"], minlength=train.n_users) > 0
    told = ~known[valid.interactions["user"]] & _earlier(valid, 0.5, 0)
    if not told.any():
        return train, valid
    rows = pd.concat([train.interactions, valid.interactions[told]])
    # stable: a user's rows are of one of the two, in their order
    rows = rows.sort_values("user", kind="stable", ignore_index=True)
    return replace(train, interactions=rows), valid.rows(~told)


# -------------------------------------------------------------------- parts


def _shares(test: float, valid: float) -> None:
    if not (0 < test < 1 and 0 <= valid < 1 and test + valid < 1):
        raise InputError(
            f"test={test:g}, valid={valid:g}",
            mend="shares between 0 and 1 that leave rows to learn from",
        )


def _count(n, share: float):
    """floor(share * n), safe against 0.29999999999999998 * 10."""
    return np.floor(np.asarray(n) * share + 1e-9).astype(int)


def _rank_from_end(
    ds: Dataset, seed: int, needs_order: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Each row's place counted from its user's last (0), and the user's number of rows."""
    if ds.order is None and needs_order:
        raise InputError(
            f"{needs_order} needs an order and '{ds.name}' has none",
            column="timestamp",
            mend="add timestamp or position, or use random",
        )
    user = ds.interactions["user"].to_numpy()
    order = event_order(ds, seed)
    size = np.bincount(user, minlength=ds.n_users)
    end = np.cumsum(size)
    rank = np.empty(len(user), int)
    rank[order] = end[user[order]] - 1 - np.arange(len(user))
    return rank, size[user]


def _earlier(ds: Dataset, share: float, seed: int) -> np.ndarray:
    """Whether a row is in the first share of its user's rows, (n_interactions,); drawn where there is no order."""
    rank, size = _rank_from_end(ds, seed, None)
    return rank >= size - _count(size, share)


def _split(ds: Dataset, part: np.ndarray, name: str, **settings) -> Split:
    part = np.asarray(part).astype(np.int8)
    if not (part == TRAIN).any() or not (part == TEST).any():
        empty = "train" if not (part == TRAIN).any() else "test"
        longest = int(np.bincount(ds.interactions["user"]).max(initial=0))
        why = "every user has one row" if longest == 1 else f"no user has more than {longest} rows"
        raise InputError(
            f"the {empty} part of the {name} split of '{ds.name}' is empty ({len(part):,} rows; {why})",
            mend="give users with more rows, other shares, or a split that divides all rows (global_time, random)",
        )
    return Split(ds, part, name, settings)
