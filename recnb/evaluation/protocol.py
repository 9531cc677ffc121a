"""`Protocol`: how models are judged, and `Task`: a split prepared for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from recnb.data import Dataset, Split
from recnb.data.matrices import csr
from recnb.data.turns import Events
from recnb.errors import InputError
from recnb.metrics import METRICS, Metric, RelevantItems, resolve
from recnb.metrics.intervals import check_interval

Key = tuple[str, int | None, str]  # metric, k, candidates
REPEATS = ("exclude", "include")
RATING_METRICS = ("rmse", "mae")
LOWER_IS_BETTER = frozenset(name for name, metric in METRICS.items() if metric.lower_is_better)


@dataclass(frozen=True)
class Protocol:
    """How models are judged.

    Parameters
    ----------
    k : int or sequence of int
        Cut-offs of the lists.
    metrics : sequence of str
        Names of :data:`recnb.metrics.METRICS` that need lists or scores; the first one is the headline. Errors
        of ratings are measured beside them where a model predicts any.
    relevant_from : float, optional
        The rating from which a test item is relevant; None means the data set's own rule.
    repeats : {"exclude", "include"}
        Whether known items may be recommended (and count) again.
    draws : int
        Bootstrap and randomisation draws, at least 1,000.
    seed : int
        Seed of the draws.
    interval : {"percentile", "bca"}
        Of values. "bca" covers better where most users score 0; differences have percentiles always, which cover
        better for them (:func:`recnb.metrics.bootstrap`).
    next_event : bool
        Judge each relevant test event on its own, told everything that came before it, the user's earlier test events
        among it; a user's value is the mean over the own events. False: one list a user, from what is known on the day
        of the test, for all test rows together. Models are not fitted again between events.

    Examples
    --------
    >>> Protocol(k=(5, 10)).ks
    (5, 10)
    """

    k: int | tuple[int, ...] = 10
    metrics: tuple[str, ...] = ("ndcg", "recall")
    relevant_from: float | None = None
    repeats: str = "exclude"
    draws: int = 2000
    seed: int = 0
    interval: str = "percentile"
    next_event: bool = False

    def __post_init__(self) -> None:
        metrics = (self.metrics,) if isinstance(self.metrics, str) else tuple(self.metrics)
        object.__setattr__(self, "metrics", metrics)
        if isinstance(self.k, Sequence):
            object.__setattr__(self, "k", tuple(self.k))
        if not metrics:
            raise InputError("no metric", mend="name at least one")
        resolve(metrics, needs=("lists", "scores"))
        whole = (int, np.integer)
        if not self.ks or any(
            isinstance(k, bool) or not isinstance(k, whole) or k < 1 for k in self.ks
        ):
            raise InputError(f"k={self.k}", mend="whole numbers of at least 1")
        if self.repeats not in REPEATS:
            raise InputError(f"repeats='{self.repeats}'", mend=f"one of {', '.join(REPEATS)}")
        check_interval(self.interval)
        if self.draws < 1000:
            raise InputError(f"draws={self.draws}", mend="at least 1,000")

    @property
    def ks(self) -> tuple[int, ...]:
        """The cut-offs as a tuple."""
        return self.k if isinstance(self.k, tuple) else (self.k,)

    @property
    def table(self) -> dict[str, Metric]:
        """The metrics by name, with what each needs."""
        return resolve(self.metrics, needs=("lists", "scores"))

    def keys(self, shelves: Iterable[str]) -> list[Key]:
        """What is measured, the headline first: the shelf before the catalogue."""
        return [
            (name, k, shelf)
            for shelf in shelves
            for name, metric in self.table.items()
            for k in (self.ks if metric.cut else (None,))
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        return {**asdict(self), "k": list(self.ks), "metrics": list(self.metrics)}


@dataclass(frozen=True, eq=False)
class Asked:
    """Lists that are asked for together.

    Attributes
    ----------
    rows : ndarray of int
        Which of the lists of a :class:`Task` they are.
    users : ndarray of int
        The user code of each.
    history : Dataset or None
        What `score` is told; None where the training rows say it all.
    excluded : csr_matrix of shape (n_users, n_items) or None
        What is not listed.
    """

    rows: np.ndarray
    users: np.ndarray
    history: Dataset | None
    excluded: sparse.csr_matrix | None


class NobodyToJudge(InputError):
    """No user has a relevant test item that was not known before."""


class Task:
    """A split prepared for judging: who counts, what is relevant for them, what may be listed.

    Attributes
    ----------
    split : Split
        With the protocol's threshold of relevance.
    users : ndarray of int
        Codes of the population: every user with at least one relevant test item.
    relevant : csr_matrix of shape (len(users), n_items)
    excluded : csr_matrix of shape (n_users, n_items) or None
        What is never listed.
    shelves : dict of str to ndarray or None
        Names of candidate sets to their item codes; None is the whole catalogue.
    events : Events or None
        With ``next_event`` the judged events, a list each; else there is a list for each of `users`.
    told : bool
        Whether `score` is told all that is known even where the training rows say it: for models fitted on older rows.
    """

    def __init__(
        self,
        split: Split,
        protocol: Protocol,
        most_users: int | None = None,
        told: bool = False,
    ) -> None:
        self.told = told
        ds = split.dataset.with_relevance(protocol.relevant_from)
        self.split = split.with_dataset(ds) if ds is not split.dataset else split
        self.protocol = protocol
        self.excluded: sparse.csr_matrix | None = None
        self.events: Events | None = None
        if protocol.next_event:
            events = Events.of(self.split, protocol.repeats == "include")
            self.events = events if most_users is None else events.among(most_users)
        relevant = self.split.test.positives() if self.events is None else self._judged(self.events)
        if protocol.repeats == "exclude":
            self.excluded = self.split.history.pairs()
            if self.events is None:
                relevant = relevant - relevant.multiply(self.excluded)
                relevant.eliminate_zeros()
        relevant = sparse.csr_matrix(relevant)
        self.users = np.flatnonzero(np.diff(relevant.indptr) > 0)
        if not len(self.users):
            raise self._nobody()
        self.relevant = relevant[self.users]
        self.shelves: dict[str, np.ndarray | None] = {"catalogue": None}
        if split.candidates is not None:
            self.shelves = {"shelf": split.candidates, "catalogue": None}

    def _nobody(self) -> NobodyToJudge:
        """Why no user can be judged: nothing relevant, or all of it known already."""
        name, test = self.split.dataset.name, self.split.test.positives().astype(bool)
        if not test.nnz:
            return NobodyToJudge(
                f"no user of '{name}' has a relevant test item",
                mend="lower relevant_from, or enlarge the test part",
            )
        once = "let each row stand in one part; where buying again counts, use --repeats include"
        for part, rows in (("validation", self.split.valid), ("training", self.split.train)):
            if rows is not None and test.multiply(rows.pairs().astype(bool)).nnz == test.nnz:
                return NobodyToJudge(
                    f"all {test.nnz:,} relevant test pairs of '{name}' stand in the {part} part too: the same rows on "
                    "both sides",
                    mend=once,
                )
        return NobodyToJudge(
            f"all {test.nnz:,} relevant test pairs of '{name}' are known before the test",
            mend=once,
        )

    def _judged(self, events: Events) -> sparse.csr_matrix:
        """The items of the judged events by user: csr of shape (n_users, n_items)."""
        shape = self.dataset.n_users, self.dataset.n_items
        return csr(events.users, events.items, np.ones(len(events)), shape, binary=True)

    @cached_property
    def rows(self) -> np.ndarray:
        """Whose list each is, as a place in `users`: (n_lists,), int."""
        if self.events is None:
            return np.arange(len(self.users))
        return np.searchsorted(self.users, self.events.users)

    @cached_property
    def first_rows(self) -> np.ndarray:
        """Each user's first list, (len(users),), int."""
        return np.searchsorted(self.rows, np.arange(len(self.users)))

    def asked(self) -> Iterator[Asked]:
        """All lists that are judged, with what is known at each: at once, or in turns of one event a user."""
        if self.events is None:
            yield Asked(np.arange(len(self.users)), self.users, self.history, self.excluded)
            return
        for turn in self.events.turns():
            barred = None if self.excluded is None else turn.history.pairs()
            yield Asked(turn.events, turn.users, turn.history, barred)

    def per_user(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means over each user's lists, NaN left out: codes and values of the users who have one."""
        if self.events is None:
            there = ~np.isnan(values)
            return self.users[there], values[there]
        there = ~np.isnan(values)
        rows = self.rows[there]
        n = np.bincount(rows, minlength=len(self.users))
        sums = np.bincount(rows, values[there], minlength=len(self.users))
        return self.users[n > 0], sums[n > 0] / n[n > 0]

    @property
    def dataset(self) -> Dataset:
        """The whole data set, with the protocol's threshold of relevance."""
        return self.split.dataset

    def room(self, shelf: str) -> np.ndarray:
        """How many items each list can hold at least: the candidates less what is never listed; (n_lists,), int."""
        codes = self.shelves[shelf]
        n = self.dataset.n_items if codes is None else len(codes)
        if self.excluded is None:
            return np.full(len(self.rows), n)
        if self.events is not None:
            return np.maximum(n - self.events.n_known, 0)
        barred = self.excluded[self.users]
        return n - np.diff((barred if codes is None else barred[:, codes].tocsr()).indptr)

    @cached_property
    def truth(self) -> RelevantItems:
        """The relevant items of each list, made ready once to be looked up by the lists of every model."""
        return RelevantItems(self.relevant_of(np.arange(len(self.rows))))

    def relevant_of(self, lists: np.ndarray) -> sparse.csr_matrix:
        """The relevant items of some lists, csr of shape (len(lists), n_items)."""
        if self.events is None:
            return self.relevant[lists]
        ones = (np.ones(len(lists), np.float32), (np.arange(len(lists)), self.events.items[lists]))
        return sparse.csr_matrix(ones, shape=(len(lists), self.dataset.n_items))

    @cached_property
    def history(self) -> Dataset | None:
        """All that is known, where there are given rows of cold users or the task is `told`; else None."""
        known, history = self.split.known, self.split.history
        more = len(history.interactions) > len(known.interactions)
        return history if self.told or more else None

    @cached_property
    def rated(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """User codes, item codes and ratings of the test rows; None where nothing is rated."""
        if self.dataset.feedback != "explicit":
            return None
        rows = self.split.test.interactions
        rows = rows[rows["rating"].notna()]
        if rows.empty:
            return None
        return rows["user"].to_numpy(), rows["item"].to_numpy(), rows["rating"].to_numpy()
