"""Experiments: against formulas, simulations with a known truth, and statsmodels' or scipy's numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from recnb.effect.experiment import (
    Experiment,
    Guardrail,
    Reading,
    always_valid,
    analyse,
    cuped,
    mean_difference,
    mixture_scale,
    preference,
    ratio_difference,
    sample_ratio_p,
    smallest_lift,
    team_draft,
    users_needed,
)
from recnb.errors import InputError


def test_the_difference_of_means_is_welchs():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 2, 5000), rng.normal(1.1, 3, 7000)
    d = mean_difference(a, b)
    peer = ttest_ind(b, a, equal_var=False)
    assert d.difference / d.error == pytest.approx(peer.statistic, rel=1e-9)
    assert d.p == pytest.approx(peer.pvalue, rel=0.01)


def test_ratios_count_users_not_rows():
    """The delta method's error is the spread of the ratio over samples of users; that of rows is too small."""
    rng = np.random.default_rng(1)

    def sample(n=400):
        shown = rng.poisson(20, n) + 1
        own = rng.beta(2, 8, n)  # users differ in how often they click
        return rng.binomial(shown, own).astype(float), shown.astype(float)

    ratios, errors, by_rows = [], [], []
    for _ in range(1500):
        clicks, shown = sample()
        d = ratio_difference((clicks, shown), (clicks, shown))
        ratios.append(d.control)
        errors.append(d.error / np.sqrt(2))
        by_rows.append(np.sqrt(d.control * (1 - d.control) / shown.sum()))
    assert np.mean(errors) == pytest.approx(np.std(ratios), rel=0.05)
    assert np.mean(by_rows) < 0.7 * np.std(ratios)


def test_cuped_takes_the_share_that_theory_says():
    rng = np.random.default_rng(2)
    n, rho = 40_000, 0.7
    before = rng.standard_normal(n)
    arm = rng.integers(0, 2, n)
    y = rho * before + np.sqrt(1 - rho**2) * rng.standard_normal(n) + 0.05 * arm
    found = cuped(y, before, arm)
    left = found.values[arm == 0].var() / y[arm == 0].var()
    assert left == pytest.approx(1 - rho**2, rel=0.05)
    plain, taken = (mean_difference(v[arm == 0], v[arm == 1]) for v in (y, found.values))
    assert taken.error < 0.75 * plain.error
    assert abs(taken.difference - 0.05) < 3 * taken.error


def test_always_valid_interval_inverts_the_likelihood_ratio():
    """At the end of the interval the mixture ratio is exactly 1 / alpha."""
    error, scale, alpha = 0.3, 0.8, 0.05
    _, high = always_valid(np.array([0.0]), np.array([error]), scale)
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    effects = scale * z
    ratio = np.exp((high[0] * effects - effects**2 / 2) / error**2) @ weight / weight.sum()
    assert ratio == pytest.approx(1 / alpha, rel=1e-6)


def test_the_mixture_is_tightest_where_it_was_planned():
    widths = {
        s: always_valid(np.zeros(1), np.ones(1), s)[1][0] for s in (1.0, mixture_scale(1.0), 8.0)
    }
    assert min(widths, key=widths.get) == mixture_scale(1.0)


def test_power_is_what_was_asked_for():
    mean, sd, lift = 0.2, 0.4, 0.15
    n = users_needed(mean, sd, lift)
    assert smallest_lift(mean, sd, n) == pytest.approx(lift, rel=1e-3)
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(1000):
        a, b = (rng.binomial(1, p, n).astype(float) for p in (mean, mean * (1 + lift)))
        hits += mean_difference(a, b).p < 0.05
    assert 0.76 < hits / 1000 < 0.84


