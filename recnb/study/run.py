"""The main job: names of models to a judged, written output folder, in steps that survive a kill."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.base import clone

from recnb.data import Dataset, Split
from recnb.encoders.loading import check_at_hand
from recnb.errors import InputError
from recnb.evaluation import Evaluation, Protocol, evaluate
from recnb.evaluation.files import write_json, write_parquet
from recnb.evaluation.judge import Judgeable
from recnb.models import make, parse_models
from recnb.models.common.composed import Composed
from recnb.models.table import DEFAULTS
from recnb.progress import Progress, listening, note
from recnb.recommender import Recommender
from recnb.recommender.kept import keeping
from recnb.report import write_report
from recnb.study.ahead import Workers, judge_ahead, search_ahead
from recnb.study.forecast import forecast
from recnb.study.search import search
from recnb.study.source import sources
from recnb.study.store import DiskStore

__all__ = ["Study", "choose_models", "made_folder", "run", "write_output"]
_WORK = ".finished"


@dataclass(frozen=True)
class Study:
    """What to do with which data.

    Parameters
    ----------
    split : Split
    models : mapping of name to unfitted models, lists or score matrices
    protocol : Protocol
    seeds : tuple of int
    trials : int
        Search trials on the validation part for every model that has settings; 0 leaves all untuned.
    command : str
        How the run was asked for, kept in `run.json`.
    notes : tuple of str
        What was decided on the way, in words.
    """

    split: Split
    models: Mapping[str, Judgeable]
    protocol: Protocol = field(default_factory=Protocol)
    seeds: tuple[int, ...] = (0,)
    trials: int = 0
    command: str = ""
    notes: tuple[str, ...] = ()


def choose_models(names: str | None, ds: Dataset) -> tuple[dict[str, Recommender], tuple[str, ...]]:
    """Models by name; without names the default ones that this machine and these data allow.

    Returns
    -------
    models : dict
    notes : tuple of str
        Which defaults were left out, and why.
    """
    if names is not None:
        return parse_models(names), ()
    models: dict[str, Recommender] = {}
    left_out: list[str] = []
    for name in DEFAULTS:
        try:
            model = make(name)
            model.check_installed()
            model.check_data(ds)
        except InputError as error:
            left_out.append(f"{name} is left out: {error}")
            continue
        models[name] = model
    return models, tuple(left_out)


def text_notes(models: Mapping[str, Recommender], items: pd.DataFrame) -> tuple[str, ...]:
    """Which item columns the models read as text, and which none of them reads; nothing where none reads text.

    Examples
    --------
    >>> items = pd.DataFrame({"title": ["Tea", "Rice"], "colour": ["green", "white"]})
    >>> for note in text_notes({"tfidf": make("tfidf"), "ease": make("ease")}, items):
    ...     print(note)
    read as text: title
    item columns that no model reads: colour; in a model's brackets text=title+colour reads more as text
    """
    read: dict[tuple[str, ...], list[str]] = {}
    for name, model in models.items():
        if columns := model.text_columns(items):
            read.setdefault(columns, []).append(name)
    if not read:
        return ()
    who = {
        columns: f" (by {', '.join(names)})" if len(read) > 1 else ""
        for columns, names in read.items()
    }
    told = "; ".join(f"{', '.join(columns)}{who[columns]}" for columns in read)
    others = {m for model in models.values() for m in model.reads().modalities} - {"text"}
    idle = [str(c) for c in items if c not in {name for columns in read for name in columns}]
    if others or not idle:  # attributes, or columns by their names
        return (f"read as text: {told}",)
    more = "+".join((*next(iter(read)), idle[0]))
    shown = f"{', '.join(idle[:12])}{' …' if len(idle) > 12 else ''}"
    return (
        f"read as text: {told}",
        f"item columns that no model reads: {shown}; in a model's brackets text={more} reads more as text",
    )


def run(
    study: Study,
    output: Path,
    save_models: bool = False,
    progress: Progress | None = None,
    said: Callable[[str], None] | None = None,
    workers: Workers | None = None,
    page: bool = True,
) -> Evaluation:
    """Search, judge, and write the output folder with its report.

    The earlier output stays whole until the new one is complete. Finished searches and (model, seed) pairs are kept in
    `.finished` and reused by the next run with the same study. `workers` do this work beside each other, such as
    :class:`recnb.serving.scale.RayWorkers`; None does it in this process, one after another. The numbers are the same.
    Without `page` all is written but the report.

    Returns
    -------
    Evaluation
    """
    output = made_folder(Path(output))
    models_folder = output / "models" if save_models else None
    store = DiskStore(output / _WORK, study.split, study.protocol, models_folder)
    for name, model in study.models.items():
        if isinstance(model, Recommender):
            sources(model)  # read now: a file that is edited during the run is not what runs
            if not model.fitted:  # a lack is told before hours of search and fitting
                model.check_installed()
                _check_data(name, model, study.split.known)
                _check_language_models(name, model)
    with listening(progress, said), keeping(store.pairs):
        if said:  # it is measured for whoever listens
            asked = study.protocol, study.seeds, study.trials
            for line in forecast(study.models, study.split, *asked, store):
                note(line)
        models, searches = _searched(study, store, progress, workers)
        if workers is not None:
            seeds = study.seeds
            judge_ahead(models, study.split, study.protocol, seeds, store, workers, progress)
        ev = evaluate(
            models,
            study.split,
            study.protocol,
            study.seeds,
            progress,
            store,
            search={"trials": study.trials, "models": searches},
            command=study.command,
            notes=study.notes,
        )
    if said and store.reused:
        said(f"reused from an earlier run: {'; '.join(store.reused)}")
    write_output(ev, output, store.reasons, page)
    if models_folder is not None:  # what recnb export needs beside them
        items = study.split.dataset.items.rename_axis("item_id").reset_index()
        write_parquet(made_folder(models_folder) / "items.parquet", items)
    return ev


def _check_data(name: str, model: Recommender, known: Dataset) -> None:
    """Raise, with the model's name, where the data lack what it needs: no other model is lost to it later."""
    try:
        model.check_data(known)
    except InputError as error:
        said = InputError(f"{name}: {error.problem}", column=error.column, mend=error.mend)
        raise said from None


