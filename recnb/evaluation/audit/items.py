"""Checks of the items table: the same thing twice, and columns or text that know the answer."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from recnb.data.text import clean
from recnb.evaluation.audit.accident import knows_counts
from recnb.evaluation.audit.material import Material, left_out
from recnb.evaluation.audit.near import near_pairs
from recnb.evaluation.findings import Finding
from recnb.evaluation.protocol import Task

COARSE = 0.2  # where more items than this share have a twin, the words name kinds, not things
MARGIN = 0.05
MOST_ITEMS = 30_000
_AGGREGATE = re.compile(
    r"(average|mean|avg|rating|votes|num_|n_|count|popularity|sales|rank|score|likes)"
)
_DATED = re.compile(r"(year|date|published|release|created|timestamp)")


def audit_items(material: Material) -> list[Finding]:
    """Findings about the items of a data set, seen beside its split."""
    task = material.task
    return [
        *duplicate_items(task, material.texts),
        *revealing_columns(task),
        *revealing_text(task, material.texts),
        *dated_later(task),
    ]


def duplicate_items(task: Task, texts: list[str] | None) -> list[Finding]:
    """Used items that share their whole text (and every other word-like column), or nearly so."""
    ds = task.dataset
    if texts is None:
        return []
    used = np.bincount(ds.interactions["item"], minlength=ds.n_items) > 0
    # Two products may share a sentence and differ in a column (size, maker): then they are two.
    others = [
        c for c in ds.items.columns if c not in ("title", "text") and not _AGGREGATE.search(str(c))
    ]
    rest = ["|".join(map(str, row)) for row in ds.items[others].itertuples(index=False)]
    key = pd.Series([re.sub(r"\W+", " ", t.lower()).strip() for t in texts])
    full = (key + "|" + pd.Series(rest))[used & (key != "").to_numpy()]
    twice = full.duplicated(keep=False)
    out = []
    n = int(twice.sum())
    if n and n / used.sum() > COARSE:
        out.append(_coarse(n, n / used.sum(), int(full[twice].nunique())))
    elif n:
        examples = ", ".join(f"'{ds.item_ids[i]}'" for i in full.index[twice][:3])
        out.append(
            Finding(
                "duplicate_items",
                "warning" if n > 0.01 * used.sum() or n >= 10 else "note",
                n / used.sum(),
                n,
                f"{n:,} used items share their text with another one ({examples}, ...)",
                "merge them, or a hit on the twin counts as a miss",
            )
        )
    editions = _editions([t for t, u, k in zip(texts, used, key) if u and k])
    distinct = list(dict.fromkeys(t for t in key[used] if t))
    if len(distinct) > MOST_ITEMS:
        evidence = f"nearly equal texts were looked for among {MOST_ITEMS:,} of {len(distinct):,}"
        out.append(left_out(evidence, 1 - MOST_ITEMS / len(distinct), len(distinct) - MOST_ITEMS))
    near = max(near_pairs(distinct[:MOST_ITEMS]), editions)
    if near:
        out.append(
            Finding(
                "near_duplicate_items",
                "warning" if editions > max(10, 0.02 * used.sum()) else "note",
                near / used.sum(),
                near,
                f"{near:,} used items have another whose text is almost the same: equal but for words in "
                f"brackets ({editions:,}), or nearly the same letters and equal numbers",
                "look whether they are one thing",
            )
        )
    return out


def _coarse(n: int, share: float, groups: int) -> Finding:
    """Most items have a twin: the table says what kind a thing is, not which one."""
    return Finding(
        "coarse_text",
        "note",
        share,
        n,
        f"{n:,} used items ({share:.0%}) share text and columns with another one, in {groups:,} groups: "
        "the words name kinds of things, not single ones",
        "a model that reads the text cannot tell them apart; read its values as an answer about kinds",
    )


def _editions(texts: list[str]) -> int:
    """Items whose text is another's but for words in brackets: "Title" and "Title (new edition)"."""
    whole = pd.Series(texts).str.lower()
    # A year or a number in brackets tells two things apart, and stays.
    bare = whole.str.replace(r"[(\[][^)\]\d]*[)\]]", " ", regex=True)
    key = bare.str.replace(r"\W+", " ", regex=True).str.strip()
    twice = key[key != ""].duplicated(keep=False)
    plain = whole.str.replace(r"\W+", " ", regex=True).str.strip()
    same = plain.duplicated(keep=False)  # counted as duplicates already
    return int((twice & ~same[twice.index]).sum())


def _targets(task: Task) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """What could be revealed: (known values, test values, items that have both), by name."""
    ds = task.dataset
    known, test = task.split.known.interactions, task.split.test.interactions
    a = np.bincount(known["item"], minlength=ds.n_items).astype(float)
    b = np.bincount(test["item"], minlength=ds.n_items).astype(float)
    out = {"how often it is tested": (a, b, a > 0)}
    if ds.feedback == "explicit":
        known, test = known[known["rating"].notna()], test[test["rating"].notna()]
        n, m = (np.bincount(t["item"], minlength=ds.n_items) for t in (known, test))
        with np.errstate(invalid="ignore"):
            a = np.bincount(known["item"], known["rating"], ds.n_items) / n
            b = np.bincount(test["item"], test["rating"], ds.n_items) / m
        out["its mean test rating"] = (a, b, (n >= 3) & (m >= 3))
    return out


