"""Models through the months: what came is learned, what is to come is not seen, and the cost is counted."""

from __future__ import annotations

import datetime
import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.models import EASE, SASRec, Transferred, Transitions
from recnb.models.sequential.updating import Update, updated
from recnb.progress import listening
from recnb.study import Clock, Run, Way, compared, over_time

N_ITEMS, N_DAYS, TURN = 40, 16, 10
PROTOCOL = Protocol(k=5, metrics=("ndcg",), draws=1000, next_event=True)
CLOCK = Clock(start=TURN * 86_400.0, days=1, n_steps=4, judge_every=2, window=2)
SMALL = {"width": 16, "n_layers": 1, "dropout": 0.0, "lr": 1e-2, "batch_size": 16, "n_epochs": 12}


@pytest.fixture(scope="module")
def ds() -> Dataset:
    """One event a day; item i is followed by i + 1, and from the tenth day on by i + 7."""
    first = np.random.default_rng(0).integers(0, N_ITEMS, 60)
    rows = []
    for user, item in enumerate(first):
        for day in range(N_DAYS):
            rows.append((f"u{user:02d}", f"i{item:02d}", 86_400 * day + user))
            item = (item + (1 if day < TURN else 7)) % N_ITEMS
    return Dataset.from_frames(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]))


def day(ds: Dataset, n: float) -> Dataset:
    return ds.rows(ds.interactions["timestamp"].to_numpy() < n * 86_400)


@pytest.mark.parametrize(
    "settings",
    [{}, {"backward": 0.5, "window": 3, "neighbours": 4}, {"half_life": 2.0, "normalisation": 0.2}],
)
def test_exact_counts_are_those_of_a_new_fit(ds, settings):
    model = Transitions(**settings).fit(day(ds, 8))
    for n in (9, 9.5, 9.5, 14):
        model = model.updated(day(ds, n))
    whole = Transitions(**settings).fit(day(ds, 14))
    assert (model.followers_ != 0).nnz == (whole.followers_ != 0).nnz
    users = np.arange(60)
    assert np.allclose(model.score(users), whole.score(users), rtol=1e-5)
    assert model.dataset_digest_ == whole.dataset_digest_
    with pytest.raises(InputError, match="is missing"):
        model.updated(day(ds, 13))


@pytest.fixture(scope="module")
def base(ds):
    return SASRec(**SMALL).fit(day(ds, TURN))


def turned(model, ds) -> float:
    """How much higher the item seven on stands than the next one."""
    last = model.sequences_["items"][model.sequences_["offsets"][1:] - 1]
    scores, users = model.score(np.arange(60)), np.arange(60)
    gap = scores[users, (last + 7) % N_ITEMS] - scores[users, (last + 1) % N_ITEMS]
    return float((gap / scores.std(axis=1)).mean())


def test_networks_go_on_and_an_adapter_leaves_the_base(ds, base):
    before = {name: value.copy() for name, value in base.weights_.items()}
    now = day(ds, 14)
    told = updated(base, now, Update(epochs=1, lr=1e-9))
    values = {
        how: turned(updated(base, now, Update(how, epochs=12)), ds)
        for how in ("finetune", "replay", "adapter")
    }
    assert all(value > turned(told, ds) + 0.5 for value in values.values())
    assert values["finetune"] > values["replay"]
    assert all(np.array_equal(base.weights_[name], value) for name, value in before.items())
    adapted = updated(base, day(ds, 12), Update("adapter", epochs=3))
    further = updated(adapted, now, Update("adapter", epochs=3))
    fresh = updated(adapted, now, Update("adapter", epochs=1, lr=1e-9, fresh=True))
    kept = [name for name in before if "queries" in name or "wide" in name]
    assert kept and all(np.allclose(fresh.weights_[n], before[n], atol=1e-6) for n in kept)
    assert any(not np.allclose(further.weights_[n], before[n], atol=1e-4) for n in kept)
    delta = further.weights_["layers.0.wide.weight"] - before["layers.0.wide.weight"]
    assert np.linalg.matrix_rank(delta, tol=1e-5) <= 4
    rows = base.row_[base.row_ >= 0]
    moved = further.weights_["vectors.free"][further.row_[base.row_ >= 0]]
    assert np.array_equal(moved, before["vectors.free"][rows])  # known items keep their vectors


