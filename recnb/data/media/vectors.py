"""Vectors of items: from memory, `.npy` or `.safetensors`, read only after their header has proved true."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb.data.checks.cells import ids as ids_as_text
from recnb.data.media.files import claims, counted, no_match, start, unreadable
from recnb.data.media.media import Media, known, part
from recnb.errors import InputError

ENDINGS, IDS_ENDING = (".npy", ".safetensors"), ".ids.txt"


def read_vectors(file: str | Path, item_ids: Iterable[str]) -> Media:
    """Read precomputed vectors of items.

    Parameters
    ----------
    file : path
        `NAME.npy` with `NAME.ids.txt` beside it, one id a line, line n for row n; or
        `NAME.safetensors` with one tensor, and the ids in such a file or as a JSON list under `ids` in
        its metadata.
    item_ids : iterable of str
        The catalogue; vectors of other items are left out and counted in `left_out`.

    Raises
    ------
    InputError
        No such file, no array of numbers in two dimensions, a header that claims what the file does not
        hold, rows without ids, an id twice, a value that is not finite, or no vector of an item.
    """
    file = Path(file)
    if not file.is_file():
        raise InputError("no such file", file=str(file), mend="check the path")
    side = file.with_name(f"{file.stem}{IDS_ENDING}")
    ids = _ids_of(side) if side.is_file() else None
    if file.suffix == ".npy":
        array = _npy(file)
    elif file.suffix == ".safetensors":
        array, inside = _safetensors(file)
        if ids is not None and inside is not None and list(map(str, inside)) != ids:
            raise InputError(
                f"the ids in its metadata and in {side.name} differ",
                file=str(file),
                mend=f"delete {side.name} or mend it",
            )
        ids = inside if ids is None else ids
    else:
        raise InputError(
            f"'{file.suffix}' files are not read as vectors",
            file=str(file),
            mend="give a .npy or .safetensors file",
        )
    if ids is None:
        raise InputError(
            "no ids for its rows",
            file=str(file),
            mend=f"write {side.name} beside it, one item id a line",
        )
    media = _checked(array, ids, str(file), str(side) if side.is_file() else str(file))
    items = list(item_ids)
    ours = known(media, items)
    if not ours.any():
        raise no_match(file, f"id '{ids[0]}'", items, "use the items' ids")
    unknown = int((~ours).sum())
    return replace(part(media, ours), left_out=counted({"vectors of unknown items": unknown}))


def from_vectors(vectors: Any, ids: Iterable[str]) -> Media:
    """Vectors that are in memory already.

    Parameters
    ----------
    vectors : array-like of shape (n, dim)
        Finite numbers; kept as float32.
    ids : iterable of str, length n, distinct

    Raises
    ------
    InputError
        Other shapes or types, a value that is not finite, an id that is blank or stands twice.
    """
    return _checked(np.asarray(vectors), list(ids), "vectors", "ids")


def _npy(file: Path) -> np.ndarray:
    """The array, read only after its header has proved true."""
    size, _ = start(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        with file.open("rb") as stream:
            shape, _, dtype = readers[np.lib.format.read_magic(stream)](stream)
            held = size - stream.tell()
    except Exception as error:
        raise unreadable("array", file, error) from None
    _numbers(shape, dtype, str(file))
    if math.prod(shape) * dtype.itemsize != held:
        raise claims(file, math.prod(shape) * dtype.itemsize, held)
    return np.load(file, allow_pickle=False)


def _safetensors(file: Path) -> tuple[np.ndarray, list[str] | None]:
    """The one tensor, and the ids where the metadata have them."""
    from safetensors import safe_open

    start(file)
    try:
        # Opening compares the header with the file's size.
        with safe_open(file, "numpy") as opened:
            names, metadata = list(opened.keys()), opened.metadata() or {}
            shape = tuple(opened.get_slice(names[0]).get_shape()) if len(names) == 1 else ()
            if len(shape) == 2:
                array = opened.get_tensor(names[0])
    except Exception as error:
        raise unreadable("array", file, error) from None
    if len(names) != 1:
        raise InputError(f"{len(names)} tensors", file=str(file), mend="write one, of 2 dimensions")
    if len(shape) != 2:
        raise _dimensions(shape, str(file))
    if "ids" not in metadata:
        return array, None
    try:
        ids = json.loads(metadata["ids"])
    except ValueError:
        ids = None
    if not isinstance(ids, list) or not all(isinstance(item, (str, int)) for item in ids):
        raise InputError(
            "the ids in its metadata are no JSON list", file=str(file), mend="write a list of text"
        )
    return array, ids


def _ids_of(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"byte {error.start} is not UTF-8", file=str(file), mend="save the file as UTF-8"
        ) from None


def _checked(array: np.ndarray, ids: list[str], file: str, ids_file: str) -> Media:
    """Vectors and their ids, if they fit."""
    _numbers(array.shape, array.dtype, file)
    if len(array) != len(ids):
        raise InputError(
            f"{len(array):,} rows for {len(ids):,} ids in {Path(ids_file).name}",
            file=file,
            mend="write one id a row, in the same order",
        )
    names = ids_as_text(pd.Series(ids, dtype=object), ids_file, "")
    twice = names.duplicated().to_numpy()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise InputError(
            f"id '{names[row]}' stands here a second time",
            file=ids_file,
            row=row + 1,
            mend="keep one vector an item",
        )
    with np.errstate(over="ignore"):
        vectors = array.astype(np.float32)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        value = array[row][~np.isfinite(vectors[row])][0]
        raise InputError(
            f"{value} in the vector of '{names[row]}' is no finite float32",
            file=file,
            row=row + 1,
            mend="write numbers, and leave out items that have none",
        )
    distinct = names.to_numpy(dtype=object)
    order = np.argsort(distinct)
    return Media("vectors", distinct[order], vectors=vectors[order])


def _numbers(shape: tuple[int, ...], dtype: np.dtype, file: str) -> None:
    if dtype.kind not in "fiub":
        raise InputError(f"an array of {dtype}", file=file, mend="write float32")
    if len(shape) != 2 or min(shape) < 1:
        raise _dimensions(shape, file)


def _dimensions(shape: tuple[int, ...], file: str) -> InputError:
    return InputError(
        f"an array of shape {shape}", file=file, mend="write two dimensions: a row an item"
    )
