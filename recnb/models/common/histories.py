"""What users had, in order: as text models are told of it, and as blocks of one width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recnb.data import Dataset
from recnb.errors import InputError


@dataclass(frozen=True)
class Told:
    """One history: item codes, the oldest first, and whether each was liked (None: no opinion is known)."""

    items: tuple[int, ...] = ()
    liked: tuple[bool, ...] | None = None


@dataclass(frozen=True, eq=False)
class Histories:
    """The rows of all users, in order.

    Attributes
    ----------
    start : ndarray of shape (n_users + 1,), int64
    items : ndarray of shape (n_rows,), int64
        Codes; of an item that a user had several times the latest row.
    liked : ndarray of shape (n_rows,), bool
        At or above the threshold of relevance.
    explicit : bool
        Whether opinions are known. Rows without a rating are left out where others have one.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = {"user_id": list("aab"), "item_id": list("xyx"), "rating": [5, 2, 3], "timestamp": [1, 2, 3]}
    >>> ds = Dataset.from_frames(pd.DataFrame(rows), feedback="explicit", scale=(1, 5))
    >>> histories = Histories.of(ds)
    >>> histories.last(0, 10), histories.last(0, 1)
    (Told(items=(0, 1), liked=(True, False)), Told(items=(1,), liked=(False,)))
    """

    start: np.ndarray
    items: np.ndarray
    liked: np.ndarray
    explicit: bool

    @classmethod
    def of(cls, ds: Dataset) -> Histories:
        """The rows of a data set."""
        users = ds.interactions["user"].to_numpy(np.int64)
        items = ds.interactions["item"].to_numpy(np.int64)
        liked = np.ones(len(users), bool)
        if explicit := ds.feedback == "explicit":
            ratings = ds.interactions["rating"].to_numpy(np.float32)
            rated = ~np.isnan(ratings)
            users, items, ratings = users[rated], items[rated], ratings[rated]
            liked = ratings >= np.float32(ds.threshold)
        cell = users * ds.n_items + items
        _, last = np.unique(cell[::-1], return_index=True)
        kept = np.sort(len(cell) - 1 - last)
        start = np.searchsorted(users[kept], np.arange(ds.n_users + 1))
        return cls(start, items[kept], liked[kept], explicit)

    def last(self, user: int, n: int) -> Told:
        """The last `n` rows of a user."""
        return self.before(user, int(self.start[user + 1]), n)

    def before(self, user: int, row: int, n: int) -> Told:
        """The last `n` rows of a user in front of a row."""
        rows = slice(max(int(self.start[user]), row - n), row)
        liked = tuple(self.liked[rows].tolist()) if self.explicit else None
        return Told(tuple(self.items[rows].tolist()), liked)


def check_items(history: Dataset, item_ids: np.ndarray, fewer: bool = False) -> None:
    """Raise unless a history is over the items of a model.

    Parameters
    ----------
    history : Dataset
    item_ids : ndarray of str
        Those of the model.
    fewer : bool
        The last ones, which came by `with_items`, may be missing.

    Raises
    ------
    InputError
        Their number differs, or another id has a code.
    """
    n, ids = history.n_items, history.item_ids
    mend = "pass a history over the items of the training data"
    mend += ", or over all that the model knows" if fewer else ""
    if n == len(item_ids):
        other = ids != item_ids
        if other.any():
            code = int(other.argmax())
            raise InputError(
                f"item {code} of the history is '{ids[code]}', that of the model '{item_ids[code]}'",
                mend=mend,
            )
    elif n > len(item_ids) or not fewer or (ids != item_ids[:n]).any():
        raise InputError(f"the history has {n} items, the model {len(item_ids)}", mend=mend)


def item_codes(histories: Iterable[np.ndarray], n_items: int) -> list[np.ndarray]:
    """Histories of item codes, checked: each int64.

    Raises
    ------
    InputError
        Something else than codes, or one that no item has.

    Examples
    --------
    >>> [codes.tolist() for codes in item_codes([[2, 0], []], 3)]
    [[2, 0], []]
    """
    out, mend = [], f"give item codes, places in model.item_ids_: 0 to {n_items - 1}"
    for place, history in enumerate(histories):
        codes = np.asarray(history)
        if codes.size and (codes.ndim != 1 or codes.dtype.kind not in "iu"):
            raise InputError(f"history {place} holds {codes.flat[0]!s}", mend=mend)
        codes = codes.astype(np.int64).reshape(-1)
        wrong = (codes < 0) | (codes >= n_items)
        if wrong.any():
            raise InputError(f"history {place} holds {codes[wrong][0]}", mend=mend)
        out.append(codes)
    return out


def like_shares(told: Sequence[Told]) -> np.ndarray:
    """Share of liked items in each history, what a judge has to beat; 1/2 for an empty one."""
    return np.array([np.mean(t.liked) if t.liked else 0.5 for t in told])


def padded(
    ds: Dataset, length: int, liked: bool, mean: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """The last `length` items of each user and what was thought of them.

    Parameters
    ----------
    ds : Dataset
        Rows of a user are in their order.
    length : int
    liked : bool
        Only pairs that count as relevant; else all.
    mean : float
        Subtracted from the ratings where `liked` is False and feedback is explicit.

    Returns
    -------
    items : ndarray of shape (n_users, length), int64
        Item codes, the oldest first, -1 where there are fewer.
    values : ndarray of shape (n_users, length), float32
        1, or the rating less `mean`.

    Notes
    -----
    An item that a user had several times stands there as often; :class:`Histories` tells it once.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"user_id": list("aaab"), "item_id": list("xyzx"), "timestamp": [1, 2, 3, 4]})
    >>> padded(Dataset.from_frames(rows), 2, liked=True)[0].tolist()
    [[1, 2], [-1, 0]]
    """
    rows = ds.interactions
    users, items = rows["user"].to_numpy(), rows["item"].to_numpy()
    values = np.ones(len(rows), np.float32)
    if ds.feedback == "explicit":
        ratings = rows["rating"].to_numpy(np.float32)
        if liked:
            keep = ratings >= ds.threshold
            users, items, values = users[keep], items[keep], values[keep]
        else:
            values = np.nan_to_num(ratings - np.float32(mean))
    stop = np.searchsorted(users, np.arange(ds.n_users), side="right")
    place = length - stop[users] + np.arange(len(users))
    inside = place >= 0
    out = np.full((ds.n_users, length), -1, np.int64)
    thought = np.zeros((ds.n_users, length), np.float32)
    out[users[inside], place[inside]] = items[inside]
    thought[users[inside], place[inside]] = values[inside]
    return out, thought
