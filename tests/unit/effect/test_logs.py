"""Logs: what the world draws has the chances it says, and published layouts become logs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.effect.logs import (
    Log,
    coat_log,
    draw_log,
    mind_log,
    open_bandit_log,
    read_log,
    true_values,
    world_log,
)
from recnb.effect.policy import (
    Settings,
    TablePolicy,
    UniformPolicy,
    estimate,
    estimate_propensities,
)
from recnb.errors import InputError
from recnb.world import generate


@pytest.fixture(scope="module")
def world():
    return generate("shop", n_users=200, n_items=30, seed=0)


def test_drawn_logs_earn_what_the_truth_says(world):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(30), 200)
    log = draw_log(world, p, 6_000, rng, cards=2, stars=True)
    truth = true_values(world, p, 2, stars=True)
    for outcome, value in truth.items():
        r = log.outcome(outcome)
        assert abs(r.mean() - value) < 4 * r.std() / np.sqrt(log.n), outcome
    assert set(log.outcomes) == {"click", "conversion", "revenue", "satisfaction"}
    even = TablePolicy({0: np.full((200, 30), 1 / 30)})
    result = estimate(log, {"even": even}, ["click"], settings=Settings(estimators=("ips",)))
    assert (
        abs(result.value("even", "click", "ips").value - true_values(world, even, 2)["click"])
        < 0.02
    )


def test_the_worlds_own_cards_are_a_log(world):
    log = world_log(world)
    shown = world.impressions
    assert log.n == len(shown) and log.outcomes == (
        "click",
        "conversion",
        "revenue",
        "satisfaction",
    )
    assert log.unit_name == "users" and log.slate.max() + 1 == shown["visit"].nunique()
    assert not any(c.endswith("_probability") for c in log.table)
    bought = log.table[log.table["conversion"] == 1]
    price = world.items.set_index("item_id")["price"]
    assert np.allclose(bought["revenue"], price[bought["item_id"]])


def test_a_file_and_a_frame_are_one_log(tmp_path, world):
    log = world_log(world)
    log.table.to_csv(tmp_path / "log.csv", index=False)
    pd.DataFrame({"item_id": world.truth.item_ids}).to_csv(tmp_path / "items.csv", index=False)
    again = read_log(tmp_path / "log.csv", tmp_path / "items.csv")
    assert again.digest == log.digest
    assert log.rows(np.arange(10)).digest != log.digest
    pd.DataFrame({"item_id": ["other"]}).to_csv(tmp_path / "items.csv", index=False)
    with pytest.raises(InputError, match="is shown and not among the items"):
        read_log(tmp_path / "log.csv", tmp_path / "items.csv")


def test_propensities_that_are_not_logged_are_estimated_and_said(world):
    """Shares where the choice ignores the user; a regression where it does not."""
    rng = np.random.default_rng(1)
    share = rng.dirichlet(np.ones(30))
    log = draw_log(world, np.tile(share, (200, 1)), 8000, rng)
    bare = Log(log.table.drop(columns="propensity"), log.item_ids, log.context_ids)
    guessed = estimate_propensities(bare)
    assert guessed.estimated and "estimated from the shares" in guessed.notes[-1]
    assert np.abs(guessed.propensity / log.propensity - 1).mean() < 0.1
    result = estimate(bare, {"even": UniformPolicy(30)}, ["click"])
    assert result.log["propensities"] == "estimated"
    kind = rng.integers(0, 2, 200)
    by_kind = np.stack([share, share[::-1]])[kind]
    log = draw_log(world, by_kind, 8000, rng)
    told = estimate_propensities(log, kind[:, None].astype(float), folds=2)
    untold = estimate_propensities(log)
    errors = [np.abs(np.log(x.propensity / log.propensity)).mean() for x in (told, untold)]
    assert errors[0] < 0.5 * errors[1]


def test_open_bandit_rows_are_a_log():
    frame = pd.DataFrame(
        {
            "policy": ["random"] * 3 + ["bts"],
            "campaign": "men",
            "timestamp": [3.0, 1.0, 2.0, 4.0],
            "item_id": ["men_0", "men_1", "men_0", "men_2"],
            "position": [1, 2, 3, 1],
            "click": [0, 1, 0, 1],
            "propensity": [1 / 3] * 3 + [0.5],
            "user_feature_0": "x",
        }
    )
    log = open_bandit_log(frame, "men", "random")
    assert log.n == 3 and log.item_ids.tolist() == ["men_0", "men_1", "men_2"]
    assert log.unit_name == "rows" and log.context.tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="no row of campaign 'women'"):
        open_bandit_log(frame, "women", "random")


def test_coats_have_chances_that_add_up():
    every = pd.DataFrame(
        {"user_id": [0, 0, 1, 1], "item_id": [0, 1, 0, 1], "propensity": [0.1, 0.3, 0.2, 0.2]}
    )
    ratings = pd.DataFrame({"user_id": [0, 1], "item_id": [1, 0], "rating": [4.0, 2.0]})
    log = coat_log(ratings, every)
    assert log.propensity.tolist() == pytest.approx([0.75, 0.5])
    assert log.outcome("satisfaction").tolist() == [4, 2]


def test_mind_impressions_are_slates_without_places(tmp_path):
    rows = [
        "1\tu1\t11/15/2019 8:55:22 AM\tn1\tn1-0 n2-1",
        "2\tu2\t11/15/2019 8:56:22 AM\t\tn2-0 n3-0",
    ]
    (tmp_path / "behaviors.tsv").write_text("\n".join(rows) + "\n")
    news = [f"n{k}\tnews\tlocal\tTitle {k}\tText\thttp://x\t[]\t[]" for k in (1, 2, 3)]
    (tmp_path / "news.tsv").write_text("\n".join(news) + "\n")
    log = mind_log(tmp_path)
    assert log.n == 4 and log.mean("click") == 0.25 and log.propensity is None
    assert any("no places" in note for note in log.notes)
