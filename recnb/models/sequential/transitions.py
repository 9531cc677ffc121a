"""What follows what: a table of counts, and the reference that a learned sequence model has to beat."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.hashing import hash_ids
from recnb.models.common.liked import ties
from recnb.models.common.recency import check_decay, recency_weights
from recnb.models.common.sequences import EVENTS, FromSequences, Sequences
from recnb.models.common.sparse_rows import strongest, weighted_rows
from recnb.models.sequential.arrivals import arrived, over_ids, places, tails

_DAY = 86_400.0
_PAIRS = 2**23  # pairs counted at once: some 200 MB


class Transitions(FromSequences):
    """Items that follow the user's newest items: counts of "b came within a few events of a".

    Parameters
    ----------
    window : int
        How many events later still count as following.
    distance : float
        A pair `d` events apart counts ``1 / d ** distance``.
    backward : float
        What a pair counts the other way round (b came before a), from 0 (order is all) to 1 (order is nothing).
    decay : float
        What each step back in the user's history costs when scores are asked for; above 0, at most 1.
    normalisation : float
        Counts are divided by ``(n_a * n_b) ** normalisation`` with the items' numbers of events: 0 leaves popular
        items in front, 0.5 is the cosine.
    half_life : float, optional
        In days: old pairs count less, by the time of their later event; data without a clock are refused. None: all
        alike.
    neighbours : int
        Followers kept of each item.
    events : {"liked", "all"}
        Whether only relevant events count, or every one.

    Notes
    -----
    ``score(u, b) = sum_a decay ** steps(u, a) * T[a, b]`` over the user's items, with ``T`` the normalised counts; of
    an item that the user has several times the newest counts. Equal followers are kept by a hash of the ids, an item
    that follows nothing is placed by popularity. Counting takes time in the number of events times `window`, and memory
    in blocks of them; nothing has the size of users times items.

    References
    ----------
    Ludewig & Jannach (2018), "Evaluation of session-based recommendation algorithms", UMUAI, section 3.1.1 (association
    rules, Markov chains, sequential rules with a weight of the distance).

    Examples
    --------
    x is followed by y at once (1) and by z after one more (1/2), in both histories:

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"user_id": list("aaabbbc"), "item_id": list("xyzxyzx"), "position": [0, 1, 2, 0, 1, 2, 0]})
    >>> model = Transitions(normalisation=0.0).fit(Dataset.from_frames(rows))
    >>> model.score(np.array([2])).round(3)
    array([[0., 2., 1.]], dtype=float32)
    """

    cheap = True

    def __init__(
        self,
        window: int = 5,
        distance: float = 1.0,
        backward: float = 0.0,
        decay: float = 0.7,
        normalisation: float = 0.5,
        half_life: float | None = None,
        neighbours: int = 1000,
        events: str = "liked",
    ) -> None:
        self.window = window
        self.distance = distance
        self.backward = backward
        self.decay = decay
        self.normalisation = normalisation
        self.half_life = half_life
        self.neighbours = neighbours
        self.events = events

    def check_data(self, train: Dataset) -> None:
        super().check_data(train)
        self._check_clock(train)

    def _check_clock(self, train: Dataset) -> None:
        if self.half_life is not None and train.order != "timestamp":
            raise InputError(
                f"half_life={self.half_life} counts days and '{train.name}' has no clock",
                column="timestamp",
                mend="add timestamp, or set half_life=None",
            )

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        self._check()
        self.__dict__.pop("raw_", None)  # of an earlier fit
        sequences = self._learn_sequences(train)
        self._check_clock(train)
        self._scale(train, sequences, self._counts(sequences, self._fade(sequences)))

    def _scale(
        self,
        train: Dataset,
        sequences: Sequences,
        blocks: Iterable[tuple[int, sparse.csr_matrix]],
    ) -> None:
        """Keep the strongest followers of each item, from blocks of counts, which are changed."""
        rows = train.positives() if self.events == "liked" else train.pairs()
        self.popularity_ = np.bincount(rows.indices, minlength=train.n_items).astype(np.float32)
        n = np.bincount(sequences.items, minlength=train.n_items)
        scale = np.maximum(n, 1).astype(np.float64) ** -self.normalisation
        hashes = hash_ids(train.item_ids)
        kept = []
        for first, counts in blocks:
            lengths = np.diff(counts.indptr)
            counts.data *= np.repeat(scale[first : first + counts.shape[0]], lengths)
            counts.data *= scale[counts.indices]
            kept.append(strongest(counts.astype(np.float32), self.neighbours, hashes))
        self.followers_ = sparse.vstack(kept, format="csr")

    def _no_new_items(self) -> tuple[str, str]:
        return (
            f"{type(self).__name__} knows items by their events alone",
            "call updated(known) with their first events, or blend with a model of texts",
        )

    def updated(self, known: Dataset) -> Transitions:
        """A copy that has counted the events that came since, too: the same as a new fit on all that is known.

        Parameters
        ----------
        known : Dataset
            The events of the last fit and later ones. Users and items are matched by their ids; there may be new ones.

        Raises
        ------
        InputError
            The model is not fitted, or events of the last fit are missing or stand behind new ones.

        Notes
        -----
        Only pairs whose later event is new are counted. All counts are kept from the first update on, not the strongest
        alone.
        """
        if not self.fitted:
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
        new, items = self._made(known), (self.item_ids_, known.item_ids)
        old = over_ids(
            Sequences.from_arrays(self.sequences_), (self.user_ids_, known.user_ids), items
        )
        tail, late = tails(new, arrived(old, new, known.user_ids, known.item_ids), self.window)
        raw = vars(self).get("raw_")
        raw = self._whole(old, self._fade(old)) if raw is None else _over(raw, *items)
        newest = None if new.times is None or not len(new.items) else float(new.times.max())
        if self.half_life is not None and old.times is not None and len(old.items):
            if newest is None:
                raise InputError(
                    "the last fit had a clock and these data have none",
                    column="timestamp",
                    mend="add timestamp",
                )
            raw = raw * np.exp2((old.times.max() - newest) / (_DAY * self.half_life))
        out = copy.copy(self)
        out.__dict__.pop("_histories", None)
        out.remember(known)
        out.raw_ = raw + self._whole(tail, np.where(late, self._fade(tail, newest), 0.0))
        out.sequences_ = new.to_arrays()
        out._scale(known, new, [(0, out.raw_.copy())])
        return out

    def _whole(self, sequences: Sequences, fade: np.ndarray) -> sparse.csr_matrix:
        """All counts, csr (n_items, n_items), float64."""
        return sparse.vstack([part for _, part in self._counts(sequences, fade)], format="csr")

    def _check(self) -> None:
        whole = {"window": self.window, "neighbours": self.neighbours}
        for name, value in whole.items():
            if value < 1 or value != int(value):
                raise InputError(f"{name}={value}", mend="a whole number of at least 1")
        for name, power in (("distance", self.distance), ("normalisation", self.normalisation)):
            if not 0 <= power < np.inf:
                raise InputError(f"{name}={power}", mend="a number of at least 0")
        if not 0 <= self.backward <= 1:
            raise InputError(f"backward={self.backward}", mend="a number from 0 to 1")
        check_decay(self.decay)
        if self.half_life is not None and not self.half_life > 0:
            raise InputError(f"half_life={self.half_life}", mend="days above 0, or None")
        if self.events not in EVENTS:
            raise InputError(f"events='{self.events}'", mend=f"one of {', '.join(EVENTS)}")

    def _counts(
        self, sequences: Sequences, fade: np.ndarray
    ) -> Iterator[tuple[int, sparse.csr_matrix]]:
        """Weighted counts of some first items at a time: the first item's code, and csr (n, n_items), float64.

        `fade` is what a pair weighs by its later event, (n_events,).
        """
        items, users = sequences.items, sequences.users
        steps = [d for d in range(1, self.window + 1)]
        steps = steps if not self.backward else [*steps, *(-d for d in steps)]
        by_item = np.argsort(items, kind="stable")
        starts = np.searchsorted(items[by_item], np.arange(sequences.n_items + 1))
        for first, stop in _ranges(starts, max(1, _PAIRS // len(steps))):
            events = by_item[starts[first] : starts[stop]]
            followers = np.zeros((len(events), len(steps)), np.int32)
            weights = np.zeros((len(events), len(steps)))
            for place, step in enumerate(steps):
                other = events + step
                inside = (other >= 0) & (other < len(items))
                inside[inside] = users[other[inside]] == users[events[inside]]
                weight = abs(step) ** -self.distance * (self.backward if step < 0 else 1.0)
                followers[inside, place] = items[other[inside]]
                weights[inside, place] = weight * fade[np.maximum(events, other)[inside]]
            there = weights > 0
            indptr = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
            shape = (len(events), sequences.n_items)
            after = sparse.csr_matrix((weights[there], followers[there], indptr), shape=shape)
            own = starts[first : stop + 1] - starts[first]
            which = (np.ones(len(events)), np.arange(len(events)), own)
            yield first, sparse.csr_matrix(which, shape=(stop - first, len(events))) @ after

    def _fade(self, sequences: Sequences, newest: float | None = None) -> np.ndarray:
        """What a pair weighs by the time of its later event, (n_events,); ages are taken from the newest of all."""
        if self.half_life is None or sequences.times is None or not len(sequences.items):
            return np.ones(len(sequences.items))
        age = (sequences.times.max() if newest is None else newest) - sequences.times
        return np.exp2(-age / (_DAY * self.half_life))

    def score_sequences(self, sequences: Sequences) -> np.ndarray:
        weights = recency_weights(sequences, self.decay)
        return weighted_rows(weights, self.followers_) + ties(self.popularity_)

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "window": ("int", 1, 20),
            "distance": ("float", 0.0, 2.0),
            "backward": ("float", 0.0, 1.0),
            "decay": ("float", 0.3, 1.0),
            "normalisation": ("float", 0.0, 0.8),
        }


def _over(raw: sparse.csr_matrix, before: np.ndarray, after: np.ndarray) -> sparse.csr_matrix:
    """Counts between items over the items of later data, matched by their ids."""
    at, held = places(before, after), raw.tocoo()
    shape = (len(after), len(after))
    return sparse.csr_matrix((held.data, (at[held.row], at[held.col])), shape=shape)


def _ranges(starts: np.ndarray, most: int) -> Iterator[tuple[int, int]]:
    """Ranges of items with at most so many events together, or one item."""
    first, n = 0, len(starts) - 1
    while first < n:
        stop = int(np.searchsorted(starts, starts[first] + most, side="right")) - 1
        stop = min(max(stop, first + 1), n)
        yield first, stop
        first = stop
