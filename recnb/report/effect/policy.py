"""The page of `recnb policy`: what each policy would have earned, and whether the log can say so."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb.effect.policy import LOGGED, PolicyEstimates, Record
from recnb.plots.canvas import rows_height
from recnb.plots.effect import plot_estimates
from recnb.plots.words import p_value
from recnb.report.effect.page import Page, Section, write_page
from recnb.report.figures import figure
from recnb.report.numbers import count, data, fixed, percent, signed
from recnb.report.tables import Table

_ANSWERS = {"yes": "yes", "if": "on a condition", "no": "no"}
NAMES = {
    "mean": "mean of the log",
    "dm": "direct method",
    "ips": "inverse propensity",
    "clipped": "clipped inverse propensity",
    "snips": "self-normalised",
    "dr": "doubly robust",
    "switch_dr": "switch doubly robust",
    "reward_interaction": "slate, reward interaction",
    "cascade_dr": "slate, cascade doubly robust",
}


def write_policies(result: PolicyEstimates, path: str | Path, command: str = "") -> Path:
    """Write the estimates as one self-contained HTML file."""
    return write_page(page(result, command), path)


def page(result: PolicyEstimates, command: str) -> Page:
    """What the page shows."""
    log = result.log
    return Page(
        title=f"What would these policies have earned on {log['name']}?",
        under=f"{count(log['rows'], 'row')}, {log['units']:,} {log['unit']}, {count(log['items'], 'item')}; "
        f"propensities {log['propensities']}.",
        answer=result.answer,
        sentences=[_said(result, policy, o) for o in result.outcomes for policy in result.policies],
        notes=log["notes"],
        sections=[
            _values(result),
            _against(result),
            _trust(result),
        ],
        facts=_facts(result),
        command=command or "recnb policy",
    )


def digits(result: PolicyEstimates, outcome: str) -> int:
    """Decimals that show a hundredth of the log's own mean."""
    mean = abs(result.value(LOGGED, outcome).value)
    return int(np.clip(2 - np.floor(np.log10(mean)), 2, 6)) if mean else 4


def _said(result: PolicyEstimates, policy: str, outcome: str) -> str:
    d = result.diagnostics[policy, outcome]
    if d["answers"] == "no":
        reasons = "; ".join(d["reasons"])
        return f"{policy}, {outcome}: the log cannot say ({reasons})."
    r, base = result.value(policy, outcome), result.value(LOGGED, outcome)
    n = digits(result, outcome)
    rows = result.compare()
    row = rows[(rows["policy"] == policy) & (rows["outcome"] == outcome)].iloc[0]
    shown = "more" if row["low"] > 0 else "less" if row["high"] < 0 else None
    told = f"that is {shown} than the log's" if shown else "no difference is shown from the log's"
    condition = "" if d["condition"] is None else f"If {d['condition']}: "
    return (
        f"{condition}{policy} would have earned {fixed(r.value, n)} {outcome} an item shown ({fixed(r.low, n)} to "
        f"{fixed(r.high, n)}); {told} {fixed(base.value, n)}."
    )


def _values(result: PolicyEstimates) -> Section:
    tables, figures = [], []
    for at, outcome in enumerate(result.outcomes):
        n = digits(result, outcome)
        rows = [r for r in result.in_order() if r.outcome == outcome]
        cells = [
            [
                r.policy,
                NAMES.get(r.estimator, r.estimator),
                data(r.value, fixed(r.value, n)),
                f"{fixed(r.low, n)} to {fixed(r.high, n)}",
                result.standing(r),
                f"{r.n_rows:,}",
                f"{r.n_units:,}",
            ]
            for r in rows
        ]
        heads = [
            "Policy",
            "Estimate",
            outcome,
            "95 % interval",
            "To be read",
            "Rows",
            result.log["unit"].capitalize(),
        ]
        tables.append(
            Table(f"{outcome} per item shown, by every estimator.", list(heads), list(cells))
        )
        drawn = pd.DataFrame(
            {
                "name": [f"{r.policy}, {r.estimator}" for r in rows],
                "value": [r.value for r in rows],
                "low": [r.low for r in rows],
                "high": [r.high for r in rows],
                "strong": [
                    result.objection(r) is None and r.estimator in ("mean", result.headline)
                    for r in rows
                ],
            }
        )
        base = result.value(LOGGED, outcome).value
        span = _span(result, rows)
        cut = bool((drawn["low"] < span[0]).any() or (drawn["high"] > span[1]).any())
        figures.append(
            figure(
                f"values-{at}",
                partial(
                    plot_estimates,
                    drawn,
                    reference=base,
                    label=f"{outcome} per item shown",
                    span=span,
                ),
                f"Estimates of {outcome} with 95 % intervals; dashed: what the log itself earned. Filled: the mean of "
                "the log and the estimates that answer; hollow: beside them, or refused."
                + _CUT * cut
                + " Where they disagree, look at the weights below before believing any.",
                rows_height(len(rows)),
            )
        )
    return Section("values", "What would each have earned?", tables=tables, figures=figures)


