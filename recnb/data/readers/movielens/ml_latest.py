"""MovieLens 20M, 25M, 32M and latest (GroupLens): `ratings.csv`, `movies.csv`, and optionally `tags.csv`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from recnb.data.checks.cells import times as seconds
from recnb.data.dataset import Dataset
from recnb.data.door import read_table
from recnb.data.readers.lines import selected
from recnb.data.readers.movielens.titles import genres, titles
from recnb.data.readers.tags import LEAK, tag_text

_NAMES = {"userId": "user_id", "movieId": "item_id"}


def read_movielens_latest(
    folder: str | Path,
    tags: bool = False,
    tag_users: Collection[str] | None = None,
    tags_until: float | None = None,
    **settings,
) -> Dataset:
    """Ratings from 0.5 to 5 with their second; movies with year and genres.

    Parameters
    ----------
    folder : str or Path
        Holds `ratings.csv` and `movies.csv`; `tags.csv` only where tags are asked for.
    tags : bool
        Whether the most used tags of a movie become its `text`.
    tag_users, tags_until
        Whose tags, and up to which moment (Unix seconds); see :func:`recnb.data.readers.tags.tag_text`. Either one
        means `tags`.
    **settings
        Passed to :meth:`Dataset.from_frames`.

    Raises
    ------
    InputError
        A file is missing, cut off, or not of the layout.
    """
    folder = Path(folder)
    rows = _read(folder / "ratings.csv", ("userId", "movieId", "rating", "timestamp"))
    movies = _read(folder / "movies.csv", ("movieId", "title", "genres"))
    items = pd.DataFrame(
        {
            "item_id": movies["item_id"],
            **titles(movies["title"].fillna("")),
            "genres": genres(movies["genres"].fillna("")),
        }
    )
    asked = tags or tag_users is not None or tags_until is not None
    if asked:
        text = tag_text(read_movielens_tags(folder), tag_users, tags_until).to_dict()
        items["text"] = [text.get(item, "") for item in items["item_id"]]
    note = LEAK if asked and tag_users is None and tags_until is None else ""
    return Dataset.from_frames(
        rows,
        items,
        files=(str(folder / "ratings.csv"), str(folder / "movies.csv"), "users"),
        **{"feedback": "explicit", "scale": (0.5, 5), "name": "ml-latest", **settings},
    ).with_notes(note)


def read_movielens_tags(folder: str | Path) -> pd.DataFrame:
    """Who attached which tag to which movie, when: `user_id`, `item_id`, `tag`, `timestamp` (Unix seconds)."""
    path = Path(folder) / "tags.csv"
    table = _read(path, ("userId", "movieId", "tag", "timestamp"))
    table = table.assign(timestamp=seconds(table["timestamp"], str(path)))
    return table[table["tag"].notna()].reset_index(drop=True)


def _read(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    return selected(read_table(path), required, path).rename(columns=_NAMES)