def test_all_that_is_known_and_nothing_to_come(ds):
    run = over_time(Transitions(), ds, CLOCK, Way("count"), PROTOCOL, panel=0.2)
    again = over_time(Transitions(), ds, CLOCK, Way("refit"), PROTOCOL, panel=0.2)
    assert np.allclose(run.values["value"], again.values["value"])
    assert set(run.values["step"]) == {0, 2, 4} and 0.1 < run.values["panel"].mean() < 0.3
    items = ds.interactions["item"].to_numpy().copy()
    late = ds.interactions["timestamp"].to_numpy() >= CLOCK.at(2)
    items[late] = (3 * items[late] + 5) % N_ITEMS  # another future
    rows = ds.interactions.assign(item=items)
    marked = over_time(
        Transitions(), replace(ds, interactions=rows), CLOCK, Way("count"), PROTOCOL, panel=0.2
    )
    first, later = (
        [
            frame.query(f"step == {step}")["value"].to_numpy()
            for frame in (run.values, marked.values)
        ]
        for step in (0, 4)
    )
    assert np.array_equal(*first) and not np.array_equal(*later)
    assert len(run.costs) == 1 + CLOCK.n_steps and run.n_actions == CLOCK.n_steps
    assert list(again.costs["what"]) == ["fit", "refit", "refit"]
    rare = over_time(Transitions(), ds, CLOCK, Way("refit", every=4), PROTOCOL, panel=0.2)
    assert rare.costs["step"].tolist() == [0, 4] and rare.n_actions == 1
    refits = again.costs.query("what == 'refit'")["seconds"]
    assert np.isclose(again.seconds, refits.mean() * CLOCK.n_steps)


