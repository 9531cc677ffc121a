"""Words that users attached to items, as a text per item: of all users, or only of those who may be read."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

LEAK = (
    "the tag texts were written by the users themselves: in a test by time or of new users, read with "
    "tag_users or tags_until, else they tell of the test"
)


def tag_text(
    assignments: pd.DataFrame,
    users: Collection[str] | None = None,
    until: float | None = None,
    top: int = 15,
) -> pd.Series:
    """The most used tags of each item, most used first.

    Parameters
    ----------
    assignments : DataFrame with `user_id`, `item_id`, `tag` and, where `until` is given, `timestamp`
    users : collection of str, optional
        Only what these users wrote counts.
    until : float, optional
        Only what was written before this moment counts, in Unix seconds; an undated tag does not.
    top : int
        How many tags an item keeps. Ties go by the alphabet.

    Returns
    -------
    Series of str, indexed by item id
        Items without a tag are left out.

    Examples
    --------
    >>> rows = pd.DataFrame({"user_id": ["a", "b", "b"], "item_id": ["x"] * 3, "tag": ["pop", "pop", "loud"]})
    >>> tag_text(rows).to_dict(), tag_text(rows, users={"a"}).to_dict()
    ({'x': 'pop, loud'}, {'x': 'pop'})
    """
    if users is not None:
        assignments = assignments[assignments["user_id"].isin([str(u) for u in users])]
    if until is not None:
        assignments = assignments[(assignments["timestamp"] < until).fillna(False)]
    counts = assignments.groupby(["item_id", "tag"], sort=True).size().rename("n").reset_index()
    counts = counts.sort_values(["item_id", "n", "tag"], ascending=[True, False, True])
    kept = counts.groupby("item_id").head(top)
    return kept.groupby("item_id")["tag"].agg(", ".join)
