"""Judge one model once: fit it if need be, list, and measure per user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.evaluation.costs import Meter
from recnb.evaluation.findings import finding
from recnb.evaluation.protocol import RATING_METRICS, Key, Task
from recnb.metrics import METRICS, auc, evaluate_lists
from recnb.metrics.rating import per_user_absolute_error, per_user_squared_error
from recnb.recommender import Lists, Recommender, top_k_scores
from recnb.recommender.blocks import check_scores, user_blocks

Judgeable = Recommender | np.ndarray | Lists


@dataclass(eq=False)
class Judged:
    """One model with one seed: its values per user, its lists and what it cost.

    Attributes
    ----------
    values : dict of (metric, k, candidates) to (user codes, values, weights or None)
    lists : dict of candidates to (item codes, scores), each of shape (n population users, longest k)
    costs : dict
        `fit_seconds`, `score_seconds`, `peak_memory_mb`, `trainable_parameters`, `total_parameters`, `device`.
    fitted : Recommender or None
        The fitted model, where there is one in this process.
    kind : str
        The model's class, "lists" or "scores".
    """

    model: str
    seed: int
    settings: dict[str, Any]
    costs: dict[str, Any]
    values: dict[Key, tuple[np.ndarray, np.ndarray, np.ndarray | None]]
    lists: dict[str, tuple[np.ndarray, np.ndarray]]
    findings: list[dict[str, Any]] = field(default_factory=list)
    fitted: Recommender | None = None
    kind: str = ""


def judge(name: str, model: Judgeable, task: Task, seed: int = 0) -> Judged:
    """Judge a model (fitted or not), a score matrix, or lists.

    Raises
    ------
    InputError
        Ids or data set differ, scores are not finite, shapes differ.
    """
    fitted: Recommender | None = None
    costs: dict[str, Any] = {"fit_seconds": 0.0, "peak_memory_mb": 0.0}
    settings: dict[str, Any] = {}
    if isinstance(model, Recommender):
        if model.fitted:
            _same_data(name, model, task)
            fitted = model
        else:
            with Meter() as meter:
                fitted = fit(model, task, seed)
            costs = {"fit_seconds": meter.seconds, "peak_memory_mb": meter.peak_mb}
        settings = plain_settings(fitted)
        trainable, total = fitted.parameters()
        costs |= {"trainable_parameters": int(trainable), "total_parameters": int(total)}
        costs["device"] = getattr(fitted, "device_", "cpu")
    with Meter() as meter:
        lists = {
            s: _list(name, fitted if fitted is not None else model, task, s) for s in task.shelves
        }
    costs |= {"score_seconds": meter.seconds}
    costs["peak_memory_mb"] = max(costs["peak_memory_mb"], meter.peak_mb)
    found = _findings(name, lists, task)
    judged = Judged(name, seed, settings, costs, {}, lists, found, fitted, _kind(model))
    _measure(judged, fitted if fitted is not None else model, task)
    return judged


def fit(model: Recommender, task: Task, seed: int) -> Recommender:
    """A clone fitted on what is known; where it chooses something on `valid`, that is done on train before."""
    split = task.split
    fresh = clone(model)
    if fresh.seeded:
        fresh.set_params(seed=seed)
    if fresh.uses_valid and split.valid is not None:
        fresh.fit(split.train, split.valid)
        chosen = fresh.chosen()
        fresh = clone(fresh).set_params(**chosen)
    return fresh.fit(split.known)


def _kind(model: Judgeable) -> str:
    if isinstance(model, Recommender):
        return type(model).__name__
    return "lists" if isinstance(model, Lists) else "scores"


def plain_settings(model: Recommender) -> dict[str, Any]:
    """A model's settings as values that json can hold."""
    out: dict[str, Any] = {}
    for key, value in model.get_params(deep=False).items():
        if isinstance(value, Recommender):
            value = {"class": type(value).__name__, **plain_settings(value)}
        elif isinstance(value, (list, tuple)) and any(isinstance(v, Recommender) for v in value):
            value = [{"class": type(v).__name__, **plain_settings(v)} for v in value]
        elif isinstance(value, np.generic):
            value = value.item()
        elif value is not None and not isinstance(
            value, (bool, int, float, str, list, tuple, dict)
        ):
            value = repr(value)
        out[key] = value
    return out


def _same_data(name: str, model: Recommender, task: Task) -> None:
    ds: Dataset = task.dataset
    identity = getattr(model, "dataset_identity_", None)
    if identity is not None and identity != ds.identity:
        raise InputError(
            f"{name} was fitted on another data set ({identity}, not {ds.identity})",
            mend=f"fit it on parts of '{ds.name}'",
        )
    if getattr(model, "dataset_digest_", None) == ds.digest:
        raise InputError(
            f"{name} was fitted on all rows of '{ds.name}', the test rows among them",
            mend="fit it on split.known",
        )


