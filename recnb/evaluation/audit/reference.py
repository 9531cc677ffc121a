"""Simple references fitted on the known rows, and lists that are better than knowing those rows allows.

The references need no model: popularity, recent popularity, the user's own counts (where buying again counts),
cosines between items, to the whole history and to its last item, and, where there is an order, counts of what followed
the user's last items. Items with fewer than :data:`LEAST_ROWS` known rows are left out: of them only words know
something.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from scipy import sparse

from recnb.evaluation.findings import Finding
from recnb.evaluation.protocol import Task

MOST_USERS = 400
LEAST_ROWS = 3
TOO_GOOD = 1.4
WINDOW, LAST, DECAY = 3, 5, 0.7  # what followed: steps, last items, weight of a step back
MEND = (
    "look what it was fitted on: rows of the test, an embedding or a table made from them? If it is a new kind of "
    "model on known rows alone, the gain is real"
)
MEND_CONTENT = (
    "it was fitted here on the known rows alone, so only what it reads of the items or users could know more: look "
    "whether that was made from all rows; if not, the gain is real"
)


class Reference:
    """Hits of simple references on the test pairs of some users.

    Parameters
    ----------
    task : Task
    k : int
        Places that count.
    """

    def __init__(self, task: Task, k: int) -> None:
        self.task, self.k = task, k
        rng = np.random.default_rng(0)
        relevant = task.relevant.tocsr()
        seen = np.asarray(task.split.history.pairs().sum(axis=0)).ravel()
        kept = relevant.copy().astype(np.float32)
        kept.data[seen[kept.indices] < LEAST_ROWS] = 0
        kept.eliminate_zeros()
        able = np.flatnonzero(np.diff(kept.indptr) > 0)
        self.rows = np.sort(rng.choice(able, min(MOST_USERS, len(able)), replace=False))
        self.users = task.users[self.rows]
        self.targets = kept[self.rows]
        self.targets.sort_indices()
        self.seen = seen

    def cells(self, items: np.ndarray) -> sparse.csr_matrix:
        """Lists of the population, item codes with -1 for empty places, as a matrix over `users`."""
        items = items[self.rows, : self.k]
        rows, places = np.nonzero(items >= 0)
        found = (np.ones(len(rows), np.float32), (rows, items[rows, places]))
        return sparse.csr_matrix(found, shape=self.targets.shape)

    @cached_property
    def places(self) -> dict[str, np.ndarray]:
        """Share of the allowed items that each reference puts above a test pair: name → (n pairs,)."""
        out: dict[str, list[float]] = {name: [] for name in self._scores}
        excluded = self.task.excluded
        for row, user in enumerate(self.users):
            allowed = np.ones(self.targets.shape[1], bool)
            if excluded is not None:
                allowed[excluded[user].indices] = False
            targets = self.targets[row].indices
            for name, scores in self._scores.items():
                line = scores[row] if scores.ndim == 2 else scores
                out[name] += places_of(line[targets], line[allowed]).tolist()
        return {name: np.array(places) for name, places in out.items()}

    @cached_property
    def best(self) -> tuple[str, float]:
        """The best reference, and the share of the test pairs that it finds in `k` places."""
        found = {name: float((places < self.k).mean()) for name, places in self.places.items()}
        name = max(found, key=lambda n: found[n])
        return name, found[name]

    def hits_of(self, lists: sparse.csr_matrix) -> np.ndarray:
        """Which of the pairs stand in lists, a row per user of `users`."""
        coo = self.targets.tocoo()
        order = np.lexsort((coo.col, coo.row))
        return np.asarray(lists[coo.row[order], coo.col[order]]).ravel() > 0

    @cached_property
    def _scores(self) -> dict[str, np.ndarray]:
        split = self.task.split
        known = split.history.pairs().tocsr().astype(np.float32)
        scale = 1 / np.sqrt(np.maximum(self.seen, 1))
        cosines = sparse.csr_matrix(known.multiply(scale.astype(np.float32)))
        rows = split.history.interactions
        n_items = known.shape[1]
        tail = rows
        if "timestamp" in rows:
            tail = rows[rows["timestamp"] >= rows["timestamp"].quantile(0.8)]
        # Ties by a fraction of a row, the same for all.
        tie = np.random.default_rng(1).random(n_items) / 2
        last = rows.groupby("user")["item"].last().reindex(self.users)
        last_item = sparse.csr_matrix(
            (
                np.ones(last.notna().sum(), np.float32),
                (np.flatnonzero(last.notna()), last.dropna().astype(int)),
            ),
            shape=(len(self.users), n_items),
        )
        out = {
            "popularity": self.seen + tie,
            "recent popularity": np.bincount(tail["item"], minlength=n_items) + tie,
            "item cosines": self._like(cosines, cosines[self.users]),
            "cosines to the last item": self._like(cosines, last_item.multiply(scale).tocsr()),
        }
        if split.dataset.order is not None:
            out["counts of what followed the last items"] = self._followers()
        if self.task.excluded is None:
            mine = rows[rows["user"].isin(self.users)]
            place = np.searchsorted(self.users, mine["user"])
            counts = sparse.csr_matrix(
                (np.ones(len(mine)), (place, mine["item"])), shape=(len(self.users), n_items)
            )
            out["own counts"] = counts.toarray() + tie
        return out

    def _followers(self) -> np.ndarray:
        """How often an item came within a few events of one of the user's last, over the root of both counts."""
        history = self.task.split.history
        rows = history.interactions.iloc[history.in_time]
        users, items = rows["user"].to_numpy(), rows["item"].to_numpy()
        n_items = self.targets.shape[1]
        back = np.searchsorted(users, users, "right") - 1 - np.arange(len(users))
        newest = np.flatnonzero((back < LAST) & np.isin(users, self.users))
        place = np.searchsorted(self.users, users[newest])
        shape = (len(self.users), n_items)
        last = sparse.csr_matrix((DECAY ** back[newest], (place, items[newest])), shape=shape)
        wanted = np.zeros(n_items, bool)
        wanted[items[newest]] = True
        counts = sparse.csr_matrix((n_items, n_items))
        for step in range(1, WINDOW + 1):
            pairs = np.flatnonzero((users[step:] == users[:-step]) & wanted[items[:-step]])
            cells = np.full(len(pairs), 1 / step), (items[pairs], items[pairs + step])
            counts = counts + sparse.csr_matrix(cells, shape=counts.shape)
        scale = sparse.diags(1 / np.sqrt(np.maximum(np.bincount(items, minlength=n_items), 1)))
        return np.asarray((last @ scale @ counts @ scale).todense())

    @staticmethod
    def _like(cosines: sparse.csr_matrix, history: sparse.csr_matrix) -> np.ndarray:
        return np.asarray(((history @ cosines.T.tocsr()) @ cosines).todense())


