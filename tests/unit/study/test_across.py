"""One study over several data sets: what is compared with what, Holm over the whole table, going on after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from recnb import load
from recnb.cli.main import main
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.metrics import pooled, relative
from recnb.models import parse_models
from recnb.study.across import AcrossPlan, read_set, run_across
from recnb.study.across.cell import folder_of, key_of, read_cell
from recnb.study.across.plan import Cell, cells_of, sides, split_of
from recnb.study.across.run import Clock

MODELS = "popularity,tfidf,text_frozen,itemknn+text_frozen"
PLAN = AcrossPlan(
    ("warm", "items"), draws=(0, 1), protocol=Protocol(k=5, metrics=("ndcg",), draws=1000)
)
SETS = {
    name: partial(load, f"generated-{name}", n_users=60, n_items=40) for name in ("news", "shop")
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two small worlds in two situations, new items drawn twice, and what was said on the way."""
    folder = tmp_path_factory.mktemp("across")
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recnb.study.across.run.PILOT_USERS", 30)
        result = run_across(
            SETS, parse_models(MODELS), PLAN, folder, report=said.append, pages=False
        )
    return result, folder, said


def test_the_table_is_model_by_domain_by_situation(study):
    result, folder, _ = study
    rows = {(r["data"], r["situation"], r["model"]) for r in result["rows"]}
    models = ("text_frozen", "itemknn+text_frozen")
    assert rows == {(d, s, m) for d in SETS for s in PLAN.situations for m in models}
    assert all(r["to"] in ("popularity", "tfidf") for r in result["rows"])
    assert json.loads((folder / "across.json").read_text()) == json.loads(json.dumps(result))


def test_holm_is_over_the_whole_table_as_statsmodels_has_it(study):
    for table in ("rows", "pooled"):
        tested = [r for r in study[0][table] if r["p"] is not None]
        assert len(tested) >= 4
        adjusted = multipletests([r["p"] for r in tested], method="holm")[1]
        assert [r["p_holm"] for r in tested] == pytest.approx(adjusted)


def test_models_are_chosen_on_validation_alone(study):
    result = study[0]
    for s in result["sets"]:
        rows = [r for r in result["rows"] if (r["data"], r["situation"]) == (s["data"], s["situation"])]  # fmt: skip
        plain = {m: v for m, v in s["valid"].items() if m not in [r["model"] for r in rows]}
        assert {r["to"] for r in rows} == {max(plain, key=plain.get)}
        best = max(rows, key=lambda r: s["valid"][r["model"]])
        assert [r["chosen"] for r in rows] == [r is best for r in rows]


def test_a_row_is_the_relative_change_of_the_kept_values(study):
    result, folder, _ = study
    row = next(r for r in result["rows"] if r["situation"] == "items" and r["data"] == "shop")
    users = pd.concat(
        [pd.read_parquet(folder / "cells" / f"shop-items-{d}" / "cell.parquet").assign(draw=d) for d in (0, 1)]
    )  # fmt: skip
    found = relative(users[row["model"]], users[row["to"]], users["user_id"], users["draw"])
    assert (row["change"], row["p"]) == pytest.approx((found.change, found.p))
    per_user = pd.read_parquet(folder / "cells" / "shop-items-0" / "per_user.parquet")
    on_shelf = per_user[(per_user["model"] == row["model"]) & (per_user["candidates"] == "shelf")]
    kept = users[users["draw"] == 0].set_index("user_id")[row["model"]]
    assert kept.to_dict() == pytest.approx(on_shelf.set_index("user_id")["value"].to_dict())


def test_sets_are_pooled_on_the_logarithm(study):
    result = study[0]
    row = next(r for r in result["pooled"] if r["model"] == "text_frozen" and r["n_sets"] == 2)
    inside = [r for r in result["rows"] if r["situation"] == row["situation"]]
    members = [r for r in inside if r["model"] == "text_frozen"]
    found = pooled([r["log"] for r in members], [r["error"] for r in members])
    assert (row["change"], row["tau2"]) == pytest.approx((np.expm1(found.value), found.tau2))
    assert row["low"] < row["change"] < row["high"] and row["predict_low"] is None  # of two sets


def test_the_page_shows_every_row(study):
    result, folder, _ = study
    page = (folder / "report.html").read_text(encoding="utf-8")
    for row in result["rows"]:
        assert f"{row['data']}, {row['model']}" in page
    assert page.count("<svg") == 2 and not result["reports"]


def test_the_time_is_said_before_and_a_repeated_run_computes_nothing(study, monkeypatch):
    result, folder, said = study
    assert said[0].startswith("6 cells, about ") and said[1].startswith("news warm 0: done in")
    again: list[str] = []
    monkeypatch.setattr("recnb.study.across.cell.run", None)  # would fail where anything is judged
    repeated = run_across(SETS, parse_models(MODELS), PLAN, folder, report=again.append)
    assert again == ["6 of 6 cells were finished before"]
    assert repeated == result


def test_other_settings_are_other_work(study):
    """A finished cell counts only for the same models, split, measure, seeds and trials."""
    ds, models = SETS["news"](), parse_models(MODELS)
    cell = Cell("news", "items", 0)
    split = split_of(ds, cell, PLAN)
    key = key_of(split, models, PLAN)
    place = folder_of(cell, study[1])
    assert read_cell(cell, place, key) is not None
    others = {
        key_of(split, parse_models(f"{MODELS},itemknn"), PLAN),
        key_of(split, parse_models(MODELS.replace("tfidf", "tfidf[l2=3]")), PLAN),
        key_of(split_of(ds, Cell("news", "items", 1), PLAN), models, PLAN),
        key_of(split, models, replace(PLAN, protocol=Protocol(k=3, metrics=("ndcg",)))),
        key_of(split, models, replace(PLAN, trials=2)),
    }
    assert len(others) == 5 and key not in others
    assert all(read_cell(cell, place, other) is None for other in others)


