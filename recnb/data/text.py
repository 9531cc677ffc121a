"""Items and histories as sentences: what a language model reads."""

from __future__ import annotations

import html
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from recnb.data.dataset import Dataset
from recnb.errors import InputError

MAX_WORDS = 200  # of a sentence
# What a reader of an item's page sees first; `text` last, since it is the longest.
_USUAL = (
    "title",
    "name",
    "year",
    "author",
    "creator",
    "artist",
    "brand",
    "category",
    "genres",
    "description",
    "text",
)
_BARE = {"title", "name", "description", "text"}
_TAG = re.compile(r"<[/!]?[A-Za-z-][^<>]{0,500}>|<[A-Za-z]>")  # not "a < b and c > d"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
_WORDS = ("hated", "disliked", "found so-so", "liked", "loved")


def clean(text: str) -> str:
    """Text without HTML remains, control characters and runs of white space.

    Examples
    --------
    >>> clean("Tom &amp; Jerry<br />\\x00  the <b>movie</b>")
    'Tom & Jerry the movie'
    """
    text = html.unescape(html.unescape(str(text)))
    return " ".join(_CONTROL.sub(" ", _TAG.sub(" ", text)).split())


def title_notes(items: pd.DataFrame) -> tuple[str, ...]:
    """What whoever reads titles has to know of them: how many are empty, and how many stand more than once.

    Examples
    --------
    >>> title_notes(pd.DataFrame({"title": ["Tea", "Rice", "tea ", "", None]}))
    ('2 of 5 items share their title with another ("Tea": 2)', '2 of 5 items have no title')
    """
    if "title" not in items:
        return ()
    titles = [_plain(value) for value in items["title"]]
    same = Counter(title.casefold() for title in titles if title)
    shared = sum(n for n in same.values() if n > 1)
    out = []
    if shared:
        most, n = same.most_common(1)[0]
        shown = next(title for title in titles if title.casefold() == most)
        shown = textwrap.shorten(shown, 60, placeholder=" …")
        told = f"{shared:,} of {len(titles):,} items share their title with another"
        out.append(f'{told} ("{shown}": {n:,})')
    empty = titles.count("")
    if empty:
        out.append(f"{empty:,} of {len(titles):,} items have no title")
    return tuple(out)


class Text:
    """A template: which columns of the items table become an item's sentence, in which order.

    Parameters
    ----------
    *columns : str
        Names of columns. None given: those of title, name, year, author, creator, artist, brand, category,
        genres, description and text that the table has, less those whose content already stands in `text`.
    max_words : int
        The longest sentence, in words; the rest is cut.
    labels : bool
        Whether columns other than title, text and a year right after the title ("Heat (1995)") are introduced
        by their name ("Genres: Comedy.").

    Examples
    --------
    >>> from recnb.data import Dataset
    >>> items = pd.DataFrame({"item_id": [1], "title": ["Heat"], "year": [1995], "genres": ["Crime, Thriller"]})
    >>> ds = Dataset.from_frames(pd.DataFrame({"user_id": ["a"], "item_id": [1]}), items)
    >>> Text()(ds)
    ['Heat (1995). Genres: Crime, Thriller.']
    >>> Text("genres", "title", labels=False)(ds)
    ['Crime, Thriller. Heat.']
    """

    def __init__(self, *columns: str, max_words: int = MAX_WORDS, labels: bool = True) -> None:
        self.columns, self.max_words, self.labels = columns, max_words, labels

    def __repr__(self) -> str:
        told = [repr(column) for column in self.columns]
        told += [f"max_words={self.max_words}"] * (self.max_words != MAX_WORDS)
        told += ["labels=False"] * (not self.labels)
        return f"Text({', '.join(told)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.columns, self.max_words, self.labels))

    def to_json(self) -> dict:
        """Settings as plain values, so that a saved model keeps its template."""
        return {"columns": list(self.columns), "max_words": self.max_words, "labels": self.labels}

    @classmethod
    def from_json(cls, values: dict) -> Text:
        """The template that :meth:`to_json` described."""
        return cls(*values["columns"], max_words=values["max_words"], labels=values["labels"])

    def __call__(self, items: Dataset | pd.DataFrame) -> list[str]:
        """One sentence per item, in the order of the table; "" where an item has no text at all.

        Raises
        ------
        InputError
            A named column is missing, or no column is named and the table has none of the usual ones.
        """
        table = items.items if isinstance(items, Dataset) else items
        parts: list[list[str]] = []
        before = ""
        for name in self.chosen(table):
            values = [_plain(v) for v in table[name]]
            if name == "year" and before == "title":
                # A year belongs to the title before it: "Heat (1995)."
                parts[-1] = [f"{p} ({v})" if p and v else p or v for p, v in zip(parts[-1], values)]
            elif name in _BARE or not self.labels:
                parts.append(values)
            else:
                label = name.replace("_", " ").capitalize()
                parts.append([f"{label}: {v}" if v else "" for v in values])
            before = name
        return [self._join(pieces) for pieces in zip(*parts)]

    def chosen(self, table: pd.DataFrame) -> list[str]:
        """The columns that will be used."""
        if self.columns:
            for name in self.columns:
                if name not in table:
                    raise InputError(
                        f"the items have no column '{name}' (found: {', '.join(map(str, table.columns[:9]))})",
                        column=name,
                        mend="name columns of the items table",
                    )
            return list(self.columns)
        found = [name for name in _USUAL if name in table and not _empty(table[name])]
        if not found:
            raise InputError(
                "the items have no text",
                column="title",
                mend="add a title or text column to the items table",
            )
        if "title" in found and "text" in found:
            titles = [_plain(v).lower() for v in table["title"]]
            if _contained(table["text"], titles):
                found.remove("text")  # it only says the title again
        if "text" in found:
            body = [_plain(v).lower() for v in table["text"]]
            found = [n for n in found if n in ("title", "text") or not _contained(table[n], body)]
        return found

    def check_apart(self, table: pd.DataFrame) -> None:
        """Raise where no two items of a table have different texts; it is read as far as the first two that have.

        Examples
        --------
        >>> Text("title").check_apart(pd.DataFrame({"title": [None, "Tea", "Rice"]}))
        """
        columns = [name for name in self.columns or _USUAL if name in table]
        if not columns or len(columns) < len(self.columns):
            return  # :meth:`chosen` says what is missing
        rows = (tuple(map(_plain, row)) for row in zip(*(table[name] for name in columns)))
        filled = (row for row in rows if any(row))
        first, n = next(filled, None), 1
        for row in filled:
            if row != first:
                return
            n += 1
        if first is None:
            raise InputError(
                f"none of {len(table):,} items has a text",
                column=", ".join(columns) or "title",
                mend="fill it, or name other columns (text=title+brand)",
            )
        raise same_texts(self._join(first), n)

    def _join(self, pieces: Sequence[str]) -> str:
        sentence = " ".join(p if p[-1] in ".!?…。！？" else f"{p}." for p in pieces if p)
        words = sentence.split(" ")
        return sentence if len(words) <= self.max_words else " ".join(words[: self.max_words])


