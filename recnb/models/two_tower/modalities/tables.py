"""What an item is made of beside its text: pictures, sounds, vectors, attributes and further texts, as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb.data import Dataset, Text
from recnb.data.media import FOLDERS, Media, from_vectors
from recnb.errors import InputError
from recnb.models.common.item_tables import (
    attribute_columns,
    attribute_names,
    one_hot,
    singular_vectors,
)

OWN = ("text", "id", "attributes")  # names with a meaning of their own
_ATTRIBUTES = 64  # dimensions kept of them


def chosen(asked: str | None, ds: Dataset) -> tuple[str, ...]:
    """The modalities that are meant.

    Parameters
    ----------
    asked : str or None
        Names joined by "+": "text", "id", "attributes", what the data has in `media`, or a column of its items, which
        is read as a text; "auto" takes all media, and the text where there is one. None: none, a text alone.
    ds : Dataset

    Returns
    -------
    tuple of str

    Raises
    ------
    InputError
        A name is unknown or stands twice, or "auto" finds no media.

    Examples
    --------
    >>> from recnb.world import generate
    >>> world = generate("video", 30, 30)
    >>> ds = Dataset.from_frames(world.interactions, world.items, duplicates="keep")
    >>> chosen("title+attributes", ds)
    ('title', 'attributes')
    """
    if asked is None:
        return ()
    if not isinstance(asked, str):
        raise InputError(f"modalities={asked!r}", mend="write them as text: text+image")
    if asked == "auto":
        if not ds.media:
            raise InputError(
                f"'{ds.name}' has neither pictures nor sounds nor vectors of items to fuse",
                mend="put them in images/, audio/ or features/ beside the tables, or name modalities: title+attributes",
            )
        try:
            Text().chosen(ds.items)
        except InputError:  # nothing to read
            return tuple(ds.media)
        return ("text", *ds.media)
    names = tuple(part.strip() for part in asked.split("+"))
    known = [*OWN, *ds.media, *(c for c in map(str, ds.items) if c not in OWN)]
    for name in names:
        if name in FOLDERS and name not in known:
            raise InputError(
                f"'{ds.name}' has no {name} of items",
                mend=f"put the files into {FOLDERS[name]}/ beside the tables",
            )
        if name not in known:
            raise InputError(
                f"no modality '{name}'", mend=f"one of {', '.join(known)}, or several joined by +"
            )
        if names.count(name) > 1:
            raise InputError(f"the modality '{name}' stands twice", mend="name it once")
    if set(names) == {"id"}:
        raise InputError("an id alone is nothing to fuse", mend="add text or another modality")
    return names


class Modalities:
    """Tables of fixed vectors for the items of a data set, and what makes them for new items.

    Parameters
    ----------
    names : sequence of str
        Without "text" and "id".
    image_encoder, audio_encoder : str
        "cnn" trains a small network on the data's own interactions; else a folder or a hub name.
    reader : callable
        ``reader(texts) -> (n, dim)``: vectors of the columns that are read as texts.
    seed : int
    """

    def __init__(
        self,
        names: tuple[str, ...],
        image_encoder: str,
        audio_encoder: str,
        reader: Callable[[list[str]], np.ndarray],
        seed: int,
    ) -> None:
        self.names, self.seed, self._reader = names, seed, reader
        self._encoders = {"image": image_encoder, "audio": audio_encoder}
        self.facts: dict[str, dict[str, Any]] = {}
        self.arrays: dict[str, dict[str, np.ndarray]] = {}
        self._read: dict[str, Any] = {}  # what a small network has just learned from

    def learn(self, train: Dataset) -> tuple[list[np.ndarray], np.ndarray]:
        """Learn what is to be learned and return the tables.

        Returns
        -------
        tables : list of ndarray of shape (n_items, dim), float32
            Zero where an item has none.
        present : ndarray of shape (n_items, n_modalities), bool
        """
        for name in self.names:
            self.facts[name], self.arrays[name] = self._learned(name, train)
        return self.tables(train.items, train.media)

    def tables(
        self, items: pd.DataFrame, media: Mapping[str, Media]
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """The tables of any items, as :meth:`learn` returns them; a modality that is not told of is missing."""
        found = [self._table(name, items, media) for name in self.names]
        present = [here for _, here in found]
        return [t for t, _ in found], (
            np.stack(present, axis=1) if present else np.zeros((len(items), 0), bool)
        )

    def state(self) -> dict[str, dict[str, Any]]:
        """What is saved: facts and arrays of each modality."""
        arrays = {
            name: {part: value.astype(np.float32) for part, value in held.items()}
            for name, held in self.arrays.items()
        }
        return {"facts": self.facts, "arrays": arrays}

    def restore(self, state: dict[str, dict[str, Any]]) -> Modalities:
        """Take in what :meth:`state` gave."""
        self.facts, self.arrays = state["facts"], state["arrays"]
        return self

    @property
    def n_parameters(self) -> int:
        """Numbers that were learned, those of small networks among them."""
        return sum(value.size for held in self.arrays.values() for value in held.values())

    def _learned(self, name: str, train: Dataset) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        if name == "attributes":
            columns = attribute_columns(train.items)
            names, idf, bins = attribute_names(train.items, columns)
            ones = one_hot(train.items, columns, names, idf, bins)
            turn = singular_vectors(ones, _ATTRIBUTES)[:, ::-1].copy()
            facts = {"kind": name, "columns": columns, "names": names.tolist(), "bins": bins}
            return facts, {"idf": idf, "turn": turn}
        if name not in train.media:
            return {"kind": "column"}, {}
        media = train.media[name]
        if media.vectors is not None:
            return {"kind": "vectors", "dim": int(media.vectors.shape[1])}, {}
        encoder = self._encoders[media.kind]
        if encoder != "cnn":
            return {"kind": media.kind, "encoder": encoder}, {}
        from recnb.models.two_tower.modalities.cnn import fit_cnn, read_inputs

        rows = media.rows(train.item_ids)
        items = np.flatnonzero(rows >= 0)
        inputs = read_inputs(media.kind, [media.files[r] for r in rows[items]])
        self._read[name] = inputs
        network = fit_cnn(media.kind, inputs, items, train.positives(), seed=self.seed)
        state = {k: v.numpy() for k, v in network.state_dict().items() if v.is_floating_point()}
        facts = {"kind": media.kind, "encoder": "cnn", "width": network.width}
        return facts | {"frames": inputs.shape[-1], "n_factors": network.top.out_features}, state

    def _table(
        self, name: str, items: pd.DataFrame, media: Mapping[str, Media]
    ) -> tuple[np.ndarray, np.ndarray]:
        facts, arrays = self.facts[name], self.arrays[name]
        if facts["kind"] == "attributes":
            names = np.array(facts["names"], dtype=object)
            ones = one_hot(items, facts["columns"], names, arrays["idf"], facts["bins"])
            return (ones @ arrays["turn"]).astype(np.float32), np.diff(ones.indptr) > 0
        if facts["kind"] == "column":
            texts = Text(name, labels=False)(items)
            return self._reader(texts), np.array([bool(t.strip()) for t in texts])
        ids = items.index.to_numpy(dtype=object)
        if facts["kind"] == "vectors":
            if name not in media:
                return np.zeros((len(ids), facts["dim"]), np.float32), np.zeros(len(ids), bool)
            vectors, here = media[name].table(ids)
            if vectors.shape[1] != facts["dim"]:
                raise InputError(
                    f"'{name}' has vectors of {vectors.shape[1]} numbers, the model knows {facts['dim']}",
                    mend="make them with the same encoder",
                )
            return vectors, here
        rows = media[name].rows(ids) if name in media else np.full(len(ids), -1)
        here = rows >= 0
        files = [media[name].files[r] for r in rows[here]] if here.any() else []
        found = self._encoded(facts, arrays, files, self._read.pop(name, None))
        out = np.zeros((len(ids), found.shape[1]), np.float32)
        out[here] = found
        return out, here

    def _encoded(
        self, facts: dict[str, Any], arrays: dict[str, np.ndarray], files: list, read: Any = None
    ) -> np.ndarray:
        """Vectors of files, (n, dim), of which a small network's inputs may have been read already."""
        if facts["encoder"] != "cnn":
            from recnb.encoders import AudioEncoder, ImageEncoder

            kind = ImageEncoder if facts["kind"] == "image" else AudioEncoder
            encoder = kind(facts["encoder"], normalise=False)
            return encoder.encode(files) if files else np.zeros((0, encoder.dim), np.float32)
        import torch

        from recnb.models.two_tower.modalities.cnn import SmallCNN, cnn_features, read_inputs

        network = SmallCNN(facts["kind"], facts["n_factors"], facts["width"])
        state = {k: torch.from_numpy(v) for k, v in arrays.items()}
        network.load_state_dict(state, strict=False)  # but for the count of batches
        frames = facts["frames"] if facts["kind"] == "audio" else None
        if read is None:
            read = read_inputs(facts["kind"], files, frames)
        return cnn_features(network.eval(), read)


