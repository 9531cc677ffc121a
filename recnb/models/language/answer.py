"""What the decoder answers: yes or no to each candidate, as it is or tuned on the answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.base import clone

from recnb.data import Dataset, splits
from recnb.data.text import Text
from recnb.models.common.histories import Histories, Told
from recnb.models.language.calibration import MEASURED, Calibration, Platt
from recnb.models.language.judge import LanguageJudge, described
from recnb.models.language.questions import Question, count, from_later, from_rows
from recnb.models.language.tuned.recipe import METHODS_OF_ANSWERS, Recipe
from recnb.progress import listening, say_time, tell
from recnb.recommender.kept import Kept
from recnb.recommender.rehearsal import Rehearsal
from recnb.tuning.methods import PEFT

FROZEN = "frozen"
_EACH = 5  # validation rows of a person: rows of one person are alike
_FEW = 4  # histories judged before the time of the others is said


@described
class LMYes(LanguageJudge):
    """What a decoder answers when asked whether a person will like an item: the odds of yes against no.

    Parameters
    ----------
    {settings}
    less_prior : float
        Times the log-odds of the same question without a history, subtracted: the model's liking for a title by
        itself.
    method : str
        "frozen", or how the decoder is tuned on the answer (``lm_yes@lora``): see
        :data:`recnb.models.language.tuned.recipe.METHODS_OF_ANSWERS`.
    size, alpha, targets, n_layers, quantise, lr, n_epochs, patience, pairs_per_step, checkpoint, seed
        Of the tuning: see :class:`recnb.models.language.tuned.recipe.Recipe`.
    group : int
        Rows asked about after one history when it is tuned: the history is read once for all of them.
    rows : int, optional
        Rows to tune on at most, groups of users drawn by a hash; None means all.
    valid_rows : int
        Rows of the validation part at most that choose the epoch and calibrate, up to five of a person.
    platt : (float, float), optional
        Slope and shift of the probabilities; None: from the validation part where there is one, else (1, 0).

    Attributes
    ----------
    calibration_ : dict
        `slope`, `shift`, and of the validation rows, where there were any, `before`, `after`, `chance`, `n` and
        `people`: see :class:`recnb.models.language.calibration.Calibration`.

    Notes
    -----
    Scores are log-odds: calibration changes probabilities (:meth:`probability`), not ranks. Clicks and purchases have
    no dislikes: there as many items that the user has not had stand for them, so that a probability is that of a
    row against such an item.

    The wording is a setting like any other: `turn` is the default because it is the cheapest (what closes the question
    is read once for all candidates), not because it ranked best; no rows, of the test least of all, took part in that
    choice. Wordings disagree widely, and which one ranks best is to be asked of validation rows:
    :func:`recnb.models.language.sensitivity.wording`.

    Platt's two numbers are kept where they lower the log loss of people they were not learned from. A decoder that
    hardly knows who likes what gives them little to learn, and people differ more in how much they like than its odds
    do: 200 rows of 16 people of MovieLens-100K, as many as each had, made the error larger.

    References
    ----------
    K. Bao et al., TALLRec, RecSys 2023, section 3. Z. Zhao et al., Calibrate before use, ICML 2021, section 4
    (`less_prior`).

    Examples
    --------
    >>> model = LMYes(thing="book", n_history=5).fit(split.train, split.valid)  # doctest: +SKIP
    >>> model.probability(np.array([0]), np.array([[3, 8]]))  # of user 0 and two books  # doctest: +SKIP
    array([[0.61, 0.44]])
    """

    kind = "answer"
    uses_valid = True
    methods = METHODS_OF_ANSWERS

    def __init__(
        self,
        decoder: str = "smollm2-135m-instruct",
        template: str = "turn",
        text: Text | None = None,
        thing: str = "item",
        instruction: str = "",
        n_history: int = 10,
        less_prior: float = 0.0,
        method: str = FROZEN,
        size: int | None = None,
        alpha: int | None = None,
        targets: str | None = None,
        n_layers: int | None = None,
        quantise: str | None = None,
        lr: float | None = None,
        n_epochs: int = 5,
        patience: int | None = 2,
        pairs_per_step: int = 32,
        group: int = 10,
        rows: int | None = 2000,
        valid_rows: int = 200,
        platt: tuple[float, float] | None = None,
        checkpoint: str | None = None,
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
        self.less_prior = less_prior
        self.method = method
        self.size = size
        self.alpha = alpha
        self.targets = targets
        self.n_layers = n_layers
        self.quantise = quantise
        self.lr = lr
        self.n_epochs = n_epochs
        self.patience = patience
        self.pairs_per_step = pairs_per_step
        self.group = group
        self.rows = rows
        self.valid_rows = valid_rows
        self.platt = platt
        self.checkpoint = checkpoint
        self.max_tokens = max_tokens
        self.dtype = dtype
        self.device = device
        self.seed = seed

    @property
    def seeded(self) -> bool:  # type: ignore[override]
        return self.method != FROZEN

    @property
    def packages(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*super().packages, *(("peft",) if self.method in PEFT else ()))

    def _learn(self, train: Dataset, valid: Dataset | None) -> None:
        self.__dict__.pop("_prior", None)
        if self.seeded:
            self._recipe().check()
        self._decoder.tokens.answers(self._prompts.template.answers)  # it can write them
        asked = self._answered(train, valid)
        if self.seeded:
            self._tune(train, valid, asked)
        slope, shift = self.platt or (1.0, 0.0)
        self.calibration_ = {"slope": slope, "shift": shift}
        if asked and self.platt is None:
            found = self.calibrated(asked)
            self.calibration_ = {
                "slope": found.platt.slope,
                "shift": found.platt.shift,
                **{part: getattr(found, part) for part in MEASURED},
            }

    def _answered(self, train: Dataset, valid: Dataset | None) -> list[Question]:
        """The validation rows that choose the epoch and calibrate."""
        if valid is None or (self.platt is not None and not self.seeded):
            return []
        history, later = splits.fold_in(train, valid)
        known = Histories.of(history)
        return from_later(known, later, self.n_history, self.valid_rows, seed=self.seed, each=_EACH)

    def rehearsed(self, train: Dataset, valid: Dataset | None) -> Rehearsal:
        """The rows that calibrate it, and a tuning, of which a few steps are made."""
        pace = super().rehearsed(train, valid).pace
        asked = self._answered(train, valid)
        once = sum(pace.seconds(len(q.items)) for q in asked)
        parts = []
        if self.seeded:
            parts.append(
                (f"tuning twice, at most {self.n_epochs} epochs each", self._tuning_takes(train))
            )
        if asked:
            passes = 1 + (self.n_epochs if self.seeded else 0)
            parts.append((f"{count(asked):,} validation rows that calibrate it", passes * once))
        return Rehearsal(tuple(parts), pace)

    def _tuning_takes(self, train: Dataset) -> float:
        """Seconds of both tunings at most, by a short one."""
        histories = Histories.of(train)

        def rows(most: int | None) -> int:
            asked = from_rows(histories, train, self.n_history, self.group, most, seed=self.seed)
            return count(asked)

        few = 2 * self.pairs_per_step
        short = {"rows": few, "n_epochs": 1, "patience": None, "checkpoint": None, "platt": (1, 0)}
        start = time.perf_counter()
        with listening(lambda *_: None, lambda _: None):
            clone(self).set_params(**short).fit(train)
        each = (time.perf_counter() - start) / max(rows(few), 1)
        return 2 * self.n_epochs * rows(self.rows) * each

    def _tune(self, train: Dataset, valid: Dataset | None, asked: list[Question]) -> None:
        from recnb.models.language.tuned.network import fit_answers, with_network
        from recnb.training.checkpoint import place_of

        histories = self.histories()
        questions = from_rows(
            histories, train, self.n_history, self.group, self.rows, seed=self.seed
        )
        recipe = replace(self._recipe(), checkpoint=place_of(self, train, valid))
        network, trained = fit_answers(self._prompts, questions, asked, recipe, train.digest)
        self.n_epochs_, self.learning_ = trained.n_epochs, list(trained.history)
        self.tuned_, self.counts_ = network.tuned(), network.counts()
        self._opened = with_network(self._opened, network.network)
        self.__dict__.pop("_prompts", None)

    def _recipe(self) -> Recipe:
        return Recipe(**{part.name: getattr(self, part.name) for part in fields(Recipe)})

    @property
    def _decoder(self) -> Any:
        fresh = "_opened" not in vars(self)
        decoder = super()._decoder
        if fresh and hasattr(self, "tuned_"):  # read from disk
            from recnb.models.language.tuned.network import opened, with_network

            decoder = with_network(decoder, opened(decoder, self._recipe(), self.tuned_).network)
            self._opened = decoder
        return decoder

    def chosen(self) -> dict[str, Any]:
        """Epochs and the numbers of the calibration, to keep when refitting."""
        found = self.calibration_
        return {**super().chosen(), "platt": (found["slope"], found["shift"])}

    def parameters(self) -> tuple[int, int]:
        return tuple(self.counts_) if hasattr(self, "counts_") else super().parameters()  # type: ignore[return-value]

    def _judge(self, told: Sequence[Told], codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        out = self._odds(told, codes)
        if self.less_prior:
            alone = self._memo(codes, lambda some: self._odds([Told()], [some])[0])
            out = [a - self.less_prior * b for a, b in zip(out, alone)]
        return out

    def _odds(self, told: Sequence[Told], codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        prompts = self._prompts
        found = self._decoder.label_log_probabilities(
            *prompts.about_items(told, codes), prompts.template.answers
        )
        return [values[:, 0] - values[:, 1] for values in found]

    def probability(
        self, users: np.ndarray, items: np.ndarray, history: Dataset | None = None
    ) -> np.ndarray:
        """Calibrated probabilities of yes.

        Parameters
        ----------
        users : ndarray of shape (n,), int
        items : ndarray of shape (n, m), int
        history : Dataset, optional

        Returns
        -------
        ndarray of shape (n, m), float64
            NaN at places with -1.
        """
        scores = self.score_candidates(users, items, history)
        platt = Platt(self.calibration_["slope"], self.calibration_["shift"])
        return np.where(
            np.isfinite(scores), platt(np.where(np.isfinite(scores), scores, 0)), np.nan
        )

    def _judged_in_sight(self, told: Sequence[Told], items: np.ndarray) -> np.ndarray:
        """As :meth:`judge`; a few histories first, and then how long the rest will take, where it is long."""
        kept = Kept(self, self._asked_with)
        step = -(-self.pairs_kept // items.shape[1]) if kept else len(told)
        ends = [0, min(_FEW, len(told)), *range(_FEW + step, len(told), step), len(told)]
        _ = self._decoder.network  # opening it is no part of the pace
        out: list[np.ndarray] = []
        for start, stop in pairwise(sorted(set(ends))):
            asked = [(t.items, t.liked) for t in told[start:stop]], items[start:stop]
            known = kept.has(*asked)
            begun = time.perf_counter()
            tell(f"{type(self).__name__}: histories that calibrate it", start, len(told))
            judge = partial(self.judge, told[start:stop], items[start:stop])
            out.append(kept.scores(judge, *asked))
            if not start and not known and stop < len(told):
                n = int((items[stop:] >= 0).sum())
                to_come = (time.perf_counter() - begun) * (len(told) - stop) / stop
                say_time(f"{type(self).__name__}: {n:,} validation rows calibrate it", to_come)
        return np.concatenate(out)

    def calibrated(self, questions: Sequence[Question]) -> Calibration:
        """Platt's numbers from questions whose answers are known, and how much they mend."""
        width = max(len(q.items) for q in questions)
        items = np.stack(
            [np.pad(q.items, (0, width - len(q.items)), constant_values=-1) for q in questions]
        )
        scores = self._judged_in_sight([q.told for q in questions], items)[items >= 0]
        users = np.concatenate([np.full(len(q.items), q.user) for q in questions])
        return Calibration.of(scores, np.concatenate([q.liked for q in questions]), users)
