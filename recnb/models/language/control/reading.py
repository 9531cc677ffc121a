"""A wish read by a small parser: years and the values that the columns hold, and what it did not understand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import pandas as pd

from recnb.errors import InputError
from recnb.models.common.item_tables import attribute_columns, split_value
from recnb.models.language.control.rules import Condition, Rule, holds_numbers, joined
from recnb.models.language.control.wish import Clause, Wish

NEAR = 0.8  # of difflib's ratio from which a word is another one misspelt
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_YEAR = r"(?:the )?(?:year )?(\d{4})\b"
_BELOW = "before|until|up to|till|older than|earlier than|prior to"
_ABOVE = "after|since|newer than|later than|more recent than"
_INCLUSIVE = {"until", "up to", "till", "since"}
_FILLERS = {
    *("a", "an", "the", "of", "with", "in", "any", "some", "more", "something", "anything"),
    *("please", "by", "is", "are", "be", "stuff", "one", "ones", "thing", "item", "film", "movie"),
    *("book", "product", "food", "brand", "label"),
}


@dataclass(frozen=True)
class Reading:
    """What was made of a wish.

    Parameters
    ----------
    rule : Rule
        Of the clauses that were understood.
    said : tuple of str
        A line for each clause: what it was read as, or that it was not understood.
    understood, clauses : int
    """

    rule: Rule
    said: tuple[str, ...]
    understood: int
    clauses: int


class Vocabulary:
    """The values that the columns of an items table hold, as words.

    Parameters
    ----------
    items : DataFrame
        Its attributes count: columns beside title and text whose values repeat; and columns of numbers, written as
        text too.

    Examples
    --------
    >>> items = pd.DataFrame(
    ...     {"genres": ["Horror", "Comedy", "Sci-Fi", "Comedy", "Horror", "Sci-Fi"], "year": range(1986, 1992)}
    ... )
    >>> reading = Vocabulary(items).read("no horor, only before 1990, something lighter")
    >>> print(*reading.said, sep="\\n")
    'horor': not (genres is horror), the nearest spelling
    'before 1990': year is at most 1989
    'something lighter': not understood
    >>> reading.rule.mask(items)
    array([False,  True,  True,  True, False, False])
    """

    def __init__(self, items: pd.DataFrame) -> None:
        plain = [c for c in items if str(c) not in ("title", "text")]
        found = attribute_columns(items, constant=True) if _any_repeats(items, plain) else []
        numeric = [c for c in found if pd.api.types.is_numeric_dtype(items[c])]
        # a file's column of whole numbers is text: they may be codes, and values are named as they stand
        written = [str(c) for c in plain if str(c) not in numeric and holds_numbers(items[c])]
        self.numeric = [*numeric, *written]
        self.named_year = [str(c) for c in plain if "year" in str(c).lower()]
        self.year = min((c for c in self.numeric if c in self.named_year), key=len, default=None)
        self.values: dict[tuple[str, ...], dict[str, list[str]]] = {}
        self.fillers = _FILLERS | {w for c in [*found, *written] for w in _words(str(c))}
        for column in found:
            if column not in numeric:
                for value in sorted({p for cell in items[column] for p in split_value(cell)}):
                    words = tuple(_words(value))
                    self.values.setdefault(words, {}).setdefault(column, []).append(value)

    def read(self, wish: Wish | str) -> Reading:
        """Read a wish, clause by clause."""
        wish = Wish.of(wish)
        conditions: list[list[Condition]] = []
        said = []
        understood = 0
        clauses = wish.clauses()
        for clause in clauses:
            found, how = self._conditions(clause)
            if not found:
                said.append(f"'{clause.short}': not understood{how}")
                continue
            understood += 1
            said.append(f"'{clause.short}': {Rule(tuple(found))}{how}")
            if clause.joined and conditions and found[0].values and conditions[-1][0].values:
                conditions[-1] = joined([*conditions[-1], *found])
            else:
                conditions.append(found)
        flat = tuple(c for some in conditions for c in some)
        return Reading(Rule(flat), tuple(said), understood, len(clauses))

    def _conditions(self, clause: Clause) -> tuple[list[Condition], str]:
        bounds, rest = years(clause.text)
        if bounds is None:
            named, how = self._bounded(clause) or self._named(clause)
            return [named] if named else [], how
        if self.year is None:
            return [], f" ({self._no_year()})"
        out = [Condition((self.year,), (), *bounds, clause.wanted)]
        if all(word in self.fillers for word in _words(rest)):
            return out, ""
        named, how = self._named(Clause(rest, clause.wanted))
        if named is None:
            return out, f", '{rest}' not understood"
        if not clause.wanted:  # "no horror before 1990" bars neither all horror nor all before 1990
            return [], ""
        return [*out, named], how

    def _no_year(self) -> str:
        if not self.named_year:
            return "the items have no column with 'year' in its name"
        return f"their column {self.named_year[0]} holds no numbers"

    def _bounded(self, clause: Clause) -> tuple[Condition, str] | None:
        """A column's name and a number: "price under 20"."""
        for column in self.numeric:
            found = re.fullmatch(
                rf"{re.escape(str(column).lower())} (?:is )?(below|under|above|over) {_NUMBER}",
                clause.text,
            )
            if found:
                number, below = float(found[2]), found[1] in ("below", "under")
                low, high = (None, number) if below else (number, None)
                return Condition((column,), (), low, high, clause.wanted), ""
        return None

    def _named(self, clause: Clause) -> tuple[Condition | None, str]:
        """The values that the words name, else those that contain them, else the nearest spelling.

        What is not wanted is left out wherever a value contains its name.
        """
        words = tuple(w for w in _words(clause.text) if w not in self.fillers)
        if not words:
            words = tuple(_words(clause.text))
        found, how = self.values.get(words, {}), ""
        if not found or not clause.wanted:
            for held, by_column in self.values.items():
                if words and held != words and _within(words, held):
                    for column, values in by_column.items():
                        found = {**found, column: [*found.get(column, []), *values]}
        if not found and sum(map(len, words)) > 3:
            spelt = {" ".join(held): held for held in self.values}
            near = get_close_matches(" ".join(words), list(spelt), n=1, cutoff=NEAR)
            found = self.values[spelt[near[0]]] if near else {}
            how = ", the nearest spelling" if near else ""
        if not found:
            return None, ""
        named = tuple(dict.fromkeys(v for some in found.values() for v in some))
        return Condition(tuple(found), named, wanted=clause.wanted), how


