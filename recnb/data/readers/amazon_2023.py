"""Amazon Reviews 2023 (McAuley Lab): `CATEGORY.jsonl` and `meta_CATEGORY.jsonl`, packed or not, or saved by `datasets`.

Y. Hou, J. Li, Z. He, A. Yan, X. Chen, J. McAuley, "Bridging Language and Items for Retrieval and Recommendation",
arXiv:2403.03952, 2024.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb.data.dataset import Dataset
from recnb.data.readers.lines import AGAIN, complete
from recnb.errors import InputError
from recnb.optional import need

_ENDS = (".jsonl", ".jsonl.gz")
_LONGEST = 1 << 26  # bytes of one record: the longest published ones have some hundred kilobytes
_PRICE = re.compile(r"\d[\d,]*(?:\.\d+)?")


def read_amazon_2023(folder: str | Path, category: str | None = None, **settings) -> Dataset:
    """Ratings from 1 to 5 with their millisecond; products with title, text, price, store and categories.

    Parameters
    ----------
    folder : str or Path
        Holds the review file and, optionally, the meta file of a category; or two folders written by
        `datasets.Dataset.save_to_disk`, named `raw_review_CATEGORY` and `raw_meta_CATEGORY`.
    category : str, optional
        Which one, where the folder holds several.
    **settings
        Passed to :meth:`Dataset.from_frames`. Rows alike in every column are dropped unless told otherwise.

    Raises
    ------
    InputError
        No review file, several categories, a record that is no JSON, lacks a field, or is cut off.

    Notes
    -----
    The item is the `parent_asin`: colours and sizes of a product are one item, as in the paper. `average_rating` and
    `rating_number` are left out: they are of the crawl in 2023, later than the interactions, and would leak. The
    price is of the crawl as well.
    """
    folder = Path(folder)
    category, reviews, meta = _files(folder, category)
    names = ("user_id", "parent_asin", "rating", "timestamp")
    rows = _table(reviews, names).rename(columns={"parent_asin": "item_id"})
    notes = []
    items = None
    if meta is not None:
        items, unknown = complete(_products(meta), rows["item_id"].astype(str))
        notes.append("prices are those of the crawl in 2023")
        if unknown:
            notes.append(f"{unknown:,} reviewed products are not described")
    else:
        notes.append("there is no meta file: the items have no text")
    rule = settings.get("duplicates", "drop")
    if rule == "drop" and (twice := int(rows.duplicated().sum())):
        notes.append(f"{twice:,} rows alike in every column are dropped")
    return Dataset.from_frames(
        rows,
        items,
        files=(str(reviews), str(meta or "items"), "users"),
        **{
            "feedback": "explicit",
            "scale": (1, 5),
            "name": f"amazon-2023-{category}",
            "duplicates": "drop",
            **settings,
        },
    ).with_notes(*notes)


def read_amazon_reviews(folder: str | Path, category: str | None = None) -> pd.DataFrame:
    """What the reviewers wrote: `user_id`, `item_id`, `rating`, `timestamp` (Unix seconds), `title`, `text`,
    `helpful_vote`, `verified_purchase`."""
    _, reviews, _ = _files(Path(folder), category)
    names = ("user_id", "parent_asin", "rating", "timestamp")
    said = ("title", "text", "helpful_vote", "verified_purchase")
    table = _table(reviews, names, said).rename(columns={"parent_asin": "item_id"})
    return table.assign(timestamp=table["timestamp"] // 1000)


def is_amazon_2023(path: Path) -> bool:
    """Whether the first record of a review file has the fields of this release."""
    try:
        first = next(_records(path), {})
    except InputError:
        return False
    return {"parent_asin", "user_id", "rating"} <= set(first)


def review_files(folder: Path) -> dict[str, Path]:
    """The review files (or saved folders) by category."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        name = _stem(path)
        if path.is_dir():
            match = re.fullmatch(r"(?:raw|5core|0core)?_?reviews?_(\w+)", path.name)
            name = match[1] if match and (path / "state.json").is_file() else None
        if name and not name.startswith("meta_"):
            found[name] = path
    return found


def _stem(path: Path) -> str | None:
    end = next((end for end in reversed(_ENDS) if path.name.endswith(end)), None)
    return path.name.removesuffix(end) if end and path.is_file() else None


