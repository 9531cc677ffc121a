"""Settings chosen on the validation part, with the same budget for every model."""

from __future__ import annotations

import logging
import time
import warnings
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from recnb.data import Split
from recnb.errors import InputError
from recnb.evaluation.judge import lists_of, measured
from recnb.evaluation.protocol import Protocol, Task
from recnb.metrics import METRICS, resolve
from recnb.metrics.rating import rmse
from recnb.models.common.composed import Composed
from recnb.models.common.validation import MOST_USERS, Validation
from recnb.optional import need
from recnb.progress import Progress, listening
from recnb.recommender import Recommender
from recnb.study.trials import Hopeless, Kept, Pruning, Search, Trial

RATINGS = ("rmse",)
PRUNERS = ("none", "median", "hyperband")


def search(
    model: Recommender,
    split: Split,
    trials: int = 20,
    seed: int = 0,
    metric: str = "ndcg",
    k: int = 10,
    protocol: Any = None,
    progress: Progress | None = None,
    kept: str | Path | None = None,
    users: int = MOST_USERS,
    prune: str = "none",
) -> Recommender:
    """The model with the settings that do best on the validation part.

    Parameters
    ----------
    model : Recommender
        Unfitted; its class says in `search_space()` which settings to try, and the others keep the values given.
    split : Split
        Only ``split.inner`` is used: train against valid. The test rows are not there.
    trials : int
        Fits, the first with the settings given; 0 returns a plain clone. A model without a search space is
        fitted once; each part of a hybrid is searched on its own with this many, but for a second stage that judges
        given candidates: it is searched where it stands, behind the first one.
    seed : int
        Of the sampler.
    metric : str
        A metric of lists or of scores ("auc"), or "rmse" for models with `predict`.
    k : int
        Cut-off of a ranking metric.
    protocol : Protocol, optional
        Its first metric, first k, threshold of relevance and rule for repeats win over the arguments.
    progress : callable (what, done, all), optional
    kept : str or Path, optional
        An SQLite file that keeps finished trials: the same search called again fits none of them twice, see
        :class:`recnb.study.trials.Kept`.
    users : int
        Users of the validation part who are asked, drawn by a hash of their ids; more of them cost time and tell
        smaller differences apart.
    prune : {"none", "median", "hyperband"}
        Give up trials whose value after an epoch says that they are hopeless: below the median of the earlier trials at
        that epoch (not before the fifth trial and the second epoch), or by Hyperband. For models that tell what each
        epoch reached; of the others all trials go to their end.

    Returns
    -------
    Recommender
        A new unfitted model. Its attribute `searched` is the :class:`Search`; a clone of it does not carry it.

    Raises
    ------
    InputError
        No validation part, a metric that the model cannot be judged by, an unknown metric.

    Notes
    -----
    A ranking metric is the mean over at most `users` users of the validation part, and in a `cold_item` split its new
    items are ranked among themselves (:class:`~recnb.models.common.validation.Validation`).

    Tree-structured Parzen estimator of `optuna`, 10 random trials first. Trial 0 is the model as given, so
    the best is never worse on the
    validation part than the untuned model. A setting drawn twice is not fitted twice, but counts.

    References
    ----------
    Bergstra et al. (2011), "Algorithms for hyper-parameter optimization", NIPS, section 4; Golovin et al. (2017),
    "Google Vizier", KDD, section 3.2 (the median rule); Li et al. (2018), "Hyperband", JMLR, section 3.
    """
    _check_prune(prune)
    judge = Judge.of(split, metric, k, protocol, users)
    judge.check(model)
    if trials < 1:
        return clone(model)
    if isinstance(model, Composed):
        numbers = count()
        model = model.map_parts(
            lambda part: search(
                part,
                split,
                trials,
                seed,
                metric,
                k,
                protocol,
                progress,
                None if kept is None else f"{kept}-{next(numbers)}",
                users,
                prune,
            )
        )
        if not model.search_space():
            return model
        kept = None if kept is None else f"{kept}-{next(numbers)}"
    space = model.search_space() if hasattr(model, "search_space") else {}
    n = trials if space else 1
    study = _study(seed, judge.lower, prune)
    study.enqueue_trial({name: _start(model, name, spec) for name, spec in space.items()})
    file = None if kept is None else Kept(kept, type(model).__name__)
    done: list[Trial] = []
    for number in range(n):
        asked = study.ask()
        # The first trial is the model as given, even where a setting lies outside the space.
        drawn = {name: _draw(asked, name, spec) for name, spec in space.items()}
        settings = {} if number == 0 else drawn
        same = next((t for t in done if t.settings == settings), None)
        earlier = file.get(number, settings) if file else None
        pruning = Pruning(asked, judge.lower)
        trial = earlier or same or _try(model, settings, judge, pruning)
        if file and earlier is None:
            file.add(trial)
        done.append(trial)
        if earlier or same:
            pruning.again(trial)
        _told(study, asked, trial)
        if progress:
            progress(f"{type(model).__name__}: trial", number + 1, n)
    worst = np.inf if judge.lower else -np.inf
    values = np.array([worst if t.pruned else t.value for t in done])
    best = int((values if judge.lower else -values).argmin())
    found = clone(model).set_params(**done[best].settings)
    found.set_params(**{k: v for k, v in done[best].chosen.items() if k == "n_epochs"})
    found.searched = Search(tuple(done), best, judge.label, seed)
    if isinstance(model, Composed):  # a clone does not carry what was searched for its parts
        for before, after in zip(model.given(), found.given()):
            if hasattr(before, "searched"):
                after.searched = before.searched  # type: ignore[attr-defined]
    return found


