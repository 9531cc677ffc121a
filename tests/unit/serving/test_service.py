"""The real process over a real socket: its lists, its changes, and that nothing acknowledged is lost."""

from __future__ import annotations

import json
import shutil
import threading

import httpx
import numpy as np
import pytest

from recnb.recommender import top_k
from recnb.serving import Ask, Engine, manifest, open_artefact
from recnb.serving.records import read_feedback


@pytest.fixture(scope="module")
def ease(artefact_of):
    return open_artefact(artefact_of("ease"))


@pytest.fixture(scope="module")
def als(artefact_of):
    return open_artefact(artefact_of("als"))


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["item_id"] for item in answer.json()["items"]]


def some_users(artefact, n=6):
    return artefact.model.user_ids_[:: max(1, len(artefact.model.user_ids_) // n)][:n]


@pytest.mark.parametrize("again", ["scored", "cached"])
def test_a_known_user_gets_what_the_evaluation_judged(client, ease, als, again):
    for artefact in (ease, als):
        for user in some_users(artefact):
            code = np.flatnonzero(artefact.model.user_ids_ == user)
            expected = artefact.model.item_ids_[top_k(artefact.model, code, 7, artefact.known)[0]]
            answer = client.get("/recommend", params={"user": user, "k": 7, "model": artefact.name})
            assert ids(answer) == expected.tolist()
            assert answer.json()["by"] == "model" and answer.json()["fallback"] is None


def test_a_history_that_is_sent_along(client, ease):
    history = ease.model.item_ids_[[3, 50, 7]].tolist()
    body = {"history": [*history, "no such item"], "k": 5, "reasons": True}
    answer = client.post("/recommend", json=body)
    scores = ease.model.score_histories([np.array([3, 50, 7])])[0]
    scores[[3, 50, 7]] = -np.inf
    expected = np.argsort(-scores)[:5]
    assert ids(answer) == ease.model.item_ids_[expected].tolist()
    told = answer.json()
    assert told["ignored"] == 1
    # the reason is the item of the history with the largest weight: EASE's score is their sum
    weights = ease.model.item_weights_[np.ix_([3, 50, 7], expected)]
    assert [item["because"] for item in told["items"]] == [
        history[row] for row in weights.argmax(axis=0)
    ]


@pytest.mark.parametrize("name", ["ease", "als"])
def test_a_batch_answers_as_each_question_alone(artefact_of, name):
    artefact = open_artefact(artefact_of(name), late=True)
    genre = artefact.items["category"].mode()[0]
    asks = [
        Ask(3, user=4),
        Ask(8, user=11, exclude=np.arange(20)),
        Ask(5, user=4, where={"category": [genre]}),
        Ask(7, history=np.array([3, 50, 7])),
        Ask(250, history=np.array([9])),
        Ask(2, user=30),
        Ask(6, similar=12),
    ]
    together = Engine(artefact).answer(asks)
    for ask, listed in zip(asks, together):
        (alone,) = Engine(artefact).answer([ask])
        assert listed.codes.tolist() == alone.codes.tolist() and listed.by == "model"
        np.testing.assert_allclose(listed.scores, alone.scores, rtol=1e-5)
    scores, known = artefact.model.score(np.array([11]))[0], artefact.known[11].indices
    scores[np.union1d(known, np.arange(20))] = -np.inf
    assert together[1].codes.tolist() == np.argsort(-scores, kind="stable")[:8].tolist()
    assert [len(listed.codes) for listed in together] == [3, 8, 5, 7, 199, 2, 6]


def test_an_index_is_asked_with_factors_that_are_kept(report, tmp_path, monkeypatch):
    """To compute all of them for each request would cost as much as scoring everybody."""
    from recnb.models import ALS
    from recnb.serving.export import export

    artefact = export(report / "models/als-0", tmp_path / "als", kind="hnsw", encoder=None)
    engine, made, factors = Engine(artefact), [], ALS.factors

    def counted(self):
        made.append(1)
        return factors(self)

    monkeypatch.setattr(ALS, "factors", counted)
    expected = top_k(artefact.model.score(np.arange(5)), k=3, exclude=artefact.known[:5])
    for user in range(5):
        (listed,) = engine.answer([Ask(3, user=user)])
        assert listed.codes.tolist() == expected[user].tolist() and listed.by == "model"
    assert not made


def test_a_stranger_gets_what_most_have_and_is_told(client, ease):
    answer = client.get("/recommend", params={"user": "nobody we know", "k": 3})
    best = np.sort(ease.popularity)[::-1][:3]
    assert answer.json()["by"] == "popularity"
    assert answer.json()["fallback"] == "nothing is known of this person"
    assert [i["score"] for i in answer.json()["items"]] == best.tolist()


def test_filters_hold_and_no_list_is_empty(client, ease):
    genre = ease.items["category"].mode()[0]
    user = str(ease.model.user_ids_[0])
    got = ids(client.get("/recommend", params={"user": user, "where": f"category:{genre}"}))
    assert len(got) == 10 and (ease.items.loc[got, "category"] == genre).all()
    known = ease.model.item_ids_[ease.known[0].indices]
    assert not set(got) & set(known)
    # somebody who had all of the genre is shown it again, and everybody rather than nothing
    every = ease.items.index[ease.items["category"] == genre].tolist()
    answer = client.post("/recommend", json={"history": every, "where": {"category": [genre]}})
    assert set(ids(answer)) <= set(every) and answer.json()["relaxed"] == ["known"]
    answer = client.post("/recommend", json={"user": user, "where": {"category": ["nothing"]}})
    assert len(ids(answer)) == 10 and answer.json()["relaxed"] == ["where"]


def test_similar_items_and_a_batch(client, ease):
    one, two = ease.model.item_ids_[:2].tolist()
    similar = ids(client.get("/similar", params={"item": one, "k": 4}))
    assert one not in similar and len(similar) == 4
    body = {"requests": [{"history": [one], "k": 4}, {"history": [two], "k": 2}]}
    answers = client.post("/recommend/batch", json=body).json()["answers"]
    assert [item["item_id"] for item in answers[0]["items"]] == similar
    assert len(answers[1]["items"]) == 2
    assert client.get("/similar", params={"item": "nix"}).status_code == 404


def test_facts(client, ease, als):
    told = client.get("/version").json()["models"]
    assert [m["digest"] for m in told] == [ease.digest, als.digest]
    assert client.get("/health").json() == {"status": "ok"} and client.get("/ready").json()["ready"]
    metrics = client.get("/metrics").text
    assert 'recnb_lists_total{by="model",model="ease-0"}' in metrics
    assert 'recnb_index_recall{index="taste",model="als-0"} 1.0' in metrics
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/recommend", "/recommend/batch", "/similar", "/items", "/feedback"} <= set(paths)


def test_a_new_item_stands_at_once_and_what_was_acknowledged_survives_a_kill(client, served, ease):
    title = ease.items["title"].iloc[5]
    new = {"item_id": "new-1", "title": title, "attributes": {"category": "Crime"}}
    assert client.post("/items", json=new).status_code == 201
    assert client.post("/items", json=new).status_code == 422
    twin = ease.model.item_ids_[5]
    similar = ids(client.get("/similar", params={"item": "new-1", "k": 30}))
    assert "new-1" not in similar and str(ease.model.item_ids_[5]) in similar
    history = {"history": [str(ease.model.item_ids_[9])], "k": 200}
    places = ids(client.post("/recommend", json=history))
    assert abs(places.index("new-1") - places.index(twin)) < 100
    shown = client.post("/recommend", json={"text": title, "k": 5}).json()
    assert "new-1" in [item["item_id"] for item in shown["items"]]
    event = {"slate_id": shown["slate_id"], "item_id": "new-1", "event": "click"}
    assert client.post("/feedback", json=event).status_code == 204

    worker = served.worker()
    worker.kill()
    worker.wait(20)  # the next request waits in the socket for the new process
    again = client.post("/recommend", json={"text": title, "k": 5})
    assert "new-1" in ids(again)
    table = read_feedback(served.state / "feedback.sqlite")
    mine = table[table["slate_id"] == shown["slate_id"]].set_index("item_id")
    assert mine.loc["new-1", "click"] == 1 and mine["click"].sum() == 1
    assert mine["position"].tolist() == [1, 2, 3, 4, 5] and (mine["propensity"] == 1).all()

    gone = client.put("/items/new-1/availability", json={"available": False})
    assert gone.status_code == 204
    assert "new-1" not in ids(client.post("/recommend", json={"text": title, "k": 50}))


def test_an_artefact_is_swapped_while_it_answers(artefact_of, serve, tmp_path):
    folder = tmp_path / "swapped"
    shutil.copytree(artefact_of("popularity"), folder)
    one = serve(folder)
    before = open_artefact(folder).digest[:16]
    seen, faults, stop = set(), [], threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=one.url, timeout=30) as mine:
            while not stop.is_set():
                answer = mine.get("/recommend", params={"user": "u0018"})
                if answer.status_code != 200 or len(answer.json()["items"]) != 10:
                    faults.append(answer.text)
                seen.add(answer.json()["artefact"])

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        # a broken artefact is refused and the old one goes on
        (folder / "artefact.json").write_text("{}")
        answer = httpx.post(f"{one.url}/admin/reload", timeout=30).json()
        assert "artefact.json" in answer["loaded"][0]
        shutil.copyfile(artefact_of("popularity") / "artefact.json", folder / "artefact.json")
        head = json.loads((folder / "artefact.json").read_text())
        head["created"] = "2030-01-01T00:00:00+00:00"
        head["digest"] = manifest.digest(head)
        (folder / "artefact.json").write_text(json.dumps(head))
        httpx.post(f"{one.url}/admin/reload", timeout=30)
        answer = httpx.get(f"{one.url}/recommend", params={"user": "u0018"}, timeout=30)
        after = answer.json()["artefact"]
    finally:
        stop.set()
        for asker in askers:
            asker.join()
        code = one.stop()
    assert not faults and code == 0
    assert after == head["digest"][:16] != before and {before, after} <= seen


def test_the_page_shows_two_lists_side_by_side(served, ease, als):
    browser = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if browser is None:
        pytest.skip("no chromium here")
    import subprocess

    user = str(ease.model.user_ids_[1])
    address = f"{served.url}/#user={user}&k=5&key={served.keys['read']}"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000"]
    done = subprocess.run(
        [browser, *flags, "--dump-dom", address], capture_output=True, text=True, timeout=120
    )
    code = np.array([1])
    for artefact in (ease, als):
        assert f"<h2>{artefact.name}</h2>" in done.stdout
        for item in artefact.model.item_ids_[top_k(artefact.model, code, 5, artefact.known)[0]]:
            assert f'data-item="{item}"' in done.stdout
    assert "because of" in done.stdout
