"""A stranger's folder of sequences on the command line: a split of its own, the next event, data without an order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from tests.unit.cli.test_commands import recnb

MODELS = "popularity,ease,ease_recent,transitions,vsknn,transitions+itemknn"


def write(folder: Path, **columns: bool) -> Path:
    """Sequences in which items follow each other by a map, two times in three; columns under other names."""
    rng = np.random.default_rng(0)
    follows, rows = rng.permutation(40), []
    for user in range(60):
        items = [int(rng.integers(40))]
        while len(items) < rng.integers(6, 14):
            new = follows[items[-1]] if rng.random() < 0.65 else rng.integers(40)
            items += [int(new)] * (new not in items)
        parts = ["train"] * (len(items) - 3) + ["valid", "test", "test"]
        rows += [(f"u{user}", f"p{i}", t * 3, p) for t, (i, p) in enumerate(zip(items, parts))]
    frame = pd.DataFrame(rows, columns=["userId", "product_id", "sequence", "split"])
    folder.mkdir()
    kept = [c for c in frame if columns.get(c, True)]
    frame[kept].sample(frac=1, random_state=0).to_csv(folder / "interactions.csv", index=False)
    return folder


def test_sequence_models_are_judged_on_the_next_event(tmp_path: Path):
    write(tmp_path / "mine")
    line = ("evaluate", "mine", "--split", "predefined", "--models", MODELS, "--next-event")
    done = recnb(*line, "--trials", "2", "--draws", "1000", "-q", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = pd.DataFrame(json.loads((tmp_path / "out" / "results.json").read_text()))
    value = rows[rows["metric"] == "ndcg"].set_index("model")["value"]
    assert list(value.index) == MODELS.split(",")
    assert (
        value["transitions"] > value["ease"] > 0 and value["transitions"] > 2 * value["popularity"]
    )
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["protocol"]["next_event"] and run["split"]["judged_events"] == 120
    lists = pd.read_parquet(tmp_path / "out" / "recommendations.parquet")
    assert lists.groupby("user_id")["event"].max().eq(2).all()


def test_without_an_order_there_is_no_next_event(tmp_path: Path):
    write(tmp_path / "mine", sequence=False)
    plain = ("evaluate", "mine", "--split", "predefined", "-q", "--output", "out")
    for more, said in (
        (("--models", "popularity", "--next-event"), "has no order, so no event is the next one"),
        (("--models", "transitions"), "reads the order of events and 'mine' has none"),
    ):
        done = recnb(*plain, *more, cwd=tmp_path)
        assert done.returncode == 2 and said in done.stderr
        assert not (tmp_path / "out" / "results.json").exists()
