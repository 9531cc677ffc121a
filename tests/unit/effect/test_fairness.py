"""Fairness: attention by hand, the controller, days in the world; and a slate policy that corrects for its log."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recnb.effect.bandit import SlatePolicy
from recnb.effect.fairness import (
    attention,
    exposure_table,
    fair_lists,
    frontier,
    inequality,
    item_exposure,
    live_days,
    ndcg_of,
    shares_of,
    supplier_exposure,
    true_clicks,
    unearned,
    with_interval,
)
from recnb.effect.logs.world import draw_log
from recnb.errors import InputError
from recnb.models import Popularity, TfIdf
from recnb.world import generate
from recnb.world.exposure import examination

LISTS = np.array([[0, 1], [0, 2], [3, -1], [0, 1]])


def test_attention_by_hand():
    second = 1 / np.log2(3)
    total = 4 + 3 * second
    exposure = item_exposure(LISTS, 5)
    assert exposure == pytest.approx(np.array([3, 2 * second, second, 1, 0]) / total)
    assert shares_of(exposure, list("aabbb"))["a"] == pytest.approx((3 + 2 * second) / total)
    assert (
        unearned(exposure, exposure * 7) == pytest.approx(0)
        and unearned(np.eye(4)[0], np.eye(4)[1]) == 1
    )
    assert inequality(np.eye(5)[2]) == pytest.approx(0.8)
    assert item_exposure(LISTS, 5, np.array([0, 0, 2.0, 0]))[3] == 1
    with pytest.raises(InputError, match="empty"):
        item_exposure(np.full((2, 3), -1), 4)
    with pytest.raises(InputError, match="merit"):
        unearned(exposure, np.zeros(5))


def test_groups_of_items_with_intervals():
    rng = np.random.default_rng(0)
    lists = np.where(rng.random((300, 1)) < 0.3, 0, 1)
    table = exposure_table(lists, ["big", "small", "none"], np.array([1.0, 1.0, 0.0])).set_index(
        "group"
    )
    share = float((lists == 0).mean())
    assert table.loc["big", "exposure"] == pytest.approx(share)
    error = np.sqrt(share * (1 - share) / 300)
    assert table.loc["big", "high"] - table.loc["big", "low"] == pytest.approx(
        2 * 1.96 * error, rel=0.15
    )
    assert table.loc["big", "to_merit"] == pytest.approx(2 * share) and np.isnan(
        table.loc["none", "to_merit"]
    )
    assert with_interval(np.array([0.0, 1.0, np.nan] * 20))["n_users"] == 40


def test_suppliers_by_hand():
    """The last item has no supplier: its place and its likes take no part."""
    merit = np.array([4.0, 2.0, 2.0, 1.0, 9.0])
    lists = np.array([[0, 1], [0, 2], [3, 4], [0, -1]] * 5)
    table = supplier_exposure(lists, ["a", "b", " b", "c", ""], merit).set_index("measure")
    second = 1 / np.log2(3)
    shares = np.array([3, 2 * second, 1]) / (4 + 2 * second)
    due = np.array([4, 4, 1]) / 9
    assert table.loc["gini", "value"] == pytest.approx(inequality(shares))
    assert table.loc["unequal", "value"] == pytest.approx(np.abs(shares - 1 / 3).sum() / 2)
    assert table.loc["unearned", "value"] == pytest.approx(np.abs(shares - due).sum() / 2)
    assert (table["n_suppliers"] == 3).all() and (table["low"] < table["value"]).tolist() == [
        True,
        True,
        False,
    ]
    assert table["named"].iloc[0] == pytest.approx((4 + 2 * second) / (4 + 3 * second))
    missing = supplier_exposure(lists, ["a", "b", "b", "c", np.nan], merit).set_index("measure")
    assert missing["value"].to_dict() == table["value"].to_dict()
    with pytest.raises(InputError, match="no listed item has a supplier"):
        supplier_exposure(np.full((6, 1), 4), ["a", "b", "b", "c", None], merit)
    with pytest.raises(InputError, match="merit"):
        supplier_exposure(lists, ["a", "b", "b", "c", ""], np.zeros(5))


def test_the_intervals_of_suppliers_cover():
    """Three fifths of the attention would have to move, and about nineteen intervals in twenty say so."""
    shares, merit = np.repeat([0.04, 0.01], [20, 20]), np.repeat([0.01, 0.04], [20, 20])
    truth, covered = unearned(shares, merit), 0
    for seed in range(20):
        lists = np.random.default_rng(seed).choice(40, (150, 1), p=shares)
        row = supplier_exposure(lists, np.arange(40), merit).set_index("measure").loc["unearned"]
        covered += row["low"] <= truth <= row["high"]
    assert covered >= 16


def test_the_controller_gives_what_is_due():
    rng = np.random.default_rng(1)
    scores = rng.standard_normal((400, 12)) + np.linspace(2, 0, 12)
    merit = np.ones(12)
    barred = sparse.csr_matrix(
        (np.ones(400), (np.arange(400), rng.integers(0, 12, 400))), (400, 12)
    )
    relevant = sparse.csr_matrix((scores > 2.4).astype(float))
    table = frontier(
        scores, relevant, merit, k=3, strengths=(0.0, 1.0, 6.0), barred=barred, equal=True
    )
    assert table["difference"].iloc[0] == 0 and table["difference_high"].iloc[2] < 0
    assert (np.diff(table["unearned"]) < 0).all() and table["unearned"].iloc[2] < 0.05
    assert (np.diff(table["ndcg"]) < 0).all() and (np.diff(table["inequality"]) < 0).all()
    plain = fair_lists(scores, 3, 0.0, merit / 12, barred)
    held = np.where(barred.toarray() > 0, -np.inf, scores)
    assert np.array_equal(plain, np.argsort(-held, axis=1)[:, :3])
    with pytest.raises(InputError, match="strength"):
        fair_lists(scores, 3, -1.0, merit)


def test_ndcg_is_that_of_the_metrics():
    rng = np.random.default_rng(2)
    lists = np.array([rng.permutation(9)[:4] for _ in range(20)])
    relevant = sparse.random(20, 9, 0.3, format="csr", random_state=0)
    relevant.data[:] = 1
    mine = ndcg_of(lists, relevant)
    worth = attention(4)
    for row in range(20):
        truth = set(relevant[row].indices.tolist())
        if not truth:
            assert np.isnan(mine[row])
            continue
        gain = sum(w for w, item in zip(worth, lists[row]) if item in truth)
        assert mine[row] == pytest.approx(gain / worth[: min(len(truth), 4)].sum())


@pytest.fixture(scope="module")
def world():
    return generate("news", n_users=120, n_items=60, seed=0)


def test_days_in_the_world(world):
    models = {"text": TfIdf(way="mean", rank=None), "popularity": Popularity()}
    loop = live_days(world, models, days=3, visits=150, cards=4, seed=1)
    assert set(loop.days["model"]) == set(models) and len(loop.days) == 6
    assert (loop.days["clicks"] <= loop.days["best"] + 1e-9).all()
    last = loop.days[loop.days["day"] == 3].set_index("model")
    # Popularity shows all the same cards; a text model tells users apart.
    assert last.loc["popularity", "inequality"] > last.loc["text", "inequality"]
    assert last.loc["popularity", "apart"] < last.loc["text", "apart"]
    alone = loop.seen_by("text")
    assert 0 < len(alone.interactions) < len(loop.data.interactions)
    assert set(loop.by) == {"", "text", "popularity"} and len(loop.by) == len(
        loop.data.interactions
    )
    assert not loop.data.interactions.duplicated(["user", "item"]).any()
    again = live_days(world, models, days=3, visits=150, cards=4, seed=1)
    pd.testing.assert_frame_equal(loop.days, again.days)
    assert list(loop.data.user_ids) == list(world.truth.user_ids)
    clicks = true_clicks(world, models["text"], loop.data, cards=4)
    best = np.sort(world.truth.click, axis=1)[:, ::-1][:, :4] @ examination(4)
    assert clicks.shape == (120,) and (clicks > 0).all() and (clicks <= best + 1e-9).all()
    with pytest.raises(InputError, match="at least one of each"):
        live_days(world, {}, days=1)


def test_the_correction_finds_what_the_log_hides(world):
    """The logging policy shows bad items most; an imitation of clicks follows it, the correction does not."""
    truth = world.truth
    rng = np.random.default_rng(3)
    quality = truth.scores - truth.scores.mean(axis=1, keepdims=True)
    noise = rng.standard_normal(quality.shape)
    vectors = np.stack([quality, noise], axis=2)
    logged = np.exp(1.2 * noise - 0.4 * quality)
    logged /= logged.sum(axis=1, keepdims=True)
    k = 3
    log = draw_log(world, logged, 6000, rng, cards=k)
    at = pd.Index(truth.user_ids).get_indexer(log.context_ids)
    look = examination(k)
    values = {}

    def earned(shown):
        return float((np.take_along_axis(truth.click, shown, axis=1) @ look).mean())

    for kind in ("none", "item", "slate"):
        policy = SlatePolicy(kind, k=k).fit(log, vectors[at], look)
        values[kind] = earned(policy.slates(vectors))
    best = earned(np.argsort(-quality, axis=1)[:, :k])
    even = float(truth.click.mean() * look.sum())
    assert values["none"] < even + 0.3 * (best - even)
    assert min(values["item"], values["slate"]) > even + 0.6 * (best - even)
    # Slopes are those of the values.
    objective = SlatePolicy("slate", k=k)._objective(
        vectors[:5], np.arange(5), np.arange(5), np.ones(5), 5
    )
    theta = np.array([0.3, -0.2])
    for axis in range(2):
        step = np.eye(2)[axis] * 1e-6
        by_hand = (objective(theta + step)[0] - objective(theta - step)[0]) / 2e-6
        assert objective(theta)[1][axis] == pytest.approx(by_hand, rel=1e-5)
    with pytest.raises(InputError, match="correction"):
        SlatePolicy("some")
