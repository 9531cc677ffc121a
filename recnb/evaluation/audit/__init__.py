"""The audit: what could make these numbers untrue, checked without being asked.

Every check returns findings (`code, severity, value, n, evidence, mend`) and stays silent where there is nothing to
say. Severity: *error* (the numbers mean something else than they say), *warning* (they flatter or mislead), *note*
(to be known when reading them).

What it cannot see: a leak that is blurred by more than chance blurs counts anyway (test counts with noise added);
models and vectors that profit from test rows by less than two fifths over the best reference; ratings cut once at a
value of all test rows, where the uncut ratings are gone; a choice among many models made on these test rows elsewhere;
leaks in few data (below 30 items with rows, or 30 test rows); and whether a language model has read the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from recnb.evaluation.audit.items import audit_items
from recnb.evaluation.audit.lists import audit_lists
from recnb.evaluation.audit.material import Material
from recnb.evaluation.audit.models import audit_models
from recnb.evaluation.audit.pairs import audit_pairs
from recnb.evaluation.audit.reveals import audit_revealed
from recnb.evaluation.audit.rows import audit_rows
from recnb.evaluation.audit.vectors import audit_vectors
from recnb.evaluation.findings import Finding, by_severity
from recnb.evaluation.judge import Judged
from recnb.evaluation.protocol import Task

CHECKS = {
    "future_leak": "training rows newer than a user's first test row",
    "overlap": "rows that are both known and tested",
    "repeated_pairs": "tested pairs that were known before",
    "tied_timestamps": "ties in time at the cut, and the spread of the headline over their orders",
    "tied_last": "users whose last rows share one time",
    "no_order": "users whose rows all share one time",
    "dominant_user": "a user with a large part of all rows",
    "cold_users": "test users of whom nothing is known",
    "few_users": "too few users for a narrow interval",
    "few_hits": "too few users with a hit for an interval that covers",
    "duplicate_items": "items that are the same thing twice",
    "coarse_text": "items that the words and columns cannot tell apart",
    "near_duplicate_items": "items whose text is almost the same",
    "column_reveals": "item columns that know the test rows better than the training rows do",
    "text_reveals": "item text that knows the test rows better than the training rows do",
    "order_reveals": "item or user orders and numbers in ids that know the test rows",
    "vectors_reveal": "vectors of items that know the test rows",
    "pairs_revealed": "item texts or user columns that give test pairs away",
    "copied_rows": "test rows that are known under the id of another item",
    "test_filtered": "tested items that were chosen by their popularity",
    "even_ratings": "ratings that were cut at a value of the test rows",
    "dated_later": "items used before the date they carry",
    "aggregate_column": "item columns that sum up other people's ratings or counts",
    "seen_recommended": "known items in the lists",
    "too_good": "lists, vectors or texts that find far more than the known rows allow",
    "follows_test": "lists in the order of the test counts",
    "sampled_candidates": "lists that rank a sample instead of the catalogue",
    "optimistic_ties": "hits that stand first among equal scores",
    "short_lists": "lists with empty places",
    "constant_scores": "users whose listed items all have one score",
    "remark": "what a model says of how it was fitted",
    "ceiling": "how far the candidates of a two-stage model could reach at most",
    "repeats_popularity": "models whose lists are the popular items",
    "missing_baseline": "no random, popularity or tuned classical model in the table",
    "untuned": "models that run with default settings",
    "unequal_effort": "models that got different search budgets",
    "left_out": "parts of large data that a check did not look at",
    "selection_on_test": "many settings of one model judged on the test rows",
}


def audit(
    task: Task, judged: Sequence[Judged] = (), search: Mapping[str, Any] | None = None
) -> list[Finding]:
    """All checks of a split and, where models were judged on it, of what they listed.

    Parameters
    ----------
    task : Task
        A split prepared for a protocol.
    judged : sequence of Judged, optional
        One per model and seed: codes of what was listed, settings, what was read.
    search : mapping, optional
        `trials`, and `models`: what was searched for each; None where nothing is known of it.

    Returns
    -------
    list of findings, errors first
    """
    material = Material(task)
    found = audit_rows(material) + audit_items(material) + audit_revealed(material)
    found += audit_pairs(material) + audit_vectors(material)
    if judged:
        found += audit_lists(material, judged) + audit_models(judged, search)
    return by_severity(_one_left_out(found))


def _one_left_out(found: list[Finding]) -> list[Finding]:
    """What the checks left out, each for itself, said in one note."""
    parts = [f for f in found if f.code == "left_out"]
    rest = [f for f in found if f.code != "left_out"]
    if not parts:
        return rest
    said = "; ".join(f.evidence for f in parts)
    return [*rest, replace(parts[0], evidence=said, value=max(f.value for f in parts))]


__all__ = ["CHECKS", "audit", "by_severity"]
