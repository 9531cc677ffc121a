"""What a two tower's validation part says after an epoch: a ranking's NDCG, or how close ratings are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from recnb.data import Dataset
from recnb.hashing import hash_ids
from recnb.metrics import hits, ndcg
from recnb.recommender.blocks import top_k_rows

BLOCK = 256  # users scored at once
_USERS = 1000  # that the validation ranks for

Scores = Callable[[Any, np.ndarray], np.ndarray]  # (network, users) to (len(users), n_items)


def closeness(
    scores_of: Scores, valid: Dataset, scale: tuple[float, float]
) -> Callable[[Any], float]:
    """Minus the root mean squared error of the validation ratings, predictions cut to the scale."""
    rows = valid.interactions.dropna(subset="rating")
    users, items = rows["user"].to_numpy(), rows["item"].to_numpy()
    truth = rows["rating"].to_numpy(np.float32)

    def value(network: Any) -> float:
        network.refresh()
        scores = np.empty(len(users), np.float32)
        for block, part in blocks_of(users):
            found = scores_of(network, block)
            scores[part] = found[np.searchsorted(block, users[part]), items[part]]
        return -float(np.sqrt(np.mean((scores.clip(*scale) - truth) ** 2)))

    return value


def quality(
    scores_of: Scores, history: Dataset, valid: Dataset, known_items: np.ndarray
) -> Callable[[Any], float]:
    """NDCG@10 of the liked items of the validation part, over at most a thousand users.

    Pairs of `history` are not listed. Where most of the asked items are new, these are ranked among themselves.
    """
    relevant = valid.positives()
    users = np.flatnonzero(np.diff(relevant.indptr))
    user_hash, item_hash = hash_ids(valid.user_ids), hash_ids(valid.item_ids)
    users = np.sort(users[np.argsort(user_hash[users])[:_USERS]])
    new = np.unique(relevant.indices)
    new = new[~known_items[new]]
    # validation items that nobody has used: the question is about a shelf of new items
    shelf = None
    if relevant[:, new].nnz > relevant.nnz / 2:
        shelf = ~np.isin(np.arange(valid.n_items), new)
    barred = history.pairs()

    def value(network: Any) -> float:
        network.refresh()
        values = []
        for start in range(0, len(users), BLOCK):
            block = users[start : start + BLOCK]
            scores = scores_of(network, block)
            rows, columns = barred[block].nonzero()
            scores[rows, columns] = -np.inf
            if shelf is not None:
                scores[:, shelf] = -np.inf
            lists = top_k_rows(scores, 10, user_hash[block], item_hash)
            truth = relevant[block]
            values.append(ndcg(hits(lists, truth), np.diff(truth.indptr), 10))
        return float(np.concatenate(values).mean())

    return value


def blocks_of(users: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Distinct users in blocks, each with the positions of its rows."""
    distinct, place = np.unique(users, return_inverse=True)
    for start in range(0, len(distinct), BLOCK):
        inside = np.flatnonzero((place >= start) & (place < start + BLOCK))
        yield distinct[start : start + BLOCK], inside
