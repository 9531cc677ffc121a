"""`Evaluation`: per-user values kept to the end, and the tables that are read from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb import hooks
from recnb.errors import InputError
from recnb.evaluation import files
from recnb.evaluation.ceiling import CEILING
from recnb.evaluation.columns import TABLE, Column, differences, ends_of, long_table, resampled
from recnb.evaluation.findings import Finding
from recnb.evaluation.groups import by_group, grouped
from recnb.evaluation.people import UserLists, lists_of_users
from recnb.evaluation.protocol import LOWER_IS_BETTER, Key
from recnb.evaluation.record import Record
from recnb.metrics.intervals import holm
from recnb.recommender import Reads


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` found.

    Attributes
    ----------
    columns : dict of (model, seed, (metric, k, candidates)) to Column
    users : DataFrame
        Indexed by user id: `activity` (known rows), `popularity` (mean number of users of the known items) and the
        columns of the users table.
    lists : DataFrame
        `model, seed, candidates, user_id, rank` (from 1), `item_id, score`.
    records : tuple of Record
        One per model and seed: class, settings, costs, what it reads.
    findings : tuple of Finding
        Errors first.
    settings : dict
        `protocol`, `split`, `dataset`, `versions`, `command`, `notes` and, where known, `search`.
    split_frame : DataFrame, optional
        One row per interaction: `user_id, item_id, part`, `timestamp`, `position` where there are, and `target`
        (whether it is a relevant test row, which is a hit where it is listed).
    titles : dict
        By item id, of the items that have one.
    """

    columns: dict[tuple[str, int, Key], Column]
    users: pd.DataFrame
    lists: pd.DataFrame
    records: tuple[Record, ...]
    findings: tuple[Finding, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    split_frame: pd.DataFrame | None = None
    titles: dict[str, str] = field(default_factory=dict)

    @property
    def models(self) -> list[str]:
        """Names, in the order of judging."""
        return list(dict.fromkeys(model for model, _, _ in self.columns))

    @property
    def keys(self) -> list[Key]:
        """The (metric, k, candidates) that were measured."""
        return list(dict.fromkeys(key for _, _, key in self.columns))

    def seeds(self, model: str) -> list[int]:
        """The seeds a model was fitted with."""
        return list(dict.fromkeys(seed for name, seed, _ in self.columns if name == model))

    @property
    def headline(self) -> Key:
        """The first metric at the first cut-off, on the shelf where there is one."""
        return self.keys[0]

    def key(
        self, metric: str | None = None, k: int | None = None, candidates: str | None = None
    ) -> Key:
        """The measured key that fits what is named; what is not named is the first there is."""
        for key in self.keys:
            if metric in (None, key[0]) and k in (None, key[1]) and candidates in (None, key[2]):
                return key
        known = sorted({key[0] for key in self.keys})
        raise InputError(
            f"metric={metric}, k={k}, candidates={candidates} was not measured",
            mend=f"measured are {', '.join(known)}",
        )

    @cached_property
    def costs(self) -> pd.DataFrame:
        """One row per model and seed: `model, seed, fit_seconds, score_seconds, peak_memory_mb, …, device`."""
        return pd.DataFrame([{"model": r.model, "seed": r.seed, **r.costs} for r in self.records])

    @cached_property
    def ceilings(self) -> pd.DataFrame:
        """How far the candidates of two-stage models could reach: `model`, `seed` and :data:`ceiling.CEILING`."""
        rows = [{"model": r.model, "seed": r.seed, **c} for r in self.records for c in r.ceilings]
        return pd.DataFrame(rows, columns=["model", "seed", *CEILING])

    @cached_property
    def reads(self) -> dict[str, Reads]:
        """What each model reads, as it said when it was judged."""
        return {record.model: record.reads for record in self.records}

    def mean_over_seeds(self, model: str, key: Key) -> Column | None:
        """A model's values per user, averaged over its seeds; None where the model lacks the metric."""
        found = [c for (m, _, q), c in self.columns.items() if m == model and q == key]
        if not found:
            return None
        values = np.mean([c.values for c in found], axis=0) if len(found) > 1 else found[0].values
        return Column(found[0].users, values, found[0].weights)

    def table(self) -> pd.DataFrame:
        """Value and interval of every model and metric.

        Returns
        -------
        DataFrame
            `model, metric, k, candidates, value, low, high, n_users`, and `seeds` (how many), `seed_sd` (standard
            deviation of the value over them; 0 for one) and `language` (whether a language model reads for it; null
            where not known). Interval: bootstrap over users, of the mean over seeds, as the protocol says.
        """
        return self._table.copy()

    def rows(self, key: Key | None = None) -> pd.DataFrame:
        """The rows of :meth:`table` for one (metric, k, candidates), by default the headline."""
        metric, k, candidates = key or self.headline
        t = self._table
        t = t[(t["metric"] == metric) & (t["candidates"] == candidates)]
        return t[t["k"].isna() if k is None else t["k"] == k].copy()

    @cached_property
    def _table(self) -> pd.DataFrame:
        rows = []
        for key in self.keys:
            held, drawn = self._all(key)
            for model, column in held.items():
                low, high = ends_of(column, drawn[model], key[0], self.settings.get("protocol", {}))
                each = [self.columns[model, s, key].mean(key[0]) for s in self.seeds(model)]
                rows.append(
                    {
                        "model": model,
                        "metric": key[0],
                        "k": key[1],
                        "candidates": key[2],
                        "value": column.mean(key[0]),
                        "low": low,
                        "high": high,
                        "n_users": len(column.users),
                        "seeds": len(each),
                        "seed_sd": float(np.std(each, ddof=1)) if len(each) > 1 else 0.0,
                    }
                )
        return self._with_language(pd.DataFrame(rows).astype({"k": "Int64"}))

    def by_seed(self) -> pd.DataFrame:
        """As :meth:`table`, one row per seed: `model, seed, metric, k, candidates, value, low, high, n_users`."""
        rows = []
        for key in self.keys:
            held = {(m, s): c for (m, s, q), c in self.columns.items() if q == key}
            for (model, seed), drawn in resampled(held, key[0], *self.draws()).items():
                column = held[model, seed]
                value, n = column.mean(key[0]), len(column.users)
                ends = ends_of(column, drawn, key[0], self.settings.get("protocol", {}))
                rows.append((model, seed, *key, value, *ends, n))
        return pd.DataFrame(rows, columns=["model", "seed", *TABLE[1:]]).astype({"k": "Int64"})

    def compare(
        self,
        to: str | None = None,
        metric: str | None = None,
        k: int | None = None,
        candidates: str | None = None,
    ) -> pd.DataFrame:
        """Every other model against one, paired by user.

        Parameters
        ----------
        to : str
            The model to compare with. The best of the table would be chosen on the rows that are judged: name one.
        metric, k, candidates
            What is compared; by default the headline.

        Returns
        -------
        DataFrame
            `model, to, metric, k, candidates, difference` (model less `to`), `low, high` (bootstrap), `p`
            (randomisation test), `p_holm` (Holm over the rows), `n_users`.

        Raises
        ------
        InputError
            No model to compare with, or one that is not there.
        """
        key = self.key(metric, k, candidates)
        if to is None:
            raise InputError(
                "no model to compare with is named, and the best one would be chosen on the rows that are judged",
                mend=f"to= one of {', '.join(self.models)}; the best here is {self.best(key)}",
            )
        held, drawn = self._all(key)
        if to not in held:
            raise InputError(f"no model '{to}' with {key[0]}", mend=f"one of {', '.join(held)}")
        rows = [
            (model, to, *key, d.difference, d.low, d.high, d.p, d.n)
            for model, d in differences(held, drawn, to, key[0], *self.draws()).items()
        ]
        names = ["model", "to", *TABLE[1:4], "difference", "low", "high", "p", "n_users"]
        out = pd.DataFrame(rows, columns=names).astype({"k": "Int64"})
        out.insert(9, "p_holm", holm(out["p"].to_numpy()) if len(out) else [])
        return self._with_language(out)

    def comparisons(self) -> pd.DataFrame:
        """:meth:`compare` to every model, for every metric."""
        parts = []
        for metric, k, candidates in self.keys:
            for to in self.models:
                if self.mean_over_seeds(to, (metric, k, candidates)) is not None:
                    parts.append(self.compare(to, metric, k, candidates))
        parts = [part for part in parts if len(part)]
        return pd.concat(parts, ignore_index=True) if parts else self.compare(self.best())

    def best(self, key: Key | None = None, among: Iterable[str] | None = None) -> str:
        """The model with the best value (of all, or of some)."""
        key = key or self.headline
        t = self.rows(key)
        if among is not None:
            t = t[t["model"].isin(list(among))]
        if t.empty:
            raise InputError(f"no model with {key[0]}", mend="name others")
        order = t["value"] if key[0] in LOWER_IS_BETTER else -t["value"]
        return str(t["model"].iloc[int(np.argmin(order.to_numpy()))])

    def by(
        self,
        group: str = "activity",
        metric: str | None = None,
        to: str | None = None,
        k: int | None = None,
        candidates: str | None = None,
    ) -> pd.DataFrame:
        """For whom: values, and differences to one model, within groups of users.

        Parameters
        ----------
        group : str
            "activity" (number of known rows, in thirds), "popularity" (how popular the user's known items are, in
            thirds), or a column of the users table (thirds where it holds many numbers).
        metric, k, candidates
            By default the headline.
        to : str, optional
            The model to which differences are given; by default the best of the table.

        Returns
        -------
        DataFrame
            `group, model, metric, k, candidates, value, low, high, n_users, to, difference,
            difference_low, difference_high`. No correction is made over groups: read them as a description.
        """
        key = self.key(metric, k, candidates)
        return self._with_language(by_group(self, group, key, to or self.best(key)))

    def groups(self, group: str) -> pd.Series:
        """Which group each user of `users` is in, as an ordered categorical."""
        if group not in self.users:
            raise InputError(
                f"no column '{group}' of users",
                mend=f"one of {', '.join(map(str, self.users.columns))}",
            )
        return grouped(self.users[group])

    @cached_property
    def per_user(self) -> pd.DataFrame:
        """`model, seed, metric, k, candidates, user_id, value, weight`: one row per user of every column."""
        return long_table(self.columns, self.users.index.to_numpy())

    def save(self, path: str | Path) -> None:
        """Write the files of DESIGN's output folder, all but the report."""
        files.save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Evaluation:
        """Read what :meth:`save` wrote."""
        return cls(**files.read(path))

    def lists_for(
        self,
        user: str,
        models: Iterable[str] | None = None,
        k: int | None = None,
        candidates: str | None = None,
    ) -> UserLists:
        """One user's history, what came after it, and what models listed; see :class:`UserLists`."""
        return lists_of_users(self, [user], models, k, candidates)[0]

    def to_html(self, path: str | Path) -> Path:
        """Write the self-contained report: :func:`recnb.write_report`, which is registered as a hook."""
        return hooks.call("report", self, path)

    def _with_language(self, frame: pd.DataFrame) -> pd.DataFrame:
        """With a last column `language`: whether a language model reads for the row's model; null where not known."""
        told = {
            m: True if r.language else False if r.known else pd.NA for m, r in self.reads.items()
        }
        return frame.assign(language=frame["model"].map(told).astype("boolean"))

    def draws(self) -> tuple[int, int]:
        """Number of bootstrap draws, and their seed."""
        protocol = self.settings.get("protocol", {})
        return protocol.get("draws", 2000), protocol.get("seed", 0)

    def _all(self, key: Key) -> tuple[dict[str, Column], dict[str, np.ndarray]]:
        """Every model's mean over seeds and its draws, made once per key."""
        if key not in self._drawn:
            held = {m: c for m in self.models if (c := self.mean_over_seeds(m, key)) is not None}
            self._drawn[key] = held, resampled(held, key[0], *self.draws())
        return self._drawn[key]

    @cached_property
    def _drawn(self) -> dict[Key, tuple[dict[str, Column], dict[str, np.ndarray]]]:
        return {}
