"""Beginnings and what goes on from them, as tokens: whole continuations, or the answer words behind them."""

from __future__ import annotations

from collections.abc import Sequence

from recnb.encoders.decoder.passes import Prompt
from recnb.encoders.decoder.tokens import Tokens, check_length, spaces_after
from recnb.errors import InputError


def whole_continuations(
    tokens: Tokens, prefixes: Sequence[str], continuations: Sequence[Sequence[str]], most: int
) -> list[Prompt]:
    """Prompts of which every token of the continuation is asked for.

    Raises
    ------
    InputError
        Lists of different lengths, an empty continuation, or more than `most` tokens.
    """
    check_lists(prefixes, continuations)
    distinct: dict[str, int] = {}  # many users share candidates: each is split once
    for place, (prefix, texts) in enumerate(zip(prefixes, continuations)):
        for text in texts:
            if not text:
                raise InputError(
                    "an empty continuation", row=place + 1, mend="give each at least one word"
                )
            distinct.setdefault(spaces_after(prefix) + text, len(distinct))
    ids = tokens.endings(list(distinct))
    out = []
    for place, (beginning, prefix, texts) in enumerate(
        zip(tokens.beginnings(prefixes), prefixes, continuations)
    ):
        rows = [ids[distinct[spaces_after(prefix) + text]] for text in texts]
        longest = max(map(len, rows), default=0)
        check_length(len(beginning) + longest, place, most, tokens.name)
        out.append(Prompt(beginning, rows, [len(row) for row in rows]))
    return out


def answers_only(
    tokens: Tokens,
    prefixes: Sequence[str],
    suffixes: Sequence[Sequence[str]],
    labels: Sequence[str],
    most: int,
) -> list[Prompt]:
    """Prompts of which only the answer word is asked for; of each suffix all labels, one after another.

    Raises
    ------
    InputError
        As :func:`whole_continuations`, but a suffix may be empty; or a label that cannot be written.
    """
    check_lists(prefixes, suffixes)
    answers = {"": tokens.answers(labels)}
    distinct: dict[str, int] = {}
    ends: list[str] = []  # of each distinct suffix the spaces behind it: they belong to the answer
    for prefix, texts in zip(prefixes, suffixes):
        for text in texts:
            distinct.setdefault(spaces_after(prefix) + text, len(distinct))
    for text in distinct:
        ends.append(spaces_after(text))
        if ends[-1] not in answers:
            answers[ends[-1]] = tokens.endings([ends[-1] + label for label in labels])
    ids = tokens.endings([text.rstrip(" ") for text in distinct])
    out = []
    for place, (beginning, prefix, texts) in enumerate(
        zip(tokens.beginnings(prefixes), prefixes, suffixes)
    ):
        rows, scored = [], []
        for text in texts:
            k = distinct[spaces_after(prefix) + text]
            rows += [ids[k] + answer for answer in answers[ends[k]]]
            scored += [len(answer) for answer in answers[ends[k]]]
        longest = max(map(len, rows), default=0)
        check_length(len(beginning) + longest, place, most, tokens.name)
        out.append(Prompt(beginning, rows, scored))
    return out


def check_lists(prefixes: Sequence[str], rests: Sequence[Sequence[str]]) -> None:
    """Raise where there is not one list of texts for each prefix."""
    if isinstance(prefixes, str):
        raise InputError("the prefixes are one string", mend="give a list of strings")
    if len(prefixes) != len(rests):
        raise InputError(
            f"{len(prefixes)} prefixes and {len(rests)} lists of what follows them",
            mend="give one list for each prefix",
        )
    for place, texts in enumerate(rests):
        if isinstance(texts, str):
            raise InputError(
                "what follows a prefix is one string", row=place + 1, mend="give a list of strings"
            )
