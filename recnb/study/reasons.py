"""Why a model shows a user what it shows: reasons of the first places of a list, as a page, JSON, or lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb.data import Dataset, Split
from recnb.effect.reasons import Asked, Reason, Retold, explain, word_reader
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.evaluation.judge import Judged
from recnb.files import write_json
from recnb.progress import Progress
from recnb.recommender import Recommender, load_model
from recnb.report.effect.reasons import write_reasons
from recnb.study.beside import known_rows
from recnb.study.run import made_folder
from recnb.versions import versions

_CELLS = 150_000  # users times items of the examples of a report


def items_of(folder: Path, model: Recommender, data: Dataset | None) -> pd.DataFrame:
    """The items table in the model's order: of the data, else of the evaluation that saved the model, else ids alone.

    Raises
    ------
    InputError
        The data, or the evaluation beside the model, are of other items.
    """
    if data is not None:
        if data.identity != model.dataset_identity_:
            raise InputError(
                f"'{data.name}' is not what the model was fitted on",
                file=str(folder),
                mend="name the data that it was fitted on, with the same options",
            )
        return data.items
    beside = folder.resolve().parent / "items.parquet"
    if not beside.is_file():
        return pd.DataFrame(index=pd.Index(model.item_ids_, name="item_id"))
    items = pd.read_parquet(beside).set_index("item_id")
    if items.index.tolist() != list(model.item_ids_):
        raise InputError(
            "the items beside the model are others",
            file=str(beside),
            mend="name the data with --data",
        )
    return items


def run_reasons(
    folder: Path,
    user: str,
    output: Path,
    data: Dataset | None = None,
    k: int = 10,
    shown: int = 5,
    words: bool = True,
    command: str = "",
    progress: Progress | None = None,
) -> list[Reason]:
    """Explain the first places of a user's list, and write `reasons.json`, `run.json` and `report.html`.

    Parameters
    ----------
    folder : Path
        A saved model.
    user : str
    output : Path
    data : Dataset, optional
        What the model was fitted on; needed for models that score no histories by themselves.
    k : int
        Length of the list that is spoken of.
    shown : int
        Places that are explained.
    words : bool
        Whether words are told, where the model reads any.
    command : str
    progress : callable, optional

    Raises
    ------
    InputError
        The model does not know the user, or does not look at histories.
    """
    if k < 1 or shown < 1:
        raise InputError(f"-k {k}, --shown {shown}", mend="at least 1")
    model = load_model(folder)
    items = items_of(folder, model, data)
    codes = np.flatnonzero(model.user_ids_ == user)
    if not len(codes):
        raise InputError(
            f"the model knows no user '{user}'",
            file=str(folder),
            mend=f"name one such as '{model.user_ids_[0]}'",
        )
    asked = Asked.of(model, int(codes[0]), data, had_by(folder, model, int(codes[0]), data))
    titles = titles_of(items)
    retold, reader = reading(model, items) if words else (None, None)
    reasons = []
    best = asked.best(min(k, shown))
    for at, item in enumerate(best.tolist()):
        if progress is not None:
            progress(f"place {at + 1}: {titles[item]}", at, len(best))
        reasons.append(explain(asked, item, titles, k, retold=retold, reader=reader))
    known = [titles[code] for code in asked.history[::-1]]
    made = made_folder(output)
    result: dict[str, Any] = {
        "user": user,
        "model": type(model).__name__,
        "k": k,
        "known": known,
        "reasons": [reason.to_dict() for reason in reasons],
    }
    write_json(made / "reasons.json", result)
    write_json(made / "run.json", {"command": command, "versions": versions()})
    write_reasons(result, made / "report.html", command)
    return reasons


def had_by(folder: Path, model: Recommender, user: int, data: Dataset | None) -> np.ndarray:
    """Codes of what a user has had, which is not listed: by the data, else by the evaluation that saved the model."""
    if data is not None:
        rows = data.interactions
        return rows.loc[rows["user"] == user, "item"].unique().astype(np.int64)
    known = known_rows(folder)
    if known is None:
        return np.zeros(0, np.int64)
    told = known.loc[known["user_id"] == model.user_ids_[user], "item_id"]
    codes = pd.Index(model.item_ids_).get_indexer(pd.Index(told))
    return np.unique(codes[codes >= 0]).astype(np.int64)


def titles_of(items: pd.DataFrame) -> list[str]:
    """A name of each item: its title, else its name, else its id."""
    column = next((c for c in ("title", "name") if c in items), None)
    ids = items.index.astype(str)
    if column is None:
        return list(ids)
    told = items[column]
    return [str(t) if isinstance(t, str) and t.strip() else i for t, i in zip(told, ids)]


def reading(model: Recommender, items: pd.DataFrame) -> tuple[Retold | None, Any]:
    """What is needed to tell words, where the model reads text alone and the items have any; else nothing."""
    try:
        retold = Retold(model, items)
    except InputError:
        return None, None
    return retold, word_reader(model, items)


def example_reasons(
    judged: Judged, split: Split, protocol: Protocol, n_users: int = 30
) -> dict[str, str]:
    """A checked sentence on the first item of the lists that a report shows, by user id.

    Only for models that say what they know of a user and score lists of liked items, which costs little; words where
    the model knows exactly what each adds. Fewer users of a large catalogue, and then no words. Nothing for lists of
    new items or of single events.
    """
    model, shelves = judged.fitted, list(judged.lists)
    if not isinstance(model, Recommender) or shelves != ["catalogue"]:
        return {}
    if not hasattr(model, "history_of") or not hasattr(model, "score_histories"):
        return {}
    lists = judged.lists["catalogue"][0]
    users = next((v[0] for (_, k, _), v in judged.values.items() if k is not None), None)
    if users is None or len(users) != len(lists):
        return {}
    ids = split.dataset.user_ids
    listed = sorted((str(ids[u]), row) for row, u in enumerate(users) if lists[row, 0] >= 0)
    rng = np.random.default_rng(protocol.seed)
    drawn = rng.choice(len(listed), min(n_users, len(listed)), replace=False)
    drawn = drawn[: max(1, _CELLS // split.dataset.n_items)]
    items, pairs = split.dataset.items, split.known.pairs()
    titles = titles_of(items)
    exact = hasattr(model, "word_reader") and not judged.reads.language
    exact &= split.dataset.n_items <= _CELLS // n_users
    retold, reader = reading(model, items) if exact else (None, None)
    out = {}
    for at in sorted(drawn):
        user_id, row = listed[at]
        user, item = int(users[row]), int(lists[row, 0])
        try:
            asked = Asked.of(model, user, barred=pairs[user].indices)
            reason = explain(asked, item, titles, max(protocol.ks), retold=retold, reader=reader)
        except InputError:
            continue  # a user without likes, or an item that comes again
        if reason.sentence:
            out[user_id] = reason.sentence
    return out