def _check_given(name: str, kind: str, item: Any, value: Any) -> None:
    """Refuse what cannot be read as a modality of an item."""
    if kind == "vectors":
        shape = np.shape(value)
        good, mend = len(shape) == 1 and np.asarray(value).dtype.kind in "biuf", "give its numbers"
    else:
        good, mend = isinstance(value, (str, Path)), "give the path of a file"
    if not good:
        raise InputError(f"{type(value).__name__} for '{item}'", column=name, mend=mend)


def media_of(items: pd.DataFrame, facts: dict[str, dict[str, Any]]) -> dict[str, Media]:
    """Media from columns of a table of items: paths of pictures and sounds, arrays of vectors.

    Parameters
    ----------
    items : DataFrame
        Indexed by item id; a modality without a column, and an item without a value, has none.
    facts : dict
        Of :meth:`Modalities.state`.
    """
    out = {}
    for name, fact in facts.items():
        if fact["kind"] in ("attributes", "column") or name not in items:
            continue
        given = items[name][[value is not None and value is not pd.NA for value in items[name]]]
        given = given[[not (np.isscalar(value) and value != value) for value in given]].sort_index()
        for item, value in given.items():
            _check_given(name, fact["kind"], item, value)
        ids = given.index.to_numpy(dtype=object)
        if fact["kind"] == "vectors":
            if len(given):
                out[name] = from_vectors(np.stack([np.asarray(v) for v in given]), ids)
        else:
            out[name] = Media(fact["kind"], ids, tuple(Path(value) for value in given))
    return out
