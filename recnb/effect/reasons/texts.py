"""Words behind a score, and items told with fewer words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recnb.data import Text
from recnb.effect.reasons.asking import Asked
from recnb.errors import InputError
from recnb.recommender import Recommender

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Words:
    """What each word adds.

    Attributes
    ----------
    words : tuple of str
        In lower case, each once.
    values : ndarray of shape (n,), float64
    how : {"exact", "gradients", "one left out"}
    """

    words: tuple[str, ...]
    values: np.ndarray
    how: str

    @property
    def order(self) -> list[str]:
        """Words, what adds most first."""
        return [self.words[at] for at in np.argsort(-self.values, kind="stable")]


class Retold:
    """A fitted model's scores of items whose text is changed, by its `with_items`.

    Parameters
    ----------
    model : Recommender
    items : DataFrame
        The items table, a row each in the order of the codes.

    Raises
    ------
    InputError
        The model cannot score new items, or knows items by more than what they are: a new text of a known item
        would then lose what it has learned of its id.
    """

    def __init__(self, model: Recommender, items: pd.DataFrame) -> None:
        name = type(model).__name__
        if not hasattr(model, "with_items"):
            raise InputError(
                f"{name} cannot score a changed text without training", mend="ask a text model"
            )
        if model.reads().ids == "pairs":
            raise InputError(
                f"{name} knows items by their id too", mend="ask a model that reads text alone"
            )
        self.model, self.items = model, items
        self.columns = Text().chosen(items)

    def words_of(self, item: int) -> list[str]:
        """Distinct words of an item's text columns, in lower case."""
        row = self.items.iloc[item]
        told = " ".join(_said(row[c]) for c in self.columns)
        return list(dict.fromkeys(w.lower() for w in _WORD.findall(told)))

    def without(self, item: int, words: Iterable[str]) -> dict[str, Any]:
        """The row of an item less some words."""
        gone = set(words)
        return self._changed(item, lambda word: word.lower() not in gone)

    def only(self, item: int, words: Iterable[str]) -> dict[str, Any]:
        """The row of an item with some of its words alone."""
        kept = set(words)
        return self._changed(item, lambda word: word.lower() in kept)

    def _changed(self, item: int, keeps: Any) -> dict[str, Any]:
        row = dict(self.items.iloc[item]) | {"item_id": str(self.items.index[item])}
        for column in self.columns:
            told = _WORD.sub(lambda m: m.group() if keeps(m.group()) else " ", _said(row[column]))
            row[column] = " ".join(told.split())
        return row

    def scored(self, rows: Sequence[dict[str, Any]]) -> Changed:
        """A model that scores these rows too, behind the known items; equal rows of an item are read once."""
        told = [(row["item_id"], *(row[column] for column in self.columns)) for row in rows]
        first = {key: at for at, key in reversed(list(enumerate(told)))}
        distinct = {key: place for place, key in enumerate(dict.fromkeys(told))}
        table = pd.DataFrame([rows[first[key]] for key in distinct])
        table["item_id"] = [f"changed-{at}" for at in range(len(table))]
        places = np.array([distinct[key] for key in told], dtype=np.int64)
        model = self.model.with_items(table)  # type: ignore[attr-defined]
        return Changed(model, len(self.items), places)


@dataclass(frozen=True, eq=False)
class Changed:
    """Scores of changed rows beside those of all known items.

    Attributes
    ----------
    model : Recommender
        Its items are the known ones and behind them the distinct rows.
    n_known : int
    places : ndarray of shape (n_rows,), int64
        The distinct row that each row is.
    """

    model: Recommender
    n_known: int
    places: np.ndarray

    def scores(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """Scores of the known items and behind them of all rows: (n_histories, n_known + n_rows), float64.

        Several histories at once cost one pass over the items where one by one each costs its own.
        """
        scores = self.model.score_histories(list(histories)).astype(np.float64)  # type: ignore[attr-defined]
        return np.hstack([scores[:, : self.n_known], scores[:, self.n_known + self.places]])

    def standings(self, scores: np.ndarray, rows: slice) -> np.ndarray:
        """How far some rows stand above the mean of the known items, in standard deviations.

        Parameters
        ----------
        scores : ndarray of shape (n_known + n_rows,)
            Of one history, by :meth:`scores`.
        rows : slice
        """
        known, changed = scores[: self.n_known], scores[self.n_known :][rows]
        return (changed - known.mean()) / max(float(known.std()), 1e-12)

    def ranks(self, scores: np.ndarray, history: np.ndarray, rows: slice, item: int) -> np.ndarray:
        """Places of some rows, each in the stead of `item`, among what the history leaves; from 1."""
        open_ = np.ones(self.n_known, bool)
        open_[history] = False
        open_[item] = False
        known = np.sort(scores[: self.n_known][open_])
        return 1 + len(known) - np.searchsorted(known, scores[self.n_known :][rows], side="right")


def item_words(asked: Asked, item: int, retold: Retold, reader: Any = None) -> Words:
    """What each word of an item adds to its score.

    Parameters
    ----------
    asked : Asked
    item : int
    retold : Retold
    reader : object with ``parts(history, item)``, optional
        Of the model's `word_reader`, made once for many items. None: every word is left out in turn, for any model that
        scores new items.

    Returns
    -------
    Words
        Only words that stand in the item's own columns.
    """
    own = retold.words_of(item)
    if reader is not None:
        words, values = reader.parts(asked.history, item)
        held = [at for at, word in enumerate(words) if word in set(own)]
        how = "exact" if reader.exact else "gradients"
        return Words(tuple(words[at] for at in held), np.asarray(values)[held], how)
    if not own:
        return Words((), np.zeros(0), "one left out")
    rows = [retold.without(item, ())] + [retold.without(item, (word,)) for word in own]
    changed = retold.scored(rows)
    standing = changed.standings(changed.scores([asked.history])[0], slice(None))
    return Words(tuple(own), standing[0] - standing[1:], "one left out")


def word_reader(model: Recommender, items: pd.DataFrame, **settings: Any) -> Any:
    """The model's own reader of words, None where it has none."""
    make = getattr(model, "word_reader", None)
    return None if make is None else make(items, **settings)


def _said(value: Any) -> str:
    """A cell as the sentence tells it."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
