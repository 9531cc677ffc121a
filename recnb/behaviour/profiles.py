"""A user's preference and intent in words, each word from a computed number that travels along."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.behaviour.mix import CATEGORY_COLUMNS, item_categories
from recnb.data.dataset import Dataset
from recnb.data.describe import in_head
from recnb.errors import InputError

Share = tuple[str, float]
Change = tuple[str, float, float]


@dataclass(frozen=True)
class Profile:
    """What stands out in one user's rows; `str(profile)` says it in sentences.

    Attributes
    ----------
    user_id : str
    verb : str
        What a row is: "buys", "rates", "plays", "views" or "takes".
    rows, items : int
    mostly : tuple of (category, share of the rows)
    unusually : tuple of (category, share of the rows, share among all users)
    returns_to : tuple of (title, number of rows), two or more
    lately_more, lately_less : tuple of (category, share before, share lately)
    head_share : float
        Share of the rows on the most used items that hold half of all pairs.
    """

    user_id: str
    verb: str
    rows: int
    items: int
    mostly: tuple[Share, ...] = ()
    unusually: tuple[Change, ...] = ()
    returns_to: tuple[tuple[str, int], ...] = ()
    lately_more: tuple[Change, ...] = ()
    lately_less: tuple[Change, ...] = ()
    head_share: float = float("nan")

    def __str__(self) -> str:
        if not self.rows:
            return f"User {self.user_id}: nothing is known."
        said = [f"User {self.user_id}: {self.rows:,} rows on {self.items:,} items."]
        if self.mostly:
            said.append(f"{self.verb.capitalize()} mostly {_and(_share(*m) for m in self.mostly)}.")
        if self.unusually:
            parts = (
                f"{n} ({_per_cent(s)}; all users {_per_cent(a)})" for n, s, a in self.unusually
            )
            said.append(f"More than others: {_and(parts)}.")
        if self.returns_to:
            parts = (f"{title} ({n} times)" for title, n in self.returns_to)
            said.append(f"Returns to {_and(parts)}.")
        for word, changes in (("more", self.lately_more), ("less", self.lately_less)):
            if changes:
                parts = (f"{n} ({_per_cent(a)} before, {_per_cent(b)} now)" for n, a, b in changes)
                said.append(f"Lately {word} {_and(parts)}.")
        if self.head_share == self.head_share:
            said.append(f"{self.head_share:.0%} of the rows are on the most popular items.")
        return " ".join(said)


def profile(
    ds: Dataset,
    users: Iterable[str] | None = None,
    category: str | None = None,
    n: int = 3,
    recent: float = 0.2,
    z: float = 3.0,
    min_rows: int = 5,
) -> list[Profile]:
    """Say in words what users prefer, return to, and lately turn to.

    Parameters
    ----------
    ds : Dataset
    users : iterable of str, optional
        User ids; None means all.
    category : str, optional
        Column of the items table; default: the first usual one there is, and no words on categories without one.
    n : int
        The most things named of each kind.
    recent : float in (0, 1)
        "Lately" is this last share of the user's rows; nothing is said about it without an order.
    z : float
        A difference of shares is named only where it is at least so many standard errors of the two-sample test
        of proportions. Rows of one basket are not independent, so read 3 as caution, not as a test.
    min_rows : int
        ... and only where the user has so many rows of the category.

    Returns
    -------
    list of Profile
        In the order of `users`.

    Raises
    ------
    InputError
        An unknown id, or a setting out of range.

    Notes
    -----
    z = (a - b) / sqrt(s (1 - s) (1/n_a + 1/n_b)) with s the pooled share. For "more than others" the second sample
    is the rows of all other users.

    Examples
    --------
    >>> rows = pd.DataFrame({"user_id": list("aaab"), "item_id": [1, 1, 2, 2], "timestamp": [1, 2, 3, 4]})
    >>> items = pd.DataFrame({"item_id": [1, 2], "title": ["Green tea", "Rice"], "category": ["Tea", "Grain"]})
    >>> ds = Dataset.from_frames(rows, items)
    >>> one = profile(ds, ["a"])[0]
    >>> one.mostly, one.returns_to
    ((('Tea', 0.6666666666666666), ('Grain', 0.3333333333333333)), (('Green tea', 2),))
    """
    if n < 1 or not 0 < recent < 1 or not z >= 0:
        raise InputError(
            f"n={n}, recent={recent}, z={z}",
            mend="give n of at least 1, recent between 0 and 1 and z of at least 0",
        )
    wanted = list(ds.users.index if users is None else users)
    codes = ds.users.index.get_indexer(pd.Index(wanted, dtype=ds.users.index.dtype))
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise InputError(f"no user '{wanted[row]}'", row=row + 1, mend="use ids of ds.users")
    if category is None and not any(c in ds.items for c in CATEGORY_COLUMNS):
        names: list[str] = []
        shares = sparse.csr_matrix((ds.n_items, 0))
    else:
        shares, names = item_categories(ds, category)
    whole = _Whole(ds, shares, names)
    rows = ds.interactions["user"].to_numpy()
    starts = np.searchsorted(rows, codes, side="left")
    stops = np.searchsorted(rows, codes, side="right")
    return [
        whole.tell(str(u), a, b, n, recent, z, min_rows) for u, a, b in zip(wanted, starts, stops)
    ]


class _Whole:
    """What all profiles of a data set share."""

    def __init__(self, ds: Dataset, shares: sparse.csr_matrix, names: list[str]) -> None:
        self.shares, self.names, self.verb = shares, names, verb(ds)
        self.ordered, self.n_items = ds.order is not None, ds.n_items
        self.items = ds.interactions["item"].to_numpy()
        self.everyone = np.bincount(self.items, minlength=ds.n_items) @ shares
        self.titles = np.asarray(ds.items.get("title", ds.items.index.to_series()), dtype=object)
        self.head = in_head(ds)

    def tell(
        self, user: str, start: int, stop: int, n: int, recent: float, z: float, min_rows: int
    ) -> Profile:
        mine, others = self.items[start:stop], len(self.items) - (stop - start)
        if not len(mine):
            return Profile(user, self.verb, 0, 0)
        times = np.bincount(mine, minlength=self.n_items)
        mix = self._mix(mine)
        share, common = mix / len(mine), self.everyone / len(self.items)
        enough = mix >= min_rows
        special = _z(mix, len(mine), self.everyone - mix, others) * enough
        n_now = max(1, round(recent * len(mine)))
        n_then = len(mine) - n_now if self.ordered else 0
        now, then = self._mix(mine[-n_now:]), self._mix(mine[:-n_now])
        change = _z(now, n_now, then, n_then) * enough
        before, lately = then / max(n_then, 1), now / n_now
        return Profile(
            user_id=user,
            verb=self.verb,
            rows=len(mine),
            items=int((times > 0).sum()),
            mostly=tuple((self.names[t], float(share[t])) for t in _top(mix, n) if mix[t] > 0),
            unusually=self._named(special, share, common, n, z),
            returns_to=tuple(
                (str(self.titles[t]), int(times[t])) for t in _top(times, n) if times[t] > 1
            ),
            lately_more=self._named(change, before, lately, n, z),
            lately_less=self._named(-change, before, lately, n, z),
            head_share=float(self.head[mine].mean()),
        )

    def _mix(self, items: np.ndarray) -> np.ndarray:
        return np.asarray(self.shares[items].sum(axis=0)).ravel()

    def _named(
        self, scores: np.ndarray, one: np.ndarray, two: np.ndarray, n: int, z: float
    ) -> tuple[Change, ...]:
        top = (t for t in _top(scores, n) if scores[t] >= z and scores[t] > 0)
        return tuple((self.names[t], float(one[t]), float(two[t])) for t in top)


def _top(values: np.ndarray, n: int) -> np.ndarray:
    return np.lexsort((np.arange(len(values)), -values))[:n]


def verb(ds: Dataset) -> str:
    """What most rows are, as a verb: by the event where there is one, else by the feedback.

    Examples
    --------
    >>> verb(Dataset.from_frames(pd.DataFrame({"user_id": ["a"], "item_id": [1], "event": ["buy"]})))
    'buys'
    """
    told = {"buy": "buys", "purchase": "buys", "view": "views", "click": "clicks", "play": "plays"}
    if "event" in ds.interactions and ds.interactions["event"].notna().any():
        most = str(ds.interactions["event"].value_counts().index[0])
        return told.get(most, "takes")
    return {"explicit": "rates", "count": "plays"}.get(ds.feedback, "takes")


def _z(one: np.ndarray, n_one: int, two: np.ndarray, n_two: int) -> np.ndarray:
    """Standard errors between two shares, 0 where nothing can be said."""
    if not n_one or not n_two:
        return np.zeros(len(one))
    pooled = (one + two) / (n_one + n_two)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n_one + 1 / n_two))
    gap = one / n_one - two / n_two
    return np.divide(gap, error, out=np.zeros(len(gap)), where=error > 0)


def _share(name: str, share: float) -> str:
    return f"{name} ({_per_cent(share)})"


def _per_cent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 or share == 0 else "under 1%"


def _and(parts: Iterable[str]) -> str:
    *rest, last = parts
    return f"{', '.join(rest)} and {last}" if rest else last
