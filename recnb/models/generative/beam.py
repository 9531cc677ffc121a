"""Beam search over a trie: the most likely ids, none of them invalid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recnb.models.generative.trie import Trie

LogShares = Callable[[np.ndarray], np.ndarray]


def best_ids(
    log_shares: LogShares, trie: Trie, n_users: int, n_beams: int
) -> tuple[np.ndarray, np.ndarray]:
    """The items whose ids are most likely.

    Parameters
    ----------
    log_shares : callable
        Of prefixes (n_users, beams, known), int64: log-probabilities of the next token (n_users, beams, n_tokens).
    trie : Trie
    n_users, n_beams : int

    Returns
    -------
    items : ndarray of shape (n_users, n_beams), int64
        Best first, -1 where there are fewer.
    scores : ndarray of shape (n_users, n_beams), float32
        Log-probabilities; minus infinity where there is none.

    Notes
    -----
    Beams are cut at each level; with as many beams as items the search is exact. Equal scores go by the order of ids.

    Examples
    --------
    >>> trie = Trie(np.array([[0, 0], [0, 1], [1, 0]]))
    >>> steps = [np.log([[[0.4, 0.6]]]), np.log([[[0.9, 0.1], [0.5, 0.5]]])]
    >>> items, scores = best_ids(lambda prefixes: steps[prefixes.shape[2]], trie, 1, 2)
    >>> items.tolist(), (100 * np.exp(scores)).round().tolist()
    ([[2, 0]], [[54.0, 20.0]])
    """
    prefixes = np.zeros((n_users, 1, 0), np.int64)
    nodes = np.zeros((n_users, 1), np.int64)
    scores = np.zeros((n_users, 1), np.float32)
    for level in range(trie.depth):
        shares = log_shares(prefixes)
        open_ = np.flatnonzero(np.isfinite(scores.ravel()))
        rows, tokens, below = trie.children(level, nodes.ravel()[open_])
        rows = open_[rows]
        users, beams = np.divmod(rows, nodes.shape[1])
        values = scores.ravel()[rows] + shares[users, beams, tokens]
        order = np.lexsort((below, -values, users))
        counts = np.bincount(users, minlength=n_users)
        place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        kept = place < n_beams
        chosen, at = order[kept], (users[order][kept], place[kept])
        longer = np.zeros((n_users, n_beams, level + 1), np.int64)
        longer[at] = np.column_stack([prefixes[users[chosen], beams[chosen]], tokens[chosen]])
        nodes = np.zeros((n_users, n_beams), np.int64)
        nodes[at] = below[chosen]
        scores = np.full((n_users, n_beams), -np.inf, np.float32)
        scores[at] = values[chosen]
        prefixes = longer
    items = np.where(np.isfinite(scores), trie.items[nodes], -1) if len(trie.items) else nodes - 1
    return items, scores