_CUT = " The axis ends with the estimates that can be read: an arrow says that a line goes on."


def _span(result: PolicyEstimates, rows: list[Record]) -> tuple[float, float]:
    """From the least to the largest end of what can be read, and some room."""
    read = [r for r in rows if result.objection(r) is None]
    ends = [end for r in read for end in (r.value, r.low, r.high) if np.isfinite(end)]
    room = 0.05 * (max(ends) - min(ends)) or 1.0
    return min(ends) - room, max(ends) + room


def _against(result: PolicyEstimates) -> Section:
    rows = result.compare()
    cells: list[list[Any]] = []
    for row in rows.to_dict("records"):
        n = digits(result, row["outcome"])
        base = result.value(LOGGED, row["outcome"]).value
        change = percent(row["difference"] / base) if base else "not defined"
        cells.append(
            [
                str(row["policy"]),
                str(row["outcome"]),
                data(row["difference"], signed(row["difference"], n)),
                change,
                f"{signed(row['low'], n)} to {signed(row['high'], n)}",
                p_value(row["p"]),
                p_value(row["p_holm"]),
                _ANSWERS[result.diagnostics[str(row["policy"]), str(row["outcome"])]["answers"]],
            ]
        )
    table = Table(
        f"Each policy less the log, {NAMES.get(result.headline, result.headline)}, the same resamples for both.",
        [
            "Policy",
            "Outcome",
            "Difference",
            "Relative",
            "95 % interval",
            "p",
            "p (Holm)",
            "Can the log say?",
        ],
        cells,
    )
    return Section("against", "Is it more than the log earned?", tables=[table])


def _trust(result: PolicyEstimates) -> Section:
    cells: list[list[Any]] = []
    findings = []
    for (policy, outcome), d in result.diagnostics.items():
        skill = d.get("reward_skill")
        cells.append(
            [
                f"{policy}, {outcome}",
                f"{d['effective_rows']:,.0f} ({fixed(100 * d['effective_share'], 1)} %)",
                f"{d['largest_weight']:,.1f} ({fixed(100 * d['largest_share'], 1)} %)",
                fixed(d["skewness"], 2),
                f"{fixed(d['mean_weight'], 3)} ± {fixed(d['mean_weight_error'], 3)}",
                f"{fixed(100 * d['unseen_mass'], 1)} %",
                f"{d['events']:,}",
                "none" if skill is None else f"{fixed(100 * skill, 1)} %",
            ]
        )
        severity = "note" if d["answers"] == "yes" else "warning"
        findings.append((severity, f"{policy}, {outcome}: {d['verdict']}"))
        if d["answers"] != "no":
            findings += [
                ("warning", f"{policy}, {outcome}, {NAMES.get(r.estimator, r.estimator)}: {why}.")
                for r in result.records
                if (r.policy, r.outcome) == (policy, outcome) and (why := result.objection(r))
            ]
    table = Table(
        "What the weights say. The mean weight is 1 where propensities are right and the log could show all that the "
        "policy shows.",
        [
            "Question",
            "Effective rows",
            "Largest weight (of all)",
            "Skewness",
            "Mean weight",
            "Never shown",
            "Rows with an outcome",
            "Explained by the reward model",
        ],
        cells,
    )
    said = [
        "A weight is the policy's chance of showing the row's item over the chance it had. Few effective rows, one row "
        "with much of the weight, showings that the log never made or weights whose mean is not 1 speak against the "
        "estimate, whatever its interval says."
    ]
    return Section("trust", "Can these logs answer?", said, [table], findings=findings)


def _facts(result: PolicyEstimates) -> list[tuple[str, str]]:
    s, log = result.settings, result.log
    bounds = ["the root of the rows" if s[k] is None else f"{s[k]:g}" for k in ("clip", "switch")]
    drawn = f"{s['interval']} bootstrap over {log['unit']}, {s['draws']:,} draws, seed {s['seed']}"
    return [
        ("log", f"{log['name']}, digest {log['digest']}"),
        ("estimators", ", ".join(NAMES.get(e, e) for e in s["estimators"])),
        ("interval", f"{s['level']:.0%}, {drawn}"),
        ("reward model", f"fitted on {s['folds']} folds of {log['unit']}, never on the rows that it judges"),
        ("clipped and switched at", " and ".join(bounds)),
    ]  # fmt: skip
