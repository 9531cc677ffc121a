"""Which published layout a folder has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from recnb.data.dataset import Dataset
from recnb.errors import InputError


@dataclass(frozen=True)
class Layout:
    """A published layout that was found.

    Attributes
    ----------
    title : str
    folder : Path
        Where its files lie: the folder asked about, or the only one inside it.
    home, function : str
        The module of the reader and its name there.
    """

    title: str
    folder: Path
    home: str
    function: str

    def read(self, **settings) -> Dataset:
        """Read it; `settings` go to the reader and on to :meth:`Dataset.from_frames`.

        Raises
        ------
        InputError
            Besides what the reader raises: the layout is a log of impressions, which is no set of interactions.
        """
        if self.home == "open_bandit":
            raise InputError(
                f"{self.title} is a log of impressions without users, no set of interactions",
                file=str(self.folder),
                mend="read it with recnb.data.readers.open_bandit.read_open_bandit",
            )
        reader: Callable[..., Dataset] = getattr(
            import_module(f"recnb.data.readers.{self.home}"), self.function
        )
        return reader(self.folder, **settings).with_notes(f"read as {self.title}")


# A file that only this layout has, then its title, module and reader.
_BY_FILE = (
    ("u.data", "MovieLens 100K", "movielens.ml_100k", "read_movielens_100k"),
    ("ratings.dat", "MovieLens 1M", "movielens.ml_1m", "read_movielens_1m"),
    ("user_artists.dat", "Last.fm (HetRec 2011)", "lastfm", "read_lastfm"),
    ("BX-Book-Ratings.csv", "Book-Crossing", "book_crossing", "read_book_crossing"),
    ("train.ascii", "Coat", "coat", "read_coat"),
    ("behaviors.tsv", "MIND", "mind", "read_mind"),
)


def detect(folder: str | Path) -> Layout | None:
    """The published layout of a folder, or None where it has none that is known.

    A folder that holds nothing but one folder is looked into: archives are often packed that way.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return None
    found = _layout(folder)
    if found is None:
        inside = [p for p in folder.iterdir() if not p.name.startswith((".", "__"))]
        places = [p for p in inside if p.is_dir()]
        if len(places) == 1 and not any(p.suffix in {".csv", ".parquet"} for p in inside):
            found = _layout(places[0])
    return found


def _layout(folder: Path) -> Layout | None:
    for name, title, home, function in _BY_FILE:
        if (folder / name).is_file():
            return Layout(title, folder, home, function)
    if (folder / "ratings.csv").is_file() and (folder / "movies.csv").is_file():
        return Layout("MovieLens (latest)", folder, "movielens.ml_latest", "read_movielens_latest")
    if any(folder.glob("*/behaviors.tsv")):
        return Layout("MIND", folder, "mind", "read_mind")
    from recnb.data.readers.amazon_2023 import is_amazon_2023, review_files
    from recnb.data.readers.open_bandit import campaigns

    if campaigns(folder):
        return Layout("Open Bandit", folder, "open_bandit", "read_open_bandit")
    if any(is_amazon_2023(path) for path in review_files(folder).values()):
        return Layout("Amazon Reviews 2023", folder, "amazon_2023", "read_amazon_2023")
    return None
