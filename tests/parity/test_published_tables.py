"""Cells of the published tables, counted again from the rows in ten lines of NumPy, and by `ranx` from the lists."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset, splits
from recnb.evaluation import evaluate
from recnb.models import Blend, make

ranx = pytest.importorskip("ranx")
NAME = "amazon-beauty-2014"


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """A script silences warnings in its process; the tests after it hear them again."""
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The benchmark as a module."""
    file = Path(__file__).parents[2] / "benchmarks" / "published_tables.py"
    spec = importlib.util.spec_from_file_location("published_tables", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Sequences with the columns of the real folder; items follow each other by a map, two times in three."""
    rng = np.random.default_rng(0)
    follows, rows = rng.permutation(60), []
    for user in range(150):
        items = [int(rng.integers(60))]
        while len(items) < rng.integers(5, 12):
            new = follows[items[-1]] if rng.random() < 0.65 else rng.integers(60)
            items += [int(new)] * (new not in items)
        parts = ["train"] * (len(items) - 2) + ["valid", "test"]
        rows += [(f"u{user}", f"i{i}", t, p) for t, (i, p) in enumerate(zip(items, parts))]
    out = tmp_path_factory.mktemp("data") / NAME
    out.mkdir()
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "position", "split"])
    frame.sample(frac=1, random_state=0).to_parquet(out / "interactions.parquet")
    return out


def by_hand(folder: Path, scores: pd.DataFrame) -> dict[str, float]:
    """From the rows of the file and the scores of a model, ids as labels: nothing of recnb."""
    rows = pd.read_parquet(folder / "interactions.parquet")
    test = rows[rows["split"] == "test"].set_index("user_id")["item_id"]
    known = rows[rows["split"] != "test"]
    left = scores.loc[test.index].to_numpy(copy=True)
    row, column = test.index.get_indexer, scores.columns.get_indexer
    left[row(known["user_id"]), column(known["item_id"])] = -np.inf
    target = left[np.arange(len(test)), column(test)]
    rank = (left > target[:, None]).sum(axis=1)  # items above the target: 0 is the first place
    gain = 1 / np.log2(rank + 2)
    return {f"{m}@{k}": float(np.where(rank < k, value, 0).mean())
            for k in (5, 10) for m, value in (("recall", 1.0), ("ndcg", gain))}  # fmt: skip


def by_ranx(folder: Path, lists: pd.DataFrame) -> dict[str, float]:
    """The same from lists."""
    rows = pd.read_parquet(folder / "interactions.parquet")
    test = rows[rows["split"] == "test"]
    qrels = ranx.Qrels({row.user_id: {row.item_id: 1} for row in test.itertuples()})
    run: dict[str, dict[str, float]] = {}
    for row in lists.itertuples():
        run.setdefault(row.user_id, {})[row.item_id] = -float(row.rank)
    names = ["recall@5", "recall@10", "ndcg@5", "ndcg@10"]
    return {
        n: float(v)
        for n, v in ranx.evaluate(qrels, ranx.Run(run), names, make_comparable=True).items()
    }


def test_three_ways_give_the_same_cells(script, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("RECNB_DATA", str(folder.parent))
    monkeypatch.setattr(script, "KEPT", tmp_path / "kept")
    rows = {
        name: script.ROWS[name]
        for name in ("itemknn_recent", "transitions", "transitions+itemknn_recent")
    }
    found = script.measure(NAME, rows, trials=3, users=100)
    split = splits.predefined(Dataset.from_folder(folder))
    ds = split.dataset
    kept = {
        n: script.tuned(rows[n], n, tmp_path / "kept" / NAME, split, 3, 100) for n in list(rows)[:2]
    }
    kept["transitions+itemknn_recent"] = Blend(
        [kept["transitions"], kept["itemknn_recent"]], users=100
    )
    lists = evaluate(kept, split, script.PROTOCOL).lists
    for name, model in kept.items():
        cells = {r["metric"]: r["value"] for r in found["records"] if r["model"] == name}
        if name != "transitions+itemknn_recent":  # its weight is chosen inside evaluate
            fitted = model.fit(split.known)
            scores = pd.DataFrame(fitted.score(np.arange(ds.n_users)), ds.user_ids, ds.item_ids)
            assert by_hand(folder, scores) == pytest.approx(
                cells, abs=0.01
            )  # ties: by a hash, here all won
        assert by_ranx(folder, lists[lists["model"] == name]) == pytest.approx(cells, abs=1e-6)
        assert 0.2 < cells["ndcg@10"] < cells["recall@10"] < 1
    assert found["split"]["test"] == 150 and found["split"]["users"] == 150
    pairs = {(d["model"], d["k"]): d for d in found["differences"]}
    assert pairs["itemknn_recent", 10]["difference"] == pytest.approx(
        _value(found, "itemknn_recent") - _value(found, "transitions")
    )


def test_finished_work_is_not_done_again_and_results_are_merged(
    script, folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("RECNB_DATA", str(folder.parent))
    monkeypatch.setattr(script, "KEPT", tmp_path / "kept")
    out = str(tmp_path / "results")
    line = [
        "published_tables.py",
        "--data",
        NAME,
        "--trials",
        "2",
        "--users",
        "50",
        "--output",
        out,
    ]
    monkeypatch.setattr(sys, "argv", [*line, "--rows", "popularity,transitions"])
    script.main()
    monkeypatch.setattr(script, "search", None)  # what is kept is read
    monkeypatch.setattr(sys, "argv", [*line, "--rows", "vs", "--more", "vs=sknn[idf=1.0]"])
    with pytest.raises(TypeError):
        script.main()  # the new row has to be searched
    monkeypatch.undo()
    monkeypatch.setenv("RECNB_DATA", str(folder.parent))
    monkeypatch.setattr(script, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(sys, "argv", [*line, "--rows", "vs", "--more", "vs=sknn[idf=1.0]"])
    script.main()
    held = pd.read_json(tmp_path / "results" / "published_tables.json", typ="series")
    assert {r["model"] for r in held["records"]} == {"popularity", "transitions", "vs"}
    assert "ratio: 0.000" in capsys.readouterr().out
    assert [g["reached"] for g in held["goals"]] == [True]
    assert make("sknn").get_params()["idf"] == 0.0


def _value(found: dict, model: str) -> float:
    return next(
        r["value"] for r in found["records"] if (r["model"], r["metric"]) == (model, "ndcg@10")
    )


def test_what_another_machine_measured_stays_until_it_is_measured_here(script, tmp_path):
    file, same = tmp_path / "found.json", ("data", "model")
    earlier = [
        {"data": data, "model": model, "seed": seed, "value": 1.0}
        for data in ("films", "shop")
        for model in ("a", "b")
        for seed in (0, 1)
    ]
    new = [{"data": "films", "model": "b", "seed": 0, "value": 2.0}]
    assert script.with_earlier(file, {"records": new}, same)["records"] == new
    script.write(file, {"records": earlier})
    rows = script.with_earlier(file, {"records": new}, same)["records"]
    kept = [row for row in earlier if (row["data"], row["model"]) != ("films", "b")]
    assert rows == [*kept, *new]  # of a piece that is measured again, no seed of the earlier fit
