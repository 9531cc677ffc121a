"""From traits to text: titles and descriptions put together from banks of phrases.

One meaning has many wordings: a heist is told as a robbery, a con or one last job. A count of words
does not see that they are one; a language model may. The banks are in `phrases`, one file a domain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np

_A = re.compile(r"\b([Aa])n? (?=([\"']?)([A-Za-z][\w-]*))")
_CONSONANT_SOUND = re.compile(r"^(uni(?!m|n)|use|usu|uto|eu|ewe|one\b|once)", re.IGNORECASE)
_VOWEL_SOUND = re.compile(r"^([aeiou]|hour|honest|hono|heir)", re.IGNORECASE)
_ROMAN = ("II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")


def split(text: str) -> tuple[str, ...]:
    """Split phrases at ``|``.

    Examples
    --------
    >>> split("a vault | one last job")
    ('a vault', 'one last job')
    """
    return tuple(" ".join(part.split()) for part in text.split("|") if part.strip())


@dataclass(frozen=True)
class Theme:
    """A subject and its many wordings.

    Parameters
    ----------
    name, family : str
        The subject, and the category it belongs to.
    things : str
        Noun phrases, separated by ``|``.
    acts : str
        Verb phrases (or, for news, whole headlines), separated by ``|``.
    words : str
        Words for titles, separated by ``|``.
    tags : str
        Plural nouns or names of matter, for lists without articles, separated by ``|``.
    """

    name: str
    family: str
    things: str
    acts: str
    words: str
    tags: str = ""


@dataclass(frozen=True)
class Bank:
    """All that a domain can say.

    Parameters
    ----------
    prefix : str
        First letter of the item ids.
    blocks : tuple of str
        What the four kinds of traits are called: theme, mood, setting and lead.
    themes : tuple of Theme
    moods, settings, leads : dict of str to str
        Name of the trait to its wordings, separated by ``|``.
    titles : str
        Title patterns, separated by ``|``. Slots: see `write`.
    sentences : tuple of str
        Sentence patterns, one string for each sentence of a description, separated by ``|``.
    creators : tuple of (str, str)
        Two lists of parts from which names of creators are made.
    columns : dict of str to str
        Further item columns: name to values, separated by ``|``.
    creator_column : str
        Name of the column that holds the creator: creator, brand, author or artist.
    title_case : bool
        Whether titles are written with capitals.
    marks : str
        Names of models for titles; they mean nothing.
    """

    prefix: str
    blocks: tuple[str, str, str, str]
    themes: tuple[Theme, ...]
    moods: Mapping[str, str]
    settings: Mapping[str, str]
    leads: Mapping[str, str]
    titles: str
    sentences: tuple[str, ...]
    creators: tuple[str, str]
    columns: Mapping[str, str]
    creator_column: str = "creator"
    title_case: bool = True
    marks: str = "I"

    @property
    def families(self) -> tuple[str, ...]:
        """The categories, in order of first mention."""
        return tuple(dict.fromkeys(theme.family for theme in self.themes))


def bank_of(domain: str) -> Bank:
    """Return the phrases of a domain."""
    bank: Bank = import_module(f"recnb.world.phrases.{domain}").BANK
    return bank


def polish(text: str) -> str:
    """Put *a* or *an* where each belongs, and a capital at the start of each sentence.

    Examples
    --------
    >>> polish("a honest tale of a unicorn. a eerie one.")
    'An honest tale of a unicorn. An eerie one.'
    """

    def article(match: re.Match[str]) -> str:
        word = match.group(3)
        vowel = _VOWEL_SOUND.match(word) and not _CONSONANT_SOUND.match(word)
        return match.group(1) + ("n " if vowel else " ")

    text = _A.sub(article, " ".join(text.split()))
    return re.sub(r"(^|[.!?] )([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)


_SMALL = frozenset(
    split("a|an|and|as|at|but|by|for|from|in|into|of|off|on|or|over|per|the|to|with")
)


def title_case(text: str) -> str:
    """Write a title with capitals.

    Examples
    --------
    >>> title_case("the vault of the night-watch")
    'The Vault of the Night-Watch'
    """

    def capital(word: str) -> str:
        return "-".join(p[:1].upper() + p[1:] for p in word.split("-"))

    words = text.split()
    return " ".join(
        w if i and w in _SMALL and not words[i - 1].endswith(":") else capital(w)
        for i, w in enumerate(words)
    )


class _Slots(dict[str, str]):
    """Fills each slot of a pattern with a phrase that this item has not used yet."""

    def __init__(self, choices: Mapping[str, Sequence[str]], dice: list[float]) -> None:
        super().__init__()
        self.choices, self.dice, self.used = choices, dice, set[str]()

    def pick(self, phrases: Sequence[str]) -> str:
        fresh = [p for p in phrases if p not in self.used] or phrases
        phrase = fresh[int(self.dice.pop() * len(fresh))]
        self.used.add(phrase)
        return phrase

    def __missing__(self, slot: str) -> str:
        # {thing}, {thing_b}: two different phrases of one list; {Thing} has a capital.
        phrase = self.pick(self.choices[slot.split("_")[0].lower()])
        return phrase[:1].upper() + phrase[1:] if slot[0].isupper() else phrase


def write(bank: Bank, traits: np.ndarray, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Write the title and the description of each item.

    Parameters
    ----------
    bank : Bank
    traits : ndarray of shape (n_items, 5), int
        Theme, second theme, mood, setting and lead of each item.
    rng : numpy.random.Generator

    Returns
    -------
    titles, texts : list of str
        No two titles are the same.

    Notes
    -----
    Slots: ``thing``, ``act``, ``word``, ``tag`` of the theme; ``other``, ``otheract``, ``otherword``, ``othertag`` of
    the second; ``mood``, ``setting``, ``lead``. ``main`` is one word of the theme kept in the title and
    the text, ``mark`` a name without meaning. ``{thing_b}`` is another one of the same list.
    """
    things = [split(t.things) for t in bank.themes]
    acts = [split(t.acts) for t in bank.themes]
    words = [split(t.words) for t in bank.themes]
    tags = [split(t.tags) for t in bank.themes]
    moods, settings, leads = (
        [split(v) for v in block.values()] for block in (bank.moods, bank.settings, bank.leads)
    )
    patterns, marks = split(bank.titles), split(bank.marks)
    sentences = [split(s) for s in bank.sentences]
    titles: list[str] = []
    texts: list[str] = []
    taken: set[str] = set()
    for first, second, mood, setting, lead in traits.tolist():
        choices = {
            "thing": things[first], "act": acts[first], "word": words[first],
            "other": things[second], "otheract": acts[second], "otherword": words[second],
            "tag": tags[first], "othertag": tags[second],
            "mood": moods[mood], "setting": settings[setting], "lead": leads[lead],
            "mark": marks, "main": (words[first][int(rng.random() * len(words[first]))],),
        }  # fmt: skip
        title = ""
        for _ in range(12):
            slots = _Slots(choices, rng.random(64).tolist())
            title = polish(slots.pick(patterns).format_map(slots))
            title = title_case(title) if bank.title_case else title
            if title not in taken:
                break
        else:
            title = _numbered(title, taken)
        taken.add(title)
        titles.append(title)
        slots = _Slots(choices, rng.random(64).tolist())
        lines = [slots.pick(s).format_map(_Once(slots)) for s in sentences]
        texts.append(polish(" ".join(lines)))
    return titles, texts


class _Once(dict[str, str]):
    """Slots of one sentence: the same slot twice gives one phrase, a new sentence a new one."""

    def __init__(self, slots: _Slots) -> None:
        super().__init__()
        self.slots = slots

    def __missing__(self, slot: str) -> str:
        self[slot] = self.slots.__missing__(slot)
        return self[slot]


def _numbered(title: str, taken: set[str]) -> str:
    """A sequel's title, for catalogues larger than the bank's supply of titles."""
    for numeral in _ROMAN:
        if f"{title} {numeral}" not in taken:
            return f"{title} {numeral}"
    n = 11
    while f"{title} {n}" in taken:
        n += 1
    return f"{title} {n}"


def names(bank: Bank, n: int, rng: np.random.Generator) -> list[str]:
    """Make up ``n`` distinct names of creators, brands, authors or artists."""
    first, last = (split(part) for part in bank.creators)
    pairs = len(first) * len(last)
    order = rng.permutation(max(pairs, n))[:n].tolist()
    made = []
    for code in order:
        round_, code = divmod(code, pairs)
        name = f"{first[code // len(last)]} {last[code % len(last)]}"
        made.append(name + (f" {round_ + 1}" if round_ else ""))
    return made
