"""Models that judge given candidates: what they are asked, what they answer, and what is said before."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recnb.data import Dataset, splits
from recnb.errors import InputError
from recnb.evaluation import Protocol, evaluate
from recnb.progress import listening
from recnb.recommender import CandidateScorer, Recommender, score_candidates, top_k


def made(n_users: int = 8, n_items: int = 12) -> Dataset:
    rows = [
        (f"u{u}", f"i{(u + 3 * t) % n_items:02d}", 10 * u + t)
        for u in range(n_users)
        for t in range(4)
    ]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    items = pd.DataFrame({"item_id": [f"i{i:02d}" for i in range(n_items)]})
    return Dataset.from_frames(interactions, items)


class Product(CandidateScorer):
    """The score of item i for user u is sin(7 u + 3 i); remembers what it was asked."""

    def __init__(self, sleep: float = 0.0) -> None:
        self.sleep = sleep

    def _fit(self, train, valid):
        self.fitted_ = True
        self.asked: list[np.ndarray] = []

    def _score_candidates(self, users, items, history):
        self.asked.append(np.array(items))
        time.sleep(self.sleep * items.size)
        return np.sin(7.0 * users[:, None] + 3.0 * items)


def whole(n_users: int, n_items: int) -> np.ndarray:
    return np.sin(7.0 * np.arange(n_users)[:, None] + 3.0 * np.arange(n_items)).astype(np.float32)


def test_given_candidates_are_judged_and_empty_places_are_not():
    model = Product().fit(made())
    items = np.array([[4, -1, 2], [-1, -1, 7]])
    scores = model.score_candidates(np.array([5, 1]), items)
    assert scores.dtype == np.float32
    expected = whole(8, 12)[[5, 1]]
    assert scores[0, 0] == expected[0, 4] and scores[0, 2] == expected[0, 2]
    assert scores[1, 2] == expected[1, 7] and np.isneginf(scores[items < 0]).all()


def test_it_works_alone_and_blocks_change_nothing():
    model = Product().fit(made())
    model.pairs_per_block = 5
    np.testing.assert_array_equal(model.score(np.arange(8)), whole(8, 12))
    assert max(block.size for block in model.asked) <= 5


def test_only_what_may_be_listed_is_judged():
    ds = made()
    model = Product().fit(ds)
    shelf = np.array([1, 5, 6, 10])
    lists = top_k(model, k=3, exclude=ds, candidates=shelf)
    known = ds.pairs().toarray() > 0
    asked = {(row, int(i)) for block in model.asked for row, r in enumerate(block) for i in r}
    assert {i for _, i in asked} <= {-1, *shelf.tolist()}
    assert all(not known[row, i] for row, i in asked if i >= 0)
    truth = np.where(known, -np.inf, whole(8, 12))[:, shelf]
    for row, best in enumerate(lists):
        order = shelf[np.argsort(-truth[row], kind="stable")]
        n = int(np.isfinite(truth[row]).sum())
        assert best.tolist() == [*order[: min(n, 3)].tolist(), *[-1] * max(0, 3 - n)]


def test_what_may_not_be_listed_stands_below_and_is_finite():
    model = Product().fit(made())
    barred = sparse.csr_matrix(np.tile(np.arange(12) == 0, (2, 1)))
    allowed = np.arange(12) < 3
    scores = model.score_among(np.array([0, 1]), allowed, barred)
    assert np.isfinite(scores).all()
    assert (scores[:, [1, 2]].min(axis=1) > np.delete(scores, [1, 2], axis=1).max(axis=1)).all()


def test_a_plain_model_is_read_off_its_scores():
    class Plain(Recommender):
        def _fit(self, train, valid):
            self.n_ = train.n_items

        def score(self, users, history=None):
            return whole(8, self.n_)[users]

    model = Plain().fit(made())
    items = np.array([[3, -1], [2, 11]])
    scores = score_candidates(model, np.array([6, 2]), items)
    assert scores[0, 0] == whole(8, 12)[6, 3] and np.isneginf(scores[0, 1])
    np.testing.assert_array_equal(scores[1], whole(8, 12)[2, [2, 11]])


@pytest.mark.parametrize(
    "users, items, words",
    [
        ([0], [[12]], "outside 0..11"),
        ([0], [[-2]], "outside 0..11"),
        ([0, 1], [[3]], "shape"),
    ],
)
def test_wrong_candidates_say_so(users, items, words):
    with pytest.raises(InputError, match=words):
        Product().fit(made()).score_candidates(np.array(users), np.array(items))


def test_a_score_that_is_not_finite_is_named():
    class Broken(Product):
        def _score_candidates(self, users, items, history):
            return np.where(items == 3, np.nan, 1.0)

    with pytest.raises(InputError, match="Broken gave a NaN"):
        Broken().fit(made()).score_candidates(np.array([0]), np.array([[1, 3]]))
    Broken().fit(made()).score_candidates(np.array([0]), np.array([[1, -1]]))


def test_a_long_step_says_how_long_before_it_starts(monkeypatch):
    monkeypatch.setattr("recnb.progress.LONG", 0.2)
    lines: list[tuple[str, int]] = []
    model = Product(sleep=5e-4).fit(made(60, 12))
    with listening(said=lambda line: lines.append((line, sum(b.size for b in model.asked)))):
        model.score(np.arange(60))
    (line, judged_before) = lines[0]
    assert len(lines) == 1 and "720 pairs to judge (60 users, 12 items each)" in line
    assert judged_before <= 30, "said before the work, from the probes alone"


def test_the_time_of_all_blocks_is_said_once(monkeypatch):
    monkeypatch.setattr("recnb.progress.LONG", 0.0)
    monkeypatch.setattr("recnb.recommender.blocks._BLOCK_BYTES", 4 * 12 * 7)  # 7 users at once
    lines: list[str] = []
    model = Product().fit(made(60, 12))
    with listening(said=lines.append):
        top_k(model, k=3)
    assert len(lines) == 1 and "720 pairs to judge (60 users" in lines[0]


def test_the_evaluation_hears_how_far_it_is():
    split = splits.leave_one_out(made(60, 12), valid=False)
    heard: list[str] = []
    evaluate({"p": Product()}, split, Protocol(k=3), progress=lambda what, *_: heard.append(what))
    assert "Product: pairs judged" in heard
