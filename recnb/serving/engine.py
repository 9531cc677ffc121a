"""An artefact at work: questions in, lists out; in batches, on one thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb.errors import InputError
from recnb.hashing import hash_ids
from recnb.recommender.blocks import top_k_rows
from recnb.serving.artefact import Artefact
from recnb.serving.journal import Journal
from recnb.serving.kept import KeptLists, UserScores
from recnb.serving.shelf import NEIGHBOURS, Shelf, Standing

DEPTH = 200  # items of a user's list that are kept: later filters and longer lists take from it
SHADOWED = 100  # one of so many searches of an index is compared with the exact product
SHADOW_SECONDS = 0.02  # of the scoring thread that such comparisons may take at a time
REASONS = 50  # latest items of a history that may be a reason
_EMPTY = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Ask:
    """One question.

    Attributes
    ----------
    k : int
    user : int, optional
        Code of a known user; what they have is never listed.
    history : ndarray of int, optional
        Item codes, the oldest first; counts instead of what is known of the user.
    similar : int, optional
        Code of an item whose like is wanted.
    vector : ndarray of shape (dim,), optional
        Of a text, by the artefact's encoder.
    where : mapping of column to values
    exclude : ndarray of int
        Item codes that are not wanted.
    reasons : bool
    """

    k: int
    user: int | None = None
    history: np.ndarray | None = None
    similar: int | None = None
    vector: np.ndarray | None = None
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exclude: np.ndarray = field(default_factory=lambda: _EMPTY)
    reasons: bool = False

    @property
    def plain(self) -> bool:
        """Whether it is about a known user and sets no rules: such lists are kept."""
        known = self.user is not None and self.history is None
        return known and not self.where and not len(self.exclude)


@dataclass(frozen=True)
class Listed:
    """An answer.

    Attributes
    ----------
    codes : ndarray of int64
        Best first.
    scores : ndarray of float32
        On the scale of `by`; popularity for a fallback.
    by : str
        "model", "text", "popularity".
    because : list of int or None
        For each item the one of the history that speaks most for it.
    fallback : str or None
        Why popularity answers instead of the model.
    relaxed : tuple of str
        Rules that were dropped, since no item was left: "known", "where".
    """

    codes: np.ndarray
    scores: np.ndarray
    by: str = "model"
    because: list[int | None] | None = None
    fallback: str | None = None
    relaxed: tuple[str, ...] = ()


class Engine:
    """Answers from one artefact. :meth:`answer` and :meth:`add` come from one thread, the rest from any.

    Parameters
    ----------
    artefact : Artefact
    journal : Path, optional
        File of items that were added, a line of json each; those in it are added again.
    """

    def __init__(self, artefact: Artefact, journal: Path | None = None) -> None:
        self.artefact, self.model = artefact, artefact.model
        self.shelf = Shelf(artefact.table, artefact.popularity)
        self.users = {user: code for code, user in enumerate(self.model.user_ids_.tolist())}
        self.serves_history = hasattr(self.model, "score_histories")
        self._lists = KeptLists()
        self.journal = Journal(journal)
        taste = artefact.indexes.get("taste")
        # the exact product over all items is what score() is: no other path for it
        self._taste = None if taste is None or taste.record.kind == "exact" else taste
        self._searches = 0
        self._scores_of = UserScores(self.model)
        self._shadow: deque[tuple[str, np.ndarray, np.ndarray, np.ndarray]] = deque(maxlen=16)
        self.catch_up()

    # ------------------------------------------------------------------ answers

    def cached(self, ask: Ask) -> Listed | None:
        """The answer, where the user's list is kept and no rule needs more than it: from any thread, at once."""
        if ask.user is None or ask.history is not None or ask.reasons:
            return None
        kept = self._lists.get(ask.user, ask.k)
        if kept is None:
            return None
        codes, scores = kept
        if ask.where or len(ask.exclude) or self.shelf.any_hidden:
            mask = self.shelf.mask(ask.where)
            mask[ask.exclude] = False
            keep = mask[codes]
            if int(keep.sum()) < ask.k:
                return None
            codes, scores = codes[keep], scores[keep]
        return Listed(codes[: ask.k], scores[: ask.k])

    def answer(self, asks: Sequence[Ask]) -> list[Listed]:
        """Answer a batch: users and histories are scored together, and their best items are found together."""
        rows = self._scores(asks)
        scored = [at for at, row in enumerate(rows) if row is not None]
        best = self._best(asks, rows, [at for at in scored if asks[at].plain], DEPTH)
        best |= self._best(asks, rows, [at for at in scored if at not in best], 1)
        return [
            self._listed(ask) if at not in best else self._by_scores(ask, *best[at])
            for at, ask in enumerate(asks)
        ]

    def popular(self, ask: Ask, why: str | None) -> Listed:
        """What most have, for a person without an answer by the model: from any thread."""
        shelf = self.shelf
        mask = shelf.mask(ask.where)
        codes = shelf.popular(ask.k, mask, self._barred(ask))
        relaxed: tuple[str, ...] = ()
        if not len(codes):
            codes = shelf.popular(ask.k, mask, ask.exclude)
            relaxed = ("known",)
        if not len(codes):
            codes = shelf.popular(ask.k, shelf.mask({}), ask.exclude)
            relaxed = ("where",)
        return Listed(codes, shelf.popularity[codes], "popularity", None, why, relaxed)

    def _barred(self, ask: Ask) -> np.ndarray:
        parts = [ask.exclude]
        if ask.user is not None:
            known = self.artefact.known
            parts.append(known.indices[known.indptr[ask.user] : known.indptr[ask.user + 1]])
        if ask.history is not None:
            parts.append(ask.history)
        if ask.similar is not None:
            parts.append(np.array([ask.similar]))
        return np.concatenate(parts).astype(np.int64)

    def _scores(self, asks: Sequence[Ask]) -> list[np.ndarray | None]:
        """Scores of all items for each question that the model answers by scoring."""
        out: list[np.ndarray | None] = [None] * len(asks)
        users = [
            (at, a.user)
            for at, a in enumerate(asks)
            if a.user is not None and a.history is None and self._taste is None
        ]
        if users:
            distinct, place = np.unique([user for _, user in users], return_inverse=True)
            scores = self.shelf.with_new(self._scores_of(distinct))
            for (at, _), row in zip(users, place):
                out[at] = scores[row]
        told = [
            (at, self._told(a))
            for at, a in enumerate(asks)
            if self.serves_history and (a.history is not None or self._scored(a.similar))
        ]
        told = [(at, codes) for at, codes in told if len(codes)]
        if told:
            histories = [codes for _, codes in told]
            scores = self.shelf.with_new(self.model.score_histories(histories))  # type: ignore[attr-defined]
            for (at, _), row in zip(told, scores):
                out[at] = row
        return out

    def _told(self, ask: Ask) -> np.ndarray:
        """The history as the model's items: a new item speaks through the nearest known one."""
        codes = ask.history if ask.history is not None else np.array([ask.similar])
        scored, standings = self._n_scored(), self.shelf.standings
        first = len(self.shelf) - len(standings)
        return np.array(
            [c if c < scored else int(standings[c - first].codes[0]) for c in codes], np.int64
        )

    def _scored(self, code: int | None) -> bool:
        """Whether the model itself knows an item; what is like a new one, its text tells better."""
        return code is not None and code < self._n_scored()

    def _n_scored(self) -> int:
        return len(self.model.item_ids_)

    def _listed(self, ask: Ask) -> Listed:
        """An answer without scores of all items."""
        if ask.user is not None and ask.history is None and self._taste is not None:
            return self._by_index("taste", "model", ask, self._scores_of.vector(ask.user))
        index = self.artefact.indexes.get("text")
        if index is not None and ask.vector is not None:
            return self._by_index("text", "text", ask, ask.vector)
        if index is not None and ask.similar is not None:
            return self._by_index("text", "text", ask, index.vectors(np.array([ask.similar]))[0])
        return self.popular(ask, self._why_not(ask))

    def _why_not(self, ask: Ask) -> str:
        if ask.history is not None and len(ask.history) and not self.serves_history:
            return "the model serves only users that it was fitted on"
        if ask.history is not None:
            return "nothing is known of this person"
        return "the artefact reads no text"

    def _best(
        self, asks: Sequence[Ask], rows: Sequence[np.ndarray | None], places: Sequence[int], k: int
    ) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """The `k` best items of some questions, or more where asked for, and their scores; by place."""
        if not places:
            return {}
        scores = np.stack([row for at in places if (row := rows[at]) is not None])
        scores, n = scores.astype(np.float32, copy=False), scores.shape[1]
        for line, at in zip(scores, places):
            if asks[at].where or self.shelf.any_hidden:
                line[~self.shelf.mask(asks[at].where)[:n]] = -np.inf
            line[self._barred(asks[at])] = -np.inf
        users = [asks[at].user for at in places]
        ids = self.model.user_ids_
        hashes = [_NOBODY if user is None else hash_ids([ids[user]]) for user in users]
        k = min(n, max(k, *(asks[at].k for at in places)))
        best = top_k_rows(scores, k, np.concatenate(hashes), self.shelf.hashes[:n])
        lists = [codes[codes >= 0] for codes in best]
        return {at: (codes, line[codes]) for at, codes, line in zip(places, lists, scores)}

    def _by_scores(self, ask: Ask, codes: np.ndarray, scores: np.ndarray) -> Listed:
        if ask.plain and ask.user is not None:
            self._lists.put(ask.user, codes, scores)
        if not len(codes):
            return self.popular(ask, None)
        codes, scores = codes[: ask.k], scores[: ask.k]
        return Listed(codes, scores, "model", self._because(ask, codes))

    def _by_index(self, name: str, by: str, ask: Ask, vector: np.ndarray) -> Listed:
        index = self.artefact.indexes[name]
        mask = self.shelf.mask(ask.where)
        mask[self._barred(ask)] = False
        mask = mask[: index.n_places]
        codes, scores = index.search(vector[None], ask.k, mask)
        codes, scores = codes[0][codes[0] >= 0], scores[0][codes[0] >= 0]
        self._searches += 1
        if self._searches % SHADOWED == 1:
            self._shadow.append((name, vector, mask, codes))
        if not len(codes):
            return self.popular(ask, None)
        return Listed(codes, scores, by, self._because(ask, codes) if by == "model" else None)

    def _because(self, ask: Ask, codes: np.ndarray) -> list[int | None] | None:
        """For each listed item the one of the history that alone would score it highest."""
        if not ask.reasons or not self.serves_history:
            return None
        if ask.history is not None:
            history = ask.history
        elif ask.user is not None:
            known = self.artefact.known
            history = known.indices[known.indptr[ask.user] : known.indptr[ask.user + 1]]
        else:
            return None
        history = history[-REASONS:].astype(np.int64)
        if not len(history):
            return None
        told = [self._told(Ask(1, history=np.array([code]))) for code in history]
        scores = self.shelf.with_new(self.model.score_histories(told))[:, codes]  # type: ignore[attr-defined]
        return [int(history[row]) for row in scores.argmax(axis=0)]

    def shadowed(self) -> list[tuple[str, float]]:
        """Kept searches answered again by comparing all items: the index and the share of its list that was right.

        Slow, so that it stops after some milliseconds; on the thread that answers.
        """
        out: list[tuple[str, float]] = []
        end = time.perf_counter() + SHADOW_SECONDS
        while self._shadow and (not out or time.perf_counter() < end):
            name, vector, mask, codes = self._shadow.popleft()
            if len(codes):
                truth = self.artefact.indexes[name].compare(vector[None], len(codes), mask)[0][0]
                out.append((name, len(set(codes.tolist()) & set(truth.tolist())) / len(codes)))
        return out

    # ------------------------------------------------------------------ changes

    def standing(self, vector: np.ndarray) -> Standing:
        """By which known items an item of this text vector is scored."""
        index = self.artefact.indexes["text"]
        mask = np.zeros(index.n_places, bool)
        mask[: self.shelf.n_known] = self.artefact.popularity > 0
        codes, scores = index.search(vector[None], NEIGHBOURS, mask if mask.any() else ~mask)
        codes, near = codes[0][codes[0] >= 0], scores[0][codes[0] >= 0].clip(min=1e-6)
        return Standing(codes, (near / near.sum()).astype(np.float32))

    def grown(self, item: dict[str, Any]) -> Any:
        """The model with a new item, where it can score one by itself; else None. Slow: on a thread of its own."""
        if not hasattr(self.model, "with_items") or self._n_scored() != len(self.shelf):
            return None
        columns = self.shelf.all_columns
        table = pd.DataFrame([{c: item.get(c) for c in columns}], index=[str(item["item_id"])])
        try:
            return self.model.with_items(table.rename_axis("item_id"))
        except InputError:
            return None

    def add(self, item: dict[str, Any], vector: np.ndarray, model: Any = None) -> int:
        """List a new item from now on; returns its code.

        Parameters
        ----------
        item : dict
            `item_id` and columns of the items table.
        vector : ndarray of shape (dim,)
            Of its text.
        model : Recommender, optional
            What :meth:`grown` gave.

        Raises
        ------
        InputError
            The id is taken, or the artefact reads no text.
        """
        if "text" not in self.artefact.indexes:
            raise InputError("the artefact reads no text", mend="export it with an encoder")
        if str(item["item_id"]) in self.shelf.codes:
            raise InputError(f"item '{item['item_id']}' is there already", mend="give another id")
        standing = self.standing(vector)
        if self._taste is not None:
            self._taste.add((standing.weights @ self._taste.vectors(standing.codes))[None])
        self.artefact.indexes["text"].add(vector[None])
        if model is not None and len(model.item_ids_) == len(self.shelf) + 1:
            self.model, self._scores_of = model, UserScores(model)
        code = self.shelf.add(item, standing)
        self._lists = KeptLists()
        return code

    def set_available(self, item: str, available: bool) -> None:
        """Whether an item may be shown; from any thread."""
        self.shelf.set_available(self.shelf.code(item), available)

    def catch_up(self) -> None:
        """Take up the changes in the journal that were not read; those of this process change nothing."""
        for change in self.journal.unread():
            self.apply(change)

    def apply(self, change: dict[str, Any]) -> None:
        """A change of the journal; one that no longer fits the artefact is passed over."""
        if "item" in change:
            item, encoder = change["item"], self.artefact.encoder
            if str(item["item_id"]) in self.shelf.codes or encoder is None:
                return
            self.add(item, encoder.encode([self.sentence(item)])[0], self.grown(item))
        elif change.get("item_id") in self.shelf.codes:
            self.set_available(change["item_id"], bool(change["available"]))

    def sentence(self, item: Mapping[str, Any]) -> str:
        """A new item in words, as those of the catalogue."""
        template = self.artefact.text
        if template is None:
            raise InputError("the artefact reads no text", mend="export it with an encoder")
        return template(pd.DataFrame([{c: item.get(c) for c in template.columns}]))[0]


_NOBODY = np.zeros(1, np.uint64)
