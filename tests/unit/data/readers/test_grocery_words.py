"""The till's abbreviations in words, and the items table made of them."""

from __future__ import annotations

import pandas as pd
import pytest

from recnb.data.readers import grocery
from recnb.data.readers import grocery_words as till


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        ("FRZN NOVELTIES/WTR ICE", "frozen novelties/water ice"),
        ("PNT BTR/JELLY/JAMS", "peanut butter/jelly/jams"),
        ("CIG LIGHTERS/LTR FLUID/PIPES", "cigarette lighters/lighter fluid/pipes"),
        ("APPLES GOLD DELICIOUS (BULK&BA", "apples gold delicious"),
        ("GRAPE JUICE (OVER 50% JUICE)", "grape juice (over 50% juice)"),
        ("SANDWICHES&HANDHELDS", "sandwiches & handhelds"),
        ("PREPARED BEANS - BAKED W/PORK", "prepared beans - baked with pork"),
        ("HAM- NET WEIGHT", "ham - net weight"),
        ("SFT DRNK MLT-PK BTL CARB (EXCP", "soft drink multi-pack bottle carbonated"),
        ("GARBAGE KITCHEN COMPACTOR BA", "garbage kitchen compactor bags"),
        # BTR is butter beside PNT and batter here: what is not certain stays as printed.
        ("SEAFOOD-MISC-BREADERS/BTR MIX", "seafood-miscellaneous-breaders/btr mix"),
        ("TOMATOES: STEWED/DICED/CRMD", "tomatoes: stewed/diced/crmd"),
        ("", ""),
    ],
)
def test_abbreviations_are_spelled_out(printed, words):
    assert till.spell(printed) == words


def test_a_short_name_is_not_completed_as_if_it_were_cut():
    assert till.spell("LEMON SA") == "lemon sa"


@pytest.mark.parametrize(
    ("category", "kind", "name"),
    [
        ("PASTA SAUCE", "MAINSTREAM", "Pasta sauce: mainstream"),
        ("FRZN POTATOES", "FRZN FRENCH FRIES", "Frozen potatoes: French fries"),
        ("COFFEE FILTERS", "COFFEE FILTERS", "Coffee filters"),
        ("PNT BTR/JELLY/JAMS", "JELLY", "Jelly"),
        # One of several: "sauces or gravy" must not swallow the gravy.
        ("DRY SAUCES/GRAVY", "GRAVY CAN/GLASS", "Dry sauces/gravy: gravy can/glass"),
        ("BREAKFAST SWEETS", "SW GDS:DONUTS", "Breakfast sweets: donuts"),
        ("", "INSTORE CUT VEGETABLES", "Instore cut vegetables"),
        ("", "", "Unnamed product"),
    ],
)
def test_category_and_type_make_one_name(category, kind, name):
    assert till.product_name(category, kind) == name


def test_items_keep_the_printed_type_beside_the_readable_title():
    products = pd.DataFrame(
        {
            "product_id": [1, 2],
            "manufacturer_id": [69, 2],
            "department": ["GROCERY", "DRUG GM"],
            "brand": ["Private", "National"],
            "product_category": ["PASTA SAUCE", None],
            "product_type": ["MAINSTREAM", None],
            "package_size": ["26 OZ", None],
        }
    )
    items = grocery._items(products)
    assert list(items["title"]) == ["Pasta sauce: mainstream, 26 oz", "Unnamed product"]
    assert list(items["text"]) == [
        "Pasta sauce. Grocery department. A private brand.",
        "Drugs and general merchandise department. A national brand.",
    ]
    assert list(items["type"]) == ["PASTA SAUCE > MAINSTREAM", ""]
    assert list(items["manufacturer"]) == ["69", "2"]
