"""Expected values: the tolerance is measured, and a useless recommender does not pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from recnb.errors import InputError
from tools.notebooks import expected as module
from tools.notebooks.expected import compare, main, measure, summarise, weak_rows

Make = Callable[..., Path]
RECORD = """\
import recnb.course
rows = [("random", 0.01), ("popularity", 0.1), ("ease", 0.2 + SEED / 1000)]
recnb.course.record([{"model": m, "metric": "ndcg", "k": 10, "value": v} for m, v in rows])
"""


def row(model: str, value: float, spread: float) -> dict[str, object]:
    return {"model": model, "metric": "ndcg", "k": 10, "value": value, "spread": spread}


def test_a_value_passes_within_three_spreads_only() -> None:
    expected = {"rows": [row("ease", 0.2, 0.01)]}
    for value, passes in [(0.229, True), (0.171, True), (0.231, False), (0.169, False)]:
        assert (compare([row("ease", value, 0)], expected) == []) is passes
    assert compare([row("als", 0.2, 0)], expected) == ["model=ease metric=ndcg k=10: not recorded"]
    assert compare([], {"rows": []}) == ["nothing is expected"]


def test_a_model_without_a_spread_keeps_a_small_tolerance() -> None:
    expected = {"rows": [row("ease", 0.2, 0.0)]}
    assert compare([row("ease", 0.2001, 0)], expected) == []
    assert compare([row("ease", 0.201, 0)], expected) != []


def test_a_tolerance_that_a_useless_ranker_passes_is_found() -> None:
    base = [row("random", 0.01, 0.001), row("popularity", 0.1, 0.001)]
    assert weak_rows({"rows": [*base, row("ease", 0.2, 0.01)]}) == []
    name = "model=ease metric=ndcg k=10"
    wide = [f"{name}: the popularity ranker would pass"]
    assert weak_rows({"rows": [*base, row("ease", 0.2, 0.04)]}) == wide
    wider = [f"{name}: 0 would pass", f"{name}: the random ranker would pass", *wide]
    assert weak_rows({"rows": [*base, row("ease", 0.2, 0.07)]}) == wider
    assert weak_rows({"rows": [row("ease", 0.99, 0.01)]}) == [f"{name}: 1 would pass"]


def test_only_quality_is_expected_and_every_run_has_to_tell_it() -> None:
    fit = {"model": "ease", "metric": "fit_seconds", "value": 1.0}
    runs = [{"rows": [row("ease", v, 0), fit]} for v in (0.2, 0.22)]
    (found,) = summarise(runs)
    assert (found["metric"], found["value"]) == ("ndcg", 0.21)
    assert found["spread"] == pytest.approx(0.0141421)
    with pytest.raises(InputError, match="two seeds or more"):
        summarise(runs[:1])
    with pytest.raises(InputError, match="is not in every run"):
        summarise([runs[0], {"rows": []}])


def test_measured_values_pass_their_own_check(make: Make, tmp_path: Path) -> None:
    path = make(RECORD)
    expected = measure(path, (0, 10), "gpu", tmp_path / "out")
    assert json.loads(json.dumps(expected)) == expected
    by_model = {r["model"]: r for r in expected["rows"]}
    assert by_model["ease"]["value"] == 0.205
    assert by_model["ease"]["spread"] == pytest.approx(0.00707107)
    assert weak_rows(expected) == []


def test_the_command_writes_the_file(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(RECORD).parents[1]
    monkeypatch.chdir(root)
    rows = [row("popularity", 0.1, 0.0), row("ease", 0.2, 0.1)]

    def measured(path: Path, seeds: list[int], profile: str, folder: str) -> dict[str, object]:
        assert (path.name, profile) == ("00_small.ipynb", "smoke")
        return {"seeds": seeds, "rows": rows}

    monkeypatch.setattr(module, "measure", measured)
    assert main(["00", "--seeds", "0,200", "--profile", "smoke"]) == 1  # ease spreads too far
    assert "the popularity ranker would pass" in capsys.readouterr().out
    written = json.loads((root / "tests" / "notebooks" / "expected" / "00.json").read_text())
    assert written["seeds"] == [0, 200]
