"""Work of a study done beside each other by workers, and kept; the study itself then finds it finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from typing import Protocol as Interface

from recnb.data import Split
from recnb.evaluation import Protocol
from recnb.evaluation.evaluate import seeds_of
from recnb.evaluation.judge import Judgeable, Judged, judge
from recnb.evaluation.protocol import Task
from recnb.files import write_json
from recnb.progress import Progress
from recnb.recommender import Recommender
from recnb.study.store import DiskStore


class Workers(Interface):
    """Who computes jobs: processes of this machine or of others."""

    def each(
        self, function: Callable[..., Any], shared: Any, jobs: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        """The number and the result of each job, as they are done: ``function(shared, *job)``."""
        ...


def judge_ahead(
    models: Mapping[str, Judgeable],
    split: Split,
    protocol: Protocol,
    seeds: Sequence[int],
    store: DiskStore,
    workers: Workers,
    progress: Progress | None = None,
) -> None:
    """Judge every (model, seed) that the store has not, each by a worker; kept one by one as they come.

    A job is what :func:`recnb.evaluation.evaluate` does for it, so that the results are the same numbers.
    """
    todo = [
        (name, model, seed)
        for name, model in models.items()
        if isinstance(model, Recommender)
        for seed in seeds_of(model, list(seeds))
        if not store.has(name, model, seed)
    ]
    shared = split, protocol, store.models is not None
    for done, (number, judged) in enumerate(workers.each(_judged, shared, todo)):
        name, model, seed = todo[number]
        store.put(judged, model)
        if progress:
            progress(f"{name}, seed {seed}: judged", done, len(todo))


def _judged(
    shared: tuple[Split, Protocol, bool], name: str, model: Recommender, seed: int
) -> Judged:
    split, protocol, fitted = shared
    judged = judge(name, model, Task(split, protocol), seed)
    return judged if fitted else replace(judged, fitted=None)


def search_ahead(
    searches: Mapping[str, tuple[Recommender, dict[str, Any], Path]],
    split: Split,
    protocol: Protocol,
    found: Callable[[Recommender, Recommender], dict[str, Any]],
    workers: Workers,
    progress: Progress | None = None,
) -> None:
    """Choose settings of several models, each by a worker, and keep what was found.

    The trials of one model follow one another, since each is drawn from what the earlier ones reached.

    Parameters
    ----------
    searches : mapping of name to (model, arguments of search, file of its result)
        Those whose file is there are left out.
    found : callable
        From the model and its best form to what the file holds.
    """
    names = [name for name, (_, _, kept) in searches.items() if not kept.is_file()]
    jobs = [searches[name] for name in names]
    for done, (number, best) in enumerate(workers.each(_searched, (split, protocol), jobs)):
        model, _, kept = jobs[number]
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, found(model, best))
        if progress:
            progress(f"{names[number]}: settings chosen", done, len(jobs))


def _searched(
    shared: tuple[Split, Protocol], model: Recommender, arguments: dict[str, Any], kept: Path
) -> Recommender:
    from recnb.study.search import search

    split, protocol = shared
    # trials are kept where the worker sees the folder: a search that is killed goes on there
    trials = kept.with_suffix(".sqlite") if kept.parent.is_dir() else None
    best = search(model, split, protocol=protocol, kept=trials, **arguments)
    return best
