"""All ids as a tree: which token may follow which, so that no invalid id is generated."""

from __future__ import annotations

import numpy as np


class Trie:
    """The prefixes of a set of ids.

    Parameters
    ----------
    tokens : ndarray of shape (n_items, depth), int64
        Distinct rows.
    items : ndarray of shape (n,), int64, optional
        Rows that take part; by default all.

    Attributes
    ----------
    items : ndarray of shape (n,), int64
        Items in the order of their ids: node k of the last level is ``items[k]``.

    Notes
    -----
    Node 0 of level 0 is the root. The children of the nodes of a level are listed node by node, so memory grows with
    the number of prefixes and not with the number of tokens.

    Examples
    --------
    >>> trie = Trie(np.array([[1, 0], [0, 2], [1, 1]]))
    >>> trie.children(0, np.array([0]))
    (array([0, 0]), array([0, 1]), array([0, 1]))
    >>> trie.children(1, np.array([1, 0]))
    (array([0, 0, 1]), array([0, 1, 2]), array([1, 2, 0]))
    >>> trie.items.tolist()
    [1, 0, 2]
    """

    def __init__(self, tokens: np.ndarray, items: np.ndarray | None = None) -> None:
        chosen = np.arange(len(tokens)) if items is None else np.asarray(items)
        order = np.lexsort(tokens[chosen].T[::-1])
        self.items, rows = chosen[order], tokens[chosen[order]]
        self.depth = tokens.shape[1]
        self._tokens: list[np.ndarray] = []
        self._offsets: list[np.ndarray] = []
        new = np.zeros(len(rows), bool)
        new[:1] = True
        parents = np.zeros(len(rows), np.int64)
        for level in range(self.depth):
            new[1:] |= rows[1:, level] != rows[:-1, level]
            first = np.flatnonzero(new)
            self._tokens.append(rows[first, level])
            n_parents = int(parents[-1]) + 1 if len(parents) else 1
            counts = np.bincount(parents[first], minlength=n_parents)
            self._offsets.append(np.concatenate([[0], np.cumsum(counts)]))
            parents = np.cumsum(new) - 1

    def children(self, level: int, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What may follow.

        Parameters
        ----------
        level : int
            Tokens known so far.
        nodes : ndarray of shape (n,), int64
            Nodes of that level.

        Returns
        -------
        rows, tokens, nodes : ndarray of shape (n_children,), int64
            The place in `nodes`, the token, and the node of the next level.
        """
        starts = self._offsets[level][nodes]
        counts = self._offsets[level][nodes + 1] - starts
        rows = np.repeat(np.arange(len(nodes)), counts)
        at = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        at = at + np.repeat(starts, counts)
        return rows, self._tokens[level][at], at
