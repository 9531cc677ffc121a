"""Models that judge given candidates, each pair at a cost: language models that read a history and an item together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.progress import note, say_time, tell
from recnb.recommender.contract import Recommender
from recnb.recommender.kept import Kept
from recnb.recommender.rehearsal import Pace, Rehearsal

_FEW = 512  # pairs that are judged without measuring first
_PROBES = (2, 8, 32)  # candidates of the probes; the first one warms up


class CandidateScorer(Recommender):
    """A model for which each pair of a user and an item costs: it is asked about a few candidates.

    A subclass implements :meth:`_score_candidates`, fits in `_fit`, and sets `pairs_per_block` where other blocks
    suit it. As the second stage of ``A>B`` it judges the best items of `A`. Alone it works too, on a shelf of new
    items for instance: :meth:`score` asks it about every item that may be listed, in blocks, and says before it
    starts how long that will take, where it is long.

    Attributes
    ----------
    pairs_per_block : int
        Pairs given to :meth:`_score_candidates` at once.
    pairs_kept : int
        The same where a run keeps what was judged: so many are lost when it is killed; never less than a user's.
    usual_candidates, usual_users : int
        As a second stage: candidates of a user, and validation users who decide its weight, unless asked otherwise.
    """

    pairs_per_block = 4096
    pairs_kept = 1024
    usual_candidates = 100
    usual_users = 100

    def _score_candidates(
        self, users: np.ndarray, items: np.ndarray, history: Dataset | None
    ) -> np.ndarray:
        """Scores of shape (n, m), float, comparable within a row; of places with -1 anything."""
        raise NotImplementedError(f"{type(self).__name__} does not implement _score_candidates")

    def score_candidates(
        self, users: np.ndarray, items: np.ndarray, history: Dataset | None = None
    ) -> np.ndarray:
        """Scores of given candidates.

        Parameters
        ----------
        users : ndarray of shape (n,), int
            User codes, in any order.
        items : ndarray of shape (n, m), int
            Item codes of each user's candidates; -1 where a list is short.
        history : Dataset, optional
            What is known of the users now; None means the training data.

        Returns
        -------
        ndarray of shape (n, m), float32
            Higher is better; finite, and minus infinity at the places with -1. Values are comparable within a row.

        Raises
        ------
        InputError
            Shapes or codes that do not fit, a score that is NaN or infinite.
        """
        users, items = checked_candidates(self, users, items)
        kept = Kept(self, lambda: (self._asked_with(), history and history.digest))
        blocks = list(_blocks(items, self._block_size(items.shape[1], bool(kept))))
        new = np.ones(len(users), bool)
        for rows, columns in blocks if kept else ():
            new[rows] = not kept.has(users[rows], items[rows, columns])
        self._say_kept(items, new)
        if new.any():
            self._say_time(users[new], items[new], history)
        out = np.full(items.shape, -np.inf, np.float32)
        total, done = int((items >= 0).sum()), 0
        for rows, columns in blocks:
            if total > _FEW:
                tell(f"{type(self).__name__}: pairs judged", done, total)
            block = items[rows, columns]
            judge = partial(self._judged_block, users[rows], block, history)
            scores = kept.scores(judge, users[rows], block)
            out[rows, columns] = np.where(block >= 0, scores, -np.inf)
            done += int((block >= 0).sum())
        return out

    def rehearsed(self, train: Dataset, valid: Dataset | None) -> Rehearsal | None:
        """What fitting takes at most and how fast it judges, measured on little; None where that is not known."""
        return None

    def _asked_with(self) -> Any:
        """What decides scores beside settings, what was learned and the history: files that settings name."""
        return None

    def _block_size(self, width: int, kept: bool) -> int:
        """Pairs of a block; what is kept is cut between users alone."""
        most = self.pairs_per_block
        return min(most, max(self.pairs_kept, width)) if kept else most

    def _judged_block(
        self, users: np.ndarray, items: np.ndarray, history: Dataset | None
    ) -> np.ndarray:
        scores = np.asarray(self._score_candidates(users, items, history))
        self._check(scores, items)
        return scores

    def _say_kept(self, items: np.ndarray, new: np.ndarray) -> None:
        n, total = int((items[~new] >= 0).sum()), int((items >= 0).sum())
        if n:
            note(f"{type(self).__name__}: an earlier run has judged {n:,} of {total:,} pairs")

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        """Scores of all items: every pair is judged, at its cost."""
        return self.score_among(users, history=history)

    def score_among(
        self,
        users: np.ndarray,
        allowed: np.ndarray | None = None,
        barred: sparse.csr_matrix | None = None,
        history: Dataset | None = None,
    ) -> np.ndarray:
        """As :meth:`score`; only items that may be listed are judged, the others stand below them."""
        users = np.asarray(users)
        n_items = len(self.item_ids_)
        codes = np.arange(n_items) if allowed is None else np.flatnonzero(allowed)
        items = np.tile(codes, (len(users), 1))
        if barred is not None:
            items[barred[:, codes].toarray().astype(bool)] = -1
        judged = self.score_candidates(users, items, history)
        seen = items >= 0
        lowest = np.min(judged, axis=1, where=seen, initial=np.float32(np.inf))
        lowest = np.where(seen.any(axis=1), lowest, 0).astype(np.float32)
        below = lowest - np.maximum(1, np.abs(lowest))
        out = np.repeat(below[:, None], n_items, axis=1)
        out[:, codes] = np.where(seen, judged, below[:, None])
        return out

    def _check(self, scores: np.ndarray, items: np.ndarray) -> None:
        if scores.shape != items.shape or scores.dtype.kind != "f":
            raise InputError(
                f"{type(self).__name__} judged {items.shape} candidates with scores of shape {scores.shape} and "
                f"type {scores.dtype}",
                mend="mend its _score_candidates()",
            )
        if not np.isfinite(scores[items >= 0]).all():
            raise InputError(
                f"{type(self).__name__} gave a NaN or infinite score to a candidate",
                mend="look for training that diverged, or text without tokens",
            )

    def _say_time(self, users: np.ndarray, items: np.ndarray, history: Dataset | None) -> None:
        """Say how long all rows will take, from a few pairs, before they are judged."""
        to_come = _ahead.get()
        if to_come is not None and to_come.said:
            return
        per_row = int((items >= 0).sum()) / max(len(users), 1)
        n_users = max(len(users), to_come.users if to_come else 0)
        if n_users * per_row <= _FEW:
            return
        pace = self._pace(users, items, history)
        seconds = n_users * pace.seconds(per_row)
        if to_come is not None:
            to_come.said = True
        say_time(
            f"{type(self).__name__}: {n_users * per_row:,.0f} pairs to judge ({n_users:,} users, {per_row:,.0f} "
            "items each)",
            seconds,
        )

    def _pace(self, users: np.ndarray, items: np.ndarray, history: Dataset | None = None) -> Pace:
        """The measured pace, taken once: a fitted model does not change its speed."""
        if "_measured_pace" not in vars(self):
            widest = int((items >= 0).sum(axis=1).argmax())
            row = items[widest][items[widest] >= 0]
            times = []
            for n in _PROBES:
                some = row[: min(n, len(row))][None]
                start = time.perf_counter()
                self._score_candidates(users[widest : widest + 1], some, history)
                times.append((some.shape[1], time.perf_counter() - start))
            self._measured_pace = Pace.of(times[1:])
        return self._measured_pace


@dataclass
class _ToCome:
    users: int
    said: bool = False


_ahead: ContextVar[_ToCome | None] = ContextVar("ahead", default=None)


@contextmanager
def ahead(users: int) -> Iterator[None]:
    """Tell the models asked inside that so many users will be scored in all, block by block."""
    token = _ahead.set(_ToCome(users))
    try:
        yield
    finally:
        _ahead.reset(token)


def score_candidates(
    model: Recommender, users: np.ndarray, items: np.ndarray, history: Dataset | None = None
) -> np.ndarray:
    """Scores of given candidates by any model: asked for these alone where it can, else read off its scores of all.

    Parameters and values as in :meth:`CandidateScorer.score_candidates`.
    """
    if hasattr(model, "score_candidates"):
        return model.score_candidates(users, items, history)
    users, items = checked_candidates(model, users, items)
    scores = model.score(users, history)
    picked = np.take_along_axis(scores, np.maximum(items, 0), axis=1)
    return np.where(items >= 0, picked, -np.inf).astype(np.float32)


def checked_candidates(
    model: Recommender, users: np.ndarray, items: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Users and candidates as arrays of codes.

    Raises
    ------
    InputError
        The model is not fitted; shapes or codes that do not fit.
    """
    name = type(model).__name__
    if not hasattr(model, "item_ids_"):
        raise InputError(f"{name} is not fitted", mend="call fit first")
    users, items = np.asarray(users, dtype=np.int64), np.asarray(items, dtype=np.int64)
    if users.ndim != 1 or items.ndim != 2 or len(users) != len(items):
        raise InputError(
            f"{name} was asked about candidates of shape {items.shape} for users of shape {users.shape}",
            mend="give (n,) users and (n, m) items",
        )
    n_items = len(model.item_ids_)
    if items.size and (items.min() < -1 or items.max() >= n_items):
        raise InputError(
            f"a candidate outside 0..{n_items - 1}", mend="pass item codes, and -1 at empty places"
        )
    return users, items


def _blocks(items: np.ndarray, pairs: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of blocks of at most so many places: whole rows where they fit."""
    n, m = items.shape
    width = max(1, min(m, pairs))
    height = max(1, pairs // width)
    for row in range(0, n, height):
        for column in range(0, m, width):
            yield slice(row, min(row + height, n)), slice(column, min(column + width, m))
