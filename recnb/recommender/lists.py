"""Recommendation lists as tables: those of any other library enter here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data import Dataset
from recnb.data.checks.cells import ids, numbers, require
from recnb.data.door import read_table
from recnb.errors import InputError


@dataclass(frozen=True, eq=False)
class Lists:
    """Checked lists: `user_id`, `item_id`, `rank` (1 is best) and, where given, `score`.

    Attributes
    ----------
    table : DataFrame
        Sorted by user and rank; ranks of a user are 1, 2, 3, ...
    file : str
        Named in errors.
    row : ndarray of int, optional
        Where each row of the table stood in the file, from 1.
    """

    table: pd.DataFrame
    file: str = "lists"
    row: np.ndarray | None = None

    @property
    def depth(self) -> int:
        """Length of the longest list."""
        return int(self.table["rank"].max())

    def codes(self, ds: Dataset, users: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The first `k` places for some users: item codes (-1 = empty) and scores (NaN = none).

        Raises
        ------
        InputError
            A listed user or item is foreign to the data set.
        """
        table = self.table
        u = ds.users.index.get_indexer(pd.Index(table["user_id"]))
        i = ds.items.index.get_indexer(pd.Index(table["item_id"]))
        for codes, column in ((u, "user_id"), (i, "item_id")):
            if (codes < 0).any():
                place = np.arange(len(codes)) + 1 if self.row is None else self.row
                foreign = np.flatnonzero(codes < 0)
                row = int(foreign[place[foreign].argmin()])
                raise InputError(
                    f"'{table[column].iloc[row]}' is not in {ds.name} ({len(foreign):,} rows like this)",
                    file=self.file,
                    column=column,
                    row=int(place[row]),
                    mend="use the ids of the data set",
                )
        place = np.full(ds.n_users, -1)
        place[users] = np.arange(len(users))
        rank = table["rank"].to_numpy()
        kept = (place[u] >= 0) & (rank <= k)
        items = np.full((len(users), k), -1, np.int64)
        scores = np.full((len(users), k), np.nan, np.float32)
        items[place[u[kept]], rank[kept] - 1] = i[kept]
        if "score" in table:
            scores[place[u[kept]], rank[kept] - 1] = table["score"].to_numpy()[kept]
        return items, scores


def read_lists(source: str | Path | pd.DataFrame) -> Lists:
    """Read lists from a parquet or csv file, or check a frame.

    Parameters
    ----------
    source : path or DataFrame with `user_id`, `item_id` and `rank` or `score`
        Ranks order a user's items (whole numbers, the lowest is best; gaps are closed, the first may be 0). Without
        ranks, scores order them, high first, and equal scores raise: their order would be an accident. Where both are
        given they must agree.

    Raises
    ------
    InputError
        A column is missing, an item stands twice in a list, two items share a place, a rank is negative or no whole
        number, or a lower place has a higher score.

    Examples
    --------
    >>> frame = pd.DataFrame({"user_id": ["a", "a"], "item_id": [7, 9], "score": [0.1, 0.8]})
    >>> read_lists(frame).table["item_id"].tolist()
    ['9', '7']
    """
    file = "lists" if isinstance(source, pd.DataFrame) else str(source)
    frame = source if isinstance(source, pd.DataFrame) else read_table(source)
    require(frame, ("user_id", "item_id"), file)
    out = pd.DataFrame({c: ids(frame[c], file, c) for c in ("user_id", "item_id")})
    for column in ("model", "seed", "candidates"):  # what recnb evaluate writes
        several = list(frame[column].dropna().unique()) if column in frame else []
        if len(several) > 1:
            raise InputError(
                f"lists of several: {', '.join(map(str, several[:4]))}",
                file=file,
                column=column,
                mend="keep the rows of one",
            )
    by = next((c for c in ("rank", "score") if c in frame), None)
    if by is None:
        raise InputError("neither 'rank' nor 'score' is here", file=file, mend="add one")
    for column in ("rank", "score"):
        if column in frame:
            values = numbers(frame[column], file, column)
            if values is not None and column == by and np.isnan(values).any():
                row = int(np.flatnonzero(np.isnan(values))[0])
                raise InputError("empty", file=file, column=column, row=row + 1, mend="fill it in")
            if values is not None:
                out[column] = values
    if "rank" in out:
        bad = ~((out["rank"] >= 0) & (out["rank"] % 1 == 0)).to_numpy()
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"rank {out['rank'].iloc[row]:g}",
                file=file,
                column="rank",
                row=row + 1,
                mend="number the places of a list 1, 2, 3, …",
            )
    if by not in out:
        raise InputError("the column is empty", file=file, column=by, mend="fill it in")
    for columns, problem, mend in (
        (["user_id", "item_id"], "stands twice in the list of", "list an item once"),
        (["user_id", by], f"shares its {by} with another item of", "give every place to one item"),
    ):
        twice = out.duplicated(columns).to_numpy()
        if twice.any():
            row = int(np.flatnonzero(twice)[0])
            raise InputError(
                f"item '{out['item_id'].iloc[row]}' {problem} user '{out['user_id'].iloc[row]}'",
                file=file,
                column=columns[-1],
                row=row + 1,
                mend=mend,
            )
    key = out["rank"] if by == "rank" else -out["score"]
    out = out.assign(key=key).sort_values(["user_id", "key"], kind="stable")
    place = out.index.to_numpy() + 1
    out = out.drop(columns="key").reset_index(drop=True)
    out["rank"] = out.groupby("user_id", sort=False).cumcount() + 1
    _agree(out, file, place)
    return Lists(out, file, place)


def _agree(lists: pd.DataFrame, file: str, place: np.ndarray) -> None:
    """Raise where an item stands above one of a higher score."""
    if "score" not in lists:
        return
    scored = lists[lists["score"].notna()]
    above = scored.groupby("user_id", sort=False)["score"].shift()
    wrong = (scored["score"] > above).to_numpy()
    if wrong.any():
        row = int(scored.index[np.flatnonzero(wrong)[0]])
        raise InputError(
            f"the score of '{lists['item_id'].iloc[row]}' is higher than that of the item above it, for user "
            f"'{lists['user_id'].iloc[row]}'",
            file=file,
            column="score",
            row=int(place[row]),
            mend="leave out the column that is wrong: rank or score",
        )
