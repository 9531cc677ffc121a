"""Sequence models without training: against the same thing written as loops, and what input they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from recnb import InputError, make
from recnb.data import Dataset, splits
from recnb.models import (
    EASE,
    ItemKNN,
    RecentEASE,
    RecentItemKNN,
    RecentPopularity,
    SessionKNN,
    Transitions,
)
from recnb.models.common.sparse_rows import strongest
from recnb.models.sequential import transitions as transitions_module
from recnb.recommender import top_k

N_ITEMS = 12


def sequences(seed: int = 0, n_users: int = 30) -> dict[str, list[int]]:
    """Items of each user, oldest first; some come twice."""
    rng = np.random.default_rng(seed)
    return {
        f"u{u:02d}": rng.integers(0, N_ITEMS, rng.integers(1, 12)).tolist() for u in range(n_users)
    }


def made(told: dict[str, list[int]], clock: bool = False) -> Dataset:
    rows = [(u, f"i{i:02d}", t) for u, items in told.items() for t, i in enumerate(items)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "position"])
    if clock:
        frame["timestamp"] = frame.pop("position") * 86_400
    items = pd.DataFrame({"item_id": [f"i{i:02d}" for i in range(N_ITEMS)]})
    return Dataset.from_frames(frame, items, feedback="implicit")


def weights_of(items: list[int], decay: float) -> dict[int, float]:
    """The newest event of an item counts."""
    return {item: decay ** (len(items) - 1 - at) for at, item in enumerate(items)}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"window": 3, "distance": 0.0, "backward": 0.4, "decay": 0.5, "normalisation": 0.0},
        {"window": 20, "distance": 2.0, "backward": 1.0, "decay": 1.0, "normalisation": 0.7},
        {"window": 4, "half_life": 2.0},
    ],
    ids=str,
)
def test_transitions_are_counts_of_what_follows(settings, monkeypatch):
    monkeypatch.setattr(transitions_module, "_PAIRS", 40)  # several blocks of items
    told = sequences()
    model = Transitions(**settings)
    ds = made(told, clock=model.half_life is not None)
    n = np.bincount([i for items in told.values() for i in items], minlength=N_ITEMS)
    newest = max(map(len, told.values())) - 1
    table = np.zeros((N_ITEMS, N_ITEMS))
    for items in told.values():
        for a in range(len(items)):
            for b in range(a + 1, min(a + model.window, len(items) - 1) + 1):
                weight = (b - a) ** -model.distance
                if model.half_life is not None:
                    weight *= 0.5 ** ((newest - b) / model.half_life)
                table[items[a], items[b]] += weight
                table[items[b], items[a]] += weight * model.backward
    table /= np.outer(np.maximum(n, 1), np.maximum(n, 1)) ** model.normalisation
    expected = np.zeros((len(told), N_ITEMS))
    for row, items in enumerate(told.values()):
        for item, weight in weights_of(items, model.decay).items():
            expected[row] += weight * table[item]
    scores = model.fit(ds).score(np.arange(len(told)))
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=2e-4)  # old steps are left out
    assert expected.max() > 0.1


@pytest.mark.parametrize("settings", [{"decay": 1.0}, {"decay": 0.6, "idf": 1.5, "k": 4}], ids=str)
def test_session_neighbours_speak_for_their_items(settings):
    told = sequences(1)
    model = SessionKNN(**{"k": 7, **settings}).fit(made(told))
    held = [set(items) for items in told.values()]
    n = np.array([sum(i in s for s in held) for i in range(N_ITEMS)])
    for row, items in enumerate(told.values()):
        weights = weights_of(items, model.decay)
        like = np.array([sum(weights.get(i, 0) for i in s) / len(s) ** 0.5 for s in held])
        like[row] = 0
        limit = np.sort(like)[-model.k]
        if (like == limit).sum() > 1 or np.isclose(np.sort(like)[-model.k - 1], limit):
            continue  # a tie: the hash decides
        expected = np.zeros(N_ITEMS)
        for s in np.flatnonzero(like >= limit):
            for item in held[s]:
                expected[item] += like[s] * (1 + model.idf * np.log(len(held) / n[item]))
        np.testing.assert_allclose(model.score(np.array([row]))[0], expected, rtol=2e-3, atol=2e-3)


def test_sessions_of_one_user_are_neighbours_of_the_newest_one():
    rows = pd.DataFrame(
        {"user_id": ["a"] * 5, "item_id": list("xyxyz"), "timestamp": [0, 1, 10**6, 10**6 + 1, 2]}
    )
    model = SessionKNN(decay=1.0).fit(Dataset.from_frames(rows))
    assert model.session_items_.toarray().tolist() == [[1, 1, 1], [1, 1, 0]]
    x, y, z = model.score(np.array([0]))[0]
    assert z > 0.5  # from the older session; the newest one does not speak for itself
    assert x == pytest.approx(z) and y == pytest.approx(z)


@pytest.mark.parametrize("clock", ["position", "timestamp"])
def test_sessions_that_a_column_names_need_no_clock(clock):
    """Only the newest session is left out, that of a later history too."""
    rows = pd.DataFrame(
        {"user_id": list("aaaab"), "item_id": list("xyxzy"), clock: [0, 1, 2, 3, 0]}
    )
    rows["session"] = ["s1", "s1", "s2", "s2", "s3"]
    ds = Dataset.from_frames(rows, duplicates="keep")
    model = SessionKNN(decay=1.0).fit(ds)
    scores = [[2**0.5, 1 + 2**0.5, 0]]  # {x, y} is as near as 2 / sqrt(2), {y} as 1
    np.testing.assert_allclose(model.score(np.array([0])), scores, atol=1e-6)
    first = ds.rows(ds.interactions["session"].to_numpy() != "s2")
    np.testing.assert_allclose(
        model.score(np.array([0]), first), [[2**-0.5, 1, 2**-0.5]], atol=1e-6
    )


@pytest.mark.parametrize(
    ("recent", "plain"),
    [(RecentItemKNN(1.0), ItemKNN()), (RecentEASE(1.0, 5.0), EASE(5.0))],
    ids=repr,
)
def test_without_decay_order_counts_for_nothing(recent, plain):
    ds = made(sequences())
    users = np.arange(ds.n_users)
    np.testing.assert_array_equal(recent.fit(ds).score(users), plain.fit(ds).score(users))
    faded = clone(recent).set_params(decay=0.5).fit(ds)
    assert not np.allclose(faded.score(users), plain.score(users))
    last = made({u: items[-1:] for u, items in sequences().items()})
    nearly = clone(recent).set_params(decay=1e-3).fit(ds).score(users)
    np.testing.assert_allclose(nearly, plain.score(users, last), atol=5e-3)


SIMPLE = ("transitions", "sknn", "vsknn", "itemknn_recent", "ease_recent")


@pytest.mark.parametrize("name", ("itemknn_recent", "ease_recent"))
def test_a_stranger_with_the_same_history_gets_the_same_scores(name):
    ds = made({user: list(dict.fromkeys(items)) for user, items in sequences().items()})
    model = make(name, decay=0.5).fit(ds)
    told = [model.history_of(user) for user in range(ds.n_users)]
    np.testing.assert_allclose(
        model.score_histories(told), model.score(np.arange(ds.n_users)), rtol=1e-6
    )
    turned = model.score_histories([codes[::-1] for codes in told])
    assert np.abs(turned - model.score_histories(told)).max() > 1e-3


@pytest.mark.parametrize("name", SIMPLE)
def test_what_comes_later_changes_no_score(name):
    """A marker item as every user's last event, or none at all: the scores from what is known are the same."""
    told = sequences(2)
    told = {u: [i % (N_ITEMS - 1) for i in items] for u, items in told.items()}
    scores = []
    for end in ([N_ITEMS - 1], [0], [N_ITEMS - 1, 3, N_ITEMS - 1]):
        ds = made({u: [*items, *end] for u, items in told.items()})
        rank = ds.interactions.groupby("user").cumcount(ascending=False).to_numpy()
        known = ds.rows(rank >= len(end))
        model = make(name).fit(known)
        scores.append(model.score(np.arange(ds.n_users)))
        np.testing.assert_array_equal(scores[-1], model.score(np.arange(ds.n_users), known))
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])
    assert (scores[0][:, -1] <= scores[0].min(axis=1)).all()  # the marker is an item nobody has yet


