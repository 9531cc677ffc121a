"""Lists from vectors and texts in the plainest way: the items most like the mean of what a user had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.evaluation.audit.material import Material
from recnb.evaluation.audit.reference import better_than_known
from recnb.evaluation.findings import Finding

MANY_COLUMNS = 8  # number columns of one name that make a vector


def audit_vectors(material: Material) -> list[Finding]:
    """Findings about vectors and texts of items, read in the plainest way: the mean of what the user had."""
    reference = material.reference
    if not len(reference.users):
        return []
    lists = dict(vector_lists(material, reference.users, reference.k))
    return better_than_known(reference, lists)


def vector_lists(
    material: Material, users: np.ndarray, k: int
) -> Iterator[tuple[str, sparse.csr_matrix]]:
    """The `k` items that are most like the mean of a user's known items: (vectors in words, lists)."""
    task, history = material.task, material.known[users]
    for name, vectors in _vectors(material):
        if sparse.issparse(vectors):
            length = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
            unit = sparse.diags(1 / np.maximum(length, 1e-12)) @ vectors
            scores = ((history @ unit) @ unit.T).toarray()
        else:
            unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            scores = (history @ unit) @ unit.T
        if task.excluded is not None:
            scores[task.excluded[users].nonzero()] = -np.inf
        k = min(k, scores.shape[1])
        top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        cells = (np.ones(top.size, np.float32), (np.repeat(np.arange(len(users)), k), top.ravel()))
        yield f"the mean {name} of a user's items", sparse.csr_matrix(cells, shape=scores.shape)


def _vectors(material: Material) -> Iterator[tuple[str, Any]]:
    ds = material.task.dataset
    for name, media in ds.media.items():
        if media.vectors is not None:
            table, _ = media.table(ds.item_ids)
            yield f"vector '{name}'", np.asarray(table, np.float32)
    numbers: dict[str, list[str]] = {}
    for column in ds.items.columns:
        if pd.api.types.is_float_dtype(ds.items[column]):
            numbers.setdefault(str(column).rstrip("0123456789"), []).append(column)
    for stem, columns in numbers.items():
        if len(columns) >= MANY_COLUMNS:
            yield (
                f"vector in the columns '{stem}…'",
                ds.items[columns].fillna(0).to_numpy(np.float32),
            )
    texts = material.texts
    if texts is None:
        return
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        yield (
            "text",
            TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", dtype=np.float32).fit_transform(texts),
        )
    except ValueError:  # no word at all
        return
