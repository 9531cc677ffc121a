"""How it was made: settings, versions, the way to repeat it, and what the measures mean."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from recnb.errors import InputError
from recnb.evaluation import Evaluation
from recnb.evaluation.judge import plain_settings
from recnb.metrics import METRICS
from recnb.models.registry import make
from recnb.plots.words import metric_name
from recnb.report.numbers import amount
from recnb.report.rows import readers
from recnb.report.tables import Table


def definitions(ev: Evaluation) -> Table:
    """What every measure of the report means, from its own documentation."""
    used = list(dict.fromkeys(key[0] for key in ev.keys))
    rows = [[metric_name(m), m, definition(m)] for m in used]
    return Table(
        "The measures. Every one is computed per user, then averaged over users.",
        ["Measure", "Name in recnb", "Definition"],
        [list(row) for row in rows],
        text=True,
    )


def definition(metric: str) -> str:
    """The paragraphs of a measure's docstring that come before its sections, as plain text.

    Examples
    --------
    >>> definition("precision")
    'Share of the first k places that are relevant: hits / k, also for shorter lists.'
    """
    doc = inspect.getdoc(METRICS[metric].function) if metric in METRICS else None
    if not doc:
        return "A measure of one's own."
    body = re.split(r"\n\s*\n?[A-Z][A-Za-z ]+\n-{3,}", doc)[0]
    body = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"\1", body)
    return " ".join(body.replace("`", "").split())


def settings_table(ev: Evaluation) -> Table:
    """The exact settings of every model and seed; models whose seeds share them stand in one row."""
    held: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for record in ev.records:
        held.setdefault(record.model, []).append((record.seed, record.settings))
    searched = (ev.settings.get("search") or {}).get("models", {}) if _is_map(ev) else {}
    rows = []
    for model, found in held.items():
        common = {k: v for k, v in found[0][1].items() if k != "seed"}
        said = ", ".join(f"{k} = {show(v)}" for k, v in common.items()) or "none"
        seeds = ", ".join(str(seed) for seed, _ in found)
        rows.append([model, said, seeds, "searched" if model in searched else "as given"])
    return Table(
        "Settings of every model, as it was judged.",
        ["Model", "Settings", "Seeds", "Chosen"],
        [list(row) for row in rows],
        text=True,
    )


def _is_map(ev: Evaluation) -> bool:
    return isinstance(ev.settings.get("search"), Mapping)


def tuned(ev: Evaluation) -> str:
    """How many search trials every model got."""
    search = ev.settings.get("search")
    trials = search.get("trials", 0) if isinstance(search, Mapping) else search
    if not trials:
        return "untuned: 0 trials, every model with the settings it was given"
    return f"tuned: {trials} trials for every model with settings to choose, on the validation part"


def facts(ev: Evaluation) -> list[tuple[str, str]]:
    """Protocol, data, split and versions as pairs of a name and a value."""
    ds, split = ev.settings.get("dataset", {}), ev.settings.get("split", {})
    protocol = ev.settings.get("protocol", {})
    out: list[tuple[str, Any]] = [
        ("Data set", ds.get("name")),
        ("Digest of the data", ds.get("digest")),
        ("Users, items, interactions", _join(ds, ("users", "items", "interactions"))),
        ("Feedback", ds.get("feedback")),
        ("Rating scale", " to ".join(f"{v:g}" for v in ds["scale"]) if ds.get("scale") else None),
        (
            "Relevant",
            f"rating of at least {ds['relevant_from']:g}"
            if ds.get("relevant_from") is not None
            else "every pair of the test part",
        ),
        ("Split", split.get("name")),
        ("Settings of the split", _pairs(split.get("settings") or {}) or "none"),
        ("Digest of the split", split.get("digest")),
        (
            "Interactions in train, valid, test",
            _join(split.get("interactions") or {}, ("train", "valid", "test")),
        ),
        ("Judged", _judged(split) if protocol.get("next_event") else None),
        ("Protocol", _pairs(protocol)),
        ("Search", tuned(ev)),
        ("Versions", _pairs(ev.settings.get("versions") or {}, " ")),
    ]
    return [(name, str(value)) for name, value in out if value not in (None, "")]


def _judged(split: Mapping[str, Any]) -> str:
    """What is judged where every test event is the next one."""
    events, users = split.get("judged_events", 0), split.get("judged_users", 0)
    return (
        f"{events:,} test events of {users:,} users, each with everything before it; a user's value is the mean over "
        "the own events; nothing is fitted again between them"
    )


def _join(held: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return ", ".join(f"{held[n]:,}" for n in names) if all(n in held for n in names) else None


def _pairs(held: Mapping[str, Any], sign: str = " = ") -> str:
    return ", ".join(f"{k}{sign}{show(v)}" for k, v in held.items() if v is not None)


def show(value: Any) -> str:
    """A setting as it is written; a nested model by its class and settings.

    Examples
    --------
    >>> show(0.5), show(None), show([5, 10]), show({"class": "EASE", "l2": 5})
    ('0.5', 'not set', '5 and 10', 'EASE(l2 = 5)')
    """
    if value is None:
        return "not set"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{k} = {show(v)}" for k, v in value.items() if k != "class")
        return f"{value.get('class', '')}({inner})"
    if isinstance(value, (list, tuple)):
        return " and ".join(map(show, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def language_models(ev: Evaluation) -> list[str]:
    """Every model that reads text with a language model: which one, and how large, where that is known."""
    out = []
    for model in readers(ev):
        named = (f"{m.name} ({_size(m.parameters)})" for m in ev.reads[model].language_models)
        out.append(f"{model} reads with {' and '.join(named)}")
    return out


def _size(parameters: int | None) -> str:
    return f"{amount(parameters)} parameters" if parameters else "size not recorded"


def repeat(ev: Evaluation) -> tuple[str, str]:
    """How to repeat the run: the command where one is known, else a program; and a sentence about it.

    The program needs models with names of the registry, and a split that a name makes; where that does
    not hold, what is missing is said in it.
    """
    if ev.settings.get("command"):
        return str(ev.settings["command"]), "The command that made this report:"
    ds, split = ev.settings.get("dataset", {}), ev.settings.get("split", {})
    lines = [
        "from recnb import evaluate, load",
        "from recnb.data import splits",
        "from recnb.evaluation import Protocol",
        "from recnb.models import make",
        "",
        f"ds = load({ds.get('name')!r})",
        f"assert ds.digest == {ds.get('digest')!r}",
    ]
    name = str(split.get("name"))
    given = "".join(f", {k}={v!r}" for k, v in (split.get("settings") or {}).items())
    if name == "predefined":
        lines.append(
            "split = splits.predefined(ds, parts)  # parts: split.parquet of the output folder"
        )
    elif name == "k_fold":
        lines.append("split = splits.k_fold(ds, ...)  # see the settings of the split above")
    else:
        lines.append(f"split = splits.{name}(ds{given})")
    lines += [f"assert split.digest == {split.get('digest')!r}", "models = {"]
    lines += [f"    {model!r}: {_made(ev, model)}" for model in ev.models]
    protocol = dict(ev.settings.get("protocol", {}))
    protocol = {k: tuple(v) if isinstance(v, list) else v for k, v in protocol.items()}
    arguments = ", ".join(f"{k}={v!r}" for k, v in protocol.items() if v is not None)
    seeds = tuple(sorted({s for m in ev.models for s in ev.seeds(m)}))
    lines += ["}", f"ev = evaluate(models, split, Protocol({arguments}), seeds={seeds!r})"]
    return "\n".join(lines), "A program that repeats it:"


def _made(ev: Evaluation, model: str) -> str:
    """The call that makes a model with its settings; only those that are not the defaults are written."""
    record = next(r for r in ev.records if r.model == model)
    try:
        fresh = make(model)
    except InputError:
        fresh = None
    if fresh is None or type(fresh).__name__ != record.kind:
        return "...,  # given by the caller; its settings stand above"
    usual = plain_settings(fresh)
    settings = {k: v for k, v in record.settings.items() if k not in ("seed", "method")}
    settings = {k: v for k, v in settings.items() if k not in usual or usual[k] != v}
    if any(isinstance(v, (Mapping, list)) for v in settings.values()):
        return "...,  # made with objects; its settings stand above"
    return f"make({model!r}{''.join(f', {k}={v!r}' for k, v in settings.items())}),"
