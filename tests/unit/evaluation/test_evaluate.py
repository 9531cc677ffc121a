"""The rules of judgement: who sees what, when, and what a run is repeated over."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from recnb import InputError, Recommender, evaluate
from recnb.data import Dataset, splits
from recnb.evaluation import Protocol, Task
from recnb.evaluation.judge import judge
from recnb.recommender import Reads
from tests.unit.evaluation.conftest import Mean, Noisy, Popular, build, table


class Spy(Recommender):
    """Writes down what it is fitted on and told."""

    seen: ClassVar[list] = []

    def __init__(self, n_epochs: int = 50, seed: int = 0) -> None:
        self.n_epochs, self.seed = n_epochs, seed

    def _fit(self, train, valid) -> None:
        self.seen.append(("fit", train, valid, self.n_epochs, self.seed))
        self.n_items_ = train.n_items
        if valid is not None:
            self.n_epochs_ = 7

    def score(self, users, history=None):
        self.seen.append(("score", np.asarray(users), history, self.n_epochs, self.seed))
        return np.tile(np.arange(self.n_items_, dtype=np.float32), (len(users), 1))


class Watcher(Spy):
    uses_valid = True


class Drawer(Spy):
    seeded = True


@pytest.fixture(autouse=True)
def _forget():
    Spy.seen.clear()


def digests(kind="fit"):
    return [
        (a.digest, None if b is None else b.digest) for what, a, b, *_ in Spy.seen if what == kind
    ]


def test_a_model_without_choices_is_fitted_on_all_that_is_known(split):
    evaluate({"spy": Spy()}, split)
    assert digests() == [(split.known.digest, None)]


def test_a_model_that_stops_early_is_refitted_on_all_that_is_known(split):
    evaluate({"spy": Watcher()}, split)
    assert digests() == [(split.train.digest, split.valid.digest), (split.known.digest, None)]
    epochs = [n for what, _, _, n, _ in Spy.seen if what == "fit"]
    assert epochs == [50, 7]  # what the valid part chose


def test_without_a_valid_part_there_is_one_fit(ds):
    split = splits.user_time(ds, valid=0)
    evaluate({"spy": Watcher()}, split)
    assert digests() == [(split.train.digest, None)] == [(split.known.digest, None)]


@pytest.mark.parametrize("name", ["user_time", "global_time", "random", "cold_item", "cold_user"])
def test_no_test_row_is_seen_before_the_judgement(ds, name):
    split = splits.make(ds, name)
    evaluate({"spy": Watcher()}, split, Protocol(metrics=("ndcg", "auc")))
    tested = set(zip(split.test.interactions["user"], split.test.interactions["item"]))
    told = [d for _, *parts, _, _ in Spy.seen for d in parts if hasattr(d, "interactions")]
    assert told
    for part in told:
        rows = part.interactions
        assert not tested & set(zip(rows["user"], rows["item"]))


def test_cold_users_are_scored_with_what_is_given(ds):
    split = splits.cold_user(ds)
    evaluate({"spy": Spy()}, split)
    histories = {h.digest for what, _, h, *_ in Spy.seen if what == "score"}
    assert histories == {split.history.digest} and split.history.digest != split.known.digest
    Spy.seen.clear()
    evaluate({"spy": Spy()}, splits.user_time(ds))
    assert {h for what, _, h, *_ in Spy.seen if what == "score"} == {
        None
    }  # nothing beyond the training


def test_the_model_handed_in_stays_unfitted(split):
    model = Popular()
    evaluate({"m": model}, split)
    assert not model.fitted


def test_a_fitted_model_is_judged_as_it_is(split):
    model = Popular().fit(split.train)
    state = model.scores_.copy()
    ev = evaluate({"fitted": model, "fresh": Popular()}, split, seeds=(0, 1))
    np.testing.assert_array_equal(model.scores_, state)
    assert (
        ev.seeds("fitted") == [0] and ev.costs.set_index("model").loc["fitted", "fit_seconds"] == 0
    )
    refitted = evaluate({"known": Popular().fit(split.known)}, split)
    value = ev.table().set_index(["model", "metric"])["value"]
    assert value["fresh", "ndcg"] == refitted.table()["value"][0] != value["fitted", "ndcg"]


def test_wrong_data(ds, split):
    other = build(table(seed=1))
    with pytest.raises(InputError, match=r"^mine was fitted on another data set .*'data'"):
        evaluate({"mine": Popular().fit(other)}, split)
    with pytest.raises(InputError, match=r"^mine was fitted on all rows .* fit it on split.known"):
        evaluate({"mine": Popular().fit(ds)}, split)
    # under another threshold too: the rows are the same
    with pytest.raises(InputError, match="was fitted on all rows"):
        evaluate({"mine": Popular().fit(ds)}, split, Protocol(relevant_from=3))


def test_seeds_are_for_models_that_draw(split):
    ev = evaluate({"noisy": Noisy(), "plain": Popular()}, split, seeds=(3, 4, 5))
    assert ev.seeds("noisy") == [3, 4, 5] and ev.seeds("plain") == [3]
    each = [evaluate({"noisy": Noisy(seed=9)}, split, seeds=(s,)).table() for s in (3, 4, 5)]
    values = np.array([t["value"][0] for t in each])
    assert len(set(values)) == 3
    t = ev.table().query("model == 'noisy' and metric == 'ndcg'").iloc[0]
    assert t["value"] == pytest.approx(values.mean()) and t["seeds"] == 3
    assert t["seed_sd"] == pytest.approx(values.std(ddof=1))
    assert ev.table().query("model == 'plain'")["seed_sd"].eq(0).all()
    np.testing.assert_allclose(
        ev.by_seed().query("model == 'noisy' and metric == 'ndcg'")["value"], values
    )
    # the interval is that of the users' means over seeds
    mean = ev.mean_over_seeds("noisy", ev.headline).values
    runs = [ev.columns["noisy", s, ev.headline].values for s in (3, 4, 5)]
    np.testing.assert_allclose(mean, np.mean(runs, axis=0))


def test_the_seed_reaches_the_model(split):
    evaluate({"spy": Drawer(seed=99)}, split, seeds=(1, 2))
    assert [seed for what, *_, seed in Spy.seen if what == "fit"] == [1, 2]


def test_progress_names_every_step_before_it(split):
    steps = []
    evaluate({"noisy": Noisy(), "plain": Popular()}, split, seeds=(0, 1),
             progress=lambda *step: steps.append(step))  # fmt: skip
    assert [(done, total) for _, done, total in steps[:3]] == [(0, 3), (1, 3), (2, 3)]
    assert [what for what, *_ in steps[:3]] == ["noisy, seed 0", "noisy, seed 1", "plain"]


def test_a_store_saves_the_work(split):
    class Store:
        def __init__(self):
            self.kept, self.asked = {}, []

        def check(self, split, protocol):
            pass

        def get(self, name, model, seed):
            self.asked.append((name, seed))
            return self.kept.get((name, seed))

        def put(self, judged, model):
            self.kept[judged.model, judged.seed] = judged

        def beside(self, split):
            return Store()

    store = Store()
    first = evaluate({"spy": Drawer()}, split, seeds=(0, 1), store=store)
    assert set(store.kept) == {("spy", 0), ("spy", 1)} and len(digests()) == 2
    Spy.seen.clear()
    again = evaluate({"spy": Drawer()}, split, seeds=(0, 1, 2), store=store)
    assert [seed for what, *_, seed in Spy.seen if what == "fit"] == [2]  # the missing one alone
    assert store.asked[-3:] == [("spy", 0), ("spy", 1), ("spy", 2)]
    for key, column in first.columns.items():
        np.testing.assert_array_equal(column.values, again.columns[key].values)


def test_costs_and_settings_are_kept(split):
    ev = evaluate({"m": Popular(noise=0.5)}, split)
    model = ev.records[0].to_dict()
    assert model["settings"] == {"noise": 0.5, "seed": 0}
    for name in ("fit_seconds", "score_seconds", "peak_memory_mb"):
        assert model[name] >= 0
    assert (model["trainable_parameters"], model["total_parameters"]) == (30, 30)
    assert model["device"] == "cpu"
    said = ev.settings["split"]
    assert (said["name"], said["digest"]) == ("user_time", split.digest)
    assert said["interactions"] == {
        "train": len(split.train.interactions),
        "valid": len(split.valid.interactions),
        "test": len(split.test.interactions),
    }
    assert ev.settings["dataset"]["digest"] == split.dataset.digest
    assert {"python", "numpy", "recnb"} <= set(ev.settings["versions"])


# ---------------------------------------------------------------- ties in time


def spread(ev):
    return [f for f in ev.findings if f.code == "tied_timestamps" and " to " in f.evidence]


def test_ties_at_the_cut_are_measured():
    ds = build(table(ties=True))
    for name in ("user_time", "leave_one_out", "global_time"):
        split = splits.make(ds, name)
        assert split.tied_users > 0
        ev = evaluate({"m": Popular(), "slow": Mean()}, split)
        (found,) = spread(ev)
        values = []
        for seed in range(5):
            judged = judge("m", Popular(), Task(split.with_tie_seed(seed), Protocol()))
            values.append(judged.values["ndcg", 10, "catalogue"][1].mean())
        assert found.n == split.tied_users
        assert found.value == pytest.approx(max(values) - min(values))
        assert f"m {min(values):.4f} to {max(values):.4f}" in found.evidence
        assert "slow" not in found.evidence  # only what is fitted in seconds


def test_without_ties_at_the_cut_there_is_nothing_to_say(split):
    assert split.tied_users == 0 and not spread(evaluate({"m": Popular()}, split))
    tied = build(table(ties=True))
    for name in ("random", "cold_item", "cold_user"):
        assert not spread(evaluate({"m": Popular()}, splits.make(tied, name)))
    # ties within a part move nothing
    rows = pd.DataFrame({"user_id": "a", "item_id": range(6), "timestamp": [1, 1, 1, 1, 2, 2]})
    rows = pd.concat([rows, rows.assign(user_id="b")])
    users = pd.DataFrame({"user_id": ["a", "b"]})
    inside = build(rows, users=users, feedback="implicit", scale=None)
    inside = splits.user_time(inside, test=0.34, valid=0)
    assert (inside.part == 2).sum() == 4 and inside.tied_users == 0
    assert not spread(evaluate({"m": Popular()}, inside))


def test_an_inner_split_can_be_judged():
    """Settings are chosen on it, ties or not."""
    split = splits.user_time(build(table(ties=True)))
    ev = evaluate({"m": Popular()}, split.inner)
    assert ev.table()["n_users"].min() > 0 and not spread(ev)


# ---------------------------------------------------------------- invariance


@pytest.mark.parametrize("name", ["user_time", "global_time", "random", "cold_item", "cold_user"])
def test_the_order_of_the_catalogue_changes_nothing(name):
    """Codes are row numbers; no value may depend on them, not even where all scores tie."""
    rows = table(ties=True)
    shuffled = rows.sample(frac=1, random_state=1)
    frames = []
    for order in (rows, shuffled):
        ds = build(order)
        split = splits.make(ds, name)
        flat = np.zeros((ds.n_users, ds.n_items), np.float32)
        models = {"m": Popular(), "mean": Mean(), "flat": flat}
        protocol = Protocol(k=(3, 10), metrics=("ndcg", "recall", "auc"))
        ev = evaluate(models, split, protocol)
        keys = ["model", "metric", "k", "candidates", "user_id"]
        frames.append(ev.per_user.sort_values(keys).reset_index(drop=True))
        frames.append(
            ev.lists.sort_values(["model", "candidates", "user_id", "rank"]).reset_index(drop=True)
        )
        frames.append(ev.users.drop(columns="popularity").sort_index())
    for a, b in zip(frames[:3], frames[3:]):
        pd.testing.assert_frame_equal(a, b)


def test_what_a_model_lists_beyond_the_cut_off_does_not_count(split):
    ds = split.dataset
    scores = np.random.default_rng(0).permutation(ds.n_users * ds.n_items)
    scores = scores.reshape(ds.n_users, -1).astype(np.float32)
    narrow = evaluate({"m": scores}, split, Protocol(k=5)).table()
    protocol = Protocol(k=(5, 20), metrics=("ndcg", "recall", "r_precision"))
    wide = evaluate({"m": scores}, split, protocol).table()
    wide = wide[(wide["k"] == 5) & wide["metric"].isin(["ndcg", "recall"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(narrow, wide)


def test_facts_of_users(split):
    ev = evaluate({"m": Popular()}, split)
    known = split.known.interactions
    ds = split.dataset
    per_item = known.groupby("item")["user"].nunique()
    for user_id, facts in ev.users.iterrows():
        mine = known[known["user"] == ds.users.index.get_loc(user_id)]
        assert facts["activity"] == len(mine)
        assert facts["popularity"] == pytest.approx(per_item[mine["item"]].mean())
        assert facts["side"] == ds.users.loc[user_id, "side"]


def test_task_is_the_same_for_every_model(split):
    task = Task(split, Protocol(k=5))
    a, b = judge("a", Popular(), task), judge("b", Popular(), task)
    for key in a.values:
        np.testing.assert_array_equal(a.values[key][1], b.values[key][1])
    np.testing.assert_array_equal(a.lists["catalogue"][0], b.lists["catalogue"][0])


@pytest.mark.parametrize("k", [True, (5, True), 0, -1, 2.0, ()])
def test_a_cut_off_is_a_whole_number(k):
    with pytest.raises(InputError, match="whole numbers"):
        Protocol(k=k)


def test_reads_are_told_of_lists_and_scores_alone(split):
    scores = np.zeros((split.dataset.n_users, split.dataset.n_items), np.float32)
    with pytest.raises(InputError, match="reads names 'm'"):
        evaluate({"m": Popular()}, split, reads={"m": Reads("pairs")})
    ev = evaluate(
        {"m": Popular(), "told": scores, "theirs": scores}, split, reads={"told": Reads()}
    )
    assert ev.reads == {"m": Reads.unknown(), "told": Reads(), "theirs": Reads.unknown()}
    assert ev.rows().set_index("model")["language"].isna().to_dict() == {
        "m": True,
        "told": False,
        "theirs": True,
    }


def test_lists_of_all_that_is_left_are_not_short():
    """Where a user has seen all but nine items, nine places are a whole list."""
    rows = [(f"u{u}", f"i{i}", 100 * i + u) for u in range(20) for i in range(12) if (i + u) % 6]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    split = splits.user_time(Dataset.from_frames(frame), test=0.3)
    ev = evaluate({"popular": Popular()}, split, Protocol(k=10))
    assert ev.lists["rank"].max() < 10
    assert "short_lists" not in {f.code for f in ev.findings}
    short = ev.lists[ev.lists["rank"] == 1][["user_id", "item_id", "rank"]]
    assert "short_lists" in {f.code for f in evaluate({"one": short}, split).findings}
