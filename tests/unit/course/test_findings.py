"""The table of findings: Holm over the rows that are shown, verdicts that follow the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.course import check, findings, table_rows
from recnb.course.records import checked_rows
from recnb.data import Dataset, splits
from recnb.errors import InputError
from recnb.evaluation import Evaluation, Protocol, evaluate
from recnb.metrics import holm


@pytest.fixture(scope="module")
def ev() -> Evaluation:
    """Users of two tastes; `good` knows the taste, `noise` and `other` do not, `bad` turns it round."""
    rng = np.random.default_rng(0)
    cells = [(u, i) for u in range(60) for i in range(40) if u % 2 == i % 2 and rng.random() < 0.6]
    rows = pd.DataFrame(
        [(f"u{u:02d}", f"i{i:02d}", t) for t, (u, i) in enumerate(cells)],
        columns=["user_id", "item_id", "timestamp"],
    )
    ds = Dataset.from_frames(rows, feedback="implicit")
    split = splits.user_time(ds, test=0.3, valid=0.1)
    users, items = ds.user_ids.astype("U").tolist(), ds.item_ids.astype("U").tolist()
    taste = np.array([[int(u[1:]) % 2 == int(i[1:]) % 2 for i in items] for u in users])
    noise = [rng.random(taste.shape).astype(np.float32) for _ in range(4)]
    scores = {
        "good": taste + noise[0],
        "noise": noise[1],
        "other": noise[2],
        "bad": noise[3] - taste,
    }
    scores = {name: values.astype(np.float32) for name, values in scores.items()}
    return evaluate(scores, split, Protocol(k=5, draws=1000))


def test_verdicts_say_what_the_differences_say(ev: Evaluation) -> None:
    found = findings(ev, to="noise")
    assert [row.model for row in found.rows] == ["good", "other", "bad"]
    verdicts = [row.verdict for row in found.rows]
    assert verdicts == ["better", "cannot be told apart", "worse"]
    row, table = found["good"], ev.compare("noise").set_index("model").loc["good"]
    assert (row.difference, row.difference_low, row.p) == (
        table["difference"],
        table["low"],
        table["p"],
    )
    assert row.value == ev.rows().set_index("model").loc["good", "value"]
    assert found.frame["verdict"].tolist() == verdicts


def test_holm_counts_the_rows_that_are_shown_and_no_others(ev: Evaluation) -> None:
    pairs = [("other", "noise"), ("good", "bad")]
    found = findings(ev, pairs)
    p = [row.p for row in found.rows]
    assert [row.p_holm for row in found.rows] == holm(p).tolist()
    alone = findings(ev, pairs[:1])
    assert alone["other", "noise"].p_holm == alone["other"].p == p[0]


def test_the_table_shows_everything_once_and_how_to_read_it(ev: Evaluation) -> None:
    html = findings(ev, to="noise")._repr_html_()
    assert "<summary>How to read interval, p and Holm</summary>" in html
    assert html.count("<tr") == 1 + 3 and "<b>better</b>" in html and "NDCG@5" in html
    assert "-0." not in html  # a true minus
    assert "cannot be told apart" in repr(findings(ev, to="noise"))


def test_without_a_base_the_best_is_the_base(ev: Evaluation) -> None:
    assert {row.to for row in findings(ev).rows} == {"good"}


def test_findings_and_values_can_be_recorded(ev: Evaluation) -> None:
    rows = [*table_rows(ev, ["ndcg"]), *findings(ev, to="noise").records()]
    recorded = checked_rows(rows, seed=0)
    assert len(recorded) == 4 + 3
    assert recorded[4]["metric"] == "ndcg less that of noise"
    marked = table_rows(ev, group="new items")
    assert {row["group"] for row in marked} == {"new items"} and len(marked) == 8


def test_wrong_names_are_told(ev: Evaluation) -> None:
    with pytest.raises(InputError, match="no 'best' to compare with 'noise'; one of good"):
        findings(ev, ["best"], to="noise")
    with pytest.raises(InputError, match="no 'noise' to compare with 'noise'"):
        findings(ev, ["noise"], to="noise")
    with pytest.raises(InputError, match="there are: good less noise"):
        findings(ev, to="noise")["good", "bad"]


def test_an_answer_of_another_kind_is_no_right_answer() -> None:
    assert check(1, True).right is False and check(True, 1).right is False
    assert check(np.bool_(True), True).right is True
    assert check(np.zeros((2, 3)), np.zeros((3, 2))).right is False
    assert check("text", 0.5).right is False
    assert check((True, None), (True, 1)).right is None
    assert check((True, 1), (True, 1)).right is True
    assert check((True, 2), (True, 1)).right is False
    assert check([[1]], lambda a: a.shape == (1, 1), "An array, please.").right is False
    assert repr(check(np.nan, 0.5)) == "Not yet."
