"""A linear probe recovers what is there, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np

from recnb.course import probe


def test_it_recovers_what_the_vectors_hold_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 5))
    targets = np.column_stack([vectors[:, 0], rng.normal(size=300)])
    found = probe(vectors, targets, np.arange(200), np.arange(200, 300), draws=1000)
    assert found.value[0] > 0.99 and abs(found.value[1]) < 0.1
    rows = {row["trait"]: row for row in found.rows(["there", "not there"], "mean")}
    assert rows["there"]["low"] > 0.98 and rows["not there"]["high"] < 0.2
    assert np.isclose(rows["mean"]["value"], found.value.mean())
