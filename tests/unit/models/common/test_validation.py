"""The one value on the validation part."""

from __future__ import annotations

import numpy as np

from recnb import evaluate
from recnb.data import splits
from recnb.evaluation import Protocol
from recnb.models import Blend, Popularity, TfIdf
from recnb.models.common.validation import Validation


def test_it_is_what_evaluate_would_say_of_the_same_question(ds):
    for split in (splits.cold_item(ds, test=0.3, valid=0.3), splits.random(ds, valid=0.3)):
        asked = Validation.of(split.train, split.valid)
        model = TfIdf(way="mean").fit(split.train)
        inner = evaluate({"m": model}, split.inner, Protocol(k=10, metrics=("ndcg",)))
        table = inner.table()
        shelf = "shelf" if split.candidates is not None else "catalogue"
        assert (asked.shelf is None) == (shelf == "catalogue")
        value = table[table["candidates"] == shelf]["value"].iloc[0]
        assert abs(asked.value(model) - value) < 1e-6


def test_users_are_few_and_the_same_in_every_order(dataset):
    chosen = []
    for ds in (dataset(), dataset(shuffle=5)):
        split = splits.random(ds, valid=0.3)
        asked = Validation.of(split.train, split.valid, most_users=7)
        chosen.append(sorted(ds.user_ids[asked.users]))
    assert len(chosen[0]) == 7 and chosen[0] == chosen[1]


def test_a_blend_chooses_among_the_new_items(ds):
    """Popularity says nothing of new items, but lists the known ones first in the whole catalogue."""
    split = splits.cold_item(ds, test=0.2, valid=0.3, seed=0)
    blend = Blend([TfIdf(way="mean"), Popularity()]).fit(split.train, split.valid)
    asked = Validation.of(split.train, split.valid)
    assert asked.shelf is not None and np.isin(asked.shelf, split.valid_candidates).all()
    values = [
        asked.value(Blend([TfIdf(way="mean"), Popularity()], weights=(w, 1 - w)).fit(split.train))
        for w in (0.0, 0.5, 1.0)
    ]
    assert asked.value(blend) >= max(values) - 1e-9
