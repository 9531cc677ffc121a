"""Prompts: a history in words, shared by all candidates, and the candidates behind it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from recnb.errors import InputError
from recnb.models.common.histories import Told
from recnb.models.language.templates import Template

log = logging.getLogger(__name__)

_MARK = "\ue000"  # of a private area: in no text
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass
class Cut:
    """How many histories were told, how many of them in part only, and how many of their oldest lines were cut.

    `titles` counts the items whose title is longer than what is read of it.
    """

    histories: int = 0
    shortened: int = 0
    lines: int = 0
    titles: int = 0

    def __str__(self) -> str:
        told = (
            f"{self.shortened} of {self.histories} histories were cut, by {self.lines} lines in all"
        )
        return f"{told}; {self.titles} titles were cut" if self.titles else told


class Prompts:
    """Questions to a decoder about the candidates of a history.

    Parameters
    ----------
    decoder : Decoder
        Its chat format, tokens and context are used.
    template : Template
    titles : sequence of str
        Of all items, by code.
    thing : str
        What an item is called: "film"; an s makes it more than one.
    instruction : str
        Put where the template has ``{instruction}``.
    max_tokens : int, optional
        The longest prompt, candidate and answer among them; by default the decoder's context.

    Attributes
    ----------
    cut : Cut
        Counted over all prompts made so far.

    Notes
    -----
    A history that does not fit loses its oldest lines, at equal cost to all its candidates: the longest of them must
    fit. The counts are those of the parts, which is at least that of the whole.
    """

    def __init__(
        self,
        decoder: Any,
        template: Template,
        titles: Sequence[str],
        thing: str = "item",
        instruction: str = "",
        max_tokens: int | None = None,
    ) -> None:
        self.decoder, self.template = decoder, template
        self.titles = [self._plain(title) for title in titles]
        said = {"thing": thing, "things": f"{thing}s", "instruction": instruction}
        self.words = {name: self._plain(text) for name, text in said.items()}
        self.limit = min(max_tokens or decoder.context, decoder.context)
        self.cut = Cut()
        self._lengths: dict[str, int] = {}

    def rendered(self, told: Told, **values: str) -> str:
        """The whole prompt, in the decoder's chat format."""
        titles = [self.titles[i] for i in told.items]
        liked = told.liked or (True,) * len(titles)
        opinions: Sequence[bool | None] = told.liked or (None,) * len(titles)
        lines = [self.template.told(t, o) for t, o in zip(titles, opinions)]
        history = {
            "history": "\n".join(lines),
            "liked": ", ".join(t for t, good in zip(titles, liked) if good),
            "disliked": ", ".join(t for t, good in zip(titles, liked) if not good),
        }
        words = {**self.words, **history, **values}
        text = self.template.filled(words)
        return self.decoder.chat(text, self.template.system or None) + self.template.begun(words)

    def about_items(
        self, told: Sequence[Told], candidates: Sequence[np.ndarray]
    ) -> tuple[list[str], list[list[str]]]:
        """For each history what all candidates share, and for each candidate what follows.

        Parameters
        ----------
        told : sequence of Told
        candidates : sequence of ndarray of int
            Item codes.

        Returns
        -------
        prefixes : list of str
        suffixes : list of list of str
            Prefix and suffix together are the prompt, to which the answer word is the next.
        """
        _, rest = self.split_at_item(Told())
        prefixes, suffixes = [], []
        for one, codes in zip(told, candidates):
            behind = [rest.replace(_MARK, self.titles[code]) for code in codes]
            prefixes.append(self.split_at_item(self.fitted(one, behind))[0])
            suffixes.append(behind)
        self._say()
        return prefixes, suffixes

    def for_titles(
        self, told: Sequence[Told], candidates: Sequence[np.ndarray]
    ) -> tuple[list[str], list[list[str]]]:
        """For each history the prompt, and the titles as what may follow."""
        prefixes, titles = [], []
        for one, codes in zip(told, candidates):
            behind = [self.titles[code] for code in codes]
            prefixes.append(self.rendered(self.fitted(one, behind)))
            titles.append(behind)
        self._say()
        return prefixes, titles

    def for_orders(self, told: Sequence[Told], candidates: Sequence[np.ndarray]) -> list[str]:
        """For each history a prompt with all its candidates, each behind a letter."""
        out = []
        for one, codes in zip(told, candidates):
            lines = [f"{letter}. {self.titles[c]}" for letter, c in zip(LETTERS, codes)]
            listed = "\n".join(lines)
            out.append(self.rendered(self.fitted(one, [listed]), candidates=listed))
        self._say()
        return out

    def split_at_item(self, told: Told) -> tuple[str, str]:
        """What stands before the candidate, and the candidate (a mark) with what follows.

        A space before the candidate goes with it: that is where tokenizers divide.
        """
        before, _, after = self.rendered(told, item=_MARK).partition(_MARK)
        shared = before.rstrip(" ")
        return shared, before[len(shared) :] + _MARK + after

    def fitted(self, told: Told, behind: Sequence[str]) -> Told:
        """A history without the oldest lines that do not fit before the longest of what follows.

        Raises
        ------
        InputError
            Not even a prompt without a history fits.
        """
        filled = dict.fromkeys(("history", "liked", "disliked", "item", "candidates"), "-")
        fixed = self._count(self.rendered(Told(), **filled))
        room = self.limit - fixed - max(map(self._count, behind), default=0) - 1
        if room < 0:
            longer = "shorten the instruction, the wish or the titles, or take a decoder of a longer context"
            given = self.limit < self.decoder.context
            raise InputError(
                f"the prompt '{self.template.name}' has {self.limit - room:,} tokens without any history, and "
                + (
                    f"max_tokens={self.limit}"
                    if given
                    else f"{self.decoder.name} reads {self.limit:,}"
                ),
                mend="raise max_tokens, or shorten the instruction or the titles"
                if given
                else longer,
            )
        opinions: Sequence[bool | None] = told.liked or (None,) * len(told.items)
        n = 0
        for code, opinion in zip(reversed(told.items), reversed(opinions)):
            room -= self._count(self.template.told(self.titles[code], opinion)) + 1
            if room < 0:
                break
            n += 1
        lost = len(told.items) - n
        self.cut.histories += 1
        self.cut.shortened += lost > 0
        self.cut.lines += lost
        return told if not lost else Told(told.items[lost:], told.liked and told.liked[lost:])

    def _plain(self, text: str) -> str:
        """Text that opens and closes no turn of the chat: a title is what is asked about, it does not ask."""
        for mark in self._marks:
            if mark in text:
                text = text.replace(mark, " ")
        return text

    @cached_property
    def _marks(self) -> list[str]:
        return [str(mark) for mark in self.decoder.tokens.tokenizer.all_special_tokens]

    def _count(self, text: str) -> int:
        if text not in self._lengths:
            (ids,) = self.decoder.tokens.endings([text])
            self._lengths[text] = len(ids)
        return self._lengths[text]

    def _say(self) -> None:
        if self.cut.shortened:
            log.warning("%s reads %d tokens: %s", self.decoder.name, self.limit, self.cut)
