"""The door: keys, scopes, rates, sizes, hostile requests; what is written down; what happens under too much."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import httpx
import numpy as np
import pytest

from recnb.errors import InputError
from recnb.serving.explore import Explorer
from recnb.serving.http.batcher import Batcher, Busy
from recnb.serving.http.supervisor import bound
from recnb.serving.keys import KeyFile
from recnb.serving.records import FeedbackLog, NotShown, read_feedback


def ask(served, key, path="/recommend?user=u0018", method="GET", **more):
    headers = {} if key is None else {"x-api-key": key}
    return httpx.request(method, served.url + path, headers=headers, timeout=60, **more)


@pytest.mark.parametrize(
    ("key", "path", "method", "status"),
    [
        (None, "/recommend?user=u0018", "GET", 401),
        ("recnb_x_y", "/recommend?user=u0018", "GET", 401),
        ("expired", "/recommend?user=u0018", "GET", 401),
        ("read", "/recommend?user=u0018", "GET", 200),
        ("read", "/items", "POST", 403),
        ("items", "/recommend?user=u0018", "GET", 403),
        ("items", "/items", "POST", 422),
        ("read", "/admin/reload", "POST", 403),
        ("admin", "/admin/reload", "POST", 200),
        (None, "/metrics", "GET", 401),
        (None, "/health", "GET", 200),
    ],
)
def test_keys_and_scopes(served, key, path, method, status):
    answer = ask(served, served.keys.get(key, key), path, method)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_is_kept_as_a_salted_hash_and_shown_once(served, tmp_path):
    text = (served.state / "keys.json").read_text()
    assert (served.state / "keys.json").stat().st_mode & 0o077 == 0
    for key in served.keys.values():
        assert key.split("_")[2] not in text
    file = KeyFile(tmp_path / "k.json")
    one, two = file.add("a", ("read",)), file.add("b", ("read",))
    mixed = "_".join([*one.split("_")[:2], two.split("_")[2]])
    assert file.find(one).name == "a" and file.find(mixed) == "the key is not valid"
    file.remove(one.split("_")[1])
    assert file.find(one) == "the key is not valid"
    with pytest.raises(InputError, match="scopes write"):
        file.add("c", ("write",))
    (tmp_path / "k.json").write_text("[]")
    with pytest.raises(InputError, match="no file of API keys"):
        KeyFile(tmp_path / "k.json")


def test_a_key_made_while_serving_opens_at_once(served):
    from typer.testing import CliRunner

    from recnb.cli.serving.serve import app

    made = CliRunner().invoke(app, ["keys", "add", "--state", str(served.state), "--name", "late"])
    assert ask(served, made.stdout.strip()).status_code == 200


def test_twenty_times_the_rate_is_turned_away_and_others_are_not(served):
    slow = {"x-api-key": served.keys["slow"]}  # 2 a second, bursts of 8
    with httpx.Client(base_url=served.url, headers=slow, timeout=60) as client:
        start = time.monotonic()
        answers = [client.get("/recommend", params={"user": "u0018"}) for _ in range(40)]
        seconds = time.monotonic() - start
    codes = [a.status_code for a in answers]
    assert set(codes) == {200, 429} and 8 <= codes.count(200) <= 9 + 2 * seconds
    assert int(next(a for a in answers if a.status_code == 429).headers["retry-after"]) >= 1
    assert ask(served, served.keys["read"]).status_code == 200


LONG = "x" * 6000
TOO_MUCH = {
    "user": {"user": LONG},
    "text": {"text": LONG},
    "history": {"history": ["a"] * 501},
    "k": {"user": "a", "k": 201},
    "no k": {"user": "a", "k": 0},
    "values": {"user": "a", "where": {"category": ["a"] * 21}},
    "columns": {"user": "a", "where": {str(n): ["a"] for n in range(6)}},
    "unknown field": {"user": "a", "colour": 1},
    "nobody": {},
    "two": {"user": "a", "text": "b"},
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_every_field_has_a_limit(served, what):
    answer = ask(served, served.keys["read"], "/recommend", "POST", json=TOO_MUCH[what])
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "request_id"} and len(answer.text) < 1500
    assert LONG not in answer.text


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 422),
        (b'{"user": "\\ud800"}', 422),
        (b"\xff\xfe", 422),
        (b"[" * 100_000, 400),
        (b'{"text": "' + b"a" * 600_000 + b'"}', 413),
    ],
)
def test_malformed_and_huge_bodies(served, content, status):
    headers = {"x-api-key": served.keys["read"], "content-type": "application/json"}
    answer = httpx.post(f"{served.url}/recommend", headers=headers, content=content, timeout=60)
    assert answer.status_code == status and "Traceback" not in answer.text


def test_a_body_without_an_end_is_cut_off(served):
    def endless():
        for _ in range(1000):
            yield b"a" * 1024

    answer = ask(served, served.keys["read"], "/recommend", "POST", content=endless())
    assert answer.status_code == 413
    assert ask(served, served.keys["read"], "/x?" + "a" * 9000).status_code == 414


def test_headers_and_no_foreign_origin(served):
    headers = {"origin": "https://evil.example", "x-api-key": served.keys["read"]}
    answer = httpx.get(f"{served.url}/recommend?user=u0018", headers=headers, timeout=60)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers
    assert httpx.get(f"{served.url}/nowhere", timeout=60).status_code in (401, 404)


def test_silent_and_slow_connections_hold_nobody_up(served):
    host, port = served.url.removeprefix("http://").split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(300)]
    for one in silent[:150]:
        one.send(b"GET /recommend?user=u0018 HTTP/1.1\r\nHost: a\r\n")
    try:
        start = time.monotonic()
        assert ask(served, served.keys["read"]).status_code == 200
        assert time.monotonic() - start < 5
    finally:
        for one in silent:
            one.close()


def test_the_audit_log_names_nobody(served):
    for user in ("ann.lee@example.org", "u0018"):
        ask(served, served.keys["read"], f"/recommend?user={user}")
    ask(served, served.keys["read"], "/recommend", "POST", json={"text": "call +1 415-555-2671"})
    text = (served.state / "audit.jsonl").read_text()
    assert "ann.lee" not in text and "415-555" not in text
    entries = [json.loads(line) for line in text.splitlines()]
    users = {entry["user"] for entry in entries if "user" in entry}
    assert all(len(user) == 32 for user in users) and len(users) >= 2
    assert {entry["key"] for entry in entries} & {k.split("_")[1] for k in served.keys.values()}
    assert {"time", "request", "method", "route", "status", "ms"} <= set(entries[-1])


def test_hostile_requests_from_the_interface_never_make_a_500(served):
    import hypothesis
    import schemathesis

    headers = {"authorization": f"Bearer {served.keys['admin']}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=60) as client:
        schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        statuses: dict[int, int] = {}
        limits = hypothesis.settings(
            max_examples=4,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        for operation in schema.get_all_operations():
            for mode in schemathesis.GenerationMode:

                @limits
                @hypothesis.given(case=operation.ok().as_strategy(generation_mode=mode))
                def sent(case):
                    told = case.as_transport_kwargs(base_url=served.url)
                    told.pop("cookies", None)
                    request = {k: v for k, v in told.items() if k in ("params", "json", "headers")}
                    request["headers"] = {
                        k: v for k, v in dict(request.get("headers") or {}).items() if k.isascii()
                    } | headers
                    if "data" in told:
                        request["content"] = told["data"]
                    try:
                        answer = client.request(told["method"], told["url"], **request)
                    except (httpx.InvalidURL, UnicodeEncodeError, ValueError):
                        return  # no client can send it
                    statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
                    assert answer.status_code < 500, (answer.text, case.as_curl_command())

                try:
                    sent()
                except hypothesis.errors.Unsatisfiable:
                    continue  # nothing about it can be wrong
    assert sum(statuses.values()) >= 60 and sum(n for s, n in statuses.items() if s >= 400) >= 20


def test_a_full_queue_refuses_and_a_bad_job_spoils_no_other():
    def work(jobs):
        time.sleep(0.05)
        return [ValueError("bad") if job == 13 else 2 * job for job in jobs]

    async def run():
        sizes = []
        batcher = Batcher(work, most=4, queue=6, told=lambda n, seconds: sizes.append(n))
        first = asyncio.create_task(batcher.do(1))
        await asyncio.sleep(0.01)
        rest = [asyncio.create_task(batcher.do(n)) for n in (2, 13, 4, 5, 6, 7)]
        await asyncio.sleep(0.01)
        with pytest.raises(Busy) as caught:
            await batcher.do(8)
        results = await asyncio.gather(first, *rest, return_exceptions=True)
        await batcher.close()
        return sizes, results, caught.value.after

    sizes, results, after = asyncio.run(run())
    assert sizes == [1, 4, 2] and after > 0
    assert [r for r in results if not isinstance(r, Exception)] == [2, 4, 8, 10, 12, 14]
    assert isinstance(results[2], ValueError)


@pytest.mark.parametrize(("queue", "status"), [(256, 200), (1, 503)])
def test_too_slow_falls_back_and_too_full_says_when_to_come_again(artefact_of, queue, status):
    from recnb.serving.http.app import create_app
    from recnb.serving.http.service import Settings

    async def run():
        folder = artefact_of("popularity")
        app = create_app(Settings((folder,), open=True, milliseconds=200, queue=queue, watch=0))
        live = app.state.service.live(None)
        live.scoring._work = lambda jobs: time.sleep(1) or [None] * len(jobs)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
            asked = [client.get("/recommend", params={"user": f"u{n:04d}"}) for n in range(12)]
            return await asyncio.gather(*asked)

    answers = asyncio.run(run())
    worst = max(answers, key=lambda a: a.status_code)
    assert worst.status_code == status
    if status == 503:
        assert int(worst.headers["retry-after"]) >= 1
    served = [a.json() for a in answers if a.status_code == 200]
    assert {a["fallback"] for a in served} == {"time limit"}
    assert all(len(a["items"]) == 10 and a["by"] == "popularity" for a in served)


def test_a_disk_that_takes_nothing_acknowledges_nothing(tmp_path, monkeypatch):
    log = FeedbackLog(tmp_path / "f.sqlite")
    log.shown("s1", "u", "m", ["a", "b"], [1.0, 1.0])
    log.event("s1", "b", "click", 1.0).result(10)
    commit = FeedbackLog._commit

    def full(self, connection, work):
        commit(self, connection, [row for row in work if False])
        connection.execute("BEGIN")
        import sqlite3

        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(FeedbackLog, "_commit", full)
    lost = log.event("s1", "a", "click", 1.0)
    log.shown("s2", "u", "m", ["c"], [1.0])  # waits until the disk takes it
    with pytest.raises(Exception, match="disk is full"):
        lost.result(10)
    monkeypatch.setattr(FeedbackLog, "_commit", commit)
    log.event("s1", "a", "revenue", 2.5).result(10)
    log.event("s1", "a", "revenue", 1.5).result(10)
    log.event("s2", "c", "click", 1.0).result(10)
    for never in (("s1", "c"), ("s3", "a")):
        with pytest.raises(NotShown):
            log.event(*never, "click", 1.0).result(10)
    log.close()
    table = read_feedback(tmp_path / "f.sqlite").set_index("item_id")
    assert table["click"].to_dict() == {"a": 0, "b": 1, "c": 1} and log.lost == 0
    assert table["revenue"].to_dict() == {"a": 4, "b": 0, "c": 0}


def test_chances_of_explored_lists_are_what_happens():
    explorer, n, k = Explorer(0.5, seed=0), 20, 3
    draws = 4000
    counts, told = np.zeros((k, n)), np.zeros((k, n))
    for _ in range(draws):
        places, chances = explorer.choose(n, k)
        assert len(set(places.tolist())) == k
        counts[np.arange(k), places] += 1
        told[np.arange(k), places] = chances
    m = 5 * k
    assert told[0, 0] == pytest.approx(0.5 + 0.5 / m) and told[0, 1] == pytest.approx(0.5 / m)
    assert not counts[:, m:].any()
    np.testing.assert_allclose(counts[:, :m] / draws, told[:, :m], atol=0.025)


def test_what_is_served_can_be_judged(served, client):
    pytest.importorskip("recnb.effect.logs")
    from recnb.effect.logs import Log

    shown = client.get("/recommend", params={"user": "u0018", "k": 4}).json()
    item = shown["items"][0]["item_id"]
    event = {"slate_id": shown["slate_id"], "item_id": item, "event": "conversion"}
    assert client.post("/feedback", json=event).status_code == 204
    log = Log.from_frame(read_feedback(served.state / "feedback.sqlite"))
    assert {"click", "conversion"} <= set(log.outcomes) and log.mean("conversion") > 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nowhere"], "no artefact here"),
        (["{ease}", "--host", "0.0.0.0", "--state", "{tmp}"], "there are no keys"),
        (["{ease}", "--certificate", "a.pem"], "TLS needs both files"),
        (["{ease}", "--host", "no.such.host.invalid", "--open"], "cannot listen"),
        (["keys", "add", "--state", "{tmp}", "--scopes", "all"], "scopes all"),
        (["keys", "remove", "x", "--state", "{tmp}"], "no key 'x'"),
        (["log", "--state", "{tmp}"], "no feedback log here"),
    ],
)
def test_wrong_commands_end_in_one_line(artefact_of, tmp_path, monkeypatch, arguments, problem):
    from typer.testing import CliRunner

    from recnb.cli.main import app

    filled = [a.format(ease=artefact_of("ease"), tmp=tmp_path / "s") for a in arguments]
    done = CliRunner().invoke(app, ["serve", *filled])
    assert isinstance(done.exception, InputError) and problem in str(done.exception)


def test_a_port_that_is_taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(InputError, match="cannot listen"):
            bound("127.0.0.1", other.getsockname()[1])
