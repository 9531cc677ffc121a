"""What judges share: a decoder, titles, histories, and one score for items of one title."""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from sklearn.base import clone

from recnb.data import Dataset
from recnb.data.text import Text
from recnb.errors import InputError
from recnb.models.common.histories import Histories, Told, check_items
from recnb.models.common.item_tables import sentences
from recnb.models.common.new_items import grown_ids, new_items
from recnb.models.language.prompt import Cut, Prompts
from recnb.models.language.templates import Template, open_template
from recnb.recommender import LanguageModel, Reads
from recnb.recommender.candidates import CandidateScorer
from recnb.recommender.rehearsal import Rehearsal

log = logging.getLogger(__name__)
J = TypeVar("J")

UNTITLED = "(untitled)"
TITLE_WORDS = 24  # of a title at most: shops put a whole description there


SETTINGS = """decoder : str
        "smollm2-135m-instruct", which a package brings, or any causal language model: a folder, or a name of the hub.
    template : str
        The wording: a name of :func:`recnb.models.language.templates.template_names`, or the path of a file.
    text : Text, optional
        What an item is called; by default the first 24 words of its title, or of all texts where there is no title.
    thing : str
        What an item is, as the wording says it: "film", "book".
    instruction : str
        Put in front of the question.
    n_history : int
        The last so many rows of a user are told, at least 1.
    max_tokens : int, optional
        The longest prompt; by default the decoder's context.
    dtype : {"float32", "bfloat16", "int8", "auto"}
        Of the decoder's weights.
    device : str
        "auto", "cpu", "cuda"."""


def described(cls: type[J]) -> type[J]:
    """A judge whose docstring says what every judge's settings are."""
    cls.__doc__ = str(cls.__doc__).replace("{settings}", SETTINGS)
    return cls