@pytest.mark.parametrize("panel", [0, 0.01, 0.2])
def test_a_model_that_is_not_kept_up_is_told_all_histories(ds, panel, monkeypatch):
    score, told = Transitions.score, []

    def watched(self, users, history=None):
        told.append(history and history.interactions["timestamp"].max() // 86_400 + 1)
        return score(self, users, history)

    monkeypatch.setattr(Transitions, "score", watched)
    protocol = replace(PROTOCOL, next_event=False)
    over_time(Transitions(), ds, CLOCK, Way("stale"), protocol, panel=panel)
    assert told[:3] == [TURN, TURN + 2, TURN + 4]
    assert told[3:] == ([TURN, TURN + 2] if panel == 0.2 else [])


@pytest.mark.parametrize(
    ("every", "judge_every", "days"), [(2, 3, [0, 2, 6]), (3, 2, [0, 3, 6]), (4, 1, [0, 4])]
)
def test_a_new_fit_knows_what_the_other_ways_know(ds, every, judge_every, days):
    clock = replace(CLOCK, start=8 * 86_400, n_steps=6, judge_every=judge_every)
    told = {"ds": ds, "clock": clock, "protocol": PROTOCOL, "panel": 0.2}
    run = over_time(Transitions(), way=Way("refit", every=every), **told)
    assert run.costs["step"].tolist() == days
    count = over_time(Transitions(), way=Way("count", every=every), **told)
    assert np.allclose(run.values["value"], count.values["value"])


def test_who_keeps_up_wins_after_the_turn_and_forgetting_is_seen(ds):
    ways = {"stale": Way("stale"), "finetune": Way("finetune", settings={"epochs": 6})}
    runs = {
        name: [over_time(SASRec(**SMALL), ds, CLOCK, way, PROTOCOL, panel=0.2)]
        for name, way in ways.items()
    }
    later = {n: r[0].values.query("step == 4")["value"].mean() for n, r in runs.items()}
    assert later["finetune"] > later["stale"] + 0.1
    table = compared(runs, to="stale").set_index("model")
    assert table.loc["stale", "forgotten"] == 0 and table.loc["stale", "seconds"] == 0
    assert table.loc["finetune", "difference"] > 0.1 and table.loc["finetune", "seconds"] > 0
    run = runs["finetune"][0]
    by_step = run.by_step().set_index("step")
    assert list(by_step.index) == [0, 2, 4] and (by_step["n_users"] > 0).all()
    assert by_step.loc[4, "value"] == later["finetune"]
    back = Run.from_dict(run.to_dict())
    pd.testing.assert_frame_equal(back.forgetting(), run.forgetting())
    panel = run.values.query("panel")["user_id"].unique()
    assert set(run.kept["user_id"]) <= set(panel) and set(run.kept["step"]) == {0, 2}


def test_opening_a_package_is_no_cost_of_an_update(ds, monkeypatch):
    module = sys.modules[over_time.__module__]
    timed, seen = module._timed, []

    def watched(costs, step, what, work):
        seen.append((what, "peft" in sys.modules))
        return timed(costs, step, what, work)

    monkeypatch.delitem(sys.modules, "peft", raising=False)
    monkeypatch.setattr(module, "_timed", watched)
    clock = replace(CLOCK, n_steps=1, judge_every=1)
    over_time(SASRec(**{**SMALL, "n_epochs": 1}), ds, clock, Way("adapter"), PROTOCOL)
    assert seen == [("fit", True), ("update", True)]


def test_a_start_is_a_date_or_seconds():
    zone = pd.Timestamp("1970-01-11T02:00", tz="Europe/Oslo") - pd.Timedelta("1h")
    dates = ("1970-01-11", "1970-01-11T00:00:00Z", pd.Timestamp("1970-01-11"), zone)
    for start in (*dates, datetime.date(1970, 1, 11), np.datetime64("1970-01-11"), 864_000):
        assert Clock(start, n_steps=np.int64(4), judge_every=2, window=2) == CLOCK
    for start in ("next week", "", None, float("nan"), CLOCK.start * 1e6, pd.NaT, ["1970-01-11"]):
        with pytest.raises(InputError, match="is no time; a date such as '2024-05-31'"):
            Clock(start)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_steps": 2.5},
        {"n_steps": 0},
        {"judge_every": 1.5},
        {"judge_every": 31},
        {"days": np.inf},
        {"days": "1"},
        {"window": 0},
    ],
    ids=str,
)
def test_a_clock_that_does_not_go(wrong):
    with pytest.raises(InputError, match=f"^{next(iter(wrong))}="):
        Clock(0.0, **wrong)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"how": "weekly"}, "how='weekly'; one of stale, count"),
        ({"how": "refit", "every": 1.5}, "every=1.5"),
        ({"how": "refit", "fresh": 1}, "fresh=1 with 'refit'"),
        ({"how": "adapter", "fresh": 0}, "fresh=0"),
        ({"how": "stale", "settings": {"epochs": 2}}, "'stale' has no setting 'epochs'"),
        ({"how": "finetune", "settings": {"epoch": 2}}, "no setting 'epoch'; one of epochs, lr$"),
        ({"how": "replay", "settings": {"how": "adapter"}}, "no setting 'how'; .* lr, replay$"),
        ({"how": "finetune", "settings": {"rank": 2}}, "'finetune' has no setting 'rank'"),
        ({"how": "finetune", "settings": {"epochs": 1.5}}, "epochs=1.5; a whole number"),
        ({"how": "finetune", "settings": None}, "settings=None"),
    ],
    ids=str,
)
def test_a_way_says_what_it_does_not_take(settings, words):
    with pytest.raises(InputError, match=words):
        Way(**settings)


