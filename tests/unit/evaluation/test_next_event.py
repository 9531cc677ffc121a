"""Each test event judged on its own, with everything before it: against loops, and without a look ahead."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from recnb import InputError, make, search
from recnb.data import Dataset, splits
from recnb.data.turns import Events
from recnb.evaluation import Evaluation, Protocol, evaluate
from recnb.evaluation.protocol import Task
from recnb.hashing import hash_ids
from recnb.study.store import DiskStore

N_ITEMS = 15
NEXT = Protocol(k=(3, 5), metrics=("ndcg", "recall"), next_event=True)


def frame(seed: int = 0, n_users: int = 25) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (f"u{u:02d}", f"i{i:02d}", t // 2)  # two events share a time
        for u in range(n_users)
        for t, i in enumerate(rng.integers(0, N_ITEMS, rng.integers(2, 12)))
    ]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])


def made(rows: pd.DataFrame) -> Dataset:
    items = pd.DataFrame({"item_id": [f"i{i:02d}" for i in range(N_ITEMS)]})
    return Dataset.from_frames(rows, items, feedback="implicit", duplicates="keep")


def one_by_one(ds: Dataset, split: splits.Split, model, k: int, repeats: bool) -> dict[str, float]:
    """NDCG@k of each user, event by event, lists sorted by hand."""
    ds = ds.with_tie_seed(split.tie_seed)
    order, user = ds.in_time, ds.interactions["user"].to_numpy()
    item = ds.interactions["item"].to_numpy()
    item_hash = hash_ids(ds.item_ids)
    out: dict[str, list[float]] = {}
    for u in range(ds.n_users):
        mine = order[user[order] == u]
        for at, row in enumerate(mine):
            before = set(item[mine[:at]])
            if split.part[row] != splits.TEST or (not repeats and item[row] in before):
                continue
            scores = model.score(np.array([u]), ds.rows(np.sort(mine[:at])))[0]
            assert len(set(scores)) > 1
            ranked = sorted(range(N_ITEMS), key=lambda i: (-scores[i], item_hash[i]))
            ranked = [i for i in ranked if repeats or i not in before]
            tied = (scores == scores[item[row]]).sum() > 1
            gain = 0.0
            if item[row] in ranked[:k] and not tied:
                gain = 1 / np.log2(2 + ranked.index(item[row]))
            out.setdefault(ds.user_ids[u], []).append(np.nan if tied else gain)
    return {user: float(np.mean(values)) for user, values in out.items()}


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("name", ["global_time", "user_time", "leave_one_out"])
def test_every_event_is_told_what_came_before_it(name, repeats):
    ds = made(frame())
    split = splits.make(ds, name, tie_seed=3)
    protocol = Protocol(
        k=3, metrics=("ndcg",), next_event=True, repeats="include" if repeats else "exclude"
    )
    model = make("transitions[decay=0.9]")
    ev = evaluate({"transitions": model}, split, protocol)
    fitted = make("transitions[decay=0.9]").fit(split.known)
    expected = one_by_one(ds, split, fitted, 3, repeats)
    values = ev.per_user.set_index("user_id")["value"]
    assert set(values.index) == set(expected)
    steady = [u for u, value in expected.items() if not np.isnan(value)]
    assert len(steady) > 5 and sum(expected[u] for u in steady) > 0
    for user in steady:
        assert values[user] == pytest.approx(expected[user], abs=1e-6)


@pytest.mark.parametrize("name", ["transitions", "vsknn", "itemknn_recent", "ease", "popularity"])
def test_a_marker_in_the_future_changes_no_list(name):
    """Another item in place of the last event of each user: only the list asked after it may change."""
    rows = frame(1)
    rows["timestamp"] = rows.groupby("user_id").cumcount()
    last = ~rows.duplicated("user_id", keep="last")
    marked = rows.assign(item_id=rows["item_id"].where(~last, f"i{N_ITEMS - 1:02d}"))
    lists = []
    for frame_ in (rows, marked):
        split = splits.user_time(made(frame_), test=0.5, valid=0)
        protocol = Protocol(
            k=4, metrics="recall", next_event=True, repeats="include"
        )  # all events are judged
        ev = evaluate({name: make(name)}, split, protocol)
        lists.append(ev.lists[["user_id", "event", "rank", "item_id"]])
    assert lists[0]["event"].max() > 1
    pd.testing.assert_frame_equal(lists[0], lists[1])


def test_the_order_of_rows_and_the_names_of_ids_decide_nothing():
    rows = frame(2)
    values = []
    for turn in (None, 1, 2):
        told = rows if turn is None else rows.sample(frac=1, random_state=turn)
        split = splits.global_time(made(told), tie_seed=1)
        ev = evaluate({n: make(n) for n in ("transitions", "vsknn")}, split, NEXT)
        values.append(
            ev.per_user.sort_values(["model", "metric", "k", "user_id"])["value"].to_numpy()
        )
    np.testing.assert_array_equal(values[0], values[1])
    np.testing.assert_array_equal(values[0], values[2])
    # Other names for users and items, times that do not tie: the hashes change, what is counted does not.
    rows["timestamp"] = rows.groupby("user_id").cumcount() * 100 + rows["user_id"].str[1:].astype(
        int
    )
    fresh = rows.assign(user_id="x" + rows["user_id"], item_id="y" + rows["item_id"])
    tables = []
    for told in (rows, fresh):
        ds = Dataset.from_frames(told, feedback="implicit", duplicates="keep")
        split = splits.user_time(ds)
        tables.append(
            make("transitions").fit(split.known).score(np.arange(ds.n_users), split.known)
        )
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-7)


def test_one_event_a_user_is_leave_one_out():
    ds = made(frame(3))
    split = splits.leave_one_out(ds)
    models = {name: make(name) for name in ("popularity", "itemknn", "transitions")}
    together, each = (
        evaluate(models, split, Protocol(k=(3, 5), metrics=("ndcg", "recall", "auc"), next_event=n))
        for n in (False, True)
    )
    a, b = (ev.table().set_index(["model", "metric", "k"])["value"] for ev in (together, each))
    pd.testing.assert_series_equal(a, b, atol=1e-6)


def test_what_is_written_can_be_counted_again(tmp_path):
    """From the lists and the split as they lie in the folder, without this package."""
    split = splits.global_time(made(frame(4)), test=0.4)
    ev = evaluate({"transitions": make("transitions")}, split, NEXT)
    ev.save(tmp_path)
    lists = pd.read_parquet(tmp_path / "recommendations.parquet")
    rows = pd.read_parquet(tmp_path / "split.parquet")
    targets = rows[rows["target"]].set_index(["user_id", "event"])["item_id"]
    assert targets.index.is_unique and len(targets) == ev.settings["split"]["judged_events"]
    wanted = targets.reindex(pd.MultiIndex.from_frame(lists[["user_id", "event"]])).to_numpy()
    gain = np.where(lists["item_id"] == wanted, 1 / np.log2(1 + lists["rank"]), 0) * (
        lists["rank"] <= 5
    )
    by_event = pd.Series(gain).groupby([lists["user_id"], lists["event"]]).sum()
    by_user = by_event.reindex(targets.index, fill_value=0).groupby("user_id").mean()
    value = ev.table().set_index(["metric", "k"]).loc[("ndcg", 5), "value"]
    assert value == pytest.approx(by_user.mean(), abs=1e-6) and value > 0
    again = Evaluation.load(tmp_path)
    user = again.users.index[0]
    first = again.lists_for(user)
    assert first.lists["rank"].tolist() == list(range(1, len(first.lists) + 1))
    assert json.loads((tmp_path / "run.json").read_text())["protocol"]["next_event"] is True
    page = ev.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"{len(targets):,} test events of {len(by_user):,} users" in page


def test_kept_work_and_searches_know_the_protocol(tmp_path):
    split = splits.global_time(made(frame(5)))
    store = DiskStore(tmp_path, split, NEXT)
    first = evaluate({"transitions": make("transitions")}, split, NEXT, store=store)
    again = evaluate(
        {"transitions": make("transitions")}, split, NEXT, store=DiskStore(tmp_path, split, NEXT)
    )
    pd.testing.assert_frame_equal(first.table(), again.table())
    plain = Protocol(k=(3, 5), metrics=("ndcg", "recall"))
    assert DiskStore(tmp_path, split, plain).get("transitions", make("transitions"), 0) is None
    with pytest.raises(InputError, match="another split or another protocol"):
        evaluate({"transitions": make("transitions")}, split, plain, store=store)
    found = search(make("transitions"), split, trials=4, protocol=NEXT)
    values = [trial.value for trial in found.searched.trials]
    few = search(make("transitions"), split, trials=1, protocol=NEXT, users=3)
    assert few.searched.trials[0].value != values[0]  # three users are not all
    inner = evaluate({"given": make("transitions")}, split.inner, NEXT).table()
    assert values[0] == pytest.approx(inner["value"].iloc[0]) and max(values) > 0


def test_events_that_cannot_be_judged_are_named():
    unordered = Dataset.from_frames(frame().drop(columns="timestamp"), duplicates="keep")
    split = splits.random(unordered)
    with pytest.raises(InputError, match="'data' has no order, so no event is the next one"):
        evaluate({"popularity": make("popularity")}, split, NEXT)
    ds = made(frame())
    split = splits.user_time(ds)
    lists = pd.DataFrame({"user_id": ["u00"], "item_id": ["i01"], "rank": [1]})
    with pytest.raises(InputError, match="theirs holds one list a user, and next_event asks"):
        evaluate({"theirs": lists}, split, NEXT)
    task = Task(split, NEXT, most_users=4)
    assert len(task.users) == 4 and len(Events.of(split)) > len(task.events)
