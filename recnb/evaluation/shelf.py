"""New items are a draw, too: how far a difference would move with other ones on the shelf."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recnb.data import Split
from recnb.errors import InputError


def over_items(
    scores: Mapping[str, np.ndarray],
    split: Split,
    to: str,
    k: int = 10,
    halves: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Paired differences in NDCG on the shelf, with an interval over users and new items together.

    Random halves of the shelf are ranked among themselves. The standard deviation of a difference over halves
    estimates that over draws of a whole shelf (the delete-half jackknife); it is added to the standard error over
    users as if both scattered on their own, and the interval is normal. Rough with a few dozen items, and far nearer
    to the truth than an interval over users alone.

    Parameters
    ----------
    scores : mapping of name to ndarray of shape (n_users, n_items)
    split : Split
        With a shelf: `cold_item`.
    to : str
        The model to compare with.
    k : int
        Places in a list.
    halves : int
        Draws.
    seed : int

    Returns
    -------
    DataFrame indexed by `model`
        `difference, low, high` (95 %, users and items), `sd_users, sd_items`; the largest difference first.

    Raises
    ------
    InputError
        The split has no shelf of four items or more, or there is no such model.

    References
    ----------
    J. Shao, C. F. J. Wu, A general theory for jackknife variance estimation, Annals of Statistics 17, 1989.

    See Also
    --------
    Notebook 21, section 4.
    """
    if split.candidates is None or len(split.candidates) < 4:
        raise InputError("the split has no shelf of new items to halve", mend="use cold_item")
    if to not in scores:
        raise InputError(f"no model '{to}'", mend=f"one of {', '.join(scores)}")
    shelf = np.asarray(split.candidates)
    likes = split.test.positives()[:, shelf].toarray() > 0  # (n_users, n_new)
    on_shelf = {name: np.asarray(block)[:, shelf] for name, block in scores.items()}
    rng = np.random.default_rng(seed)
    draws = [rng.permutation(len(shelf)) for _ in range(halves)]
    whole = {name: _ndcg(block, likes, draws[0], k) for name, block in on_shelf.items()}
    by_half = pd.DataFrame(
        {
            name: [_ndcg(block, likes, order[: len(shelf) // 2], k).mean() for order in draws]
            for name, block in on_shelf.items()
        }
    )
    rows = []
    for name in scores:
        if name == to:
            continue
        apart = whole[name] - whole[to]
        sd_users = float(apart.std(ddof=1)) / len(apart) ** 0.5
        sd_items = float((by_half[name] - by_half[to]).std(ddof=1))
        mean, reach = float(apart.mean()), 1.96 * float(np.hypot(sd_users, sd_items))
        rows.append((name, mean, mean - reach, mean + reach, sd_users, sd_items))
    names = ["model", "difference", "low", "high", "sd_users", "sd_items"]
    frame = pd.DataFrame(rows, columns=names).set_index("model")
    return frame.sort_values("difference", ascending=False, kind="stable")


def _ndcg(
    scores: NDArray[np.floating], likes: NDArray[np.bool_], some: np.ndarray, k: int
) -> np.ndarray:
    """NDCG of the users who like any of some items, when only these are ranked; ties go by their order in `some`."""
    who = likes[:, some].any(axis=1)
    liked, given = likes[who][:, some], scores[who][:, some]
    order = np.argsort(-given, axis=1, kind="stable")[:, :k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    gain = np.take_along_axis(liked, order, axis=1) @ discount[: order.shape[1]]
    return gain / discount.cumsum()[np.minimum(liked.sum(axis=1), k) - 1]
