"""Policies from saved models: what an evaluation left beside a model says what its users have had."""

from __future__ import annotations

import shutil
from itertools import product

import numpy as np
import pandas as pd
import pytest

from recnb import evaluate, splits
from recnb.effect.logs import Log
from recnb.effect.policy import estimate
from recnb.errors import InputError
from recnb.models import make
from recnb.recommender import load_model, read_lists
from recnb.study.policies import read_policy
from tests.unit.models.conftest import make_dataset


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A saved model in a report, its split, and a log of all pairs of six users."""
    folder = tmp_path_factory.mktemp("evaluated") / "report"
    split = splits.user_time(make_dataset())
    evaluate({"popularity": make("popularity")}, split).save(folder)
    model = make("popularity").fit(split.known)
    model.save(folder / "models" / "popularity-0")
    users, items = split.known.user_ids[:6], split.known.item_ids
    rows = [(u, i, 1 / len(items), at % 2) for at, (u, i) in enumerate(product(users, items))]
    log = pd.DataFrame(rows, columns=["user_id", "item_id", "propensity", "click"])
    return folder / "models" / "popularity-0", split, log


def test_a_saved_model_shows_nothing_that_its_users_had(evaluated, tmp_path):
    folder, split, frame = evaluated
    log, model = Log.from_frame(frame), load_model(folder)
    users = pd.Index(model.user_ids_).get_indexer(log.context_ids)
    items = pd.Index(model.item_ids_).get_indexer(log.item_ids)
    had = split.known.pairs()[users][:, items].toarray() > 0
    everyone = np.arange(len(users))
    chances = read_policy(str(folder), log, "top", k=3).probabilities(everyone)
    again = read_policy(str(folder), log, "top", repeats="include", k=3).probabilities(everyone)
    assert had.any() and (chances[had] == 0).all() and (again[had] > 0).any()
    assert np.allclose(chances.sum(axis=1), 1)
    alone = shutil.copytree(folder, tmp_path / "alone")
    plain = read_policy(str(alone), log, "top", k=3).probabilities(everyone)
    assert np.array_equal(plain, again)
    with pytest.raises(InputError, match="no evaluation stands beside the model"):
        read_policy(str(alone), log, repeats="exclude")
    with pytest.raises(InputError, match="--repeats never; exclude or include"):
        read_policy(str(folder), log, repeats="never")


def test_a_user_who_has_had_all_is_told(evaluated):
    folder, split, frame = evaluated
    user = frame["user_id"].iloc[0]
    code = list(split.known.user_ids).index(user)
    mine = split.known.item_ids[split.known.pairs()[[code]].indices]
    some = frame[(frame["user_id"] == user) & frame["item_id"].isin(mine)]
    log = Log.from_frame(some.assign(propensity=1 / len(some)))
    with pytest.raises(InputError, match=f"user '{user}' .* has had every item"):
        read_policy(str(folder), log)
    again = read_policy(str(folder), log, repeats="include")
    assert again.probabilities(np.array([0])).sum() == pytest.approx(1)


def test_outcomes_that_say_nothing_are_left_out_unless_asked_for(evaluated):
    _, _, frame = evaluated
    log = Log.from_frame(frame.assign(revenue=0.0))
    even = {"even": read_policy("uniform", log)}
    assert log.outcomes == ("click", "revenue")
    assert {r.outcome for r in estimate(log, even).records} == {"click"}
    assert {r.outcome for r in estimate(log, even, ["revenue"]).records} == {"revenue"}


def test_lists_of_several_models_are_told_apart():
    lists = pd.DataFrame({"user_id": "u", "item_id": ["a", "a"], "rank": 1, "model": ["m", "n"]})
    with pytest.raises(InputError, match="column 'model': lists of several: m, n; keep the rows"):
        read_lists(lists)
    assert len(read_lists(lists.iloc[:1]).table) == 1
