"""Models without a person in them: the reference that every other model has to beat."""

from __future__ import annotations

import numpy as np

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.hashing import hash_ids, mix
from recnb.models.common.liked import counts
from recnb.recommender import Reads, Recommender

_DAY = 86_400.0


class Random(Recommender):
    """A random order for each user, the same on every machine and in every order of the catalogue.

    Parameters
    ----------
    seed : int

    Notes
    -----
    The score is a hash of the seed, the user's id and the item's id, between 0 and 1.
    """

    cheap = True
    seeded = True

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def reads(self) -> Reads:
        return Reads()

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        return None  # ids and the seed say it all

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        left, right = hash_ids(self.user_ids_[np.asarray(users)]), hash_ids(self.item_ids_)
        mixed = mix(left[:, None], right[None, :], seed=self.seed)
        # 24 bits are what a float32 holds exactly.
        return (mixed >> np.uint64(40)).astype(np.float32) / np.float32(2**24)

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {}


class Popularity(Recommender):
    """The items that most users like, the same list for everybody.

    Notes
    -----
    The score is the number of users for whom the item is relevant in the training data; a history changes
    nothing.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"user_id": ["a", "b", "b"], "item_id": ["x", "x", "y"]})
    >>> Popularity().fit(Dataset.from_frames(rows)).score(np.array([0]))
    array([[2., 1.]], dtype=float32)
    """

    cheap = True

    def reads(self) -> Reads:
        return Reads("counts")

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        self.popularity_ = counts(train.positives())

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        return np.tile(self.popularity_, (len(users), 1))

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {}


class RecentPopularity(Popularity):
    """The items that most users like of late: a pair loses half its weight in each half-life.

    Parameters
    ----------
    half_life : float
        In days where the data have a clock. With positions only, in rows of the user's history: there is no
        common clock, so age is the number of rows the user added since. Without any order every pair
        weighs the same, and this is plain popularity.

    Notes
    -----
    A pair that occurs several times counts once, at its latest time. Age is counted back from the newest training row.
    """

    cheap = True

    def __init__(self, half_life: float = 30.0) -> None:
        self.half_life = half_life

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        if not self.half_life > 0:
            raise InputError(f"half_life={self.half_life}", mend="a number above 0")
        # Rows stand in time order within a user, so the last one of a pair is its latest.
        rows = train.interactions.drop_duplicates(["user", "item"], keep="last")
        user, item = rows["user"].to_numpy(), rows["item"].to_numpy()
        liked = np.asarray(train.positives()[user, item]).ravel() > 0
        weight = np.exp2(-_age(train, rows) / self.half_life)
        self.popularity_ = np.bincount(
            item[liked], weights=weight[liked], minlength=train.n_items
        ).astype(np.float32)

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {"half_life": ("log", 1.0, 365.0)}


def _age(train: Dataset, rows) -> np.ndarray:
    if train.order is None:
        return np.zeros(len(rows))
    clock = rows[train.order].to_numpy(dtype=float)
    if train.order == "timestamp":
        return (train.interactions["timestamp"].max() - clock) / _DAY
    last = train.interactions.groupby("user")["position"].max()
    return last.loc[rows["user"]].to_numpy(dtype=float) - clock
