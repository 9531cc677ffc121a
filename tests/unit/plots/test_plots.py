"""Figures: what is drawn is what was given, and every figure keeps the house rules."""

from __future__ import annotations

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from recnb.data import Dataset, splits
from recnb.errors import InputError
from recnb.models import names
from recnb.plots import (
    plot_activity,
    plot_costs,
    plot_differences,
    plot_group_differences,
    plot_groups,
    plot_learning,
    plot_long_tail,
    plot_ratings,
    plot_timeline,
    plot_values,
    style,
)
from recnb.plots.palette import look_of
from recnb.study.clock import HOWS

MODELS = ["ease", "text_dot", "popularity"]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def ds() -> Dataset:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        [
            (f"u{u}", f"i{i}", int(rng.integers(1, 6)), 86400 * (u + t))
            for u in range(30)
            for t, i in enumerate(rng.choice(50, 10, replace=False, p=_tail(50)))
        ],
        columns=["user_id", "item_id", "rating", "timestamp"],
    )
    return Dataset.from_frames(rows, feedback="explicit", scale=(1, 5), name="tiny")


def _tail(n: int) -> np.ndarray:
    p = 1 / np.arange(1, n + 1)
    return p / p.sum()


def values(metric: str = "ndcg") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": MODELS,
            "metric": metric,
            "k": pd.array([10] * 3, dtype="Int64"),
            "value": [0.3, 0.31, 0.1],
            "low": [0.28, 0.29, 0.09],
            "high": [0.32, 0.33, np.nan],
            "n_users": 1234,
            "seconds": [1.0, 60.0, 0.01],
        }
    )


def compared(metric: str = "ndcg") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": ["text_dot", "popularity"],
            "to": "ease",
            "metric": metric,
            "k": 10,
            "difference": [0.01, -0.2],
            "low": [-0.01, -0.22],
            "high": [0.03, -0.18],
            "p_holm": [0.3, 0.0009],
            "n_users": 1234,
        }
    )


def grouped() -> pd.DataFrame:
    parts = [values().assign(group=g, n_users=n) for g, n in (("low (1 to 3)", 400), ("high", 834))]
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(
        by="activity", to="ease", difference=0.01, difference_low=-0.02, difference_high=0.04
    )


def one(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["model"] == "text_dot"]


def learning() -> pd.DataFrame:
    parts = [
        pd.DataFrame({"model": m, "epoch": [1, 2, 3], "value": [0.1, 0.2, 0.2]}) for m in MODELS
    ]
    return pd.concat(parts).assign(low=0.1, high=0.3)


DRAWN = {
    "values": lambda ds, ax: plot_values(values(), ax),
    "differences": lambda ds, ax: plot_differences(compared(), ax),
    "costs": lambda ds, ax: plot_costs(values(), ax),
    "groups": lambda ds, ax: plot_groups(grouped(), ax, "Activity"),
    "group_differences": lambda ds, ax: plot_group_differences(one(grouped()), ax),
    "learning": lambda ds, ax: plot_learning(learning(), ax),
    "long_tail": lambda ds, ax: plot_long_tail(ds, ax),
    "activity": lambda ds, ax: plot_activity(ds, ax),
    "ratings": lambda ds, ax: plot_ratings(ds, ax),
    "timeline": lambda ds, ax: plot_timeline(splits.global_time(ds), ax),
}


@pytest.mark.parametrize("name", DRAWN)
def test_house_rules(name, ds, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *a, **k: pytest.fail("shows"))
    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", lambda *a, **k: pytest.fail("saves"))
    own = DRAWN[name](ds, None)
    assert own.figure.get_size_inches()[0] == 6 and own.figure.dpi == 100
    _, ax = plt.subplots()
    assert DRAWN[name](ds, ax) is ax and len(ax.figure.axes) == 1
    assert ax.get_xlabel() or name == "groups"
    assert ax.get_ylabel() or ax.get_yticklabels()
    ax.figure.canvas.draw()
    words = [t for t in ax.figure.findobj(matplotlib.text.Text) if t.get_text().strip()]
    assert min(t.get_fontsize() for t in words) >= 10
    if name in ("values", "differences", "costs"):
        assert "1,234 users" in ax.get_title(loc="left")


@pytest.mark.parametrize("name", ["activity", "ratings", "timeline"])
def test_bars_start_at_zero(name, ds):
    ax = DRAWN[name](ds, None)
    assert ax.patches and ax.get_ylim()[0] == 0


