"""Session neighbours: what the sessions hold that are most like the one going on."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.data.order import GAP_MINUTES
from recnb.errors import InputError
from recnb.hashing import hash_ids, mix
from recnb.models.common.liked import counts, ties
from recnb.models.common.recency import check_decay, recency_weights
from recnb.models.common.sequences import EVENTS, FromSequences, Sequences
from recnb.models.common.sparse_rows import strongest, weighted_rows

_CELLS = 2**21  # of users and sessions compared at once


class SessionKNN(FromSequences):
    """The `k` sessions most like the user's newest one speak for their items.

    Parameters
    ----------
    k : int
        Neighbours.
    decay : float
        What each step back in the user's history costs in the likeness of sessions; above 0, at most 1. 1 is plain
        session neighbours (`sknn`), less is `vsknn`.
    idf : float
        Items count the more, the fewer sessions hold them: their weight is ``1 + idf * log(n_sessions / n_item)``.
    memory : int
        Newest events of the user that are asked about.
    gap_minutes : float
        A pause that ends a session, in minutes; the column `session` wins over it. With positions only, all events of a
        user are one session.
    events : {"liked", "all"}
        Whether only relevant events count, or every one.

    Notes
    -----
    Likeness of the events asked about, with weights ``w_a = decay ** steps(a)``, and a session s: the sum of ``w_a``
    over the shared items, over ``sqrt(n_s)``; an item's score is the sum of the likeness of the neighbours that hold
    it, times its weight. The user's newest session never is its own neighbour. Equal neighbours are kept by a hash;
    without a neighbour the popular items come first.

    References
    ----------
    Jannach & Ludewig (2017), "When recurrent neural networks meet the neighborhood for session-based recommendation",
    RecSys; Ludewig & Jannach (2018), "Evaluation of session-based recommendation algorithms", UMUAI, section 3.3
    (S-KNN, V-SKNN); Ludewig et al. (2021), "Empirical analysis of session-based recommendation algorithms", UMUAI
    (idf).

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"user_id": list("aaabbc"), "item_id": list("xyzxyx"), "position": [0, 1, 2, 0, 1, 0]})
    >>> SessionKNN(decay=1.0).fit(Dataset.from_frames(rows)).score(np.array([2])).round(3)
    array([[1.284, 1.284, 0.577]], dtype=float32)
    """

    cheap = True

    def __init__(
        self,
        k: int = 200,
        decay: float = 0.7,
        idf: float = 0.0,
        memory: int = 100,
        gap_minutes: float = GAP_MINUTES,
        events: str = "liked",
    ) -> None:
        self.k = k
        self.decay = decay
        self.idf = idf
        self.memory = memory
        self.gap_minutes = gap_minutes
        self.events = events

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        self._check()
        sequences = self._learn_sequences(train)
        user, number = _sessions(sequences)
        n = int(number.max(initial=-1)) + 1
        held = (np.ones(len(number), np.float32), (number, sequences.items))
        rows = sparse.csr_matrix(held, shape=(n, sequences.n_items))
        rows.data[:] = 1
        rows.sort_indices()
        self.session_items_ = rows
        first = np.full(n, len(number), np.int64)
        np.minimum.at(first, number, np.arange(len(number)))
        self.session_users_ = user[first]
        self.session_starts_ = _when(sequences)[first]
        self.session_hash_ = mix(
            hash_ids(train.user_ids)[self.session_users_], _nth(self.session_users_)
        )
        in_sessions = np.maximum(counts(rows), 1)
        self.item_weight_ = (1 + self.idf * np.log(max(n, 1) / in_sessions)).astype(np.float32)
        liked = train.positives() if self.events == "liked" else train.pairs()
        self.popularity_ = counts(liked)

    def _check(self) -> None:
        for name, value in {"k": self.k, "memory": self.memory}.items():
            if value < 1 or value != int(value):
                raise InputError(f"{name}={value}", mend="a whole number of at least 1")
        check_decay(self.decay)
        if not self.idf >= 0:
            raise InputError(f"idf={self.idf}", mend="a number of at least 0")
        if self.events not in EVENTS:
            raise InputError(f"events='{self.events}'", mend=f"one of {', '.join(EVENTS)}")

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        return self._score(self.sequences(users, history), np.asarray(users))

    def score_sequences(self, sequences: Sequences) -> np.ndarray:
        return self._score(
            sequences, np.full(len(sequences), -1)
        )  # nobody's: all sessions are others'

    def _score(self, sequences: Sequences, users: np.ndarray) -> np.ndarray:
        query = recency_weights(sequences.last(self.memory), self.decay).astype(np.float64)
        starts = _newest_starts(sequences)
        by_item = self.session_items_.T.tocsr()
        used, place = np.unique(query.indices, return_inverse=True)
        shape = (len(users), len(used))
        query = sparse.csr_matrix((query.data, place.ravel(), query.indptr), shape=shape)
        sessions = by_item[used].astype(np.float64)
        size = max(1, _CELLS // max(self.session_items_.shape[0], 1))
        near = [
            self._near(
                query[at : at + size] @ sessions, users[at : at + size], starts[at : at + size]
            )
            for at in range(0, len(users), size)
        ]
        if not near:
            return np.zeros((0, sequences.n_items), np.float32)
        out = weighted_rows(sparse.vstack(near, format="csr"), self.session_items_)
        out *= self.item_weight_
        return out + ties(self.popularity_)

    def _near(
        self, shared: sparse.csr_matrix, users: np.ndarray, starts: np.ndarray
    ) -> sparse.csr_matrix:
        """The likeness of the nearest sessions of each user, csr (n, n_sessions), from the weights of shared items."""
        near = shared.tocsr()
        session = near.indices
        row = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
        near.data /= np.sqrt(np.diff(self.session_items_.indptr))[session]
        own = self.session_users_[session] == users[row]
        near.data[own & (self.session_starts_[session] == starts[row])] = 0
        near.eliminate_zeros()
        return strongest(near, self.k, self.session_hash_)

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "k": ("int_log", 20, 2000),
            "decay": ("float", 0.3, 1.0),
            "idf": ("float", 0.0, 2.0),
        }


def _sessions(sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Each event's user and the number of its session, from 0, in the order of first events."""
    user = sequences.users
    label = user if sequences.sessions is None else sequences.sessions
    _, first, number = np.unique(label, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    return user, place[number.ravel()]


def _nth(users: np.ndarray) -> np.ndarray:
    """Which session of its user each is, from 0, where a user's stand together."""
    first = np.searchsorted(users, users)
    return (np.arange(len(users)) - first).astype(np.uint64)


def _when(sequences: Sequences) -> np.ndarray:
    """What tells a user's sessions apart by their first events: the time, without a clock the place; (n_events,)."""
    if sequences.times is not None:
        return sequences.times
    first = np.repeat(sequences.offsets[:-1], sequences.lengths)
    return (np.arange(len(sequences.items)) - first).astype(np.float64)


def _newest_starts(sequences: Sequences) -> np.ndarray:
    """When each user's newest session began, by :func:`_when`, (n_users,); 0 without events."""
    out = np.zeros(len(sequences))
    if not len(sequences.items):
        return out
    user, number = _sessions(sequences)
    newest = np.zeros(len(sequences), np.int64)
    some = sequences.lengths > 0
    newest[some] = number[sequences.offsets[1:][some] - 1]
    inside = number == newest[user]
    first = np.flatnonzero(inside)[::-1]
    out[user[first]] = _when(sequences)[first]  # the oldest of each user is written last
    return out
