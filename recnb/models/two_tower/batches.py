"""Rows of interactions as batches for the two tower's network, negatives and histories among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse

from recnb.data import Dataset
from recnb.data.subsets import inverse
from recnb.errors import InputError
from recnb.models.common.histories import padded
from recnb.models.two_tower.settings import Settings
from recnb.training.batches import LIVE

_LONGEST_SENTENCE = 20  # items


class Rows(NamedTuple):
    """What is learned from: arrays of shape (n_rows,); `ratings` is None for ranking losses."""

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray | None


def rows_of(train: Dataset, settings: Settings, n_in_sentence: int = 0) -> Rows:
    """Each liked pair once, or every rating, in the order of the ids: that of the tables does not matter.

    Parameters
    ----------
    train : Dataset
    settings : Settings
    n_in_sentence : int
        So many of a user's latest items are told in words, and are no targets.

    Raises
    ------
    InputError
        There is none.
    """
    ratings = None
    if settings.scoring.predicts_ratings:
        rated = train.interactions.dropna(subset="rating")
        users, items = rated["user"].to_numpy(), rated["item"].to_numpy()
        ratings = rated["rating"].to_numpy(np.float32)
    else:
        users, items = train.positives().nonzero()
    if not len(users):
        raise InputError("no row to learn from", file=train.name, mend="give liked items")
    order = np.lexsort((_rank(train.item_ids)[items], _rank(train.user_ids)[users]))
    if n_in_sentence:
        in_words = padded(train, n_in_sentence, liked=False)[0]
        order = order[~(in_words[users[order]] == items[order, None]).any(axis=1)]
    return Rows(users[order], items[order], None if ratings is None else ratings[order])


def sentence_length(train: Dataset, settings: Settings) -> int:
    """Items that a user's sentence tells: half of the median history is left to learn from; 0 without sentences."""
    if not settings.users.in_words:
        return 0
    lengths = np.bincount(train.interactions["user"], minlength=train.n_users)
    return max(1, min(_LONGEST_SENTENCE, int(np.median(lengths[lengths > 0])) // 2))


def order_of_ids(ds: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Codes of users and items in the order of their ids, the short ones first, so that numbers are in theirs.

    All that is drawn by chance or summed runs in this order: that of the tables changes no result.
    """

    def order(ids: np.ndarray) -> np.ndarray:
        return np.array(sorted(range(len(ids)), key=lambda code: (len(ids[code]), ids[code])))

    return order(ds.user_ids), order(ds.item_ids)


def _rank(ids: np.ndarray) -> np.ndarray:
    out = np.empty(len(ids), int)
    out[np.argsort(ids, kind="stable")] = np.arange(len(ids))
    return out


@dataclass
class UserFacts:
    """What the network is told of users, an array over all of them each.

    Attributes
    ----------
    items, values : ndarray of shape (n_users, length), optional
        Histories, see :func:`recnb.models.common.histories.padded`.
    texts : ndarray of shape (n_users,), optional
        Row of each user's text.
    traits : ndarray of shape (n_users, n_traits), float32, optional
    text_states : ndarray of shape (n_users, n_layers, dim), float32, optional
        Instead of `texts`, where the table of states has none of these texts.
    known : ndarray of shape (n_users,), bool, optional
        Users with an id vector.
    """

    items: np.ndarray | None = None
    values: np.ndarray | None = None
    texts: np.ndarray | None = None
    traits: np.ndarray | None = None
    known: np.ndarray | None = None
    text_states: np.ndarray | None = None

    @classmethod
    def of_strangers(
        cls, histories: Sequence[np.ndarray], length: int, traits: np.ndarray | None = None
    ) -> UserFacts:
        """People of whom only liked items are known, the oldest first, the last `length` of each.

        `traits` are those of known users, of which a stranger has none.
        """
        latest = [np.asarray(codes, np.int64)[-length:] for codes in histories]
        items = np.full((len(latest), max([1, *map(len, latest)])), -1, np.int64)
        for row, codes in zip(items, latest):
            row[: len(codes)] = codes
        unknown = None if traits is None else np.zeros((len(latest), traits.shape[1]), np.float32)
        return cls(items=items, traits=unknown, known=np.zeros(len(latest), bool))

    def with_histories(self, ds: Dataset, settings: Settings, mean: float) -> UserFacts:
        """These, with the histories in `ds` where the user's vector pools them."""
        if not settings.users.pools:
            return replace(self, items=None, values=None)
        rated = settings.scoring.predicts_ratings
        items, values = padded(ds, settings.users.max_history, not rated, mean)
        return replace(self, items=items, values=values if rated else None)

    def taken(self, users: np.ndarray, items: np.ndarray) -> UserFacts:
        """These in another order: the first user is the one of code `users[0]`; item codes change likewise."""
        rows: dict[str, Any] = {
            name: None if value is None else value[users] for name, value in vars(self).items()
        }
        if self.items is not None:
            rows["items"] = np.where(rows["items"] >= 0, inverse(items)[rows["items"]], -1)
        return UserFacts(**rows)

    def batch(
        self, users: np.ndarray, without: np.ndarray | None = None
    ) -> dict[str, torch.Tensor]:
        """The fields of a batch for some users; `without` is an item per row that the history leaves out."""
        out = {"users": torch.from_numpy(np.asarray(users, np.int64))}
        if self.items is not None:
            history = self.items[users]
            filled = history >= 0
            if without is not None:
                filled &= history != without[:, None]
            out["history"] = torch.from_numpy(np.maximum(history, 0))
            out["here"] = torch.from_numpy(filled)
            if self.values is not None:
                out["values"] = torch.from_numpy(self.values[users])
        for name in ("texts", "traits", "known", "text_states"):
            value = getattr(self, name)
            if value is not None:
                out[name] = torch.from_numpy(value[users])
        return out


@dataclass
class BatchMaker:
    """Makes a batch from row numbers.

    Attributes
    ----------
    users, items : ndarray of shape (n_rows,), int
    ratings : ndarray of shape (n_rows,), float32, optional
        Targets; None for ranking losses.
    facts : UserFacts
    liked : csr_matrix of shape (n_users, n_items), optional
        For ranking losses: what is never a negative of its user.
    n_negatives : int
        Items drawn for each batch, uniformly from those with rows; the batch's own items join them.
    own_only : bool
        No drawn items and no correction: the negatives of InfoNCE.
    context : int
        Rows drawn for a live batch of a ranking loss, beside its own. They stand for all other rows, in which the
        items of the batch are negatives: without them these would only ever be pushed up.
    seed : int
    """

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray | None
    facts: UserFacts
    liked: sparse.csr_matrix | None = None
    n_negatives: int = 1024
    own_only: bool = False
    context: int = 1024
    seed: int = 0
    teacher: Callable[[np.ndarray], np.ndarray] | None = None

    def __post_init__(self) -> None:
        self._used, counts = np.unique(self.items, return_counts=True)
        self._share = counts / max(len(self.items), 1)

    def __call__(
        self, epoch: int, kind: int, rows: np.ndarray, number: int
    ) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng([self.seed, epoch, number])
        own, live = np.unique(self.items[rows]), kind == LIVE
        shares = None
        if live and self.ratings is None:
            rows, shares = self._with_context(rows, rng)
        users, items = self.users[rows], self.items[rows]
        batch = self.facts.batch(users, without=items)
        batch["items"] = torch.from_numpy(items.astype(np.int64))
        batch["kind"] = torch.tensor(kind)
        if live:
            batch["live"] = torch.from_numpy(own.astype(np.int64))
        if self.ratings is not None:
            batch["ratings"] = torch.from_numpy(self.ratings[rows])
            return batch
        if shares is not None:
            batch["shares"] = torch.from_numpy(shares)
        assert self.liked is not None
        if self.own_only:
            candidates = np.unique(items)
        else:
            m = min(self.n_negatives, len(self._used))
            drawn = rng.choice(self._used, m, replace=False) if m < len(self._used) else self._used
            candidates = np.union1d(own, drawn)
            if live:
                # the batch's own items are there for certain, the drawn ones stand for all others
                log_q = np.where(np.isin(candidates, own), 0, np.log(m / len(self._used)))
                own_log_q = np.zeros(len(items))
            else:
                log_q = self._log_expected(candidates, len(rows), m)
                own_log_q = log_q[np.searchsorted(candidates, items)]
            batch["log_q"] = torch.from_numpy(log_q.astype(np.float32))
            batch["own_log_q"] = torch.from_numpy(own_log_q.astype(np.float32))
        # a candidate that its user likes is no negative, the row's own item least of all
        taken = self.liked[users][:, candidates].toarray() > 0
        at = np.searchsorted(candidates, items).clip(max=len(candidates) - 1)
        taken[np.arange(len(rows)), at] |= candidates[at] == items
        batch["candidates"] = torch.from_numpy(candidates.astype(np.int64))
        batch["open"] = torch.from_numpy(~taken)
        if self.teacher is not None:
            distinct, place = np.unique(users, return_inverse=True)
            scores = self.teacher(distinct)
            own_scores = scores[place, items][:, None]
            both = np.concatenate([own_scores, scores[place][:, candidates]], axis=1)
            batch["teacher"] = torch.from_numpy(both.astype(np.float32))
        return batch

    def _with_context(
        self, rows: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the batch and a sample of all others; weights, of which the sample has the others' number."""
        others = np.setdiff1d(np.arange(len(self.items)), rows)
        n = min(self.context, len(others))
        drawn = rng.choice(others, n, replace=False)
        shares = np.ones(len(rows) + n, np.float32)
        shares[len(rows) :] = len(others) / max(n, 1)
        return np.concatenate([rows, drawn]), shares

    def _log_expected(self, candidates: np.ndarray, n: int, m: int) -> np.ndarray:
        """Log of the probability that an item is among the candidates: drawn, or the item of a row."""
        drawn = m / len(self._used)
        if drawn == 1:
            return np.full(len(candidates), np.log(drawn), np.float32)
        by_row = 1 - (1 - self._share[np.searchsorted(self._used, candidates)]) ** n
        return np.log(drawn + (1 - drawn) * by_row).astype(np.float32)
