"""Which estimate answers, on what condition, and what is refused, in the result, the figure and the page."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from recnb import InputError
from recnb.effect.logs import Log
from recnb.effect.policy import Settings, TablePolicy, UniformPolicy, estimate
from recnb.plots import plot_estimates
from recnb.report.effect.policy import page

DRAWS = 1000


def shown(tastes, n_rows=40, seed=0):
    """A log without propensities: users, half of whom like one half of ten items; tastes decide what is shown."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(60), n_rows)
    item = rng.integers(0, 10, len(user))
    liked = item % 2 == user % 2
    kept = rng.random(len(user)) < np.where(liked, 1.0, 1 - tastes)
    click = (rng.random(len(user)) < np.where(liked, 0.5, 0.1)).astype(float)
    rows = pd.DataFrame({"user_id": user.astype(str), "item_id": item.astype(str), "click": click})
    return Log.from_frame(rows[kept])


def judged(log, estimators=("dm", "ips", "dr"), policy=None):
    settings = Settings(estimators=estimators, draws=DRAWS)
    return estimate(log, {"even": policy or UniformPolicy(10)}, ["click"], settings=settings)


def test_without_logged_propensities_an_answer_is_on_a_condition():
    result = judged(shown(tastes=0.0))
    verdict = result.diagnostics["even", "click"]
    assert (verdict["answers"], verdict["can_answer"]) == ("if", False)
    said = "These logs can answer this only if what was shown did not depend on the person."
    assert verdict["verdict"] == result.answer == json.loads(json.dumps(result.to_dict()))["answer"]
    assert result.answer == said == page(result, "").answer
    assert page(result, "").sentences[0].startswith("If what was shown did not depend")
    assert result.standing(result.value("even", "click")) == "the answer, on a condition"


def test_a_personal_log_without_propensities_is_refused():
    """Weights of chances estimated from shares have mean 1 whatever was done, so the rows themselves must tell."""
    result = judged(shown(tastes=0.8))
    assert not result.value("even", "click").holds(0.3)  # the truth
    verdict = result.diagnostics["even", "click"]
    assert verdict["answers"] == "no" and abs(verdict["mean_weight"] - 1) < 0.01
    assert "so what was shown did depend on the person" in verdict["verdict"]
    # One row a person tells nothing of it: the condition stays.
    first = shown(tastes=0.8, n_rows=40).table.drop_duplicates("user_id", keep="first")
    alone = pd.concat([first.assign(user_id=first["user_id"] + f"-{at}") for at in range(20)])
    assert Log.from_frame(alone).n > 1000
    assert judged(Log.from_frame(alone)).diagnostics["even", "click"]["answers"] == "if"


def test_logs_of_no_taste_are_seldom_doubted():
    from recnb.effect.policy import estimate_propensities

    doubted = [estimate_propensities(shown(0.0, 10, seed)).doubt for seed in range(60)]
    assert sum(d is not None for d in doubted) <= 1


def test_the_reward_model_alone_answers_last():
    log = shown(tastes=0.0)
    result = judged(log, ("dm", "ips"))
    assert result.headline == "ips"
    order = [r.estimator for r in result.in_order()]
    assert order == ["mean", "ips", "dm"]
    assert result.standing(result.value("even", "click", "dm")) == "leans on its reward model alone"
    assert judged(log, ("dm",)).headline == "dm"


@pytest.fixture(scope="module")
def slates():
    """Slates of four places from a policy that shows one item of five in six of ten rows; the judged one is even."""
    rng = np.random.default_rng(1)
    chances = np.array([0.6, 0.1, 0.1, 0.1, 0.1])
    item = rng.choice(5, 4000, p=chances)
    slate = np.arange(4000) // 4
    return Log.from_frame(
        pd.DataFrame(
            {
                "slate_id": slate.astype(str),
                "user_id": slate.astype(str),
                "position": np.arange(4000) % 4 + 1,
                "item_id": item.astype(str),
                "propensity": chances[item],
                "click": (rng.random(4000) < 0.05).astype(float),
            }
        )
    )