@pytest.mark.parametrize("name", SIMPLE)
def test_the_names_of_ids_decide_nothing(name):
    """Other names have other hashes, and hashes order what is equal alone."""
    told = sequences(4)
    ds = made(told)
    items = ds.items.reset_index().assign(item_id=lambda t: "x" + t["item_id"])
    rows = pd.DataFrame(
        {
            "user_id": "y" + ds.user_ids[ds.interactions["user"]].astype(object),
            "item_id": "x" + ds.item_ids[ds.interactions["item"]].astype(object),
            "position": ds.interactions["position"],
        }
    )
    renamed = Dataset.from_frames(rows, items, feedback="implicit", duplicates="keep")
    users = np.arange(ds.n_users)
    scores = make(name).fit(ds).score(users)
    np.testing.assert_allclose(make(name).fit(renamed).score(users), scores, rtol=1e-4, atol=1e-6)
    assert scores.std() > 1e-3


@pytest.mark.parametrize("name", [*SIMPLE, "transitions+itemknn"])
def test_odd_sequences_are_served(name):
    """One event a user, positions that repeat, an item never seen, a sequence of 100,000 events, a lone item."""
    rng = np.random.default_rng(0)
    long = pd.DataFrame({"user_id": "long", "item_id": rng.integers(0, 50, 100_000), "position": 7})
    long.loc[50_000:, "position"] = np.arange(50_000) * 3
    short = pd.DataFrame(
        {"user_id": [f"s{i}" for i in range(9)], "item_id": range(9), "position": 0}
    )
    rows = pd.concat([long, short]).astype({"item_id": str})
    items = pd.DataFrame({"item_id": [str(i) for i in range(51)]})
    ds = Dataset.from_frames(rows, items, feedback="implicit", duplicates="keep")
    model = make(name)
    model.fit(ds)
    scores = model.score(np.arange(ds.n_users))
    assert np.isfinite(scores).all()
    never = list(ds.item_ids).index("50")
    assert (scores[:, never] <= scores.min(axis=1)).all()
    lone = pd.DataFrame({"user_id": list("aab"), "item_id": list("xxx"), "position": [0, 1, 0]})
    one = Dataset.from_frames(lone, duplicates="keep")
    fitted = make(name).fit(one)
    assert top_k(fitted, k=3).tolist() == [[0, -1, -1], [0, -1, -1]]


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (Transitions(window=0), "window=0"),
        (Transitions(decay=0.0), "decay=0.0"),
        (Transitions(decay=1.5), "decay=1.5"),
        (Transitions(distance=-1.0), "distance=-1.0"),
        (Transitions(backward=2.0), "backward=2.0"),
        (Transitions(half_life=0.0), "half_life=0.0"),
        (Transitions(events="some"), "events='some'"),
        (SessionKNN(k=0), "k=0"),
        (SessionKNN(idf=-1.0), "idf=-1.0"),
        (SessionKNN(gap_minutes=0.0), "gap_minutes"),
        (RecentItemKNN(decay=-1.0), "decay=-1.0"),
    ],
    ids=repr,
)
def test_settings_without_meaning_are_refused(model, problem):
    with pytest.raises(InputError, match=problem):
        model.fit(made(sequences(), clock=True))


