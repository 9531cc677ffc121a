"""Last.fm, HetRec 2011: who listened to which artist how often, tags, friends; UTF-8 with faults and Latin-1 mixed.

I. Cantador, P. Brusilovsky, T. Kuflik, "2nd Workshop on Information Heterogeneity and Fusion in Recommender
Systems", RecSys 2011.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.dataset import Dataset
from recnb.data.readers.lines import complete, read_delimited, refuse_where
from recnb.data.readers.tags import LEAK, tag_text

FOUNDED = 1009843200  # 2002-01-01, the year Last.fm began: no tag can be older


def read_lastfm(
    folder: str | Path,
    tags: bool = True,
    tag_users: Collection[str] | None = None,
    tags_until: float | None = None,
    **settings,
) -> Dataset:
    """Listening counts (feedback `count`); artists with the tags that users gave them; users with their friends.

    Parameters
    ----------
    folder : str or Path
        Holds `user_artists.dat` and `artists.dat`; where tags are wanted also `tags.dat` and
        `user_taggedartists-timestamps.dat` (or `user_taggedartists.dat`, dated by day); `user_friends.dat` may be
        missing.
    tags : bool
        Whether the most used tags of an artist become its `text`.
    tag_users, tags_until
        Whose tags, and up to which moment (Unix seconds); see :func:`recnb.data.readers.tags.tag_text`.
    **settings
        Passed to :meth:`Dataset.from_frames`.

    Raises
    ------
    InputError
        A file is missing, cut off, or not of the layout.
    """
    folder = Path(folder)
    rows = _read(folder / "user_artists.dat", ("userID", "artistID", "weight"))
    artists = _read(folder / "artists.dat", ("id", "name")).rename(columns={"id": "item_id"})
    items, unnamed = complete(
        artists.rename(columns={"name": "title"}), rows["artistID"].astype(str)
    )
    notes = [f"{unnamed:,} artists have no name"] if unnamed else []
    if tags:
        text = tag_text(read_lastfm_tags(folder), tag_users, tags_until).to_dict()
        items["text"] = [text.get(item, "") for item in items["item_id"]]
        if tag_users is None and tags_until is None:
            notes.append(LEAK)
    users = None
    if (folder / "user_friends.dat").is_file():
        friends = read_lastfm_friends(folder).groupby("user_id").size()
        users = pd.DataFrame({"user_id": rows["userID"].unique()})
        users["n_friends"] = users["user_id"].map(friends).fillna(0).astype(np.int64)
    return Dataset.from_frames(
        rows.rename(columns={"userID": "user_id", "artistID": "item_id", "weight": "rating"}),
        items,
        users,
        files=(str(folder / "user_artists.dat"), str(folder / "artists.dat"), "users"),
        **{"feedback": "count", "name": "lastfm", **settings},
    ).with_notes(*notes)


def read_lastfm_tags(folder: str | Path) -> pd.DataFrame:
    """Who gave which artist which tag, when: `user_id`, `item_id`, `tag`, `timestamp` (Unix seconds, or null).

    A time before Last.fm began is null. Only days are known, though the file of timestamps has milliseconds.
    """
    folder = Path(folder)
    names = _read(folder / "tags.dat", ("tagID", "tagValue"))
    refuse_where(
        names["tagID"].duplicated(),
        lambda row: f"tag '{names['tagID'].iloc[row]}' stands twice",
        folder / "tags.dat",
        "tagID",
    )
    stamped, dated = (folder / f"user_taggedartists{end}.dat" for end in ("-timestamps", ""))
    ids = ("userID", "artistID", "tagID")
    if stamped.is_file() or not dated.is_file():
        path, rows = stamped, _read(stamped, (*ids, "timestamp"))
        seconds = pd.to_numeric(rows["timestamp"], errors="coerce") / 1000
    else:
        path, rows = dated, _read(dated, (*ids, "day", "month", "year"))
        day = pd.to_datetime(
            rows["year"] + "-" + rows["month"] + "-" + rows["day"],
            format="%Y-%m-%d",
            errors="coerce",
        )
        seconds = (day - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
    refuse_where(~(seconds.abs() < 1e11), "no time", path)
    tag = rows["tagID"].map(names.set_index("tagID")["tagValue"])
    refuse_where(
        tag.isna(), lambda row: f"tag '{rows['tagID'].iloc[row]}' is not in tags.dat", path, "tagID"
    )
    out = pd.DataFrame({"user_id": rows["userID"], "item_id": rows["artistID"], "tag": tag})
    out["timestamp"] = np.floor(seconds).where(seconds >= FOUNDED).astype("Int64")
    return out


def read_lastfm_friends(folder: str | Path) -> pd.DataFrame:
    """Friendships in both directions: `user_id`, `friend_id`."""
    rows = _read(Path(folder) / "user_friends.dat", ("userID", "friendID"))
    return rows.rename(columns={"userID": "user_id", "friendID": "friend_id"})


def _read(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    table = read_delimited(path, "\t", required=required, encoding="by line")
    return table[list(required)]
