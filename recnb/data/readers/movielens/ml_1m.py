"""MovieLens 1M and 10M (GroupLens): `ratings.dat`, `movies.dat`, `users.dat`, cells between double colons.

The 1M release is in Latin-1 and has users; the 10M release is in UTF-8, has half stars and no users.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from recnb.data.dataset import Dataset
from recnb.data.readers.lines import read_delimited
from recnb.data.readers.movielens.titles import genres, titles

# From the README of the release.
AGES = {
    "1": "under 18",
    "18": "18-24",
    "25": "25-34",
    "35": "35-44",
    "45": "45-49",
    "50": "50-55",
    "56": "56 and over",
}
OCCUPATIONS = (
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
)


def read_movielens_1m(folder: str | Path, **settings) -> Dataset:
    """Ratings with their second; movies with year and genres; users with age group, gender and occupation.

    Parameters
    ----------
    folder : str or Path
        Holds `ratings.dat` and `movies.dat`; `users.dat` may be missing.
    **settings
        Passed to :meth:`Dataset.from_frames`.

    Raises
    ------
    InputError
        A file is missing, cut off, or not of the layout.
    """
    folder = Path(folder)
    rows = read_delimited(
        folder / "ratings.dat", "::", ("user_id", "item_id", "rating", "timestamp")
    )
    movies = read_delimited(folder / "movies.dat", "::", ("item_id", "title", "genres"))
    items = pd.DataFrame(
        {
            "item_id": movies["item_id"],
            **titles(movies["title"]),
            "genres": genres(movies["genres"]),
        }
    )
    halves = rows["rating"].str.contains(".5", regex=False).any()
    users = _users(folder / "users.dat") if (folder / "users.dat").is_file() else None
    return Dataset.from_frames(
        rows,
        items,
        users,
        files=tuple(str(folder / f"{part}.dat") for part in ("ratings", "movies", "users")),  # type: ignore[arg-type]
        **{
            "feedback": "explicit",
            "scale": (0.5, 5) if halves else (1, 5),
            "name": "ml-10m" if halves else "ml-1m",
            **settings,
        },
    )


def _users(path: Path) -> pd.DataFrame:
    table = read_delimited(path, "::", ("user_id", "gender", "age", "occupation", "zip_code"))
    jobs = {str(code): job for code, job in enumerate(OCCUPATIONS)}
    return table.assign(
        age=table["age"].map(lambda code: AGES.get(code, code)),
        occupation=table["occupation"].map(lambda code: jobs.get(code, code)),
    )