def test_values_draw_every_number_best_on_top():
    ax = plot_values(values())
    assert [t.get_text() for t in ax.get_yticklabels()] == ["text_dot", "ease", "popularity"]
    bottom, top = ax.get_ylim()
    assert bottom > top  # row 0 is the upper one
    drawn = {tuple(map(float, line.get_xdata())) for line in ax.lines}
    assert drawn == {(0.3,), (0.31,), (0.1,), (0.28, 0.32), (0.29, 0.33)}  # one has no interval
    order = [t.get_text() for t in plot_values(values("rmse")).get_yticklabels()]
    assert order == ["popularity", "ease", "text_dot"]
    assert len(plot_values(values(), n_best=2).get_yticklabels()) == 2


def test_differences_mark_zero_and_what_survives_holm():
    ax = plot_differences(compared())
    low, high = ax.get_xlim()
    assert low < 0 < high
    assert any(list(line.get_xdata()) == [0, 0] for line in ax.lines)
    said = [t.get_text() for t in ax.texts]
    assert said[:2] == ["p = 0.30", "p < 0.001 *"]
    widths = {tuple(line.get_xdata()): line.get_linewidth() for line in ax.lines}
    assert widths[-0.22, -0.18] > widths[-0.01, 0.03]
    assert "worse ←" in said
    lower = plot_differences(compared("rmse"))
    assert "better ←" in [t.get_text() for t in lower.texts]
    assert lower.get_yticklabels()[0].get_text() == "popularity"


def test_costs_leave_out_what_has_no_time():
    ax = plot_costs(values().assign(seconds=[1.0, 60.0, 0.0]))
    assert ax.get_xscale() == "log"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["text_dot", "ease"]
    with pytest.raises(InputError, match="no model has a time"):
        plot_costs(values().assign(seconds=0.0))


def test_groups_name_their_users():
    ax = plot_groups(grouped())
    ticks = [t.get_text() for t in ax.get_xticklabels()]
    assert ticks == ["low\n(1 to 3)\nn = 400", "high\nn = 834"]
    ax = plot_group_differences(one(grouped()))
    assert [t.get_text() for t in ax.texts][:2] == ["n = 400", "n = 834"]


def test_long_tail_says_how_few_items_hold_half():
    rows = pd.DataFrame({"user_id": list("abcdef"), "item_id": list("xxxyzw")})
    ax = plot_long_tail(Dataset.from_frames(rows))
    assert ax.texts[0].get_text() == "1 of 4 items (25%)\nhold 50% of the pairs"
    assert list(ax.lines[0].get_ydata()) == [3, 1, 1, 1]


def test_ratings_are_shares(ds):
    ax = plot_ratings(ds)
    shares = 100 * ds.interactions["rating"].value_counts(normalize=True).sort_index()
    np.testing.assert_allclose(
        [bar.get_height() for bar in ax.patches], shares.to_numpy(dtype=float)
    )
    dark = [bar.get_facecolor()[:3] == to_rgb("#0072b2") for bar in ax.patches]
    assert dark == [False, False, False, True, True]
    rows = pd.DataFrame({"user_id": ["a"], "item_id": ["x"]})
    with pytest.raises(InputError, match="no ratings"):
        plot_ratings(Dataset.from_frames(rows))


def test_timeline_counts_every_part(ds):
    split = splits.global_time(ds)
    ax = plot_timeline(split)
    counts = split.frame()["part"].value_counts()
    assert ax.get_title(loc="left") == ", ".join(
        f"{p} {counts[p]}" for p in ("train", "valid", "test")
    )
    tops = [max(b.get_y() + b.get_height() for b in bars) for bars in ax.containers]
    assert tops == sorted(tops)
    with pytest.raises(InputError, match="no clock"):
        plot_timeline(split.frame().drop(columns="timestamp"))


def test_mixed_and_empty_rows_raise():
    mixed = pd.concat([values(), values("recall")])
    for draw in (plot_values, plot_costs):
        with pytest.raises(InputError, match="several values of metric"):
            draw(mixed)
        with pytest.raises(InputError, match="no row"):
            draw(values().head(0))


def test_names_that_look_like_formulas_are_drawn_as_they_are():
    ax = plot_costs(values().assign(model=["$\\frac$", "_hidden", "x" * 80]))
    ax.figure.canvas.draw()  # a formula that cannot be read would raise
    said = [t.get_text().replace("\\$", "$") for t in ax.get_legend().get_texts()]
    assert len(said) == 3 and "$\\frac$" in said and " _hidden" in said
    assert max(map(len, said)) <= 25