def same_texts(text: str, n: int) -> InputError:
    """What whoever reads texts alone is told where all `n` of them are the same."""
    shown = textwrap.shorten(text, 60, placeholder=" …")
    return InputError(
        f'all {n:,} item texts are the same ("{shown}"): no word tells two apart',
        column="text",
        mend="give texts that differ, or leave it out",
    )


def history_sentences(
    ds: Dataset,
    users: np.ndarray | None = None,
    text: Text | None = None,
    n: int = 20,
    max_tokens: int = 256,
    count: Callable[[str], int] | None = None,
) -> list[str]:
    """A user's history in words, the most recent item first.

    Parameters
    ----------
    ds : Dataset
        The rows that may be told (the known ones).
    users : ndarray of int, optional
        Codes; None means all.
    text : Text, optional
        The item template; by default the title alone where there is one.
    n : int
        The most items.
    max_tokens : int
        The longest sentence, in units of `count`; whole items are left out at the old end. A single item
        longer than that is cut at a word.
    count : callable, optional
        Tokens of a string; by default words and punctuation, which is close to a word-piece count for English.

    Returns
    -------
    list of str
        "" for a user without rows. Ratings are told in words by fifths of the scale (hated to loved).

    Examples
    --------
    >>> rows = pd.DataFrame({"user_id": list("aa"), "item_id": [1, 2], "rating": [5, 1], "timestamp": [1, 2]})
    >>> items = pd.DataFrame({"item_id": [1, 2], "title": ["Heat", "Jaws"]})
    >>> ds = Dataset.from_frames(rows, items, feedback="explicit", scale=(1, 5))
    >>> history_sentences(ds)
    ['hated Jaws; loved Heat']
    """
    if text is None:
        text = Text("title") if "title" in ds.items else Text()
    count = count or (lambda s: len(re.findall(r"\w+|[^\w\s]", s)))
    titles = [t[:-1] if t.endswith(".") else t for t in text(ds)]
    users = np.arange(ds.n_users) if users is None else np.asarray(users)
    rows = ds.interactions
    stop = np.searchsorted(rows["user"].to_numpy(), users, side="right")
    start = np.searchsorted(rows["user"].to_numpy(), users, side="left")
    items = rows["item"].to_numpy()
    ratings = rows["rating"].to_numpy() if ds.feedback == "explicit" else None
    out = []
    for a, b in zip(start, stop):
        pieces: list[str] = []
        room = max_tokens
        for r in range(b - 1, max(a, b - n) - 1, -1):
            word = "" if ratings is None else rating_word(ratings[r], ds.scale)
            piece = f"{word} {titles[items[r]]}".strip()
            room -= count(piece) + bool(pieces)
            if room < 0 and pieces:
                break
            pieces.append(piece if room >= 0 else _cut(piece, max_tokens, count))
        out.append("; ".join(pieces))
    return out


def rating_word(rating: float, scale: tuple[float, float] | None) -> str:
    """A rating in words, by fifths of the scale; "" where there is none.

    Examples
    --------
    >>> [rating_word(r, (1, 5)) for r in (1, 2, 3, 4, 5)]
    ['hated', 'disliked', 'found so-so', 'liked', 'loved']
    """
    if scale is None or np.isnan(rating):
        return ""
    share = (rating - scale[0]) / (scale[1] - scale[0])
    return _WORDS[min(int(share * 5), 4)]


def _cut(piece: str, limit: int, count: Callable[[str], int]) -> str:
    """The longest run of leading words within the limit."""
    words = piece.split(" ")
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if count(" ".join(words[:middle])) <= limit else (low, middle - 1)
        )
    return " ".join(words[:low])


def _plain(value: object) -> str:
    if isinstance(value, (list, tuple, np.ndarray)):
        return clean(", ".join(map(str, value)))
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, (float, np.floating)) and value.is_integer():
        value = int(value)
    return clean(str(value))


def _empty(column: pd.Series) -> bool:
    return not any(_plain(v) for v in column)


def _contained(column: pd.Series, body: list[str]) -> bool:
    """Whether most filled values of a column already stand in the text."""
    values = [_plain(v).lower() for v in column]
    filled = [(v, b) for v, b in zip(values, body) if v]
    return sum(v in b for v, b in filled) > 0.5 * len(filled)
