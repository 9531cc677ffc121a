"""The page of `recnb experiment`: is it sound, what differs, what may not get worse, what daily looks would say."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recnb.effect.experiment import ExperimentResult
from recnb.plots.effect import plot_looks
from recnb.plots.words import p_value
from recnb.report.effect.page import Page, Section, write_page
from recnb.report.figures import figure
from recnb.report.numbers import count, data, fixed, percent, signed
from recnb.report.tables import Table


def write_experiment(result: ExperimentResult, path: str | Path, command: str = "") -> Path:
    """Write an experiment as one self-contained HTML file."""
    return write_page(page(result, command), path)


def page(result: ExperimentResult, command: str) -> Page:
    """What the page shows."""
    named = ", ".join(f"{a}: {n:,}" for a, n in zip(result.arms, result.counts))
    judged = [row for row in result.rows if row["kind"] != "guardrail"]
    guarded = [row for row in result.rows if row["kind"] == "guardrail"]
    sections = [Section("judged", "What differs?", tables=[_judged(judged)])]
    if guarded:
        sections.append(
            Section("guardrails", "What may not get worse", [_GUARD], [_guarded(guarded)])
        )
    if len(result.daily):
        sections.append(_looks(result))
    sections.append(_soundness(result))
    return Page(
        title=f"What did {result.name} show?",
        under=f"{count(int(result.counts.sum()), 'user')} ({named}); the control is {result.arms[0]}.",
        answer=answer(result),
        sentences=[] if not result.sound else [_said(row) for row in result.rows],
        notes=list(result.notes),
        sections=sections,
        facts=_facts(result),
        command=command or "recnb experiment",
    )


_GUARD = (
    "A guardrail holds where the whole interval of its relative change is better than minus the margin. Not shown: the "
    "test is too small to say."
)


def answer(result: ExperimentResult) -> str:
    """The experiment in a line."""
    if not result.sound:
        return "This experiment cannot be read: users are missing from an arm."
    first = [row for row in result.rows if row["kind"] == "primary"]
    broken = [row["metric"] for row in result.rows if row["verdict"] == "broken"]
    out = "; ".join(
        f"{row['metric']} is {row['verdict']} in {row['arm']}"
        if row["verdict"] in ("higher", "lower")
        else f"no difference in {row['metric']} is shown for {row['arm']}"
        for row in first
    )
    out = out[:1].upper() + out[1:] + "."
    return out + (f" A guardrail is broken: {', '.join(broken)}." if broken else "")


def _said(row: dict[str, Any]) -> str:
    ends = f"{percent(row['relative_low'])} to {percent(row['relative_high'])}"
    change = percent(row["relative"]) if np.isfinite(row["relative"]) else "not defined"
    if row["kind"] == "guardrail":
        return f"Guardrail {row['metric']} in {row['arm']}: {row['verdict']} ({change}, {ends})."
    least = row["smallest_lift"]
    power = (
        f" A test of this size finds changes of {percent(least)[1:]} in 8 of 10 cases."
        if least
        else ""
    )
    told = f"{change}, {ends}; Holm {p_value(row['p_holm'])}"
    return f"{row['metric']} in {row['arm']}: {row['verdict']} ({told}).{power}"


def _judged(rows: list[dict[str, Any]]) -> Table:
    cells: list[list[Any]] = []
    for row in rows:
        n = _digits(row)
        method = row["method"]
        if method == "CUPED":
            method = f"CUPED, variance −{fixed(100 * row['reduction'], 0)} %"
        always = "not defined"
        if "always_low" in row:
            always = f"{signed(row['always_low'], n)} to {signed(row['always_high'], n)}"
        cells.append(
            [
                f"{row['metric']}, {row['arm']}",
                data(row["control"], fixed(row["control"], n)),
                data(row["treatment"], fixed(row["treatment"], n)),
                data(row["difference"], signed(row["difference"], n)),
                f"{signed(row['low'], n)} to {signed(row['high'], n)}",
                percent(row["relative"]) if np.isfinite(row["relative"]) else "not defined",
                p_value(row["p"]),
                p_value(row["p_holm"]),
                always,
                method,
            ]
        )
    heads = [
        "Metric, arm",
        "Control",
        "Arm",
        "Difference",
        "95 % interval",
        "Relative",
        "p",
        "p (Holm)",
    ]
    return Table(
        "Arms against the control; a value a user. The last interval holds at every look.",
        [*heads, "Always valid", "How"],
        cells,
    )


def _digits(row: dict[str, Any]) -> int:
    size = max(abs(row["control"]), abs(row["treatment"]))
    return int(np.clip(3 - np.floor(np.log10(size)), 1, 6)) if size else 4


def _guarded(rows: list[dict[str, Any]]) -> Table:
    cells: list[list[Any]] = [
        [
            f"{row['metric']}, {row['arm']}",
            percent(row["relative"]),
            f"{percent(row['relative_low'])} to {percent(row['relative_high'])}",
            row["verdict"],
        ]
        for row in rows
    ]
    return Table(
        "Relative change against the control.",
        ["Guardrail, arm", "Change", "95 % interval", "Verdict"],
        cells,
    )


def _looks(result: ExperimentResult) -> Section:
    figures = []
    for at, row in enumerate(r for r in result.rows if r["kind"] == "primary"):
        looks = result.daily
        looks = looks[(looks["metric"] == row["metric"]) & (looks["arm"] == row["arm"])]
        if len(looks):
            figures.append(
                figure(
                    f"looks-{at}",
                    partial(
                        plot_looks,
                        looks,
                        label=f"{row['metric']}, {row['arm']} less {result.arms[0]}",
                    ),
                    f"{row['metric']} day by day. Whoever looks daily and stops when zero lies outside the narrow "
                    "band errs far more often than 5 %; outside the wide band, at most in 5 %.",
                )
            )
    said = [
        "The wide band may be read on any day. It supposes that a user's outcome is complete when the user is "
        "counted; where outcomes go on growing, what is estimated changes by the day."
    ]
    return Section("looks", "What daily looks would have said", said, figures=figures)


def _soundness(result: ExperimentResult) -> Section:
    told = f"Users per arm under the shares that were meant: p = {result.mismatch_p:.2g}"
    if result.sound:
        finding = ("note", f"{told}. The arms have as many users as was meant.")
    else:
        finding = (
            "error",
            f"{told}. Users went missing by arm; what is left differs for that reason too. Find the cause (redirects, "
            "bots, logging after the treatment acts) before reading any metric.",
        )
    return Section("sound", "Is the experiment sound?", findings=[finding])


def _facts(result: ExperimentResult) -> list[tuple[str, str]]:
    s = result.settings
    guarded = [f"{g['metric']} ({g['better']}, {g['margin']:.1%})" for g in s["guardrails"]]
    planned = f"{s['planned_users']:,}" if s["planned_users"] else "not given"
    return [
        ("judged", ", ".join(s["metrics"])),
        ("ratios", ", ".join(f"{k} = {a} / {b}" for k, (a, b) in s["ratios"].items()) or "none"),
        ("guardrails", ", ".join(guarded) or "none"),
        ("shares that were meant", ", ".join(f"{a} {x:.0%}" for a, x in zip(result.arms, s["expected"]))),
        ("interval", f"{s['level']:.0%}, normal, users as units; ratios by the delta method"),
        ("p (Holm)", "over all judged metrics and arms"),
        ("users that were planned", planned),
    ]  # fmt: skip
