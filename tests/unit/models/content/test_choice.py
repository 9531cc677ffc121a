"""A plan is chosen on the validation part, and another than the usual only where it is clearly better."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.data import splits
from recnb.models import TextJoint, TfIdf
from recnb.models.common.validation import Validation
from recnb.models.content.choice import choose, difference, plans


def validation(ds) -> Validation:
    split = splits.random(ds, test=0.3, valid=0.3, seed=0)
    return Validation.of(split.train, split.valid)


def test_noise_does_not_move_the_choice_and_a_clear_lead_does(ds):
    asked = validation(ds)
    candidates = plans([0.2, 0.5], [10.0, 3.0, 1.0], [None])
    rng = np.random.default_rng(0)
    noise = {p: rng.random((len(asked.users), ds.n_items)) for p in candidates}
    chosen = [
        choose(candidates, lambda some, q=q: iter((p, noise[q]) for p in some), asked)
        for q in candidates
    ]
    assert chosen == [candidates[0]] * len(candidates), "equal scores: the usual plan"
    right = {**noise, candidates[4]: asked.relevant.toarray()}
    assert choose(candidates, lambda some: ((p, right[p]) for p in some), asked) == candidates[4]


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