@described
class LanguageJudge(CandidateScorer):
    """A decoder that is told a history in words and asked about candidates.

    A subclass implements ``_judge(told, codes)``: for each history the scores of some items.

    Parameters
    ----------
    {settings}

    Notes
    -----
    Items whose titles are alike share a score. Items without a title are "(untitled)". A history that does not fit in
    the prompt loses its oldest lines, and of a title the first 24 words are read; :attr:`cut` counts both.
    """

    needs_text = True
    uses_history = True
    kind = "answer"  # of its templates
    usual_candidates = 40  # each takes tens of milliseconds on a CPU
    usual_users = 40
    pairs_kept = 160  # some seconds on a CPU

    decoder: str
    template: str
    text: Text | None
    thing: str
    instruction: str
    n_history: int
    max_tokens: int | None
    dtype: str
    device: str

    @property
    def packages(self) -> tuple[str, ...]:  # type: ignore[override]
        from recnb.encoders.decoder.loading import DEFAULT_DECODER, decoder_packages

        default = self.decoder == DEFAULT_DECODER
        return decoder_packages() if default else ("torch", "transformers")

    def _judge(self, told: Sequence[Told], codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Scores of the items of each history, float; every title at most once."""
        raise NotImplementedError(f"{type(self).__name__} does not implement _judge")

    def _learn(self, train: Dataset, valid: Dataset | None) -> None:
        """What a subclass does when titles and histories are there."""

    def reads(self) -> Reads:
        """Titles, by the decoder; ids only through what the user had."""
        from recnb.encoders.decoder import cited_decoder

        cited = cited_decoder(self.decoder)
        if cited.parameters is None and hasattr(self, "n_parameters_"):
            cited = LanguageModel(cited.name, self.n_parameters_)
        return Reads(modalities=("text",), language_models=(cited,))

    def parameters(self) -> tuple[int, int]:
        """Numbers that fitting changed, and those of the decoder."""
        return 0, self.n_parameters_

    def text_columns(self, items: pd.DataFrame) -> tuple[str, ...]:
        """The title alone, where there is one and no template is given."""
        return tuple((self.text or _usual(items)).chosen(items))

    def check_data(self, train: Dataset) -> None:
        """Besides texts of the items, the wording must be there."""
        super().check_data(train)
        open_template(self.template, self.kind)
        if self.n_history < 1:
            raise InputError(f"n_history={self.n_history}", mend="tell at least 1 row of a user")

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        for name in ("_opened", "_prompts"):
            self.__dict__.pop(name, None)
        self.check_data(train)
        template = self.text or _usual(train.items)
        self.columns_ = template.chosen(train.items)
        self._keep_titles(self._titles(train.items))
        self.cut_titles_ = self._titles_cut(train.items)
        if self.cut_titles_:
            most = template.max_words
            log.info("%d of %d titles are cut to %d words", self.cut_titles_, train.n_items, most)
        histories = Histories.of(train)
        self.start_, self.rows_, self.liked_ = histories.start, histories.items, histories.liked
        self.explicit_ = histories.explicit
        if self._decoder.parameters is None:  # of a hub model they are counted when it is open
            _ = self._decoder.network
        self.n_parameters_ = int(self._decoder.parameters)
        self._learn(train, valid)

    def rehearsed(self, train: Dataset, valid: Dataset | None) -> Rehearsal:
        """Its pace, of 42 pairs; it is fitted as it is, without tuning."""
        frozen = {"method": "frozen"} if "method" in self.get_params() else {}
        probe = clone(self).set_params(**frozen)
        probe.fit(train)
        _ = probe._decoder.network
        user = int(np.diff(probe.start_).argmax())
        items = np.unique(np.linspace(0, train.n_items - 1, 32).astype(int))
        return Rehearsal((), probe._pace(np.array([user]), items[None]))

    def _titles(self, items: pd.DataFrame) -> list[str]:
        template = self.text or _usual(items)
        return [s.rstrip(".") or UNTITLED for s in sentences(template, self.columns_, items)]

    def _titles_cut(self, items: pd.DataFrame) -> int:
        """Of how many items not the whole title is read."""
        template = self.text or _usual(items)
        whole = Text(*self.columns_, max_words=sys.maxsize, labels=template.labels)(items)
        return sum(len(text.split()) > template.max_words for text in whole)

    def _keep_titles(self, titles: Sequence[str]) -> None:
        self.titles_ = np.array(titles, dtype=object)
        _, self.place_ = np.unique(self.titles_, return_inverse=True)

    def with_items(self, items: pd.DataFrame) -> LanguageJudge:
        """A copy that also judges new items, which follow the known ones.

        Raises
        ------
        InputError
            An id is known already, or stands twice.
        """
        table = new_items(items, self.item_ids_)
        out: Any = copy.copy(self)
        for name in ("_prompts", "_prior"):
            out.__dict__.pop(name, None)
        out._keep_titles([*self.titles_, *self._titles(table)])
        out.cut_titles_ = self.cut_titles_ + self._titles_cut(table)
        out.item_ids_ = grown_ids(self.item_ids_, table)
        return out

    @property
    def cut(self) -> Cut:
        """Histories told since the fit, how many of them were cut to the decoder's context, and cut titles."""
        return replace(self._prompts.cut, titles=self.cut_titles_)

    def remarks(self) -> tuple[str, ...]:
        """What of histories and titles was not read."""
        cut = self.cut
        return (*super().remarks(), *((str(cut),) if cut.shortened or cut.titles else ()))

    @property
    def _decoder(self) -> Any:
        """The decoder, opened; tuned where it was."""
        if "_opened" not in vars(self):
            from recnb.encoders.decoder import Decoder

            self._opened = Decoder(self.decoder, device=self.device, dtype=self.dtype)
        return self._opened

    @cached_property
    def _prompts(self) -> Prompts:
        return self._worded(open_template(self.template, self.kind))

    def _worded(self, template: Template) -> Prompts:
        titles = self.titles_.tolist()
        return Prompts(
            self._decoder, template, titles, self.thing, self.instruction, self.max_tokens
        )

    def histories(self, history: Dataset | None = None) -> Histories:
        """What is known of the users: the training rows, or those of a later history."""
        if history is None:
            return Histories(self.start_, self.rows_, self.liked_, self.explicit_)
        check_items(history, self.item_ids_, fewer=True)
        return Histories.of(history)

    def _asked_with(self) -> Any:
        return repr(self._prompts.template)

    def _score_candidates(
        self, users: np.ndarray, items: np.ndarray, history: Dataset | None
    ) -> np.ndarray:
        histories = self.histories(history)
        told = [histories.last(int(user), self.n_history) for user in users]
        return self.judge(told, items)

    def judge(self, told: Sequence[Told], items: np.ndarray) -> np.ndarray:
        """Scores of candidates after given histories.

        Parameters
        ----------
        told : sequence of Told
        items : ndarray of shape (n, m), int
            Codes, -1 where a list is short.

        Returns
        -------
        ndarray of shape (n, m), float64
            0 at the places with -1.
        """
        out = np.zeros(items.shape)
        asked, back = [], []
        for row in items:
            there = np.flatnonzero(row >= 0)
            _, first, inverse = np.unique(
                self.place_[row[there]], return_index=True, return_inverse=True
            )
            asked.append(row[there][first])
            back.append((there, inverse))
        full = [k for k, codes in enumerate(asked) if len(codes)]
        scores = self._judge([told[k] for k in full], [asked[k] for k in full])
        for k, values in zip(full, scores):
            there, inverse = back[k]
            out[k, there] = values[inverse]
        return out

    def _memo(self, codes: Sequence[np.ndarray], value: Any) -> list[np.ndarray]:
        """What depends on the title alone: `value(codes)` is asked once for each title."""
        held = self.__dict__.setdefault("_prior", {})
        wanted = {int(self.place_[c]): int(c) for some in codes for c in some}
        missing = {place: c for place, c in wanted.items() if place not in held}
        if missing:
            held.update(zip(missing, value(np.array(list(missing.values())))))
        return [np.array([held[int(p)] for p in self.place_[c]]) for c in codes]


def _usual(items: pd.DataFrame) -> Text:
    return Text("title", max_words=TITLE_WORDS) if "title" in items else Text(max_words=TITLE_WORDS)
