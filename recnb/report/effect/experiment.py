"""The page of `recnb experiment`: is it sound, what differs, what may not get worse, what daily looks would say."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recnb.effect.experiment import ExperimentResult
from recnb.effect.experiment.stopping import USUAL_PLAN
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
    return Page(
        title=f"What did {result.name} show?",
        under=f"{count(int(result.counts.sum()), 'user')} ({named}); the control is {result.arms[0]}.",
        answer=answer(result),
        sentences=[*reading(result), *([_said(row, result) for row in result.rows] if result.sound else [])],
        notes=list(result.notes),
        sections=_sections(result),
        facts=_facts(result),
        command=command or "recnb experiment",
    )  # fmt: skip


def _sections(result: ExperimentResult) -> list[Section]:
    if not result.sound:
        return [_soundness(result), Section("arms", "What was counted", tables=[_counted(result)])]
    judged = [row for row in result.rows if row["kind"] != "guardrail"]
    guarded = [row for row in result.rows if row["kind"] == "guardrail"]
    sections = [
        Section("judged", "What differs?", tables=[_judged(judged, result), _both(judged, result)])
    ]
    if guarded:
        sections.append(
            Section("guardrails", "What may not get worse", [_GUARD], [_guarded(guarded, result)])
        )
    if len(result.daily):
        sections.append(_looks(result))
    sections.append(_soundness(result))
    return sections


_GUARD = (
    "A guardrail holds where the whole interval of its relative change is better than minus the margin. Not shown: the "
    "test is too small to say."
)


def answer(result: ExperimentResult) -> str:
    """The experiment in a line: what is shown, and whether the test may stop."""
    if not result.sound:
        meant = zip(result.arms, result.counts, result.settings["expected"])
        users = ", ".join(f"{arm} {n:,} ({share:.0%} meant)" for arm, n, share in meant)
        why = f"users are missing from an arm: {users}; p {_p(result.mismatch_p)}"
        return f"This experiment cannot be read: {why}."
    first = [row for row in result.rows if row["kind"] == "primary"]
    broken = [row["metric"] for row in result.rows if row["verdict"] == "broken"]
    out = "; ".join(
        f"{row['metric']} is {row['verdict']} in {row['arm']}"
        if row["verdict"] in ("higher", "lower")
        else f"too few users in {row['arm']} or the control"
        if row["verdict"] == "too few users"
        else f"no difference in {row['metric']} is shown for {row['arm']}"
        for row in first
    )
    if not result.goes_on:
        out = f"{out[:1].upper()}{out[1:]}."
    elif result.may_stop:
        out = f"This test may stop: {out}."
    else:
        out = f"This test may not stop yet: {out}."
    return out + (f" A guardrail is broken: {', '.join(broken)}." if broken else "")


def reading(result: ExperimentResult) -> list[str]:
    """How the answer was read, and what speaks against it, in sentences."""
    if not result.sound:
        return []
    users, planned = int(result.counts.sum()), result.settings["planned_users"]
    out = {
        "end": f"The {planned or 0:,} users that were planned are in: the test may stop, and one look judges it.",
        "early": f"{users:,} of {planned or 0:,} planned users are in: the interval that holds at every look judges.",
        "open": "How many users were planned was not said (--planned-users), so the interval that holds at every look "
        "judges.",
        "once": "One look judges. That supposes that the number of users was set beforehand; whoever waits for a "
        "difference names it with --planned-users.",
    }
    told = [out[result.look]]
    if result.suspect:
        told.append(
            f"The users of the arms are suspiciously uneven (p {_p(result.mismatch_p)}): look for the cause first."
        )
    return told


def _p(p: float) -> str:
    return p_value(p) if p < 0.001 else f"= {p_value(p)}"


def interval_name(result: ExperimentResult) -> str:
    """What the interval is called by which verdicts go."""
    level = f"{100 * result.settings['level']:g} %"
    return f"{level}, at every look" if result.goes_on else f"{level} interval"


def relative_ends(row: dict[str, Any], result: ExperimentResult) -> tuple[float, float]:
    """Ends of the relative change, of the interval by which verdicts go."""
    by = "always_" if result.goes_on else ""
    return row.get(f"{by}relative_low", np.nan), row.get(f"{by}relative_high", np.nan)


def _ends(row: dict[str, Any], result: ExperimentResult) -> str:
    low, high = relative_ends(row, result)
    return f"{percent(low)} to {percent(high)}" if np.isfinite(low + high) else "not defined"


def _said(row: dict[str, Any], result: ExperimentResult) -> str:
    change = percent(row["relative"]) if np.isfinite(row["relative"]) else "not defined"
    if row["kind"] == "guardrail":
        return f"Guardrail {row['metric']} in {row['arm']}: {row['verdict']} ({change}, {_ends(row, result)})."
    least = row["smallest_lift"]
    power = (
        f" A test of this size finds changes of {percent(least)[1:]} in 8 of 10 cases."
        if least and not result.goes_on
        else ""
    )
    told = f"{change}, {_ends(row, result)}; Holm {p_value(row['p_holm'])}"
    return f"{row['metric']} in {row['arm']}: {row['verdict']} ({told}).{power}"


def _counted(result: ExperimentResult) -> Table:
    cells: list[list[Any]] = [
        [
            f"{row['metric']}, {row['arm']}",
            data(row["control"], fixed(row["control"], _digits(row))),
            data(row["treatment"], fixed(row["treatment"], _digits(row))),
        ]
        for row in result.rows
    ]
    return Table(
        "Values of those who were counted; as users are missing, nothing follows from comparing them.",
        ["Metric, arm", "Control", "Arm"],
        cells,
    )


def _judged(rows: list[dict[str, Any]], result: ExperimentResult) -> Table:
    by = "always_" if result.goes_on else ""
    cells: list[list[Any]] = []
    for row in rows:
        n = _digits(row)
        cells.append(
            [
                f"{row['metric']}, {row['arm']}",
                data(row["control"], fixed(row["control"], n)),
                data(row["treatment"], fixed(row["treatment"], n)),
                data(row["difference"], signed(row["difference"], n)),
                _interval(row, by, n),
                percent(row["relative"]) if np.isfinite(row["relative"]) else "not defined",
                p_value(row["p_holm"]),
                row["verdict"],
            ]
        )
    heads = ["Metric, arm", "Control", "Arm", "Difference", interval_name(result), "Relative"]
    return Table(
        "Arms against the control; a value a user.", [*heads, "p (Holm)", "Verdict"], cells
    )


def _interval(row: dict[str, Any], by: str, n: int) -> str:
    if f"{by}low" not in row:
        return "not defined"
    return f"{signed(row[f'{by}low'], n)} to {signed(row[f'{by}high'], n)}"


def _both(rows: list[dict[str, Any]], result: ExperimentResult) -> Table:
    cells: list[list[Any]] = []
    for row in rows:
        n = _digits(row)
        method = row["method"]
        if method == "CUPED":
            method = f"CUPED, variance −{fixed(100 * row['reduction'], 0)} %"
        cells.append(
            [
                f"{row['metric']}, {row['arm']}",
                _interval(row, "", n),
                p_value(row["p"]),
                _interval(row, "always_", n),
                p_value(row.get("always_p", np.nan)),
                method,
            ]
        )
    return Table(
        f"The difference by both intervals, {100 * result.settings['level']:g} %; p before Holm.",
        ["Metric, arm", "Of one look", "p", "At every look", "p", "How"],
        cells,
    )


def _digits(row: dict[str, Any]) -> int:
    size = max(abs(row["control"]), abs(row["treatment"]))
    return int(np.clip(3 - np.floor(np.log10(size)), 1, 6)) if size else 4


def _guarded(rows: list[dict[str, Any]], result: ExperimentResult) -> Table:
    cells: list[list[Any]] = [
        [
            f"{row['metric']}, {row['arm']}",
            percent(row["relative"]),
            _ends(row, result),
            row["verdict"],
        ]
        for row in rows
    ]
    return Table(
        "Relative change against the control.",
        ["Guardrail, arm", "Change", interval_name(result), "Verdict"],
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
    told = f"Users per arm under the shares that were meant: p {_p(result.mismatch_p)}"
    if not result.sound:
        finding = (
            "error",
            f"{told}. Users went missing by arm; what is left differs for that reason too. Find the cause (redirects, "
            "bots, logging after the treatment acts) before reading any metric.",
        )
    elif result.suspect:
        finding = (
            "warning",
            f"{told}. Suspicious: chance makes arms as uneven in fewer than 1 of 20 tests. It is read (the limit is "
            "0.001), but look for users who went missing by arm first.",
        )
    else:
        finding = ("note", f"{told}. Nothing speaks against the shares that were meant.")
    return Section("sound", "Is the experiment sound?", findings=[finding])


def _facts(result: ExperimentResult) -> list[tuple[str, str]]:
    s = result.settings
    guarded = [f"{g['metric']} ({g['better']}, {g['margin']:.1%})" for g in s["guardrails"]]
    planned = (
        f"{s['planned_users']:,}" if s["planned_users"] else f"not given; {USUAL_PLAN:,} taken"
    )
    return [
        ("judged", ", ".join(s["metrics"])),
        ("ratios", ", ".join(f"{k} = {a} / {b}" for k, (a, b) in s["ratios"].items()) or "none"),
        ("guardrails", ", ".join(guarded) or "none"),
        ("shares that were meant", ", ".join(f"{a} {x:.0%}" for a, x in zip(result.arms, s["expected"]))),
        ("interval", f"{s['level']:.0%}, {'at every look' if result.goes_on else 'of one look'}, users as units; "
                     "ratios by the delta method"),
        ("p (Holm)", "over all judged metrics and arms"),
        ("users that were planned", planned),
    ]  # fmt: skip
