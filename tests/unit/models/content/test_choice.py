"""A plan is chosen on the validation part, and another than the usual only where it is clearly better."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.data import splits
from recnb.models import TextJoint, TfIdf
from recnb.models.common.validation import Validation, more_new_items
from recnb.models.content.choice import Plan, Trial, choose, difference
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
    assert choose(*axes, [Trial(asked, lambda plan: noise)]) == usual, "equal scores"
    right = asked.relevant.toarray()
    for good in (Plan(0.5, 10.0, None), Plan(0.2, np.inf, None), Plan(0.2, 10.0, 20)):
        trial = Trial(asked, lambda p, good=good: right if p == good else noise)
        assert choose(*axes, [trial]) == good


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

    assert choose(*axes, [Trial(asked, scores)]) == Plan(0.5, 3.0, 20)
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
    asked = np.ones(n, np.int64)
    assert difference(shared, none, asked, 100)[0] == 1.0
    assert difference(shared, none, asked, 100)[1] > 5 * difference(apart, none, asked, 100)[1]


def test_a_user_asked_twice_is_one_sample():
    """Two lists of the same fifty users do not halve the variance of lists that agree."""
    n, none = 50, (np.zeros(0, np.int64), np.zeros(0))
    half = np.arange(0, n, 2)
    once = (half * 1000 + half, np.ones(len(half)))
    twice = tuple(np.concatenate(p) for p in zip(once, (half * 1000 + 500 + half, once[1])))
    mean, error = difference(once, none, np.ones(n, np.int64), 1000)
    again, same = difference(twice, none, np.full(n, 2), 1000)
    assert mean == again == 0.5
    assert same == pytest.approx(error, rel=0.02)


def test_few_new_items_are_too_few_to_choose_by(ds):
    """A plan that wins on the validation part alone is left where more hidden items say otherwise."""
    split = splits.cold_item(ds, test=0.2, valid=0.2, seed=1)
    parts = [(split.train, split.valid), *more_new_items(split.train, split.valid)]
    asked = [Validation.of(*part) for part in parts]
    rng = np.random.default_rng(0)
    axes = ([0.2, 0.5], [10.0], [None])
    lucky = Plan(0.5, 10.0, None)

    def trial(validation: Validation, luck: float) -> Trial:
        right = validation.relevant.toarray()[:, validation.items]
        noise = rng.random(right.shape)
        return Trial(validation, lambda plan: noise + luck * right * (plan == lucky))

    first = trial(asked[0], 1.0)
    others = [trial(validation, -1.0) for validation in asked[1:]]
    assert choose(*axes, [first]) == lucky
    assert choose(*axes, [first, *others]) == Plan(0.2, 10.0, None)


def test_items_are_hidden_as_the_validation_part_hides_them(ds):
    split = splits.cold_item(ds, test=0.2, valid=0.2, seed=1)
    new = set(split.valid.interactions["item"])
    hidden = []
    for train, valid in more_new_items(split.train, split.valid):
        here = set(valid.interactions["item"])
        assert len(here) == len(new) and not here & set(train.interactions["item"])
        assert len(train.interactions) + len(valid.interactions) == len(split.train.interactions)
        hidden += here
    used = split.train.interactions["item"].nunique()
    assert len(hidden) == len(set(hidden)) == min(used // len(new), 8) * len(new)
    assert not new & set(hidden)


def test_no_more_items_are_hidden_where_the_validation_part_has_enough(ds, monkeypatch):
    split = splits.cold_item(ds, test=0.2, valid=0.2, seed=1)
    size = split.valid.interactions["item"].nunique()
    monkeypatch.setattr("recnb.models.common.validation.ENOUGH_ITEMS", 2 * size)
    assert len(list(more_new_items(split.train, split.valid))) == 1
    monkeypatch.setattr("recnb.models.common.validation.ENOUGH_ITEMS", size)
    assert not list(more_new_items(split.train, split.valid))
    warm = splits.random(ds, test=0.3, valid=0.3, seed=0)
    assert not list(more_new_items(warm.train, warm.valid)), "known items are many users' samples"


def test_fit_chooses_by_the_items_it_hides_itself(ds, monkeypatch):
    split = splits.cold_item(ds, test=0.2, valid=0.2, seed=1)
    trials = []

    def noted(shares, penalties, ranks, tried):
        trials.extend(tried)
        return Plan(shares[0], penalties[0], ranks[0])

    monkeypatch.setattr("recnb.models.content.model.choose", noted)
    TfIdf().fit(split.train, split.valid)
    assert len(trials) == 1 + len(list(more_new_items(split.train, split.valid))) > 2
    for trial in trials:
        assert not trial.validation.history.pairs()[:, trial.validation.items].nnz
        assert trial.scores(Plan(0.0, 10.0, None)).shape[1] == len(trial.validation.items)


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