@pytest.mark.parametrize("name", SIMPLE)
def test_data_without_an_order_are_refused(name):
    ds = Dataset.from_frames(pd.DataFrame({"user_id": list("aab"), "item_id": list("xyx")}))
    for act in (make(name).fit, make(name).check_data):
        with pytest.raises(InputError, match="reads the order of events and 'data' has none"):
            act(ds)
    with pytest.raises(InputError, match="the history has 2 items, the model 12"):
        ordered = ds.interactions.assign(position=[0, 1, 0])
        make(name).fit(made(sequences())).score(np.array([0]), Dataset(ordered, ds.items, ds.users))


def test_days_without_a_clock_are_refused():
    ds = made(sequences())
    for act in (Transitions(half_life=2.0).fit, Transitions(half_life=2.0).check_data):
        with pytest.raises(InputError, match=r"half_life=2.0 counts days and 'data' has no clock"):
            act(ds)
    Transitions(half_life=2.0).check_data(made(sequences(), clock=True))


def test_ties_among_the_strongest_go_by_the_hash():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 3, (40, 30)).astype(float)
    from scipy import sparse

    hashes = rng.permutation(30).astype(np.uint64)
    kept = strongest(sparse.csr_matrix(values), 6, hashes).toarray()
    for row, out in zip(values, kept):
        best = [c for c in np.lexsort((hashes, -row))[:6] if row[c] > 0]
        assert set(np.flatnonzero(out)) == set(best)
        np.testing.assert_array_equal(out[best], row[best])


def test_a_published_split_is_judged_as_it_is():
    """Positions and a column `split`: each user's last two rows, cut in the same place by both ways."""
    told = {u: items for u, items in sequences(3).items() if len(items) > 2}
    ds = made(told)
    rows = ds.interactions
    back = rows.groupby("user").cumcount(ascending=False)
    parts = np.select([back == 0, back == 1], ["test", "valid"], "train")
    frame = pd.DataFrame(
        {"user_id": ds.user_ids[rows["user"]], "item_id": ds.item_ids[rows["item"]],
         "position": rows["position"], "split": parts}
    )  # fmt: skip
    split = splits.predefined(Dataset.from_frames(frame, duplicates="keep"))
    assert (split.part == splits.leave_one_out(ds).part).all()
    assert RecentPopularity().fit(split.known).score(np.array([0])).sum() > 0
