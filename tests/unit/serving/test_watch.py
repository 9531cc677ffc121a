"""What a service tells of itself, from the real process: drift, recall on a sample, a full disk, and the log judged."""

from __future__ import annotations

import json
import re
import time

import httpx
import numpy as np
import pandas as pd
import psutil
import pytest

from recnb.errors import InputError
from recnb.serving import open_artefact
from recnb.serving.index import ItemIndex
from recnb.serving.records import read_feedback
from recnb.serving.watch.drift import BINS, ENOUGH, Drift, Shares, reference


def value(text: str, name: str, **labels: str) -> float | None:
    """A sample of the exposition format."""
    inside = ",".join(f'{k}="{v}"' for k, v in sorted(labels.items()))
    found = re.search(rf"^{re.escape(f'{name}{{{inside}}}')} (\S+)$", text, re.MULTILINE)
    return None if found is None else float(found[1])


def test_the_distance_is_near_its_expectation_without_drift_and_grows_with_it():
    rng = np.random.default_rng(0)
    shares = Shares.of(rng.normal(size=5000))
    assert len(shares.shares) == BINS and shares.shares.max() < 0.11

    def distance(shift: float) -> float:
        drift = Drift({"score": shares})
        for number in rng.normal(shift, size=2000):
            drift.see("score", number)
        return drift.distances()["score"]

    still = np.mean([distance(0) for _ in range(20)])
    # Yurdakul (2018): (bins - 1) (1/n + 1/m) on average
    assert still == pytest.approx((BINS - 1) * (1 / 2000 + 1 / 5000), rel=0.4)
    assert distance(0.2) < 0.1 < 0.25 < distance(0.6)
    few = Drift({"score": shares})
    for _ in range(ENOUGH - 1):
        few.see("score", 0.0)
    few.see("unheard of", 0.0)
    assert few.distances() == {}
    few.see("score", 0.0)
    assert few.distances()["score"] > 2


def test_alike_values_make_fewer_bins_and_the_window_forgets():
    shares = Shares.of(np.array([1.0] * 60 + [2.0] * 40))
    assert shares.edges.tolist() == [2.0] and shares.shares.tolist() == [0.6, 0.4]
    drift = Drift({"score": shares}, window=ENOUGH)
    for _ in range(ENOUGH):
        drift.see("score", 9.0)
    far = drift.distances()["score"]
    for n in range(ENOUGH):
        drift.see("score", 1.0 if n % 5 < 3 else 2.0)
    assert far > 1 and drift.distances()["score"] == pytest.approx(0, abs=1e-12)
    for broken in ({"edges": [1, 1], "shares": [0.2, 0.3, 0.5]}, {"edges": [1], "shares": [1]}, []):
        with pytest.raises(InputError, match="reference of drift is broken"):
            Shares.from_json(broken, "artefact.json")


def test_the_reference_is_that_of_the_training_data(artefact_of):
    artefact = open_artefact(artefact_of("ease"))
    lengths = np.diff(artefact.known.indptr)
    told = artefact.reference["history_length"]
    bins = np.array([told.bin(n) for n in lengths[lengths > 0]])
    np.testing.assert_allclose(np.bincount(bins) / len(bins), told.shares)
    again = reference(artefact.model, artefact.known, np.ones(artefact.known.shape[1], bool))
    assert again["popular_share"] == 1.0 and set(again["signals"]) == set(artefact.reference)
    assert 0 < artefact.head["reference"]["popular_share"] < 1


@pytest.fixture(scope="module")
def explored(artefact_of, tmp_path_factory):
    """A process that draws half of its lists at random."""
    from tests.unit.serving.conftest import Served

    folder = tmp_path_factory.mktemp("explored")
    options = ("--explore", "0.5", "--milliseconds", "5000")
    one = Served(folder, artefact_of("ease"), options=options)
    yield one
    one.stop()


def asked(one, bodies: list[dict]) -> list[dict]:
    with httpx.Client(base_url=one.url, timeout=60) as client:
        answer = client.post("/recommend/batch", json={"requests": bodies})
    assert answer.status_code == 200, answer.text
    return answer.json()["answers"]


def test_drift_unknown_tokens_and_recall_stand_in_the_metrics(explored, artefact_of):
    artefact = open_artefact(artefact_of("ease"))
    popular = artefact.model.item_ids_[int(np.argmax(artefact.popularity))]
    users = artefact.model.user_ids_[
        np.random.default_rng(0).permutation(len(artefact.known.indptr) - 1)
    ]
    for start in range(0, 2 * ENOUGH, 100):
        asked(explored, [{"user": users[n % len(users)]} for n in range(start, start + 100)])

    def drift(signal: str) -> float | None:
        text = httpx.get(f"{explored.url}/metrics", timeout=60).text
        return value(text, "recnb_drift", model="ease-0", signal=signal)

    before = [drift(s) for s in ("history_length", "history_popularity", "score")]
    assert max(before) < 0.1, before
    for _ in range(10):
        asked(explored, [{"history": [str(popular)]}] * 100)
    after = [drift(s) for s in ("history_length", "history_popularity", "score")]
    assert min(after) > 0.25, after
    for n in range(3):
        asked(explored, [{"text": f"a quiet film {n} \U0001f600 \U0001f680"}])
    text = httpx.get(f"{explored.url}/metrics", timeout=60).text
    assert value(text, "recnb_shadow_searches_total", index="text", model="ease-0") >= 1
    assert value(text, "recnb_shadow_recall_sum_total", index="text", model="ease-0") >= 1
    unknown = float(re.search(r"^recnb_unknown_tokens_total (\S+)", text, re.MULTILINE)[1])
    assert unknown == 6
    told = value(text, "recnb_reference_popular_share", model="ease-0")
    assert told == artefact.head["reference"]["popular_share"]


