"""`evaluate`: judge several models on one split under one protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from typing import Protocol as Interface

import numpy as np
import pandas as pd

from recnb.data import Dataset, Split
from recnb.errors import InputError
from recnb.evaluation.audit import audit
from recnb.evaluation.columns import Column
from recnb.evaluation.findings import Finding, by_severity
from recnb.evaluation.judge import Judgeable, Judged, judge
from recnb.evaluation.protocol import Protocol, Task
from recnb.evaluation.result import Evaluation
from recnb.progress import Progress, listening
from recnb.recommender import Lists, Reads, Recommender, read_lists
from recnb.versions import versions

TIE_SEEDS = 4
TIE_SECONDS = 15  # a model that took longer is not fitted again for other orders


class Store(Interface):
    """Where finished (model, seed) pairs are kept, so that a repeated run does not compute them again."""

    def check(self, split: Split, protocol: Protocol) -> None:
        """Raise where what is kept was judged on another split or by another protocol."""
        ...

    def get(self, name: str, model: Any, seed: int) -> Judged | None: ...

    def put(self, judged: Judged, model: Any) -> None: ...

    def beside(self, split: Split) -> Store:
        """The same for another order of tied times."""
        ...


def evaluate(
    models: Mapping[str, Judgeable | pd.DataFrame],
    split: Split,
    protocol: Protocol | None = None,
    seeds: Iterable[int] = (0,),
    progress: Progress | None = None,
    store: Store | None = None,
    reads: Mapping[str, Reads] | None = None,
    search: Mapping[str, Any] | None = None,
    command: str = "",
    notes: Sequence[str] = (),
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
        For models that draw random numbers; they take the place of a seed that a model was given. The others are
        fitted once.
    progress : callable (what, done, all), optional
        Called before every step.
    store : Store, optional
    reads : mapping of name to Reads, optional
        What lists and score matrices read, where their maker knows; the others are reported as unknown.
    search : mapping, optional
        How settings were chosen: `trials`, and `models`, what was tried for each; the audit compares the effort.
    command : str
        How the run was asked for.
    notes : sequence of str
        What was decided on the way, in words.

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
    if store is not None:
        store.check(split, protocol)
    checked = {name: _checked(name, model) for name, model in models.items()}
    told = _told(reads or {}, checked)
    task = Task(split, protocol)
    for one in checked.values():
        if isinstance(one, Recommender) and not one.fitted:
            one.check_installed()
            one.check_data(split.known)
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
        with listening(progress):
            judged.append(_judged(name, model, task, seed, store, told.get(name)))
    cheap = {n: m for n, m in checked.items() if is_cheap(m, split.dataset.n_items)}
    findings = [
        *(f for one in judged for f in one.findings),
        *tie_spread(cheap, judged, task, progress, store),
        *audit(task, [one.first_lists(task) for one in judged], search),
    ]
    run: dict[str, Any] = {"command": command, "notes": list(notes)}
    if search is not None:
        run["search"] = dict(search)
    return assemble(judged, task, by_severity(findings), run)


def _told(reads: Mapping[str, Reads], models: Mapping[str, Judgeable]) -> dict[str, Reads]:
    """What is said of lists and scores; of a model only the model itself says it."""
    for name in reads:
        if name not in models or isinstance(models[name], Recommender):
            raise InputError(
                f"reads names '{name}', which is no lists and no score matrix here",
                mend="a model says what it reads in its method reads()",
            )
    return dict(reads)


def _judged(
    name: str,
    model: Judgeable,
    task: Task,
    seed: int,
    store: Store | None,
    reads: Reads | None = None,
) -> Judged:
    """A kept judgement, or a new one, which is kept."""
    kept = store.get(name, model, seed) if store else None
    if kept is not None:
        return kept if reads is None else replace(kept, record=replace(kept.record, reads=reads))
    judged = judge(name, model, task, seed, reads)
    if store:
        store.put(judged, model)
    return judged


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
    task: Task,
    progress: Progress | None = None,
    store: Store | None = None,
) -> list[Finding]:
    """How far the headline moves when tied times are ordered otherwise: one finding, none without ties."""
    split, protocol = task.split, task.protocol
    if not split.tied_users or not models:
        return []
    metric, k, _ = key = protocol.keys(["catalogue"])[0]

    def headline(one: Judged) -> float:
        return float(one.values[key][1].mean())

    # The order of this split has been judged already; the others follow.
    first = [one for one in judged if one.model in models]
    slow = {
        one.model
        for one in first
        if sum(one.record.costs.get(c, 0.0) for c in ("fit_seconds", "score_seconds")) > TIE_SECONDS
    }
    models = {name: model for name, model in models.items() if name not in slow}
    if not models:
        return [
            Finding(
                "tied_timestamps",
                "note",
                0.0,
                split.tied_users,
                f"the cut runs through a tie for {split.tied_users:,} users; other orders of tied times were left out, "
                f"as {', '.join(sorted(slow))} take more than {TIE_SECONDS} s each time",
                "compare over several --split-seed, or use a finer clock",
            )
        ]
    values = {one.model: [headline(one)] for one in first if one.model in models}
    for turn in range(TIE_SEEDS):
        if progress:
            progress("other orders of tied times", turn, TIE_SEEDS)
        other = Task(split.with_tie_seed(split.settings["tie_seed"] + turn + 1), protocol)
        kept = store.beside(other.split) if store else None
        for name, model in models.items():
            values[name].append(headline(_judged(name, model, other, 0, kept)))
    spread = {name: (min(each), max(each)) for name, each in values.items()}
    widest = max(high - low for low, high in spread.values())
    unsteady = any(low < 0.95 * high for low, high in spread.values())
    ranges = ", ".join(f"{name} {low:.4f} to {high:.4f}" for name, (low, high) in spread.items())
    measured = metric if k is None else f"{metric}@{k}"
    if slow:
        ranges += f" (left out, slower than {TIE_SECONDS} s each time: {', '.join(sorted(slow))})"
    return [
        Finding(
            "tied_timestamps",
            "warning" if unsteady else "note",
            widest,
            split.tied_users,
            f"the cut runs through a tie for {split.tied_users:,} users; {measured} over {TIE_SEEDS + 1} "
            f"orders of tied times: {ranges}",
            "read no difference smaller than this spread; a finer clock or global_time has fewer ties",
        )
    ]


def assemble(
    judged: list[Judged], task: Task, findings: Sequence[Finding], run: dict[str, Any]
) -> Evaluation:
    """Put judged models together."""
    ds = task.dataset
    codes = np.unique(np.concatenate([users for j in judged for users, _, _ in j.values.values()]))
    columns = {
        (j.model, j.seed, key): Column(np.searchsorted(codes, users), values, weights)
        for j in judged
        for key, (users, values, weights) in j.values.items()
    }
    # The headline first; errors of ratings last.
    order = {key: at for at, key in enumerate(task.protocol.keys(task.shelves))}
    columns = dict(sorted(columns.items(), key=lambda c: order.get(c[0][2], len(order))))
    parts = [_lists(j, shelf, task) for j in judged for shelf in j.lists]
    settings = {
        **run,
        "protocol": task.protocol.to_dict(),
        "split": {
            "name": task.split.name,
            "digest": task.split.digest,
            "settings": task.split.settings,
            "interactions": dict(zip(("train", "valid", "test"), _part_sizes(task.split))),
            "judged_users": len(task.users),
            **({} if task.events is None else {"judged_events": len(task.events)}),
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
        "versions": versions(),
    }
    return Evaluation(
        columns,
        user_facts(task).iloc[codes],
        pd.concat(parts, ignore_index=True),
        tuple(j.record for j in judged),
        tuple(findings),
        settings,
        _parts(task),
        _titles(ds),
    )


def _titles(ds: Dataset) -> dict[str, str]:
    """Titles of the items that have one, by item id."""
    if "title" not in ds.items:
        return {}
    titles = ds.items["title"].dropna()
    return {str(item): str(title) for item, title in titles.items() if str(title).strip()}


def _parts(task: Task) -> pd.DataFrame:
    """The split as rows, and which of them are targets."""
    frame, rows = task.split.frame(), task.dataset.interactions
    if task.events is not None:
        event = np.zeros(len(frame), np.int64)
        event[task.events.rows] = task.events.numbers
        return frame.assign(target=event > 0, event=event)
    place = np.full(task.dataset.n_users, -1)
    place[task.users] = np.arange(len(task.users))
    at = np.flatnonzero((frame["part"] == "test").to_numpy() & (place[rows["user"]] >= 0))
    target = np.zeros(len(frame), bool)
    users, items = rows["user"].to_numpy()[at], rows["item"].to_numpy()[at]
    target[at] = np.asarray(task.relevant[place[users], items]).ravel() > 0
    return frame.assign(target=target)


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
            "user_id": ds.user_ids[task.users[task.rows[rows]]],
            **({} if task.events is None else {"event": task.events.numbers[rows]}),
            "rank": places + 1,
            "item_id": ds.item_ids[items[listed]],
            "score": scores[listed],
        }
    )
