"""Texts that are nearly equal, found without comparing all of them."""

from __future__ import annotations

import re

import numpy as np
from scipy import sparse

NEAR = 0.97
WINDOW = 1500
MOST_PAIRS = 100_000  # cosines computed at once


def near_pairs(texts: list[str]) -> int:
    """How many texts have a nearly equal other: a cosine of TF-IDF of character 3-grams above .97, and the same digits.

    Parameters
    ----------
    texts : list of str
        Distinct. Near texts share most of their 3-grams, so only texts of like length are compared: those that lie
        within one or two windows of 1,500 of each other when sorted by it.

    Notes
    -----
    A pair above the bound shares one of the rare 3-grams of either text: those that remain when the commonest ones
    are taken away as long as their squared weights sum to less than .97². Only pairs that share one are compared.

    References
    ----------
    R. Bayardo, Y. Ma, R. Srikant, Scaling up all pairs similarity search, WWW 2007, section 3.

    Examples
    --------
    >>> near_pairs(["green tea from the old garden", "Green tea from the old garden", "coal"])
    2
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    if len(texts) < 2:
        return 0
    order = np.argsort([len(t) for t in texts], kind="stable")
    words = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), dtype=np.float32)
    try:
        vectors = words.fit_transform(texts)[order].tocsr()
    except ValueError:  # no 3-gram at all
        return 0
    digits = np.unique(
        [" ".join(re.findall(r"\d+", texts[i])) for i in order], return_inverse=True
    )[1]
    rare, rest = _rare(vectors)
    columns = vectors.T.tocsr()
    near = np.zeros(len(texts), bool)
    for start in range(0, len(texts), WINDOW):
        shared = (rare[start : start + WINDOW] @ columns[:, start : start + 2 * WINDOW]).tocoo()
        one, other = shared.row + start, shared.col + start
        # What they share beyond the rare ones is at most the length of the rest.
        able = (one != other) & (digits[one] == digits[other]) & (shared.data + rest[one] > NEAR)
        one, other = one[able], other[able]
        for at in range(0, len(one), MOST_PAIRS):
            i, j = one[at : at + MOST_PAIRS], other[at : at + MOST_PAIRS]
            cosine = np.asarray(vectors[i].multiply(vectors[j]).sum(axis=1)).ravel()
            near[i[cosine > NEAR]] = near[j[cosine > NEAR]] = True
    return int(near.sum())


def _rare(vectors: sparse.csr_matrix) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Each row without its commonest features, as many as stay short of the bound, and the length of these."""
    frequency = np.bincount(vectors.indices, minlength=vectors.shape[1])
    row = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
    order = np.lexsort((-frequency[vectors.indices], row))
    squares = np.cumsum(vectors.data[order].astype(np.float64) ** 2)
    reached = squares - np.r_[0.0, squares][vectors.indptr[:-1]][row]
    kept = reached > NEAR**2 - 1e-4  # a little less, for sums in single precision
    cells = (vectors.data[order][kept], (row[kept], vectors.indices[order][kept]))
    dropped = np.bincount(
        row[~kept], vectors.data[order][~kept].astype(np.float64) ** 2, vectors.shape[0]
    )
    return sparse.csr_matrix(cells, shape=vectors.shape), np.sqrt(dropped) + 1e-4
