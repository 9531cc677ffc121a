"""Rows of interactions as batches for the two tower's network, negatives and histories among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from recnb.training.batches import LIVE


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

    def batch(
        self, users: np.ndarray, without: np.ndarray | None = None
    ) -> dict[str, torch.Tensor]:
        """The fields of a batch for some users; `without` is an item per row that the history leaves out."""
        out = {"users": torch.from_numpy(np.asarray(users, np.int64))}
        if self.items is not None:
            history = self.items[users]
            here = history >= 0
            if without is not None:
                here &= history != without[:, None]
            out["history"] = torch.from_numpy(np.maximum(history, 0))
            out["here"] = torch.from_numpy(here)
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
