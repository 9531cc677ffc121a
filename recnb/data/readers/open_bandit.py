"""Open Bandit (ZOZO, 2020): what two policies showed, with the chance of showing it, and what was clicked.

Y. Saito, S. Aihara, M. Matsutani, Y. Narita, "Open Bandit Dataset and Pipeline", NeurIPS 2021 Datasets and
Benchmarks. There are no user ids, so this is a log for estimating policies, no set of interactions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.checks import cells
from recnb.data.door import read_table
from recnb.data.readers.lines import refuse_where, require, selected
from recnb.errors import InputError

CAMPAIGNS = ("men", "women", "all")
POLICIES = ("random", "bts")
_USER = tuple(f"user_feature_{at}" for at in range(4))
_ITEM = tuple(f"item_feature_{at}" for at in range(4))
_NEEDED = ("timestamp", "item_id", "position", "click", "propensity_score")


def read_open_bandit(folder: str | Path, affinity: bool = False) -> pd.DataFrame:
    """Impressions of every policy and campaign below a folder.

    Parameters
    ----------
    folder : str or Path
        The unpacked release (`random/men/men.csv`, `bts/women/women.csv`, …) or one campaign's folder.
    affinity : bool
        Whether to keep the user-item affinities, one column per item of the campaign.

    Returns
    -------
    DataFrame, one row per item shown
        `policy` and `campaign` (text), `timestamp` (float64, Unix seconds to the microsecond), `item_id`
        ("men_14": the numbers start anew in each campaign), `position` (1 left to 3 right), `click` (0 or 1),
        `propensity` (chance that the policy shows this item here, in (0, 1]), `user_feature_0` … `_3` (hashes).

    Raises
    ------
    InputError
        No campaign is found, a column is missing, a value has no meaning, or a file is cut off.
    """
    files = campaigns(Path(folder))
    if not files:
        raise InputError(
            "no men.csv, women.csv or all.csv here",
            file=str(folder),
            mend="give the unpacked folder",
        )
    return pd.concat([_campaign(path, affinity) for path in files], ignore_index=True)


def read_open_bandit_items(folder: str | Path) -> pd.DataFrame:
    """The arms: `policy`, `campaign`, `item_id`, `item_feature_0` (number), `item_feature_1` … `_3` (hashes)."""
    frames = []
    for path in campaigns(Path(folder)):
        file = path.with_name("item_context.csv")
        table = read_table(file)
        out = selected(table, ("item_id", *_ITEM), file).copy()
        out["item_id"] = path.stem + "_" + out["item_id"]
        out["item_feature_0"] = cells.numbers(out["item_feature_0"], str(file), "item_feature_0")
        out.insert(0, "campaign", path.stem)
        out.insert(0, "policy", _policy(path))
        frames.append(out)
    return pd.concat(frames, ignore_index=True)


def campaigns(folder: Path) -> list[Path]:
    """The campaign files at most two folders down, in a fixed order."""
    names = tuple(f"{name}.csv" for name in CAMPAIGNS)
    found = [
        path
        for depth in ("", "*/", "*/*/")
        for path in folder.glob(f"{depth}*.csv")
        if path.name in names and path.with_name("item_context.csv").is_file()
    ]
    return sorted(set(found))


def _policy(path: Path) -> str:
    return next((part for part in reversed(path.parts[:-1]) if part in POLICIES), "")


def _campaign(path: Path, affinity: bool) -> pd.DataFrame:
    table = read_table(path)
    require(table.columns, _NEEDED, path)
    file = str(path)
    number = {name: cells.numbers(table[name], file, name) for name in _NEEDED[2:]}
    limits = {
        "position": lambda v: (v >= 1) & (v == np.floor(v)),
        "click": lambda v: (v == 0) | (v == 1),
        "propensity_score": lambda v: (v > 0) & (v <= 1),
    }
    for name, right in limits.items():
        values = number[name]
        wrong = np.ones(len(table), bool) if values is None else ~right(values)
        first = table[name].iloc[int(wrong.argmax())]
        refuse_where(wrong, f"'{first}' is no {name.replace('_', ' ')}", path, name)
    out = pd.DataFrame(
        {
            "policy": _policy(path),
            "campaign": path.stem,
            "timestamp": cells.times(table["timestamp"], file),
            "item_id": path.stem + "_" + cells.ids(table["item_id"], file, "item_id"),
            "position": number["position"].astype(np.int8),  # type: ignore[union-attr]
            "click": number["click"].astype(np.int8),  # type: ignore[union-attr]
            "propensity": number["propensity_score"],
        }
    )
    for name in _USER:
        if name in table:
            out[name] = table[name].astype("category")
    if affinity:
        kept = [name for name in table.columns if str(name).startswith("user-item_affinity_")]
        if not kept:
            raise InputError(
                "column 'user-item_affinity_0' is missing", file=file, mend="read without affinity"
            )
        scores = {name: cells.numbers(table[name], file, name) for name in kept}
        out = pd.concat([out, pd.DataFrame(scores, dtype=np.float32)], axis=1)
    return out
