"""Items that come after fitting, or that nobody has used: scored by what they share with the catalogue."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset
from recnb.models import Transferred, make
from recnb.models.common.reading.live import drawn_in, turning

KINDS = {
    "coffee": ["Espresso Machine 15 bar", "Burr Coffee Grinder", "Milk Frothing Jug", "Whole Bean Coffee 1 kg"],
    "tea": ["Cast Iron Teapot 0.8 L", "Sencha Green Tea 100 g", "Electric Kettle 1.7 L", "Matcha Whisk Bamboo"],
    "camp": ["Two Person Tent", "Down Sleeping Bag -5 C", "Gas Camping Stove", "LED Headlamp 350 lm"],
    "bike": ["Bicycle Helmet Adult", "Inner Tube 28 inch", "Floor Pump with Gauge", "Bike Lock U-shape"],
    "bake": ["Stand Mixer 4.5 L", "Silicone Baking Mat", "Bread Flour 5 kg", "Loaf Tin Non-stick"],
}  # fmt: skip
MAKERS = ("Brennhaus", "Nordlys", "Kiyo", "Alderton", "Tamarack", "Lumo", "Ferrum", "Petit Jour")
SMALL = {"width": 32, "n_layers": 1, "lr": 3e-3, "n_epochs": 12}
OFF = ["Garden Hose 20 m", "x", "Gift card", "Men's Leather Shoes 42"]
EMPTY, TENT = ["", None], "Casa Verde Two Person Tent"
N_USERS = 150


@pytest.fixture(scope="module")
def shop() -> Dataset:
    """People stay with a subject; nobody has used a garden hose, an item without text, and a tent of another maker."""
    titles = [f"{maker} {kind}" for kinds in KINDS.values() for kind in kinds for maker in MAKERS]
    n = len(titles)
    titles += [OFF[0], "", TENT]
    items = pd.DataFrame({"item_id": [f"i{i:03d}" for i in range(n + 3)], "title": titles})
    rng = np.random.default_rng(0)
    rows = []
    for user in range(N_USERS):
        subject = np.arange(n // 5) + user % 5 * (n // 5)
        liked = rng.permutation(np.concatenate([rng.choice(subject, 6), rng.choice(n, 2)]))
        rows += [(f"u{user:03d}", f"i{item:03d}", place) for place, item in enumerate(liked)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "position"])
    return Dataset.from_frames(frame, items, name="shop", duplicates="keep")


def shares(model, items) -> np.ndarray:
    """Of which share of the users' ten best each of these items is one: 6 % by chance."""
    scores = model.score(np.arange(N_USERS))
    better = (scores[:, None, :] > scores[:, items, None]).sum(axis=2)
    return (better < 10).mean(axis=0)


def tent_gap(model, item: int) -> float:
    """How much higher campers rank an item than others do, in places of the list."""
    scores, users = model.score(np.arange(N_USERS)), np.arange(N_USERS)
    place = (scores > scores[:, [item]]).sum(axis=1)
    return float(place[users % 5 != 2].mean() - place[users % 5 == 2].mean())


@pytest.mark.parametrize("name", ["sasrec[items=text]", "sasrec[items=both]", "tiger_dense"])
def test_what_resembles_nothing_is_in_few_lists_and_what_resembles_a_kind_gets_to_its_people(
    name, shop
):
    small = {**SMALL, "n_codes": 8} if "tiger" in name else SMALL
    model = make(name, **small).fit(shop)
    new = pd.DataFrame({"title": [*OFF, *EMPTY, TENT]})
    grown = model.with_items(new.assign(item_id=[f"n{n}" for n in range(len(new))]))
    first = shop.n_items
    scores = grown.score(np.arange(N_USERS))
    # without a bound they stand in a quarter to two thirds of the lists
    assert shares(grown, first + np.arange(len(OFF))).mean() < 0.15
    for blank in (first + len(OFF), first + len(OFF) + 1):
        assert (scores[:, [blank]] <= scores[:, : first - 3]).all()
    assert tent_gap(grown, first + len(new) - 1) > 8
    # the same, where they were there at fitting
    assert shares(model, [first - 3])[0] < 0.2
    assert (model.score(np.arange(N_USERS)).argmin(axis=1) == first - 2).all()
    assert tent_gap(model, first - 1) > 8
    # what has events is told as before
    raw = model._encoded(model._in_rows(shop.items))[: model.n_used_]
    plain = (raw - model.shift_) @ model.turn_
    np.testing.assert_allclose(model.text_[: model.n_used_], plain, atol=1e-4)


def test_a_model_put_over_another_shop_bounds_what_comes_there(shop):
    """Without rows of its own it knows nothing else of the shop: who has had what decides no vector."""
    source = make("sasrec[items=text]", **{**SMALL, "n_epochs": 1}).fit(shop)
    there = Transferred(source).fit(shop)
    one = Transferred(source).fit(shop.rows(shop.interactions["user"].to_numpy() == 0))
    np.testing.assert_allclose(
        one.score(np.arange(9), shop)[:, :160], there.score(np.arange(9), shop)[:, :160], atol=1e-4
    )
    grown = there.with_items(pd.DataFrame({"item_id": ["n0", "n1"], "title": ["Gift card", ""]}))
    lengths = np.linalg.norm(there.text_, axis=1)
    assert np.linalg.norm(grown.text_[-1]) <= np.quantile(lengths, 0.95) * 1.001
    assert grown.row_[-1] == -1


def test_the_nearest_text_that_is_no_farther_out():
    """The bound is met, no other such vector is nearer, and what is within stays as it is."""
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(40, 6)) * [5, 3, 1, 0.3, 0.05, 0.01]
    shift, turn = turning(raw, True)
    assert turn is not None
    learned = (raw - shift) @ turn
    longest = np.quantile(np.linalg.norm(learned, axis=1), 0.95)
    far = rng.normal(size=(5, 6))
    near = drawn_in((far - shift) @ turn, learned, turn)
    np.testing.assert_allclose(np.linalg.norm(near, axis=1), longest, rtol=1e-4)
    back = near @ np.linalg.inv(turn)
    gap = np.linalg.norm(back - (far - shift), axis=1)
    for _ in range(200):
        other = near + 0.05 * rng.normal(size=near.shape)
        other *= longest / np.linalg.norm(other, axis=1, keepdims=True)
        moved = np.linalg.norm(other @ np.linalg.inv(turn) - (far - shift), axis=1)
        assert (moved >= gap - 1e-4).all()
    inside = learned[np.linalg.norm(learned, axis=1) < longest]
    np.testing.assert_array_equal(drawn_in(inside, learned, turn), inside.astype(np.float32))
