"""What a notebook records: plain data, checked; shown once; read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recnb.course import record, recorded, results
from recnb.course.records import MIME, checked_rows
from recnb.errors import InputError


def test_a_frame_becomes_plain_rows() -> None:
    frame = pd.DataFrame(
        {
            "model": ["ease", "random"],
            "metric": ["ndcg", "rmse"],
            "k": [10, np.nan],
            "value": np.array([0.25, 1.5], dtype=np.float32),
            "n_users": np.array([7, 8]),
        }
    )
    rows = checked_rows(frame, seed=3)
    assert rows == [
        {"model": "ease", "metric": "ndcg", "k": 10, "value": 0.25, "n_users": 7, "seed": 3},
        {"model": "random", "metric": "rmse", "value": 1.5, "n_users": 8, "seed": 3},
    ]
    json.dumps(rows)


def test_rows_that_differ_in_whom_they_learned_from_are_two():
    rows = [{"metric": "ndcg", "value": 0.1, "people": n} for n in (0, 30)]
    assert [row["people"] for row in checked_rows(rows)] == [0, 30]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "nothing to record"),
        ([{"value": 1}], "column 'metric', row 1: a row names no metric"),
        ([{"metric": "a"}], "column 'value', row 1: None is no number"),
        ([{"metric": "a", "value": float("nan")}], "nan is no finite number"),
        ([{"metric": "a", "value": float("inf")}], "inf is no finite number"),
        ([{"metric": "a", "value": True}], "True is no number"),
        ([{"metric": "a", "value": 0.5, "low": 0.6}], "0.5 is outside its interval 0.6 to 0.5"),
        ([{"metric": "a", "value": 1}, {"metric": "a", "value": 2}], "row 2: a is recorded twice"),
        ([{"metric": "a", "value": 1, "model": object()}], "a object cannot be recorded"),
    ],
)
def test_wrong_rows_are_told(rows: list[dict[str, object]], said: str) -> None:
    with pytest.raises(InputError) as caught:
        checked_rows(rows)
    assert said in str(caught.value)


def test_the_same_metric_of_two_models_or_seeds_is_not_the_same_row() -> None:
    same = {"metric": "ndcg", "value": 0.1}
    rows = [{**same, "model": m, "seed": s} for m in "ab" for s in (0, 1)]
    assert len(checked_rows(rows)) == 4


def test_the_same_metric_of_two_tasks_is_not_the_same_row() -> None:
    rows = [{"model": "a", "metric": "ndcg", "value": 0.1, "task": task} for task in ("x", "y")]
    assert len(checked_rows(rows)) == 2


def test_record_shows_one_output_and_returns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython
    import IPython.display

    shown: list[dict[str, object]] = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr(IPython.display, "publish_display_data", shown.append)
    assert record({"ndcg": 0.5}, seed=0, data="<b>grocery</b>") is None
    (bundle,) = shown
    assert bundle[MIME]["rows"] == [{"metric": "ndcg", "value": 0.5, "seed": 0}]
    assert bundle[MIME]["extras"] == {"data": "<b>grocery</b>"}
    assert "&lt;b&gt;grocery" in bundle["text/html"] and "<b>" not in bundle["text/html"]
    costs = bundle[MIME]["run"]
    assert costs["peak_memory_mb"] > 1 and costs["seconds"] > 0
    for kind in ("text/html", "text/plain"):  # what is shown is the same on every machine
        assert costs["python"] not in bundle[kind] and "memory" not in bundle[kind]


def write(folder: Path, name: str, content: object) -> None:
    (folder / name).write_text(json.dumps(content))


def test_recorded_runs_are_shown_with_their_data(tmp_path: Path) -> None:
    row = {"model": "ease", "metric": "ndcg", "k": 10, "value": 0.1913, "n_users": 905}
    row["by_seed"] = [0.18123, 0.20137]
    other = {**row, "model": "random", "value": 0.0075}
    head = {"dataset": "ml-100k", "split": "user_time", "date": "2026-01-02"}
    write(tmp_path, "classical-a.json", {**head, "records": [row, other]})
    write(tmp_path, "classical-b.json", [{**row, "data": "other"}])
    write(tmp_path, "unrelated.json", {"ratio": 3})
    table = recorded("classical-*", folder=tmp_path, model="ease")
    assert [r["value"] for r in table.rows] == [0.1913, 0.1913]
    assert [r["data"] for r in table.rows] == ["ml-100k", "other"]
    shown = table._repr_html_()
    assert table.rows[0]["by_seed"] == row["by_seed"]
    assert "by_seed" not in shown + repr(table)
    assert "ml-100k" in shown and "0.1913" in shown and "2026-01-02" in shown
    assert "results/classical-a.json" in repr(table) and str(tmp_path) not in repr(table)
    few = recorded("classical-*", folder=tmp_path, model="ease", columns=["value", "data"])
    assert few.rows == table.rows and repr(few).split()[:2] == ["value", "data"]
    assert "2026-01-02" not in few._repr_html_() and "ease" not in repr(few)
    with pytest.raises(InputError, match="column 'nothing'"):
        recorded("classical-*", folder=tmp_path, columns=["nothing"])


def test_where_nothing_is_recorded_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = recorded("none-*", folder=tmp_path)
    assert not nothing.rows
    assert repr(nothing) == "No run on other data is recorded yet under 'none-*'."
    assert "No run on other data" in nothing._repr_html_()
    monkeypatch.setattr(results, "__file__", str(tmp_path / "recnb" / "course" / "results.py"))
    assert "this copy of the package lacks them" in repr(recorded("none-*"))


def test_the_recorded_runs_are_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader's notebook may stand anywhere; the runs come with the package or its checkout."""
    monkeypatch.chdir(tmp_path)
    assert recorded("quickstart").rows
    package = tmp_path / "recnb" / "course"
    (package / "results").mkdir(parents=True)
    (package / "results" / "own.json").write_text('[{"metric": "ndcg", "value": 0.5}]')
    monkeypatch.setattr(results, "__file__", str(package / "results.py"))
    assert [row["value"] for row in recorded("own").rows] == [0.5]


