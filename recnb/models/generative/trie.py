"""All ids as a tree: which token may follow which, so that no invalid id is generated."""

from __future__ import annotations

import copy

import numpy as np


class Trie:
    """The prefixes of a set of ids.

    Parameters
    ----------
    tokens : ndarray of shape (n_items, depth), int64
        Distinct rows.

    Attributes
    ----------
    items : ndarray of shape (n_items,), int64
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
    >>> trie.items.tolist(), trie.counts(1).tolist()
    ([1, 0, 2], [1, 2])
    """

    def __init__(self, tokens: np.ndarray) -> None:
        self.items = np.lexsort(tokens.T[::-1])
        self.depth = tokens.shape[1]
        rows = tokens[self.items]
        self._tokens: list[np.ndarray] = []
        self._offsets: list[np.ndarray] = []
        self._firsts = [np.zeros(min(1, len(rows)), np.int64)]  # place of a node's first item
        self._allowed: list[np.ndarray] | None = None
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
            self._firsts.append(first)
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
            The place in `nodes`, rising, the token, and the node of the next level.
        """
        starts = self._offsets[level][nodes]
        counts = self._offsets[level][nodes + 1] - starts
        rows = np.repeat(np.arange(len(nodes)), counts)
        at = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        at = at + np.repeat(starts, counts)
        return rows, self._tokens[level][at], at

    def counts(self, level: int) -> np.ndarray:
        """Items below each node of a level, (n_nodes,), int64. Below a node with one item nothing is left to say."""
        return np.diff(np.append(self._firsts[level], len(self.items)))

    def nodes(self, level: int) -> np.ndarray:
        """The node of each item, (n_items,), int64."""
        out = np.empty(len(self.items), np.int64)
        out[self.items] = np.repeat(np.arange(len(self._firsts[level])), self.counts(level))
        return out

    def only(self, items: np.ndarray) -> Trie:
        """The same tree in which only some items may be reached; its nodes keep their numbers."""
        chosen = np.zeros(len(self.items), bool)
        chosen[items] = True
        out = copy.copy(self)
        out._allowed = [
            np.maximum.reduceat(chosen[self.items], first) if len(first) else chosen
            for first in self._firsts
        ]
        return out

    def allowed(self, level: int, nodes: np.ndarray) -> np.ndarray:
        """Whether an item that may be reached lies below each node: (n,), bool."""
        if self._allowed is None:
            return np.ones(len(nodes), bool)
        return self._allowed[level][nodes]
