"""`Dataset`: interactions, items and users, checked at the door, ids as strings outside and codes inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data import media
from recnb.data.checks import cells, tables
from recnb.data.folder import read_file, read_folder, write_folder
from recnb.data.matrices import Matrices
from recnb.data.media import Media, store
from recnb.data.order import event_order
from recnb.data.subsets import Subsets
from recnb.errors import InputError
from recnb.hashing import hash_ids

FEEDBACK, DUPLICATES = tables.FEEDBACK, tables.DUPLICATES


@dataclass(frozen=True, eq=False)
class Dataset(Matrices, Subsets):
    """Three tables over one set of users and items.

    Make one with :func:`recnb.load`, :meth:`from_frames` or :meth:`from_folder`; the constructor itself
    checks nothing.

    Attributes
    ----------
    interactions : DataFrame
        `user`, `item` (int32 codes) and, where given, `rating` (NaN = none given), `timestamp` (Unix
        seconds), `position`, `session`, `event`, `quantity`, `split`. Sorted by user, then time or position, then
        item; :attr:`in_time` is the order of a user's events.
    items, users : DataFrame
        Indexed by string id; the row number is the code. Every id of the interactions stands here once.
    feedback : {"explicit", "implicit", "count"}
    scale : tuple of float or None
        Lowest and highest rating, for explicit feedback.
    name : str
    relevant_from : float or None
        The rating from which an item counts as relevant; None means four fifths of the way up the scale.
    notes : tuple of str
        What was guessed or decided at the door, in words.
    media : mapping of str to Media
        Pictures ("image"), sounds ("audio") and vectors (any other name) of items.
    tie_seed : int
        Of the hash that orders events of one time: the parts of a split carry that of the split.
    """

    interactions: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    feedback: str = "implicit"
    scale: tuple[float, float] | None = None
    name: str = "data"
    relevant_from: float | None = None
    notes: tuple[str, ...] = field(default=())
    media: Mapping[str, Media] = field(default_factory=dict)
    tie_seed: int = 0

    # ---------------------------------------------------------------- making one

    @classmethod
    def from_frames(
        cls,
        interactions: pd.DataFrame,
        items: pd.DataFrame | None = None,
        users: pd.DataFrame | None = None,
        *,
        feedback: str | None = None,
        scale: tuple[float, float] | None = None,
        name: str = "data",
        duplicates: str = "error",
        relevant_from: float | None = None,
        files: tuple[str, str, str] = ("interactions", "items", "users"),
    ) -> Dataset:
        """Check frames and build a data set.

        Parameters
        ----------
        interactions : DataFrame with `user_id`, `item_id` and what there is of `rating`, `timestamp`,
            `position`, `session`, `event`, `quantity`, `split`
        items : DataFrame with `item_id`, any of `title`, `text` and other columns, optional
        users : DataFrame with `user_id` and other columns, optional
        feedback : {"explicit", "implicit", "count"}, optional
            Guessed from the ratings where not given; the guess stands in `notes`.
        scale : (low, high), optional
            Guessed likewise.
        duplicates : {"error", "keep", "drop"}
            What to do with rows that are alike in every column.
        relevant_from : float, optional
        files : tuple of str
            The names used in error messages.

        Raises
        ------
        InputError
            A column is missing, a value has no meaning, an id is unknown, a row stands twice.

        Examples
        --------
        >>> rows = pd.DataFrame({"user_id": ["a", "a", "b"], "item_id": [1, 2, 2], "rating": [5, 3, 4]})
        >>> ds = Dataset.from_frames(rows, feedback="explicit", scale=(1, 5))
        >>> ds.matrix().toarray()
        array([[5., 3.],
               [0., 4.]], dtype=float32)
        >>> ds.positives().toarray()
        array([[1., 0.],
               [0., 1.]], dtype=float32)
        """
        file, item_file, user_file = files
        tables.choose(duplicates, "duplicates", DUPLICATES)
        tables.choose(feedback or "explicit", "feedback", FEEDBACK)
        if scale is not None:
            scale = tables.pair(scale, file)
        rows = cells.check_interactions(interactions, file)
        item_table = tables.entities(items, rows["item_id"], "item_id", item_file, file)
        user_table = tables.entities(users, rows["user_id"], "user_id", user_file, file)
        feedback, scale, notes = tables.guess(rows, feedback, scale, file)
        rows.insert(
            0, "user", user_table.index.get_indexer(pd.Index(rows["user_id"])).astype(np.int32)
        )
        rows.insert(
            1, "item", item_table.index.get_indexer(pd.Index(rows["item_id"])).astype(np.int32)
        )
        rows, repeated = tables.duplicates(rows, duplicates, feedback, file)
        rows = rows.drop(columns=["user_id", "item_id"])
        notes += repeated
        if feedback == "implicit":
            rows = rows.drop(columns="rating", errors="ignore")
        by = [
            "user",
            *(c for c in tables.ORDER if c in rows),
            "item",
            *(c for c in ("rating", "session", "event", "quantity", "split") if c in rows),
        ]
        rows = rows.sort_values(by, kind="stable", ignore_index=True)
        return cls(rows, item_table, user_table, feedback, scale, name, relevant_from, notes)

    @classmethod
    def from_folder(cls, folder: str | Path, **settings) -> Dataset:
        """Read a folder of `interactions`, `items` (optional), `users` (optional), parquet or text.

        A `dataset.json` beside them may declare `feedback`, `scale`, `name` and `relevant_from`; arguments
        win over it. ``settings`` go to :class:`recnb.data.door.Reading` and :meth:`from_frames`. Folders `images` and
        `audio` and the vectors in `features` become `media`: see :mod:`recnb.data.media`.
        """
        arrived = read_folder(folder, settings)
        ds = cls.from_frames(*arrived.frames, files=arrived.files, **arrived.settings)
        ds = replace(ds, notes=(*arrived.notes, *ds.notes))
        return ds.with_media(**store.find(Path(folder), ds.item_ids))

    @classmethod
    def from_file(cls, path: str | Path, items: str | Path | None = None, **settings) -> Dataset:
        """Read one file of interactions as people have them, and one of items beside it.

        Parameters
        ----------
        path : path
            csv, tsv, other separators, JSON lines, parquet; plain, gz, or a zip with one table. Columns are known by
            their usual names or, without a header, by what they hold; every guess stands in `notes`.
        items : path, optional
        **settings
            The fields of :class:`recnb.data.door.Reading` (`columns`, `item_columns`, `encoding`, `unrated`, `dates`,
            `bad_rows`, `matrix`), and what :meth:`from_frames` takes.

        Raises
        ------
        InputError
            The file cannot be read. :class:`recnb.data.door.Undecided`: it can be read in several ways that lead to
            other numbers; the message holds the command that settles it.
        """
        arrived = read_file(path, items, settings)
        ds = cls.from_frames(*arrived.frames, files=arrived.files, **arrived.settings)
        return replace(ds, notes=(*arrived.notes, *ds.notes))

    def save(self, folder: str | Path) -> None:
        """Write the folder that :meth:`from_folder` reads: parquet tables, `dataset.json` and the media.

        Rows that stand more than once were accepted when this was made, so the folder accepts them too.
        A folder with media in it is refused: they may be the files that these come from.
        """
        folder = Path(folder)
        if store.holds_media(folder):
            raise InputError(
                "pictures, sounds or vectors are here already",
                file=str(folder),
                mend="name a new folder",
            )
        folder.mkdir(parents=True, exist_ok=True)
        rows = self.interactions.drop(columns=["user", "item"])
        rows.insert(0, "user_id", self.user_ids[self.interactions["user"]])
        rows.insert(1, "item_id", self.item_ids[self.interactions["item"]])
        if "rating" in rows:
            rows["rating"] = rows["rating"].astype("Float64")
        once = [c for c in ("user_id", "item_id", *tables.ORDER) if c in rows]
        declared = {
            "name": self.name,
            "feedback": self.feedback,
            "scale": list(self.scale) if self.scale else None,
            "relevant_from": self.relevant_from,
            "duplicates": "keep" if rows.duplicated(once).any() else None,
        }
        write_folder(folder, rows, self.items, self.users, declared)
        store.write(folder, self.media, self.item_ids)

    # ---------------------------------------------------------------- looking at it

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, {self.feedback}, {self.n_users:,} users, {self.n_items:,} items, "
            f"{len(self.interactions):,} interactions"
            + "".join(
                f", {media.known(each, self.item_ids).sum():,} with {name}"
                for name, each in self.media.items()
            )
            + ")"
        )

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @cached_property
    def user_ids(self) -> np.ndarray:
        """ndarray of shape (n_users,), str objects; the position is the code."""
        return self.users.index.to_numpy(dtype=object)

    @cached_property
    def item_ids(self) -> np.ndarray:
        """ndarray of shape (n_items,), str objects; the position is the code."""
        return self.items.index.to_numpy(dtype=object)

    @property
    def order(self) -> str | None:
        """The column that orders a user's rows: "timestamp", else "position", else None."""
        return next((c for c in tables.ORDER if c in self.interactions), None)

    @cached_property
    def in_time(self) -> np.ndarray:
        """Row numbers of the interactions, user by user and the oldest first, (n_interactions,), int64.

        The canonical order of events, see :func:`recnb.data.order.event_order`.
        """
        return event_order(self)

    @cached_property
    def id_hashes(self) -> tuple[np.ndarray, np.ndarray]:
        """Hashes of the user and of the item ids by code, uint64; all parts of a split share them."""
        return hash_ids(self.user_ids), hash_ids(self.item_ids)

    @property
    def threshold(self) -> float | None:
        """The rating from which a pair is relevant; None where every pair is.

        Explicit feedback: `relevant_from`, or four fifths of the highest rating (4 on 1-5, 8 on 1-10).
        """
        if self.feedback != "explicit":
            return self.relevant_from
        return (
            self.relevant_from if self.relevant_from is not None else default_threshold(self.scale)
        )

    @cached_property
    def identity(self) -> str:
        """Identity of the users, the items and their texts, whatever the rows: sha256, 16 hex digits.

        All parts of a split share it; it tells data sets apart.
        """
        h = sha256(f"{self.feedback}|{self.scale}".encode())
        for table in (self.users, self.items):
            h.update("\x00".join(table.index).encode())
            for column in sorted(map(str, table.columns)):
                h.update(f"\x01{column}\x01".encode())
                h.update("\x00".join(map(_plain, table[column])).encode())
        return h.hexdigest()[:16]

    @cached_property
    def digest(self) -> str:
        """Identity of ids, rows, texts and, where there are any, media: sha256, 16 hex digits.

        The order of the interactions does not matter; that of the items and users does, since it sets the codes.
        csv and parquet of the same text and numbers agree; a column of times or lists, which csv can hold only
        as text, may not.
        """
        h = sha256(self.identity.encode())
        for column in sorted(self.interactions.columns):
            values = self.interactions[column].to_numpy()
            h.update(f"\x02{column}\x02".encode())
            if values.dtype.kind in "iuf":
                h.update(values.astype("<f8").tobytes())
            else:
                h.update("\x00".join(map(str, values)).encode())
        for name, each in sorted(self.media.items()):
            rows = each.rows(self.item_ids)
            if (rows >= 0).any():  # what other items have does not matter
                h.update(f"\x03{name}\x03{each.kind}\x03".encode())
                for row in rows:
                    h.update(each.digests[row] if row >= 0 else b"none")
        return h.hexdigest()[:16]

    def describe(self) -> pd.Series:
        """Counts, density, inequality, ties and text coverage: see :func:`recnb.data.describe.describe`."""
        from recnb.data.describe import describe

        return describe(self)


def default_threshold(scale: tuple[float, float] | None) -> float | None:
    """Four fifths of the highest rating: 4 on 1-5 and 0.5-5, 8 on 1-10, 0.8 on 0-1.

    Below zero, where a fifth of the highest rating means nothing, four fifths of the way up.

    Examples
    --------
    >>> default_threshold((1, 5)), default_threshold((1, 10)), default_threshold((0, 1))
    (4.0, 8.0, 0.8)
    """
    if scale is None:
        return None
    limit = 0.8 * scale[1] if scale[1] > 0 else scale[0] + 0.8 * (scale[1] - scale[0])
    return float(np.round(limit, 6))


def _plain(value: object) -> str:
    if isinstance(value, (list, tuple, np.ndarray)):
        return "|".join(map(str, value))
    return "" if value is None or value is pd.NA or value != value else str(value)
