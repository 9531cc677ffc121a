"""Real Ray, one cluster for all: the same numbers as one process, also when a worker is killed; and the plan."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace

import httpx
import numpy as np
import pandas as pd
import pytest

from recnb import Protocol, splits
from recnb.errors import InputError
from recnb.models import EASE, parse_models
from recnb.serving.scale.planning import UnitCosts, Wanted, plan
from recnb.study.run import Study, run

pytest.importorskip("ray")
from recnb.serving.scale.cluster import RayWorkers
from recnb.serving.scale.encode import encode_catalogue
from recnb.serving.scale.replicas import application, replicas


class Here:
    """Jobs one after another in this process."""

    def each(self, function, shared, jobs):
        for number, job in enumerate(jobs):
            yield number, function(shared, *job)


class Fragile(EASE):
    """EASE whose process is killed the first time that it is fitted."""

    def __init__(self, l2: float = 100.0, marker: str = "") -> None:
        super().__init__(l2)
        self.marker = marker

    def fit(self, train, valid=None):
        if self.marker and not os.path.exists(self.marker):
            with open(self.marker, "w"):
                pass
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(train, valid)


@pytest.fixture(scope="module")
def cluster():
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with RayWorkers("local:2") as workers:
        yield workers


def read(folder, name):
    return json.loads((folder / name).read_text())


def test_two_workers_give_the_results_of_one_process_also_when_one_is_killed(
    films, cluster, tmp_path
):
    split, protocol = splits.random(films), Protocol(draws=1000)
    models = parse_models("popularity,als[n_epochs=2],ease")

    def study(ease):
        return Study(split, {**models, "ease": ease}, protocol, seeds=(0, 1), trials=3)

    one = run(study(EASE()), tmp_path / "one")
    marker = tmp_path / "killed"
    fragile = Fragile(marker=str(marker))
    said = []
    two = run(study(fragile), tmp_path / "two", said=said.append, workers=cluster)
    assert marker.is_file() and not any("reused" in line for line in said)
    for name in ("results.json", "comparisons.json", "groups.json"):
        assert read(tmp_path / "one", name) == read(tmp_path / "two", name), name
    for name in ("per_user.parquet", "recommendations.parquet"):
        pd.testing.assert_frame_equal(
            pd.read_parquet(tmp_path / "one" / name), pd.read_parquet(tmp_path / "two" / name)
        )
    assert one.table().equals(two.table())


def test_a_refusal_comes_through_and_a_wrong_address_is_named(cluster):
    def refuse(shared, x):
        if x == 2:
            raise InputError("no such thing", mend="another")
        return shared + x

    results = cluster.each(refuse, 10, [(1,), (2,)])
    with pytest.raises(InputError, match="no such thing"):
        dict(results)
    with pytest.raises(InputError, match="--workers two"):
        RayWorkers("two")
    with pytest.raises(InputError, match="--replicas 4:1"):
        replicas("4:1")


def test_a_catalogue_is_encoded_to_the_same_vectors(films, cluster, encoder):
    texts = [*films.items["title"], "", films.items["title"].iloc[0]]
    folder = str(encoder.source.folder)
    here = encode_catalogue(texts, Here(), folder, block=64, cache=False)
    there = encode_catalogue(texts, cluster, folder, block=64, cache=False)
    assert (here == there).all() and not there[-2].any() and (there[0] == there[-1]).all()
    np.testing.assert_allclose(there, encoder.encode(texts), atol=1e-6)


def test_the_service_answers_as_a_ray_serve_application(artefact_of, cluster, tmp_path):
    from ray import serve

    from recnb.recommender import top_k
    from recnb.serving import open_artefact
    from recnb.serving.http.service import Settings

    folder = artefact_of("ease")
    settings = Settings((folder,), tmp_path / "state", open=True, milliseconds=10_000)
    port = 18_765
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        serve.run(application(settings, 1, 2), name="recnb", route_prefix="/")
        artefact = open_artefact(folder)
        user = str(artefact.model.user_ids_[3])
        answer = httpx.get(f"http://127.0.0.1:{port}/recommend", params={"user": user}, timeout=60)
    finally:
        serve.shutdown()
    expected = artefact.model.item_ids_[top_k(artefact.model, np.array([3]), 10, artefact.known)[0]]
    assert [item["item_id"] for item in answer.json()["items"]] == expected.tolist()


COSTS = UnitCosts(1.0, 2.0, 15.0, 50_000, 1_000_000, 128, 240e6, 1.0, 0.4e9, 2.0)


def test_a_plan_is_arithmetic_that_can_be_checked_by_hand():
    made = plan(Wanted(items=100e6, users=1e9, qps=50_000), COSTS)
    assert made["index"] == pytest.approx(24.0)  # 100e6 x 240 bytes
    assert made["users"] == pytest.approx(456.0)  # 1e9 x (128 x 2 + 50 x 4)
    assert made["room of a machine"] == pytest.approx(0.6 * 128 - 0.4)
    assert made["shards"] == 1
    assert made["machines for memory"] == 9  # 456 / (76.4 - 24), rounded up
    assert made["search"] == pytest.approx(100**0.75)
    assert made["request"] == pytest.approx(0.8 * 1 + 0.2 * 2 + 100**0.75)
    assert made["machines for cores"] == np.ceil(50_000 * made["request"] / 1000 / 0.6 / 16)
    assert made["machines"] == max(made["machines for cores"], 9)
    rent = made["machines"] * 730 * (16 * 0.03 + 128 * 0.004)
    assert made["month"] == pytest.approx(rent)
    twice = plan(Wanted(items=100e6, users=1e9, qps=100_000), COSTS)
    assert twice["machines for cores"] == pytest.approx(2 * made["machines for cores"], abs=1)
    huge = plan(Wanted(items=1e9, users=1e6, qps=10), COSTS)
    assert huge["shards"] == np.ceil(2 * 240 / 76.4) and huge["machines"] == 2 * huge["shards"]
    with pytest.raises(InputError, match="busy=2"):
        plan(Wanted(items=1, users=1, qps=1, busy=2), COSTS)
    with pytest.raises(InputError, match="no room"):
        plan(Wanted(items=1, users=1, qps=1, memory_gb=0.5), COSTS)


def test_the_command_reads_measured_costs(tmp_path):
    from typer.testing import CliRunner

    from recnb.cli.main import app

    arguments = ["plan", "--items", "100e6", "--users", "1e9", "--qps", "50000"]
    done = CliRunner().invoke(app, [*arguments, "--results", str(tmp_path)])
    assert isinstance(done.exception, InputError) and "run benchmarks/serving.py" in str(
        done.exception
    )
    loads = {
        f"load {kind} 8 recnb": {"server": "recnb", "kind": kind, "server_cpu_ms": ms}
        for kind, ms in (("known", 1.0), ("history", 2.0), ("text", 15.0))
    }
    files = {
        "serving": {
            "settings": {"items": 50_000},
            "measured": {**loads, "start recnb": {"memory_mb": 400}},
        },
        "item_index": {
            "settings": {"items": 1_000_000, "dim": 128},
            "indexes": {"ivfpq": {"n_bytes": 240e6, "ms": 1.0}},
        },
        "compress": {"sets": [{"forms": {"onnx int8": {"texts_per_second": 500}}}]},
    }
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    measured = UnitCosts.recorded(tmp_path)
    assert replace(measured, sources=()) == COSTS and len(measured.sources) == 3
    done = CliRunner().invoke(app, [*arguments, "--results", str(tmp_path)])
    assert done.exit_code == 0 and "results/item_index.json" in done.output
    made = plan(Wanted(items=100e6, users=1e9, qps=50_000), COSTS)
    assert f"{made['machines']:,.0f}" in done.output and "month" in done.output
