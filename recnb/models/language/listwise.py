"""The decoder puts several candidates of one prompt in order, again and again in other orders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recnb.data.text import Text
from recnb.errors import InputError
from recnb.hashing import hash_ids, mix
from recnb.models.common.histories import Told
from recnb.models.language.judge import LanguageJudge, described
from recnb.models.language.prompt import LETTERS


@described
class LMList(LanguageJudge):
    """A decoder that sees several candidates at once and writes their order, averaged over orders of the prompt.

    Parameters
    ----------
    {settings}
    window : int
        Candidates of one prompt, 2 to 26; more are cut into windows, others in every order.
    orders : int
        How often the candidates are shuffled and asked about.
    seed : int
        Of the orders.

    Notes
    -----
    What is written is a permutation of the letters: nothing else may come. A candidate's score is the mean over the
    orders of the share of its window that it stands above, from 0 to 1. A single order says as much of places in the
    prompt as of items (:func:`recnb.models.language.sensitivity.position_bias`).

    References
    ----------
    Y. Hou et al., Large language models are zero-shot rankers for recommender systems, ECIR 2024, section 3.
    R. Tang et al., Found in the middle: permutation self-consistency, NAACL 2024 (the mean over orders).

    Examples
    --------
    >>> model = LMList(thing="film", orders=2).fit(train)  # doctest: +SKIP
    >>> model.score_candidates(np.array([0]), np.array([[3, 8, 5]]))  # first, last, last in turn  # doctest: +SKIP
    array([[1.  , 0.25, 0.25]], dtype=float32)
    """

    kind = "order"
    seeded = True

    def __init__(
        self,
        decoder: str = "smollm2-135m-instruct",
        template: str = "plain",
        text: Text | None = None,
        thing: str = "item",
        instruction: str = "",
        n_history: int = 10,
        window: int = 10,
        orders: int = 4,
        max_tokens: int | None = None,
        dtype: str = "float32",
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.decoder = decoder
        self.template = template
        self.text = text
        self.thing = thing
        self.instruction = instruction
        self.n_history = n_history
        self.window = window
        self.orders = orders
        self.max_tokens = max_tokens
        self.dtype = dtype
        self.device = device
        self.seed = seed

    def _learn(self, train, valid) -> None:
        if not 2 <= self.window <= len(LETTERS):
            raise InputError(f"window={self.window}", mend=f"2 to {len(LETTERS)}")
        if self.orders < 1:
            raise InputError(f"orders={self.orders}", mend="at least 1")

    def _judge(self, told: Sequence[Told], codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        sums = [np.zeros(len(c)) for c in codes]
        asked: list[tuple[int, np.ndarray]] = []
        for k, candidates in enumerate(codes):
            names = hash_ids(self.titles_[candidates])
            for turn in range(self.orders):
                order = np.argsort(mix(names, seed=self.seed * 1009 + turn), kind="stable")
                windows = np.array_split(order, -(-len(order) // self.window))
                asked += [(k, window) for window in windows]
        prompts = [(told[k], codes[k][window]) for k, window in asked]
        for (k, window), order in zip(asked, self.written(prompts)):
            n = len(window)
            # a window of one says nothing
            sums[k][window[order]] += np.linspace(1, 0, n) if n > 1 else 0.5
        return [total / self.orders for total in sums]

    def written(self, asked: Sequence[tuple[Told, np.ndarray]]) -> list[np.ndarray]:
        """The order that the decoder writes of each prompt's candidates: places in the prompt, best first."""
        prompts = self._prompts.for_orders(*zip(*asked))
        labels = [list(LETTERS[: len(codes)]) for _, codes in asked]
        return self._decoder.rank_permutations(prompts, labels)
