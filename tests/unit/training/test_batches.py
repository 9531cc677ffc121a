"""The plan of an epoch: every row as often as said, whole items in live batches."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from recnb.training.batches import FRESH, HEAD, LIVE, Batches, BatchPlan

ITEMS = np.random.default_rng(0).integers(0, 17, 200) * 3


def rows_of(plan: list, *kinds: int) -> np.ndarray:
    return np.concatenate([np.zeros(0, int), *(rows for kind, rows in plan if kind in kinds)])


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("head_epochs", [0, 1, 2, 3])
@pytest.mark.parametrize("live_epochs", [0, 1, 2])
def test_every_row_as_often_as_said(epoch: int, head_epochs: int, live_epochs: int) -> None:
    plan = BatchPlan(ITEMS, 4, 30, head_epochs, live_epochs, seed=1)(epoch)
    heads = np.bincount(rows_of(plan, HEAD, FRESH), minlength=200)
    lives = np.bincount(rows_of(plan, LIVE), minlength=200)
    assert (heads == head_epochs).all() and (lives == live_epochs).all()
    assert max((len(rows) for _, rows in plan), default=0) <= 30


def test_part_of_an_epoch() -> None:
    found = rows_of(BatchPlan(ITEMS, 4, 30, head_epochs=0.5, live_epochs=0)(0), HEAD)
    assert len(found) == len(set(found.tolist())) == 100


def test_live_batches_hold_whole_items() -> None:
    lives = [r for k, r in BatchPlan(ITEMS, 4, 1000)(2) if k == LIVE]
    held = [set(ITEMS[r].tolist()) for r in lives]
    assert sum(map(len, held)) == len(set().union(*held)) == len(np.unique(ITEMS))
    assert all(len(h) <= 4 for h in held) and len(lives) == 5


def test_a_function_of_seed_and_epoch() -> None:
    def flat(seed: int, epoch: int) -> list:
        return [(k, r.tolist()) for k, r in BatchPlan(ITEMS, 4, 30, seed=seed)(epoch)]

    assert flat(1, 3) == flat(1, 3)
    assert flat(1, 3) != flat(2, 3) and flat(1, 3) != flat(1, 4)


def test_order_of_kinds() -> None:
    plan = BatchPlan(ITEMS, 4, 20, head_epochs=1)
    first, later = ([kind for kind, _ in plan(e)] for e in (0, 1))
    assert first[:5] == [HEAD] * 5 and LIVE in first[5:]
    assert later[0] == LIVE
    for kinds in (first, later):
        assert kinds.count(FRESH) == 1
        assert LIVE not in kinds[kinds.index(FRESH) :]
        assert kinds[kinds.index(FRESH) + 1 :] == [HEAD] * 4


def test_nothing_to_do() -> None:
    assert BatchPlan(np.zeros(0, int))(0) == []
    assert BatchPlan(ITEMS, head_epochs=0, live_epochs=0)(0) == []
    assert [k for k, _ in BatchPlan(np.array([7]), head_epochs=0)(0)] == [LIVE]


def test_batches_are_made_when_asked_for() -> None:
    made = []
    batches = Batches([(HEAD, np.arange(2)), (LIVE, np.arange(3))], lambda *a: made.append(a) or a)
    assert len(batches) == 2 and not made
    kind, rows, number = batches[1]
    assert (kind, len(rows), number, len(made)) == (LIVE, 3, 1, 1)
    with pytest.raises(IndexError):
        batches[2]
