"""A wish as it was written, cut to what is read of it, and the clauses it is made of."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

from recnb.errors import InputError
from recnb.progress import note

MOST_WORDS = 200
MOST_CHARACTERS = 2000

NEGATIVE = ("nothing with", "no", "not", "without", "never", "avoid", "exclude", "except", "hide")
POSITIVE = ("nothing but", "only", "just", "must be", "show", "for")
_BREAK = re.compile(r"\s*(?:([,;:!?\n]|\.(?!\d))|\b(and|(?<!nothing )but|or)\b)\s*")
_BETWEEN = re.compile(r"\b(between|from)\s+(\d{4})\s+(?:and|to|until)\s+(\d{4})")


@dataclass(frozen=True)
class Clause:
    """A part of a wish: what is named, and whether it is wanted.

    Parameters
    ----------
    text : str
        Without the words that say whether it is wanted.
    wanted : bool
    marked : bool
        Whether a word ("only", "no") said so; else the clause before did, or nothing.
    joined : bool
        Another name for the clause before: "comedy or romance".
    """

    text: str
    wanted: bool = True
    marked: bool = False
    joined: bool = False

    @property
    def short(self) -> str:
        """The text as it is quoted: whole words, at most 80 characters."""
        return textwrap.shorten(self.text, 80, placeholder=" …")


@dataclass(frozen=True)
class Wish:
    """A wish in words.

    Parameters
    ----------
    text : str
        What is read: white space made one space, at most 200 words and 2,000 characters.
    words : int
        Words of what was written.
    cut : int
        How many of them are not read.

    Examples
    --------
    >>> wish = Wish.of("No horror or war,  only before 1990")
    >>> [(c.text, c.wanted) for c in wish.clauses()]
    [('horror', False), ('war', False), ('before 1990', True)]
    >>> Wish.of("word " * 10_000).cut
    9800
    """

    text: str
    words: int
    cut: int = 0

    @classmethod
    def of(cls, written: str | Wish) -> Wish:
        """Read a wish; what is cut of it is said.

        Raises
        ------
        InputError
            It is no text.
        """
        if isinstance(written, Wish):
            return written
        if not isinstance(written, str):
            raise InputError(
                f"the wish is {type(written).__name__}", mend="write it in words, or leave it empty"
            )
        # a single word may be as long as a page
        words = written.split()
        kept: list[str] = []
        length = 0
        for word in words[:MOST_WORDS]:
            length += len(word) + 1
            if length > MOST_CHARACTERS + 1:
                break
            kept.append(word)
        cut = len(words) - len(kept)
        wish = cls(" ".join(kept), len(words), cut)
        if cut:
            note(wish.cut_line)
        return wish

    @property
    def cut_line(self) -> str:
        """What is said of a wish that is not read to its end."""
        return f"the wish has {self.words:,} words: the first {self.words - self.cut:,} are read"

    def __bool__(self) -> bool:
        return bool(self.text)

    def clauses(self) -> list[Clause]:
        """Its parts between commas, full stops, "and", "but" and "or", in lower case.

        A part that does not say whether it is wanted goes on from the one before where "and" or "or" joins them
        ("no horror and war" wants neither), and is wanted elsewhere.
        """
        text = _BETWEEN.sub(r"\1 \2-\3", self.text.lower())
        pieces = _BREAK.split(text)
        out: list[Clause] = []
        for k in range(0, len(pieces), 3):
            body, word = pieces[k], pieces[k - 1] if k else None
            clause = _clause(body)
            if not clause.text:
                continue
            if not clause.marked and word in ("and", "or") and out:
                before = out[-1]
                joined = word == "or" and before.wanted
                clause = Clause(clause.text, before.wanted, before.marked, joined)
            out.append(clause)
        return out


def _clause(body: str) -> Clause:
    body = body.strip(" \"'()")
    for words, wanted in ((NEGATIVE, False), (POSITIVE, True)):
        for word in words:
            if body == word or body.startswith(f"{word} "):
                return Clause(body[len(word) :].strip(), wanted, True)
    return Clause(body)