def _check_language_models(name: str, model: Recommender) -> None:
    """Raise, with the model's name, where a language model is not to be had."""
    if sources(model):  # what a foreign class names may be anywhere; its parts are asked
        for part in model.given() if isinstance(model, Composed) else ():
            _check_language_models(name, part)
        return
    for language in model.reads().language_models:
        try:
            check_at_hand(language)
        except InputError as error:
            raise InputError(f"{name}: {error.problem}", file=error.file, mend=error.mend) from None


def made_folder(path: Path) -> Path:
    """The folder, made where it is not there yet.

    Raises
    ------
    InputError
        A file stands there or above it, or the place cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(f"no right to write in {path}")
    except FileExistsError:
        raise InputError("the output is a file", file=str(path), mend="name a folder") from None
    except OSError as error:
        raise InputError(
            f"the output folder cannot be made ({error.strerror or error})",
            file=str(path),
            mend="name a folder that you may write with --output",
        ) from None
    return path


def write_output(
    ev: Evaluation,
    output: Path,
    reasons: Mapping[str, Mapping[str, str]] | None = None,
    page: bool = True,
) -> None:
    """Write all files beside the old ones, then move them in place; `reasons` are those of the examples."""
    part = output / ".part"
    shutil.rmtree(part, ignore_errors=True)
    ev.save(part)
    if page:
        write_report(ev, part / "report.html", reasons)
    else:  # that of an earlier run would speak of other numbers
        (output / "report.html").unlink(missing_ok=True)
    write_json(
        part / "reasons.json", {model: dict(told) for model, told in (reasons or {}).items()}
    )
    for path in sorted(part.iterdir(), key=lambda p: p.name == "run.json"):
        path.replace(output / path.name)
    part.rmdir()


def _searched(
    study: Study, store: DiskStore, progress: Progress | None, workers: Workers | None
) -> tuple[dict[str, Judgeable], dict[str, Any]]:
    """The models with settings chosen on the validation part, and what was tried."""
    if not study.trials:
        return dict(study.models), {}
    models: dict[str, Judgeable] = {}
    tried: dict[str, Any] = {}
    metric, k = study.protocol.metrics[0], study.protocol.ks[0]
    arguments: dict[str, Any] = {
        "trials": study.trials,
        "metric": metric,
        "k": k,
        "seed": study.seeds[0],
    }
    if workers is not None:
        jobs = {
            name: (model, arguments, store.search_result(name, model, arguments))
            for name, model in study.models.items()
            if isinstance(model, Recommender) and not model.fitted
        }
        store.folder.mkdir(parents=True, exist_ok=True)
        search_ahead(jobs, study.split, study.protocol, _found, workers, progress)
    for done, (name, model) in enumerate(study.models.items()):
        models[name] = model
        if not isinstance(model, Recommender) or model.fitted:
            continue
        if progress:
            progress(f"{name}: choosing settings on the validation part", done, len(study.models))
        kept = store.search_result(name, model, arguments)
        if not kept.is_file():
            best = search(
                model,
                study.split,
                protocol=study.protocol,
                progress=_trials(name, done, len(study.models), progress),
                kept=kept.with_suffix(".sqlite"),
                **arguments,
            )
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_json(kept, _found(model, best))
        for trials in kept.parent.glob(f"{kept.stem}.sqlite*"):
            trials.unlink()
        found = json.loads(kept.read_text(encoding="utf-8"))
        models[name] = clone(model).set_params(**found["settings"])
        tried[name] = found
    return models, tried


def _trials(name: str, done: int, n: int, progress: Progress | None) -> Any:
    """Progress of a search, as a step of the run."""

    def tell(_: str, trial: int, trials: int) -> None:
        if progress:
            progress(f"{name}: {trial} of {trials} trials on the validation part", done, n)

    return tell


def _found(model: Recommender, best: Recommender) -> dict[str, Any]:
    before, after = model.get_params(), best.get_params()
    changed = {
        key: value
        for key, value in after.items()
        if not isinstance(value, (Recommender, list)) and before.get(key) != value
    }
    # A hybrid has its parts searched, each with the same number of trials.
    parts = [best, *(best.given() if isinstance(best, Composed) else [])]
    records = [p.searched for p in parts if getattr(p, "searched", None) is not None]
    n = max((len(record.trials) for record in records), default=0)
    return {
        "settings": changed,
        "trials": n if n > 1 else 0,  # a model without settings has its defaults alone
        "searches": [record.to_dict() for record in records],
    }
