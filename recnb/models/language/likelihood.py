"""How likely the decoder finds a candidate's title behind the history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recnb.data.text import Text
from recnb.errors import InputError
from recnb.models.common.histories import Told
from recnb.models.language.judge import LanguageJudge, described

PER = ("token", "title")


@described
class LMLikelihood(LanguageJudge):
    """How much likelier a decoder finds a title once it knows the history.

    Parameters
    ----------
    {settings}
    less_prior : float
        Times log p(title) without a history, subtracted: 1 is the pointwise mutual information of history and title,
        0 the likelihood alone, under which titles win that are frequent in what the decoder has read.
    per : {"token", "title"}
        The mean over a title's tokens, or their sum: long titles then lose likelihood by being long.

    References
    ----------
    A. Holtzman et al., Surface form competition, EMNLP 2021, section 3 (the difference).
    """

    kind = "title"

    def __init__(
        self,
        decoder: str = "smollm2-135m-instruct",
        template: str = "plain",
        text: Text | None = None,
        thing: str = "item",
        instruction: str = "",
        n_history: int = 10,
        less_prior: float = 1.0,
        per: str = "token",
        max_tokens: int | None = None,
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        self.decoder = decoder
        self.template = template
        self.text = text
        self.thing = thing
        self.instruction = instruction
        self.n_history = n_history
        self.less_prior = less_prior
        self.per = per
        self.max_tokens = max_tokens
        self.dtype = dtype
        self.device = device

    def _learn(self, train, valid) -> None:
        if self.per not in PER:
            raise InputError(f"per='{self.per}'", mend=f"one of {', '.join(PER)}")
        self.__dict__.pop("_prior", None)

    def _judge(self, told: Sequence[Told], codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        found = self._decoder.log_likelihoods(*self._prompts.for_titles(told, codes))
        out = [values[:, 0] for values in found]
        if self.less_prior:
            alone = self._memo(codes, self._alone)
            out = [a - self.less_prior * b for a, b in zip(out, alone)]
        if self.per == "token":
            out = [a / values[:, 1] for a, values in zip(out, found)]
        return out

    def _alone(self, codes: np.ndarray) -> np.ndarray:
        """log p of titles when nothing is known."""
        (found,) = self._decoder.log_likelihoods(*self._prompts.for_titles([Told()], [codes]))
        return found[:, 0]
