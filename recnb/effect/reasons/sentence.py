"""A recommendation's reasons in one sentence, every part of which is checked against the model before it is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from recnb.effect.reasons.asking import Asked
from recnb.effect.reasons.past import Counterfactual, PastItems, past_items, smallest_set
from recnb.effect.reasons.texts import Retold, Words, item_words
from recnb.errors import InputError

_NAMED = 5  # past items that a table or a sentence names


@dataclass(frozen=True)
class Fact:
    """A part of a sentence and how it is checked."""

    says: str
    holds: Callable[[], bool]


@dataclass(frozen=True)
class Reason:
    """Why a user is shown an item.

    Attributes
    ----------
    user, item, title : str
    rank : int
        Among what the user has not had, from 1.
    past : list of (str, float)
        Titles of the five past items that add most and what each adds, the most first, then of any other that the
        sentence names; `exact` says whether the values are terms of the score.
    exact : bool
    share : float, optional
        What the leading past items make of the score where `exact`, else of how far the item stands above the average;
        None where that is not above 0, or none of them raises it.
    words : list of (str, float)
        Empty where the model reads none.
    words_by : str
        "exact", "gradients", "one left out" or "".
    without : list of str
        Titles of the smallest set found without which the item would not be among the first k; empty: none found.
    smallest : bool
        It is known that no smaller set does.
    sentence : str
    left_out : list of str
        Parts that did not pass their check, and are not said.
    """

    user: str
    item: str
    title: str
    rank: int
    past: list[tuple[str, float]]
    exact: bool
    share: float | None
    words: list[tuple[str, float]]
    words_by: str
    without: list[str]
    smallest: bool
    sentence: str
    left_out: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        return asdict(self)


def explain(
    asked: Asked,
    item: int,
    titles: Sequence[str],
    k: int = 10,
    n: int = 2,
    retold: Retold | None = None,
    reader: Any = None,
) -> Reason:
    """Why an item stands in a user's list.

    Parameters
    ----------
    asked : Asked
    item : int
        Code of an item that the user has not had.
    titles : sequence of str
        Of all items.
    k : int
        Length of the list that is spoken of.
    n : int
        Past items and words that the sentence names.
    retold : Retold, optional
        Where words are to be told.
    reader : optional
        See :func:`recnb.effect.reasons.item_words`.

    Raises
    ------
    InputError
        The user has had the item.
    """
    if item in asked.history:
        raise InputError(f"'{titles[item]}' is a past item", mend="name one that is recommended")
    parts = past_items(asked, item)
    rank = int(asked.rank(asked.scores([asked.history]), item)[0])
    gone = smallest_set(asked, item, k, parts) if rank <= k else None
    words = None if retold is None else item_words(asked, item, retold, reader)
    facts = [_standing(asked, item, rank)]
    leading = [int(c) for c in parts.order[:n] if parts.values[parts.items == c][0] > 0]
    share = _share(asked, item, parts, leading)
    facts += _past(asked, item, titles, parts, leading, share)
    facts += [] if gone is None else [_without(asked, item, titles, gone, k)]
    facts += [] if words is None or retold is None else _words(asked, item, words, retold, n)
    said = [fact.says for fact in facts if fact.holds()]
    named = [] if gone is None or len(gone.items) > _NAMED else gone.items
    shown = dict.fromkeys([*parts.order[:_NAMED].tolist(), *named])
    told = [(titles[c], float(parts.values[parts.items == c][0])) for c in shown]
    return Reason(
        user="" if asked.user is None else str(asked.model.user_ids_[asked.user]),
        item=str(asked.model.item_ids_[item]),
        title=str(titles[item]),
        rank=rank,
        past=told,
        exact=parts.exact,
        share=share,
        words=_leading(words),
        words_by="" if words is None else words.how,
        without=[] if gone is None else [str(titles[c]) for c in gone.items],
        smallest=gone is not None and gone.smallest,
        sentence=f"“{titles[item]}” {'; '.join(said)}." if said else "",
        left_out=[fact.says for fact in facts if fact.says not in said],
    )


def _leading(words: Words | None) -> list[tuple[str, float]]:
    if words is None:
        return []
    held = dict(zip(words.words, words.values.tolist()))
    return [(word, held[word]) for word in words.order[:5]]


def _standing(asked: Asked, item: int, rank: int) -> Fact:
    """That the item stands at its place, by the model's own way of scoring this user where there is one."""

    def holds() -> bool:
        if asked.user is None:
            return True
        scores = asked.model.score(np.array([asked.user]), asked.known).astype(np.float64)
        return int(asked.rank(scores, item)[0]) == rank

    return Fact(f"stands at place {rank}", holds)