def years(text: str) -> tuple[tuple[float | None, float | None] | None, str]:
    """Bounds of years, both included, None where there is none, and the text without them.

    Examples
    --------
    >>> for text in ("before 1990", "since 1990", "comedies from the 80s", "horror"):
    ...     print(years(text))
    ((None, 1989.0), '')
    ((1990.0, None), '')
    ((1980.0, 1989.0), 'comedies')
    (None, 'horror')
    """
    for pattern, bounds in _YEARS:
        found = re.search(pattern, text)
        if found:
            rest = f"{text[: found.start()]} {text[found.end() :]}"
            return bounds(found), " ".join(rest.split())
    return None, text


def _span(found: re.Match) -> tuple[float, float]:
    low, high = sorted((float(found[1]), float(found[2])))
    return low, high


def _before(found: re.Match) -> tuple[None, float]:
    return None, float(found[2]) - (found[1] not in _INCLUSIVE)


def _after(found: re.Match) -> tuple[float, None]:
    return float(found[2]) + (found[1] not in _INCLUSIVE), None


def _decade(found: re.Match) -> tuple[float, float]:
    start = float(f"{found[1] or '19'}{found[2]}0")
    return start, start + 9


def _one(found: re.Match) -> tuple[float, float]:
    return float(found[1]), float(found[1])


_YEARS: tuple[tuple[str, Callable[[re.Match], tuple[float | None, float | None]]], ...] = (
    (r"(?:\b(?:between|from) )?(\d{4}) ?[-–] ?(\d{4})\b", _span),
    (rf"\b({_BELOW}) {_YEAR}", _before),
    (rf"\b({_ABOVE}) {_YEAR}", _after),
    (r"(?:\b(?:from|in|of) )?(?:\bthe )?\b(\d{2})?(\d)0'?s\b", _decade),
    (rf"\b(?:from|in|of) {_YEAR}", _one),
    (r"^(\d{4})$", _one),
)


def _words(text: str) -> list[str]:
    """Words in lower case, in the singular as far as their ending shows it."""
    words = re.findall(r"[^\W_]+", re.sub(r"['’]s?\b", "", text.lower()))
    return [_singular(word) for word in words]


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


def _within(words: tuple[str, ...], held: tuple[str, ...]) -> bool:
    n = len(words)
    return any(held[k : k + n] == words for k in range(len(held) - n + 1))


def _any_repeats(items: pd.DataFrame, columns: list) -> bool:
    """Whether there are attributes at all; asked of the table, which raises where there are none."""
    try:
        return bool(columns) and bool(attribute_columns(items[columns], constant=True))
    except InputError:
        return False
