"""The best-known few-shot benchmark of language models as recommenders, rebuilt from a rating table.

Each row asks: a person liked some and disliked others of the last ten films, will this one be
liked? :func:`few_shot_rows` makes the rows from ratings in the order of their file, and
:func:`untrained_scores` answers them without training anything.

Bao et al., TALLRec: an effective and efficient tuning framework to align large language model with
recommendation, RecSys 2023, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.checks import cells
from recnb.data.door import Reading, read_interactions
from recnb.data.folder import table_file
from recnb.errors import InputError
from recnb.hashing import hash_ids, mix

PARTS = ("train", "valid", "test")
COLUMNS = ("user_id", "item_id", "rating", "timestamp")
PSEUDO = 5.0  # ratings at the mean that steady the like-rate of an item
HALF = 0.5  # liked, and disliked, films added to a history before its log-odds are taken


def ratings_in_file_order(folder: str | Path) -> pd.DataFrame:
    """Read the ratings of a folder without sorting them, since the benchmark depends on that order.

    Parameters
    ----------
    folder : str or Path
        Holds ``u.data`` (MovieLens 100K as published) or a table of interactions.

    Returns
    -------
    DataFrame with `user_id`, `item_id` (str), `rating`, `timestamp`

    Raises
    ------
    InputError
        Neither is there, or a column is missing.
    """
    folder = Path(folder)
    file = table_file(folder, "interactions")
    if file is None:
        from recnb.data.readers.lines import read_delimited

        table = read_delimited(folder / "u.data", "\t", COLUMNS)
        numbers = {"rating": float, "timestamp": np.int64}
        return table.astype({"user_id": str, "item_id": str, **numbers})
    table = read_interactions(file, Reading()).frame
    cells.require(table, COLUMNS, str(file))
    return table[list(COLUMNS)].astype({"user_id": str, "item_id": str})


def few_shot_rows(
    ratings: pd.DataFrame,
    history: int = 10,
    liked_above: float = 3.0,
    sizes: Sequence[int] = (8000, 1000, 1000),
    whole_users: bool = False,
) -> pd.DataFrame:
    """Make the rows of the benchmark: a history of liked or not, and one target.

    Every rating of a user after the first `history` is a target; its history are the `history`
    ratings before it. Users stand one after the other as they first occur in `ratings`, a user's
    rows in order of time, and ties keep the order of the table. Of all these rows the last are
    test, those before them valid, and those before these train; earlier ones are left out.

    Parameters
    ----------
    ratings : DataFrame with `user_id`, `item_id`, `rating`, `timestamp`
        In the order of its file, which decides who is tested; each pair once.
    history : int
        At least 1.
    liked_above : float
        A rating above it says liked.
    sizes : three ints
        Rows of train, valid and test.
    whole_users : bool, default False
        False cuts at the row, as published: one person then may stand in two parts (in
        MovieLens-100K one stands in valid and test). True gives such a person wholly to the later
        part, which grows.

    Returns
    -------
    DataFrame with `user_id`, `item_id`, `liked` (0 or 1), `timestamp`, `history` (item ids, oldest
    first), `history_liked` (0 or 1 each) and `part`

    Raises
    ------
    InputError
        A column is missing, a rating or time is empty, a pair stands twice, or there are too few
        rows to test any.

    Examples
    --------
    >>> table = pd.DataFrame({"user_id": ["u"] * 4, "item_id": list("abcd"),
    ...                       "rating": [5, 2, 4, 3], "timestamp": [1, 2, 3, 4]})
    >>> few_shot_rows(table, history=2, sizes=(1, 0, 1))[["item_id", "liked", "history", "part"]].values.tolist()
    [['c', 1, ['a', 'b'], 'train'], ['d', 0, ['b', 'c'], 'test']]
    """
    table = _checked(ratings)
    if history < 1 or len(sizes) != 3 or min(sizes) < 0 or sizes[2] < 1:
        raise InputError(
            f"history is {history} and sizes {tuple(sizes)}",
            mend="a history of at least 1, and rows of train, valid and test, at least 1 of test",
        )
    place = pd.factorize(table["user_id"])[0]
    table = table.iloc[np.lexsort((table["timestamp"], place))]
    place = np.sort(place)
    item = table["item_id"].to_numpy(object)
    liked = (table["rating"].to_numpy() > liked_above).astype(np.int64)
    nth = np.arange(len(table)) - np.searchsorted(place, place)
    at = np.flatnonzero(nth >= history)
    from_end = len(at) - 1 - np.arange(len(at))
    if whole_users:  # a person's last row decides for all of them
        from_end = pd.Series(from_end).groupby(place[at]).transform("min").to_numpy()
    train, valid, test = sizes
    edges = np.cumsum([test, valid, train])
    part = np.searchsorted(edges, from_end, side="right")  # 0 test, 1 valid, 2 train, 3 left out
    at, part = at[part < 3], part[part < 3]
    if not (part == 0).any():
        raise InputError(
            f"no user has more than {history} ratings", mend="ask for a shorter history"
        )
    before = at[:, None] + np.arange(-history, 0)  # (n_rows, history)
    out = table.iloc[at][["user_id", "item_id"]].reset_index(drop=True)
    out["liked"] = liked[at]
    out["timestamp"] = table["timestamp"].to_numpy()[at]
    out["history"] = item[before].tolist()
    out["history_liked"] = liked[before].tolist()
    return out.assign(part=np.array(PARTS, dtype=object)[2 - part])


def rows_by_user(
    ratings: pd.DataFrame,
    history: int = 10,
    liked_above: float = 3.0,
    users: Sequence[int] = (100, 200),
    per_user: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """The same question about other people: nobody stands in two parts, and many are tested.

    Parameters
    ----------
    ratings : DataFrame with `user_id`, `item_id`, `rating`, `timestamp`
        Each pair once.
    history : int
        At least 1.
    liked_above : float
        A rating above it says liked.
    users : two ints
        People in valid and in test, drawn by a hash of their ids among those with at least
        `history` and `per_user` ratings; the others are train.
    per_user : int
        The last so many ratings of each person are targets, each with the `history` ratings before it.
    seed : int
        Of the hash.

    Returns
    -------
    DataFrame
        As :func:`few_shot_rows` gives it, by part and user.

    Raises
    ------
    InputError
        As :func:`few_shot_rows`; or there are too few people.

    Examples
    --------
    >>> table = pd.DataFrame({"user_id": list("uuuvvvwww"), "item_id": list("abc") * 3,
    ...                       "rating": [5, 2, 4] * 3, "timestamp": [1, 2, 3] * 3})
    >>> rows = rows_by_user(table, history=2, users=(1, 1), per_user=1)
    >>> rows["part"].tolist(), rows["item_id"].tolist(), rows["history"][0]
    (['train', 'valid', 'test'], ['c', 'c', 'c'], ['a', 'b'])
    """
    if min(history, per_user) < 1 or len(users) != 2 or min(users) < 0 or users[1] < 1:
        raise InputError(
            f"history is {history}, per_user {per_user} and users {tuple(users)}",
            mend="a history and targets of at least 1, and people of valid and test, at least 1 of test",
        )
    rows = few_shot_rows(ratings, history, liked_above, (0, 0, len(ratings)), whole_users=True)
    last = rows.groupby("user_id").cumcount(ascending=False).to_numpy()
    n = rows.groupby("user_id")["item_id"].transform("size").to_numpy()
    rows = rows[(last < per_user) & (n >= per_user)]
    people = np.sort(rows["user_id"].unique().astype(object))
    order = people[np.argsort(mix(hash_ids(people), seed=seed), kind="stable")]
    n_valid, n_test = users
    if n_valid + n_test > len(order):
        raise InputError(
            f"{n_valid + n_test} people of {len(order)} with at least {history + per_user} ratings",
            mend="ask for fewer, or for a shorter history",
        )
    part = dict.fromkeys(order, "train")
    part |= dict.fromkeys(order[:n_test], "test")
    part |= dict.fromkeys(order[n_test : n_test + n_valid], "valid")
    rows = rows.assign(part=rows["user_id"].map(part))
    place = rows["part"].map(PARTS.index).to_numpy()
    return rows.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)


def untrained_scores(
    rows: pd.DataFrame, ratings: pd.DataFrame, liked_above: float = 3.0
) -> pd.DataFrame:
    """Score the test rows by four rules that train nothing.

    Parameters
    ----------
    rows : DataFrame
        From :func:`few_shot_rows`.
    ratings : DataFrame
        The whole table the rows were made from.
    liked_above : float
        As the rows were made with.

    Returns
    -------
    DataFrame, one row per test row, in their order

        - `history_share`: share of liked items in the history. All it reads is the question itself.
        - `popularity`: number of ratings of the target by users who stand in neither test nor valid.
        - `like_rate`: share of liked among the earlier ratings of the target by other users, with 5
          pseudo-ratings at the mean of the users outside test and valid.
        - `both`: log-odds of the first and of the third, added.

        The last three read the whole table, so they are no few-shot learners.

    Examples
    --------
    >>> table = pd.DataFrame({"user_id": list("vvuuu"), "item_id": list("acabc"),
    ...                       "rating": [5, 2, 5, 2, 1], "timestamp": [1, 2, 3, 4, 5]})
    >>> rows = few_shot_rows(table, history=2, sizes=(0, 0, 1))

    One of two was liked; one other rated c, below the mean of 1/2: (0 + 5/2) / (1 + 5).

    >>> untrained_scores(rows, table).round(3).values.tolist()
    [[0.5, 1.0, 0.417, -0.336]]
    """
    table = _checked(ratings)
    test = rows[rows["part"] == "test"]
    judged = rows.loc[rows["part"] != "train", "user_id"].unique()
    outside = table[~table["user_id"].isin(judged)]
    if outside.empty:
        raise InputError("every user stands in test or valid", mend="make smaller parts")
    counts = outside["item_id"].value_counts()
    share = np.array([np.mean(h) for h in test["history_liked"]])
    n = np.array([len(h) for h in test["history_liked"]])
    mean = float((outside["rating"] > liked_above).mean())
    rate = _like_rate(test, table, liked_above, mean)
    odds = _log_odds((share * n + HALF) / (n + 2 * HALF)) + _log_odds(rate)
    return pd.DataFrame(
        {
            "history_share": share,
            "popularity": test["item_id"].map(counts).fillna(0.0).to_numpy(float),
            "like_rate": rate,
            "both": odds,
        }
    )


def _like_rate(
    test: pd.DataFrame, table: pd.DataFrame, liked_above: float, mean: float
) -> np.ndarray:
    """Smoothed share of liked among the ratings of each target before its time.

    A user rates an item once, so every earlier rating of the target is another user's.
    """
    names = pd.Index(table["item_id"].unique())
    times = np.unique(table["timestamp"])

    def key(rows: pd.DataFrame) -> np.ndarray:
        item = names.get_indexer(pd.Index(rows["item_id"])).astype(np.int64)
        return item * (len(times) + 1) + np.searchsorted(times, rows["timestamp"])

    keys = key(table)
    order = np.argsort(keys, kind="stable")
    liked = (table["rating"].to_numpy() > liked_above)[order]
    total = np.concatenate([[0], np.cumsum(liked)])
    wanted = key(test)
    end = np.searchsorted(keys[order], wanted)  # strictly earlier
    start = np.searchsorted(keys[order], wanted - wanted % (len(times) + 1))
    return (total[end] - total[start] + PSEUDO * mean) / (end - start + PSEUDO)


def _log_odds(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(p) - np.log1p(-p)


def _checked(ratings: pd.DataFrame) -> pd.DataFrame:
    cells.require(ratings, COLUMNS, "ratings")
    for column in ("rating", "timestamp"):
        empty = ratings[column].isna().to_numpy()
        if empty.any():
            raise InputError(
                "is empty", column=column, row=int(empty.argmax()) + 1, mend="leave such rows out"
            )
    twice = ratings.duplicated(["user_id", "item_id"]).to_numpy()
    if twice.any():
        raise InputError(
            "a user rates an item twice", row=int(twice.argmax()) + 1, mend="keep one of the two"
        )
    return ratings