def _share(asked: Asked, item: int, parts: PastItems, leading: list[int]) -> float | None:
    """What the leading past items make of the score, or of the standing where the score is no sum."""
    if not leading:
        return None
    if parts.exact:
        whole = float(parts.values.sum())
        lost = float(parts.values[np.isin(parts.items, leading)].sum())
    else:
        scores = asked.scores([asked.history, asked.without(*leading)])
        whole, less = (float(z) for z in asked.standing(scores, item))
        lost = whole - less
    return lost / whole if whole > 0 else None


def _past(
    asked: Asked,
    item: int,
    titles: Sequence[str],
    parts: PastItems,
    leading: list[int],
    share: float | None,
) -> list[Fact]:
    """That the leading past items raise it: without them it stands lower, and the terms add up to the score."""
    if not leading:
        return []

    def holds() -> bool:
        scores = asked.scores([asked.history, asked.without(*leading)])
        standing = asked.standing(scores, item)
        whole = np.isclose(parts.values.sum(), scores[0, item], rtol=1e-3, atol=1e-5)
        adds_up = not parts.exact or bool(whole)
        return bool(np.isin(leading, asked.history).all() and standing[1] < standing[0] and adds_up)

    told = _raised([titles[c] for c in leading], share, parts.exact)
    return [Fact(told, holds)]


def _raised(names: Sequence[str], share: float | None, exact: bool) -> str:
    """How much past items add, in words: "most" only where it is more than half, and always its share."""
    named, several = _listed(names), len(names) > 1
    whole = "its score" if exact else "its lead over the average item"
    raised = f"{named} {'raise' if several else 'raises'} it most"
    if share is None or share <= 0:
        return raised
    percent = round(100 * share)
    if percent > 100 and not exact:
        return f"without {named} it would stand below the average item"
    if percent > 100:
        return f"{named} {'add' if several else 'adds'} more than {whole}, which other past items lower"
    if percent > 50:
        return f"most of {whole} ({percent} %) comes from {named}"
    return f"{raised} ({percent} % of {whole})"


def _without(asked: Asked, item: int, titles: Sequence[str], gone: Counterfactual, k: int) -> Fact:
    def holds() -> bool:
        scores = asked.scores([asked.without(*gone.items)])
        return int(asked.rank(scores, item)[0]) > k

    if len(gone.items) > _NAMED:
        named = f"{len(gone.items)} of the past items"
    else:
        named = _listed([titles[c] for c in gone.items])
    return Fact(f"without {named} it would not be among the first {k}", holds)


def _words(asked: Asked, item: int, words: Words, retold: Retold, n: int) -> list[Fact]:
    """That the leading words raise it: told without them it stands lower."""
    values = dict(zip(words.words, words.values.tolist()))
    leading = [word for word in words.order[:n] if values[word] > 0]
    if not leading:
        return []

    def holds() -> bool:
        rows = [retold.without(item, ()), retold.without(item, leading)]
        changed = retold.scored(rows)
        whole, less = changed.standings(changed.scores([asked.history])[0], slice(None))
        return bool(set(leading) <= set(retold.words_of(item)) and less < whole)

    noun = "word" if len(leading) == 1 else "words"
    return [Fact(f"the {noun} {_listed(leading)} raised it most", holds)]


def _listed(names: Sequence[str]) -> str:
    quoted = [f"“{name}”" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
