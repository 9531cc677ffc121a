"""A new month with new users and new items: matched by ids, learned by what was saved."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models import EASE, SASRec, Tiger, Transferred, Transitions
from recnb.models.sequential.updating import Update, updated
from recnb.recommender import load_model

DAY, N_ITEMS = 86_400, 20
SMALL = {"width": 16, "n_layers": 1, "dropout": 0.0, "lr": 1e-2, "batch_size": 16, "n_epochs": 12}
THINGS = ("tent", "stove", "lamp", "rope", "boot")
TITLES = {f"i{i:02d}": f"{THINGS[i % 5]} number {i}" for i in range(N_ITEMS)}
NEW = {"a0": "tent number 5", "k7": "boot of another make"}


def frame(months: int) -> pd.DataFrame:
    """Item i is followed by i + 1; in the second month new people walk from a0 by k7 to i00, and old ones go on."""
    rows = []
    for user in range(30):
        days = 8 if months == 1 else 11
        rows += [
            (f"u{user:02d}", f"i{(user + t) % N_ITEMS:02d}", t * DAY + user) for t in range(days)
        ]
    for user in range(10 if months == 2 else 0):
        walk = ["a0", "k7", "i00", "i01", "a0", "k7", "i00"]
        rows += [(f"b{user:02d}", item, t * DAY + user) for t, item in enumerate(walk)]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])


def data(months: int, shuffle: bool = False) -> Dataset:
    rows, titles = frame(months), TITLES | (NEW if months == 2 else {})
    items = pd.DataFrame({"item_id": list(titles), "title": list(titles.values())})
    if shuffle:
        rows, items = (t.sample(frac=1, random_state=0) for t in (rows, items))
    return Dataset.from_frames(rows, items, duplicates="keep", name="shop")


@pytest.fixture(scope="module")
def old() -> Dataset:
    return data(1)


@pytest.fixture(scope="module")
def now() -> Dataset:
    return data(2, shuffle=True)


@pytest.fixture(scope="module")
def free(old):
    return SASRec(**SMALL).fit(old)


@pytest.fixture(scope="module")
def both(old):
    return SASRec(**SMALL, items="both").fit(old)


@pytest.mark.parametrize(
    "settings",
    [{}, {"backward": 0.5, "window": 3, "neighbours": 4}, {"half_life": 2.0, "normalisation": 0.2}],
)
def test_counts_with_new_users_and_items_are_those_of_a_new_fit(settings, old, now, tmp_path):
    """Users and items stand in another order, and what comes last is older than what others did before."""
    Transitions(**settings).fit(old).save(tmp_path / "m")
    known_people = now.user_ids[now.interactions["user"]].astype(str)
    model = load_model(tmp_path / "m").updated(now.rows(np.char.startswith(known_people, "u")))
    model = model.updated(now)
    whole = Transitions(**settings).fit(now)
    assert (model.followers_ != 0).nnz == (whole.followers_ != 0).nnz
    np.testing.assert_allclose(model.followers_.toarray(), whole.followers_.toarray(), rtol=1e-5)
    users = np.arange(now.n_users)
    np.testing.assert_allclose(model.score(users), whole.score(users), rtol=1e-5)
    assert whole.score(users).std() > 0.01


def code(ds: Dataset, item: str) -> int:
    return ds.items.index.get_loc(item)


@pytest.mark.parametrize("how", ["finetune", "adapter"])
def test_a_network_learns_new_users_and_items_and_knows_the_old_ones(how, free, now):
    still = updated(free, now, Update(how, lr=1e-9))
    rows = [code(now, item) for item in free.item_ids_]
    np.testing.assert_allclose(
        still.weights_["vectors.free"][still.row_[rows]],
        free.weights_["vectors.free"][free.row_],
        atol=1e-5,
    )
    told = still.score_histories([np.array([rows[3], rows[4]])])
    np.testing.assert_allclose(
        told[0, rows], free.score_histories([np.array([3, 4])])[0], rtol=1e-3, atol=1e-4
    )
    model = updated(free, now, Update(how, epochs=12))
    after = model.score_histories([np.array([code(now, "a0")]), np.array([code(now, "i03")])])
    assert now.item_ids[after.argmax(axis=1)].tolist() == ["k7", "i04"]
    assert model.score(np.arange(now.n_users)).shape == (40, 22)


def test_new_items_are_told_by_their_text(both, now):
    """Nothing is learned at this rate: a new item is what its text says, as for `with_items`."""
    still = updated(both, now, Update(lr=1e-9))
    new = pd.DataFrame({"item_id": list(NEW), "title": list(NEW.values())})
    grown = both.with_items(new)
    order = [code(now, item) for item in grown.item_ids_]
    told = [np.array([2, 3]), np.array([20])]
    one = grown.score_histories(told)
    two = still.score_histories([np.array(order)[codes] for codes in told])[:, order]
    np.testing.assert_allclose(two, one, rtol=1e-3, atol=1e-4)
    assert np.abs(one[:, -1] - one[:, -2]).min() > 1e-3
    taught = updated(both, now, Update("replay", epochs=12))
    after = taught.score_histories([np.array([code(now, "a0")])])
    assert now.item_ids[after.argmax()] == "k7"
    # the month after, and items that nobody has used
    assert updated(taught, now, Update()).score(np.arange(2)).shape == (2, 22)


@pytest.mark.parametrize("settings", [{"items": "text"}, {"start": "text"}], ids=str)
def test_every_way_to_know_items_goes_on(settings, old, now):
    model = SASRec(**{**SMALL, "n_epochs": 1}, **settings).fit(old)
    again = updated(updated(model, now, Update("adapter")), now, Update("adapter"))
    assert np.isfinite(again.score(np.arange(3), now)).all()
    assert "vectors.project.weight" in again.weights_ or "vectors.free" in again.weights_


def same(one, two) -> bool:
    return all(np.array_equal(value, two.weights_[name]) for name, value in one.weights_.items())


@pytest.fixture(scope="module")
def adapted(free, now):
    """An adapter that has learned a0 and k7, which the base does not know."""
    soon = now.rows(now.interactions["timestamp"].to_numpy() < 9.5 * DAY)
    return updated(free, soon, Update("adapter", epochs=6))


@pytest.mark.parametrize("fresh", [False, True])
def test_an_adapter_goes_on_from_disk_as_it_would_have(fresh, adapted, now, tmp_path):
    adapted.save(tmp_path / "m")
    update = Update("adapter", fresh=fresh)
    on = updated(adapted, now, update)
    assert same(on, updated(load_model(tmp_path / "m"), now, update))
    assert not same(on, updated(adapted, now, Update("adapter", fresh=not fresh)))
    assert adapted.parameters()[0] == sum(value.size for value in adapted.weights_.values())


def test_a_fresh_adapter_keeps_the_vectors_of_what_came_after_the_base(adapted, free, now):
    soon = now.rows(now.interactions["timestamp"].to_numpy() < 9.5 * DAY)
    again = updated(adapted, soon, Update("adapter", fresh=True))  # nothing came
    vectors = (m.weights_["vectors.free"][m.row_] for m in (again, adapted))
    np.testing.assert_array_equal(*vectors)
    name = "layers.0.wide.weight"
    np.testing.assert_allclose(again.weights_[name], free.weights_[name], atol=1e-6)
    assert np.abs(adapted.weights_[name] - free.weights_[name]).max() > 1e-3


def test_an_adapter_of_another_rank_is_begun_anew(adapted, now):
    with pytest.raises(InputError, match=r"rank=2: .* has rank 4; rank=4, or fresh=True"):
        updated(adapted, now, Update("adapter", rank=2))
    assert updated(adapted, now, Update("adapter", rank=2, fresh=True)).fitted


def test_a_new_fit_has_no_adapter(free, old, now):
    model = updated(free, now, "adapter").fit(old)
    assert same(updated(model, now, "adapter"), updated(free, now, "adapter"))


def test_no_old_events_are_replayed_where_none_are_wanted(free, now):
    replayed = updated(free, now, Update("replay", replay=0.0))
    assert same(replayed, updated(free, now, "finetune"))
    assert not same(replayed, updated(free, now, Update("replay", replay=0.1)))


def test_what_is_missing_is_named(old, now, free):
    model = Transitions().fit(old)
    rows = frame(2)
    fewer = {
        "user 'u07' had events": rows["user_id"] != "u07",
        "item 'i05' had events": rows["item_id"] != "i05",
        "user 'u03': an event of item 'i04', known": (rows["user_id"] != "u03")
        | (rows["item_id"] != "i04"),
    }
    for words, kept in fewer.items():
        with pytest.raises(InputError, match=words):
            model.updated(Dataset.from_frames(rows[kept], duplicates="keep"))
    early = pd.DataFrame({"user_id": ["u02"], "item_id": ["k7"], "timestamp": [0]})
    with pytest.raises(
        InputError, match="'u02': a new event of item 'k7' stands before one of 'i02'"
    ):
        updated(free, Dataset.from_frames(pd.concat([early, rows]), duplicates="keep"), Update())


def test_a_name_says_how(free, now):
    one, two = (updated(free, now, how) for how in ("adapter", Update("adapter")))
    assert same(one, two)
    trained = updated(free, now, "finetune").weights_["vectors.free"]
    assert not np.allclose(one.weights_["vectors.free"][:2], trained[:2])
    for wrong, words in (
        ("weekly", "how='weekly'; one of finetune"),
        (None, "update=None; Update"),
    ):
        with pytest.raises(InputError, match=words):
            updated(free, now, wrong)


def test_what_cannot_be_updated_is_one_line(old, free):
    for model, words in (
        (Transitions().fit(old), "call model.updated"),
        (EASE().fit(old), "EASE cannot be updated"),
        (Tiger(), "Tiger cannot be updated"),
        (SASRec(), "not fitted"),
        (Transferred(SASRec(items="text")), "n_epochs"),
    ):
        with pytest.raises(InputError, match=words):
            updated(model, old, Update())
    for settings in (
        {"how": "x"},
        {"epochs": 0},
        {"epochs": 1.5},
        {"lr": -1},
        {"replay": -1},
        {"rank": 0},
    ):
        with pytest.raises(InputError, match=next(iter(settings))):
            Update(**settings)