def test_estimates_of_slates_are_made_when_asked_and_refused_in_their_line(slates):
    policy = TablePolicy({0: np.full((1000, 5), [0.3, 0.4, 0.1, 0.1, 0.1])})
    few = judged(slates, ("ips", "dr"), policy)
    assert {r.estimator for r in few.records} == {"mean", "ips", "dr"}
    result = judged(slates, Settings().estimators, policy)
    of_slates = result.value("even", "click", "reward_interaction")
    assert re.match(r"refused: .*slates", result.standing(of_slates))
    assert result.standing(result.value("even", "click")) == "the answer"
    written = {r["estimator"]: r for r in result.to_dict()["records"]}
    assert not written["cascade_dr"]["readable"] and written["dr"]["readable"]
    shown_on_page = page(result, "")
    assert any(
        "refused: " in str(cell) for row in shown_on_page.sections[0].tables[0].rows for cell in row
    )
    with pytest.raises(InputError, match="no slates of two places"):
        judged(shown(0.0), ("ips", "cascade_dr"))


def test_a_number_that_no_click_rate_can_be_is_refused(slates):
    from dataclasses import replace

    result = judged(slates, ("ips", "dr"), UniformPolicy(5))
    r = result.value("even", "click", "ips")
    assert result.objection(r) is None
    assert "no click is below 0" in result.objection(replace(r, value=-0.005))
    assert "no click is above 1" in result.objection(replace(r, value=1.2))
    assert "every value" in result.objection(replace(r, low=-1.14, high=1.2))
    # An answer out of range takes the verdict with it: one click of a rare item, weighed by 2,000.
    rows = slates.table.assign(propensity=0.5, click=0.0)
    rows.loc[:30, ["propensity", "click"]] = 0.001, 1.0
    wild = judged(Log.from_frame(rows), ("ips",), UniformPolicy(5)).diagnostics["even", "click"]
    assert wild["answers"] == "no" and "no click is above 1" in wild["verdict"]


def test_a_refused_line_neither_fills_its_dot_nor_stretches_the_axis():
    rows = pd.DataFrame(
        {"name": ["dr", "cascade_dr"], "value": [0.1, 7.0], "low": [0.05, -9.0], "high": [0.15, 20.0],
         "strong": [True, False]}
    )  # fmt: skip
    ax = plot_estimates(rows, span=(0.0, 0.2))
    assert ax.get_xlim() == (0.0, 0.2)
    drawn = np.concatenate([line.get_xdata() for line in ax.lines])
    assert drawn.min() >= 0 and drawn.max() <= 0.2
    assert {line.get_marker() for line in ax.lines} >= {"o", "<", ">"}


def test_the_page_fills_no_dot_that_the_log_cannot_say():
    hollow = {}
    for tastes in (0.0, 0.8):
        figure = page(judged(shown(tastes)), "").sections[0].figures[0]
        hollow[tastes] = figure.svg.count("fill: #ffffff; stroke: #")
        assert "hollow: beside them, or refused" in figure.caption
    assert hollow[0.8] == hollow[0.0] + 1  # the answer of the first, refused in the second


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (UniformPolicy(9), "gives chances of 9 items and the log has 10"),
        (TablePolicy({0: np.full((60, 10), 0.2)}), "do not add up to 1 but to 2"),
        (TablePolicy({0: np.full((60, 10), [-0.1, 1.1, *[0.0] * 8])}), "is negative (-0.1)"),
    ],
)
def test_wrong_chances_are_named(policy, said):
    with pytest.raises(InputError, match=re.escape(said)):
        judged(shown(0.0), policy=policy)


def test_policies_say_what_they_are():
    assert repr(UniformPolicy(80)) == "UniformPolicy(80 items)"
    assert repr(TablePolicy({0: np.eye(3)})) == "TablePolicy(3 contexts, 3 items)"
    result = judged(shown(0.0))
    value = result.value("even", "click").value
    assert repr(result) == f"<PolicyEstimates log: even, click: {value:.4g} by dr (if)>"
    assert repr(shown(0.0)) == "<Log log: 2,400 rows, 60 contexts, 10 items, click>"


def test_the_room_names_what_it_is_asked_for_first():
    import recnb.effect as effect

    for name in ("Log", "read_log", "estimate", "UniformPolicy", "Experiment", "analyse"):
        assert name in effect.__all__ and name in effect.__doc__
        assert getattr(effect, name).__module__.startswith("recnb.effect.")
    assert effect.estimate is estimate
