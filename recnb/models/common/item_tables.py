"""Item tables to vectors: weighted words and one-hot attributes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.linalg import svds

from recnb.data.text import Text, same_texts
from recnb.errors import InputError

_BINS = 10
_NONE = 1e-6  # of the largest singular value: what lies below is rounding
_FEW = 100  # items below which a share says nothing
_MANY = 2_000  # different texts that surely share words
_LONG = 60  # characters: a longer string is prose, not an attribute


def unit(vectors: np.ndarray | sparse.spmatrix):
    """Rows scaled to length 1; a zero row stays zero. float32.

    Examples
    --------
    >>> unit(np.array([[3., 4.], [0., 0.]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    if sparse.issparse(vectors):
        out = sparse.csr_matrix(vectors, dtype=np.float32)
        length = np.sqrt(np.asarray(out.multiply(out).sum(axis=1)).ravel())
        scale = np.divide(1, length, out=np.zeros_like(length), where=length > 0)
        out = (sparse.diags(scale) @ out).tocsr().astype(np.float32)
        out.sort_indices()
        return out
    dense = np.asarray(vectors, dtype=np.float32)
    length = np.linalg.norm(dense, axis=1, keepdims=True)
    return np.divide(dense, length, out=np.zeros_like(dense), where=length > 0)


def singular_vectors(matrix: sparse.spmatrix, k: int) -> np.ndarray:
    """Right singular vectors of the largest singular values, the same in every run.

    Returns
    -------
    ndarray of shape (n_columns, at most k), float64
        Orthonormal columns, the largest value first; fewer than `k` where the matrix has a lower rank, or is no
        larger than `k`.

    Notes
    -----
    Where the rank is below `k` or two singular values are equal, ARPACK starts again from random vectors, and a fixed
    start does not help.

    Examples
    --------
    >>> even = sparse.csr_matrix(np.repeat(np.eye(9), 4, axis=0))  # as many of each kind
    >>> bool((singular_vectors(even, 8) == singular_vectors(even, 8)).all())
    True
    >>> twice = sparse.csr_matrix(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 2.0]]))
    >>> singular_vectors(twice, 2).shape, singular_vectors(sparse.csr_matrix(np.ones((4, 3))), 2).shape
    ((3, 2), (3, 1))
    """
    given = sparse.csr_matrix(matrix, dtype=float)
    k, start = min(k, min(given.shape) - 1), np.ones(min(given.shape))
    _, values, right = svds(given, k=k, v0=start, solver="arpack")
    apart = np.diff(np.sort(values)).min(initial=np.inf) > _NONE * values.max()
    if apart and values.min() > _NONE * values.max():
        return right[::-1].T.copy()
    wide = given.shape[0] <= given.shape[1]
    gram = (given @ given.T if wide else given.T @ given).toarray()
    squares, vectors = np.linalg.eigh(gram)
    kept = np.flatnonzero(squares > (_NONE * values.max()) ** 2)[::-1][:k]
    found = vectors[:, kept]
    return given.T @ found / np.sqrt(squares[kept]) if wide else found


def item_factors(liked: sparse.csr_matrix, k: int) -> np.ndarray:
    """Right singular vectors of the training pairs: ndarray of shape (n_items, at most k), orthonormal columns."""
    if min(k, min(liked.shape) - 1) < 1:
        raise InputError(f"{liked.shape} pairs have no factors", mend="use rank=None")
    return singular_vectors(liked, k)


def tfidf_vectors(
    sentences: list[str],
    min_items: int = 2,
    max_share: float = 1.0,
    ngrams: int = 1,
    analyzer: str = "word",
    terms: np.ndarray | None = None,
    idf: np.ndarray | None = None,
) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """TF-IDF rows of sentences, with the vocabulary and weights given or learned.

    Returns
    -------
    vectors : csr_matrix of shape (n, n_terms), float32
    terms : ndarray of str objects
    idf : ndarray of shape (n_terms,), float64

    Raises
    ------
    InputError
        No term is left.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    settings = {
        "analyzer": analyzer,
        "ngram_range": (1, ngrams) if analyzer == "word" else (2, 4),
        "sublinear_tf": True,
        "dtype": np.float32,
    }
    if terms is None or idf is None:
        most = max_share * len(sentences) if len(sentences) >= _FEW else len(sentences)
        vectoriser = TfidfVectorizer(min_df=min_items, max_df=max(int(most), min_items), **settings)
        try:
            vectors = vectoriser.fit_transform(sentences)
        except ValueError:
            raise _no_terms(sentences, min_items, most) from None
        terms = vectoriser.get_feature_names_out().astype(object)
        return vectors.tocsr(), terms, np.asarray(vectoriser.idf_, dtype=np.float64)
    vectoriser = TfidfVectorizer(vocabulary=list(terms), **settings)
    vectoriser.idf_ = idf
    return vectoriser.transform(sentences).tocsr(), terms, idf


def _no_terms(sentences: list[str], min_items: int, most: float) -> InputError:
    """Why no term is left of these sentences."""
    filled = [sentence for sentence in sentences if sentence.strip()]
    if filled and len(set(filled)) == 1:
        return same_texts(filled[0], len(filled))
    return InputError(
        f"no term of the item texts stands in at least {min_items} and at most {int(most):,} of {len(sentences):,} "
        "items",
        column="text",
        mend="add text, set max_share=1 (tfidf[max_share=1]) where a few kinds are all there is, or leave it out",
    )


def check_terms(
    sentences: list[str], min_items: int, max_share: float, ngrams: int, kind: str
) -> None:
    """Raise before any fitting where no term would be left; a large catalogue of different texts is not looked at."""
    if len(set(sentences)) <= _MANY:
        tfidf_vectors(sentences, min_items, max_share, ngrams, kind)


def sentences(text: Text | None, columns: list[str], items: pd.DataFrame) -> list[str]:
    """Items as sentences of the columns chosen before, so that new items are told as the known ones are.

    Raises
    ------
    InputError
        A column that was read is missing.
    """
    _all_there(items, columns)
    template = text or Text()
    return Text(*columns, max_words=template.max_words, labels=template.labels)(items)


def _all_there(items: pd.DataFrame, columns: list[str]) -> None:
    missing = [name for name in columns if name not in items]
    if missing:
        raise InputError(
            f"the items have no column '{missing[0]}'; what is read of an item is {', '.join(columns)}",
            column=missing[0],
            mend="add it; it may be empty",
        )


def attribute_columns(
    items: pd.DataFrame, named: Sequence[str] | None = None, constant: bool = False
) -> list[str]:
    """The columns to use: those named, else all but title and text whose values repeat and are no prose.

    Parameters
    ----------
    items : DataFrame
    named : sequence of str, or str, optional
        A string is one column, or several joined by "+".
    constant : bool
        Whether columns with one value for all items are among those that are not named; they tell no items apart.

    Raises
    ------
    InputError
        A named column is missing, empty or has one value for all items, none is named, or none is left.
    """
    if named is not None:
        return _named_columns(items, named)
    found = [str(c) for c in items if c not in ("title", "text") and _repeats(items[c])]
    if not constant:
        found = [name for name in found if not _constant(items[name])]
    if not found:
        raise InputError(
            "the items have no attributes (columns beside title and text whose values repeat)",
            mend="add such columns or use tfidf",
        )
    return found


def _named_columns(items: pd.DataFrame, named: Sequence[str]) -> list[str]:
    if isinstance(named, str):
        named = [named] if named in items else [part.strip() for part in named.split("+")]
    if not any(named):
        raise InputError(
            "no column is named", mend="name some, or None for all that describe the items"
        )
    for name in named:
        if name not in items:
            raise InputError(
                f"the items have no column '{name}'", column=name, mend="name one that they have"
            )
        if not any(map(split_value, items[name])):
            raise InputError(f"'{name}' is empty", column=name, mend="fill it, or leave it out")
        if len(items) > 1 and _constant(items[name]):
            raise InputError(
                f"all items have the same value of '{name}': it tells none apart",
                column=name,
                mend="name columns whose values differ",
            )
    return list(dict.fromkeys(named))


def _constant(column: pd.Series) -> bool:
    """Whether all items have the same value, none of them none."""
    values = (set(split_value(value)) for value in column)
    first = next(values, None)
    return bool(first) and all(value == first for value in values)


def constant_remark(items: pd.DataFrame, used: list[str], named: object) -> tuple[str, ...]:
    """Which columns were left out of those not named, as they have one value for all items; a note, or none."""
    if named is not None:
        return ()
    out = [c for c in attribute_columns(items, constant=True) if c not in used]
    return (f"columns with one value for all items are not read: {', '.join(out)}",) if out else ()


def groups_of(items: pd.DataFrame, column: str) -> sparse.csr_matrix:
    """Which items share a value of a column: csr of ones (n_items, n_groups); groups of one are left out.

    Raises
    ------
    InputError
        The column is missing, no two items share a value, or all have the same.

    Examples
    --------
    >>> groups_of(pd.DataFrame({"brand": ["a", None, "b", "a"]}), "brand").toarray().ravel().tolist()
    [1.0, 0.0, 0.0, 1.0]
    """
    if column not in items:
        raise InputError(
            f"the items have no column '{column}'",
            column=column,
            mend=f"one of {', '.join(map(str, items))}",
        )
    parts = [sorted(set(split_value(v))) for v in items[column]]
    names, place = np.unique([v for row in parts for v in row], return_inverse=True)
    rows = np.repeat(np.arange(len(parts)), [len(row) for row in parts])
    shape = (len(parts), len(names))
    ones = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, place.ravel())), shape=shape)
    kept = np.flatnonzero(np.asarray(ones.sum(axis=0)).ravel() > 1)
    if not len(kept):
        raise InputError(
            f"no two items share a value of '{column}'",
            column=column,
            mend="name a column whose values repeat",
        )
    if _constant(items[column]):
        raise InputError(
            f"all items have the same value of '{column}': no list can keep them apart",
            column=column,
            mend="name a column whose values differ",
        )
    return sparse.csr_matrix(ones[:, kept])


def attribute_names(
    items: pd.DataFrame, columns: list[str]
) -> tuple[np.ndarray, np.ndarray, dict[str, list[float]]]:
    """The coordinates: their names ``column=value``, weights, and the edges of the bins of numeric columns."""
    bins: dict[str, list[float]] = {}
    for column in columns:
        if pd.api.types.is_numeric_dtype(items[column]) and items[column].nunique() > _BINS:
            edges = items[column].astype(float).quantile(np.arange(1, _BINS) / _BINS)
            bins[column] = sorted({float(e) for e in edges})
    names, df = np.unique(
        [v for row in _values(items, columns, bins) for v in set(row)], return_counts=True
    )
    return names.astype(object), 1 + np.log(len(items) / df), bins


def one_hot(
    items: pd.DataFrame,
    columns: list[str],
    names: np.ndarray,
    idf: np.ndarray,
    bins: dict[str, list[float]],
) -> sparse.csr_matrix:
    """Rows of weighted ones, csr of shape (n, n_names); values never seen are left out."""
    place = {name: i for i, name in enumerate(names)}
    rows = [sorted({place[v] for v in row if v in place}) for row in _values(items, columns, bins)]
    indices = np.array([i for row in rows for i in row], dtype=np.int32)
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return sparse.csr_matrix((idf[indices], indices, indptr), shape=(len(rows), len(names)))


def _values(items: pd.DataFrame, columns: list[str], bins: dict[str, list[float]]):
    rows: list[list[str]] = [[] for _ in range(len(items))]
    _all_there(items, columns)
    for column in columns:
        if column in bins:
            numbers = items[column].astype(float).to_numpy()
            codes = np.searchsorted(bins[column], numbers, side="right")
            parts = [[] if np.isnan(x) else [str(c)] for x, c in zip(numbers, codes)]
        else:
            parts = [split_value(v) for v in items[column]]
        for row, found in zip(rows, parts):
            row.extend(f"{column}={v}" for v in found)
    return rows


def split_value(value: object) -> list[str]:
    """The parts of an attribute: a list's members, a string between commas, bars or semicolons.

    Examples
    --------
    >>> split_value("Crime, Thriller"), split_value(["a", "b"]), split_value(None), split_value(1995.0)
    (['crime', 'thriller'], ['a', 'b'], [], ['1995'])
    """
    if isinstance(value, (list, tuple, np.ndarray)):
        return [p for v in value for p in split_value(v)]
    if value is None or value is pd.NA or value != value:
        return []
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return [p.strip().lower() for p in re.split(r"[,|;]", str(value)) if p.strip()]


def _repeats(column: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column):
        return bool(column.notna().any())
    if column.map(lambda v: isinstance(v, str) and len(v) > 3 * _LONG).mean() > 0.1:
        return False
    parts = [split_value(v) for v in column]
    flat = [p for row in parts for p in row]
    few = 0 < len(set(flat)) <= 0.5 * len(flat)
    return few and sum(map(len, flat)) <= _LONG * len(flat)