def _corr(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 30 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(spearmanr(x, y).statistic)


def clearly_above(theirs: float, ours: float, n: int) -> bool:
    """Whether one correlation is larger than another beyond chance, many columns being looked at.

    Fisher's z of the difference above 4, as for independent samples, and larger by a margin that matters.

    Examples
    --------
    >>> clearly_above(0.37, 0.01, 47), clearly_above(0.9, 0.3, 100)
    (False, True)
    """
    ends = np.arctanh(np.clip([theirs, ours], -0.999, 0.999))
    z = (ends[0] - ends[1]) / np.sqrt(2 / max(n - 3, 1))
    return bool(theirs > ours + MARGIN and z > 4)


def revealing_columns(task: Task) -> list[Finding]:
    """Number columns that follow the test rows more closely than the known rows do, and columns that sum up people."""
    out = []
    table = task.dataset.items
    aggregates = []
    for column in table.columns:
        values: Any = (
            pd.to_numeric(table[column], errors="coerce") if _maybe_number(table[column]) else None
        )
        if values is None or values.notna().sum() < 30:
            continue
        values = values.astype(float).to_numpy(na_value=np.nan)
        if _AGGREGATE.search(str(column).lower()):
            aggregates.append(str(column))
        for what, (known, test, both) in _targets(task).items():
            kept = both & ~np.isnan(values)
            theirs, ours = abs(_corr(values[kept], test[kept])), abs(_corr(known[kept], test[kept]))
            if theirs > 0.3 and clearly_above(theirs, ours, int(kept.sum())):
                out.append(
                    Finding(
                        "column_reveals",
                        # Old and good knowledge of what is popular may do that; what only the test
                        # rows can tell is an error of audit_revealed.
                        "note",
                        theirs,
                        int(kept.sum()),
                        f"item column '{column}' follows {what} more closely (rank correlation {theirs:.2f}) than the "
                        f"known rows do ({ours:.2f})",
                        "let no model read it unless it is older than the test rows",
                    )
                )
                break
    if aggregates:
        out.append(
            Finding(
                "aggregate_column",
                "note",
                float(len(aggregates)),
                len(aggregates),
                f"item columns {', '.join(aggregates)} sum up ratings or counts and may be later than the rows",
                "use none of them as a feature unless its date is known",
            )
        )
    return out


def _maybe_number(column: pd.Series) -> bool:
    if pd.api.types.is_bool_dtype(column):
        return False
    if pd.api.types.is_numeric_dtype(column):
        return True
    head = column.dropna().head(50)
    return len(head) > 0 and bool(
        pd.to_numeric(head.astype(str), errors="coerce").notna().mean() > 0.9
    )


def revealing_text(task: Task, texts: list[str] | None) -> list[Finding]:
    """Words from which the test counts are read better than from the known counts (cross-validated ridge)."""
    if texts is None:
        return []
    known, test, both = _targets(task)["how often it is tested"]
    if both.sum() < 200 or (test[both] > 0).sum() < 100:
        return []
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold, cross_val_predict

    able = np.flatnonzero(both)
    rows = able[:MOST_ITEMS]
    words = TfidfVectorizer(min_df=2, max_features=20_000, token_pattern=r"(?u)\b\w+\b")
    try:
        vectors = words.fit_transform([clean(texts[i]) for i in rows])
    except ValueError:  # no word stands twice
        return []
    out = []
    if len(able) > MOST_ITEMS:
        evidence = f"words that tell the test counts were looked for in {MOST_ITEMS:,} of {len(able):,} texts"
        out.append(left_out(evidence, 1 - MOST_ITEMS / len(able), len(able) - MOST_ITEMS))
    y = np.log1p(test[rows])
    folds = KFold(5, shuffle=True, random_state=0)
    guess = cross_val_predict(Ridge(alpha=1.0, solver="sparse_cg"), vectors, y, cv=folds)
    users = task.split.test.interactions["user"].nunique()
    theirs, ours = _corr(guess, y), _corr(known[rows], y)
    if theirs < 0.3 or not clearly_above(theirs, ours, len(rows)):
        return out
    return [
        *out,
        Finding(
            "text_reveals",
            "note"
            if knows_counts(_of_rows(guess, rows, len(known)), known, test, users) is None
            else "error",
            theirs,
            len(rows),
            f"from the words of the items their test counts are told better (rank correlation {theirs:.2f}, "
            f"cross-validated) than from the known counts ({ours:.2f})",
            "build the text from what was written before the test (tags of training users, for example)",
        ),
    ]


def _of_rows(values: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """Values of some items among all, NaN elsewhere."""
    out = np.full(n, np.nan)
    out[rows] = values
    return out


def dated_later(task: Task) -> list[Finding]:
    """Items that were used before the date they carry."""
    ds = task.dataset
    if "timestamp" not in ds.interactions:
        return []
    first = ds.interactions.groupby("item")["timestamp"].min()
    out = []
    for column in ds.items.columns:
        if not _DATED.search(str(column).lower()) or not _maybe_number(ds.items[column]):
            continue
        values: Any = pd.to_numeric(ds.items[column], errors="coerce").astype(float)
        values = values.to_numpy(na_value=np.nan)[first.index]
        if np.nanmedian(values) < 3000:  # years
            when = pd.to_datetime(first.to_numpy(), unit="s").year.to_numpy()
        else:
            when = first.to_numpy()
        late = values > when
        if late.sum() > max(5, 0.01 * len(when)):
            out.append(
                Finding(
                    "dated_later",
                    "warning",
                    float(late.mean()),
                    int(late.sum()),
                    f"{late.sum():,} items were used before their '{column}'",
                    "the column was written later, or is wrong: do not let a model read it",
                )
            )
    return out
