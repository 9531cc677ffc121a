"""Continuations of one beginning packed into rows, so that what they share is read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recnb.errors import InputError

ROW_TOKENS = (
    128  # longer rows have less padding, but each of their tokens is set against the whole row
)


@dataclass(frozen=True)
class Packed:
    """Rows of tokens in which several continuations stand, those with the same beginning on one branch.

    Attributes
    ----------
    ids : ndarray of shape (n_rows, width), int64
        Token ids in the order of a walk through the tree; 0 at padding, on the right.
    positions : ndarray of shape (n_rows, width), int64
        How many tokens a token has before it on its own branch, the prefix included.
    ends : ndarray of shape (n_rows, width), int64
        The place in the row at which a token's branches are over: token i sees token j where
        `j <= i < ends[j]`. 0 at padding, so that nobody sees it.
    sources : ndarray of shape (n_targets,), int64
        Where the state stands that predicts a target: `row * width + place`, or -1 for the prefix's last state.
    targets : ndarray of shape (n_targets,), int64
        Token ids. A token that several continuations share is one target.
    pairs : ndarray of shape (n_pairs, 2), int64
        (continuation, target): which targets a continuation's log-probability is the sum of.
    counts : ndarray of shape (n_continuations,), int64
        Scored tokens of each continuation.
    """

    ids: np.ndarray
    positions: np.ndarray
    ends: np.ndarray
    sources: np.ndarray
    targets: np.ndarray
    pairs: np.ndarray
    counts: np.ndarray

    @property
    def n_tokens(self) -> int:
        """Tokens read, without padding."""
        return int(np.count_nonzero(self.ends))


def pack(
    continuations: Sequence[Sequence[int]],
    prefix_length: int,
    scored: Sequence[int] | None = None,
    row_tokens: int | None = ROW_TOKENS,
) -> Packed:
    """Pack continuations of one prefix into rows; the prefix is not part of them.

    Parameters
    ----------
    continuations : sequence of sequence of int
        Token ids, at least one each; equal ones are read once.
    prefix_length : int
        Tokens before them, one or more.
    scored : sequence of int, optional
        How many tokens at the end of each continuation are targets; default all.
    row_tokens : int or None
        Tokens of a row at most, unless one continuation is longer; rows are as long as leaves the least padding.
        None packs all into one row.

    Returns
    -------
    Packed

    Raises
    ------
    InputError
        A continuation without a token, or one that scores more tokens than it has.

    Notes
    -----
    The last token of a continuation predicts nothing that is asked, so it is no input unless another goes on from
    it. Continuations are sorted by their ids; each shares what it can with the one before it in its row.

    Examples
    --------
    >>> packed = pack([[5, 6, 7], [5, 6, 8], [9]], prefix_length=10)
    >>> packed.ids.tolist(), packed.positions.tolist()
    ([[5, 6]], [[10, 11]])
    >>> packed.targets.tolist(), packed.sources.tolist()
    ([5, 6, 7, 8, 9], [-1, 0, 1, 1, -1])
    >>> packed.counts.tolist()
    [3, 3, 1]
    """
    lengths = [len(ids) for ids in continuations] if scored is None else list(scored)
    for place, (ids, length) in enumerate(zip(continuations, lengths)):
        if not 0 < length <= len(ids):
            raise InputError(
                f"continuation {place + 1} has {len(ids)} tokens, {length} of them to be scored",
                mend="give each at least one token",
            )
    keys = [tuple(ids) for ids in continuations]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    inner = [len(keys[place]) - 1 for place in order]  # of each its tokens that are input
    shared = [0] * len(order)  # with the one before
    for k in range(1, len(order)):
        alike = _alike(keys[order[k]], keys[order[k - 1]])
        shared[k] = min(alike, inner[k], inner[k - 1])
    rows = _Rows(prefix_length)
    breaks = set() if row_tokens is None else _breaks(inner, shared, row_tokens)
    for k, place in enumerate(order):
        rows.add(place, keys[place], lengths[place], 0 if k in breaks else shared[k], k in breaks)
    return rows.packed(np.asarray(lengths, dtype=np.int64))


def tree_mask(packed: Packed) -> np.ndarray:
    """Which token of a row sees which.

    Returns
    -------
    ndarray of shape (n_rows, width, width), bool
        `[row, i, j]`: token i sees token j, that is j is i or stands before it on its branch.

    Examples
    --------
    >>> tree_mask(pack([[5, 6, 1], [5, 7, 1]], prefix_length=1))[0].astype(int).tolist()
    [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    """
    places = np.arange(packed.ids.shape[1])
    i, j = places[:, None], places[None, :]
    return (j <= i) & (i < packed.ends[:, None, :])


@dataclass(frozen=True)
class Sequence1D:
    """A prefix and all its continuations as one sequence, as a step of training reads it.

    Attributes
    ----------
    input_ids, position_ids : ndarray of shape (n_tokens,), int64
    mask : ndarray of shape (n_tokens, n_tokens), bool
        `[i, j]`: token i sees token j.
    rows : ndarray of shape (n_targets,), int64
        The token whose state predicts the target.
    targets : ndarray of shape (n_targets,), int64
    pairs : ndarray of shape (n_pairs, 2), int64
        (continuation, target).
    """

    input_ids: np.ndarray
    position_ids: np.ndarray
    mask: np.ndarray
    rows: np.ndarray
    targets: np.ndarray
    pairs: np.ndarray


def pack_sequence(
    prefix_ids: Sequence[int],
    continuations: Sequence[Sequence[int]],
    scored: Sequence[int] | None = None,
) -> Sequence1D:
    """One sequence of a prefix and the tree of its continuations: a loss over all of them in one pass.

    Parameters
    ----------
    prefix_ids : sequence of int
        One or more.
    continuations, scored
        As in :func:`pack`.

    Returns
    -------
    Sequence1D
        States of its tokens equal those of each prompt read alone; so do gradients.

    Examples
    --------
    >>> one = pack_sequence([1, 2], [[5, 9], [6, 9]])
    >>> one.input_ids.tolist(), one.position_ids.tolist()
    ([1, 2, 5, 6], [0, 1, 2, 2])
    >>> one.mask.astype(int).tolist()
    [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 0, 1]]
    >>> one.rows.tolist(), one.targets.tolist()
    ([1, 2, 1, 3], [5, 9, 6, 9])
    """
    n = len(prefix_ids)
    if not n:
        raise InputError(
            "an empty prefix", mend="begin with a token, such as that of a text's start"
        )
    packed = pack(continuations, n, scored, row_tokens=None)
    width = packed.ids.shape[1]
    mask = np.zeros((n + width, n + width), dtype=bool)
    mask[:n, :n] = np.tri(n, dtype=bool)
    mask[n:, :n] = True
    mask[n:, n:] = tree_mask(packed)[0] if width else False
    return Sequence1D(
        np.concatenate([np.asarray(prefix_ids, dtype=np.int64), packed.ids.ravel()]),
        np.concatenate([np.arange(n), packed.positions.ravel()]),
        mask,
        packed.sources + n,  # -1 is the prefix's last token
        packed.targets,
        packed.pairs,
    )


def shared_length(rows: Sequence[list[int]]) -> int:
    """How many tokens all rows begin with alike.

    Examples
    --------
    >>> shared_length([[1, 2, 3], [1, 2, 4, 5]]), shared_length([[1], [2]])
    (2, 0)
    """
    first, last = min(rows), max(rows)  # what these two share, all between them share
    return _alike(first, last)


def _alike(a: Sequence[int], b: Sequence[int]) -> int:
    for place, (x, y) in enumerate(zip(a, b)):
        if x != y:
            return place
    return min(len(a), len(b))


def _breaks(inner: list[int], shared: list[int], most: int) -> set[int]:
    """Where new rows begin, so that rows of `most` tokens or fewer hold the least padding."""
    total = sum(inner) - sum(shared)
    fewest = max(1, -(-total // most))
    best: tuple[int, set[int]] | None = None
    for width in range(-(-total // (fewest + 1)), most + 1, 4):
        starts, size, widest = set(), 0, 0
        for k, (length, alike) in enumerate(zip(inner, shared)):
            more = length - alike
            if size and size + more > width:
                starts.add(k)
                size, more = 0, length
            size += more
            widest = max(widest, size)
        padded = widest * (len(starts) + 1)
        if best is None or padded < best[0]:
            best = padded, starts
    return set() if best is None else best[1]


class _Rows:
    """Rows while they are filled, one continuation after another in sorted order."""

    def __init__(self, prefix_length: int) -> None:
        self.prefix_length = prefix_length
        self.rows: list[tuple[list[int], list[int], list[int]]] = []  # ids, positions, ends
        self.sources: list[tuple[int, int]] = []  # row, place; (0, -1) is the prefix
        self.targets: list[int] = []
        self.pairs: list[tuple[int, int]] = []
        self.known: dict[tuple[int, int, int], int] = {}
        self.path: list[int] = []  # places of the tokens of the continuation before

    def add(self, place: int, ids: tuple[int, ...], scored: int, shared: int, new: bool) -> None:
        """A continuation whose first `shared` tokens are those of the one before; `new`: in a new row."""
        if new or not self.rows:
            self._close(0)
            self.rows.append(([], [], []))
        self._close(shared)
        row_ids, positions, ends = self.rows[-1]
        for depth in range(shared, len(ids) - 1):
            self.path.append(len(row_ids))
            row_ids.append(ids[depth])
            positions.append(self.prefix_length + depth)
            ends.append(0)
        for depth in range(len(ids) - scored, len(ids)):
            self.pairs.append(
                (place, self._target(self.path[depth - 1] if depth else -1, ids[depth]))
            )

    def packed(self, counts: np.ndarray) -> Packed:
        self._close(0)
        width = max((len(row[0]) for row in self.rows), default=0)
        n_rows = sum(bool(row[0]) for row in self.rows)
        blocks = np.zeros((3, n_rows, width), dtype=np.int64)
        for k in range(n_rows):
            for block, values in zip(blocks, self.rows[k]):
                block[k, : len(values)] = values
        sources = np.array(self.sources, dtype=np.int64).reshape(-1, 2)
        ids, positions, ends = blocks
        return Packed(
            ids,
            positions,
            ends,
            np.where(sources[:, 1] < 0, -1, sources[:, 0] * width + sources[:, 1]),
            np.array(self.targets, dtype=np.int64),
            np.array(self.pairs, dtype=np.int64).reshape(-1, 2),
            counts,
        )

    def _close(self, depth: int) -> None:
        """Leave the branch down to `depth`: what was deeper has its end here."""
        while len(self.path) > depth:
            ids, _, ends = self.rows[-1]
            ends[self.path.pop()] = len(ids)

    def _target(self, place: int, token: int) -> int:
        key = (len(self.rows) - 1 if place >= 0 else 0, place, token)
        if key not in self.known:
            self.known[key] = len(self.targets)
            self.sources.append(key[:2])
            self.targets.append(token)
        return self.known[key]