def validated(
    model: Recommender, split: Split, protocol: Protocol, users: int = MOST_USERS
) -> float:
    """What a model reaches on the validation part, fitted on train alone: by this one model is chosen before another.

    Parameters
    ----------
    model : Recommender
        Unfitted, with its settings and seed. One that chooses something while it is fitted does so on the rows that
        judge it, as in a trial of :func:`search`.
    split : Split
    protocol : Protocol
        Its first metric at its first k.
    users : int
        The most users asked.

    Returns
    -------
    float
    """
    judge = Judge.of(split, "", 0, protocol, users)
    judge.check(model)
    fresh = clone(model)
    fresh.fit(judge.inner.train, judge.inner.test if fresh.uses_valid else None)
    return judge.value(fresh)


@dataclass(frozen=True)
class Judge:
    """How a trial is judged: the inner split, a metric, a cut-off."""

    inner: Split
    metric: str
    k: int
    repeats: bool = False
    users: int = MOST_USERS
    next_event: bool = False

    @classmethod
    def of(cls, split: Split, metric: str, k: int, protocol: Any, users: int = MOST_USERS) -> Judge:
        """From the arguments of :func:`search`."""
        inner = split.inner
        if protocol is not None:
            metric, k = protocol.metrics[0], protocol.ks[0]
            dataset = inner.dataset.with_relevance(protocol.relevant_from)
            inner = inner if dataset is inner.dataset else inner.with_dataset(dataset)
        if metric not in RATINGS:
            resolve(metric, needs=("lists", "scores"))
        repeats = protocol is not None and protocol.repeats == "include"
        next_event = protocol is not None and protocol.next_event
        return cls(inner, metric, k, repeats, users, next_event)

    @property
    def lower(self) -> bool:
        """Whether lower is better."""
        return self.metric in RATINGS

    @property
    def label(self) -> str:
        """The metric's name with its cut-off."""
        cut = not self.lower and METRICS[self.metric].cut
        return f"{self.metric}@{self.k}" if cut else self.metric

    def check(self, model: Recommender) -> None:
        """Raise where the model cannot be judged so."""
        if self.lower and not hasattr(model, "predict"):
            raise InputError(
                f"{type(model).__name__} predicts no ratings, so it has no {self.metric}",
                mend="use a ranking metric",
            )

    def value(self, model: Recommender) -> float:
        """The metric of a model that is fitted on the inner train part."""
        inner = self.inner
        if self.lower:
            asked = inner.test.matrix().tocoo()
            return float(rmse(asked.data, model.predict(asked.row, asked.col)))  # type: ignore[attr-defined]
        if self.next_event:
            lists = lists_of(self.metric, model, self.task)
            values = measured(self.metric, model, self.task, lists)
            return float(next(iter(values.values()))[1].mean())
        return self.validation.value(model)

    @cached_property
    def task(self) -> Task:
        """The events of the validation part, each with what came before it, once for all trials."""
        repeats = "include" if self.repeats else "exclude"
        protocol = Protocol(k=self.k, metrics=(self.metric,), repeats=repeats, next_event=True)
        return Task(self.inner, protocol, self.users)

    @cached_property
    def validation(self) -> Validation:
        """The validation part, asked as the test is, once for all trials."""
        inner = self.inner
        given = len(inner.history.interactions) > len(inner.known.interactions)
        found = Validation.asking(
            inner.history,
            inner.test,
            inner.candidates,
            inner.history if given else None,
            self.users,
            metric=self.metric,
            k=inner.dataset.n_items if METRICS[self.metric].whole else self.k,
            repeats=self.repeats,
        )
        if not len(found.users):
            raise InputError(
                f"no user of '{inner.dataset.name}' has a relevant validation item",
                mend="lower relevant_from or enlarge the validation part",
            )
        return found