def test_a_search_is_compared_with_the_exact_product(artefact_of, monkeypatch):
    from recnb.serving.engine import Ask, Engine

    artefact = open_artefact(artefact_of("ease"))
    engine = Engine(artefact)
    vector = artefact.indexes["text"].vectors(np.array([3]))[0]
    engine.answer([Ask(10, vector=vector)])
    assert engine.shadowed() == [("text", 1.0)] and engine.shadowed() == []
    right = ItemIndex.search

    def half(self, queries, k, allowed=None):
        codes, scores = right(self, queries, 2 * k, allowed)
        return codes[:, k // 2 : k // 2 + k], scores[:, k // 2 : k // 2 + k]

    monkeypatch.setattr(ItemIndex, "search", half)
    for _ in range(100):
        engine.answer([Ask(10, vector=vector)])
    assert engine.shadowed() == [("text", 0.5)]


def test_what_was_served_is_judged_by_recnb_policy(explored, artefact_of, tmp_path):
    """Half of the lists are drawn; only what the model puts first is clicked. A third of its places would be."""
    from typer.testing import CliRunner

    from recnb.cli.main import app
    from recnb.recommender import top_k

    artefact = open_artefact(artefact_of("ease"))
    users = np.arange(60)
    lists = artefact.model.item_ids_[top_k(artefact.model, users, 3, artefact.known)]
    best = lists[:, 0]
    asks = [{"user": str(u), "k": 3} for u in artefact.model.user_ids_[users]]
    slates = set()
    with httpx.Client(base_url=explored.url, timeout=60) as client:
        for _ in range(4):
            for answer, liked in zip(asked(explored, asks), best):
                slates.add(answer["slate_id"])
                first = answer["items"][0]["item_id"]
                if first == liked:
                    event = {"slate_id": answer["slate_id"], "item_id": first, "event": "click"}
                    assert client.post("/feedback", json=event).status_code == 204
    log, run = tmp_path / "log.parquet", CliRunner().invoke
    command = ["serve", "log", "--state", str(explored.state), "--to", str(log)]
    done = run(app, [*command, "--users", str(artefact.folder)])
    assert done.exit_code == 0, done.output
    table = pd.read_parquet(log)
    assert set(table["user_id"]) <= set(artefact.model.user_ids_)
    table = table[table["slate_id"].isin(slates)]
    # 15 items are drawn from: 0.5 / 15, and 0.5 more at the place where the model has it
    assert set(table["propensity"].round(4)) == {0.0333, 0.5333}
    table.to_parquet(log)
    shown = pd.DataFrame({"user_id": np.repeat(artefact.model.user_ids_[users], 3)})
    shown.assign(item_id=lists.ravel(), rank=np.tile([1, 2, 3], 60)).to_csv(tmp_path / "lists.csv")
    arguments = ["policy", str(log), "--policies", f"ease={tmp_path / 'lists.csv'}", "--quiet"]
    arguments += ["--policies", "even=uniform", "--outcomes", "click"]
    arguments += ["--items", str(artefact.folder / "items.parquet")]
    done = run(app, [*arguments, "--output", str(tmp_path / "policy")])
    assert done.exit_code == 0, (done.output, done.exception)
    records = json.loads((tmp_path / "policy/estimates.json").read_text())["records"]
    snips = {r["policy"]: r["value"] for r in records if r["estimator"] == "snips"}
    assert table["click"].mean() < 0.24
    assert snips["ease"] == pytest.approx(1 / 3, abs=0.03) and snips["even"] < 0.05


def test_a_full_disk_acknowledges_nothing_and_is_forgiven(explored):
    (shown,) = asked(explored, [{"user": "u0018", "k": 3}])
    event = {"slate_id": shown["slate_id"], "item_id": shown["items"][0]["item_id"]}
    worker = explored.worker()
    unlimited = worker.rlimit(psutil.RLIMIT_FSIZE)

    def sent(kind: str) -> int:
        return httpx.post(
            f"{explored.url}/feedback", json={**event, "event": kind}, timeout=60
        ).status_code

    assert sent("click") == 204
    try:  # refuses every byte beyond, as a full disk does
        worker.rlimit(psutil.RLIMIT_FSIZE, (1, unlimited[1]))
        assert [sent("conversion") for _ in range(3)] == [503] * 3
        assert len(asked(explored, [{"user": "u0018"}])[0]["items"]) == 10  # lists go on
        time.sleep(0.3)
    finally:
        worker.rlimit(psutil.RLIMIT_FSIZE, unlimited)
    assert sent("satisfaction") == 204
    table = read_feedback(explored.state / "feedback.sqlite")
    mine = table[table["slate_id"] == shown["slate_id"]].set_index("item_id").loc[event["item_id"]]
    assert (mine["click"], mine["conversion"], mine["satisfaction"]) == (1, 0, 1)
    text = httpx.get(f"{explored.url}/metrics", timeout=60).text
    assert value(text, "recnb_lost_log_lines", log="feedback") == 0  # lists waited for the disk
    assert value(text, "recnb_lost_log_lines", log="audit") >= 1
    never = {**event, "item_id": "never shown", "event": "click"}
    assert httpx.post(f"{explored.url}/feedback", json=never, timeout=60).status_code == 404
