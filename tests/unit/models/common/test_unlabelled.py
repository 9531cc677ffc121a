"""Labels from a model, and which items to ask for."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.errors import InputError
from recnb.models import EASE, Random
from recnb.models.common.unlabelled import choose_items, disagreement, with_pseudo_labels


def test_pseudo_labels_are_the_models_first_items_behind_the_own_rows(train_valid):
    train, _ = train_valid
    model = EASE(l2=5.0).fit(train)
    some = np.arange(0, train.n_items, 2)
    more = with_pseudo_labels(model, train, 3, some)
    rows = more.interactions
    assert more.pairs().nnz == len(rows), "no pair stands twice"
    new = ~train.pairs()[rows["user"], rows["item"]].A1.astype(bool)
    users = np.unique(train.interactions["user"])
    assert new.sum() == 3 * len(users) and set(rows["item"][new]) <= set(some)
    assert (rows["rating"][new] == 5).all() and (np.diff(rows["user"]) >= 0).all()
    scores = model.score(users)
    scores[train.pairs()[users].toarray() > 0] = -np.inf
    user = 7
    wanted = some[np.argsort(-scores[user, some], kind="stable")[:3]]
    assert set(rows["item"][new & (rows["user"] == users[user])]) == set(wanted)
    for _, part in rows.groupby("user"):
        assert (np.diff(part[train.order]) >= 0).all() and new[part.index[-1]]


def test_members_disagree_where_they_differ(ds):
    same = [EASE().fit(ds), EASE().fit(ds)]
    assert disagreement(same, np.arange(5)).max() < 1e-12
    other = disagreement([Random(seed=s).fit(ds) for s in range(8)], np.arange(40))
    assert other.min() > 0.5 and other.max() < 1.6, "independent: variance 1"
    with pytest.raises(InputError, match="one member"):
        disagreement(same[:1], np.arange(5))


def test_covering_takes_each_group_before_any_twice():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [50, 0], [0, 50], [50, 50]])
    vectors = np.concatenate([c + rng.normal(size=(10, 2)) for c in centres])
    items = np.arange(40)[::-1]
    for seed in range(5):
        chosen = choose_items(4, "coverage", items, vectors, seed=seed)
        assert set(chosen // 10) == {0, 1, 2, 3}
    assert len(set(choose_items(99, "coverage", items, vectors).tolist())) == 40
    sure = np.linspace(1, 0, 40)
    assert choose_items(3, "uncertainty", items, uncertainty=sure).tolist() == [0, 1, 2]
    drawn = [tuple(choose_items(3, "random", items, seed=s)) for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    "how, words", [("best", "random, coverage"), ("coverage", "vectors"), ("uncertainty", "disag")]
)
def test_what_is_missing_is_named(how, words):
    with pytest.raises(InputError, match=words):
        choose_items(2, how, np.arange(4))
