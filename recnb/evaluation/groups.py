"""For whom: groups of users, and values and differences within them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from recnb.evaluation.columns import TABLE, differences, ends_of, resampled
from recnb.evaluation.protocol import Key

_MANY = 6  # distinct numbers above which they are cut in thirds


def by_group(ev: Any, group: str, key: Key, to: str) -> pd.DataFrame:
    """The table of :meth:`Evaluation.by`."""
    labels = ev.groups(group)
    bounds = partial(ends_of, protocol=ev.settings.get("protocol", {}))
    rows = []
    for label in labels.cat.categories:
        inside = (labels == label).to_numpy()
        held = {}
        for model in ev.models:
            column = ev.mean_over_seeds(model, key)
            if column is not None and inside[column.users].any():
                held[model] = column.within(inside)
        if to not in held:
            continue
        drawn = resampled(held, key[0], *ev.draws())
        changes = differences(held, drawn, to, key[0], *ev.draws())
        for model, column in held.items():
            d = changes.get(model)
            change = (d.difference, d.low, d.high) if d else (0.0, 0.0, 0.0)
            value, n = column.mean(key[0]), len(column.users)
            rows.append(
                (
                    str(label),
                    model,
                    *key,
                    value,
                    *bounds(column, drawn[model], key[0]),
                    n,
                    to,
                    *change,
                )
            )
    names = ["group", *TABLE, "to", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=names).astype({"k": "Int64"})


def grouped(values: pd.Series) -> pd.Series:
    """Which group each user is in, as an ordered categorical."""
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > _MANY:
        return _thirds(values)
    return values.astype("string").fillna("not given").astype("category")


def _thirds(values: pd.Series) -> pd.Series:
    """Thirds by value, labelled with their range; ties stay together, users without a value too."""
    known = values.dropna().astype(float)
    cuts = np.unique(np.quantile(known, [1 / 3, 2 / 3]))
    codes = np.searchsorted(cuts, values.astype(float).to_numpy(), side="left").astype(float)
    codes[values.isna().to_numpy()] = -1
    labels = []
    names = {3: ("low", "middle", "high"), 2: ("low", "high"), 1: ("all",)}
    present = [c for c in range(len(cuts) + 1) if (codes == c).any()]
    for name, c in zip(names[len(present)], present):
        inside = known[np.searchsorted(cuts, known.to_numpy(), side="left") == c]
        labels.append(f"{name} ({inside.min():.4g} to {inside.max():.4g})")
    place = {c: at for at, c in enumerate(present)}
    if values.isna().any():
        place[-1] = len(labels)
        labels.append("not given")
    numbers = np.array([place[c] for c in codes], dtype=np.int64)
    out = pd.Categorical.from_codes(numbers, categories=pd.Index(labels), ordered=True)
    return pd.Series(out, index=values.index)
