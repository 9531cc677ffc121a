"""One EASE list on MovieLens-100K, and the number that each library reports for it.

The numbers were measured with the libraries themselves (defaults, cut-off 10, lists of 100, last fifth
of each user, relevant = rating of at least 4); ours by name must reproduce all of them.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recnb.metrics import METRICS, count_relevant, hits

FOLDER = Path(os.environ.get("RECNB_DATA", "")) / "ml-100k"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        "RECNB_DATA" not in os.environ or not (FOLDER / "splits.parquet").exists(),
        reason="RECNB_DATA names no folder with ml-100k/splits.parquet",
    ),
]

REPORTED = {
    "ndcg": 0.1913,  # RePlay, recommenders, ranx, pytrec_eval, Elliot
    "recall": 0.1608,
    "average_precision": 0.1062,  # RePlay, recommenders, LensKit
    "reciprocal_rank": 0.3440,
    "average_precision_n": 0.0808,  # ranx, ir_measures, pytrec_eval, RecTools
    "reciprocal_rank_all": 0.3577,  # pytrec_eval
    "ndcg_fixed_ideal": 0.1550,  # RecTools
    "ndcg_rank2": 0.1887,  # LensKit
    "capped_recall": 0.2003,  # LensKit
    "average_precision_mean_precision": 0.1701,  # Elliot
    "average_precision_hits": 0.2995,  # torchmetrics
}


@pytest.fixture(scope="module")
def found() -> tuple[np.ndarray, np.ndarray]:
    """Hits and numbers of relevant items of the 905 users with any."""
    rows = pd.read_parquet(FOLDER / "interactions.parquet").merge(
        pd.read_parquet(FOLDER / "splits.parquet"), on=["user_id", "item_id"]
    )
    user, item = (pd.factorize(rows[c], sort=True)[0] for c in ("user_id", "item_id"))
    shape = (user.max() + 1, item.max() + 1)
    test, liked = rows["last_fifth"].to_numpy(bool), rows["rating"].to_numpy() >= 4

    def dense(mask: np.ndarray) -> np.ndarray:
        return sparse.csr_array((np.ones(mask.sum()), (user[mask], item[mask])), shape).toarray()

    train = dense(~test & liked)
    inverse = np.linalg.inv(train.T @ train + 200 * np.eye(shape[1]))  # EASE, Steck 2019
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    scores = np.where(dense(~test) > 0, -np.inf, train @ weights)
    truth = dense(test & liked)
    judged = truth.any(axis=1)
    lists = np.argsort(-scores[judged], axis=1, kind="stable")[:, :100]
    relevant = sparse.csr_array(truth[judged])
    return hits(lists, relevant), count_relevant(relevant)


@pytest.mark.parametrize("name", REPORTED)
def test_reproduces_what_the_library_reports(name: str, found: tuple) -> None:
    values = METRICS[name](*found, 10)
    assert len(values) == 905
    assert values.mean() == pytest.approx(REPORTED[name], abs=6e-5)


@pytest.mark.parametrize(("name", "value"), [("ndcg", 0.2223), ("recall", 0.2436)])
def test_torchmetrics_knows_only_the_recommended_rows(
    name: str, value: float, found: tuple
) -> None:
    """It takes the relevant items among the 100 recommended ones for all there are."""
    listed = np.maximum(found[0].sum(axis=1), 1)
    assert METRICS[name](found[0], listed, 10).mean() == pytest.approx(value, abs=6e-5)
