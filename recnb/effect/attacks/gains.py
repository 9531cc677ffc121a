"""How many places an attack gains, and at what cost to the attacker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.base import clone

from recnb.data import Dataset
from recnb.effect.attacks.edits import Edit, as_rows
from recnb.effect.attacks.shilling import shilled
from recnb.errors import InputError
from recnb.metrics.intervals import bootstrap
from recnb.recommender import Recommender, score_candidates

_BLOCK = 256  # users scored at once


def pick_targets(known: Dataset, n: int, seed: int = 0) -> np.ndarray:
    """Items that a seller would want pushed: drawn among those with one like or more, less popular than the median.

    Raises
    ------
    InputError
        There are fewer than two.
    """
    counts = np.bincount(known.positives().indices, minlength=known.n_items)
    used = np.flatnonzero(counts)
    low = used[counts[used] <= np.median(counts[used])]
    if len(low) < 2:
        raise InputError("no two items of little popularity", mend="give more data")
    return np.sort(np.random.default_rng(seed).choice(low, min(n, len(low)), replace=False))


def text_gains(
    model: Recommender,
    known: Dataset,
    targets: Sequence[int],
    edits: Sequence[Edit],
    users: np.ndarray,
    k: int = 10,
    among: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Places that edits gain when a fitted model reads the new texts, nothing being trained again.

    Parameters
    ----------
    model : Recommender
        Fitted on `known`, with `with_items`.
    known : Dataset
    targets : sequence of int
    edits : sequence of Edit
    users : ndarray of int
        Who is shown lists; for each target those who have not had it.
    k : int
    among : int, optional
        Rank among so many drawn items, for a model that judges each pair at a cost. None: all that a user has not had.
    seed : int

    Returns
    -------
    DataFrame
        `target, attack, cost, places, top_before, top_after`: mean places gained over the users, and the share of them
        in whose first `k` the target stands. An edited item is compared with itself as a new item of the old text, so
        that nothing but the text differs.

    Raises
    ------
    InputError
        The model has no `with_items`.
    """
    if not hasattr(model, "with_items"):
        raise InputError(
            f"{type(model).__name__} cannot read a new text without training",
            mend="measure shilling for it",
        )
    versions: list[Edit | None] = [None, *edits]
    grown = model.with_items(as_rows(known, targets, versions))
    n = known.n_items
    shown = np.arange(n)
    if among is not None:
        shown = np.sort(np.random.default_rng(seed).choice(n, min(among, n), replace=False))
    made = np.arange(n, n + len(targets) * len(versions))
    ranks = np.zeros((len(users), len(made)))
    knows = np.zeros((len(users), len(targets)), bool)
    pairs = known.pairs()
    for at in range(0, len(users), _BLOCK):
        block = users[at : at + _BLOCK]
        codes = np.tile(np.concatenate([shown, made]), (len(block), 1))
        scores = score_candidates(grown, block, codes).astype(np.float64)
        had = pairs[block].toarray().astype(bool)
        knows[at : at + _BLOCK] = had[:, targets]
        ranks[at : at + _BLOCK] = _ranks(scores, had, shown, np.asarray(targets), len(versions))
    return _table(ranks.reshape(len(users), len(targets), -1), knows, targets, edits, k)


def _ranks(
    scores: np.ndarray, had: np.ndarray, shown: np.ndarray, targets: np.ndarray, n_versions: int
) -> np.ndarray:
    """Places of the made items, each in the stead of its target, among what each user has not had."""
    out = np.zeros((len(scores), len(targets) * n_versions))
    for row in range(len(scores)):
        open_ = ~had[row, shown]
        others = np.sort(scores[row, : len(shown)][open_])
        mine = scores[row, len(shown) :]
        out[row] = 1 + len(others) - np.searchsorted(others, mine, side="right")
        for t, target in enumerate(targets):
            place = np.searchsorted(shown, target)
            if place < len(shown) and shown[place] == target and open_[place]:
                span = slice(t * n_versions, (t + 1) * n_versions)
                out[row, span] -= scores[row, place] > mine[span]
    return out


def _table(
    ranks: np.ndarray, knows: np.ndarray, targets: Sequence[int], edits: Sequence[Edit], k: int
) -> pd.DataFrame:
    rows = []
    for t, target in enumerate(targets):
        new = ~knows[:, t]
        if not new.any():
            continue
        before = ranks[new, t, 0]
        for at, edit in enumerate(edits):
            after = ranks[new, t, at + 1]
            rows.append(
                (int(target), edit.name, edit.cost, float((before - after).mean()),
                 float((before <= k).mean()), float((after <= k).mean()))
            )  # fmt: skip
    columns = ["target", "attack", "cost", "places", "top_before", "top_after"]
    return pd.DataFrame(rows, columns=columns)


def shilling_gains(
    model: Recommender,
    known: Dataset,
    targets: Sequence[int],
    rows: int,
    users: np.ndarray,
    kind: str = "bandwagon",
    k: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Places that invented users gain a target, the model being trained again with them.

    Parameters
    ----------
    model : Recommender
        Unfitted or fitted; clones are fitted.
    known, targets, users, k, seed
        As in :func:`text_gains`.
    rows : int
        Invented interactions: the cost.
    kind
        Of :func:`recnb.effect.attacks.shilled`.
    """
    before = clone(model).fit(known)
    pairs = known.pairs()[users].toarray().astype(bool)
    first = _ranks_of(before, users, pairs, targets)
    out = []
    for t, target in enumerate(targets):
        fed = clone(model).fit(shilled(known, int(target), rows, kind, seed=seed))
        after = _ranks_of(fed, users, pairs, [target])[:, 0]
        new = ~pairs[:, target]
        gain = first[new, t] - after[new]
        out.append(
            (int(target), f"invented users, {kind}", rows, float(gain.mean()),
             float((first[new, t] <= k).mean()), float((after[new] <= k).mean()))
        )  # fmt: skip
    columns = ["target", "attack", "cost", "places", "top_before", "top_after"]
    return pd.DataFrame(out, columns=columns)


def _ranks_of(
    model: Recommender, users: np.ndarray, had: np.ndarray, targets: Sequence[int]
) -> np.ndarray:
    out = np.zeros((len(users), len(targets)))
    for at in range(0, len(users), _BLOCK):
        part = slice(at, at + _BLOCK)
        scores = model.score(users[part]).astype(np.float64)
        own = scores[:, targets]
        scores[had[part]] = -np.inf
        scores[:, :] = np.where(np.isfinite(scores), scores, -np.inf)
        out[part] = 1 + (scores[:, None, :] > own[:, :, None]).sum(axis=2)
    return out


def summary(gains: pd.DataFrame, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Means over the targets with 95 % intervals: `attack, cost, places, …, per_edit, …, top_after, n_targets`."""
    rows = []
    for attack, part in gains.groupby("attack", sort=False):
        cost = int(part["cost"].iloc[0])
        low, high = bootstrap(part["places"].to_numpy(), draws=draws, seed=seed)
        each = float(np.mean(part["places"])) / cost
        rows.append(
            {
                "attack": attack,
                "cost": cost,
                "places": float(part["places"].mean()),
                "low": low,
                "high": high,
                "per_edit": each,
                "per_edit_low": low / cost,
                "per_edit_high": high / cost,
                "top_before": float(part["top_before"].mean()),
                "top_after": float(part["top_after"].mean()),
                "n_targets": len(part),
            }
        )
    return pd.DataFrame(rows)
