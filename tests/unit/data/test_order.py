"""One order of events per user, whatever the order of the rows; sessions; and histories as flat arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb import InputError
from recnb.data import Dataset, splits
from recnb.data.order import event_order, session_numbers
from recnb.models.common.sequences import Sequences


def rows_with_ties(n: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": [f"u{u}" for u in rng.integers(0, 9, n)],
            "item_id": [f"i{i}" for i in rng.integers(0, 25, n)],
            "timestamp": rng.integers(0, 12, n),
        }
    )


def told(ds: Dataset) -> dict[str, list[str]]:
    """Each user's items in the order of events, as ids."""
    order = ds.in_time
    users, items = (ds.interactions[c].to_numpy()[order] for c in ("user", "item"))
    return {
        ds.user_ids[u]: ds.item_ids[items[users == u]].tolist() for u in np.argsort(ds.user_ids)
    }


def test_the_order_of_events_is_that_of_time_and_then_of_a_seeded_hash():
    rows = rows_with_ties()
    ds = Dataset.from_frames(rows, duplicates="keep")
    order = ds.in_time
    assert sorted(order) == list(range(len(rows)))
    user, clock = (ds.interactions[c].to_numpy()[order] for c in ("user", "timestamp"))
    assert ((np.diff(user) > 0) | ((np.diff(user) == 0) & (np.diff(clock) >= 0))).all()
    items = pd.DataFrame({"item_id": rows["item_id"].unique()}).sample(frac=1, random_state=3)
    for turn in (1, 2):
        other = Dataset.from_frames(
            rows.sample(frac=1, random_state=turn), items, duplicates="keep"
        )
        assert told(other) == told(ds)
    turned = ds.with_tie_seed(1)
    assert told(turned) != told(ds) and turned.digest == ds.digest
    # Ascending catalogue order would be an accident of the ids.
    codes = ds.interactions["item"].to_numpy()[order]
    tied = (np.diff(user) == 0) & (np.diff(clock) == 0)
    assert 0.3 < (np.diff(codes)[tied] >= 0).mean() < 0.75


@pytest.mark.parametrize("tie_seed", [0, 4])
def test_a_split_cuts_the_order_that_its_parts_have(tie_seed):
    """Train, then valid, then test is each user's sequence in the order of the split's seed."""
    ds = Dataset.from_frames(rows_with_ties(), duplicates="keep")
    split = splits.leave_one_out(ds, tie_seed=tie_seed)
    whole = told(ds.with_tie_seed(tie_seed))
    parts = [told(part) for part in (split.train, split.valid, split.test)]
    for user, items in whole.items():
        assert [item for part in parts for item in part[user]] == items
    assert told(split.known) == {user: items[:-1] for user, items in whole.items()}


def test_rows_put_together_by_hand_are_ordered_too():
    ds = Dataset.from_frames(rows_with_ties(), duplicates="keep")
    jumbled = Dataset(
        ds.interactions.sample(frac=1, random_state=0, ignore_index=True), ds.items, ds.users
    )
    assert told(jumbled) == told(ds)


def test_positions_may_repeat_and_have_gaps():
    rows = pd.DataFrame(
        {"user_id": ["a"] * 5, "item_id": list("vwxyz"), "position": [9, 2, 2, -4, 100]}
    )
    ds = Dataset.from_frames(rows)
    items = told(ds)["a"]
    assert items[0] == "y" and items[3:] == ["v", "z"] and set(items[1:3]) == {"w", "x"}
    assert Sequences.of(ds).times is None and (Sequences.of(ds).gaps == 0).all()


def test_sessions_are_said_or_cut_at_pauses():
    rows = pd.DataFrame(
        {
            "user_id": list("aaaabb"),
            "item_id": list("uvwxyz"),
            "timestamp": [0, 60, 120, 9_000, 0, 60],
            "session": ["1", "2", "1", "2", "1", "1"],
        }
    )
    said = session_numbers(Dataset.from_frames(rows))
    assert said.tolist() == [
        0,
        1,
        0,
        1,
        2,
        2,
    ]  # the column; the same name of another user is another one
    clock = Dataset.from_frames(rows.drop(columns="session"))
    assert session_numbers(clock).tolist() == [0, 0, 0, 1, 2, 2]
    assert session_numbers(clock, gap_minutes=1000).tolist() == [0, 0, 0, 0, 1, 1]
    places = Dataset.from_frames(
        rows.drop(columns=["session", "timestamp"]).assign(position=range(6))
    )
    assert session_numbers(places).tolist() == [0, 0, 0, 0, 1, 1]
    with pytest.raises(InputError, match="gap_minutes is 0"):
        session_numbers(clock, gap_minutes=0)


def test_a_session_column_comes_in_at_the_door_and_out_again(tmp_path):
    (tmp_path / "in").mkdir()
    frame = pd.DataFrame(
        {
            "userId": list("aab"),
            "itemId": list("xyx"),
            "ts": [10**9, 10**9 + 1, 10**9],
            "sessionId": [7, 8, 7],
        }
    )
    frame.to_csv(tmp_path / "in" / "interactions.csv", index=False)
    ds = Dataset.from_folder(tmp_path / "in")
    assert ds.interactions["session"].tolist() == ["7", "8", "7"]
    ds.save(tmp_path / "out")
    assert Dataset.from_folder(tmp_path / "out").digest == ds.digest


def test_sequences_are_cut_taken_and_padded():
    rows = pd.DataFrame(
        {
            "user_id": list("aaabcc"),
            "item_id": list("xyzxyx"),
            "rating": [5, 1, 4, 2, 5, 5],
            "timestamp": [10, 20, 50, 0, 7, 8],
        }
    )
    ds = Dataset.from_frames(
        rows, users=pd.DataFrame({"user_id": list("abcd")}), feedback="explicit", scale=(1, 5)
    )
    every, liked = Sequences.of(ds, liked=False), Sequences.of(ds)
    assert every.lengths.tolist() == [3, 1, 2, 0] and liked.lengths.tolist() == [2, 0, 2, 0]
    assert liked.items.tolist() == [0, 2, 1, 0] and liked.gaps.tolist() == [0, 40, 0, 1]
    assert every.steps_back.tolist() == [2, 1, 0, 0, 1, 0]
    assert every.ages.tolist() == [40, 30, 0, 0, 1, 0]
    assert every.users.tolist() == [0, 0, 0, 1, 2, 2]
    taken = every.take(np.array([3, 2, 0, 2]))
    assert taken.items.tolist() == [1, 0, 0, 1, 2, 1, 0] and taken.lengths.tolist() == [0, 2, 3, 2]
    assert every.last(2).items.tolist() == [1, 2, 0, 1, 0]
    assert every.but_last().items.tolist() == [0, 1, 1]
    assert every.padded(2).tolist() == [[1, 2], [-1, 0], [1, 0], [-1, -1]]
    again = Sequences.from_arrays(liked.to_arrays())
    assert again.items.tolist() == liked.items.tolist() and again.n_items == 3
    assert again.times.tolist() == liked.times.tolist() and again.sessions is None
    with pytest.raises(InputError, match="the last 0 events"):
        every.last(0)


def test_data_without_an_order_hold_no_sequence():
    ds = Dataset.from_frames(pd.DataFrame({"user_id": list("aab"), "item_id": list("xyx")}))
    with pytest.raises(InputError, match="reads the order of events and 'data' has none"):
        Sequences.of(ds)
    assert sorted(event_order(ds)) == [0, 1, 2]  # a hash of the ids orders them for what must cut