def _try(model: Recommender, settings: dict[str, Any], judge: Judge, pruning: Pruning) -> Trial:
    start = time.perf_counter()
    fresh = clone(model).set_params(**settings)
    try:
        with listening(reached=pruning):
            # The rows that stop a model early are those that judge it: that is what they are for.
            fresh.fit(judge.inner.train, judge.inner.test if fresh.uses_valid else None)
    except Hopeless:
        value, chosen, pruned = pruning.sign * max(pruning.epochs), {}, True
    else:
        value, chosen, pruned = judge.value(fresh), _plain(fresh.chosen()), False
    if not np.isfinite(value):
        raise InputError(f"{settings} gave {judge.label} = {value}", mend="look at the model")
    seconds = time.perf_counter() - start
    return Trial(settings, value, seconds, chosen, tuple(pruning.epochs), pruned)


def _told(study: Any, asked: Any, trial: Trial) -> None:
    """Tell the sampler what a trial reached."""
    state = need("optuna.trial", "search").TrialState
    if trial.pruned:
        study.tell(asked, state=state.PRUNED)
    else:
        study.tell(asked, trial.value)


def _check_prune(prune: str) -> None:
    if prune not in PRUNERS:
        raise InputError(f"prune={prune!r}", mend=f"one of {', '.join(PRUNERS)}")


def _plain(chosen: dict[str, Any]) -> dict[str, Any]:
    return {key: v for key, v in chosen.items() if isinstance(v, (bool, int, float, str, tuple))}


def _study(seed: int, lower: bool, prune: str):
    optuna = need("optuna", "search")
    optuna.logging.set_verbosity(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=10, multivariate=True)
        pruners = optuna.pruners
        pruner = {
            "none": pruners.NopPruner,
            "median": lambda: pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
            "hyperband": lambda: pruners.HyperbandPruner(min_resource=1),
        }[prune]()
    direction = "minimize" if lower else "maximize"
    # brackets of Hyperband are drawn from the name
    return optuna.create_study(
        study_name="search", direction=direction, sampler=sampler, pruner=pruner
    )


def _draw(trial, name: str, spec: tuple) -> Any:
    kind, *rest = spec
    if kind == "choice":
        # By number, since optuna stores plain values only.
        return rest[0][trial.suggest_categorical(name, list(range(len(rest[0]))))]
    if kind in ("int", "int_log"):
        return trial.suggest_int(name, *rest, log=kind == "int_log")
    if kind in ("float", "log"):
        return trial.suggest_float(name, *rest, log=kind == "log")
    raise InputError(
        f"'{name}' has a search space of kind '{kind}'", mend="int, float, log, choice"
    )


def _start(model: Recommender, name: str, spec: tuple) -> Any:
    """The given value of a setting, moved into the space where it lies outside."""
    value = model.get_params()[name]
    if spec[0] == "choice":
        return spec[1].index(value) if value in spec[1] else 0
    return type(spec[1])(min(max(value, spec[1]), spec[2]))
