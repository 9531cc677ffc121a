"""Checks of the comparison: who is missing, and who got how much effort."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from recnb.evaluation.findings import Finding
from recnb.evaluation.judge import Judged

MANY = 4


def audit_models(
    judged: Sequence[Judged], search: Mapping[str, Any] | None = None
) -> list[Finding]:
    """Findings about the set of models; effort is asked after where searches are known."""
    return [*missing_baseline(judged), *effort(judged, search), *selection_on_test(judged)]


def missing_baseline(judged: Sequence[Judged]) -> list[Finding]:
    """Random, popularity, or a classical model that learns is not in the table; by what each model reads."""
    reads = [one.reads for one in judged]
    plain = [r for r in reads if r.known and not r.learns]
    wanted = {
        "random": any(r.ids == "none" for r in plain),
        "popularity": any(r.ids == "counts" for r in plain),
        "classical model that learns (ease, itemknn, als, ...)": any(
            r.learns and not r.language for r in reads
        ),
    }
    lacking = [name for name, there in wanted.items() if not there]
    if not lacking:
        return []
    return [
        Finding(
            "missing_baseline",
            "warning",
            float(len(lacking)),
            len(lacking),
            f"the table has no {', no '.join(lacking)}",
            "judge them on the same split: a gain over a weak table is no gain",
        )
    ]


def effort(judged: Sequence[Judged], search: Mapping[str, Any] | None) -> list[Finding]:
    """No search at all, or more for some than for others."""
    if not search:
        return []
    if not search.get("trials"):
        return [
            Finding(
                "untuned",
                "warning",
                0.0,
                len({one.model for one in judged}),
                "every model runs with its default settings (0 search trials)",
                "repeat with --trials 20 before calling one model better than another",
            )
        ]
    counts = {
        name: int(found.get("trials", search["trials"]))
        for name, found in search.get("models", {}).items()
    }
    searched = {n: c for n, c in counts.items() if c}
    if len(set(searched.values())) <= 1:
        return []
    said = ", ".join(f"{n} {c}" for n, c in searched.items())
    return [
        Finding(
            "unequal_effort",
            "warning",
            float(max(searched.values()) / min(searched.values())),
            len(searched),
            f"search trials differ: {said}",
            "give every model the same number",
        )
    ]


def selection_on_test(judged: Sequence[Judged]) -> list[Finding]:
    """Many settings of one model class judged on the test rows: the best of them was chosen there."""
    kinds: Counter[str] = Counter()
    seen = set()
    for one in judged:
        own = sorted((k, repr(v)) for k, v in one.settings.items() if k != "seed")
        key = (one.kind, repr(own))
        if one.settings and one.model not in seen and key not in seen:
            kinds[one.kind] += 1
        seen |= {one.model, key}
    out = []
    for kind, count in kinds.items():
        if count > MANY:
            out.append(
                Finding(
                    "selection_on_test",
                    "warning",
                    float(count),
                    count,
                    f"{count} settings of {kind} are judged on the test rows; the best of them is flattered",
                    "choose settings on the validation part (--trials) and judge one",
                )
            )
    return out
