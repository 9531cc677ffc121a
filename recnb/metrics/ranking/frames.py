"""From two data frames with ids, of any library, to per-user metrics."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from recnb.errors import InputError
from recnb.metrics.ranking.codes import encode
from recnb.metrics.ranking.lists import evaluate_lists
from recnb.metrics.ranking.top import check_k
from recnb.metrics.ranking.truth import RelevantItems
from recnb.metrics.table import resolve


def evaluate_frames(
    lists: pd.DataFrame,
    truth: pd.DataFrame,
    metrics: Iterable[str] = ("ndcg", "recall"),
    k: int = 10,
) -> pd.DataFrame:
    """Judge recommendation lists given as a frame.

    Parameters
    ----------
    lists : DataFrame with `user_id`, `item_id`, `rank`
        One row per recommended item, in any order; ranks are whole numbers from 1. A missing rank is
        an empty place, which is a miss. Rows beyond rank `k` are not read, unless a metric
        needs the whole list. Users without truth are left out.
    truth : DataFrame with `user_id`, `item_id`
        One row per relevant item; repeated rows count once.
    metrics : names from :data:`recnb.metrics.METRICS`
    k : int, default 10

    Returns
    -------
    DataFrame indexed by `user_id`, one column per metric
        Every user of `truth`, in order of first appearance; without a list the values are 0.

    Raises
    ------
    InputError
        At a missing column, an empty id, a rank below 1 or not whole, two items at one rank, one
        item twice in a list, ids of different types, or an empty truth.

    Examples
    --------
    >>> lists = pd.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "b"], "rank": [1, 2]})
    >>> truth = pd.DataFrame({"user_id": ["u", "v"], "item_id": ["b", "b"]})
    >>> evaluate_frames(lists, truth, ("reciprocal_rank",))["reciprocal_rank"].to_dict()
    {'u': 0.5, 'v': 0.0}
    """
    wanted = resolve(metrics)
    check_k(k)
    for name, frame, needed in (
        ("lists", lists, ("user_id", "item_id", "rank")),
        ("truth", truth, ("user_id", "item_id")),
    ):
        for column in needed:
            if column not in frame.columns:
                raise InputError(f"the frame '{name}' has no such column", column=column)
    if not len(truth):
        raise InputError("truth has no rows, so no metric is defined")
    rank = _ranks(lists["rank"])
    kept = None
    if not any(
        m.whole for m in wanted.values()
    ):  # most rows of long lists stop here, before any id is read
        kept = pc.less_equal(pa.array(rank), k)
        rank = rank[rank <= k]
    with ThreadPoolExecutor(2) as pool:  # both columns at once: pyarrow works without the lock
        of_users = pool.submit(_codes, lists, truth, "user_id", kept, grouped=True)
        of_items = pool.submit(_codes, lists, truth, "item_id", kept)
        users, true_user, user = of_users.result()
        items, true_item, item = of_items.result()
    # Codes follow first appearance, truth first: users of the lists alone come last.
    n_users = int(true_user.max()) + 1
    if len(users) > n_users:
        judged = user < n_users
        user, item, rank = user[judged], item[judged], rank[judged]
    places = np.full((n_users, int(rank.max(initial=1))), -1, dtype=np.int32)
    places[user, rank - 1] = item
    if np.count_nonzero(places >= 0) < len(rank):
        who, at = _first_repeated(user, rank)
        raise InputError(f"user '{users[who]}' has two items at rank {at}", column="rank")
    relevant = RelevantItems(_matrix(true_user, true_item, (n_users, len(items))))
    try:
        values = evaluate_lists(places, relevant, wanted, k)
    except InputError:  # codes, shapes and counts are made here: only duplicates can be wrong
        who, code = _first_repeated(user, item)
        raise InputError(
            f"user '{users[who]}' has item '{items[code]}' twice",
            column="item_id",
            mend="keep the first place of each item only",
        ) from None
    index = pd.Index(users[:n_users].to_pandas(), name="user_id")
    return pd.DataFrame(values, index=index)


def _ranks(column: pd.Series) -> NDArray[np.integer]:
    rank = column.to_numpy()
    if not np.issubdtype(rank.dtype, np.integer):
        raise InputError(f"ranks are {column.dtype}", column="rank", mend="use whole numbers")
    if len(rank) and rank.min() < 1:
        row = int(np.argmax(rank < 1))
        raise InputError(
            f"the rank is {rank[row]}", column="rank", row=row + 1, mend="count from 1"
        )
    return rank


def _ids(frame: pd.DataFrame, column: str) -> pa.ChunkedArray:
    values = pa.array(frame[column], from_pandas=True)
    if pa.types.is_dictionary(values.type):  # a categorical column
        values = values.cast(values.type.value_type)
    if values.null_count:
        row = int(np.argmax(frame[column].isna().to_numpy())) + 1
        raise InputError("the id is empty", column=column, row=row)
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _codes(
    lists: pd.DataFrame,
    truth: pd.DataFrame,
    column: str,
    kept: pa.Array | None,
    grouped: bool = False,
) -> tuple[pa.Array, NDArray[np.integer], NDArray[np.integer]]:
    """Distinct ids by first appearance, truth first; codes of the truth and of the kept lists.

    With `grouped`, runs of the same id are found first and coded once.
    """
    first, second = _ids(truth, column), _ids(lists, column)
    if kept is not None:
        second = second.filter(kept)
    if pa.types.is_large_string(first.type) or pa.types.is_large_string(second.type):
        first, second = (
            x.cast(pa.large_string()) if pa.types.is_string(x.type) else x for x in (first, second)
        )
    if first.type != second.type:
        raise InputError(
            f"ids are {second.type} in the lists and {first.type} in the truth",
            column=column,
            mend="convert both to strings",
        )
    ids = pa.concat_arrays(first.chunks + second.chunks)
    if grouped:
        runs = pc.run_end_encode(ids)
        ends = runs.run_ends.to_numpy()
        distinct, codes = encode(runs.values)
        codes = np.repeat(codes, np.diff(ends, prepend=0))
    else:
        distinct, codes = encode(ids)
    return distinct, codes[: len(first)], codes[len(first) :]


def _matrix(
    user: NDArray[np.integer], item: NDArray[np.integer], shape: tuple[int, int]
) -> sparse.csr_array:
    """Csr of the distinct pairs, sorted: one sort of single numbers beats one of pairs."""
    key = np.sort(user.astype(np.int64) * shape[1] + item)
    key = key[np.diff(key, prepend=-1) != 0]
    row, column = np.divmod(key, shape[1])
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=shape[0]))])
    small = np.int32 if max(len(key), *shape) < 2**31 else np.int64
    return sparse.csr_array(
        (np.ones(len(key), dtype=bool), column.astype(small), starts.astype(small)), shape=shape
    )


def _first_repeated(user: NDArray[np.integer], other: NDArray[np.integer]) -> tuple[int, int]:
    """The first (user, other) pair that occurs a second time."""
    pairs = pd.DataFrame({"user": user, "other": other})
    twice = pairs[pairs.duplicated()].iloc[0]
    return int(twice["user"]), int(twice["other"])