@pytest.mark.parametrize("content", ["{", '{"ratio": 1}', "3", '{"records": [1]}'])
def test_a_file_without_rows_is_told(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=r"a\.json"):
        recorded("a", folder=tmp_path)


def test_every_recorded_run_can_be_shown() -> None:
    shown = []
    for file in sorted((Path(__file__).parents[3] / "results").glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        rows = content.get("records", content.get("rows")) if isinstance(content, dict) else content
        if isinstance(rows, list) and rows and "metric" in rows[0]:
            assert len(recorded(file.stem).rows) == len(rows), file.name
            shown.append(file.stem)
    assert {"quickstart", "few_shots"} <= set(shown)


def test_other_parts_of_a_recorded_run(tmp_path: Path) -> None:
    content = {
        "records": [{"metric": "ndcg", "value": 0.5}],
        "differences": [{"model": "a", "to": "b", "difference": 0.1}],
        "costs": {"a": {"seconds": 2.0}, "b": {"seconds": 3.0}},
    }
    (tmp_path / "run.json").write_text(json.dumps(content), encoding="utf-8")
    told = recorded("run", part="differences", folder=tmp_path)
    assert told.rows == ({"model": "a", "to": "b", "difference": 0.1},)
    costs = recorded("run", part="costs", model="b", folder=tmp_path)
    assert costs.rows == ({"model": "b", "seconds": 3.0},)
    assert not recorded("run", part="nothing", folder=tmp_path).rows


def test_a_file_of_several_runs_tells_the_run_of_each_row(tmp_path: Path) -> None:
    run = {"data": "films", "protocol": "user_time", "split": "0f3a"}
    run |= {"records": [{"metric": "ndcg", "value": 0.5}], "differences": [{"model": "a"}]}
    other = {**run, "data": "office", "records": [{"metric": "ndcg", "value": 0.4}]}
    (tmp_path / "r.json").write_text(json.dumps({"date": "2026-01-02", "runs": [run, other]}))
    rows = recorded("r", folder=tmp_path).rows
    assert [(r["data"], r["split"], r["value"], r["date"]) for r in rows] == [
        ("films", "user_time", 0.5, "2026-01-02"),
        ("office", "user_time", 0.4, "2026-01-02"),
    ]
    gaps = recorded("r", part="differences", data="office", folder=tmp_path).rows
    assert gaps == ({"data": "office", "protocol": "user_time", "model": "a"},)
    assert len(recorded("r", part="runs", folder=tmp_path).rows) == 2
