"""How far a judge's answer hangs on the wording, on the order of the candidates, and on their places."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recnb.errors import InputError
from recnb.metrics import bootstrap, grouped_auc, kendall
from recnb.models.language.judge import LanguageJudge
from recnb.models.language.listwise import LMList
from recnb.models.language.questions import Question
from recnb.models.language.templates import template_names


@dataclass(frozen=True)
class Judged:
    """Scores of questions, side by side.

    Attributes
    ----------
    users : ndarray of shape (n_candidates,)
    liked : ndarray of shape (n_candidates,), bool
    scores : list of ndarray
        Of each question.
    """

    users: np.ndarray
    liked: np.ndarray
    scores: list[np.ndarray]

    @classmethod
    def by(cls, model: LanguageJudge, questions: Sequence[Question]) -> Judged:
        """What a fitted judge says."""
        width = max((len(q.items) for q in questions), default=0)
        if not width:
            raise InputError("no question", mend="give histories with candidates")
        items = np.full((len(questions), width), -1)
        for row, q in zip(items, questions):
            row[: len(q.items)] = q.items
        scores = model.judge([q.told for q in questions], items)
        users = np.concatenate([np.full(len(q.items), q.user) for q in questions])
        liked = np.concatenate([q.liked for q in questions])
        return cls(users, liked, [s[: len(q.items)] for s, q in zip(scores, questions)])

    def auc(self, draws: int = 2000, seed: int = 0) -> tuple[float, float, float]:
        """Pooled AUC and its interval over users."""
        found = grouped_auc(self.liked, np.concatenate(self.scores), self.users, draws, seed)
        return found.value, found.low, found.high


def reworded(model: LanguageJudge, template: str) -> LanguageJudge:
    """A copy of a fitted judge that asks in other words; decoder and titles are shared."""
    out: Any = copy.copy(model)
    for name in ("_prompts", "_prior"):
        out.__dict__.pop(name, None)
    out.template = template
    return out


def wording(
    model: LanguageJudge,
    questions: Sequence[Question],
    templates: Sequence[str] | None = None,
    draws: int = 2000,
    own: Judged | None = None,
) -> pd.DataFrame:
    """The value of each wording, and how alike it ranks to the judge's own.

    Parameters
    ----------
    model : LanguageJudge
        Fitted.
    questions : sequence of Question
    templates : sequence of str, optional
        By default all of the judge's kind that come with the package.
    draws : int
    own : Judged, optional
        What the judge says in its own wording, where it is known.

    Returns
    -------
    DataFrame
        `measure` ("auc" or "kendall"), `template`, `value`, `low`, `high` (over users), `n_users`.
    """
    own = own or Judged.by(model, questions)
    rows = []
    for name in templates or template_names(model.kind):
        said = own if name == model.template else Judged.by(reworded(model, name), questions)
        n = len(np.unique(own.users))
        rows.append(("auc", name, *said.auc(draws), n))
        rows.append(("kendall", name, *_agreement(own, said, draws)))
    return pd.DataFrame(rows, columns=["measure", "template", "value", "low", "high", "n_users"])


def order(
    model: LanguageJudge, questions: Sequence[Question], turns: int = 3, draws: int = 2000
) -> pd.DataFrame:
    """Kendall's tau between the rankings that a judge gives of the same candidates in different orders.

    Returns
    -------
    DataFrame
        One row: the mean over questions and pairs of orders, its interval over users. 1: the order says nothing.
    """
    rng = np.random.default_rng(0)
    said = []
    for turn in range(turns):
        asked: Any = model
        if isinstance(model, LMList):
            asked = copy.copy(model)
            asked.seed = model.seed + 1000 * turn
        ways = [rng.permutation(len(q.items)) for q in questions]
        mixed = [Question(q.user, q.told, q.items[w], q.liked[w]) for q, w in zip(questions, ways)]
        scores = [s[np.argsort(w)] for s, w in zip(Judged.by(asked, mixed).scores, ways)]
        said.append(scores)
    users = np.array([q.user for q in questions])
    pairs = [(a, b) for a in range(turns) for b in range(a)]
    taus = np.array([_taus(said[a], said[b]) for a, b in pairs]).mean(axis=0)
    row = ("kendall", "between orders", *_over_users(taus, users, draws))
    return pd.DataFrame([row], columns=["measure", "template", "value", "low", "high", "n_users"])


def position_bias(
    model: LMList, questions: Sequence[Question], turns: int = 2, draws: int = 2000
) -> pd.DataFrame:
    """Where the candidates at each place of the prompt come out, whoever stands there.

    Parameters
    ----------
    model : LMList
        Fitted.
    questions : sequence of Question
        Their first `window` candidates are shuffled.
    turns : int
        Shuffles of each.

    Returns
    -------
    DataFrame
        Of each place, from 1, `value`: the mean share of the window above which its candidate is put, 1/2 without
        bias, with an interval over users; and the row "kendall": of the order in the prompt with that written.
    """
    rng = np.random.default_rng(model.seed)
    asked, users = [], []
    for q in questions:
        for _ in range(turns):
            codes = rng.permutation(np.unique(q.items))[: model.window]
            if len(codes) == model.window:
                asked.append((q.told, codes))
                users.append(q.user)
    if not asked:
        raise InputError(
            f"no question has {model.window} candidates",
            mend="ask about more, or take a smaller window",
        )
    n = model.window
    shares = np.empty((len(asked), n))
    for row, written in zip(shares, model.written(asked)):
        row[written] = np.linspace(1, 0, n)
    taus = kendall(np.tile(np.arange(n)[::-1], (len(shares), 1)), shares)
    rows = [
        ("place", str(place + 1), *_over_users(shares[:, place], np.array(users), draws))
        for place in range(n)
    ]
    rows.append(("kendall", "prompt and answer", *_over_users(taus, np.array(users), draws)))
    return pd.DataFrame(rows, columns=["measure", "template", "value", "low", "high", "n_users"])


def sensitivity(
    model: LanguageJudge, questions: Sequence[Question], draws: int = 2000
) -> pd.DataFrame:
    """All that applies to a judge, in one table: `study`, and the columns of :func:`wording`."""
    parts = {
        "wording": wording(model, questions, draws=draws),
        "order": order(model, questions, draws=draws),
    }
    if isinstance(model, LMList):
        parts["position"] = position_bias(model, questions, draws=draws)
    return pd.concat([part.assign(study=name) for name, part in parts.items()], ignore_index=True)


def _agreement(one: Judged, other: Judged, draws: int) -> tuple[float, float, float, int]:
    starts = np.cumsum([0, *map(len, one.scores)])[:-1]
    return _over_users(_taus(one.scores, other.scores), one.users[starts], draws)


def _taus(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> np.ndarray:
    """Kendall's tau of each question, whatever its number of candidates."""
    return np.array([kendall(a, b)[0] for a, b in zip(one, other)])


def _over_users(
    values: np.ndarray, users: np.ndarray, draws: int
) -> tuple[float, float, float, int]:
    """The mean of users' means, its interval and their number; rows without a value are left out."""
    there = np.isfinite(values)
    means = pd.Series(values[there]).groupby(users[there]).mean().to_numpy()
    if not len(means):
        return float("nan"), float("nan"), float("nan"), 0
    low, high = bootstrap(means, draws=draws)
    return float(means.mean()), low, high, len(means)
