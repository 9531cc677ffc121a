"""List metrics against ranx and pytrec_eval, to 1e-9, on random lists without ties."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

from recnb.metrics import evaluate_lists

# ranx compiles each metric for half a minute in all; the same code interpreted takes seconds. The
# switch is read when numba is imported, so it needs a process of its own.
RANX_PROCESS = """
import json, sys
import ranx
qrels, run, names = json.load(sys.stdin)
values = ranx.evaluate(
    ranx.Qrels.from_dict(qrels), ranx.Run.from_dict(run), names, return_mean=False
)
json.dump({name: list(map(float, v)) for name, v in values.items()}, sys.stdout)
"""

# Their name -> ours. Cut-off 10 but for the uncut ones.
RANX = {
    "hit_rate@10": "hit_rate",
    "recall@10": "recall",
    "precision@10": "precision",
    "f1@10": "f1",
    "ndcg@10": "ndcg",
    "map@10": "average_precision_n",
    "mrr@10": "reciprocal_rank",
    "r-precision": "r_precision",
    "mrr": "reciprocal_rank_all",
}
PYTREC = {
    "success_10": "hit_rate",
    "recall_10": "recall",
    "P_10": "precision",
    "ndcg_cut_10": "ndcg",
    "map_cut_10": "average_precision_n",
    "recip_rank": "reciprocal_rank_all",
    "Rprec": "r_precision",
}


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, sparse.csr_array, dict, dict]:
    """200 users, lists of 50 of 300 items, one to 40 relevant items, some above the cut-off."""
    rng = np.random.default_rng(0)
    lists = np.argsort(rng.random((200, 300)), axis=1)[:, :50]
    dense = rng.random((200, 300)) < rng.choice([0.003, 0.03, 0.13], (200, 1))
    dense[np.arange(200), rng.integers(0, 300, 200)] = True
    qrels = {f"u{u:03}": {f"i{i}": 1 for i in np.flatnonzero(row)} for u, row in enumerate(dense)}
    run = {
        f"u{u:03}": {f"i{i}": float(50 - rank) for rank, i in enumerate(row)}
        for u, row in enumerate(lists)
    }
    return lists, sparse.csr_array(dense), qrels, run


@pytest.fixture(scope="module")
def ours(data: tuple) -> dict[str, np.ndarray]:
    return evaluate_lists(data[0], data[1], {*RANX.values(), *PYTREC.values()}, 10)


def test_ranx(data: tuple, ours: dict[str, np.ndarray]) -> None:
    pytest.importorskip("ranx")
    done = subprocess.run(
        [sys.executable, "-c", RANX_PROCESS],
        input=json.dumps([*data[2:], list(RANX)]),
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = json.loads(done.stdout)
    for name, mine in RANX.items():
        assert ours[mine].std() > 0.01
        np.testing.assert_allclose(ours[mine], theirs[name], rtol=0, atol=1e-9, err_msg=name)


def test_pytrec_eval(data: tuple, ours: dict[str, np.ndarray]) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval")
    _, _, qrels, run = data
    measures = {
        "success.10",
        "recall.10",
        "P.10",
        "ndcg_cut.10",
        "map_cut.10",
        "recip_rank",
        "Rprec",
    }
    theirs = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    for name, mine in PYTREC.items():
        values = [theirs[user][name] for user in qrels]
        np.testing.assert_allclose(ours[mine], values, rtol=0, atol=1e-9, err_msg=name)


def test_scikit_learn_ndcg_and_average_precision(data: tuple) -> None:
    """With whole lists: scikit-learn ranks all items and divides by all relevant ones."""
    from sklearn.metrics import average_precision_score, ndcg_score

    rng = np.random.default_rng(1)
    relevant = data[1].toarray()
    scores = rng.permuted(np.tile(np.arange(300.0), (200, 1)), axis=1)
    lists = np.argsort(-scores, axis=1)
    mine = evaluate_lists(lists, data[1], ("ndcg", "average_precision"), 300)
    cut = evaluate_lists(lists, data[1], ("ndcg",), 10)["ndcg"]
    for u in range(200):
        truth, score = relevant[u : u + 1], scores[u : u + 1]
        assert mine["ndcg"][u] == pytest.approx(ndcg_score(truth, score), abs=1e-9)
        assert cut[u] == pytest.approx(ndcg_score(truth, score, k=10), abs=1e-9)
        expected = average_precision_score(truth[0], score[0])
        assert mine["average_precision"][u] == pytest.approx(expected, abs=1e-9)
