"""The output folder: fields as promised, numbers that any tool can recompute, nothing half written."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from recnb import InputError, evaluate
from recnb.data import splits
from recnb.evaluation import Evaluation, Protocol
from tests.unit.evaluation.conftest import Mean, Noisy, build, table

FIELDS = {
    "results": "model seed metric k candidates value low high n_users",
    "comparisons": "model to metric k candidates difference low high p p_holm n_users",
    "audit": "code severity value n evidence mend",
}
COSTS = "fit_seconds score_seconds peak_memory_mb trainable_parameters total_parameters device"


def judged(name="user_time", **settings):
    rows = table(ties=True)
    split = splits.make(build(rows), name)
    ds = split.dataset
    scores = np.random.default_rng(0).random((ds.n_users, ds.n_items), dtype=np.float32)
    lists = pd.DataFrame({"user_id": ds.user_ids[:9], "item_id": ds.item_ids[:9], "rank": 1})
    models = {"mean": Mean(), "noisy": Noisy(), "scores": scores, "theirs": lists}
    protocol = Protocol(**{"k": (3, 10), "metrics": ("ndcg", "recall", "auc"), **settings})
    return evaluate(models, split, protocol, seeds=(0, 1))


@pytest.fixture(scope="module")
def ev():
    return judged()


@pytest.fixture(scope="module")
def folder(ev, tmp_path_factory):
    path = tmp_path_factory.mktemp("out") / "deep" / "folder"
    ev.save(path)
    return path


def read(folder, name):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FIELDS)
def test_fields(folder, name):
    records = read(folder, name)
    assert records
    for record in records:
        assert list(record) == FIELDS[name].split()


def test_values_are_numbers_or_null(folder):
    records = read(folder, "results")
    assert {r["candidates"] for r in records} == {"catalogue"}
    assert {r["seed"] for r in records if r["model"] == "noisy"} == {0, 1}
    assert {r["k"] for r in records if r["metric"] in ("auc", "rmse", "mae")} == {None}
    assert {r["k"] for r in records if r["metric"] == "ndcg"} == {3, 10}
    for r in records:
        assert type(r["n_users"]) is int and type(r["value"]) is float
    text = "".join(p.read_text(encoding="utf-8") for p in folder.glob("*.json"))
    assert "NaN" not in text and "Infinity" not in text  # neither is JSON


def test_models_and_run(folder, ev):
    models = read(folder, "models")
    assert [(m["model"], m["seed"]) for m in models] == [
        ("mean", 0), ("noisy", 0), ("noisy", 1), ("scores", 0), ("theirs", 0),
    ]  # fmt: skip
    assert models[1]["settings"] == {"noise": 3.0, "seed": 0} and models[2]["settings"]["seed"] == 1
    assert set(COSTS.split()) <= set(models[0])
    run = read(folder, "run")
    assert run["schema"] >= 1 and run["protocol"]["k"] == [3, 10]
    assert run["dataset"]["digest"] and run["split"]["digest"] and run["versions"]["numpy"]
    assert run["split"]["settings"]["tie_seed"] == 0
    groups = read(folder, "groups")
    assert {g["by"] for g in groups} == {"activity", "popularity", "side", "age"}


def test_parquet_fields(folder):
    expected = {
        "per_user": "model seed metric k candidates user_id value weight",
        "recommendations": "model seed candidates user_id rank item_id score",
        "split": "user_id item_id part timestamp target",
    }
    for name, columns in expected.items():
        frame = pd.read_parquet(folder / f"{name}.parquet")
        assert list(frame) == columns.split() and len(frame)
    lists = pd.read_parquet(folder / "recommendations.parquet")
    assert lists["rank"].min() == 1 and lists["rank"].max() == 10
    keys = ["model", "seed", "candidates", "user_id"]
    assert (
        not lists.duplicated([*keys, "rank"]).any()
        and not lists.duplicated([*keys, "item_id"]).any()
    )
    ordered = lists[lists["model"] == "scores"].groupby(keys)["score"]
    assert ordered.apply(lambda s: s.is_monotonic_decreasing).all()


@pytest.mark.parametrize(
    ("name", "repeats"),
    [
        ("user_time", "exclude"),
        ("cold_item", "exclude"),
        ("cold_user", "exclude"),
        ("random", "include"),
    ],
)
def test_another_tool_recomputes_every_number(tmp_path, name, repeats):
    """From split.parquet, recommendations.parquet and the ratings, with pandas alone."""
    ev = judged(name, repeats=repeats)
    ev.save(tmp_path)
    lists = pd.read_parquet(tmp_path / "recommendations.parquet")
    parts = pd.read_parquet(tmp_path / "split.parquet")
    ratings = table(ties=True)[["user_id", "item_id", "rating"]]
    parts = parts.merge(ratings, on=["user_id", "item_id"], validate="one_to_one")
    relevant = parts[(parts["part"] == "test") & (parts["rating"] >= 4)]
    n = relevant.groupby("user_id").size()
    hits = lists.merge(relevant[["user_id", "item_id"]].assign(hit=1.0), how="left")
    hits["hit"] = hits["hit"].fillna(0)
    hits["gain"] = hits["hit"] / np.log2(hits["rank"] + 1)
    checked = 0
    for r in read(tmp_path, "results"):
        if r["metric"] not in ("ndcg", "recall"):
            continue
        mine = hits[
            (hits["model"] == r["model"])
            & (hits["seed"] == r["seed"])
            & (hits["candidates"] == r["candidates"])
            & (hits["rank"] <= r["k"])
        ]
        found = mine.groupby("user_id")[["hit", "gain"]].sum().reindex(n.index, fill_value=0)
        if r["metric"] == "recall":
            values = found["hit"] / n
        else:
            ideal = 1 / np.log2(np.arange(2, r["k"] + 2))
            values = found["gain"] / np.cumsum(ideal)[np.minimum(n, r["k"]) - 1]
        assert r["n_users"] == len(n)
        assert r["value"] == pytest.approx(values.mean(), abs=1e-12)
        checked += 1
    assert checked == 5 * 2 * 2 * (2 if name == "cold_item" else 1)
    # and nothing known is listed
    if repeats == "exclude":
        known = parts[parts["part"] != "test"][["user_id", "item_id"]]
        own = lists[lists["model"] != "theirs"]
        assert own.merge(known).empty


def test_per_user_values_are_the_results(folder):
    per_user = pd.read_parquet(folder / "per_user.parquet")
    for r in read(folder, "results"):
        mine = per_user.query(
            "model == @r['model'] and seed == @r['seed'] and metric == @r['metric']"
        )
        mine = mine[mine["k"].isna() if r["k"] is None else mine["k"] == r["k"]]
        mean = np.average(mine["value"], weights=mine["weight"])
        assert r["value"] == pytest.approx(np.sqrt(mean) if r["metric"] == "rmse" else mean)
        assert r["n_users"] == len(mine)


def test_what_is_loaded_is_what_was_saved(ev, folder, tmp_path):
    back = Evaluation.load(folder)
    assert back.models == ev.models and back.keys == ev.keys and back.headline == ev.headline
    pd.testing.assert_frame_equal(back.table(), ev.table())
    pd.testing.assert_frame_equal(back.by_seed(), ev.by_seed())
    pd.testing.assert_frame_equal(back.comparisons(), ev.comparisons())
    pd.testing.assert_frame_equal(back.per_user, ev.per_user)
    pd.testing.assert_frame_equal(back.lists, ev.lists)
    pd.testing.assert_frame_equal(back.costs, ev.costs, check_dtype=False)
    pd.testing.assert_frame_equal(back.users, ev.users)
    for group in ("activity", "side", "age"):
        pd.testing.assert_frame_equal(back.by(group), ev.by(group))
    assert back.findings == ev.findings
    assert back.settings == json.loads(json.dumps(ev.settings))
    back.save(tmp_path)
    for path in folder.glob("*.json"):
        assert (tmp_path / path.name).read_text() == path.read_text(), path.name


def test_a_kill_leaves_the_earlier_files_whole(ev, folder, tmp_path, monkeypatch):
    ev.save(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def killed(self, path, **settings):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_parquet", killed)
    with pytest.raises(KeyboardInterrupt):
        ev.save(tmp_path)
    for name, content in before.items():
        assert (tmp_path / name).read_bytes() == content or name.endswith(".json")
    assert pd.read_parquet(tmp_path / "per_user.parquet").equals(ev.per_user)


def test_wrong_folders(folder, tmp_path):
    with pytest.raises(InputError, match=r"no run.json here; name an output of recnb evaluate"):
        Evaluation.load(tmp_path)
    (tmp_path / "run.json").write_text('{"schema": 99}')
    with pytest.raises(InputError, match="written by another version; run evaluate again"):
        Evaluation.load(tmp_path)
