"""What a notebook finds on its way, kept for the record at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from recnb.metrics import Difference, bootstrap


@dataclass
class Notes:
    """Findings, one row each, in the order in which they were made; `record(notes.rows)` at the end.

    Attributes
    ----------
    draws, seed : int
        Of the bootstrap intervals.
    rows : list of dict

    Examples
    --------
    >>> notes = Notes(draws=1000)
    >>> notes.mean("ndcg", [0.1, 0.3, 0.2, 0.4], model="ease")["n_users"]
    4
    >>> notes.value("density", 0.25)
    0.25
    >>> [row["metric"] for row in notes.rows]
    ['ndcg', 'density']
    """

    draws: int = 1000
    seed: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def mean(self, metric: str, values: ArrayLike, **what: Any) -> dict[str, Any]:
        """Keep the mean of one value per user, with its interval over users; users without a value are left out.

        Parameters
        ----------
        metric : str
        values : array-like of shape (n_users,), float
        **what
            Whose value it is: model, split, group and so on.

        Returns
        -------
        dict
            The row.
        """
        per_user = np.asarray(values, dtype=float)
        per_user = per_user[np.isfinite(per_user)]
        low, high = bootstrap(per_user, draws=self.draws, seed=self.seed)
        row = {"metric": metric, "value": float(per_user.mean()), "low": low, "high": high}
        self.rows.append({**what, **row, "n_users": len(per_user)})
        return self.rows[-1]

    def value(self, metric: str, value: float, **what: Any) -> float:
        """Keep a number that has no interval, and return it."""
        self.rows.append({**what, "metric": metric, "value": float(value)})
        return float(value)

    def difference(self, metric: str, difference: Difference, **what: Any) -> dict[str, Any]:
        """Keep a paired difference with its interval and p."""
        row = {
            "metric": metric,
            "value": difference.difference,
            "low": difference.low,
            "high": difference.high,
        }
        self.rows.append({**what, **row, "p": difference.p, "n_users": difference.n})
        return self.rows[-1]

    def table(self, metric: str, by: str | list[str], **only: Any) -> pd.DataFrame:
        """The rows of one measure as a table to read: value, interval and number of users by `by`."""
        kept = [
            row
            for row in self.rows
            if row["metric"] == metric
            and all(row.get(name) == wanted for name, wanted in only.items())
        ]
        frame = pd.DataFrame(kept).set_index(by)
        columns = [name for name in ("value", "low", "high", "p", "n_users") if name in frame]
        return frame[columns]
