"""What a shop does about it: texts cleaned at the door, training on attacked texts, answers to the attacker's best."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.base import clone

from recnb.data import Dataset
from recnb.effect.attacks.edits import LOOKALIKE, Edit, popular_words, rewritten
from recnb.effect.attacks.gains import text_gains
from recnb.recommender import Recommender

_BACK = {chr(new): chr(old) for old, new in LOOKALIKE.items()}
_ORDER = re.compile(
    r"[^.!?]*\b(?:ignore\s+(?:all|any|the|every)\b[^.!?]*\b(?:above|previous|prior|instructions?)"
    r"|(?:answer|say|reply|respond)\s+(?:with\s+)?[\"']?yes\b"
    r"|system\s+prompt|you\s+must\s+(?:recommend|rank|answer))[^.!?]*[.!?]?",
    re.IGNORECASE,
)
_COLUMNS = ("title", "name", "text", "description")
_REPEATS = 3  # times that a word may stand in a text
_PASSAGE = 5  # words in a row that make a copy


@dataclass(frozen=True)
class Cleaned:
    """Texts after the door.

    Attributes
    ----------
    items : DataFrame
    changed : dict of str to int
        How many texts each rule has changed: "characters", "orders", "repeats", "copies", "words".
    """

    items: pd.DataFrame
    changed: dict[str, int]


def plain_characters(text: str) -> str:
    """A text without characters of no width, and with Latin letters for those of other scripts that look like them.

    Only in words that hold a Latin letter, and in words of look-alikes alone where the text has no other letter of
    another script.

    Examples
    --------
    >>> plain_characters("s\\u200bp\\u0430ce"), plain_characters("\\u0440\\u043e\\u0431\\u043e\\u0442")
    ('space', 'робот')
    """
    text = unicodedata.normalize("NFKC", text)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    if not set(text) & set(_BACK):
        return text
    other = any(c.isalpha() and c not in _BACK and not _is_latin(c) for c in text)
    return re.sub(r"\w+", lambda m: _latin(m.group(), other), text)


def _is_latin(letter: str) -> bool:
    return "LATIN" in unicodedata.name(letter, "")


def _latin(word: str, other: bool) -> str:
    letters = [c for c in word if c.isalpha()]
    mixed = any(map(_is_latin, letters))
    if not mixed and (other or not all(c in _BACK for c in letters)):
        return word
    return "".join(_BACK.get(c, c) for c in word)


def sanitised(
    items: pd.DataFrame, trusted: pd.DataFrame | None = None, stopped: Iterable[str] = ()
) -> Cleaned:
    """Texts as they pass the door.

    Parameters
    ----------
    items : DataFrame
        With a column `title`, `name`, `text` or `description`.
    trusted : DataFrame, optional
        Items of others whose passages may not be copied: five words in a row that stand there are taken out, but for
        the row's own.
    stopped : iterable of str
        Words that are taken out, in lower case.

    Notes
    -----
    In turn: characters (:func:`plain_characters`), sentences that give orders, a word's fourth occurrence and later,
    passages of trusted items, stopped words.
    """
    passages = _passages(trusted) if trusted is not None else {}
    gone = set(stopped)
    out, changed = (
        items.copy(),
        dict.fromkeys(("characters", "orders", "repeats", "copies", "words"), 0),
    )
    ids = items.get("item_id", items.index)
    for column in (c for c in _COLUMNS if c in items):
        told = []
        for own, value in zip(ids, items[column]):
            if not isinstance(value, str):
                told.append(value)
                continue
            text = value
            for rule, change in (
                ("characters", plain_characters),
                ("orders", lambda t: _ORDER.sub(" ", t)),
                ("repeats", _few_repeats),
                ("copies", lambda t, own=own: _uncopied(t, passages, own)),
                ("words", lambda t: _without(t, gone)),
            ):
                after = change(text)  # type: ignore[operator]
                if after.split() != text.split():
                    changed[rule] += 1
                    text = " ".join(after.split())
            told.append(text)
        out[column] = told
    return Cleaned(out, changed)


def _few_repeats(text: str) -> str:
    seen: dict[str, int] = {}
    kept = []
    for word in text.split():
        key = word.lower().strip(".,;:!?\"'()")
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= _REPEATS:
            kept.append(word)
    return " ".join(kept)


def _passages(trusted: pd.DataFrame) -> dict[tuple[str, ...], object]:
    ids = trusted.get("item_id", trusted.index)
    out: dict[tuple[str, ...], object] = {}
    for column in (c for c in _COLUMNS if c in trusted):
        for own, value in zip(ids, trusted[column]):
            words = str(value).lower().split() if isinstance(value, str) else []
            for at in range(len(words) - _PASSAGE + 1):
                out.setdefault(tuple(words[at : at + _PASSAGE]), own)
    return out


def _uncopied(text: str, passages: dict[tuple[str, ...], object], own: object) -> str:
    if not passages:
        return text
    words = text.split()
    low = [w.lower() for w in words]
    gone = np.zeros(len(words), bool)
    for at in range(len(words) - _PASSAGE + 1):
        owner = passages.get(tuple(low[at : at + _PASSAGE]))
        if owner is not None and owner != own:
            gone[at : at + _PASSAGE] = True
    return " ".join(w for w, g in zip(words, gone) if not g)


def _without(text: str, gone: set[str]) -> str:
    if not gone:
        return text
    return re.sub(r"\w+", lambda m: "" if m.group().lower() in gone else m.group(), text)


def hardened(known: Dataset, edit: Edit, share: float = 0.2, seed: int = 0) -> Dataset:
    """Data to train on in which some unpopular items carry an attack: a model learns that its words promise nothing.

    Parameters
    ----------
    known : Dataset
    edit : Edit
    share : float
        Of all items, drawn among the less popular half.
    seed : int

    References
    ----------
    Goodfellow, Shlens and Szegedy, Explaining and harnessing adversarial examples, ICLR 2015, section 6 (training on
    attacked inputs; here of words).
    """
    counts = np.bincount(known.interactions["item"], minlength=known.n_items)
    low = np.argsort(counts, kind="stable")[: known.n_items // 2]
    n = min(len(low), round(share * known.n_items))
    drawn = np.random.default_rng(seed).choice(low, n, replace=False)
    return rewritten(known, {int(item): edit for item in drawn})


@dataclass(frozen=True)
class Round:
    """A round of attacker and defender.

    Attributes
    ----------
    words : tuple of str
        What the attacker writes: the best of the words tried against the defence as it stands.
    attacked : float
        Mean places gained by them before the defender's answer; after it they are gone from every text.
    quality : float
        Of the model after the answer, as the caller measures it.
    """

    words: tuple[str, ...]
    attacked: float
    quality: float


def best_responses(
    model: Recommender,
    known: Dataset,
    targets: Sequence[int],
    users: np.ndarray,
    quality: Callable[[Recommender, Dataset], float],
    rounds: int = 4,
    n_words: int = 10,
    tried: int = 40,
) -> list[Round]:
    """The attacker writes the words that gain most; the defender takes these out of every text and trains again.

    Parameters
    ----------
    model : Recommender
    known : Dataset
    targets, users
        As in :func:`text_gains`.
    quality : callable (fitted model, data it was fitted on) -> float
    rounds, n_words, tried : int
        `tried` words of the popular items are asked about, one by one, in each round.

    Notes
    -----
    What the defence costs: words that many honest texts use are lost to them too.
    """
    stopped: set[str] = set()
    data, fitted, out = known, clone(model).fit(known), []
    for _ in range(rounds):
        words = [w for w in popular_words(data) if w not in stopped][:tried]
        single = text_gains(fitted, data, targets, [Edit(w, (w,)) for w in words], users)
        best = single.groupby("attack")["places"].mean().sort_values(ascending=False)
        edit = Edit("best words", tuple(best.index[:n_words]))
        attacked = float(text_gains(fitted, data, targets, [edit], users)["places"].mean())
        stopped |= set(edit.words)
        data = replace(known, items=sanitised(known.items, stopped=stopped).items)
        fitted = clone(model).fit(data)
        out.append(Round(edit.words, attacked, quality(fitted, data)))
    return out