def frame(n=1200, effect=0.0, seed=0, days=10):
    rng = np.random.default_rng(seed)
    arm = np.where(np.arange(n) % 2, "test", "control")
    before = rng.poisson(3, n)
    shown = rng.poisson(12, n) + 1
    return pd.DataFrame(
        {
            "user_id": [f"u{at}" for at in range(n)],
            "arm": arm,
            "timestamp": 1_700_000_000 + rng.integers(0, days, n) * 86_400,
            "clicks": before + rng.poisson(2 + effect * (arm == "test")),
            "shown": shown,
            "seconds": rng.normal(100, 5, n),
            "before_clicks": before,
        }
    )


def test_an_experiment_is_read_whole():
    result = analyse(
        Experiment.from_frame(frame(effect=0.6)),
        Reading(
            metrics=("clicks", "ctr"),
            ratios={"ctr": ("clicks", "shown")},
            guardrails=(Guardrail("seconds", "lower", 0.02),),
        ),
    )
    table = result.table().set_index("metric")
    assert result.sound
    assert list(table["kind"]) == ["primary", "secondary", "guardrail"]
    assert list(table["method"]) == ["CUPED", "ratio", "mean"]
    assert table.loc["clicks", "verdict"] == "higher"
    assert 0.4 < table.loc["clicks", "reduction"] < 0.75
    assert table.loc["seconds", "verdict"] == "holds"
    assert table.loc["clicks", "p_holm"] >= table.loc["clicks", "p"]
    looks = result.daily[result.daily["metric"] == "clicks"]
    assert looks["n"].is_monotonic_increasing and len(looks) >= 5
    assert (looks["always_high"] - looks["always_low"] > looks["high"] - looks["low"]).all()
    last = looks.iloc[-1]
    assert last["difference"] == pytest.approx(table.loc["clicks", "difference"], abs=1e-12)


def test_missing_users_are_noticed():
    rows = frame(4000)
    lost = (rows["arm"] == "test") & (np.random.default_rng(0).random(len(rows)) < 0.12)
    assert analyse(Experiment.from_frame(rows)).sound
    holed = analyse(Experiment.from_frame(rows[~lost]))
    assert not holed.sound and {r["verdict"] for r in holed.rows} == {"cannot be read"}
    assert holed.may_stop is None and holed.to_dict()["daily"] == []
    assert not {"difference", "low", "p", "always_low"} & set(holed.to_dict()["rows"][0])
    uneven = pd.concat([rows[rows["arm"] == "test"].iloc[:1850], rows[rows["arm"] == "control"]])
    suspicious = analyse(Experiment.from_frame(uneven))
    assert 0.001 < suspicious.mismatch_p < 0.05 and suspicious.sound and suspicious.suspect
    assert not analyse(Experiment.from_frame(rows)).suspect
    shares = {"control": 0.5, "test": 0.5}
    assert sample_ratio_p(np.array([10, 10]), np.array([0.5, 0.5])) == 1
    with pytest.raises(InputError, match="shares"):
        analyse(Experiment.from_frame(rows), Reading(expected=shares | {"test": 0.6}))


def peeked(n=900, seed=8):
    """A day-by-day table of two equal arms that one look calls different."""
    for again in range(400):
        orders = np.random.default_rng([seed, again]).poisson(1.0, n).astype(float)
        if 2.0 < (d := mean_difference(orders[::2], orders[1::2])).difference / d.error < 2.3:
            break
    arm = np.where(np.arange(n) % 2, "new", "control")
    times = 1_600_000_000 + np.arange(n) // 100 * 86_400
    return pd.DataFrame({"user_id": np.arange(n), "arm": arm, "orders": orders, "timestamp": times})


