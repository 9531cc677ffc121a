"""`evaluate`: judge several models on one split under one protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from typing import Protocol as Interface

import numpy as np
import pandas as pd

from recnb.data import Split
from recnb.errors import InputError
from recnb.evaluation.audit import audit, by_severity
from recnb.evaluation.findings import finding
from recnb.evaluation.judge import Judgeable, Judged, judge
from recnb.evaluation.protocol import Protocol, Task
from recnb.evaluation.result import Column, Evaluation
from recnb.evaluation.versions import versions
from recnb.recommender import Lists, Recommender, read_lists

TIE_SEEDS = 4
Progress = Callable[[str, int, int], None]


class Store(Interface):
    """Where finished (model, seed) pairs are kept, so that a repeated run does not compute them again."""

    def get(self, name: str, model: Any, seed: int) -> Judged | None: ...

    def put(self, judged: Judged, model: Any) -> None: ...


def evaluate(
    models: Mapping[str, Judgeable | pd.DataFrame],
    split: Split,
    protocol: Protocol | None = None,
    seeds: Iterable[int] = (0,),
    progress: Progress | None = None,
    store: Store | None = None,
) -> Evaluation:
    """Judge models on one split.

    Parameters
    ----------
    models : mapping of name to model
        A :class:`Recommender` that is not fitted (it is cloned per seed, fitted on `train`, with `valid` where it
        chooses something there, and refitted on `known`), a fitted one, a score matrix of shape (n_users, n_items), or
        lists (:func:`recnb.read_lists`, or a frame of them), which are judged as they are.
    split : Split
    protocol : Protocol, optional
    seeds : iterable of int
        For models that draw random numbers; the others are fitted once.
    progress : callable (what, done, all), optional
        Called before every step.
    store : Store, optional

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        Ids or data set of a model differ from the split's, scores are not finite, nobody can be judged.

    Examples
    --------
    >>> from recnb.data import Dataset, splits
    >>> rows = pd.DataFrame({"user_id": list("aabbcc"), "item_id": list("xyxyyx"), "timestamp": range(6)})
    >>> split = splits.leave_one_out(Dataset.from_frames(rows), valid=False)
    >>> ev = evaluate({"right": np.eye(3, 2)[:, ::-1].astype(np.float32)}, split, Protocol(k=1))
    >>> ev.table()["n_users"].tolist()
    [3, 3]
    """
    protocol = protocol or Protocol()
    seeds = list(seeds)
    if not models:
        raise InputError("no model", mend="name at least one")
    if not seeds:
        raise InputError("no seed", mend="give at least one")
    checked = {name: _checked(name, model) for name, model in models.items()}
    task = Task(split, protocol)
    steps = [(name, seed) for name, model in checked.items() for seed in seeds_of(model, seeds)]
    judged = []
    for done, (name, seed) in enumerate(steps):
        model = checked[name]
        if progress:
            progress(
                name if seeds_of(model, seeds) == seeds[:1] else f"{name}, seed {seed}",
                done,
                len(steps),
            )
        found = store.get(name, model, seed) if store else None
        if found is None:
            found = judge(name, model, task, seed)
            if store:
                store.put(found, model)
        judged.append(found)
    findings = [f for j in judged for f in j.findings]
    findings += tie_spread(
        {n: m for n, m in checked.items() if is_cheap(m, split.dataset.n_items)},
        judged,
        split,
        protocol,
        progress,
    )
    ev = assemble(judged, task, findings)
    ev.findings[:] = by_severity([*findings, *audit(task, ev)])
    return ev


def seeds_of(model: Judgeable, seeds: list[int]) -> list[int]:
    """The seeds that make a difference to a model."""
    draws = isinstance(model, Recommender) and model.seeded and not model.fitted
    return seeds if draws else seeds[:1]


def is_cheap(model: Judgeable, n_items: int) -> bool:
    """Whether a model may be fitted again for other tie orders: fast, and steady but for them."""
    if not isinstance(model, Recommender) or not model.cheap or model.seeded or model.fitted:
        return False
    return model.cheap_items is None or n_items <= model.cheap_items


def tie_spread(
    models: Mapping[str, Judgeable],
    judged: Iterable[Judged],
    split: Split,
    protocol: Protocol,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """How far the headline moves when tied times are ordered otherwise: one finding, none without ties."""
    if not split.tied_users or not models:
        return []
    metric, k = protocol.metrics[0], protocol.ks[0]
    if metric == "auc":
        return []

    def headline(one: Judged) -> float:
        return float(one.values[metric, k, "catalogue"][1].mean())

    # The order of this split has been judged already; the others follow.
    values = {j.model: [headline(j)] for j in judged if j.model in models}
    for turn in range(TIE_SEEDS):
        if progress:
            progress("other orders of tied times", turn, TIE_SEEDS)
        task = Task(split.with_tie_seed(split.settings["tie_seed"] + turn + 1), protocol)
        for name, model in models.items():
            values[name].append(headline(judge(name, model, task)))
    spread = {name: (min(found), max(found)) for name, found in values.items()}
    widest = max(high - low for low, high in spread.values())
    unsteady = any(low < 0.95 * high for low, high in spread.values())
    said = ", ".join(f"{name} {low:.4f} to {high:.4f}" for name, (low, high) in spread.items())
    return [
        finding(
            "tied_timestamps",
            "warning" if unsteady else "note",
            widest,
            split.tied_users,
            f"the cut runs through a tie for {split.tied_users:,} users; {metric}@{k} over {TIE_SEEDS + 1} "
            f"orders of tied times: {said}",
            "read no difference smaller than this spread; a finer clock or global_time has fewer ties",
        )
    ]


def assemble(judged: list[Judged], task: Task, findings: list[dict[str, Any]]) -> Evaluation:
    """Put judged models together."""
    ds = task.dataset
    codes = np.unique(np.concatenate([users for j in judged for users, _, _ in j.values.values()]))
    columns = {
        (j.model, j.seed, key): Column(np.searchsorted(codes, users), values, weights)
        for j in judged
        for key, (users, values, weights) in j.values.items()
    }
    # The headline first: the shelf before the catalogue, list metrics before ratings.
    order = {key: at for at, key in enumerate(_keys(task))}
    columns = dict(sorted(columns.items(), key=lambda c: order.get(c[0][2], len(order))))
    parts = [_lists(j, shelf, task) for j in judged for shelf in j.lists]
    costs = pd.DataFrame([{"model": j.model, "seed": j.seed, **j.costs} for j in judged])
    settings = {
        "protocol": task.protocol.to_dict(),
        "split": {
            "name": task.split.name,
            "digest": task.split.digest,
            "settings": task.split.settings,
            "interactions": dict(zip(("train", "valid", "test"), _part_sizes(task.split))),
        },
        "dataset": {
            "name": ds.name,
            "digest": ds.digest,
            "feedback": ds.feedback,
            "scale": list(ds.scale) if ds.scale else None,
            "relevant_from": ds.threshold,
            "users": ds.n_users,
            "items": ds.n_items,
            "interactions": len(ds.interactions),
            "notes": list(ds.notes),
        },
        "models": [
            {"model": j.model, "seed": j.seed, "class": j.kind, "settings": j.settings, **j.costs}
            for j in judged
        ],
        "versions": versions(),
    }
    users = user_facts(task).iloc[codes]
    lists = pd.concat(parts, ignore_index=True)
    return Evaluation(columns, users, lists, costs, findings, settings, task.split.frame())


def user_facts(task: Task) -> pd.DataFrame:
    """What is known of every user before the test: activity, taste for the popular, and the users table."""
    ds = task.dataset
    known = task.split.history.pairs()
    popularity = np.asarray(task.split.known.pairs().sum(axis=0)).ravel()
    n = np.diff(known.indptr)
    with np.errstate(invalid="ignore"):
        taste = (known @ popularity) / np.where(n > 0, n, np.nan)
    activity = np.bincount(task.split.history.interactions["user"], minlength=ds.n_users)
    facts = pd.DataFrame({"activity": activity, "popularity": taste}, index=ds.users.index)
    return facts.join(ds.users[[c for c in ds.users.columns if c not in facts]])


def _checked(name: str, model: Any) -> Judgeable:
    if isinstance(model, (Recommender, Lists)):
        return model
    if isinstance(model, pd.DataFrame):
        return read_lists(model)
    if isinstance(model, np.ndarray) and model.ndim == 2:
        return model.astype(np.float32, copy=False)
    raise InputError(
        f"'{name}' is a {type(model).__name__}", mend="give a Recommender, a score matrix, or lists"
    )


def _keys(task: Task) -> list[tuple[str, int | None, str]]:
    out: list[tuple[str, int | None, str]] = []
    for shelf in task.shelves:
        for metric in task.protocol.metrics:
            ks = (None,) if metric == "auc" else task.protocol.ks
            out += [(metric, k, shelf) for k in ks]
    return out


def _part_sizes(split: Split) -> list[int]:
    return [int(n) for n in np.bincount(split.part, minlength=3)[:3]]


def _lists(j: Judged, shelf: str, task: Task) -> pd.DataFrame:
    """Long lists, cut at the longest k."""
    items, scores = (block[:, : max(task.protocol.ks)] for block in j.lists[shelf])
    listed = items >= 0
    rows, places = np.nonzero(listed)
    ds = task.dataset
    return pd.DataFrame(
        {
            "model": j.model,
            "seed": j.seed,
            "candidates": shelf,
            "user_id": ds.user_ids[task.users[rows]],
            "rank": places + 1,
            "item_id": ds.item_ids[items[listed]],
            "score": scores[listed],
        }
    )
