"""The value of a model on the validation part: what blends, text models, towers and searches choose by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from recnb.data import Dataset, splits
from recnb.errors import InputError
from recnb.hashing import hash_ids, mix
from recnb.metrics import METRICS, auc, evaluate_lists, hits
from recnb.metrics.ranking.truth import RelevantItems
from recnb.recommender import Recommender
from recnb.recommender.blocks import top_k_rows, user_blocks
from recnb.recommender.candidates import ahead

MOST_USERS = 1000
ENOUGH_ITEMS = 500
MOST_PARTS = 9
_HIDING = 1013  # a seed of its own: hashes without one order ties and random lists


@dataclass(frozen=True, eq=False)
class Validation:
    """Lists asked of a model for the users of a validation part, and how good they are.

    Attributes
    ----------
    history : Dataset
        What the models are told of the users; its pairs are not listed.
    users : ndarray of int
        Codes of the users asked, rising: at most 1,000 of those with something relevant, by a hash of their ids.
    relevant : csr_matrix of shape (n_users_asked, n_items)
    shelf : ndarray of int or None
        The only items that may be listed; None is the whole catalogue.
    told : Dataset or None
        What to pass to `score` as the history: None where the training rows say it all.
    metric : str
    k : int
    repeats : bool
        Whether known pairs may be listed again.
    """

    history: Dataset
    users: np.ndarray
    relevant: sparse.csr_matrix
    shelf: np.ndarray | None = None
    told: Dataset | None = None
    metric: str = "ndcg"
    k: int = 10
    repeats: bool = False

    @classmethod
    def of(
        cls, train: Dataset, valid: Dataset, most_users: int = MOST_USERS, cells: int | None = None
    ) -> Validation:
        """What a model asks itself while it is fitted on `train` with `valid`.

        Parameters
        ----------
        train, valid : Dataset
            Users without training rows tell the earlier half of their validation rows (:func:`splits.fold_in`).
        most_users : int
        cells : int, optional
            Fewer users where the score matrix would have more cells than this.

        Notes
        -----
        Where most of the relevant pairs are of items that nobody has used, as in a `cold_item` split, these items
        are ranked among themselves; else all are.
        """
        history, asked = splits.fold_in(train, valid)
        told = None if history is train else history
        return cls.asking(history, asked, unused_items(train, asked), told, most_users, cells)

    @classmethod
    def asking(
        cls,
        history: Dataset,
        asked: Dataset,
        shelf: np.ndarray | None = None,
        told: Dataset | None = None,
        most_users: int = MOST_USERS,
        cells: int | None = None,
        *,
        metric: str = "ndcg",
        k: int = 10,
        repeats: bool = False,
    ) -> Validation:
        """The same for given rows and a given shelf."""
        relevant = asked.positives()
        if not repeats:
            relevant = sparse.csr_matrix(relevant - relevant.multiply(history.pairs()))
            relevant.eliminate_zeros()
        relevant.sort_indices()
        if cells is not None:
            width = history.n_items if shelf is None else len(shelf)
            most_users = max(1, min(most_users, cells // max(width, 1)))
        users = np.flatnonzero(np.diff(relevant.indptr))
        order = np.lexsort((history.user_ids[users], hash_ids(history.user_ids[users])))
        users = np.sort(users[order[:most_users]])
        return cls(history, users, relevant[users], shelf, told, metric, k, repeats)

    def needed(self) -> Validation:
        """Itself, for a model that cannot choose without it.

        Raises
        ------
        InputError
            It asks for nobody.
        """
        if not len(self.users):
            raise nobody_asked(self.history.name)
        return self

    @property
    def items(self) -> np.ndarray:
        """Codes of the items that may be listed: the columns of :meth:`lists`."""
        return np.arange(self.history.n_items) if self.shelf is None else self.shelf

    @cached_property
    def _hashes(self) -> tuple[np.ndarray, np.ndarray]:
        return hash_ids(self.history.user_ids)[self.users], hash_ids(self.history.item_ids)

    @cached_property
    def _known(self) -> sparse.csr_matrix:
        return self.barred[:, self.items].tocsr()

    @cached_property
    def _truth(self) -> RelevantItems:
        return RelevantItems(self.relevant)

    def lists(self, scores: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
        """Item codes of the best `k` of each user.

        Parameters
        ----------
        scores : ndarray of shape (n_rows, len(items))
            Of the users of `rows`; not changed.
        rows : slice
            Positions in `users`.

        Returns
        -------
        ndarray of shape (n_rows, k), int64
            -1 where a list is short.
        """
        scores = np.array(scores, dtype=np.float32)
        if not self.repeats:
            row, column = self._known[rows].nonzero()
            scores[row, column] = -np.inf
        user_hash, item_hash = self._hashes
        best = top_k_rows(scores, self.k, user_hash[rows], item_hash[self.items])
        return np.where(best >= 0, self.items[best], -1)

    def hits(self, lists: np.ndarray) -> np.ndarray:
        """Which places of the lists of all users hold something relevant: bool, the shape of `lists`."""
        return hits(lists, self._truth)

    def value_of_lists(self, lists: np.ndarray) -> float:
        """The mean of the metric over the users."""
        values = evaluate_lists(lists, self._truth, [self.metric], self.k)[self.metric]
        return float(values.mean())

    def value_of_scores(self, scores: np.ndarray) -> float:
        """The value of scores of shape (n_users_asked, len(items))."""
        return self.value_of_lists(self.lists(scores))

    def value(self, model: Recommender) -> float:
        """The value of a model that is fitted on the training part, told which items may be listed."""

        def scores(rows: slice) -> np.ndarray:
            barred = None if self.repeats else self.barred[rows]
            return model.score_among(self.users[rows], self.allowed, barred, self.told)

        with ahead(len(self.users)):
            return self._value(scores)

    def value_of(self, score: Callable[[np.ndarray], np.ndarray]) -> float:
        """The value of what `score` gives for some users: (n_users, n_items)."""
        return self._value(lambda rows: score(self.users[rows]))

    def _value(self, score: Callable[[slice], np.ndarray]) -> float:
        if METRICS[self.metric].needs == "scores":
            return self._area(score)
        blocks = [self.lists(score(rows)[:, self.items], rows) for rows in self.blocks()]
        return self.value_of_lists(np.concatenate(blocks))

    @cached_property
    def allowed(self) -> np.ndarray | None:
        """The shelf as a mask of shape (n_items,); None where everything may be listed."""
        if self.shelf is None:
            return None
        mask = np.zeros(self.history.n_items, bool)
        mask[self.shelf] = True
        return mask

    @cached_property
    def barred(self) -> sparse.csr_matrix:
        """The known pairs of the users asked: (n_users_asked, n_items)."""
        return self.history.pairs()[self.users]

    def _area(self, score: Callable[[slice], np.ndarray]) -> float:
        """The mean AUC over the users for whom it is defined."""
        values = []
        for rows in self.blocks():
            relevant = self.relevant[rows][:, self.items].toarray().astype(bool)
            candidates = np.ones(relevant.shape, bool)
            if not self.repeats:
                candidates[self._known[rows].nonzero()] = False
            some = (relevant & candidates).any(axis=1)
            scores = score(rows)[:, self.items]
            values.append(auc(scores[some], relevant[some], candidates[some]))
        return float(np.nanmean(np.concatenate(values)))

    def blocks(self) -> Iterator[slice]:
        """Positions in `users`, few enough at once to be scored in little memory."""
        return (slice(*block) for block in user_blocks(len(self.users), self.history.n_items))


def nobody_asked(name: str) -> InputError:
    """The refusal of a validation part by which nothing can be chosen."""
    return InputError(
        "no user has a relevant row in the validation part",
        file=name,
        mend="enlarge it, lower relevant_from, or fit without",
    )


def unused_items(train: Dataset, asked: Dataset) -> np.ndarray | None:
    """Codes of the items of `asked` that nobody has used, where most of its relevant pairs are theirs; else None."""
    used = np.bincount(train.interactions["item"], minlength=train.n_items) > 0
    new = np.unique(asked.interactions["item"].to_numpy())
    new = new[~used[new]]
    relevant = asked.positives()
    return new if 2 * relevant[:, new].nnz > relevant.nnz else None


def more_new_items(train: Dataset, valid: Dataset) -> Iterator[tuple[Dataset, Dataset]]:
    """Further pairs of training and validation rows, where the validation part has few new items.

    Each hides as many used items as the validation part has new ones, other items each time and by a hash of their
    ids, until 500 items have been asked for in all or nine parts have; none where the validation part is not of new
    items or has 500.

    Yields
    ------
    train, valid : Dataset
        Training rows without those of the hidden items, and these.

    Notes
    -----
    Settings that are chosen on thirty items fit these thirty: the items, not the users, are then the small sample.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), "The elements of statistical learning", section 7.10 (cross-validation).
    """
    shelf = unused_items(train, splits.fold_in(train, valid)[1])
    if shelf is None:
        return
    item = train.interactions["item"].to_numpy()
    used = np.unique(item)
    ids = train.item_ids[used]
    used = used[np.lexsort((ids, mix(hash_ids(ids), seed=_HIDING)))]
    for start in range(0, len(used) - len(shelf) + 1, len(shelf)):
        if start + len(shelf) >= min(ENOUGH_ITEMS, MOST_PARTS * len(shelf)):
            return
        hidden = np.isin(item, used[start : start + len(shelf)])
        yield train.rows(~hidden), train.rows(hidden)
