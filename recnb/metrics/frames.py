"""From two data frames with ids, of any library, to per-user metrics."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from recnb.errors import InputError
from recnb.metrics.membership import count_relevant, hits
from recnb.metrics.ranking import UNCUT, resolve


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
    functions = resolve(metrics)
    for name, frame, columns in (
        ("lists", lists, ("user_id", "item_id", "rank")),
        ("truth", truth, ("user_id", "item_id")),
    ):
        for column in columns:
            if column not in frame.columns:
                raise InputError(f"{name} have no such column", column=column)
    if not len(truth):
        raise InputError("truth has no rows, so no metric is defined")
    rank = _ranks(lists["rank"])
    listed_user, listed_item = _ids(lists, "user_id"), _ids(lists, "item_id")
    if UNCUT.isdisjoint(functions):
        kept = rank <= k  # most rows of long lists stop here, before any id is looked at
        rank, mask = rank[kept], pa.array(kept)
        listed_user, listed_item = listed_user.filter(mask), listed_item.filter(mask)
    users, true_user, user = _codes(_ids(truth, "user_id"), listed_user, "user_id")
    items, true_item, item = _codes(_ids(truth, "item_id"), listed_item, "item_id")
    # Codes follow first appearance, truth first: users of the lists alone come last.
    n_users = int(true_user.max()) + 1
    if len(users) > n_users:
        judged = user < n_users
        user, item, rank = user[judged], item[judged], rank[judged]
    table = np.full((n_users, int(rank.max(initial=1))), -1, dtype=np.int32)
    table[user, rank - 1] = item
    if np.count_nonzero(table >= 0) < len(rank):
        _raise_shared_rank(users, user, rank)
    relevant = sparse.csr_array(
        (np.ones(len(true_user), dtype=bool), (true_user, true_item)), shape=(n_users, len(items))
    )
    try:
        found = hits(table, relevant)
    except InputError as error:
        user_id = users[(error.row or 1) - 1].as_py()
        raise InputError(f"user '{user_id}': {error.problem}", mend=error.mend) from None
    counts = count_relevant(relevant)
    index = pd.Index(users[:n_users].to_pandas(), name="user_id")
    return pd.DataFrame({m: f(found, counts, k) for m, f in functions.items()}, index=index)


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
    first: pa.ChunkedArray, second: pa.ChunkedArray, column: str
) -> tuple[pa.Array, NDArray[np.int32], NDArray[np.int32]]:
    """Distinct ids by first appearance, and the codes of both columns."""
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
    coded = pa.chunked_array(first.chunks + second.chunks, type=first.type)
    joined = pc.dictionary_encode(coded).combine_chunks()
    joined = joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined
    codes = joined.indices.to_numpy()
    return joined.dictionary, codes[: len(first)], codes[len(first) :]


def _raise_shared_rank(users: pa.Array, user: NDArray[np.integer], rank: NDArray) -> None:
    pairs = pd.DataFrame({"user": user, "rank": rank})
    twice = pairs[pairs.duplicated()].iloc[0]
    raise InputError(
        f"user '{users[int(twice['user'])].as_py()}' has two items at rank {int(twice['rank'])}",
        column="rank",
    )
