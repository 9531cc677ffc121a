"""The data set: identity, matrices, and views of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb import InputError
from recnb.data import Dataset
from recnb.data.describe import describe, gini, tied_last
from recnb.hashing import hash_ids, mix, scramble


def make(n=200, seed=0, **settings):
    """Explicit rows with every column that the door knows."""
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(20 * 30)[:n]
    rows = pd.DataFrame(
        {
            "user_id": [f"u{p // 30}" for p in pairs],
            "item_id": [f"i{p % 30}" for p in pairs],
            "rating": pd.array(rng.integers(1, 6, n), "Float64"),
            "timestamp": rng.integers(10**9, 10**9 + 50, n),
            "event": rng.choice(["view", "buy"], n),
            "quantity": pd.array(rng.integers(1, 4, n), "Int64"),
        }
    )
    rows.loc[[3, 7], "rating"] = pd.NA
    rows.loc[5, "quantity"] = pd.NA
    items = pd.DataFrame(
        {
            "item_id": [f"i{i}" for i in range(30)],
            "title": [f"Title {i}, the first" for i in range(30)],
            "text": [None if i == 4 else f'He said "{i}"\nand left' for i in range(30)],
            "year": pd.array([1990 + i for i in range(29)] + [None], "Int64"),
        }
    )
    users = pd.DataFrame(
        {"user_id": [f"u{u}" for u in range(20)], "age": pd.array(range(20), "Int64")}
    )
    return rows, items, users, {"feedback": "explicit", "scale": (1, 5), **settings}


@pytest.fixture
def ds():
    rows, items, users, settings = make()
    return Dataset.from_frames(rows, items, users, **settings)


# ---------------------------------------------------------------- identity


def test_round_trip_keeps_everything(ds, tmp_path):
    ds.save(tmp_path)
    back = Dataset.from_folder(tmp_path)
    assert (back.digest, back.identity, back.name) == (ds.digest, ds.identity, ds.name)
    assert (back.feedback, back.scale, back.threshold) == (ds.feedback, ds.scale, ds.threshold)
    pd.testing.assert_frame_equal(back.interactions, ds.interactions)
    back.save(tmp_path / "again")
    assert Dataset.from_folder(tmp_path / "again").digest == ds.digest


def test_round_trip_of_accepted_duplicates(tmp_path):
    rows = pd.DataFrame({"user_id": list("aab"), "item_id": list("xxx"), "timestamp": [1, 1, 2]})
    rows["rating"] = [4.0, 4.0, 2.0]
    ds = Dataset.from_frames(rows, duplicates="keep")
    ds.save(tmp_path)
    back = Dataset.from_folder(tmp_path)
    assert back.digest == ds.digest and len(back.interactions) == 3
    # A folder without repeats goes on refusing them.
    Dataset.from_frames(rows[1:]).save(tmp_path)
    rows.to_parquet(tmp_path / "interactions.parquet")
    with pytest.raises(InputError, match="--duplicates"):
        Dataset.from_folder(tmp_path)


def test_csv_and_parquet_have_one_digest(tmp_path):
    rows, items, users, settings = make()
    rows["rating"] = rows["rating"].astype("Float32") / 10  # 0.1 has no short form in 32 bits
    settings |= {"scale": (0.1, 0.5), "name": "same"}
    for kind in ("csv", "parquet"):
        (tmp_path / kind).mkdir()
        for name, table in (("interactions", rows), ("items", items), ("users", users)):
            path = tmp_path / kind / f"{name}.{kind}"
            table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    csv, parquet = (Dataset.from_folder(tmp_path / kind, **settings) for kind in ("csv", "parquet"))
    assert csv.identity == parquet.identity
    assert (
        csv.digest == parquet.digest == Dataset.from_frames(rows, items, users, **settings).digest
    )


def test_digest_is_free_of_the_order_of_rows(ds):
    rows, items, users, settings = make()
    for seed in range(3):
        other = rows.sample(frac=1, random_state=seed)
        assert Dataset.from_frames(other, items, users, **settings).digest == ds.digest
    # also where rows differ in one column alone
    same = pd.DataFrame({"user_id": "a", "item_id": "x", "split": ["train", "test"]})
    both = [Dataset.from_frames(f, duplicates="keep") for f in (same, same[::-1])]
    assert both[0].digest == both[1].digest


CHANGES = {
    "a rating": lambda r, i, u, s: r.update({"rating": r["rating"].replace(5, 4)}),
    "a null rating": lambda r, i, u, s: r.__setitem__("rating", r["rating"].fillna(3)),
    "a time": lambda r, i, u, s: r.__setitem__(
        "timestamp", r["timestamp"].replace(r.timestamp[0], 1)
    ),
    "an event": lambda r, i, u, s: r.__setitem__("event", "buy"),
    "a quantity": lambda r, i, u, s: r.__setitem__("quantity", r["quantity"].fillna(9)),
    "a column of rows": lambda r, i, u, s: r.pop("quantity"),
    "a title": lambda r, i, u, s: i.__setitem__("title", i["title"].str.replace("7", "seven")),
    "a year": lambda r, i, u, s: i.__setitem__("year", i["year"] + 1),
    "a column of items": lambda r, i, u, s: i.pop("year"),
    "an age": lambda r, i, u, s: u.__setitem__("age", u["age"] * 2),
    "an id": lambda r, i, u, s: (
        u.replace("u1", "w1", inplace=True),  # noqa: PD002
        r.replace("u1", "w1", inplace=True),  # noqa: PD002
    ),
    "the scale": lambda r, i, u, s: s.__setitem__("scale", (0, 5)),
    "the feedback": lambda r, i, u, s: s.__setitem__("feedback", "count"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_digest_changes_with(ds, name):
    rows, items, users, settings = make()
    CHANGES[name](rows, items, users, settings)
    assert Dataset.from_frames(rows, items, users, **settings).digest != ds.digest


def test_parts_share_the_identity_and_not_the_digest(ds):
    part = ds.rows(ds.interactions["user"].to_numpy() < 10)
    assert part.identity == ds.identity and part.digest != ds.digest
    assert ds.keep(users=np.arange(ds.n_users) < 10).identity != ds.identity


# ---------------------------------------------------------------- matrices


def explicit(ratings, times=None, **settings):
    n = len(ratings)
    rows = pd.DataFrame({"user_id": ["a"] * n, "item_id": ["x"] * n, "rating": ratings})
    if times is not None:
        rows["timestamp"] = times
    return Dataset.from_frames(rows, feedback="explicit", scale=(1, 5), **settings)


def test_the_latest_rating_counts():
    assert explicit([5, 1], [10, 20]).matrix().toarray() == [[1]]
    assert explicit([5, 1], [20, 10]).matrix().toarray() == [[5]]
    assert explicit([5, 1], [10, 20]).positives().nnz == 0
    assert explicit([5, 1], [20, 10]).positives().nnz == 1
    # an event without a rating takes no rating away
    assert explicit(pd.array([5, None], "Int64"), [10, 20]).matrix().toarray() == [[5]]


def test_rows_without_a_rating_are_pairs_and_not_ratings(ds):
    assert ds.pairs().nnz == len(ds.interactions)
    assert ds.matrix().nnz == ds.interactions["rating"].notna().sum() == len(ds.interactions) - 2
    assert set(np.unique(ds.pairs().data)) == {1}


def test_a_rating_of_zero_is_a_rating():
    rows = pd.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "x"], "rating": [0, 5]})
    ds = Dataset.from_frames(rows, feedback="explicit", scale=(0, 5))
    assert ds.matrix().nnz == 2 and ds.positives().nnz == 1


def test_matrix_equals_a_loop(ds):
    expected = np.zeros((ds.n_users, ds.n_items))
    rows, *_ = make()
    for row in rows.dropna(subset=["rating"]).itertuples():
        expected[ds.users.index.get_loc(row.user_id), ds.items.index.get_loc(row.item_id)] = (
            row.rating
        )
    np.testing.assert_array_equal(ds.matrix().toarray(), expected)
    np.testing.assert_array_equal(ds.positives().toarray(), expected >= 4)
    np.testing.assert_array_equal(ds.matrix(relevant_from=2).toarray(), expected >= 2)
    assert ds.matrix().dtype == np.float32 and ds.matrix().has_sorted_indices


def test_counts_are_summed_and_implicit_rows_are_ones():
    rows = pd.DataFrame({"user_id": list("aab"), "item_id": list("xxy"), "timestamp": [1, 2, 3]})
    assert Dataset.from_frames(rows).matrix().toarray().tolist() == [[1, 0], [0, 1]]
    count = Dataset.from_frames(rows, feedback="count")
    assert count.matrix().toarray().tolist() == [[2, 0], [0, 1]]
    rows["rating"] = [10, 20, 1]
    count = Dataset.from_frames(rows, feedback="count")
    assert count.matrix().toarray().tolist() == [[30, 0], [0, 1]]
    assert count.positives().toarray().tolist() == [[1, 0], [0, 1]]  # every pair
    assert count.with_relevance(25).positives().toarray().tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("scale", "limit"), [((1, 5), 4), ((0.5, 5), 4), ((1, 10), 8), ((0, 1), 0.8), ((-10, 0), -2)]
)
def test_threshold(scale, limit):
    rows = pd.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "x"], "rating": scale})
    ds = Dataset.from_frames(rows, feedback="explicit", scale=scale)
    assert ds.threshold == limit
    assert ds.with_relevance(0.3).threshold == 0.3 and ds.with_relevance(None) is ds


# ---------------------------------------------------------------- views


def ids(ds):
    """The interactions in strings, free of codes."""
    r = ds.interactions
    return set(zip(ds.user_ids[r["user"]], ds.item_ids[r["item"]], r["timestamp"]))


@pytest.mark.parametrize(("user", "item"), [(5, None), (6, 3), (1, 6), (0, 0)])
def test_k_core_is_the_fixed_point(user, item):
    rows, items, users, settings = make(150)
    core = Dataset.from_frames(rows, items, users, **settings).k_core(user, item)
    item = user if item is None else item
    while True:
        per_user = rows.groupby("user_id")["item_id"].transform("nunique")
        per_item = rows.groupby("item_id")["user_id"].transform("nunique")
        kept = rows[(per_user >= user) & (per_item >= item)]
        if len(kept) == len(rows):
            break
        rows = kept
    assert ids(core) == set(zip(rows["user_id"], rows["item_id"], rows["timestamp"]))
    if user:
        assert set(core.user_ids) == set(rows["user_id"])
        assert set(core.item_ids) == set(rows["item_id"])
        assert np.diff(core.pairs().indptr).min() >= user


def test_k_core_counts_pairs_and_not_repeats():
    rows = pd.DataFrame(
        {"user_id": ["a"] * 5 + ["b"], "item_id": ["x"] * 5 + ["y"], "timestamp": range(6)}
    )
    with pytest.raises(InputError, match="no interaction is left"):
        Dataset.from_frames(rows).k_core(2)


def test_keep_and_sample_users_keep_rows_with_their_ids(ds):
    mask = np.arange(ds.n_users) % 3 == 0
    kept = ds.keep(users=mask, items=np.arange(ds.n_items) > 4)
    names, items = set(ds.user_ids[mask]), set(ds.item_ids[5:])
    assert ids(kept) == {row for row in ids(ds) if row[0] in names and row[1] in items}
    assert kept.users["age"].tolist() == ds.users["age"][mask].tolist()
    assert kept.items["title"].tolist() == ds.items["title"].tolist()[5:]
    some = ds.sample_users(7, seed=3)
    assert some.n_users == 7 and ids(some) == {r for r in ids(ds) if r[0] in set(some.user_ids)}
    assert set(some.item_ids) == {item for _, item, _ in ids(some)}
    assert ds.sample_users(7, seed=3).digest == some.digest != ds.sample_users(7, seed=4).digest
    assert ds.sample_users(20) is ds
    with pytest.raises(InputError, match=r"users is int64 of shape \(2,\), expected bool"):
        ds.keep(users=np.array([0, 1]))


def test_rows_by_number_stay_in_time_order(ds):
    numbers = np.random.default_rng(0).permutation(len(ds.interactions))
    assert ds.rows(numbers).digest == ds.digest


def test_to_implicit(ds):
    liked = ds.to_implicit()
    assert liked.feedback == "implicit" and "rating" not in liked.interactions
    assert (liked.pairs() != ds.positives()).nnz == 0
    assert len(ds.to_implicit(2).interactions) == (ds.interactions["rating"] >= 2).sum()
    assert (liked.n_users, liked.n_items) == (ds.n_users, ds.n_items)
    with pytest.raises(InputError, match="no rating reaches 6"):
        ds.to_implicit(6)


# ---------------------------------------------------------------- description


def test_describe_by_hand():
    rows = pd.DataFrame(
        {
            "user_id": list("aaabbc"),
            "item_id": list("xyxxyx"),
            "rating": [5, 3, 4, 4, 1, 2],
            "timestamp": [86_400, 86_400, 86_401, 5, 5, 172_800],
        }
    )
    items = pd.DataFrame(
        {"item_id": list("xyz"), "title": ["abc", "", "d"], "text": ["abc", "", "efg"]}
    )
    d = Dataset.from_frames(rows, items, feedback="explicit", scale=(1, 5)).describe()
    assert (d["users"], d["items"], d["interactions"], d["pairs"]) == (3, 3, 6, 5)
    assert (d["active_users"], d["active_items"], d["density"]) == (3, 2, 5 / 6)
    assert d["repeat_share"] == pytest.approx(1 / 6)
    assert (d["per_user_median"], d["per_item_median"]) == (2, 2.5)
    assert d["mean_rating"] == pytest.approx(19 / 6) and d["relevant_share"] == 2 / 5
    assert (d["first"], d["last"], d["order"]) == ("1970-01-01", "1970-01-03", "timestamp")
    assert d["tied_timestamps"] == pytest.approx(4 / 6) and d["tied_last"] == pytest.approx(1 / 3)
    assert d["text_coverage"] == pytest.approx(2 / 3)
    assert (
        d["text_median_chars"] == 3.5
    )  # "abc" once, since the text repeats the title; "d" and "efg"
    assert d["gini_items"] == pytest.approx(gini(np.array([3, 2, 0])))


def test_describe_without_order_or_text():
    d = describe(Dataset.from_frames(pd.DataFrame({"user_id": ["a"], "item_id": ["x"]})))
    assert d["order"] == "none" and d["text_coverage"] == 0 and "tied_last" not in d


def test_gini_against_its_definition():
    counts = np.random.default_rng(0).integers(0, 50, 40)
    pairs = np.abs(counts[:, None] - counts[None, :]).sum()
    assert gini(counts) == pytest.approx(pairs / (2 * len(counts) * counts.sum()))
    assert gini(np.zeros(3)) == 0


def test_tied_last_needs_an_order():
    assert np.isnan(
        tied_last(Dataset.from_frames(pd.DataFrame({"user_id": ["a"], "item_id": ["x"]})))
    )


# ---------------------------------------------------------------- hashes


def test_hashes_are_pinned_and_spread():
    """Ties are broken by them in stored results: they may never change."""
    from hashlib import blake2b

    expected = int.from_bytes(blake2b("é".encode(), digest_size=8).digest(), "little")
    assert hash_ids(["é"])[0] == expected
    assert (
        scramble(np.array([0], np.uint64))[0] == 0xE220A8397B1DCDAF
    )  # splitmix64, first of seed 0
    h = mix(hash_ids(map(str, range(10_000))), seed=1)
    assert len(np.unique(h)) == 10_000
    bits = (h[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.03
    assert (mix(h, h) != mix(h)).all() and mix(h[:, None], h[None, :5]).shape == (10_000, 5)
