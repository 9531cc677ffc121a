"""Planted faults are seen, each by the check that is meant for it; clean worlds give neither error nor warning."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recnb import evaluate
from recnb.data import Dataset, splits
from recnb.data.media import from_vectors
from recnb.evaluation import Protocol, Task
from recnb.evaluation.audit import audit
from recnb.evaluation.audit.accident import divides, knows_counts, knows_means
from recnb.models import parse_models

_FILE = Path(__file__).parents[3] / "benchmarks" / "audit_faults.py"
_SPEC = importlib.util.spec_from_file_location("audit_faults", _FILE)
faults = importlib.util.module_from_spec(_SPEC)
sys.modules["audit_faults"] = faults
_SPEC.loader.exec_module(faults)


@pytest.fixture(scope="module")
def case():
    return faults.world("video", n_users=300, n_items=240)


@pytest.fixture(scope="module")
def clean(case):
    return faults.loud(case.findings())


@pytest.mark.parametrize("name", faults.FAULTS)
def test_planted_fault(name: str, case, clean) -> None:
    caught, evidence = faults.attempt(name, case, clean)
    assert caught, evidence


@pytest.mark.parametrize("domain", ["video", "shop", "music", "news", "social"])
def test_clean_world_is_judged_in_silence(domain: str) -> None:
    case = replace(faults.world(domain, seed=1, n_users=300, n_items=240), split="global_time")
    allowed = {"cold_users"}  # counted, not guessed
    assert set(faults.loud(case.findings())) <= allowed


@pytest.mark.parametrize("split", ["user_time", "random", "leave_one_out"])
def test_fair_columns_vectors_and_texts_are_left_in_peace(split: str) -> None:
    """Columns that know the true popularity, the known counts and the taste itself, without noise."""
    made = faults.generate("video", n_users=300, n_items=240, seed=2)
    case = replace(faults.world("video", seed=2, n_users=300, n_items=240), split=split)
    order = pd.Index(made.truth.item_ids).get_indexer(pd.Index(case.items["item_id"]))
    demand = made.truth.demand.mean(axis=0)[order]
    known = case.counts(case.parts()[0])
    case = replace(
        case.with_column(demand, "votes")
        .with_column(known, "sold")
        .with_column(known.rank(), "place"),
        media={
            "taste": from_vectors(
                made.truth.item_vectors[order].astype(np.float32), case.items["item_id"].tolist()
            )
        },
    )
    assert set(faults.loud(case.findings())) <= {"future_leak", "cold_users"}


def test_the_scatter_of_chance_tells_leaks_from_knowledge() -> None:
    rng = np.random.default_rng(0)
    rate = rng.gamma(0.5, 20, 500)
    known, test = rng.poisson(4 * rate), rng.poisson(rate)
    assert knows_counts(rate, known, test, 10_000) is None
    assert knows_counts(known.astype(float), known, test, 10_000) is None
    for leak in (test, known + test, -np.log1p(test), (test + 0.0) / (known + 1)):
        assert knows_counts(np.asarray(leak, float), known, test, 10_000) < 0.2
    assert knows_counts(rng.permutation(test).astype(float), known, test, 10_000) is None


def test_mean_ratings_of_all_rows_are_told_from_true_quality() -> None:
    rng = np.random.default_rng(0)
    quality = rng.normal(3.5, 0.5, 400)
    n, m = rng.integers(2, 60, 400), rng.integers(1, 15, 400)
    known = quality + rng.normal(0, 1, 400) / np.sqrt(n)
    test = quality + rng.normal(0, 1, 400) / np.sqrt(m)
    every = (n * known + m * test) / (n + m)
    assert knows_means(quality, n, known, m, test, 1.0) is None
    assert knows_means(every, n, known, m, test, 1.0) < 0.2


def test_bands_divide_and_fair_groups_overlap() -> None:
    rng = np.random.default_rng(0)
    rate = rng.gamma(1, 5, 300)
    known, test = rng.poisson(4 * rate), rng.poisson(rate)
    assert divides(pd.qcut(rate, 3).codes, known, test) is None
    assert divides(np.digitize(test, [2, 8]), known, test) > 0.985


def test_a_catalogue_of_twelve_is_not_called_a_sample() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (f"u{u}", f"i{i}", 10**9 + n)
        for u in range(60)
        for n, i in enumerate(rng.permutation(12)[:8])
    ]
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    split = splits.leave_one_out(Dataset.from_frames(table))
    ev = evaluate(parse_models("popularity,itemknn"), split, Protocol(k=5, draws=1000))
    codes = {f.code for f in ev.findings}
    assert "sampled_candidates" not in codes and "short_lists" not in codes


def test_models_that_are_slow_are_not_fitted_for_other_tie_orders(monkeypatch) -> None:
    case = faults.world("video", n_users=120, n_items=120)
    case = replace(case, rows=case.rows.assign(timestamp=10**9 + case.rows["timestamp"] // 10**5))
    monkeypatch.setattr(sys.modules["recnb.evaluation.evaluate"], "TIE_SECONDS", -1)
    ev = evaluate(parse_models("popularity,itemknn"), case.made(), Protocol(draws=1000))
    said = [f for f in ev.findings if f.code == "tied_timestamps"]
    assert len(said) == 1 and said[0].severity == "note" and "left out" in said[0].evidence


def test_few_hits_are_said() -> None:
    from recnb.evaluation.audit.lists import few_hits

    assert few_hits({"ease": 10, "random": 1}, 300) == []
    said = few_hits({"ease": 9, "random": 1}, 300)
    assert said[0].code == "few_hits" and "at most 9" in said[0].evidence


def test_audit_needs_no_models(case) -> None:
    found = {f.code for f in audit(Task(faults.embeddings(case).made(), Protocol()))}
    assert {"too_good", "vectors_reveal"} & found


def test_small_circles_that_share_what_they_like_are_no_copies() -> None:
    """Sixty circles of eight people, each with ten items of its own that nobody else takes."""
    rng = np.random.default_rng(0)
    rows = [
        (f"u{circle}-{person}", f"i{circle}-{item}")
        for circle in range(60)
        for person in range(8)
        for item in range(10)
        if rng.random() < 0.9
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id"])
    split = splits.random(Dataset.from_frames(frame), seed=0, test=0.4, valid=0.05)
    said = {
        f.code for f in evaluate(parse_models("popularity"), split, Protocol(draws=1000)).findings
    }
    assert "copied_rows" not in said


def _clicks(n_users: int = 60, n: int = 8, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [(f"u{u}", f"i{rng.integers(40)}") for u in range(n_users) for _ in range(n)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id"]).drop_duplicates()
    return frame.assign(timestamp=10**9 + rng.permutation(len(frame)))


def _said(frame: pd.DataFrame, **protocol) -> dict:
    split = splits.leave_one_out(Dataset.from_frames(frame, duplicates="keep"))
    return {f.code: f for f in audit(Task(split, Protocol(**protocol)))}


def test_a_clock_that_tells_no_order_and_a_bot_are_said() -> None:
    frame = _clicks()
    assert not {"no_order", "dominant_user"} & set(_said(frame))
    assert "100% of the 60 users" in _said(frame.assign(timestamp=10**9))["no_order"].evidence
    bot = pd.DataFrame({"user_id": "bot", "item_id": [f"i{i % 40}" for i in range(100)]})
    bot["timestamp"] = 10**9 + np.arange(100)
    found = _said(pd.concat([frame, bot], ignore_index=True))["dominant_user"]
    assert found.severity == "warning" and "user 'bot' has 99 of the" in found.evidence


def test_events_twice_in_one_tick_are_an_error_only_where_they_count() -> None:
    frame = _clicks()
    last = frame.sort_values("timestamp").groupby("user_id").tail(1).head(20)
    twice = pd.concat([frame, last], ignore_index=True)
    assert _said(twice)["overlap"].severity == "warning"
    assert "known items are left out of the test" in _said(twice)["overlap"].evidence
    assert _said(twice, repeats="include")["overlap"].severity == "error"


def test_users_without_a_known_row_are_strangers_for_their_first_event_only() -> None:
    frame = _clicks()
    ds = Dataset.from_frames(frame)
    part = np.where(ds.interactions["user"] < 10, 2, 0).astype(np.int8)
    split = splits.Split(ds, part, "predefined")
    for next_event, words in ((True, "a stranger for their first event"), (False, "a stranger")):
        found = {f.code: f for f in audit(Task(split, Protocol(next_event=next_event)))}
        assert found["cold_users"].evidence.endswith(words)
