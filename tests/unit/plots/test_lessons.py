"""Figures of single lessons draw what they were given."""

from __future__ import annotations

from itertools import pairwise

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from recnb.behaviour import behaviour
from recnb.data import Dataset, in_head, splits
from recnb.plots import (
    plot_candidates,
    plot_chance,
    plot_cuts,
    plot_features,
    plot_long_tail,
    plot_means,
    plot_negatives,
    plot_protocol,
    plot_range_test,
    plot_rates,
    plot_schedules,
    plot_studies,
    plot_width,
)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def ds() -> Dataset:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"user_id": [f"u{i}" for i in rng.integers(0, 30, 600)]})
    rows["item_id"] = [f"i{int(i)}" for i in rng.geometric(0.08, 600)]
    rows["timestamp"] = 1000 * np.arange(600)
    return Dataset.from_frames(rows)


def test_cuts_draw_every_moment_of_a_line_in_the_colour_of_its_part(ds):
    made = {"global_time": splits.global_time(ds), "cold_user": splits.cold_user(ds)}
    panels = plot_cuts(made, n_users=3)
    drawn = sum(len(points.get_offsets()) for points in panels[0].collections)
    users = 3 + 2  # two cold ones on top
    sizes = np.bincount(ds.interactions["user"], minlength=ds.n_users)
    assert users * sizes.min() <= drawn <= users * sizes.max()
    by_part = {
        tuple(p.get_edgecolor()[0]) if len(p.get_edgecolor()) else () for p in panels[0].collections
    }
    assert len(by_part) >= 3  # train, valid and test
    latest = {}
    for points in panels[0].collections:
        if len(points.get_offsets()):
            colour = tuple(np.round(points.get_facecolor()[0], 3))
            latest.setdefault(colour, []).extend(points.get_offsets()[:, 0])
    spans = sorted((min(x), max(x)) for x in latest.values())
    assert all(one[1] <= other[0] for one, other in pairwise(spans)), "one stroke divides the parts"


def test_the_head_is_one_definition(ds):
    head = in_head(ds)
    pairs = ds.pairs()
    assert f"{head.sum():,} of" in plot_long_tail(ds).texts[0].get_text()
    share = pairs @ head / np.diff(pairs.indptr)
    assert np.allclose(behaviour(ds)["head_share"], share)


def test_a_sample_keeps_those_before_and_tells_both_ranks():
    texts = [text.get_text() for text in plot_candidates(143, 3700, [5, 12, 200, 3000]).texts]
    assert texts == ["rank 143 of 3,700", "rank 3 of 5"]


def test_negatives_are_drawn_as_multiples_of_the_base():
    frame = pd.DataFrame(
        {"model": ["ease", "ease", "als"], "n_negatives": [10, 100, 10], "value": [0.8, 0.3, 0.4]}
    )
    ax = plot_negatives(frame, base="ease", marked=100)
    assert [list(line.get_ydata()) for line in ax.lines[:2]] == [[1.0, 1.0], [0.5]]


def test_studies_count_those_that_hold_the_truth():
    ax = plot_studies([0.1, 0.2, 0.3], [0.2, 0.3, 0.4], truth=0.25)
    assert ax.get_title(loc="left") == "1 of 3 intervals hold the line"


def test_the_drawing_of_the_protocol_judges_last():
    texts = [text.get_text() for text in plot_protocol().texts if text.get_text()]
    assert "4  judge, once" in texts and texts.index("1  fit every model") < texts.index(
        "4  judge, once"
    )


def test_width_marks_the_gap():
    ax = plot_width([100, 400], [0.02, 0.01], gap=0.015, label="the gap")
    assert list(ax.lines[1].get_ydata()) == [0.015, 0.015]


def test_features_put_the_largest_in_the_last_bar_and_mark_the_median():
    frame = pd.DataFrame({"rows": [*range(1, 200), 10_000], "none": np.nan})
    panels = plot_features(frame, {"rows": "Rows", "none": "None"})
    assert panels[0].lines[0].get_xdata()[0] == frame["rows"].median()
    assert max(bar.get_x() + bar.get_width() for bar in panels[0].patches) < 1000
    assert sum(bar.get_height() for bar in panels[0].patches) == 200
    assert panels[1].texts[0].get_text() == "not in these data"


def test_chance_draws_means_of_groups_of_like_size():
    ax = plot_chance([40, 10, 20, 30], [0.2, 0.8, 0.6, 0.4], [0.1, 0.7, 0.5, 0.3], n_groups=2)
    assert np.allclose(ax.lines[0].get_ydata(), [0.7, 0.3])
    assert np.allclose(ax.lines[1].get_ydata(), [0.6, 0.2])


def test_means_stand_in_the_order_of_their_numbers():
    table = pd.DataFrame({"group": ["100-124K", "Under 15K", "50-74K"], "value": [3.0, 1.0, 2.0]})
    table = table.assign(low=table["value"] - 1, high=table["value"] + 1, n_users=[5, 6, 7])
    ax = plot_means({"income": table}, "Rows")[0]
    assert list(ax.lines[0].get_xdata()) == [1.0, 2.0, 3.0]


def test_rates_stand_beside_each_other_on_a_log_axis():
    frame = pd.DataFrame(
        {
            "way": ["a", "a", "b", "b"],
            "rate": [1e-4, 1e-2] * 2,
            "value": [0.1, 0.2, 0.3, np.nan],
            "spread": [0.01, np.nan, 0.02, np.nan],
        }
    )
    ax = plot_rates(frame, frozen=0.15)
    assert ax.get_xscale() == "log"
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines["not trained"].get_ydata()) == [0.15, 0.15]
    points = [c.lines[0] for c in ax.containers]
    assert [p.get_ydata().tolist()[0] for p in points] == [0.1, 0.3]
    assert points[0].get_xdata()[0] < 1e-4 < points[1].get_xdata()[0], "they do not hide each other"


def test_a_range_test_and_schedules_are_drawn_as_given():
    rates, losses = (
        np.geomspace(1e-5, 1, 20),
        np.r_[np.linspace(1, 0.5, 15), np.linspace(0.6, 50, 5)],
    )
    ax = plot_range_test(rates, losses, losses, rates[9])
    assert ax.get_xscale() == "log" and ax.get_ylim()[1] < 5, (
        "what broke away does not flatten the rest"
    )
    assert ax.lines[2].get_xdata()[0] == rates[9]
    drawn = plot_schedules({"constant": np.ones(4), "linear": [0.9, 0.6, 0.4, 0.1]})
    assert drawn.lines[1].get_ydata().tolist() == [0.9, 0.6, 0.4, 0.1]
    assert drawn.lines[1].get_xdata().tolist() == [0.125, 0.375, 0.625, 0.875]
