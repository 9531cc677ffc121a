"""Checks of the comparison: who is missing, and who got how much effort."""

from __future__ import annotations

from collections import Counter
from typing import Any

from recnb.evaluation.findings import finding
from recnb.evaluation.language import uses_language_model
from recnb.evaluation.result import Evaluation

PLAIN = ("random", "popularity", "recent_popularity")
MANY = 4


def audit_models(ev: Evaluation) -> list[dict[str, Any]]:
    """Findings about the set of models; :func:`effort` is asked where searches are known."""
    return [*missing_baseline(ev), *selection_on_test(ev)]


def missing_baseline(ev: Evaluation) -> list[dict[str, Any]]:
    """Popularity, random, or a classical model that learns is not in the table."""
    names = set(ev.models)
    lacking = [n for n in ("random", "popularity") if n not in names]
    learned = names - set(PLAIN) - {n for n in names if uses_language_model(n)}
    if not learned:
        lacking.append("classical model that learns (ease, itemknn, als, ...)")
    if not lacking:
        return []
    return [
        finding(
            "missing_baseline",
            "warning",
            float(len(lacking)),
            len(lacking),
            f"the table has no {', no '.join(lacking)}",
            "judge them on the same split: a gain over a weak table is no gain",
        )
    ]


def effort(ev: Evaluation) -> list[dict[str, Any]]:
    """No search at all, or more for some than for others."""
    search = ev.settings.get("search")
    if not search:
        return []
    if not search.get("trials"):
        return [
            finding(
                "untuned",
                "warning",
                0.0,
                len(ev.models),
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
        finding(
            "unequal_effort",
            "warning",
            float(max(searched.values()) / min(searched.values())),
            len(searched),
            f"search trials differ: {said}",
            "give every model the same number",
        )
    ]


def selection_on_test(ev: Evaluation) -> list[dict[str, Any]]:
    """Many settings of one model class judged on the test rows: the best of them was chosen there."""
    kinds: Counter[str] = Counter()
    seen = set()
    for m in ev.settings.get("models", []):
        key = (
            m.get("class"),
            repr(sorted((k, repr(v)) for k, v in m.get("settings", {}).items() if k != "seed")),
        )
        if m.get("class") and m["model"] not in seen and key not in seen:
            kinds[m["class"]] += 1
        seen |= {m["model"], key}
    out = []
    for kind, count in kinds.items():
        if count > MANY:
            out.append(
                finding(
                    "selection_on_test",
                    "warning",
                    float(count),
                    count,
                    f"{count} settings of {kind} are judged on the test rows; the best of them is flattered",
                    "choose settings on the validation part (--trials) and judge one",
                )
            )
    return out