def test_every_method_has_its_own_look():
    looks = {name: style(name) for name in names()}
    in_grey = [(s.marker, s.line, s.filled) for s in looks.values()]
    assert len(set(in_grey)) == len(in_grey)  # told apart without colour
    filled = {name for name, look in looks.items() if look.filled}
    assert filled == {n for n in names() if n.startswith(("text_", "lm_"))} | {
        "bfm_text",
        "hybrid",
        "fusion",
        "pair",
        "tagger",
        "tiger",
        "tiger_dense",
        "lc_rec",
    }
    assert all(_contrast(s.colour) >= 3 for s in looks.values())


def test_ways_of_keeping_up_are_told_apart_in_one_figure():
    ways = [style(how) for how in HOWS if how != "count"] + [style("transitions, count")]
    assert len({s.colour for s in ways}) == len(ways) == len({s.marker for s in ways})
    assert all(_contrast(s.colour) >= 3 for s in ways)


def test_variants_and_blends_keep_the_hue():
    for name in names():
        kin = [f"{name}[seed=1]", f"popularity+{name}", f"als[l2=1,alpha=2]+{name}"]
        assert {style(one).colour for one in kin} == {style(name).colour}
        assert all(style(one).marker != style(name).marker for one in kin)


def test_the_table_fills_the_marker_not_the_name():
    row = {"model": "text_dot", "language": False}
    assert not look_of(row).filled and look_of({"model": "ease", "language": True}).filled
    assert not look_of({"model": "text_dot", "language": pd.NA}).filled
    assert look_of({"model": "ease+text_frozen"}).filled and not look_of({"model": "mine"}).filled


def test_unknown_names_look_the_same_everywhere():
    seen = style("a model of mine")
    assert (seen.colour, seen.marker) == ("#0072b2", "D")  # written down: a change breaks figures
    assert style("text_dot@lora").colour == style("text_dot").colour
    assert style("text_dot@lora").marker != style("text_dot").marker
    assert len({style(f"m{i}") for i in range(60)}) > 30


def _contrast(colour: str) -> float:
    """Contrast to white by WCAG 2.1; graphics need 3."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


def test_curves_and_frontiers_of_effects():
    from recnb.effect.reasons import Curves
    from recnb.plots.effect import plot_curves, plot_frontiers

    def curve(*falls):
        return Curves(np.array(falls), np.full(len(falls), np.nan), np.zeros(len(falls), bool))

    held = {"reasons": [curve(3.0, 1.0, 0.0), curve(1.0, 0.0)]}
    held |= {"random 0": [curve(2.0, 2.0)] * 2, "random 1": [curve(2.0, 1.0)] * 2}
    drawn = plot_curves(held)
    lines = {line.get_label(): line.get_ydata().tolist() for line in drawn.get_lines()}
    assert lines == {"reasons": [2.0, 0.5, 0.0], "random": [2.0, 1.5]}
    with pytest.raises(InputError, match="no curve"):
        plot_curves({})
    rows = pd.DataFrame(
        {
            "unearned": [0.5, 0.2],
            "ndcg": [0.3, 0.2],
            "low": [0.2, 0.1],
            "high": [0.4, 0.3],
            "n_users": 9,
        }
    )
    ax = plot_frontiers({"ease": rows})
    assert "n = 9 users" in ax.get_ylabel() and ax.xaxis_inverted()
    with pytest.raises(InputError, match="no frontier"):
        plot_frontiers({})


def test_the_legend_of_looks_covers_no_band():
    from recnb.plots.effect import plot_looks

    looks = pd.DataFrame({"day": range(9), "difference": np.linspace(0.0, 0.2, 9)})
    for half, low, high in ((0.1, "low", "high"), (0.2, "always_low", "always_high")):
        looks[low], looks[high] = looks["difference"] - half, looks["difference"] + half
    ax = plot_looks(looks, label="orders, new less control")
    ax.figure.canvas.draw()
    held, drawn = ax.get_legend().get_window_extent(), ax.get_window_extent()
    assert held.y0 >= drawn.y1 and held.y1 <= ax.figure.bbox.y1 and held.x1 <= ax.figure.bbox.x1
    plt.close(ax.figure)
