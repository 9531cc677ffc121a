"""Splits: what holds for any data, tried on generated tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from recnb import InputError
from recnb.data import Dataset, splits
from recnb.data.splits import GIVEN, TEST, TRAIN, VALID, VALID_GIVEN

# The tables come from a seeded generator, so there is little to shrink.
few = settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate])
BY_CLOCK = ("user_time", "leave_one_out", "global_time")
SEVEN = (*BY_CLOCK, "random", "k_fold", "cold_item", "cold_user")


@st.composite
def frames(draw, clock: str | None = "timestamp"):
    """40 to 70 rows of 6 users and 9 items, with many ties in time and some repeats."""
    n = draw(st.integers(40, 70))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    users = np.append(np.arange(6), rng.integers(0, 6, n - 6))
    items = np.append(np.arange(9), rng.integers(0, 9, n - 9))
    rows = pd.DataFrame(
        {
            "user_id": [f"u{u}" for u in rng.permutation(users)],
            "item_id": [f"i{i}" for i in rng.permutation(items)],
        }
    )
    if clock:
        rows[clock] = rng.integers(0, draw(st.sampled_from([2, 10, 1000])), n) + 10**9
    return rows


def build(rows: pd.DataFrame, items=None, users=None) -> Dataset:
    return Dataset.from_frames(rows, items, users, feedback="implicit", duplicates="keep")


def make(name: str, ds: Dataset, seed: int = 0, **others) -> splits.Split:
    if name == "k_fold":
        return splits.k_fold(ds, k=4, valid=others.get("valid", 0.2), seed=seed)[1]
    shares = {"test": 0.25, "valid": 0.2} if name != "leave_one_out" else {}
    key = "tie_seed" if name in BY_CLOCK else "seed"
    return splits.BY_NAME[name](ds, **{**shares, key: seed, **others})


def parts(split) -> pd.DataFrame:
    """Rows with their part, in strings, in one order."""
    frame = split.frame().astype(str)
    return frame.sort_values(list(frame.columns)).reset_index(drop=True)


def keys(ds: Dataset) -> list[tuple]:
    r = ds.interactions
    return sorted(zip(r["user"], r["item"], r.get("timestamp", r["user"])))


@pytest.mark.parametrize("name", SEVEN)
@few
@given(rows=frames())
def test_parts_divide_the_rows(name, rows):
    ds = build(rows)
    split = make(name, ds)
    assert len(split.part) == len(ds.interactions)
    divided = [split.train, split.valid, split.test]
    given_rows = split._rows(GIVEN, VALID_GIVEN)
    found = [row for part in (*divided, given_rows) if part is not None for row in keys(part)]
    assert sorted(found) == keys(ds)
    # known and history are made of the same rows and hold nothing of the test
    known = keys(split.train) + (keys(split.valid) if split.valid else [])
    known += keys(split._rows(VALID_GIVEN))
    assert keys(split.known) == sorted(known)
    assert keys(split.history) == sorted(known + keys(split._rows(GIVEN)))
    assert len(split.history.interactions) + len(split.test.interactions) == len(ds.interactions)
    for part in divided:
        if part is not None:
            assert part.identity == ds.identity  # the same codes everywhere


@few
@given(rows=frames())
def test_the_future_of_a_user_is_tested(rows):
    ds = build(rows)
    size = np.bincount(ds.interactions["user"], minlength=ds.n_users)
    for split in (make("user_time", ds), make("leave_one_out", ds)):
        frame = pd.DataFrame(
            {
                "user": ds.interactions["user"],
                "time": ds.interactions["timestamp"],
                "part": split.part,
            }
        )
        for user, mine in frame.groupby("user"):
            n = {p: (mine["part"] == p).sum() for p in (TRAIN, VALID, TEST)}
            if split.name == "user_time":
                assert n[TEST] == int(0.25 * size[user]) and n[VALID] == int(0.2 * size[user])
            else:
                assert n[TEST] == (size[user] > 1) and n[VALID] == (size[user] > 2)
                assert n[TRAIN] >= 1
            last = {p: mine["time"][mine["part"] == p] for p in (TRAIN, VALID, TEST)}
            assert not n[TEST] or last[TEST].min() >= mine["time"][mine["part"] != TEST].max()
            assert not n[VALID] or not n[TRAIN] or last[VALID].min() >= last[TRAIN].max()


@few
@given(rows=frames())
def test_one_day_divides_global_time(rows):
    ds = build(rows)
    split = make("global_time", ds)
    time = ds.interactions["timestamp"]
    n = len(time)
    assert (split.part == TEST).sum() == int(0.25 * n + 1e-9)
    assert (split.part == VALID).sum() == int(0.2 * n + 1e-9)
    assert time[split.part == TEST].min() >= time[split.part != TEST].max()
    assert time[split.part == VALID].min() >= time[split.part == TRAIN].max()


@few
@given(rows=frames())
def test_random_and_folds(rows):
    ds = build(rows)
    n = len(ds.interactions)
    split = make("random", ds)
    assert (split.part == TEST).sum() == int(0.25 * n + 1e-9)
    assert (split.part == VALID).sum() == int(0.2 * n + 1e-9)
    folds = splits.k_fold(ds, k=4, valid=0.2, seed=1)
    tested = sum((fold.part == TEST).astype(int) for fold in folds)
    assert (tested == 1).all()  # every row in exactly one
    for fold in folds:
        size = (fold.part == TEST).sum()
        assert size in (n // 4, n // 4 + 1)
        assert (fold.part == VALID).sum() == int(0.2 * (n - size) + 1e-9)
    assert len({fold.digest for fold in folds}) == 4


@few
@given(rows=frames(), seed=st.integers(0, 5))
def test_cold_items_are_new(rows, seed):
    # one item in the table that nobody used: it is never drawn
    items = pd.DataFrame({"item_id": [*sorted(rows["item_id"].unique()), "unused"]})
    ds = build(rows, items)
    split = make("cold_item", ds, seed)
    n = ds.n_items - 1
    tested = set(split.test.interactions["item"])
    assert set(split.candidates) == tested and len(tested) == int(0.25 * n + 1e-9)
    assert not tested & set(split.history.interactions["item"])
    validated = set(split.valid.interactions["item"])
    assert set(split.valid_candidates) == validated and len(validated) == int(0.2 * n + 1e-9)
    assert not validated & set(split.train.interactions["item"])
    assert ds.n_items - 1 not in split.candidates
    assert set(split.inner.candidates) == validated  # chosen for the task that is judged


@few
@given(rows=frames(), seed=st.integers(0, 5))
def test_cold_users_are_new(rows, seed):
    ds = build(rows)
    split = make("cold_user", ds, seed, given=0.5)
    r = ds.interactions.assign(part=split.part)
    tested = set(r["user"][r["part"] == TEST])
    drawn = set(r["user"][r["part"].isin((TEST, GIVEN))])
    assert drawn == tested and len(tested) == int(0.25 * r["user"].nunique() + 1e-9)
    assert not tested & set(split.known.interactions["user"])
    assert not tested & set(split.train.interactions["user"])
    for user in tested:
        mine = r[r["user"] == user]
        shown = mine["part"] == GIVEN
        assert shown.sum() == int(0.5 * len(mine))
        assert not shown.any() or mine["timestamp"][shown].max() <= mine["timestamp"][~shown].min()
    inner = split.inner
    fresh = set(inner.test.interactions["user"])
    assert fresh and not fresh & set(inner.train.interactions["user"])
    shown = inner.history.interactions["user"].isin(fresh)
    assert shown.sum() == (split.part == VALID_GIVEN).sum()


@pytest.mark.parametrize("name", SEVEN)
@few
@given(rows=frames(), seed=st.integers(0, 3))
def test_order_of_rows_and_catalogue_decides_nothing(name, rows, seed):
    """Ties are cut by ids, so a shuffled file with a shuffled catalogue gives the same parts."""
    shuffled = rows.sample(frac=1, random_state=seed)
    items = pd.DataFrame({"item_id": rows["item_id"].unique()}).sample(frac=1, random_state=seed)
    users = pd.DataFrame({"user_id": rows["user_id"].unique()}).sample(frac=1, random_state=seed)
    a, b = make(name, build(rows), seed), make(name, build(shuffled, items, users), seed)
    pd.testing.assert_frame_equal(parts(a), parts(b))
    if a.candidates is not None:
        chosen = [set(s.dataset.item_ids[s.candidates]) for s in (a, b)]
        assert chosen[0] == chosen[1]


@pytest.mark.parametrize("name", BY_CLOCK)
@few
@given(rows=frames())
def test_tie_seed_moves_ties_and_nothing_else(name, rows):
    ds = build(rows)
    time, user = ds.interactions["timestamp"], ds.interactions["user"]
    a = make(name, ds, 0)
    tied = 0
    for seed in range(1, 5):
        b = a.with_tie_seed(seed)
        assert (
            b.settings == {**a.settings, "tie_seed": seed}
            and b.digest == make(name, ds, seed).digest
        )
        # by time and part, the two are alike: only which of the tied rows differs
        by = [time] if name == "global_time" else [user, time]
        for x, y in zip(*(pd.Series(s.part == TEST).groupby(by).sum() for s in (a, b))):
            assert x == y
        moved = (a.part == TEST) != (b.part == TEST)
        tied += moved.sum()
        if name != "global_time":
            assert user[moved].nunique() <= a.tied_users
        assert b.tied_users == a.tied_users or name == "global_time"
    assert not tied or a.tied_users > 0  # what can move is announced


@few
@given(rows=frames())
def test_without_ties_there_is_one_order(rows):
    rows = rows.assign(timestamp=np.random.default_rng(0).permutation(len(rows)))
    ds = build(rows)
    for name in BY_CLOCK:
        a = make(name, ds)
        assert a.tied_users == 0
        assert (a.part == a.with_tie_seed(5).part).all()


@pytest.mark.parametrize("name", SEVEN)
@few
@given(rows=frames())
def test_inner_hides_the_test(name, rows):
    split = make(name, build(rows))
    if split.valid is None:
        with pytest.raises(InputError, match="no validation part"):
            _ = split.inner
        return
    inner = split.inner
    assert keys(inner.test) == keys(split.valid) and keys(inner.train) == keys(split.train)
    assert keys(inner.dataset) == keys(split.known)
    assert inner.dataset.identity == split.dataset.identity
    assert inner.valid is None and inner.digest != split.digest
    assert inner.tied_users == 0  # it cannot be cut anew, and does not say that it can
    with pytest.raises(InputError, match="breaks no ties"):
        inner.with_tie_seed(1)


@pytest.mark.parametrize("name", [*BY_CLOCK, "random", "cold_user"])
@few
@given(rows=frames())
def test_a_frame_of_parts_reads_back(name, rows):
    ds = build(rows.drop_duplicates(["user_id", "item_id"]))
    split = make(name, ds)
    frame = split.frame()
    assert set(frame["part"]) <= {"train", "valid", "test", "given"}
    back = splits.predefined(ds, frame.sample(frac=1, random_state=0))
    assert (back.part == split.part).all() and back.digest == split.digest
    if name != "cold_user":  # the same through the column `split`
        rows = frame.rename(columns={"part": "split"})
        assert (splits.predefined(build(rows)).part == split.part).all()


@pytest.mark.parametrize("name", SEVEN)
@few
@given(rows=frames())
def test_digest(name, rows):
    ds = build(rows)
    split = make(name, ds)
    assert split.digest == make(name, build(rows)).digest
    other = build(rows.assign(timestamp=rows["timestamp"] + 1))
    assert make(name, other).digest != split.digest  # other data, though the same parts
    seeds = [make(name, ds, s) for s in range(4)]
    for one in seeds:
        assert (one.digest == split.digest) == bool((one.part == split.part).all())
    assert len({s.digest for s in seeds}) > 1 or name in BY_CLOCK


@few
@given(rows=frames(clock="position"))
def test_positions_order_a_user_and_not_two(rows):
    ds = build(rows)
    assert ds.order == "position" and splits.make(ds).name == "user_time"
    for name in ("user_time", "leave_one_out"):
        split = make(name, ds)
        r = ds.interactions.assign(part=split.part)
        first = r[r["part"] == TEST].groupby("user")["position"].min()
        last = r[r["part"] != TEST].groupby("user")["position"].max()
        assert (first - last).dropna().ge(0).all()
    with pytest.raises(InputError) as caught:
        splits.global_time(ds)
    assert "needs a clock" in caught.value.problem and "not between users" in caught.value.problem
    assert "user_time" in caught.value.mend


@pytest.mark.parametrize("ordered", [True, False])
def test_new_users_of_a_validation_part_tell_half_of_it(ordered):
    rows = pd.DataFrame([(f"u{u}", f"i{i}", i) for u in range(8) for i in range(u + 1)])
    rows.columns = ["user_id", "item_id", "timestamp"]
    ds = Dataset.from_frames(rows if ordered else rows.drop(columns="timestamp"))
    user, item = (ds.interactions[c].to_numpy() for c in ("user", "item"))
    valid = (user >= 5) | (user == 0) | ((user == 3) & (item == 2))  # of user 3 a part is known
    train = ds.rows(~valid)
    history, asked = splits.fold_in(train, ds.rows(valid))
    told = history.interactions.groupby("user").size()
    assert told.to_dict() == {1: 2, 2: 3, 3: 3, 4: 5, 5: 3, 6: 3, 7: 4}
    assert asked.interactions.groupby("user").size().to_dict() == {0: 1, 3: 1, 5: 3, 6: 4, 7: 4}
    assert (history.pairs() + asked.pairs() != ds.pairs()).nnz == 0
    first = history.interactions.query("user > 4").groupby("user")["item"].apply(list)
    if ordered:
        assert first.tolist() == [[0, 1, 2], [0, 1, 2], [0, 1, 2, 3]]
    else:
        assert first.tolist() != [[0, 1, 2], [0, 1, 2], [0, 1, 2, 3]]
    late = (user == 3) & (item == 2)
    train, valid = ds.rows(~late), ds.rows(late)
    assert splits.fold_in(train, valid) == (train, valid)  # nobody is new


def test_without_any_order():
    ds = build(pd.DataFrame({"user_id": list("aabbcc"), "item_id": list("xyxyxy")}))
    assert splits.make(ds, test=0.3, valid=0).name == "random"
    for name, mend in (
        ("global_time", "random"),
        ("user_time", "random"),
        ("leave_one_out", "random"),
    ):
        with pytest.raises(InputError, match=f"{name} needs .*{mend}") as caught:
            splits.make(ds, name)
        assert caught.value.column == "timestamp"
    split = splits.cold_user(ds, test=0.4, valid=0, given=0.5)  # given rows are drawn
    assert (split.part == GIVEN).sum() == 1 == (split.part == TEST).sum()


def test_the_clock_wins_over_positions():
    rows = pd.DataFrame(
        {"user_id": "a", "item_id": list("xyz"), "timestamp": [3, 2, 1], "position": [1, 2, 3]}
    )
    ds = build(rows)
    split = splits.leave_one_out(ds)
    assert ds.item_ids[split.test.interactions["item"]].tolist() == ["x"]
    assert ds.item_ids[split.valid.interactions["item"]].tolist() == ["y"]


WRONG = {
    "nothing left": (splits.random, {"test": 0.7, "valid": 0.3}, "shares between 0 and 1"),
    "no test": (splits.user_time, {"test": 0.0}, "shares between 0 and 1"),
    "all test": (splits.global_time, {"test": 1.0, "valid": 0}, "shares between 0 and 1"),
    "negative": (splits.cold_item, {"valid": -0.1}, "shares between 0 and 1"),
    "NaN": (splits.cold_user, {"test": float("nan")}, "shares between 0 and 1"),
    "all given": (splits.cold_user, {"given": 1.0}, "from 0 to below 1"),
    "one fold": (splits.k_fold, {"k": 1}, "shares"),
    "many folds": (splits.k_fold, {"k": 7}, "fewer folds"),
    "tiny share": (splits.random, {"test": 0.01}, "the test part of the random split"),
    "no column": (splits.predefined, {}, "no column 'split'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings(name):
    function, given_settings, message = WRONG[name]
    rows = {"user_id": list("aabbcc"), "item_id": list("xyxyxy"), "timestamp": range(6)}
    with pytest.raises(InputError, match=message):
        function(build(pd.DataFrame(rows)), **given_settings)


def test_unknown_split():
    ds = build(pd.DataFrame({"user_id": ["a"], "item_id": ["x"]}))
    with pytest.raises(InputError, match=r"no split 'time'.*user_time"):
        splits.make(ds, "time")


def test_wrong_frames_of_parts():
    ds = build(pd.DataFrame({"user_id": list("aab"), "item_id": list("xyx")}))
    good = pd.DataFrame(
        {"user_id": list("aab"), "item_id": list("xyx"), "part": ["train", "test", "train"]}
    )
    assert splits.predefined(ds, good).part.tolist() == [TRAIN, TEST, TRAIN]
    for change, column, row, problem in (
        ({"part": ["train", "dev", "train"]}, "part", 2, "'dev' is unknown"),
        ({"user_id": list("aaz")}, "user_id", 3, "'z' is unknown"),
        ({"item_id": list("qyx")}, "item_id", 1, "'q' is unknown"),
        ({"item_id": list("xxx")}, None, 2, "stands twice"),
    ):
        with pytest.raises(InputError) as caught:
            splits.predefined(ds, good.assign(**change))
        error = caught.value
        assert (error.file, error.column, error.row) == ("parts", column, row)
        assert problem in error.problem and error.mend
    with pytest.raises(InputError, match="1 interactions have no part"):
        splits.predefined(ds, good[:2])
    with pytest.raises(InputError, match="column 'part' is missing"):
        splits.predefined(ds, good.drop(columns="part"))


def test_shares_survive_floating_point():
    """floor(0.3 * 10) is 3, though 0.1 + 0.2 is more than 0.3 and 0.29999999999999998 * 10 is less than 3."""
    rows = pd.DataFrame({"user_id": "a", "item_id": range(10), "timestamp": range(10)})
    split = splits.user_time(build(rows), test=0.1 + 0.2, valid=0.3 - 1e-17)
    assert np.bincount(split.part).tolist() == [4, 3, 3]
    assert "train 4, valid 3, test 3" in repr(split)


def test_fewer_learners_leave_the_judged_people_alone():
    rows = pd.DataFrame({"user_id": np.repeat([f"u{u}" for u in range(20)], 6)})
    rows["item_id"] = [f"i{i}" for i in np.random.default_rng(0).integers(0, 9, len(rows))]
    rows["position"] = rows.groupby("user_id").cumcount()
    whole = splits.cold_user(build(rows), test=0.5, valid=0, given=0.5)
    some = {n: whole.with_learners(n) for n in (1, 4, 10, 99)}
    learners = {n: set(split.train.interactions["user"]) for n, split in some.items()}
    assert [len(each) for each in learners.values()] == [1, 4, 10, 10]
    assert learners[1] < learners[4] < learners[10] == set(whole.train.interactions["user"])
    for split in some.values():
        assert keys(split.test) == keys(whole.test)
        told = np.isin(split.history.interactions["user"], split.test.interactions["user"])
        given_then = np.isin(whole.history.interactions["user"], whole.test.interactions["user"])
        assert keys(split.history.rows(told)) == keys(whole.history.rows(given_then))
    turned = splits.cold_user(build(rows.sample(frac=1, random_state=1)), 0.5, 0, 0.5)
    assert parts(turned.with_learners(4)).equals(parts(some[4]))
    assert [split.name for split in some.values()] == [f"cold_user:{n}" for n in (1, 4, 10, 10)]
    for n in (0, 1.5, True, "3"):
        with pytest.raises(InputError, match="a whole number of at least 1"):
            whole.with_learners(n)
    for other in (splits.user_time(build(rows)), splits.random(build(rows))):
        with pytest.raises(InputError, match=r"judged in the .* take a cold_user split"):
            other.with_learners(4)
