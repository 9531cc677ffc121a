"""Judge one model once: fit it if need be, list, and measure per user."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.evaluation.ceiling import ceiling_findings, ceilings
from recnb.evaluation.findings import Finding
from recnb.evaluation.protocol import RATING_METRICS, Key, Task
from recnb.evaluation.record import Meter, Record
from recnb.metrics import auc, evaluate_lists
from recnb.metrics.rating import per_user_absolute_error, per_user_squared_error
from recnb.recommender import Lists, Reads, Recommender, top_k_scores
from recnb.recommender.blocks import check_scores, user_blocks

Judgeable = Recommender | np.ndarray | Lists


@dataclass(frozen=True, eq=False)
class Judged:
    """One model with one seed: its values per user, its lists and what it cost.

    Attributes
    ----------
    record : Record
    values : dict of (metric, k, candidates) to (user codes, values, weights or None)
    lists : dict of candidates to (item codes, scores), each of shape (n_lists, longest k)
        Rows follow `Task.rows`: a list for each of `Task.users` or, with ``next_event``, for each event; -1 is an empty
        place, NaN a place without a score.
    findings : list of Finding
    fitted : Recommender or None
        The fitted model, where there is one in this process.
    """

    record: Record
    values: dict[Key, tuple[np.ndarray, np.ndarray, np.ndarray | None]]
    lists: dict[str, tuple[np.ndarray, np.ndarray]]
    findings: list[Finding] = field(default_factory=list)
    fitted: Recommender | None = None

    def first_lists(self, task: Task) -> Judged:
        """The same with each user's first list alone."""
        if task.events is None:
            return self
        lists = {s: (i[task.first_rows], v[task.first_rows]) for s, (i, v) in self.lists.items()}
        return replace(self, lists=lists)

    @property
    def model(self) -> str:
        return self.record.model

    @property
    def seed(self) -> int:
        return self.record.seed

    @property
    def kind(self) -> str:
        return self.record.kind

    @property
    def settings(self) -> dict[str, Any]:
        return self.record.settings

    @property
    def reads(self) -> Reads:
        return self.record.reads


def judge(
    name: str, model: Judgeable, task: Task, seed: int = 0, reads: Reads | None = None
) -> Judged:
    """Judge a model (fitted or not), a score matrix, or lists.

    Parameters
    ----------
    name : str
    model : Recommender, score matrix or Lists
    task : Task
    seed : int
    reads : Reads, optional
        What lists or scores read, where it is known; a model says so itself.

    Raises
    ------
    InputError
        Ids or data set differ, scores are not finite, shapes differ.
    """
    fitted: Recommender | None = None
    costs: dict[str, Any] = {"fit_seconds": 0.0, "peak_memory_mb": 0.0}
    settings: dict[str, Any] = {}
    remarks: list[str] = []
    if isinstance(model, Recommender):
        if model.fitted:
            _same_data(name, model, task)
            fitted = model
        else:
            with Meter() as meter:
                fitted = fit(model, task, seed, remarks)
            costs = {"fit_seconds": meter.seconds, "peak_memory_mb": meter.peak_mb}
        settings, reads = plain_settings(fitted), fitted.reads()
        trainable, total = fitted.parameters()
        costs |= {"trainable_parameters": int(trainable), "total_parameters": int(total)}
        costs["device"] = getattr(fitted, "device_", "cpu")
    judgeable = model if fitted is None else fitted
    with Meter() as meter:
        lists = lists_of(name, judgeable, task)
    costs |= {"score_seconds": meter.seconds}
    costs["peak_memory_mb"] = max(costs["peak_memory_mb"], meter.peak_mb)
    if fitted is not None:
        costs |= fitted.costs()
    values = measured(name, judgeable, task, lists)
    reach = ceilings(fitted, task, {shelf: items for shelf, (items, _) in lists.items()})
    reads = reads or Reads.unknown()
    here = isinstance(model, Recommender) and _is_blank(model) and reads.known
    record = Record(name, seed, _kind(model), settings, costs, reads, reach, here)
    findings = _findings(name, lists, task) + ceiling_findings(name, reach, values)
    remarks += fitted.remarks() if fitted is not None else ()
    for remark in remarks:
        n = len(task.users)
        findings.append(Finding("remark", "note", n, n, f"{name}: {remark}", "read its value so"))
    return Judged(record, values, lists, findings, fitted)


def fit(model: Recommender, task: Task, seed: int, remarks: list[str] | None = None) -> Recommender:
    """A clone fitted on what is known; where it chooses something on `valid`, that is done on train before.

    What is to be known of that choice is added to `remarks`.
    """
    split = task.split
    fresh = clone(model)
    if fresh.seeded:
        fresh.set_params(seed=seed)
    if fresh.uses_valid and split.valid is not None:
        fresh.fit(split.train, split.valid)
        chosen = fresh.chosen()
        if remarks is not None:
            remarks += fresh.choice_remarks()
        fresh = clone(fresh).set_params(**chosen)
    return fresh.fit(split.known)


def _is_blank(model: Recommender) -> bool:
    """Whether a model and those in its settings are of recnb's own classes and not fitted yet."""
    parts = [
        part
        for value in model.get_params(deep=False).values()
        for part in (value if isinstance(value, (list, tuple)) else [value])
        if isinstance(part, Recommender)
    ]
    own = type(model).__module__.partition(".")[0] == "recnb"
    return own and not model.fitted and all(map(_is_blank, parts))


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