def places_of(targets: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """How many candidates stand above each target, which is one of them, half of the ties counted."""
    if len(targets) <= 32:  # counting is cheaper than sorting a whole catalogue
        higher = np.array([(candidates > value).sum() for value in targets])
        tied = np.array([(candidates == value).sum() - 1 for value in targets])
        return higher + tied / 2
    order = np.sort(candidates)
    right = np.searchsorted(order, targets, "right")
    above = len(order) - right
    return above + (right - np.searchsorted(order, targets, "left") - 1) / 2


def too_good(
    reference: Reference,
    name: str,
    lists: sparse.csr_matrix,
    others: Mapping[str, float],
    fitted_here: bool = False,
) -> list[Finding]:
    """Lists that find far more than the best of the references and of the models fitted in this run.

    Parameters
    ----------
    reference : Reference
    name : str
    lists : csr_matrix of shape (len(reference.users), n_items)
        Nonzero where an item is listed.
    others : mapping of str to float
        Models fitted in this run, and the share of the same pairs that each finds.
    fitted_here : bool
        A model of recnb that this evaluation fitted on the known rows: never more than a warning.
    """
    if not len(reference.users):
        return []
    hit = reference.hits_of(lists)
    best, value = max([reference.best, *others.items()], key=lambda pair: pair[1])
    value = max(value, reference.k / reference.targets.shape[1])
    share = float(hit.mean())
    spread = np.sqrt(max(value * (1 - value), 1e-9) / len(hit))
    if share < TOO_GOOD * value or (share - value) / spread < 5:
        return []
    hard = np.min([p / reference.targets.shape[1] for p in reference.places.values()], axis=0) > 0.1
    beyond = (
        f", {hit[hard].mean():.0%} also of those that every reference puts outside its first tenth"
        if hard.any()
        else ""
    )
    sure = not fitted_here and hard.sum() >= 20 and hit[hard].mean() > 0.5 * value
    return [
        Finding(
            "too_good",
            "error" if sure else "warning",
            share / value,
            len(reference.users),
            f"{name} finds {share:.1%} of the test pairs of {len(reference.users):,} users, {share / value:.1f} times "
            f"as many as the best that was fitted on the known rows ({best}, {value:.1%}){beyond}",
            MEND_CONTENT if fitted_here else MEND,
        )
    ]


def better_than_known(
    reference: Reference,
    listed: Mapping[str, sparse.csr_matrix],
    fitted_here: Mapping[str, bool] | None = None,
) -> list[Finding]:
    """Who finds more than the known rows allow; a model that does not raises the bar for the next.

    Parameters
    ----------
    reference : Reference
    listed : mapping of str to csr_matrix
        By model, nonzero where an item is listed.
    fitted_here : mapping of str to bool, optional
        Models of recnb that this evaluation fitted on the known rows, and whether they read ids alone. Those cannot
        know more than the known rows: they are not suspected, and raise the bar for all others.
    """
    out: list[Finding] = []
    if not len(reference.users):
        return out
    fitted_here = fitted_here or {}
    share = {name: float(reference.hits_of(cells).mean()) for name, cells in listed.items()}
    cleared = {name: share[name] for name in share if fitted_here.get(name)}
    for name in sorted(share.keys() - cleared.keys(), key=lambda n: (share[n], n)):
        above = too_good(reference, name, listed[name], cleared, name in fitted_here)
        out += above
        if not above:
            cleared[name] = share[name]
    return out
