"""The expected values themselves: no useless recommender may pass them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recnb.course.notebook import find_notebooks
from tools.notebooks.expected import BASELINES, weak_rows

HERE = Path(__file__).parent
NONE = pytest.param(
    Path(), marks=pytest.mark.skip(reason="no notebook has expected values from a GPU yet")
)
EXPECTED = sorted((HERE / "expected").glob("*.json")) or [NONE]


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.stem)
def test_zero_one_random_and_popularity_would_fail(path: Path) -> None:
    expected = json.loads(path.read_text(encoding="utf-8"))
    assert weak_rows(expected) == []
    judged = {(row["metric"], row.get("k")) for row in expected["rows"] if ranks(row)}
    for model in BASELINES:  # without them in the table, nothing would have been compared
        rows = [row for row in expected["rows"] if row.get("model") == model]
        assert judged <= {(row["metric"], row.get("k")) for row in rows}, model


def ranks(row: dict[str, object]) -> bool:
    return row["metric"] not in ("rmse", "mae")


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.stem)
def test_an_expected_value_says_where_it_is_from(path: Path) -> None:
    expected = json.loads(path.read_text(encoding="utf-8"))
    assert expected["notebook"] in {found.name for found in find_notebooks(HERE.parents[1])}
    assert expected["notebook"].startswith(path.stem)
    assert len(expected["seeds"]) >= 2
    assert expected["device"] and expected["date"] and expected["rows"]
