"""An artefact read back: model, items, what users know, indexes and encoder, checked before the first answer."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from recnb.data import Text
from recnb.errors import InputError
from recnb.recommender import Recommender, load_model
from recnb.serving import manifest
from recnb.serving.encoder.onnx import EncoderSettings, LateEncoder, OnnxEncoder
from recnb.serving.index import IndexRecord, ItemIndex
from recnb.serving.watch.drift import SIGNALS, Shares

MODEL, ITEMS, KNOWN, ENCODER = "model", "items.parquet", "known.safetensors", "encoder"


@dataclass(frozen=True, eq=False)
class Artefact:
    """What a service answers from.

    Attributes
    ----------
    folder : Path
    head : dict
        `artefact.json`: name, versions, abilities, what was measured, checksums.
    model : Recommender
        Fitted.
    table : pyarrow.Table
        The items, `item_id` and whatever columns; the row number is the model's item code.
    known : csr_matrix of shape (n_users, n_items)
        Pairs that the users have: never listed to them.
    popularity : ndarray of shape (n_items,), float32
        Users of each item.
    indexes : dict of str to ItemIndex
        "text" over the encoder's vectors of the items, "taste" over the model's item vectors; those that there are.
    encoder : OnnxEncoder, LateEncoder or None
    reference : dict of str to Shares
        Signals of the training data that drift is measured against.
    """

    folder: Path
    head: dict[str, Any]
    model: Recommender
    table: pa.Table
    known: sparse.csr_matrix
    popularity: np.ndarray
    indexes: dict[str, ItemIndex]
    encoder: OnnxEncoder | LateEncoder | None
    reference: dict[str, Shares]

    @property
    def name(self) -> str:
        return str(self.head["name"])

    @property
    def digest(self) -> str:
        return str(self.head["digest"])

    @cached_property
    def items(self) -> pd.DataFrame:
        """The items, indexed by `item_id`."""
        return self.table.to_pandas().set_index("item_id")

    @cached_property
    def text(self) -> Text | None:
        """How an item becomes a sentence; None where items have no text."""
        told = self.head["text"]
        return None if told is None else Text.from_json(told)


def open_artefact(
    folder: str | Path,
    trust: bool = False,
    threads: int = 1,
    head: dict[str, Any] | None = None,
    late: bool = False,
) -> Artefact:
    """Read an artefact that :func:`recnb.serving.export.export` wrote, every file checked first.

    Parameters
    ----------
    folder : str or Path
    trust : bool
        Whether the model may be of a class outside recnb, whose module is then imported and runs code.
    threads : int
        Of the encoder.
    head : dict, optional
        What :func:`recnb.serving.manifest.checked` gave for this folder; None checks it now.
    late : bool
        Whether the encoder is read only when it is asked to (:class:`LateEncoder`). Its files are checked as all are.

    Returns
    -------
    Artefact

    Raises
    ------
    InputError
        No artefact, or a file in it is missing, cut, changed, unlisted, or does not fit the others.
    """
    folder = Path(folder)
    head = manifest.checked(folder) if head is None else head
    model = load_model(folder / MODEL, trust)
    table = _items(folder, model)
    known, popularity = _known(folder, len(model.user_ids_), table.num_rows)
    if (head["users"], head["items"]) != known.shape:
        raise _broken(folder, "its tables have other sizes than artefact.json says")
    indexes = {
        name: _index(folder, name, told, table.num_rows) for name, told in head["indexes"].items()
    }
    encoder: OnnxEncoder | LateEncoder | None = None
    if head.get("encoder") is not None:
        file = str(folder / manifest.NAME)
        settings = EncoderSettings.from_json(head["encoder"], file)
        encoder = (LateEncoder if late else OnnxEncoder)(folder / ENCODER, settings, threads)
        if "text" in indexes and indexes["text"].dim != settings.dim:
            raise _broken(folder, "its encoder and its text index have vectors of other lengths")
    shares = _reference(folder, head["reference"])
    return Artefact(folder, head, model, table, known, popularity, indexes, encoder, shares)


def _items(folder: Path, model: Recommender) -> pa.Table:
    try:
        with pq.ParquetFile(folder / ITEMS) as file:
            table = file.read()
    except Exception as error:  # pyarrow's classes differ by what is broken
        raise _broken(folder, f"{ITEMS} cannot be read ({type(error).__name__})") from None
    ids = getattr(model, "item_ids_", None)
    if ids is None or getattr(model, "user_ids_", None) is None:
        raise _broken(folder, "its model knows no users and items")
    if "item_id" not in table.column_names or table["item_id"].to_pylist() != list(ids):
        raise _broken(folder, f"{ITEMS} lists other items than the model")
    return table


def _known(folder: Path, n_users: int, n_items: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    from safetensors.numpy import load_file

    try:
        arrays = load_file(folder / KNOWN)
        indices, indptr = arrays["indices"], arrays["indptr"]
        known = sparse.csr_matrix(
            (np.ones(len(indices), np.int8), indices, indptr), shape=(n_users, n_items)
        )
        known.check_format(full_check=True)
    except Exception as error:  # safetensors, scipy and a missing key
        raise _broken(folder, f"{KNOWN} cannot be read ({type(error).__name__})") from None
    return known, np.bincount(known.indices, minlength=n_items).astype(np.float32)


def _index(folder: Path, name: str, told: Any, n: int) -> ItemIndex:
    wanted = {field.name for field in fields(IndexRecord)}
    if name not in ("text", "taste") or not isinstance(told, dict) or set(told) != wanted | {"dim"}:
        raise _broken(folder, f"artefact.json describes no index '{name}'")
    record = IndexRecord(**{key: told[key] for key in wanted})
    return ItemIndex.read(folder / f"{name}.faiss", record, n, told["dim"])


def _reference(folder: Path, told: Any) -> dict[str, Shares]:
    signals = told.get("signals")
    if not isinstance(signals, dict) or set(signals) - set(SIGNALS):
        raise _broken(folder, "its references of drift are none")
    file = str(folder / manifest.NAME)
    return {name: Shares.from_json(values, file) for name, values in signals.items()}


def _broken(folder: Path, problem: str) -> InputError:
    return InputError(problem, file=str(folder), mend="export again")
