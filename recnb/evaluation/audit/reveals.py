"""Columns, texts, orders and vectors that know the accidents of the test rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import rankdata

from recnb.evaluation.audit.accident import FEW_LEVELS, divides
from recnb.evaluation.audit.facts import Facts
from recnb.evaluation.audit.material import Material
from recnb.evaluation.findings import Finding

MEND = "let no model read it unless it is older than the test rows"
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"([^\W\d_]+)\W{0,3}(\d[\d,]*(?:\.\d+)?)")


def audit_revealed(material: Material) -> list[Finding]:
    """Findings about both tables: what was made from the test rows, by value and not by name."""
    out = []
    for axis in ("item", "user"):
        facts = material.facts[axis]
        for what, code, x in numbers_of(facts):
            told = facts.reveals(x)
            if told is not None:
                target, left = told
                evidence = (
                    f"{what} tells {target} better than anything older could: the squared error of a "
                    f"guess from it is {left:.0%} of what chance alone would leave"
                )
                n = int((~np.isnan(x)).sum())
                severity = "warning" if code == "order_reveals" else "error"
                out.append(Finding(code, severity, 1 - left, n, evidence, MEND))
        out += _dividing_levels(facts) + _dividing_words(facts, material.word_tables[axis])
    return out


def numbers_of(facts: Facts) -> Iterator[tuple[str, str, np.ndarray]]:
    """Every number per unit that a table holds: (in words, code of the finding, values with NaN)."""
    table, axis = facts.table, facts.axis
    yield (
        f"the order of the {axis}s table",
        "order_reveals",
        np.arange(len(table), dtype=float),
    )
    ids = pd.Series(table.index.astype(str)).str.extract(r"(\d{1,15})$")[0].astype(float)
    if ids.notna().mean() > 0.9:
        yield f"the number in the {axis} ids", "order_reveals", ids.to_numpy()
    for column in table.columns:
        values = as_numbers(table[column])
        if values is not None:
            yield f"{axis} column '{column}'", "column_reveals", values
        elif not pd.api.types.is_bool_dtype(table[column]):
            for word, inside in numbers_in_text(table[column]).items():
                yield (
                    f"the number after '{word}' in {axis} column '{column}'",
                    "text_reveals",
                    inside,
                )
    if axis == "item":
        yield from _of_vectors(facts)


def as_numbers(column: pd.Series) -> np.ndarray | None:
    """A column as floats with NaN: numbers, numbers in text, dates; None where it is none of these."""
    if pd.api.types.is_bool_dtype(column) or not len(column):
        return None
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.astype("int64").where(column.notna()).to_numpy(dtype=float)
    if not pd.api.types.is_numeric_dtype(column):
        head = column.dropna().astype(str).head(50)
        if not len(head) or pd.to_numeric(head, errors="coerce").notna().mean() <= 0.9:
            return None
        column = column.astype(object).where(column.notna())
    values: Any = pd.to_numeric(column, errors="coerce").astype(float)
    values = values.to_numpy(na_value=np.nan)
    return None if np.isfinite(values).sum() < 30 else np.where(np.isfinite(values), values, np.nan)


def numbers_in_text(column: pd.Series) -> dict[str, np.ndarray]:
    """Numbers that stand behind the same word in many texts: "sales rank: 1,204" becomes a column "rank"."""
    out: dict[str, np.ndarray] = {}
    for at, text in enumerate(column.astype("string").fillna("")):
        if not _DIGIT.search(text):
            continue
        for word, number in _NUMBER.findall(text[:5000])[:50]:
            name = word.lower()
            if name not in out:
                if len(out) > 2000:
                    continue
                out[name] = np.full(len(column), np.nan)
            if np.isnan(out[name][at]):
                out[name][at] = float(number.replace(",", ""))
    return {word: x for word, x in out.items() if (~np.isnan(x)).sum() >= max(30, 0.2 * len(x))}


def _of_vectors(facts: Facts) -> Iterator[tuple[str, str, np.ndarray]]:
    """Lengths of vectors, and what a linear model tells from them about the test counts (cross-validated)."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import cross_val_predict

    ds = facts.task.dataset
    for name, media in ds.media.items():
        if media.vectors is None:
            continue
        codes = ds.items.index.get_indexer(pd.Index(media.ids))
        inside = codes >= 0
        codes, vectors = codes[inside], np.asarray(media.vectors, float)[inside]
        if len(codes) < 50:
            continue
        length = np.full(ds.n_items, np.nan)
        length[codes] = np.linalg.norm(vectors, axis=1)
        if np.nanstd(length) > 1e-4 * np.nanmean(length):
            yield f"the length of vector '{name}'", "vectors_reveal", length
        linear = np.full(ds.n_items, np.nan)
        scaled = vectors / max(vectors.std(), 1e-12)
        linear[codes] = cross_val_predict(Ridge(1.0), scaled, np.sqrt(facts.test[codes]), cv=5)
        yield f"vector '{name}', read by a linear model,", "vectors_reveal", linear


def _dividing_levels(facts: Facts) -> list[Finding]:
    """Columns of few values that put the test counts in bands."""
    out = []
    for column in facts.table.columns:
        values = facts.table[column]
        if values.map(lambda v: isinstance(v, (list, dict, set, np.ndarray))).any():
            continue
        levels, names = pd.factorize(values)
        if not 2 <= len(names) <= FEW_LEVELS:
            continue
        share = divides(levels, facts.known, facts.test)
        if share is not None:
            evidence = (
                f"the {len(names)} values of {facts.axis} column '{column}' are bands of the test counts: {share:.1%} "
                "of the pairs from two bands are in order, the known counts overlap"
            )
            out.append(Finding("column_reveals", "error", share, len(levels), evidence, MEND))
    return out


def _dividing_words(facts: Facts, table: sparse.csr_matrix) -> list[Finding]:
    """Words that stand on just the most (or least) tested units: bands of the test counts, written into a text."""
    used = np.flatnonzero(facts.known + facts.test > 0)
    if len(used) < 40 or facts.test.sum() < 100:
        return []
    cells = table[used]
    size = np.asarray(cells.sum(axis=0)).ravel()
    wide = (size >= max(8, 0.02 * len(used))) & (size <= len(used) - 8)
    cells, size = cells[:, wide], size[wide]

    def order(counts: np.ndarray) -> np.ndarray:
        """Share of pairs (with the word, without) in which the one with it has more; further from one half is surer."""
        above = cells.T @ rankdata(counts[used]) - size * (size + 1) / 2
        return np.abs(above / (size * (len(used) - size)) - 0.5) + 0.5

    told = (order(facts.test) > 0.985) & (order(facts.known) < 0.95)
    if not told.any():
        return []
    evidence = (
        f"{told.sum():,} words in the texts of {facts.axis}s stand on just the most or the least tested ones, "
        "while the known counts overlap: they are bands of the test counts"
    )
    return [
        Finding("text_reveals", "error", float(told.sum()), int(size[told].sum()), evidence, MEND)
    ]