def _files(folder: Path, category: str | None) -> tuple[str, Path, Path | None]:
    if not folder.is_dir():
        raise InputError("no such folder", file=str(folder), mend="check the path")
    found = review_files(folder)
    if category is None and len(found) == 1:
        category = next(iter(found))
    if category is None or category not in found:
        asked = f"no reviews of '{category}'" if category else "the category is not told"
        raise InputError(
            f"{asked} (found: {', '.join(found) or 'no CATEGORY.jsonl'})",
            file=str(folder),
            mend="pass category=…, or give a folder with one review file",
        )
    names = (f"meta_{category}.jsonl.gz", f"meta_{category}.jsonl", f"raw_meta_{category}")
    meta = next((folder / name for name in names if (folder / name).exists()), None)
    return category, found[category], meta


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """One dictionary per record, of a file or of a folder saved by `datasets`."""
    if path.is_dir():
        yield from _saved(path)
        return
    at = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            while line := lines.readline(_LONGEST + 1):
                at += 1
                if len(line) > _LONGEST:
                    raise InputError(
                        "a record longer than 64 MiB", file=str(path), row=at, mend=AGAIN
                    )
                if line.strip():
                    record = json.loads(line)
                    if not isinstance(record, dict):
                        raise InputError("no JSON object", file=str(path), row=at, mend=AGAIN)
                    yield record
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"the packed file breaks off or is broken after row {at} ({error})",
            file=str(path),
            mend=AGAIN,
        ) from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"no JSON ({str(error)[:80]})", file=str(path), row=at, mend=AGAIN
        ) from None


def _saved(path: Path) -> Iterator[dict[str, Any]]:
    datasets = need("datasets", f"the folder {path}")
    try:
        table = datasets.load_from_disk(str(path))
    except (OSError, ValueError) as error:
        raise InputError(
            f"`datasets` cannot read it ({str(error).splitlines()[0][:80]})",
            file=str(path),
            mend="save it again with save_to_disk",
        ) from None
    if isinstance(table, dict):
        if len(table) != 1:
            raise InputError(
                f"it holds the parts {', '.join(table)}", file=str(path), mend="save one of them"
            )
        table = next(iter(table.values()))
    for block in table.iter(batch_size=10_000):
        yield from (dict(zip(block, cells)) for cells in zip(*block.values()))


def _table(path: Path, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> pd.DataFrame:
    columns: dict[str, list] = {name: [] for name in (*required, *optional)}
    for at, record in enumerate(_records(path), start=1):
        for name in required:
            if record.get(name) is None:
                raise InputError(
                    "the field is missing", file=str(path), column=name, row=at, mend=AGAIN
                )
        for name, cells in columns.items():
            cells.append(record.get(name))
    if not columns[required[0]]:
        raise InputError("the file is empty", file=str(path), mend=AGAIN)
    return pd.DataFrame(columns)


def _products(path: Path) -> pd.DataFrame:
    said = (
        "title",
        "features",
        "description",
        "price",
        "store",
        "main_category",
        "categories",
    )
    table = _table(path, ("parent_asin",), said)
    # A product that stands twice was crawled twice.
    table = table.drop_duplicates("parent_asin").reset_index(drop=True)
    text = [
        " ".join([*_parts(f), *_parts(d)]) for f, d in zip(table["features"], table["description"])
    ]
    return pd.DataFrame(
        {
            "item_id": table["parent_asin"].astype(str),
            "title": [_line(cell) for cell in table["title"]],
            "text": text,
            "brand": [_line(cell) for cell in table["store"]],
            "category": [_line(cell) for cell in table["main_category"]],
            "categories": [" > ".join(_parts(cell)) for cell in table["categories"]],
            "price": pd.array([_price(cell) for cell in table["price"]], dtype="Float64"),
        }
    )


def _parts(cell: Any) -> list[str]:
    """A list of texts; the releases write one text, a list, or nothing."""
    cells = cell if isinstance(cell, (list, tuple, np.ndarray)) else [cell]
    return [line for line in map(_line, cells) if line]


def _line(cell: Any) -> str:
    return "" if cell is None or cell != cell else " ".join(str(cell).split())


def _price(cell: Any) -> float | None:
    """The first number: "$1,299.99", "from 7.99", 12.5; None for "None", "—" and nothing.

    Examples
    --------
    >>> [_price(cell) for cell in ("$1,299.99", "from 7.99", 12.5, "—", "None", None)]
    [1299.99, 7.99, 12.5, None, None, None]
    """
    found = _PRICE.search(_line(cell))
    return float(found[0].replace(",", "")) if found else None