def _list(name: str, model: Judgeable, task: Task, shelf: str) -> tuple[np.ndarray, np.ndarray]:
    k, ds = max(task.protocol.ks), task.dataset
    if any(METRICS[name].whole for name in task.protocol.metrics):
        k = ds.n_items
    if isinstance(model, Lists):
        return model.codes(ds, task.users, min(k, max(model.depth, max(task.protocol.ks))))
    if isinstance(model, np.ndarray) and model.shape != (ds.n_users, ds.n_items):
        raise InputError(
            f"{name} is a matrix of shape {model.shape}, expected {(ds.n_users, ds.n_items)}",
            mend="give a row per user and a column per item, in the order of ds.users and ds.items",
        )
    return top_k_scores(
        model,
        task.users,
        k,
        exclude=task.excluded,
        candidates=task.shelves[shelf],
        history=task.history,
        name=name,
        ids=(ds.user_ids, ds.item_ids),
    )


def _measure(judged: Judged, model: Judgeable, task: Task) -> None:
    names = [m for m in task.protocol.metrics if m != "auc"]
    for shelf, (items, _) in judged.lists.items():
        for k in task.protocol.ks:
            for metric, values in evaluate_lists(items, task.truth, names, k).items():
                judged.values[metric, k, shelf] = (task.users, values, None)
        if "auc" in task.protocol.metrics and not isinstance(model, Lists):
            users, values = _auc(judged.model, model, task, shelf)
            judged.values["auc", None, shelf] = (users, values, None)
    if not judged.values:
        raise InputError(
            f"auc needs a score for every item, which the lists of {judged.model} do not give",
            mend="name a list metric beside it",
        )
    predict = getattr(model, "predict", None)
    if task.rated is not None and predict is not None:
        users, items, ratings = task.rated
        low, high = task.dataset.scale or (-np.inf, np.inf)
        guess = np.asarray(predict(users, items), dtype=float)
        if guess.shape != ratings.shape or not np.isfinite(guess).all():
            raise InputError(
                f"{judged.model} predicted {guess.shape} with NaN or infinite values, expected {ratings.shape}",
                mend="mend its predict()",
            )
        guess = np.clip(guess, low, high)
        for metric, part in zip(RATING_METRICS, (per_user_squared_error, per_user_absolute_error)):
            found = part(users, ratings, guess)
            judged.values[metric, None, "catalogue"] = (found.user, found.mean, found.weight)


def _auc(name: str, model: Any, task: Task, shelf: str) -> tuple[np.ndarray, np.ndarray]:
    ds, out = task.dataset, []
    allowed = np.ones(ds.n_items, bool)
    if task.shelves[shelf] is not None:
        allowed[:] = False
        allowed[task.shelves[shelf]] = True
    for start, stop in user_blocks(len(task.users), ds.n_items):
        users = task.users[start:stop]
        scores = model[users] if isinstance(model, np.ndarray) else model.score(users, task.history)
        check_scores(scores, (len(users), ds.n_items), name)
        open_ = np.tile(allowed, (len(users), 1))
        if task.excluded is not None:
            open_ &= ~task.excluded[users].toarray().astype(bool)
        out.append(auc(scores, task.relevant[start:stop].toarray().astype(bool), open_))
    values = np.concatenate(out)
    defined = ~np.isnan(values)
    return task.users[defined], values[defined]


def _findings(name: str, lists: dict, task: Task) -> list[dict[str, Any]]:
    out = []
    k = max(task.protocol.ks)
    for shelf, (items, scores) in lists.items():
        empty = (items[:, :k] < 0).sum(axis=1)
        short = empty > 0 if items.shape[1] >= k else np.ones(len(items), bool)
        codes = task.shelves[shelf]
        allowed = task.dataset.n_items if codes is None else len(codes)
        if short.any() and allowed >= k:
            out.append(
                finding(
                    "short_lists",
                    "warning",
                    float(short.mean()),
                    int(short.sum()),
                    f"{name}: {short.sum():,} of {len(items):,} users get fewer than {k} items ({shelf}); "
                    "empty places count as misses",
                    "let the model score every item",
                )
            )
        flat = (
            np.nanmax(scores, axis=1, initial=-np.inf) == np.nanmin(scores, axis=1, initial=np.inf)
        ) & (items[:, 0] >= 0)
        if flat.any() and items.shape[1] > 1 and not np.isnan(scores).all():
            out.append(
                finding(
                    "constant_scores",
                    "warning" if flat.mean() > 0.05 else "note",
                    float(flat.mean()),
                    int(flat.sum()),
                    f"{name}: every listed item of {flat.sum():,} users has the same score ({shelf}); "
                    "their order is a hash of the ids",
                    "look at what the model knows of these users",
                )
            )
    return out
