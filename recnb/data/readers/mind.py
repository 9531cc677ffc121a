"""MIND, Microsoft News (2020): `behaviors.tsv` (who was shown what and clicked what) and `news.tsv`.

F. Wu et al., "MIND: A Large-scale Dataset for News Recommendation", ACL 2020.
"""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.dataset import Dataset
from recnb.data.readers.lines import AGAIN, read_delimited, refuse_where
from recnb.errors import InputError

_BEHAVIORS = ("impression_id", "user_id", "time", "history", "impressions")
_NEWS = (
    "item_id",
    "category",
    "subcategory",
    "title",
    "abstract",
    "url",
    "title_entities",
    "abstract_entities",
)


def read_mind(folder: str | Path, history: bool = False, **settings) -> Dataset:
    """Clicks on news (implicit), with their second; news with title, abstract and category.

    What was shown and not clicked is in :func:`read_mind_impressions`.

    Parameters
    ----------
    folder : str or Path
        Holds `behaviors.tsv` and `news.tsv`, or folders that do, named by their part: `…train`, `…dev` (or
        `…valid`), `…test`. Then a column `split` says train or test (dev counts as test: the published test part
        has no labels).
    history : bool
        Whether the clicks that a user brings along count too. They have no time, only their order, so the rows then
        have a `position` and no `timestamp`. The histories of all rows of a user are taken together, each article once.
    **settings
        Passed to :meth:`Dataset.from_frames`.

    Raises
    ------
    InputError
        A file is missing, cut off, or not of the layout; a news id is not described.
    """
    folder = Path(folder)
    shown = read_mind_impressions(folder)
    clicks = shown[shown["label"] == 1].drop(columns=["impression_id", "label"])
    if clicks.empty:
        raise InputError(
            "no impression was clicked", file=str(folder), mend="give the train or dev part too"
        )
    clicks = clicks.assign(event="click").sort_values(["user_id", "timestamp"], kind="stable")
    note = "times have no zone and are taken as UTC"
    if history:
        clicks = _with_history(read_mind_histories(folder), clicks)
        note = "clicks of the history have an order and no time"
    places = _parts(folder)
    if len(places) > 1:
        clicks["split"] = clicks["part"].map(lambda part: "train" if part == "train" else "test")
    items = pd.concat([_news(place) for place in places.values()]).drop_duplicates("item_id")
    return Dataset.from_frames(
        clicks.drop(columns="part"),
        items,
        files=(f"{folder} (clicks)", str(folder / "news.tsv"), "users"),
        **{"feedback": "implicit", "name": "mind", "duplicates": "keep", **settings},
    ).with_notes(note)


def read_mind_impressions(folder: str | Path) -> pd.DataFrame:
    """One row per article shown.

    Returns
    -------
    DataFrame
        `part` (train, dev, test, or "" for a single folder), `impression_id` (unique over the parts), `user_id`,
        `timestamp` (Unix seconds), `item_id`, `label` (1 clicked, 0 shown and not clicked, null where unpublished).
    """
    frames = []
    for part, place in _parts(Path(folder)).items():
        table = _behaviors(place)
        shown = table["impressions"].str.split().tolist()
        lengths = np.fromiter(map(len, shown), np.int64, len(shown))
        flat = np.array(list(chain.from_iterable(shown)), dtype=object)
        row = np.repeat(np.arange(len(table)), lengths)
        label = np.array([_LABELS.get(cell[-2:], -1) for cell in flat], dtype=np.int8)
        unlabelled = label < 0
        if unlabelled.any() and not unlabelled.all():
            at = int(row[unlabelled.argmax()])
            raise InputError(
                f"'{flat[unlabelled.argmax()]}' has no label, while others have one",
                file=str(place / "behaviors.tsv"),
                column="impressions",
                row=at + 1,
                mend=AGAIN,
            )
        labelled = not unlabelled.any()
        item = np.array([cell[:-2] for cell in flat], dtype=object) if labelled else flat
        _known(item, row, place)
        out = table[["impression_id", "user_id", "timestamp"]].iloc[row].reset_index(drop=True)
        if part:
            out["impression_id"] = part + "-" + out["impression_id"]
        out.insert(0, "part", part)
        out["item_id"] = item
        out["label"] = pd.array(np.where(unlabelled, 0, label), dtype="Int8")
        out.loc[unlabelled, "label"] = pd.NA
        frames.append(out)
    return pd.concat(frames, ignore_index=True)


