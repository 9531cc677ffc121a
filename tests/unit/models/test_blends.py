"""Blends and switches."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from recnb.data import splits
from recnb.errors import InputError
from recnb.models import EASE, MF, Blend, Popularity, Random, Switch, TfIdf
from recnb.models.blends import zscore
from recnb.recommender import top_k


def test_the_weight_found_on_valid_prefers_the_better_model(train_valid):
    train, valid = train_valid
    good, bad = TfIdf(), Random()
    model = Blend([good, bad]).fit(train, valid)
    swapped = Blend([bad, good]).fit(train, valid)
    assert model.weights_[0] > 0.5
    np.testing.assert_allclose(model.weights_, swapped.weights_[::-1])


def test_weights_are_chosen_with_the_histories_of_new_users(ds):
    split = splits.cold_user(ds, test=0.2, valid=0.4)
    model = Blend([Popularity(), EASE(l2=5.0)]).fit(split.train, split.valid)
    assert model.weights_[1] > 0.5


def test_chosen_weights_stay_at_the_refit(train_valid):
    train, valid = train_valid
    model = Blend([EASE(l2=5.0), MF(n_factors=2, n_epochs=9)])
    assert model.uses_valid and model.seeded and not model.needs_text
    first = clone(model).fit(train, valid)
    again = clone(model).set_params(**first.chosen()).fit(train)
    np.testing.assert_allclose(again.weights_, first.weights_, atol=1e-6)
    assert again.parts()[1].n_epochs == first.parts()[1].n_epochs_
    np.testing.assert_allclose(clone(model).fit(train).weights_, [0.5, 0.5])


def test_a_blend_is_the_weighted_sum_of_z_scores(ds):
    model = Blend([EASE(), Popularity()], weights=(0.25, 0.75)).fit(ds)
    users = np.arange(5)
    parts = [zscore(m.fit(ds).score(users)) for m in (EASE(), Popularity())]
    expected = 0.25 * parts[0] + 0.75 * parts[1]
    np.testing.assert_allclose(model.score(users), expected, atol=1e-6)


class Near(Popularity):
    """A model that looks closely at what may be listed alone, the later the better; of all items it knows little."""

    def score(self, users, history=None):
        return np.tile(-np.arange(len(self.item_ids_), dtype=np.float32), (len(users), 1))

    def score_among(self, users, allowed=None, barred=None, history=None):
        open_ = np.ones((len(users), len(self.item_ids_)), bool)
        if allowed is not None:
            open_ &= allowed
        if barred is not None:
            open_[barred.nonzero()] = False
        return np.where(open_, np.arange(len(self.item_ids_)), -1).astype(np.float32)


@pytest.mark.parametrize("scale", ["zscore", "rank"])
def test_parts_are_told_what_may_be_listed(ds, scale):
    users, shelf = np.arange(5), np.array([3, 28, 29, 7])
    model = Blend([Near(), Popularity()], weights=(1.0, 0.0), scale=scale).fit(ds)
    assert top_k(model, users, k=3, candidates=shelf).tolist() == [[29, 28, 7]] * 5
    barred = ds.pairs()[users]
    assert (
        top_k(model, users, k=1, exclude=ds)[:, 0]
        == top_k(Near().fit(ds), users, k=1, exclude=ds)[:, 0]
    ).all()
    allowed = np.isin(np.arange(ds.n_items), shelf)
    plain = Blend([EASE(), Popularity()], weights=(0.5, 0.5), scale=scale).fit(ds)
    np.testing.assert_array_equal(plain.score_among(users, allowed, barred), plain.score(users))


def test_both_models_of_a_switch_are_told_what_may_be_listed(ds):
    users, shelf = np.arange(5), np.array([3, 28, 29, 7])
    for model in (Switch(Near(), Popularity(), 0, 0), Switch(Popularity(), Near(), 10**6)):
        listed = top_k(model.fit(ds), users, k=3, candidates=shelf)
        assert listed.tolist() == [[29, 28, 7]] * 5
    open_to = top_k(Switch(Near(), Popularity(), 0, 0).fit(ds), users, k=1, exclude=ds)
    assert (open_to == top_k(Near().fit(ds), users, k=1, exclude=ds)).all()


class Scores(EASE):
    """Knows better than `score_among` without anything barred what a score needs, as a second stage does."""

    def score_among(self, users, allowed=None, barred=None, history=None):
        raise AssertionError("nobody said what may be listed")


def test_parts_are_asked_for_a_score_where_a_score_is_asked(ds):
    users = np.arange(5)
    plain = Switch(EASE(), Popularity()).fit(ds).score(users)
    np.testing.assert_array_equal(Switch(Scores(), Popularity()).fit(ds).score(users), plain)
    np.testing.assert_array_equal(
        Blend([Scores(), Popularity()], weights=(0.5, 0.5)).fit(ds).score(users),
        Blend([EASE(), Popularity()], weights=(0.5, 0.5)).fit(ds).score(users),
    )


def test_the_weights_are_chosen_by_what_parts_say_when_told(ds):
    """The new items stand in the catalogue by how many like them in the validation part."""
    split = splits.cold_item(ds, test=0.2, valid=0.3, seed=0)
    liked = np.bincount(split.valid.positives().indices, minlength=ds.n_items)
    order = np.arange(ds.n_users), np.argsort(liked, kind="stable")
    train, valid = (part.in_order(*order) for part in (split.train, split.valid))
    assert Blend([Near(), Random()]).fit(train, valid).weights_.tolist() == [1, 0]


def test_a_seed_reaches_the_parts(ds):
    one, two = (Blend([Random(), EASE()], seed=s).fit(ds).score(np.arange(3)) for s in (1, 2))
    assert np.abs(one - two).max() > 0.1
    assert Blend([Random(seed=5), EASE()]).fit(ds).parts()[0].seed == 5


def test_settings_of_the_parts_are_within_reach():
    model = Blend([EASE(), Popularity()]).set_params(models__0__l2=3.0, scale="rank")
    assert model.models[0].l2 == 3.0 and model.get_params()["models__0__l2"] == 3.0
    assert Switch(EASE(), TfIdf()).set_params(warm__l2=4.0).warm.l2 == 4.0


@pytest.mark.parametrize(
    "model, words",
    [
        (Blend([EASE()]), "a blend of 1 models"),
        (Blend([EASE(), EASE()], weights=(1.0,)), "1 weights for 2 models"),
        (Blend([EASE(), EASE()], scale="odd"), "scale='odd'"),
        (Blend([EASE(), EASE()], tuned="odd"), "tuned='odd'"),
    ],
)
def test_a_wrong_blend_says_so(ds, model, words):
    with pytest.raises(InputError, match=words):
        model.fit(ds)


def test_a_switch_takes_the_content_model_for_the_cold(ds):
    model = Switch(EASE(l2=5.0), TfIdf()).fit(ds)
    users = np.array([0, 39])
    cold, warm = zscore(TfIdf().fit(ds).score(users)), zscore(EASE(l2=5.0).fit(ds).score(users))
    got = model.score(users)
    np.testing.assert_allclose(got[0, :28], warm[0, :28], atol=1e-6)
    np.testing.assert_allclose(got[0, 28:], cold[0, 28:], atol=1e-6)
    np.testing.assert_allclose(got[1], cold[1], atol=1e-6)
