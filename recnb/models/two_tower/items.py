"""Items as the network reads them: their sentences, words and modalities, and what is kept of each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from recnb.data import Dataset, Text
from recnb.errors import InputError
from recnb.models.common.item_tables import singular_vectors, tfidf_vectors, unit
from recnb.models.two_tower.modalities import Modalities, chosen, media_of
from recnb.models.two_tower.settings import Settings


@dataclass
class ItemFacts:
    """What is kept of the items, an array over all of them each.

    Attributes
    ----------
    places : ndarray of shape (n_items,), int64
        Row of each item's text in the table of states.
    known : ndarray of shape (n_items,), bool
        Items with training rows.
    popularity : ndarray of shape (n_items,), float32
        Users who like it.
    wide : ndarray of shape (n_items, words), float32
        Words of its text, of length 1; no rows where none are asked for.
    present : ndarray of shape (n_items, n_modalities), bool
        What each item has, the text first where it takes part; no columns for a text alone.
    tables : dict of str to ndarray of shape (n_items, dim), float32
        Vectors of the modalities beside the text, zero where an item has none.
    """

    places: np.ndarray
    known: np.ndarray
    popularity: np.ndarray
    wide: np.ndarray
    present: np.ndarray
    tables: dict[str, np.ndarray] = field(default_factory=dict)

    def with_more(self, places: np.ndarray, more: ReadItems) -> ItemFacts:
        """These, and new items behind them, of which nobody has used any."""
        n = len(places)
        return ItemFacts(
            np.concatenate([self.places, places]),
            np.pad(self.known, (0, n)),
            np.pad(self.popularity, (0, n)),
            np.concatenate([self.wide, more.wide]),
            np.concatenate([self.present, more.present]) if self.tables else self.present,
            {k: np.concatenate([table, more.tables[k]]) for k, table in self.tables.items()},
        )

    def taken(self, order: np.ndarray) -> ItemFacts:
        """These items in another order: the first is the one of code `order[0]`."""
        return ItemFacts(
            self.places[order],
            self.known[order],
            self.popularity[order],
            self.wide[order] if len(self.wide) else self.wide,
            self.present[order] if len(self.present) else self.present,
            {name: table[order] for name, table in self.tables.items()},
        )

    def lacking(self, name: str, items: np.ndarray) -> ItemFacts:
        """A copy in which some items have not the modality `name`."""
        present = self.present.copy()
        present[items, self._column(name)] = False
        return replace(self, present=present)

    def filled(self, name: str, items: np.ndarray, value: Any) -> ItemFacts:
        """A copy in which `value`, a number or a vector, stands for the modality `name` of some items."""
        self._column(name)
        if name not in self.tables:
            raise InputError(f"'{name}' has no fixed vectors to fill", mend="leave fill out")
        table = self.tables[name].copy()
        try:
            table[items] = value
        except (TypeError, ValueError):
            raise InputError(
                f"a fill of shape {np.shape(value)} for '{name}'",
                mend=f"a number, or a vector of {table.shape[1]}",
            ) from None
        return replace(self, tables=self.tables | {name: table})

    def _column(self, name: str) -> int:
        with_text = self.present.shape[1] > len(self.tables)
        names = (["text"] if with_text else []) + list(self.tables)
        if not self.tables:
            raise InputError("the model reads one modality", mend="fit one with several")
        if name not in names:
            raise InputError(
                f"no modality '{name}' in the model", mend=f"one of {', '.join(names)}"
            )
        return names.index(name)


@dataclass
class ReadItems:
    """Some items as read: their sentences, and the columns of :class:`ItemFacts` that come from the table."""

    texts: list[str]
    wide: np.ndarray
    present: np.ndarray
    tables: dict[str, np.ndarray]


class ItemReader:
    """Reads tables of items; what it learns from the training items it uses for all others.

    Parameters
    ----------
    settings : Settings
    names : tuple of str
        The modalities; none for a text alone.
    open_encoder : callable
        ``open_encoder() -> TextEncoder``, for columns that are a modality of their own.
    """

    def __init__(
        self, settings: Settings, names: tuple[str, ...], open_encoder: Callable[[], Any]
    ) -> None:
        self.settings, self.names = settings, tuple(names)
        self.columns: list[str] = []
        self.vocabulary: dict[str, np.ndarray] = {}
        self.modalities = Modalities(
            tuple(name for name in names if name not in ("text", "id")),
            settings.fusion.image_encoder,
            settings.fusion.audio_encoder,
            lambda texts: open_encoder().encode(texts),
            settings.optimisation.seed,
        )

    @classmethod
    def for_data(
        cls, settings: Settings, train: Dataset, open_encoder: Callable[[], Any]
    ) -> ItemReader:
        """One for the modalities that are asked for, of which `train` must have all."""
        return cls(settings, chosen(settings.fusion.modalities, train), open_encoder)

    @property
    def reads_text(self) -> bool:
        """Whether the item's text takes part."""
        return not self.names or "text" in self.names

    @property
    def fuses(self) -> bool:
        """Whether there is a modality beside the text."""
        return bool(self.modalities.names)

    @property
    def item_id(self) -> bool:
        """Whether known items have a vector of their own."""
        return self.settings.scoring.item_id or "id" in self.names

    def learn(self, train: Dataset) -> ReadItems:
        """Learn columns, words and modalities from the training items, and read them."""
        if self.reads_text:
            template = self.settings.reading.text or Text()
            self.columns = list(template.chosen(train.items))
        texts = self.sentences(train.items)
        tables, present = self.modalities.learn(train) if self.fuses else ([], None)
        wide = np.zeros((0, 0), np.float32)
        if self.settings.reading.words:
            vectors, terms, idf = tfidf_vectors(texts, 2, 0.5, 2)
            turn = singular_vectors(vectors, self.settings.reading.words)[:, ::-1]
            self.vocabulary = {"terms": terms, "idf": idf, "turn": turn.astype(np.float32)}
            wide = unit(vectors @ self.vocabulary["turn"])
        return self._read(texts, wide, tables, present)

    def read(self, items: pd.DataFrame) -> ReadItems:
        """Read other items."""
        texts = self.sentences(items)
        tables: list[np.ndarray] = []
        present = None
        if self.fuses:
            media = media_of(items, self.modalities.facts)
            tables, present = self.modalities.tables(items, media)
        wide = np.zeros((0, 0), np.float32)
        if self.vocabulary:
            terms, idf = self.vocabulary["terms"], self.vocabulary["idf"]
            vectors, _, _ = tfidf_vectors(texts, 2, 0.5, 2, terms=terms, idf=idf)
            wide = unit(vectors @ self.vocabulary["turn"])
        return self._read(texts, wide, tables, present)

    def state(self) -> dict[str, Any]:
        """What is saved."""
        return {
            "names": list(self.names),
            "columns": self.columns,
            "vocabulary": self.vocabulary,
            "modalities": self.modalities.state(),
        }

    @classmethod
    def restored(
        cls, settings: Settings, state: dict[str, Any], open_encoder: Callable[[], Any]
    ) -> ItemReader:
        """The inverse of :meth:`state`."""
        reader = cls(settings, tuple(state["names"]), open_encoder)
        reader.columns, reader.vocabulary = state["columns"], state["vocabulary"]
        reader.modalities.restore(state["modalities"])
        return reader

    def sentences(self, items: pd.DataFrame) -> list[str]:
        """The text of each row; none where text takes no part."""
        if not self.reads_text:
            return []
        template = self.settings.reading.text or Text()
        return Text(*self.columns, max_words=template.max_words, labels=template.labels)(items)

    def _read(
        self,
        texts: list[str],
        wide: np.ndarray,
        tables: list[np.ndarray],
        present: np.ndarray | None,
    ) -> ReadItems:
        if present is None:
            return ReadItems(texts, wide, np.zeros((0, 0), bool), {})
        if self.reads_text:
            says_something = np.array([bool(text.strip()) for text in texts])
            present = np.column_stack([says_something, present])
        return ReadItems(texts, wide, present, dict(zip(self.modalities.names, tables)))
