"""The mix of categories in a user's rows: how broad it is, and how it changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from recnb.data.dataset import Dataset
from recnb.errors import InputError

Floats = NDArray[np.float64]

# Looked for in this order where no column is named.
CATEGORY_COLUMNS = (
    "category",
    "categories",
    "genres",
    "genre",
    "topic",
    "style",
    "department",
    "type",
)


def item_categories(ds: Dataset, column: str | None = None) -> tuple[sparse.csr_matrix, list[str]]:
    """Which categories an item is of; an item of m categories has the share 1 / m in each.

    Parameters
    ----------
    ds : Dataset
    column : str, optional
        A column of the items table with text or lists; text is divided at "|", ";" and ", ". None takes the first
        of :data:`CATEGORY_COLUMNS` that the table has.

    Returns
    -------
    shares : csr_matrix of shape (n_items, n_categories), float64
        A row without a category is empty.
    names : list of str
        Sorted.

    Raises
    ------
    InputError
        The named column is missing, or none is named and the table has none of the usual ones.

    References
    ----------
    Steck, Calibrated recommendations, RecSys 2018, section 3 (equal shares p(g|i)).

    Examples
    --------
    >>> items = pd.DataFrame({"item_id": [1, 2], "genres": ["Comedy|Crime", "Crime"]})
    >>> ds = Dataset.from_frames(pd.DataFrame({"user_id": ["a", "a"], "item_id": [1, 2]}), items)
    >>> shares, names = item_categories(ds)
    >>> names, shares.toarray()
    (['Comedy', 'Crime'], array([[0.5, 0.5],
           [0. , 1. ]]))
    """
    if column is None:
        column = next((c for c in CATEGORY_COLUMNS if c in ds.items), None)
    if column is None or column not in ds.items:
        raise InputError(
            "the items have no column of categories"
            if column is None
            else f"the items have no column '{column}'",
            column=column or "category",
            mend=f"name one of {', '.join(map(str, ds.items.columns)) or 'them (there are none)'}",
        )
    told = [sorted(_parts(value)) for value in ds.items[column]]
    names = sorted({name for parts in told for name in parts})
    place = {name: at for at, name in enumerate(names)}
    lengths = np.array([len(parts) for parts in told], dtype=np.int64)
    columns = np.array([place[name] for parts in told for name in parts], dtype=np.int64)
    values = np.repeat(1.0 / np.maximum(lengths, 1), lengths)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return sparse.csr_matrix((values, columns, starts), shape=(ds.n_items, len(names))), names


def category_mix(ds: Dataset, column: str | None = None) -> tuple[sparse.csr_matrix, list[str]]:
    """How many of a user's rows fall in each category, repeats counted: csr (n_users, n_categories).

    Examples
    --------
    >>> items = pd.DataFrame({"item_id": [1, 2], "genre": ["Comedy", "Crime"]})
    >>> ds = Dataset.from_frames(pd.DataFrame({"user_id": ["a", "a", "b"], "item_id": [1, 2, 2]}), items)
    >>> category_mix(ds)[0].toarray()
    array([[1., 1.],
           [0., 1.]])
    """
    shares, names = item_categories(ds, column)
    every = np.ones(len(ds.interactions), bool)
    return sparse.csr_matrix(_counts(ds, every) @ shares), names


def entropy(mix: sparse.csr_matrix | Floats) -> Floats:
    """Shannon entropy of each row's shares in bits: -sum of p log2 p; NaN for a row of zeros.

    0 where all is of one category, log2(n) where n categories are equally frequent. Estimated from few rows it is
    too low: compare users of like activity.

    Examples
    --------
    >>> entropy(np.array([[2.0, 2.0], [3.0, 0.0], [0.0, 0.0]]))
    array([ 1.,  0., nan])
    """
    counts = sparse.csr_matrix(mix, dtype=np.float64)
    total = np.asarray(counts.sum(axis=1)).ravel()
    # H = log2 N - (1/N) sum of n log2 n, so zeros need no care.
    logs = counts.copy()
    logs.data = counts.data * np.log2(np.where(counts.data > 0, counts.data, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = np.log2(total) - np.asarray(logs.sum(axis=1)).ravel() / total
    return np.where(total > 0, np.maximum(bits, 0.0), np.nan)


def js_distance(first: sparse.csr_matrix, second: sparse.csr_matrix) -> Floats:
    """Jensen-Shannon distance of two mixes, row by row: sqrt(H((p + q) / 2) - (H(p) + H(q)) / 2), from 0 to 1.

    References
    ----------
    Endres and Schindelin, A new metric for probability distributions, IEEE TIT 49(7), 2003.

    Examples
    --------
    >>> p, q = sparse.csr_matrix([[4.0, 0.0], [2.0, 2.0]]), sparse.csr_matrix([[0.0, 1.0], [3.0, 3.0]])
    >>> js_distance(p, q)
    array([1., 0.])
    """
    p, q = _shares(first), _shares(second)
    divergence = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
    return np.sqrt(np.clip(divergence, 0, 1))  # NaN stays NaN


def drift(
    ds: Dataset, column: str | None = None, min_rows: int = 10, shuffles: int = 5, seed: int = 0
) -> pd.DataFrame:
    """How far a user's mix of categories moved from the early to the late half of the rows.

    Parameters
    ----------
    ds : Dataset with a timestamp or position
    column : str, optional
        See :func:`item_categories`.
    min_rows : int
        A half with fewer rows says nothing: NaN.
    shuffles : int
        How many random orders the excess is taken against; 0 leaves it NaN.
    seed : int

    Returns
    -------
    DataFrame indexed by user_id
        `drift`: the Jensen-Shannon distance of the two halves, 0 (the same mix) to 1 (nothing in common).
        `drift_excess`: drift less its mean over random orders of the same rows. Two halves differ by chance
        alone, the more so the fewer rows they have; only the excess speaks of time. NaN as said above, and
        everywhere without an order.

    Notes
    -----
    The early half ends before the moment of row n // 2 (from 0), so that rows of one moment (a basket) stay
    together, in the random orders as well.

    Examples
    --------
    First only tea, then only rice: nothing in common.

    >>> rows = pd.DataFrame({"user_id": list("aaaa"), "item_id": [1, 1, 2, 2], "timestamp": [1, 2, 3, 4]})
    >>> items = pd.DataFrame({"item_id": [1, 2], "category": ["Tea", "Rice"]})
    >>> float(drift(Dataset.from_frames(rows, items), min_rows=2)["drift"].iloc[0])
    1.0
    """
    shares, _ = item_categories(ds, column)
    out = pd.DataFrame(np.nan, index=ds.users.index, columns=["drift", "drift_excess"])
    if ds.order is None or ds.interactions.empty:
        return out
    users = ds.interactions["user"].to_numpy()
    moments = _runs(users, ds.interactions[ds.order].to_numpy())
    out["drift"] = found = _half_distance(ds, shares, _early(users, moments), min_rows)
    rng = np.random.default_rng(seed)
    by_chance = []
    for _ in range(shuffles):
        order = np.lexsort((rng.permutation(moments[-1] + 1)[moments], users))
        early = np.empty(len(users), bool)
        early[order] = _early(users, moments[order])
        by_chance.append(_half_distance(ds, shares, early, min_rows))
    if by_chance:
        told = np.isfinite(by_chance)  # an order may leave a half too short
        with np.errstate(invalid="ignore"):
            out["drift_excess"] = found - np.where(told, by_chance, 0).sum(0) / told.sum(0)
    return out


def _half_distance(
    ds: Dataset, shares: sparse.csr_matrix, early: NDArray[np.bool_], min_rows: int
) -> Floats:
    one, two = (sparse.csr_matrix(_counts(ds, half) @ shares) for half in (early, ~early))
    users = ds.interactions["user"].to_numpy()
    rows = [np.bincount(users[half], minlength=ds.n_users) for half in (early, ~early)]
    return np.where(np.minimum(*rows) >= max(min_rows, 1), js_distance(one, two), np.nan)


def _early(users: NDArray, moments: NDArray) -> NDArray[np.bool_]:
    """Rows (sorted by user) before the moment of their user's middle row."""
    at = np.arange(len(users))
    first = np.r_[True, users[1:] != users[:-1]]
    start = np.flatnonzero(first)
    number = np.cumsum(first) - 1
    middle = start + np.diff(np.r_[start, len(users)]) // 2
    opens = np.maximum.accumulate(np.where(np.r_[True, moments[1:] != moments[:-1]], at, 0))
    return at < opens[middle][number]


def _runs(users: NDArray, times: NDArray) -> NDArray[np.int64]:
    """Number of each run of rows of one user at one moment."""
    new = (users[1:] != users[:-1]) | (times[1:] != times[:-1])
    return np.concatenate([[0], np.cumsum(new)])


def _counts(ds: Dataset, mask: NDArray[np.bool_]) -> sparse.csr_matrix:
    rows = ds.interactions
    u, i = rows["user"].to_numpy()[mask], rows["item"].to_numpy()[mask]
    return sparse.csr_matrix((np.ones(len(u)), (u, i)), shape=(ds.n_users, ds.n_items))


def _shares(mix: sparse.csr_matrix) -> sparse.csr_matrix:
    total = np.asarray(mix.sum(axis=1)).ravel()
    scale = np.divide(1.0, total, out=np.zeros(len(total)), where=total > 0)
    return sparse.csr_matrix(sparse.diags(scale) @ mix)


def _parts(value: object) -> set[str]:
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return {str(v).strip() for v in value if str(v).strip()}
    if value is None or value is pd.NA or value != value:
        return set()
    text = str(value).replace(";", "|").replace(", ", "|")
    return {part.strip() for part in text.split("|") if part.strip()}