def lists_of(name: str, model: Judgeable, task: Task) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The lists that are judged, by candidates: item codes and scores, see :class:`Judged`."""
    k, ds = max(task.protocol.ks), task.dataset
    if any(metric.whole for metric in task.protocol.table.values()):
        k = ds.n_items
    if isinstance(model, np.ndarray) and model.shape != (ds.n_users, ds.n_items):
        raise InputError(
            f"{name} is a matrix of shape {model.shape}, expected {(ds.n_users, ds.n_items)}",
            mend="give a row per user and a column per item, in the order of ds.users and ds.items",
        )
    if isinstance(model, Lists):
        if task.events is not None:
            raise InputError(
                f"{name} holds one list a user, and next_event asks for one at every event",
                mend="judge lists without next_event, or give a model",
            )
        depth = min(k, max(model.depth, max(task.protocol.ks)))
        return {shelf: model.codes(ds, task.users, depth) for shelf in task.shelves}
    shape = len(task.rows), k
    out = {
        shelf: (np.full(shape, -1, np.int64), np.full(shape, np.nan, np.float32))
        for shelf in task.shelves
    }
    for asked in task.asked():
        for shelf, (items, scores) in out.items():
            items[asked.rows], scores[asked.rows] = top_k_scores(
                model,
                asked.users,
                k,
                exclude=asked.excluded,
                candidates=task.shelves[shelf],
                history=asked.history,
                name=name,
                ids=(ds.user_ids, ds.item_ids),
            )
    return out


def measured(
    name: str, model: Judgeable, task: Task, lists: dict[str, tuple[np.ndarray, np.ndarray]]
) -> dict[Key, tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Values per user of every metric for which the model gives what it needs."""
    values: dict[Key, tuple[np.ndarray, np.ndarray, np.ndarray | None]] = {}
    needs: dict[str, list[str]] = {"lists": [], "scores": []}
    for metric, needed in task.protocol.table.items():
        needs[needed.needs].append(metric)
    for shelf, (items, _) in lists.items():
        for k in task.protocol.ks if needs["lists"] else ():
            for metric, part in evaluate_lists(items, task.truth, needs["lists"], k).items():
                values[metric, k, shelf] = (*task.per_user(part), None)
        for metric in needs["scores"] if not isinstance(model, Lists) else ():
            values[metric, None, shelf] = (*auc_per_user(name, model, task, shelf), None)
    if not values:
        raise InputError(
            f"{' and '.join(needs['scores'])} needs a score for every item, which the lists of {name} do not give",
            mend="name a list metric beside it",
        )
    return values | _errors(name, model, task)


def _errors(
    name: str, model: Judgeable, task: Task
) -> dict[Key, tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Errors of predicted ratings, of a model that predicts any, where ratings are tested."""
    predict = getattr(model, "predict", None)
    if task.rated is None or predict is None:
        return {}
    users, items, ratings = task.rated
    low, high = task.dataset.scale or (-np.inf, np.inf)
    guess = np.asarray(predict(users, items), dtype=float)
    if guess.shape != ratings.shape or not np.isfinite(guess).all():
        raise InputError(
            f"{name} predicted {guess.shape} with NaN or infinite values, expected {ratings.shape}",
            mend="mend its predict()",
        )
    guess = np.clip(guess, low, high)
    parts = (per_user_squared_error, per_user_absolute_error)
    errors = [(m, part(users, ratings, guess)) for m, part in zip(RATING_METRICS, parts)]
    return {(m, None, "catalogue"): (e.user, e.mean, e.weight) for m, e in errors}


def auc_per_user(name: str, model: Any, task: Task, shelf: str) -> tuple[np.ndarray, np.ndarray]:
    """User codes and AUC of their scores, without users for whom it is not defined."""
    ds, out = task.dataset, np.full(len(task.rows), np.nan)
    allowed = np.ones(ds.n_items, bool)
    if task.shelves[shelf] is not None:
        allowed[:] = False
        allowed[task.shelves[shelf]] = True
    for asked in task.asked():
        for start, stop in user_blocks(len(asked.users), ds.n_items):
            users, rows = asked.users[start:stop], asked.rows[start:stop]
            barred = None if asked.excluded is None else asked.excluded[users]
            if isinstance(model, np.ndarray):
                scores = model[users]
            else:
                scores = model.score_among(users, allowed, barred, asked.history)
            check_scores(scores, (len(users), ds.n_items), name)
            candidates = np.tile(allowed, (len(users), 1))
            if barred is not None:
                candidates &= ~barred.toarray().astype(bool)
            relevant = task.relevant_of(rows).toarray().astype(bool)
            out[rows] = auc(scores, relevant, candidates)
    return task.per_user(out)


def _findings(name: str, lists: dict, task: Task) -> list[Finding]:
    out = []
    k, whose = max(task.protocol.ks), "users" if task.events is None else "lists"
    for shelf, (items, scores) in lists.items():
        # A list can be no longer than what is left for the user.
        short = (items[:, :k] >= 0).sum(axis=1) < np.minimum(k, task.room(shelf))
        if short.any():
            out.append(
                Finding(
                    "short_lists",
                    "warning",
                    float(short.mean()),
                    int(short.sum()),
                    f"{name}: {short.sum():,} of {len(items):,} {whose} get fewer than {k} items ({shelf}); "
                    "empty places count as misses",
                    "let the model score every item",
                )
            )
        flat = (
            np.nanmax(scores, axis=1, initial=-np.inf) == np.nanmin(scores, axis=1, initial=np.inf)
        ) & (items[:, 0] >= 0)
        if flat.any() and items.shape[1] > 1 and not np.isnan(scores).all():
            out.append(
                Finding(
                    "constant_scores",
                    "warning" if flat.mean() > 0.05 else "note",
                    float(flat.mean()),
                    int(flat.sum()),
                    f"{name}: every listed item of {flat.sum():,} {whose} has the same score ({shelf}); "
                    "their order is a hash of the ids",
                    "look at what the model knows of these users",
                )
            )
    return out
