"""Are the reasons the model's own? Take away what they name, and see whether the item falls faster than by chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recnb.effect.reasons.asking import Asked
from recnb.effect.reasons.texts import Retold
from recnb.errors import InputError
from recnb.metrics import kendall
from recnb.metrics.intervals import bootstrap, paired

Floats = np.ndarray
_CELLS = 2**24  # of a block of scores


@dataclass(frozen=True)
class Curves:
    """What an order of reasons does to one recommendation.

    Attributes
    ----------
    deletion, insertion : ndarray of shape (steps + 1,)
        Standing of the item (:meth:`Asked.standing`) with the first 0, 1, … reasons taken away; and with these alone.
    flipped : ndarray of shape (steps + 1,), bool
        Whether the item has left the first k by deletion.
    """

    deletion: Floats
    insertion: Floats
    flipped: np.ndarray

    @property
    def fall(self) -> float:
        """Mean loss of standing over the steps of deletion: larger is better."""
        return float((self.deletion[0] - self.deletion[1:]).mean())

    @property
    def rise(self) -> float:
        """Mean standing over the steps of insertion, less that of the whole: larger is better."""
        return float((self.insertion[1:] - self.deletion[0]).mean())


def past_curves(asked: Asked, item: int, order: Sequence[int], k: int, steps: int = 8) -> Curves:
    """Past items deleted from the history, and told alone, in some order.

    Parameters
    ----------
    asked : Asked
    item : int
    order : sequence of int
        Codes of past items, the strongest reason first.
    k, steps : int
        At most so many items; fewer where the history is shorter, one of which always stays.
    """
    n = min(steps, len(order), len(asked.history) - 1)
    kept = [asked.without(*order[:m]) for m in range(n + 1)]
    alone = [asked.history[np.isin(asked.history, order[:m])] for m in range(1, n + 1)]
    scores = asked.scores([*kept, *alone])
    standing = asked.standing(scores, item)
    flipped = asked.rank(scores[: n + 1], item) > k
    return Curves(standing[: n + 1], np.append(np.nan, standing[n + 1 :]), flipped)


@dataclass(frozen=True)
class WordOrder:
    """An order of the words of one recommended item."""

    asked: Asked
    item: int
    order: Sequence[str]


def word_curves(
    orders: Sequence[WordOrder], retold: Retold, k: int, steps: int = 8
) -> list[Curves]:
    """Words deleted from texts, and told alone, in some orders; all texts are read by the model in one go.

    Parameters
    ----------
    orders : sequence of WordOrder
    retold : Retold
    k, steps : int
    """
    rows: list[dict[str, Any]] = []
    spans: list[tuple[slice, int]] = []
    of_history: dict[bytes, list[int]] = {}  # orders by whom they are asked for
    for at, one in enumerate(orders):
        n = min(steps, max(len(one.order) - 1, 0))
        start = len(rows)
        rows += [retold.without(one.item, one.order[:m]) for m in range(n + 1)]
        rows += [retold.only(one.item, one.order[:m]) for m in range(1, n + 1)]
        spans.append((slice(start, len(rows)), n))
        of_history.setdefault(one.asked.history.tobytes(), []).append(at)
    if not rows:
        return []
    changed, out = retold.scored(rows), {}
    askers = list(of_history.values())
    step = max(1, _CELLS // (changed.n_known + len(rows)))
    for first in range(0, len(askers), step):
        block = askers[first : first + step]
        histories = [orders[held[0]].asked.history for held in block]
        for history, scores, held in zip(histories, changed.scores(histories), block):
            for at in held:
                (span, n), item = spans[at], orders[at].item
                standing = changed.standings(scores, span)
                kept = slice(span.start, span.start + n + 1)
                flipped = changed.ranks(scores, history, kept, item) > k
                out[at] = Curves(standing[: n + 1], np.append(np.nan, standing[n + 1 :]), flipped)
    return [out[at] for at in range(len(orders))]


def random_orders(things: Sequence, n: int, seed: int) -> list[list]:
    """`n` orders drawn evenly."""
    rng = np.random.default_rng(seed)
    return [[things[at] for at in rng.permutation(len(things))] for _ in range(n)]


def compared(
    users: Sequence[int],
    curves: Mapping[str, Sequence[Curves]],
    value: Callable[[Curves], float],
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """A value of each kind of order, its interval, and how far "reasons" are above every other kind.

    Parameters
    ----------
    users : sequence of int
        The user of each recommendation; values are averaged by user, users are resampled.
    curves : mapping of kind to sequence of Curves
        As long as `users`; one kind is "reasons". Several draws of one kind ("random") stand as kinds "random",
        "random 1", … and are averaged.
    value : callable
        :attr:`Curves.fall` or :attr:`Curves.rise`, or whether the item has left the list.

    Returns
    -------
    dict of kind to dict
        `value, low, high`, and for all but the reasons `difference, difference_low, difference_high, p`: reasons less
        this kind.
    """
    if "reasons" not in curves:
        raise InputError("no order is called 'reasons'", mend="name what is judged so")
    _, place = np.unique(np.asarray(users), return_inverse=True)
    size = np.bincount(place)
    families: dict[str, list[Floats]] = {}
    for kind, held in curves.items():
        numbers = np.array([value(curve) for curve in held])
        families.setdefault(kind.rstrip(" 0123456789"), []).append(
            np.bincount(place, weights=numbers) / size
        )
    means = {kind: np.mean(parts, axis=0) for kind, parts in families.items()}
    out = {}
    for kind, values in means.items():
        low, high = bootstrap(values, draws=draws, seed=seed)
        out[kind] = {"value": float(values.mean()), "low": low, "high": high}
        if kind != "reasons":
            d = paired(means["reasons"], values, draws=draws, seed=seed)
            out[kind] |= {
                "difference": d.difference,
                "difference_low": d.low,
                "difference_high": d.high,
                "p": d.p,
            }
    return out


def stability(values: Sequence[Sequence[Floats]]) -> float:
    """Mean Kendall's tau between what fits from several seeds say of the same recommendations.

    Parameters
    ----------
    values : sequence over seeds of sequences over recommendations of ndarrays
        Values of the same reasons in the same order.

    Returns
    -------
    float
        NaN where no recommendation has two reasons.
    """
    if len(values) < 2:
        raise InputError("one seed has no spread", mend="fit the model with two seeds or more")
    found = [
        float(kendall(one, other)[0])
        for at, left in enumerate(values)
        for right in values[at + 1 :]
        for one, other in zip(left, right)
    ]
    kept = [tau for tau in found if np.isfinite(tau)]
    return float(np.mean(kept)) if kept else float("nan")
