"""Series of films, told from their titles: what "not two of one series" needs where no column says it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_YEAR = re.compile(r"\s*\((\d{4}|[IVX]+|V)\)\s*$")
_ARTICLE = re.compile(r",\s*(the|a|an|le|la|les|il|der|die|das)\b", re.IGNORECASE)
_NUMBER = re.compile(r"[\s,-]+(part\s+)?(\d{1,2}|[ivx]+)$")
_LONG = 6  # letters of a single word that may stand for a series


def series_of(titles: Sequence[str]) -> list[str | None]:
    """The series that each title belongs to, None where it stands alone.

    Parameters
    ----------
    titles : sequence of str

    Returns
    -------
    list of str or None

    Notes
    -----
    A series is what at least two titles share before a number ("Alien 3"), before a colon ("Star Trek: Generations"),
    or as the whole title that others begin with ("Batman", "Batman Returns"; a single word needs six letters). It is a
    rule of thumb: a series whose films have names of their own is not seen, and two films that begin alike are taken
    for one.

    Examples
    --------
    >>> series_of(["Alien (1979)", "Alien 3 (1992)", "Alien: Resurrection (1997)", "Heat (1995)"])
    ['alien', 'alien', 'alien', None]
    >>> series_of(["Batman (1989)", "Batman Returns (1992)", "Godfather, The (1972)", "Godfather: Part II, The (1974)"])
    ['batman', 'batman', 'godfather', 'godfather']
    """
    plain = [_plain(title) for title in titles]
    stems = [_stem(title) for title in plain]
    whole = Counter(plain)
    heads = {s for s, n in Counter(stems).items() if n > 1} | set(whole)
    keys = []
    for title, stem in zip(plain, stems):
        words = title.split()
        begins = (" ".join(words[:n]) for n in range(1, len(words)))
        longer = [b for b in begins if b in heads and (" " in b or len(b) >= _LONG)]
        keys.append(longer[0] if longer else stem)
    counts = Counter(keys)
    return [key if key and counts[key] > 1 else None for key in keys]


def _plain(title: str) -> str:
    """Lower case, without year and article."""
    text = title
    while _YEAR.search(text):
        text = _YEAR.sub("", text)
    text = _ARTICLE.sub("", text).lower().strip()
    return re.sub(r"^(the|a|an)\s+", "", text)


def _stem(title: str) -> str:
    """What stands before a colon and before a number."""
    head = title.partition(":")[0].strip()
    return _NUMBER.sub("", head).strip() or head
