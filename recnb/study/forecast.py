"""How long models that judge pairs will take, all their parts together: said before the first of them starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recnb.data import Split
from recnb.evaluation import Protocol
from recnb.evaluation.evaluate import seeds_of
from recnb.evaluation.judge import plain_settings
from recnb.evaluation.protocol import Task
from recnb.models.common.composed import Composed
from recnb.models.common.validation import MOST_USERS, Validation
from recnb.models.rerank import MANY, Rerank
from recnb.progress import LONG, duration, tell
from recnb.recommender import CandidateScorer, Recommender
from recnb.recommender.rehearsal import Rehearsal
from recnb.study.store import DiskStore

_FEW = 512  # pairs, below which it is not worth a word that nobody knows


@dataclass(frozen=True)
class _Stage:
    """A model that judges pairs: candidates of a user, and validation users who decide a weight."""

    model: CandidateScorer
    candidates: int
    weigh: int = 0


def forecast(
    models: Mapping[str, Any],
    split: Split,
    protocol: Protocol,
    seeds: Sequence[int],
    trials: int,
    store: DiskStore,
) -> tuple[str, ...]:
    """A line for each model that judges pairs and will take long, and one for all of them.

    Parameters
    ----------
    models : mapping of name to unfitted models, lists or score matrices
    split : Split
    protocol : Protocol
    seeds : sequence of int
    trials : int
        Of the search.
    store : DiskStore
        What is finished there takes no time.

    Returns
    -------
    tuple of str

    Notes
    -----
    Each is fitted on little and judges a few pairs; the work is counted and multiplied. Times are upper bounds as far
    as the counts are: training may stop early, a weight of 0 switches a second stage off, and what an earlier run has
    judged is taken off only when it is met.
    """
    todo: dict[str, tuple[list[_Stage], int]] = {}
    for name, model in models.items():
        if not isinstance(model, Recommender) or model.fitted:
            continue
        left = [s for s in seeds_of(model, list(seeds)) if not store.has(name, model, s)]
        stages = list(_stages(model, split.dataset.n_items))
        if left and stages:
            todo[name] = stages, len(left)
    if not todo:
        return ()
    task = Task(split, protocol)
    rehearsals: dict[str, Rehearsal | None] = {}
    lines, total, unknown = [], 0.0, []
    for done, (name, (stages, repeats)) in enumerate(todo.items()):
        tell("measuring how long models that judge pairs will take", done, len(todo))
        seconds, words = 0.0, []
        for stage in stages:
            for what, part in _parts(stage, task, trials, rehearsals):
                if part is None:
                    unknown.append(name)
                    continue
                seconds += repeats * part
                words.append(f"{what}: {duration(repeats * part)}")
        total += seconds
        if seconds >= LONG:
            times = f", with {repeats} seeds" if repeats > 1 else ""
            lines.append(f"{name}: about {duration(seconds)} at most{times} ({'; '.join(words)})")
    if len(lines) > 1:
        lines.append(f"together: about {duration(total)} at most; the other models come on top")
    lines += [f"{name}: it is not known how long it will take" for name in dict.fromkeys(unknown)]
    return tuple(lines)


def _stages(model: Recommender, n_items: int) -> Iterator[_Stage]:
    """The models in it that judge pairs."""
    if isinstance(model, Rerank):
        yield from _stages(model.first, n_items)
        if isinstance(model.second, CandidateScorer):
            usual = getattr(model.second, "usual_users", MANY)
            users = usual if model.users is None else model.users
            n = min(model.n_candidates, n_items)
            yield _Stage(model.second, n, 0 if model.weight is not None else users)
        else:
            yield from _stages(model.second, n_items)
    elif isinstance(model, CandidateScorer):
        yield _Stage(model, n_items)
    elif isinstance(model, Composed):
        for part in model.given():
            yield from _stages(part, n_items)


def _parts(
    stage: _Stage, task: Task, trials: int, rehearsals: dict[str, Rehearsal | None]
) -> Iterator[tuple[str, float | None]]:
    """What is done and its seconds, None where nobody knows."""
    split, model, n = task.split, stage.model, stage.candidates
    lengths = [n if codes is None else min(n, len(codes)) for codes in task.shelves.values()]
    asked = 0
    if split.valid is not None and (stage.weigh or trials):
        most = MOST_USERS if trials else stage.weigh
        asked = len(Validation.of(split.train, split.valid, most).users)
    weigh = min(stage.weigh, asked)
    key = f"{type(model).__qualname__}{plain_settings(model)}"
    if key not in rehearsals:
        rehearsals[key] = model.rehearsed(split.train, split.valid)
    known = rehearsals[key]
    if known is None:
        if n * weigh + sum(lengths) * len(task.rows) > _FEW:
            yield "", None
        return
    one = known.pace.seconds
    searched = trials if trials and hasattr(model, "search_space") else 0
    if searched:
        each = known.seconds + (weigh + asked) * one(n)
        yield f"{searched} trials of the search", searched * each
    yield from known.parts
    if weigh:
        yield f"{n * weigh:,} pairs of {weigh:,} people who choose its weight", weigh * one(n)
    tested = len(task.rows) * sum(map(one, lengths))
    yield (
        f"{len(task.rows) * sum(lengths):,} pairs of {len(task.rows):,} people of the test",
        tested,
    )
