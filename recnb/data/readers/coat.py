"""Coat Shopping (Cornell, 2016): ratings of coats that users chose, and of coats drawn at random for them.

T. Schnabel, A. Swaminathan, A. Singh, N. Chandak, T. Joachims, "Recommendations as Treatments: Debiasing
Learning and Evaluation", ICML 2016.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.checks import tables
from recnb.data.dataset import Dataset
from recnb.data.readers.lines import AGAIN, check_widths, read_lines, refuse_where
from recnb.errors import InputError

PARTS = ("selected", "random", "both")
_COLUMNS = {
    "jackettype": "jacket_type",
    "onfrontpage": "on_front_page",
    "fashioninterest": "fashion_interest",
}


def read_coat(folder: str | Path, part: str = "selected", **settings) -> Dataset:
    """Ratings from 1 to 5 without a time; attributes of coats and of users.

    Parameters
    ----------
    folder : str or Path
        Holds `train.ascii` and `test.ascii` (users × items, 0 = not rated) and, optionally, `user_item_features/`.
    part : {"selected", "random", "both"}
        The coats that users chose themselves (`train.ascii`), those drawn at random (`test.ascii`), or both with a
        column `split`, for :func:`recnb.data.splits.predefined`. A pair may stand in both.
    **settings
        Passed to :meth:`Dataset.from_frames`.

    Raises
    ------
    InputError
        A file is missing or cut off, the matrices differ in shape, or a feature file does not fit them.
    """
    folder = Path(folder)
    tables.choose(part, "part", PARTS)
    train, test = (_matrix(folder / f"{name}.ascii") for name in ("train", "test"))
    if train.shape != test.shape:
        raise InputError(
            f"{test.shape[0]} × {test.shape[1]} cells, but train.ascii has {train.shape[0]} × {train.shape[1]}",
            file=str(folder / "test.ascii"),
            mend=AGAIN,
        )
    rows = pd.concat(
        [_rows(matrix, name) for matrix, name in ((train, "train"), (test, "test"))],
        ignore_index=True,
    )
    if part != "both":
        rows = rows[rows["split"] == ("train" if part == "selected" else "test")]
        rows = rows.drop(columns="split").reset_index(drop=True)
    n_users, n_items = train.shape
    items = _features(folder, "item", n_items)
    if "jacket_type" in items:
        items.insert(1, "title", [_title(row) for row in items.to_dict("records")])
    twice = {"duplicates": "keep"} if part == "both" else {}
    return Dataset.from_frames(
        rows,
        items,
        _features(folder, "user", n_users),
        files=(str(folder / "train.ascii"), "item features", "user features"),
        **{"feedback": "explicit", "scale": (1, 5), "name": "coat", **twice, **settings},
    )


def read_coat_propensities(folder: str | Path) -> np.ndarray:
    """The publishers' chances that a rating is seen, ndarray of shape (n_users, n_items), float64."""
    return _matrix(Path(folder) / "propensities.ascii", low=0.0, high=1.0)


def _matrix(path: Path, low: float = 0.0, high: float = 5.0) -> np.ndarray:
    cells = [line.split() for line in read_lines(path, "ascii")]
    check_widths(np.array([len(row) for row in cells]), len(cells[0]), path)
    try:
        matrix = np.array(cells, dtype=np.float64)
    except ValueError:
        row = next(at for at, line in enumerate(cells) if not all(map(_is_number, line)))
        raise InputError(
            "a cell that is no number", file=str(path), row=row + 1, mend=AGAIN
        ) from None
    outside = np.any((matrix < low) | (matrix > high) | np.isnan(matrix), axis=1)
    refuse_where(outside, f"a value outside {low:g} to {high:g}", path)
    return matrix


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _rows(matrix: np.ndarray, split: str) -> pd.DataFrame:
    user, item = np.nonzero(matrix)
    ids = {"user_id": user.astype(str), "item_id": item.astype(str)}
    return pd.DataFrame({**ids, "rating": matrix[user, item], "split": split})


def _features(folder: Path, kind: str, n: int) -> pd.DataFrame:
    """One column per attribute from the 0/1 columns, whose names are written as "attribute:value"."""
    table = pd.DataFrame({f"{kind}_id": np.arange(n).astype(str)})
    path = folder / "user_item_features" / f"{kind}_features.ascii"
    if not path.is_file():
        return table
    flags = _matrix(path, high=1.0)
    names = read_lines(path.with_name(f"{kind}_features_map.txt"))
    if flags.shape != (n, len(names)):
        raise InputError(
            f"{flags.shape[0]} × {flags.shape[1]} cells for {n} {kind}s and {len(names)} names",
            file=str(path),
            mend=AGAIN,
        )
    pairs = [name.strip().partition(":")[::2] for name in names]
    for attribute in dict.fromkeys(name for name, _ in pairs):
        at = [place for place, (name, _) in enumerate(pairs) if name == attribute]
        values = np.array([pairs[place][1] for place in at], dtype=object)
        chosen = values[flags[:, at].argmax(axis=1)]
        table[_COLUMNS.get(attribute, attribute)] = np.where(flags[:, at].any(axis=1), chosen, "")
    return table


def _title(row: dict) -> str:
    whose = {"men": "Men's ", "women": "Women's "}.get(row.get("gender", ""), "")
    known = [
        word for word in (row.get("color"), row["jacket_type"]) if word not in (None, "", "other")
    ]
    return whose + " ".join([*known, "coat"])