def test_a_window_without_rows_is_left_out_with_a_note(ds):
    times = ds.interactions["timestamp"].to_numpy()
    gap = ds.rows((times < 12 * 86_400) | (times >= 14 * 86_400))
    heard: list[str] = []
    clock = replace(CLOCK, n_steps=8)
    with listening(said=heard.append):
        run = over_time(Transitions(), gap, clock, Way("refit"), PROTOCOL)
    assert set(run.values["step"]) == {0, 4} and run.costs["step"].tolist() == [0, 4]
    assert heard == list(run.notes)
    days = [line.partition(" is not judged: no user of")[0] for line in run.notes]
    assert days == ["step 2, 1970-01-13,", "step 6, 1970-01-17,", "step 8, 1970-01-19,"]
    whole = over_time(Transitions(), ds, CLOCK, Way("refit"), PROTOCOL)
    first = (r.values.query("step == 0").drop(columns="step") for r in (run, whole))
    pd.testing.assert_frame_equal(*first)
    assert not whole.notes
    back = Run.from_dict(json.loads(json.dumps(run.to_dict())))
    assert (back.clock, back.notes) == (clock, run.notes)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (-1, "nothing to learn before the start, 1969-12-31: .* 1970-01-01 to 1970-01-16"),
        (20, "nobody to judge after the start; .* 1970-01-21 to 1970-01-25, .* to 1970-01-16"),
        (15, "nobody to judge after the start"),
    ],
)
def test_a_clock_outside_the_rows_names_their_dates(ds, start, words):
    with pytest.raises(InputError, match=words):
        over_time(Transitions(), ds, replace(CLOCK, start=start * 86_400), Way("stale"), PROTOCOL)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"panel": 1.0}, "panel=1.0"),
        ({"panel": -0.1}, "panel=-0.1"),
        ({"panel": float("nan")}, "panel=nan"),
        ({"most_users": 0}, "most_users=0; a whole number"),
        ({"most_users": 9, "protocol": replace(PROTOCOL, next_event=False)}, "without next_event"),
        ({"way": Way("refit", every=5)}, "every=5: the last judgement, at step 4, comes before"),
        ({"model": EASE(), "way": Way("count")}, "EASE cannot be kept up by 'count'"),
        (
            {"model": Transferred(SASRec(items="text")), "way": Way("finetune")},
            "Transferred cannot be kept up by 'finetune'; take refit, stale",
        ),
    ],
    ids=str,
)
def test_what_no_run_can_follow_is_refused_before_a_fit(ds, given, words, monkeypatch):
    monkeypatch.setattr(sys.modules[over_time.__module__], "_timed", None)
    told = {"model": Transitions(), "clock": CLOCK, "way": Way("count"), "protocol": PROTOCOL}
    with pytest.raises(InputError, match=words):
        over_time(ds=ds, **{**told, **given})


def test_a_run_without_a_panel_forgets_nothing(ds):
    run = over_time(Transitions(), ds, CLOCK, Way("count"), PROTOCOL, panel=0)
    for each in (run, Run.from_dict(json.loads(json.dumps(run.to_dict())))):
        assert each.forgetting().empty and len(each.values)
        assert np.isnan(compared({"count": [each]}, to="count").loc[0, "forgotten"])


def test_a_metric_without_a_length_of_list(ds):
    runs = {
        how: [over_time(Transitions(), ds, CLOCK, Way(how), replace(PROTOCOL, metrics=("auc",)))]
        for how in ("stale", "count")
    }
    assert runs["count"][0].metric == "auc"
    assert compared(runs, to="stale").set_index("model").loc["count", "difference"] > 0.01


@pytest.fixture(scope="module")
def pair(ds):
    ways = ("stale", "count")
    return {how: over_time(Transitions(), ds, CLOCK, Way(how), PROTOCOL, panel=0.2) for how in ways}


def test_ways_are_compared_over_what_all_of_them_were_asked(pair):
    fewer = pair["count"].values.query("step != 2 and user_id < 'u40'")
    part = replace(pair["count"], values=fewer)
    table = compared({"stale": [pair["stale"]], "count": [part]}, to="stale").set_index("model")
    assert (table["n_users"] == 40).all()
    asked = pair["stale"].values.query("step != 2 and user_id < 'u40'")
    assert np.isclose(table.loc["stale", "value"], asked.groupby("user_id")["value"].mean().mean())
    gap = table.loc["count", "value"] - table.loc["stale", "value"]
    assert gap > 0.01 and np.isclose(table.loc["count", "difference"], gap)
    assert np.isclose(table.loc["count", "share"], 1 + gap / table.loc["stale", "value"])


def test_runs_that_cannot_be_compared(pair):
    one, other = pair["stale"], pair["count"]
    moved = one.values.assign(step=one.values["step"] + 1)
    for runs, words in (
        ({}, "no runs to compare"),
        ({"a": one}, "'a' is a run and no list of runs"),
        ({"a": []}, "'a' holds no runs"),
        ({"b": [one]}, "no way 'a'; one of b"),
        ({"a": [one], "b": [replace(other, clock=replace(CLOCK, days=2))]}, "different clocks"),
        (
            {"a": [one], "b": [replace(other, metric="recall@5")]},
            "judged by ndcg@5 and by recall@5",
        ),
        ({"a": [one], "b": [replace(other, values=moved)]}, "share no judgement"),
        (
            {"a": [one], "b": [replace(other, values=other.values.assign(panel=False))]},
            "different users from learning",
        ),
    ):
        with pytest.raises(InputError, match=words):
            compared(runs, to="a")
