"""A service answers soon after its start: nothing is imported that it does not use, and texts may wait a moment."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading

import httpx
import pytest

from recnb.errors import InputError
from recnb.serving import manifest
from recnb.serving.artefact import open_artefact
from recnb.serving.encoder import onnx

# Part of each path that is mapped once such a library is imported.
NEVER = ("/torch/", "/scipy/stats/", "/scipy/optimize/", "/sklearn/tree/", "/implicit/", "/numba/")
FIRST_ANSWER = """
import asyncio, sys
from pathlib import Path
from recnb.serving.http import worker
worker.put_off(*worker.LATER)
from recnb.serving.http.app import create_app
from recnb.serving.http.service import Settings
app = create_app(Settings((Path(sys.argv[1]),), open=True, milliseconds=5000, watch=0, late=True))
sent, scope = [], {"type": "http", "method": "GET", "path": "/recommend", "query_string": b"user=u0018", "headers": []}
async def ask():
    async def send(message):
        sent.append(message)
    await app(scope, asyncio.Event().wait, send)
asyncio.run(ask())
print(sent[0]["status"], b'"by":"model"' in sent[1]["body"], "sklearn.base" in sys.modules)
later = {"torch", "transformers", "onnxruntime", "tokenizers", "pandas.core", "scipy.stats._stats_py", "scipy.optimize",
    "numpy.f2py.f2py2e", "pyarrow.dataset", "pyarrow._compute", "sklearn.tree"}
print(sorted(later & set(sys.modules)))
"""


def test_the_first_answer_needs_few_libraries(artefact_of):
    command = [sys.executable, "-c", FIRST_ANSWER, str(artefact_of("als"))]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.stdout.splitlines() == ["200 True True", "[]"], run.stderr


def test_the_process_imports_nothing_that_it_does_not_use(artefact_of, serve):
    one = serve(artefact_of("als"), options=("--open", "--milliseconds", "5000"))
    with httpx.Client(base_url=one.url, timeout=30) as client:
        asked = client.get("/recommend", params={"user": "u0018", "where": "category:Crime"})
        assert asked.json()["by"] == "model"
        assert client.post("/recommend", json={"text": "a film"}).json()["by"] == "text"
        assert client.get("/ready").json() == {"ready": True, "loading": []}
    there = " ".join(file.path for file in one.worker().memory_maps())
    assert "/onnxruntime/" in there and "/pandas/" in there  # such a path is seen
    assert [part for part in NEVER if part in there] == []


def test_a_module_that_is_put_off_is_there_when_it_is_used():
    code = """
import sys
from recnb.optional import put_off
put_off("scipy.stats", "no_such_package.part")
import importlib.util, sklearn.base, scipy
assert importlib.util.find_spec("scipy.stats").name == "scipy.stats"
print("scipy.stats._stats_py" in sys.modules, "no_such_package.part" in sys.modules)
import scipy.stats as stats
print(round(float(stats.norm.cdf(0)), 3), scipy.stats.norm is stats.norm, "scipy.stats._stats_py" in sys.modules)
from scipy.stats import rankdata
put_off("scipy.stats")
print(rankdata([3, 1]).tolist(), sys.modules["scipy.stats"].rankdata is rankdata)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.split() == [
        *["False", "False"],
        *["0.5", "True", "True"],
        *["[2.0,", "1.0]", "True"],
    ], run.stderr


def test_known_users_are_answered_while_the_encoder_is_read(artefact_of, monkeypatch):
    from recnb.serving.http.app import create_app
    from recnb.serving.http.service import Settings

    may_be_read, real = threading.Event(), onnx.OnnxEncoder

    def slow(*arguments):
        may_be_read.wait(30)
        return real(*arguments)

    monkeypatch.setattr(onnx, "OnnxEncoder", slow)

    async def run():
        folder = artefact_of("ease")
        app = create_app(Settings((folder,), open=True, milliseconds=300, watch=0, late=True))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
            text = {"text": "a film"}
            before = [
                await client.get("/ready"),
                await client.get("/recommend", params={"user": "u0018"}),
                await client.post("/recommend", json=text),
            ]
            may_be_read.set()
            app.state.service.live(None).artefact.encoder.read().result(30)
            after = [await client.get("/ready"), await client.post("/recommend", json=text)]
        return [answer.json() for answer in before], [answer.json() for answer in after]

    (ready, known, text), (ready_after, text_after) = asyncio.run(run())
    assert ready == {"ready": True, "loading": ["ease-0"]}
    assert known["by"] == "model"
    assert text["by"] == "popularity" and text["fallback"] == "the encoder is still being read"
    assert ready_after == {"ready": True, "loading": []} and text_after["by"] == "text"


@pytest.fixture
def copied(artefact_of, tmp_path):
    folder = tmp_path / "copied"
    shutil.copytree(artefact_of("popularity"), folder)
    return folder


def test_an_encoder_that_cannot_be_read_ends_the_service_in_one_line(copied, tmp_path):
    file = copied / "encoder/model.onnx"
    file.write_bytes(b"no network")
    shutil.rmtree(copied / "evaluation", ignore_errors=True)
    head = manifest.read(copied)
    facts = {k: v for k, v in head.items() if k not in ("kind", "schema", "files", "digest")}
    (copied / manifest.NAME).unlink()
    manifest.write(copied, facts)
    command = [
        sys.executable,
        "-m",
        "recnb.cli.main",
        "serve",
        str(copied),
        "--port",
        "0",
        "--open",
    ]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    lines = [line for line in run.stderr.splitlines() if not line.startswith("serving ")]
    assert len(lines) == 1 and "the encoder cannot be read" in lines[0]


def test_an_encoder_is_not_read_from_another_artefact(copied):
    artefact = open_artefact(copied, late=True)
    (copied / "encoder/model.onnx").touch()
    with pytest.raises(InputError, match="was replaced"):
        artefact.encoder.encode(["a film"])
    assert not artefact.encoder.ready