def _folder(path, seed):
    rng = np.random.default_rng(seed)
    words = ["green tea", "black tea", "rye bread", "wheat bread", "blue soap", "red soap"]
    items = pd.DataFrame({"item_id": [f"i{i}" for i in range(36)]})
    items["title"] = [f"{words[i % 6]} {i}" for i in range(36)]
    rows = [
        (f"u{u}", f"i{i}", t)
        for u in range(40)
        for t, i in enumerate(rng.permutation(np.r_[np.arange(u % 6, 36, 6), rng.choice(36, 4)]))
    ]
    path.mkdir()
    items.to_csv(path / "items.csv", index=False)
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    frame.drop_duplicates(["user_id", "item_id"]).to_csv(path / "interactions.csv", index=False)


def test_a_killed_run_goes_on_and_ends_as_one_that_was_not(tmp_path):
    """The real command, killed hard after its first finished cell."""
    for at, name in enumerate(("one", "two")):
        _folder(tmp_path / name, at)
    models = ["--models", "popularity,text_frozen", "--situations", "warm"]
    line = [sys.executable, "-m", "recnb.cli.main", "across", "one,two", *models, "-q"]
    process = subprocess.Popen(
        [*line, "--output", "killed"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # fmt: skip
    cells = tmp_path / "killed" / "cells"
    end = time.monotonic() + 240
    while not list(cells.glob("*/cell.json")) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = {p: p.stat().st_mtime_ns for p in cells.glob("*/cell.json")}
    assert len(finished) == 1 and not (tmp_path / "killed" / "across.json").exists()
    plan = AcrossPlan(("warm",))
    sets = {n: lambda n=n: load(tmp_path / n) for n in ("one", "two")}
    named = parse_models(models[1])
    said: list[str] = []
    went_on = run_across(sets, named, plan, tmp_path / "killed", report=said.append)
    assert said[0].startswith("1 of 2 cells were finished before; 1 to come")
    assert {p: p.stat().st_mtime_ns for p in finished} == finished  # not computed again
    page = (tmp_path / "killed" / "report.html").read_text(encoding="utf-8")
    for path in went_on["reports"].values():  # each cell has a report of its own
        assert (tmp_path / "killed" / path).is_file() and f'href="{path}"' in page
    whole = run_across(sets, named, plan, tmp_path / "whole", pages=False)
    drop = ("rows", "pooled", "groups", "pooled_groups")
    assert {k: went_on[k] for k in drop} == {k: whole[k] for k in drop}


def test_a_set_is_named_with_core_and_users():
    def read(name):
        return load(name, n_users=120, n_items=60)

    core = read_set("generated-shop:12", read)
    assert min(np.diff(core.pairs().indptr)) >= 12 and core.n_users < 120
    some = read_set("generated-shop:12@30", read)
    assert some.n_users == 30 and set(some.user_ids) < set(core.user_ids)
    assert read_set("generated-shop@30", read).n_users == 30
    for name in ("x@many", "x@0", "x:few", "x:5@", "x:"):
        with pytest.raises(InputError, match="no whole number above 0"):
            read_set(name, read)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: AcrossPlan(("hot",)), "no situation 'hot'"),
        (lambda: AcrossPlan(draws=(0, 0)), "each once"),
        (lambda: AcrossPlan(valid=0.0), "no validation part"),
        (lambda: sides(parse_models("ease,tfidf")), "none with a language model"),
        (lambda: sides(parse_models("text_frozen")), "none without a language model"),
    ],
)
def test_wrong_input(call, said):
    with pytest.raises(InputError, match=said):
        call()


def test_a_set_without_text_is_told_before_anything_is_fitted(tmp_path):
    bare = pd.DataFrame({"user_id": list("aabb"), "item_id": list("xyxz"), "timestamp": range(4)})
    bare.to_csv(tmp_path / "bare.csv", index=False)
    sets = {"news": SETS["news"], "bare": lambda: load(tmp_path / "bare.csv")}
    with pytest.raises(InputError, match="'bare' leaves no pair to compare: without text_frozen"):
        run_across(sets, parse_models("ease,text_frozen"), AcrossPlan(), tmp_path / "out")
    assert not (tmp_path / "out" / "cells").exists()


def test_what_is_left_goes_by_rows_at_the_pace_so_far():
    cells = cells_of(["small", "large"], AcrossPlan(("warm",)))
    clock = Clock(dict.fromkeys(cells), {"small": 100, "large": 1000})
    clock.add(Cell("small", "warm", 0), 30.0)
    assert clock.left() == "; 1 to come, about 5 minutes"


WRONG = {
    "no such set": ("nothing-here --models ease,text_frozen", "neither a folder, a file"),
    "a set twice": ("coat,coat", "each once"),
    "no such situation": ("generated-news --situations hot", "no situation 'hot'"),
    "no language model": ("generated-news --models ease,tfidf", "none with a language model"),
    "seeds that are words": ("generated-news --seeds one", "--seeds one"),
    "a draw twice": ("generated-news --draws 1,1", "each once"),
    "no such measure": ("generated-news --metric clicks", "clicks"),
    "a core that is none": ("generated-news:many", "no whole number above 0"),
    "a core of nobody": ("generated-news:5000", "no interaction is left"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_ends_in_one_line(case, tmp_path, monkeypatch, capsys):
    line, said = WRONG[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["recnb", "across", *line.split(), "-q"])
    with pytest.raises(SystemExit) as end:
        main()
    error = capsys.readouterr().err
    assert end.value.code == 2 and said in error and error.count("\n") == 1, error
    assert not (tmp_path / "across" / "across.json").exists()
