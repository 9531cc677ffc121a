"""How prompts become tokens: where a beginning ends, what a chat looks like, which words are answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from recnb.errors import InputError

CHUNK = 8192  # texts split at a time


class Tokens:
    """A decoder's tokenizer under the rules by which prompts are cut.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    name : str
        The model's, for messages.

    Notes
    -----
    A prompt's ids are those of its beginning followed by those of what goes on from it, each split into tokens on
    its own: so all that go on from one beginning share its ids. Spaces at the end of a beginning belong to what
    follows (`"Next:"` and `" Toy Story"`), as nearly all tokenizers keep a word's leading space in its token; then
    the ids equal those of the joined text wherever no token crosses the boundary: after a word before a space, a
    line's end, or a turn of a chat. What a tokenizer adds in front of every text (a start token) comes once, before
    the beginning, unless it stands there already; what it would add to the front of a later piece (SentencePiece's
    space) is left out.
    """

    def __init__(self, tokenizer: Any, name: str) -> None:
        self.tokenizer, self.name = tokenizer, name

    def beginnings(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of beginnings, whose last spaces were given to what follows; the start token alone for an empty one."""
        rows = self._ids([text.rstrip(" ") for text in texts])
        n = len(self._head)
        rows = [row if row[:n] == self._head else self._head + row for row in rows]
        return [row or [self._start] for row in rows]

    def endings(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of what goes on from a text: nothing is added in front."""
        if not self._adds_space:
            return self._ids(texts)
        anchor = self._ids(["\n"])[0]
        rows = self._ids(["\n" + text for text in texts])
        if any(row[: len(anchor)] != anchor for row in rows):
            raise InputError(
                f"the tokenizer of {self.name} joins a line's end with what follows it",
                mend="name a decoder with another tokenizer",
            )
        return [row[len(anchor) :] for row in rows]

    def chat(self, user: str, system: str | None = None) -> str:
        """A prompt up to the assistant's turn, by the tokenizer's template.

        Without a template: the system's text and the user's, an empty line between, a line's end behind. Words in
        either that are special tokens are written as :meth:`plain` writes them.
        """
        user, system = self.plain(user), None if system is None else self.plain(system)
        if not getattr(self.tokenizer, "chat_template", None):
            return "\n\n".join(filter(None, (system, user))) + "\n"
        turns = [{"role": "user", "content": user}]
        if system is not None:
            turns.insert(0, {"role": "system", "content": system})
        from jinja2 import TemplateError

        try:
            return self._template(turns)
        except TemplateError:  # Gemma's knows no system: its text comes first in the user's turn
            if system is None:
                raise
            return self._template([{"role": "user", "content": f"{system}\n\n{user}"}])

    def plain(self, text: str) -> str:
        """A text that ends no turn: a space is put into words that the tokenizer would read as special tokens."""
        for token in self._special:
            text = text.replace(token, f"{token[:1]} {token[1:]}")
        return text

    def answers(self, labels: Sequence[str]) -> list[list[int]]:
        """Ids of answer words.

        Raises
        ------
        InputError
            A word that the tokenizer cannot write, or that it writes as another.
        """
        if isinstance(labels, str) or len(labels) < 2 or len(set(labels)) < len(labels):
            raise InputError(f"labels={labels!r}", mend="give two or more different answer words")
        rows = self.endings(labels)
        unknown = self.tokenizer.unk_token_id
        for label, row in zip(labels, rows):
            written = self.tokenizer.decode(row, clean_up_tokenization_spaces=False)
            # tokenizers of GPT-2's kind name their end of text as the unknown token: it is never in a word
            if not row or unknown in row or written.strip() != label.strip():
                raise InputError(
                    f"the tokenizer of {self.name} has no way to write the answer {label!r}",
                    mend="choose labels in words that it knows",
                )
        if len({tuple(row) for row in rows}) < len(rows):
            raise InputError(
                f"the tokenizer of {self.name} writes two of {list(labels)} alike",
                mend="choose labels that differ",
            )
        return rows

    def _template(self, turns: list[dict[str, str]]) -> str:
        return self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        out: list[list[int]] = []
        for start in range(0, len(texts), CHUNK):
            part = list(texts[start : start + CHUNK])
            out += self.tokenizer(part, add_special_tokens=False, return_attention_mask=False)[
                "input_ids"
            ]
        return out

    @cached_property
    def _special(self) -> list[str]:
        added = self.tokenizer.added_tokens_decoder.values()
        return sorted(
            {token.content for token in added if token.special}, key=lambda t: (-len(t), t)
        )

    @cached_property
    def _head(self) -> list[int]:
        """What the tokenizer adds in front of every text."""
        (bare,) = self._ids(["a"])
        full = self.tokenizer(["a"], return_attention_mask=False)["input_ids"][0]
        return full[: full.index(bare[0])]

    @cached_property
    def _start(self) -> int:
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return int(token)
        raise InputError(
            f"an empty prefix, and {self.name} has no token for the start of a text",
            mend="begin with a word",
        )

    @cached_property
    def _adds_space(self) -> bool:
        anchor, alone, after = self._ids(["\n", "a", "\na"])
        return after != anchor + alone


def spaces_after(text: str) -> str:
    """The spaces at a text's end, which belong to what follows."""
    return " " * (len(text) - len(text.rstrip(" ")))


def check_length(length: int, place: int, most: int, name: str) -> None:
    """Raise where a prompt is longer than the model reads; nothing is cut without a word."""
    if length > most:
        raise InputError(
            f"a prompt of {length} tokens; {name} reads {most}",
            row=place + 1,
            mend="keep fewer lines of the history, or take a model with a longer context",
        )
