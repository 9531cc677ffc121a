"""A plan is chosen on the validation part, and another than the usual only where it is clearly better."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.data import splits
from recnb.models import TextJoint, TfIdf
from recnb.models.common.validation import Validation
from recnb.models.content.choice import Plan, choose, difference
from recnb.models.content.kernel import ItemKernel
from recnb.models.content.plan_scores import PlanScores


def validation(ds) -> Validation:
    split = splits.random(ds, test=0.3, valid=0.3, seed=0)
    return Validation.of(split.train, split.valid)


def test_noise_does_not_move_the_choice_and_a_clear_lead_does(ds):
    asked = validation(ds)
    axes = ([0.2, 0.5], [10.0, 3.0, np.inf], [None, 20])
    noise = np.random.default_rng(0).random((len(asked.users), ds.n_items))
    usual = Plan(0.2, 10.0, None)
    assert choose(*axes, lambda plan: noise, asked) == usual, "equal scores"
    right = asked.relevant.toarray()
    for good in (Plan(0.5, 10.0, None), Plan(0.2, np.inf, None), Plan(0.2, 10.0, 20)):
        assert choose(*axes, lambda p, good=good: right if p == good else noise, asked) == good


def test_axes_are_searched_one_after_the_other(ds):
    asked = validation(ds)
    axes = ([0.2, 0.5, 0.0], [10.0, 3.0, np.inf], [None, 20])
    values = {(0.5, 10.0, None): 0.3, (0.5, 3.0, None): 0.6, (0.5, 3.0, 20): 1.0}
    relevant = asked.relevant.toarray()
    noise = np.random.default_rng(0).random(relevant.shape)
    seen = []

    def scores(plan: Plan) -> np.ndarray:
        seen.append(plan)
        return noise + values.get((plan.share, plan.l2, plan.rank), 0.0) * relevant

    assert choose(*axes, scores, asked) == Plan(0.5, 3.0, 20)
    assert len(seen) == len(set(seen)) == 3 + 2 + 1, "no plan is scored twice"


def test_a_plan_is_scored_in_the_choice_as_by_the_model_that_follows_it(ds):
    """In a validation part and after fitting the lists are the same, for every kind of plan."""
    split = splits.cold_item(ds, test=0.2, valid=0.3, seed=1)
    asked = Validation.of(split.train, split.valid)
    for l2, rank in ((3.0, None), (3.0, 5), (np.inf, None)):
        way = {"way": "mean"} if np.isinf(l2) else {"way": "ridge", "l2": l2}
        model = TextJoint(**way, rank=rank, share=0.3).fit(split.train)
        used = np.flatnonzero(model.popularity_)
        kernel = ItemKernel(model._parts(), used[np.argsort(split.train.item_ids[used])])
        rows = model.rows(asked.users, None).astype(float)
        scores = PlanScores(kernel, model._weights, rows, asked.items, model.liked_)
        np.testing.assert_array_equal(
            asked.lists(scores(Plan(0.3, l2, rank))),
            asked.lists(model.score(asked.users)[:, asked.items]),
        )


def test_the_error_counts_users_and_items_as_samples():
    """One item that all users share is one observation, not fifty."""
    n = 50
    shared = (np.arange(n) * 100 + 7, np.ones(n))
    apart = (np.arange(n) * 100 + np.arange(n), np.ones(n))
    none = (np.zeros(0, np.int64), np.zeros(0))
    assert difference(shared, none, n, 100)[0] == 1.0
    assert difference(shared, none, n, 100)[1] > 5 * difference(apart, none, n, 100)[1]


def test_fit_with_valid_chooses_and_a_clone_with_the_choice_scores_alike(ds):
    split = splits.cold_item(ds, test=0.2, valid=0.3, seed=1)
    model = TfIdf().fit(split.train, split.valid)
    assert set(model.chosen()) <= {"way", "l2", "rank"} and model.chosen()["way"] != "auto"
    again = TfIdf(**model.chosen()).fit(split.train)
    np.testing.assert_array_equal(again.score(np.arange(9)), model.score(np.arange(9)))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_shares_at_the_ends_are_the_parts_alone(ds, share):
    from recnb.models import TextFrozen

    joint = TextJoint(way="ridge", l2=3.0, share=share).fit(ds).score(np.arange(38))
    part = (TextFrozen if share else TfIdf)(way="ridge", l2=3.0).fit(ds).score(np.arange(38))
    np.testing.assert_allclose(joint, part, atol=1e-5)


def test_useless_words_are_left_for_a_useful_encoder(ds, monkeypatch):
    """Parts alone are among the plans: words that say nothing do not hold the joint model down."""
    monkeypatch.setattr(TextJoint, "_meaning", lambda self, texts, learn: taste(len(texts)))

    def taste(n: int) -> np.ndarray:
        return np.column_stack([np.arange(n) % 2, 1 - np.arange(n) % 2]).astype(np.float32)

    rng = np.random.default_rng(0)
    said = [" ".join(rng.choice(list("abcdefgh"), 3)) for _ in range(ds.n_items)]
    from dataclasses import replace

    dumb = replace(ds, items=ds.items.assign(title=said, text=said))
    split = splits.random(dumb, test=0.3, valid=0.3, seed=0)
    joint = TextJoint(max_share=1.0, ngrams=1).fit(split.train, split.valid)
    asked = Validation.of(split.train, split.test)
    words = TfIdf(max_share=1.0, ngrams=1).fit(split.train, split.valid)
    assert asked.value(joint) > asked.value(words)
