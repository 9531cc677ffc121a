"""One user's rows in time, a line per moment: what was taken together, and on which side of a cut it fell."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recnb.data import Split
from recnb.errors import InputError

PARTS = np.array(["train", "validation", "test", "given", "given"])


def baskets(split: Split, user: str, first: int = 0, n: int = 8, longest: int = 4) -> pd.DataFrame:
    """A user's moments in order, with the items of each and the parts they fell into.

    Parameters
    ----------
    split : Split
    user : str
        An id.
    first, n : int
        Show `n` moments from `first` on; a negative `first` counts back from the user's first test row, so that
        ``first=-4, n=8`` shows the two sides of a cut in time.
    longest : int
        Name so many items of a moment and count the others.

    Returns
    -------
    DataFrame indexed by `when`, with `items` and `part`
        A moment whose rows fell into several parts names them all.

    Raises
    ------
    InputError
        The data have no order, or no such user.

    Examples
    --------
    >>> from recnb.data import Dataset, splits
    >>> rows = pd.DataFrame({"user_id": list("aaa"), "item_id": list("xyz"), "timestamp": [0, 0, 86400]})
    >>> baskets(splits.leave_one_out(Dataset.from_frames(rows)), "a")["part"].tolist()
    ['train and validation', 'test']
    """
    ds = split.dataset
    if ds.order is None:
        raise InputError("the data have no order, so there are no moments to show")
    if user not in ds.users.index:
        raise InputError(f"there is no user '{user}'", mend="take one of ds.users.index")
    of_user = (ds.interactions["user"] == ds.users.index.get_loc(user)).to_numpy()
    rows = ds.interactions[of_user].assign(part=PARTS[split.part[of_user]])
    titles = ds.items["title"].to_numpy() if "title" in ds.items else ds.item_ids
    rows["title"] = [str(title) for title in titles[rows["item"]]]
    moments = rows.groupby(ds.order, sort=True).agg(
        items=("title", lambda names: _named(list(dict.fromkeys(names)), longest)),
        part=("part", lambda parts: " and ".join(dict.fromkeys(parts))),
    )
    if first < 0:
        tested = np.flatnonzero(moments["part"].str.contains("test"))
        first = max(0, (tested[0] if len(tested) else len(moments)) + first)
    moments = moments.iloc[first : first + n]
    if ds.order == "timestamp":
        moments.index = pd.to_datetime(moments.index, unit="s").strftime("%d %b %Y")
    return moments.rename_axis("when")


def middle_user(split: Split) -> str:
    """The user of middling activity among those who have both known and test rows: nobody special.

    Examples
    --------
    >>> from recnb.data import Dataset, splits
    >>> rows = pd.DataFrame({"user_id": list("aaab"), "item_id": list("xyzx"), "timestamp": [0, 1, 2, 3]})
    >>> middle_user(splits.leave_one_out(Dataset.from_frames(rows)))
    'a'
    """
    known, test = (
        np.bincount(part.interactions["user"], minlength=split.dataset.n_users)
        for part in (split.known, split.test)
    )
    both = np.flatnonzero((known > 0) & (test > 0))
    if not len(both):
        raise InputError("no user has both known and test rows")
    ordered = both[np.argsort((known + test)[both], kind="stable")]
    return str(split.dataset.user_ids[ordered[len(ordered) // 2]])


def _named(titles: list[str], longest: int) -> str:
    rest = len(titles) - longest
    return "; ".join(titles[:longest]) + (f"; and {rest} more" if rest > 0 else "")