def test_before_the_end_the_interval_of_every_look_judges():
    """One look calls it higher; with users still to come, or nobody says how many, it may not stop."""
    e = Experiment.from_frame(peeked())
    early, open_, end = (analyse(e, Reading(planned_users=n)) for n in (20_000, None, 900))
    once = analyse(Experiment.from_frame(peeked().drop(columns="timestamp")))
    assert [r.look for r in (early, open_, end, once)] == ["early", "open", "end", "once"]
    assert [r.may_stop for r in (early, open_, end, once)] == [False, False, True, None]
    assert [r.rows[0]["verdict"] for r in (early, open_, end, once)] == [
        "no difference shown", "no difference shown", "higher", "higher",
    ]  # fmt: skip
    assert early.rows[0]["p_holm"] == early.rows[0]["always_p"] > 0.05 > early.rows[0]["p"]
    clear = analyse(Experiment.from_frame(frame(effect=0.6)), Reading(("clicks",)))
    assert clear.may_stop and clear.rows[0]["verdict"] == "higher"
    few = analyse(Experiment.from_frame(frame(380, effect=3.0)), Reading(("clicks",)))
    assert few.rows[0]["verdict"] == "too few users" and not few.may_stop


def test_guardrails_are_kept_by_the_interval_of_every_look():
    rows = frame(1200)
    test = rows["arm"] == "test"
    seconds = rows["seconds"].groupby(rows["arm"]).mean()
    rows.loc[test, "seconds"] *= 1.018 * seconds["control"] / seconds["test"]
    e = Experiment.from_frame(rows)
    guard = Guardrail("seconds", "lower", 0.01)
    read = {
        n: analyse(e, Reading(("clicks",), guardrails=(guard,), planned_users=n))
        for n in (1200, 9000)
    }
    assert read[1200].rows[1]["verdict"] == "broken"
    assert read[9000].rows[1]["verdict"] == "not shown" and not read[9000].may_stop


def test_tomorrows_users_do_not_move_todays_look():
    """Where none were planned, the interval of a day is the same in today's table and in tomorrow's."""
    rows = frame(6000)
    day = (rows["timestamp"] - rows["timestamp"].min()) // 86_400
    whole, part = (
        analyse(Experiment.from_frame(kept), Reading(("shown",))).daily.set_index("day").loc[1]
        for kept in (rows, rows[day < 2])
    )
    assert whole["difference"] == part["difference"] and whole["error"] == part["error"]
    width = [look["always_high"] - look["always_low"] for look in (whole, part)]
    assert width[0] == pytest.approx(width[1], rel=0.03)


def test_days_of_the_assignment_are_looks():
    rows = frame().rename(columns={"timestamp": "assigned_at"})
    result = analyse(Experiment.from_frame(rows), Reading(("clicks",)))
    assert result.daily["n"].is_monotonic_increasing and len(result.daily) >= 5
    assert result.daily["n"].iloc[-1] == len(rows) and result.look == "open"


def test_what_was_shown_is_no_outcome_unless_it_is_named():
    result = analyse(Experiment.from_frame(frame()))
    assert [r["metric"] for r in result.rows] == ["clicks", "seconds"]
    assert any("shown: what was shown" in note for note in result.notes)
    named = analyse(Experiment.from_frame(frame()), Reading(("shown",)))
    assert [r["metric"] for r in named.rows] == ["shown"]


def test_rows_of_a_user_are_added_up():
    rows = pd.concat([frame(600), frame(600).assign(timestamp=lambda d: d["timestamp"] + 86_400)])
    e = Experiment.from_frame(rows)
    assert e.n_users == 600
    assert e.outcomes["clicks"].sum() == rows["clicks"].sum()


def test_team_draft_is_fair_and_interleaves():
    rng = np.random.default_rng(0)
    left = np.tile(np.arange(10), (4000, 1))
    right = left[:, ::-1].copy()
    items, team = team_draft(left, right, 6, rng)
    assert (np.sort(items, axis=1)[:, 1:] > np.sort(items, axis=1)[:, :-1]).all()
    assert ((team == 0).sum(axis=1) == 3).all()
    assert abs(team[:, 0].mean() - 0.5) < 0.04
    assert (items[team == 0].reshape(-1, 3) == [0, 1, 2]).all()
    blind = preference((rng.random(items.shape) < 0.3).astype(float), team)
    assert blind.low < 0 < blind.high
    keen = preference((items >= 5).astype(float), team)
    assert keen.right_wins == 4000 and keen.p < 1e-9
