"""What a text-keyed model has learned of one domain serves another, without rows and with few."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from recnb.data import Dataset, Text
from recnb.errors import InputError
from recnb.models import EASE, SASRec, Transferred, make
from recnb.recommender import load_model

SUBJECTS = (
    "space rocket",
    "wedding cake",
    "garden spade",
    "ice hockey",
    "jazz guitar",
    "sheep dog",
)


# thirty texts are too few to whiten by
SMALL = {"items": "text", "width": 32, "n_layers": 1, "dropout": 0.0, "lr": 1e-2, "batch_size": 32}


def domain(prefix: str, what: str, n_users: int, seed: int) -> Dataset:
    """Thirty things of six subjects; people stay with one subject."""
    rng = np.random.default_rng(seed)
    titles = [f"{SUBJECTS[i % 6]} {what} {i}" for i in range(30)]
    items = pd.DataFrame({"item_id": [f"{prefix}{i}" for i in range(30)], "title": titles})
    rows = []
    for u in range(n_users):
        own = rng.permutation(np.arange(u % 6, 30, 6))
        rows += [(f"{prefix}u{u}", f"{prefix}{i}", t) for t, i in enumerate(own)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "position"])
    return Dataset.from_frames(frame, items, name=prefix)


@pytest.fixture(scope="module")
def source():
    return SASRec(**SMALL, whitening=False, n_epochs=15).fit(domain("a", "story", 90, 0))


@pytest.fixture(scope="module")
def there() -> Dataset:
    """The other domain, of which the last two events of each user are not shown."""
    ds = domain("b", "poster", 36, 1)
    return ds.rows(ds.interactions["position"].to_numpy() < 3)


def right(model) -> float:
    """Share of users whose first new item is of their subject; one in six by chance."""
    users = np.arange(len(model.user_ids_))
    scores, told = model.score(users), model.sequences(users)
    scores[told.users, told.items] = -np.inf
    subject = np.array([int(i[1:]) % 6 for i in model.item_ids_[scores.argmax(axis=1)]])
    return float((subject == [int(u[2:]) % 6 for u in model.user_ids_]).mean())


def test_it_serves_another_domain_without_rows_and_learns_from_few(source, there, tmp_path):
    before = {name: value.copy() for name, value in source.weights_.items()}
    as_it_is = Transferred(source).fit(there)
    assert right(as_it_is) > 0.9
    assert as_it_is.item_ids_.tolist() == there.item_ids.tolist()
    taught = Transferred(source, n_epochs=8, lr=1e-2).fit(there)
    assert right(taught) > 0.9
    assert not np.allclose(taught.score(np.arange(3)), as_it_is.score(np.arange(3)))
    assert all(np.array_equal(source.weights_[name], value) for name, value in before.items())
    taught.save(tmp_path / "m")
    users = np.arange(36)
    again = load_model(tmp_path / "m")
    assert np.array_equal(again.score(users), taught.score(users))
    few = clone(taught)
    assert few.source is source and not few.fitted


def test_the_rows_of_the_new_domain_change_nothing_without_epochs(source, there):
    whole = Transferred(source).fit(there)
    one = Transferred(source).fit(there.rows(there.interactions["user"].to_numpy() == 0))
    users = np.arange(36)
    assert np.allclose(one.score(users, there), whole.score(users), atol=1e-5)


def test_whitening_is_that_of_the_source():
    """A domain with the same texts under other ids gets the same scores."""
    source = SASRec(**SMALL, n_epochs=1).fit(domain("a", "story", 90, 0))
    same = domain("c", "story", 90, 0)
    users = np.arange(90)
    moved = Transferred(source).fit(same)
    order = [same.items.index.get_loc(f"c{i[1:]}") for i in source.item_ids_]
    people = [same.users.index.get_loc(f"c{u[1:]}") for u in source.user_ids_]
    assert np.allclose(moved.score(np.array(people))[:, order], source.score(users), atol=1e-4)


def test_what_cannot_be_transferred_is_refused(there):
    for source in (SASRec(), EASE(), "a folder"):
        assert Transferred(source).packages == ("torch", "transformers")  # asked before the fit
        with pytest.raises(InputError, match="texts alone"):
            Transferred(source).fit(there)
    with pytest.raises(InputError, match="not fitted"):
        Transferred(SASRec(items="text")).fit(there)


def test_a_transferred_model_is_not_transferred_again(source, there):
    with pytest.raises(InputError, match="transferred itself"):
        Transferred(Transferred(source).fit(there)).fit(there)


def test_texts_that_tell_no_items_apart_are_refused_where_all_rests_on_them(source, there):
    from dataclasses import replace

    for title, words in (
        (None, "none of 30 items has a text"),
        ("poster", r'all 30 item texts are the same \("poster\."\)'),
    ):
        blank = replace(there, items=there.items.assign(title=title))
        alone = (
            Transferred(source),
            SASRec(**{**SMALL, "text": Text("title")}),
            make("tiger", text=Text("title")),
            make("text_frozen", text=Text("title")),
        )
        for model in alone:
            with pytest.raises(InputError, match=words):
                model.fit(blank)
            if not isinstance(model, Transferred):
                with pytest.raises(InputError, match=words):
                    model.check_data(blank)
        both = SASRec(**{**SMALL, "items": "both", "n_epochs": 1, "text": Text("title")})
        assert np.ptp(both.fit(blank).score(np.arange(1))) > 0.1  # ids tell them apart
