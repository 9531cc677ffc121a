"""What a policy would do with the rows of a log: the chance of each shown item, and what a reward model expects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recnb.effect.logs import Log
from recnb.effect.policy.policies import Policy
from recnb.effect.policy.rewards import Predicts, Rewards, folds_of
from recnb.errors import InputError

Floats = np.ndarray
_CELLS = 2**22  # of one block of contexts and items: 32 MiB an array


@dataclass(frozen=True)
class Showings:
    """Of each row, shape (n,): the policy's chance of the shown item; expected outcome of it and of the policy.

    Attributes
    ----------
    chance : ndarray
    expected, value : ndarray or None
        None without a reward model.
    unseen_mass : float
        Mean share of the policy's showings of items that no row shows at that place.
    """

    chance: Floats
    expected: Floats | None
    value: Floats | None
    unseen_mass: float


def showings(
    log: Log,
    policy: Policy,
    outcome: Floats | None = None,
    rewards: Rewards | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Showings:
    """Go through the log once, in blocks of contexts.

    Parameters
    ----------
    log : Log
    policy : Policy
    outcome : ndarray of shape (n,), optional
        Needed with `rewards`.
    rewards : Rewards, optional
        Fitted once for each fold of units, on the others, so that no row judges what it taught.
    folds, seed : int

    Raises
    ------
    InputError
        The policy's chances do not add up to 1.
    """
    fitted: list[Predicts | None] = [None]
    fold = np.zeros(log.n, np.int64)
    if rewards is not None:
        if outcome is None:
            raise InputError("a reward model without an outcome", mend="give the outcome")
        fold = folds_of(log.unit, folds, seed)
        fitted = [rewards.fit(log, outcome, fold != at) for at in range(folds)]
    chance = np.empty(log.n)
    expected, value = np.empty(log.n), np.empty(log.n)
    unseen = 0.0
    seen = _seen(log)
    step = max(1, _CELLS // len(log.item_ids))
    for place in seen:
        rows = np.flatnonzero(log.position == place)
        order = rows[np.argsort(log.context[rows], kind="stable")]
        ends = np.append(np.flatnonzero(np.diff(log.context[order])) + 1, len(order))
        starts = np.append(0, ends[:-1])
        for first in range(0, len(ends), step):
            last = min(first + step, len(ends)) - 1
            block = order[starts[first] : ends[last]]
            codes = log.context[order[starts[first : last + 1]]]
            line = np.repeat(np.arange(len(codes)), (ends - starts)[first : last + 1])
            shows = _checked(policy.probabilities(codes, place), len(log.item_ids))
            chance[block] = shows[line, log.item[block]]
            if not seen[place].all():
                unseen += float((shows @ ~seen[place])[line].sum())
            for at, model in enumerate(fitted):
                if model is not None:
                    of_fold = np.flatnonzero(fold[block] == at)
                    _expect(
                        model,
                        shows,
                        codes,
                        place,
                        line[of_fold],
                        block[of_fold],
                        log,
                        expected,
                        value,
                    )
    known = rewards is not None
    return Showings(chance, expected if known else None, value if known else None, unseen / log.n)


def _expect(
    model: Predicts,
    shows: Floats,
    codes: np.ndarray,
    place: int,
    line: np.ndarray,
    rows: np.ndarray,
    log: Log,
    expected: Floats,
    value: Floats,
) -> None:
    """What a reward model expects of some rows, whose context is that of a line of `codes`; written to the arrays."""
    if not len(rows):
        return
    lines, which = np.unique(line, return_inverse=True)
    some = len(lines) < len(codes)
    q = model.predict(codes[lines] if some else codes, place)
    value[rows] = np.einsum("ci,ci->c", shows[lines] if some else shows, q)[which]
    expected[rows] = q[which, log.item[rows]]


def _seen(log: Log) -> dict[int, np.ndarray]:
    """Which items the log shows at each place, a mask of shape (n_items,) each."""
    out = {}
    for place in np.unique(log.position).tolist():
        rows = log.position == place
        out[place] = np.bincount(log.item[rows], minlength=len(log.item_ids)) > 0
    return out


def _checked(shows: Floats, n_items: int) -> Floats:
    if shows.shape[1] != n_items:
        raise InputError(
            f"a policy gives chances of {shows.shape[1]:,} items and the log has {n_items:,}",
            mend="make it for the items of this log: len(log.item_ids)",
        )
    if (shows < -1e-12).any():
        raise InputError(
            f"a policy's chance is negative ({shows.min():.6g})", mend="give chances from 0 to 1"
        )
    sums = shows.sum(axis=1)
    if not (np.abs(sums - 1) <= 1e-6).all():
        raise InputError(
            f"a policy's chances do not add up to 1 but to {sums[np.abs(sums - 1).argmax()]:.6g}",
            mend="give chances of every item that add up to 1",
        )
    return shows
