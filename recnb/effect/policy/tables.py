"""Tables of probabilities, checked against the log that they judge on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recnb.data.checks import cells
from recnb.effect.logs import Log
from recnb.errors import InputError

TOLERANCE = 1e-6


def checked_table(frame: pd.DataFrame, log: Log, file: str) -> tuple[pd.DataFrame, list[int]]:
    """Codes and chances, a row each, and the places that have rows of their own (0: all).

    Raises
    ------
    InputError
        As :func:`recnb.effect.policy.table_policy`.
    """
    cells.require(frame, ("item_id", "probability"), file)
    chance = cells.numbers(frame["probability"], file, "probability")
    wrong = np.ones(len(frame), bool) if chance is None else ~((chance >= 0) & (chance <= 1))
    if chance is None or wrong.any():
        at = int(wrong.argmax())
        raise InputError(
            f"'{frame['probability'].iloc[at]}' is no chance",
            file=file,
            column="probability",
            row=at + 1,
            mend="give numbers from 0 to 1",
        )
    out = pd.DataFrame({"probability": chance})
    out["item"] = _codes(frame["item_id"], log.item_ids, "item_id", log, file)
    column = next((c for c in ("context", "user_id") if c in frame), None)
    out["position"] = 0
    if "position" in frame:
        places = cells.numbers(frame["position"], file, "position")
        if places is None or not ((places >= 1) & (places == np.floor(places))).all():
            raise InputError(
                "a place that is no whole number from 1",
                file=file,
                column="position",
                mend="count places 1, 2, 3, …",
            )
        out["position"] = places.astype(int)
    n_contexts = len(log.context_ids)
    if column is None:
        parts = [out.assign(context=code) for code in range(n_contexts)]
        out = pd.concat(parts, ignore_index=True)
    else:
        out["context"] = _codes(frame[column], log.context_ids, column, log, file)
    twice = out.duplicated(["context", "position", "item"]).to_numpy()
    if twice.any():
        raise InputError(
            f"item '{log.item_ids[out['item'].iloc[int(twice.argmax())]]}' stands twice for one user and place",
            file=file,
            column="item_id",
            row=int(twice.argmax()) % len(frame) + 1,
            mend="keep one row",
        )
    positions = sorted(out["position"].unique().tolist())
    _add_up(out, positions, log, file)
    return out, positions


def _codes(series: pd.Series, ids: np.ndarray, column: str, log: Log, file: str) -> np.ndarray:
    codes = pd.Index(ids).get_indexer(pd.Index(cells.ids(series, file, column)))
    if (codes < 0).any():
        at = int((codes < 0).argmax())
        raise InputError(
            f"'{series.iloc[at]}' is not in {log.name} ({(codes < 0).sum():,} rows like this)",
            file=file,
            column=column,
            row=at + 1,
            mend="use the ids of the log, or give it its catalogue (--items)",
        )
    return codes


def _add_up(rows: pd.DataFrame, positions: list[int], log: Log, file: str) -> None:
    for place in positions:
        of_place = rows[rows["position"] == place]
        sums = np.bincount(
            of_place["context"], of_place["probability"], minlength=len(log.context_ids)
        )
        wrong = np.abs(sums - 1) > TOLERANCE
        if wrong.any():
            code = int(wrong.argmax())
            where = f" at place {place}" if place else ""
            raise InputError(
                f"the chances of '{log.context_ids[code]}'{where} add up to {sums[code]:.6g} "
                f"({wrong.sum():,} such sums)",
                file=file,
                column="probability",
                mend="give every item that may be shown, so that they add up to 1",
            )
