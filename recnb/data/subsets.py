"""Parts of a data set, and the same data with something changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from recnb.data import media
from recnb.data.checks.tables import ORDER
from recnb.data.media import Media
from recnb.errors import InputError

Data = TypeVar("Data", bound="Subsets")


class Subsets:
    """Other data sets made from one: a part of :class:`recnb.data.Dataset`."""

    interactions: Any
    users: Any
    items: Any
    name: str
    feedback: str
    media: Mapping[str, Media]
    notes: tuple[str, ...]
    n_users: Any
    n_items: Any
    item_ids: Any
    identity: Any
    id_hashes: Any
    tie_seed: int
    threshold: Any
    pairs: Any

    def _changed(self: Data, **changes: Any) -> Data:
        return replace(self, **changes)  # type: ignore[type-var]

    def rows(self: Data, mask: np.ndarray) -> Data:
        """The same users and items with some of the interactions (a boolean mask or row numbers)."""
        # Sorted: within a user, rows stand in time order.
        kept = (
            self.interactions[mask] if mask.dtype == bool else self.interactions.iloc[np.sort(mask)]
        )
        part = self._changed(interactions=kept.reset_index(drop=True))
        part.__dict__["identity"] = self.identity  # the same users and items: not hashed again
        if "id_hashes" in self.__dict__:
            part.__dict__["id_hashes"] = self.id_hashes
        return part

    def with_tie_seed(self: Data, tie_seed: int) -> Data:
        """The same data with events of one time in another order; the rows themselves stay where they are."""
        if tie_seed == self.tie_seed:
            return self
        turned = self._changed(tie_seed=tie_seed)
        for name in ("identity", "id_hashes"):
            if name in self.__dict__:
                turned.__dict__[name] = self.__dict__[name]
        return turned

    def with_notes(self: Data, *notes: str) -> Data:
        """The same data with more said about it."""
        return self._changed(notes=(*self.notes, *(n for n in notes if n)))

    def with_relevance(self: Data, relevant_from: float | None) -> Data:
        """The same data with another threshold of relevance."""
        return self if relevant_from is None else self._changed(relevant_from=relevant_from)

    def with_media(self: Data, **changes: Media | None) -> Data:
        """The same data with some of the media added or replaced; None drops one.

        Examples
        --------
        >>> import pandas as pd
        >>> from recnb.data import Dataset, media
        >>> ds = Dataset.from_frames(pd.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "y"]}))
        >>> ds.with_media(look=media.from_vectors([[0.5, 1.0]], ids=["y"]))
        Dataset('data', implicit, 2 users, 2 items, 2 interactions, 1 with look)

        Raises
        ------
        InputError
            A name that means something else, or media of other items only.
        """
        kept = dict(self.media)
        notes = [n for n in self.notes if n.partition(":")[0] not in changes]
        for name, each in changes.items():
            kept.pop(name, None)
            if each is None:
                continue
            media.check_name(name, each.kind)
            n = int(media.known(each, self.item_ids).sum())
            if len(each) and not n:
                raise InputError(
                    f"none of the {len(each):,} items of '{name}' is here, '{each.ids[0]}' for one",
                    file=self.name,
                    mend="use the items' ids",
                )
            kept[name] = each
            left = f"; left out: {each.left_out}" if each.left_out else ""
            notes.append(f"{name}: {n:,} of {self.n_items:,} items{left}")
        return self._changed(media=kept, notes=tuple(notes))

    def keep(self: Data, users: np.ndarray | None = None, items: np.ndarray | None = None) -> Data:
        """Only these users and items (boolean masks over the codes), with new codes."""
        user_mask = checked_mask(users, self.n_users, "users")
        item_mask = checked_mask(items, self.n_items, "items")
        u, i = self.interactions["user"].to_numpy(), self.interactions["item"].to_numpy()
        rows = self.interactions[user_mask[u] & item_mask[i]].reset_index(drop=True)
        if rows.empty:
            raise InputError("no interaction is left", file=self.name, mend="ask for less")
        rows["user"] = (np.cumsum(user_mask) - 1).astype(np.int32)[rows["user"]]
        rows["item"] = (np.cumsum(item_mask) - 1).astype(np.int32)[rows["item"]]
        return self._changed(
            interactions=rows, users=self.users[user_mask], items=self.items[item_mask]
        )

    def in_order(self: Data, users: np.ndarray, items: np.ndarray) -> Data:
        """The same data with users and items in another order, and so with other codes.

        Parameters
        ----------
        users : ndarray of shape (n_users,), int
            The code that the first, second, … of the new users has had.
        items : ndarray of shape (n_items,), int

        Examples
        --------
        >>> import pandas as pd
        >>> from recnb.data import Dataset
        >>> ds = Dataset.from_frames(pd.DataFrame({"user_id": ["b", "a"], "item_id": ["x", "y"]}))
        >>> turned = ds.in_order(np.array([1, 0]), np.array([1, 0]))
        >>> turned.user_ids.tolist(), turned.pairs().toarray().tolist()
        (['b', 'a'], [[0.0, 1.0], [1.0, 0.0]])
        """
        if all((order == np.arange(len(order))).all() for order in (users, items)):
            return self
        rows = self.interactions.assign(
            user=inverse(users).astype(np.int32)[self.interactions["user"]],
            item=inverse(items).astype(np.int32)[self.interactions["item"]],
        )
        by = ["user", *(c for c in ORDER if c in rows), "item"]
        return self._changed(
            interactions=rows.sort_values(by, kind="stable", ignore_index=True),
            users=self.users.iloc[users],
            items=self.items.iloc[items],
        )

    def k_core(self: Data, user: int = 5, item: int | None = None) -> Data:
        """Drop users and items with fewer pairs than asked, again and again until none is left to drop.

        Parameters
        ----------
        user, item : int
            The fewest distinct items per user and users per item (`item` defaults to `user`).

        Notes
        -----
        The filter sees all rows, those of a later test too. It makes data denser and results better; say
        that it was used.
        """
        item = user if item is None else item
        pairs = self.pairs()
        users, items = np.ones(self.n_users, bool), np.ones(self.n_items, bool)
        while True:
            degree_u = pairs @ items.astype(np.float32)
            degree_i = pairs.T @ users.astype(np.float32)
            new_u, new_i = users & (degree_u >= user), items & (degree_i >= item)
            if (new_u == users).all() and (new_i == items).all():
                return self.keep(users, items)
            users, items = new_u, new_i

    def sample_users(self: Data, n: int, seed: int = 0) -> Data:
        """A random `n` of the users with all their rows; items that nobody is left to use are dropped."""
        if n >= self.n_users:
            return self
        chosen = np.zeros(self.n_users, bool)
        chosen[np.random.default_rng(seed).choice(self.n_users, n, replace=False)] = True
        used = np.zeros(self.n_items, bool)
        used[self.interactions["item"][chosen[self.interactions["user"]]]] = True
        return self.keep(chosen, used)

    def to_implicit(self: Data, threshold: float | None = None) -> Data:
        """Only the rows rated at least `threshold` (default: this data set's own), without their ratings."""
        if self.feedback == "implicit":
            return self
        limit = self.threshold if threshold is None else threshold
        rows = self.interactions
        if limit is not None and "rating" in rows:
            rows = rows[rows["rating"].astype(np.float32) >= np.float32(limit)]
        if rows.empty:
            raise InputError(
                f"no rating reaches {limit}", file=self.name, mend="lower the threshold"
            )
        rows = rows.drop(columns="rating", errors="ignore").reset_index(drop=True)
        return self._changed(interactions=rows, feedback="implicit", scale=None, relevant_from=None)


def inverse(order: np.ndarray) -> np.ndarray:
    """Where each code stands in an order of all codes.

    Examples
    --------
    >>> inverse(np.array([2, 0, 1])).tolist()
    [1, 2, 0]
    """
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def checked_mask(mask: np.ndarray | None, n: int, name: str) -> np.ndarray:
    """A boolean mask over `n` codes; all of them where None is given."""
    if mask is None:
        return np.ones(n, bool)
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != (n,):
        raise InputError(
            f"{name} is {mask.dtype} of shape {mask.shape}, expected bool of shape ({n},)",
            mend="pass a mask over the codes",
        )
    return mask