def read_mind_histories(folder: str | Path) -> pd.DataFrame:
    """What a user had clicked before an impression, oldest first: `part`, `impression_id`, `user_id`, `history`."""
    frames = []
    for part, place in _parts(Path(folder)).items():
        table = _behaviors(place)[["impression_id", "user_id", "history"]]
        if part:
            table["impression_id"] = part + "-" + table["impression_id"]
        frames.append(table.assign(history=table["history"].str.split(), part=part))
    return pd.concat(frames, ignore_index=True)


_LABELS = {"-1": 1, "-0": 0}


def _parts(folder: Path) -> dict[str, Path]:
    """The folders that hold a `behaviors.tsv`, by part, train first; "" for the folder itself."""
    if (folder / "behaviors.tsv").is_file() or not folder.is_dir():
        return {"": folder}
    found: dict[str, Path] = {}
    for place in sorted(p for p in folder.iterdir() if (p / "behaviors.tsv").is_file()):
        ends = {"train": "train", "dev": "dev", "valid": "dev", "test": "test"}
        part = next((part for end, part in ends.items() if place.name.lower().endswith(end)), None)
        if part is None or part in found:
            raise InputError(
                f"folder '{place.name}' is no part, or a second one",
                file=str(folder),
                mend="name the folders train, dev and test",
            )
        found[part] = place
    if not found:
        raise InputError("no behaviors.tsv here", file=str(folder), mend="give the unpacked folder")
    return {part: found[part] for part in ("train", "dev", "test") if part in found}


def _behaviors(place: Path) -> pd.DataFrame:
    path = place / "behaviors.tsv"
    table = read_delimited(path, "\t", _BEHAVIORS, encoding="utf-8")
    when = pd.to_datetime(table["time"], format="%m/%d/%Y %I:%M:%S %p", errors="coerce")
    refuse_where(
        when.isna(),
        lambda row: f"'{table['time'].iloc[row]}' is no time such as 11/15/2019 8:55:22 AM",
        path,
        "time",
    )
    table["timestamp"] = when.to_numpy().astype("datetime64[s]").astype(np.int64)
    return table


def _news(place: Path) -> pd.DataFrame:
    path = place / "news.tsv"
    table = read_delimited(path, "\t", _NEWS, encoding="utf-8")
    names = [
        _labels(title, abstract, path, at)
        for at, (title, abstract) in enumerate(
            zip(table["title_entities"], table["abstract_entities"])
        )
    ]
    out = table[["item_id", "title", "abstract", "category", "subcategory"]]
    return out.rename(columns={"abstract": "text"}).assign(entities=names)


def _labels(title: str, abstract: str, path: Path, at: int) -> str:
    names: list[str] = []
    for column, cell in (("title_entities", title), ("abstract_entities", abstract)):
        try:
            names += [entity["Label"] for entity in json.loads(cell or "[]")]
        except (ValueError, TypeError, KeyError):
            raise InputError(
                "no list of entities in JSON", file=str(path), column=column, row=at + 1, mend=AGAIN
            ) from None
    return ", ".join(dict.fromkeys(names))


def _known(item: np.ndarray, row: np.ndarray, place: Path) -> None:
    described = set(read_delimited(place / "news.tsv", "\t", _NEWS, encoding="utf-8")["item_id"])
    codes, distinct = pd.factorize(item)
    missing = np.array([news not in described for news in distinct], dtype=bool)
    if missing.any():
        at = int(missing[codes].argmax())
        raise InputError(
            f"news '{item[at]}' is not in news.tsv",
            file=str(place / "behaviors.tsv"),
            column="impressions",
            row=int(row[at]) + 1,
            mend=AGAIN,
        )


def _with_history(histories: pd.DataFrame, clicks: pd.DataFrame) -> pd.DataFrame:
    """Clicks of the histories first, each article once per user, then the clicks with a time, in one order."""
    before = histories[["user_id", "history", "part"]].explode("history").dropna()
    before = before.rename(columns={"history": "item_id"}).drop_duplicates(["user_id", "item_id"])
    before["part"] = "train"
    both = pd.concat([before.assign(event="click"), clicks.drop(columns="timestamp")])
    both["position"] = both.groupby("user_id").cumcount()
    return both.reset_index(drop=True)
