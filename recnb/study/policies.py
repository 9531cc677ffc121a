"""Policies judged from a log, in steps that survive a kill: a policy that was estimated once is not estimated again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

import recnb
from recnb.data.door import read_table
from recnb.effect.logs import Log
from recnb.effect.policy import (
    ItemRewards,
    Policy,
    PolicyEstimates,
    Record,
    ScorePolicy,
    ScoreRewards,
    Settings,
    UniformPolicy,
    estimate,
    estimate_propensities,
    list_policy,
    model_policy,
    table_policy,
)
from recnb.errors import InputError
from recnb.files import whole_folder, write_json
from recnb.progress import Progress
from recnb.recommender import load_model, read_lists
from recnb.report.effect import write_policies
from recnb.study.beside import known_pairs, repeats_beside
from recnb.study.run import made_folder
from recnb.versions import versions

_WORK = ".finished"
_FORM = 2  # of a kept estimate
REWARDS = ("items", "scores")


def read_policy(
    source: str, log: Log, kind: str = "softmax", repeats: str | None = None, **settings: float
) -> Policy:
    """A policy from what the command line names.

    Parameters
    ----------
    source : str
        "uniform"; a folder of a saved model; a table with `probability`; or lists with `rank` or `score`.
    log : Log
    repeats : {"exclude", "include"}, optional
        Whether a saved model shows what a user had had, by the evaluation that stands beside it. None: as there; where
        there is none, it does.
    kind, **settings
        Of a model's policy, as in :class:`recnb.effect.policy.ScorePolicy`; `epsilon` also of lists.

    Raises
    ------
    InputError
        There is no such folder or file, or it is none of these; or known items are to be left out and no evaluation
        says which they are.
    """
    if repeats not in (None, "exclude", "include"):
        raise InputError(f"--repeats {repeats}", mend="exclude or include")
    if source == "uniform":
        return UniformPolicy(len(log.item_ids))
    path = Path(source)
    if path.is_dir():
        model, had = load_model(path), None
        if (repeats or repeats_beside(path) or "include") == "exclude":
            had = known_pairs(path, model)
            if had is None:
                raise InputError(
                    "no evaluation stands beside the model, so nobody knows what its users have had",
                    file=source,
                    mend="name a model that recnb evaluate --save-models kept, or --repeats include",
                )
        return model_policy(model, log, kind, had, **settings)
    if not path.is_file():
        raise InputError(
            "no such folder or file",
            file=source,
            mend="name a saved model, lists, or a table of chances",
        )
    frame = read_table(path)
    if "probability" in frame:
        return table_policy(frame, log, source)
    chance = settings.get("epsilon", 0.0) if kind == "epsilon" else 0.0
    return list_policy(read_lists(path), log, chance)


def run_policies(
    log: Log,
    policies: Mapping[str, Policy],
    output: Path,
    outcomes: tuple[str, ...] | None = None,
    rewards: str = "items",
    settings: Settings | None = None,
    identities: Mapping[str, str] | None = None,
    command: str = "",
    fresh: bool = False,
    progress: Progress | None = None,
    report: Callable[[str], None] | None = None,
) -> PolicyEstimates:
    """Estimate every policy, keep each when it is done, and write `estimates.json`, `run.json`, `report.html`.

    Parameters
    ----------
    log : Log
    policies : mapping of name to Policy
    output : Path
    outcomes, settings
        As in :func:`recnb.effect.policy.estimate`.
    rewards : {"items", "scores"}
        The reward model: the level of each item, or that and the scores of the policies made from models.
    identities : mapping of name to str, optional
        What a policy was made from; a finished estimate counts only for the same. None: nothing is kept.
    command : str
    fresh : bool
        Forget finished work.
    progress, report
        Called with what is being done, and with what was found finished.
    """
    folder = made_folder(output)
    if fresh:
        shutil.rmtree(folder / _WORK, ignore_errors=True)
    settings = settings or Settings()
    if log.propensity is None:
        log = estimate_propensities(log)
    model = _rewards(rewards, policies)
    parts = []
    for at, (name, policy) in enumerate(policies.items()):
        if progress is not None:
            progress(name, at, len(policies))
        kept = None
        if identities is not None:
            key: list[Any] = [
                recnb.__version__,
                _FORM,
                log.digest,
                name,
                identities[name],
                outcomes,
                rewards,
                settings.to_dict(),
            ]
            if rewards == "scores":
                key.append(sorted(identities.values()))
            kept = (
                folder / _WORK / sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:20]
            )
        found = _read(kept) if kept is not None else None
        if found is None:
            found = estimate(log, {name: policy}, outcomes, model, settings)
            if kept is not None:
                _write(found, kept)
        elif report is not None:
            report(f"{name}: estimated before")
        parts.append(found)
    result = PolicyEstimates.joined(parts)
    write_json(folder / "estimates.json", result.to_dict())
    write_json(
        folder / "run.json",
        {
            "command": command,
            "settings": settings.to_dict(),
            "log": result.log,
            "versions": versions(),
        },
    )
    write_policies(result, folder / "report.html", command)
    return result  # fmt: skip


def _rewards(kind: str, policies: Mapping[str, Policy]) -> ItemRewards | ScoreRewards:
    if kind not in REWARDS:
        raise InputError(f"--rewards {kind}", mend=f"one of {', '.join(REWARDS)}")
    if kind == "items":
        return ItemRewards()
    scores = [p.score for p in policies.values() if isinstance(p, ScorePolicy)]
    if not scores:
        raise InputError("--rewards scores without a model", mend="name a saved model as a policy")
    return ScoreRewards(scores)


def _write(result: PolicyEstimates, folder: Path) -> None:
    with whole_folder(folder, ours="estimates.json") as part:
        names = list(result.drawn)
        np.savez(part / "drawn.npz", **{f"d{at}": result.drawn[k] for at, k in enumerate(names)})  # type: ignore[arg-type]
        write_json(part / "estimates.json", {**result.to_dict(), "drawn": [list(k) for k in names]})


def _read(folder: Path) -> PolicyEstimates | None:
    if not (folder / "estimates.json").is_file():
        return None
    head: dict[str, Any] = json.loads((folder / "estimates.json").read_text(encoding="utf-8"))
    with np.load(folder / "drawn.npz", allow_pickle=False) as arrays:
        drawn = {(a, b, c): arrays[f"d{at}"] for at, (a, b, c) in enumerate(head["drawn"])}
    diagnostics = {}
    for d in head["diagnostics"]:
        diagnostics[d.pop("policy"), d.pop("outcome")] = d
    names = [f.name for f in fields(Record)]
    records = tuple(Record(**{name: r[name] for name in names}) for r in head["records"])
    return PolicyEstimates(records, diagnostics, drawn, head["log"], head["settings"])
