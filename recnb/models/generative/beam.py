"""Beam search over a trie: the most likely ids, none of them invalid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recnb.models.generative.trie import Trie

Step = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def best_ids(step: Step, trie: Trie, n_users: int, n_beams: int) -> tuple[np.ndarray, np.ndarray]:
    """The items whose ids are most likely.

    Parameters
    ----------
    step : callable
        ``step(users, parents, tokens)`` of prefixes that are one token longer than those it was asked before, all int64
        of shape (n,): whose each is, users rising, which of the prefixes asked before it continues, and by which token.
        Gives scores of the next token, (n, n_tokens). It is asked first for the empty prefix of each user.
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
    A token's share is its softmax among the tokens that lead to an item, so that the shares of all items sum to 1;
    where one item is left below a prefix nothing is asked. Beams are cut at each level; with as many beams as items
    the search is exact.

    Examples
    --------
    >>> trie = Trie(np.array([[0, 0], [0, 1], [1, 0]]))
    >>> steps = iter(np.log([[[0.4, 0.6]], [[0.9, 0.1]]]))
    >>> items, scores = best_ids(lambda users, parents, tokens: next(steps), trie, 1, 2)
    >>> items.tolist(), (100 * np.exp(scores)).round().tolist()
    ([[2, 0]], [[60.0, 36.0]])
    """
    empty = len(trie.items) == 0
    users = np.arange(0 if empty else n_users)
    nodes, tokens, asked = (np.zeros(len(users), np.int64) for _ in range(3))
    scores = np.zeros(len(users), np.float32)
    for level in range(trie.depth):
        open_ = np.flatnonzero(trie.counts(level)[nodes] > 1)
        before, asked = asked[open_], np.full(len(users), -1)
        asked[open_] = np.arange(len(open_))
        rows, following, below = trie.children(level, nodes)
        shares = np.zeros(len(rows), np.float32)
        if len(open_):
            drawn = asked[rows] >= 0
            raw = step(users[open_], before, tokens[open_])
            shares[drawn] = _log_shares(raw, asked[rows[drawn]], following[drawn])
        reach = trie.allowed(level + 1, below)
        rows, following, below, shares = (part[reach] for part in (rows, following, below, shares))
        values = scores[rows] + shares
        kept = _best(users[rows], values, n_users, n_beams)
        rows = rows[kept]
        users, asked = users[rows], asked[rows]
        nodes, tokens, scores = below[kept], following[kept], values[kept]
    items = np.full((n_users, n_beams), -1)
    out = np.full((n_users, n_beams), -np.inf, np.float32)
    counts = np.bincount(users, minlength=n_users)
    at = users, np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    items[at], out[at] = trie.items[nodes], scores
    return items, out


def _log_shares(raw: np.ndarray, rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Log-softmax of scores among some tokens of each row; `rows` rise and leave none out."""
    values = raw[rows, tokens].astype(np.float32)
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    values -= np.maximum.reduceat(values, starts)[rows]
    return values - np.log(np.add.reduceat(np.exp(values), starts))[rows]


def _best(users: np.ndarray, values: np.ndarray, n_users: int, most: int) -> np.ndarray:
    """Places of each user's best values, the best first; `users` rise, and of equal values the earlier comes first."""
    counts = np.bincount(users, minlength=n_users)
    starts = np.cumsum(counts) - counts
    place = np.arange(len(users)) - starts[users]
    width = int(counts.max(initial=0))
    table = np.full((n_users, width), np.inf, np.float32)
    table[users, place] = -values
    if width > most:
        chosen = np.sort(np.argpartition(table, most - 1, axis=1)[:, :most], axis=1)
    else:
        chosen = np.broadcast_to(np.arange(width), (n_users, width))
    best = np.take_along_axis(table, chosen, axis=1)
    order = np.argsort(best, axis=1, kind="stable")
    chosen = np.take_along_axis(chosen, order, axis=1) + starts[:, None]
    return chosen[np.isfinite(np.take_along_axis(best, order, axis=1))]
