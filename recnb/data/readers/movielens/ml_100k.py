"""MovieLens 100K (GroupLens, 1998): `u.data`, `u.item`, `u.user`, in Latin-1.

F. M. Harper, J. A. Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from recnb.data.dataset import Dataset
from recnb.data.readers.lines import read_delimited, refuse_where, whole
from recnb.data.readers.movielens.titles import NO_GENRE, titles

GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)


def read_movielens_100k(folder: str | Path, **settings) -> Dataset:
    """Ratings from 1 to 5 with their second; movies with year and genres; users with age, gender, occupation.

    Parameters
    ----------
    folder : str or Path
        Holds `u.data` and `u.item`; `u.user` may be missing.
    **settings
        Passed to :meth:`Dataset.from_frames`.

    Raises
    ------
    InputError
        A file is missing, cut off, or not of the layout.
    """
    folder = Path(folder)
    rows = read_delimited(folder / "u.data", "\t", ("user_id", "item_id", "rating", "timestamp"))
    users = None
    if (folder / "u.user").is_file():
        names = ("user_id", "age", "gender", "occupation", "zip_code")
        users = read_delimited(folder / "u.user", "|", names, encoding="latin-1")
        users["age"] = whole(users["age"])
    return Dataset.from_frames(
        rows,
        _movies(folder / "u.item"),
        users,
        files=(str(folder / "u.data"), str(folder / "u.item"), str(folder / "u.user")),
        **{"feedback": "explicit", "scale": (1, 5), "name": "ml-100k", **settings},
    )


def _movies(path: Path) -> pd.DataFrame:
    names = ("item_id", "title", "release_date", "video_release_date", "url", *GENRES)
    table = read_delimited(path, "|", names, encoding="latin-1")
    flags = table[list(GENRES)]
    for genre in GENRES:
        wrong = ~flags[genre].isin(["0", "1"]).to_numpy()
        first = flags[genre].iloc[int(wrong.argmax())]
        refuse_where(wrong, f"'{first}' is no genre flag", path, genre)
    shown = [genre for genre in GENRES if genre not in NO_GENRE]
    marked = (flags[shown] == "1").to_numpy()
    return pd.DataFrame(
        {
            "item_id": table["item_id"],
            **titles(table["title"]),
            "genres": [", ".join(g for g, on in zip(shown, row) if on) for row in marked],
            "release_date": table["release_date"],
        }
    )
