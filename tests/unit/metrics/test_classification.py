"""Yes-or-no measures: by hand, at the edges, calibration bins, and AUC with users resampled."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recnb.errors import InputError
from recnb.metrics import classification as c
from recnb.metrics import clustered

TRUE = [1, 1, 1, 0, 0, 0, 0, 0]
SCORE = [0.9, 0.6, 0.2, 0.8, 0.5, 0.4, 0.1, 0.0]  # at 0.5: TP 2, FN 1, FP 2, TN 3


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (c.accuracy, 5 / 8),
        (c.precision, 2 / 4),
        (c.recall, 2 / 3),
        (c.f1, 4 / 7),
        (c.roc_auc, (5 + 4 + 2) / 15),  # false rows below 0.9, 0.6 and 0.2
    ],
)
def test_hand_worked(metric, value: float) -> None:
    assert metric(TRUE, SCORE) == pytest.approx(value, abs=1e-12)
    assert metric([1, 0], [0.9, 0.1]) == 1


def test_threshold_is_included() -> None:
    assert c.recall([1, 0], [0.5, 0.1], threshold=0.5) == 1
    assert c.recall([1, 0], [0.5, 0.1], threshold=0.6) == 0


def test_undefined_is_nan_not_zero() -> None:
    assert np.isnan(c.precision([1, 0], [0.1, 0.1]))
    assert np.isnan(c.recall([0, 0], [0.9, 0.1]))
    assert np.isnan(c.f1([0, 0], [0.1, 0.1]))
    assert np.isnan(c.roc_auc([1, 1], [0.1, 0.2]))


def test_log_loss_by_hand() -> None:
    expected = -(np.log(0.8) + np.log(1 - 0.3)) / 2
    assert c.log_loss([1, 0], [0.8, 0.3]) == pytest.approx(expected, abs=1e-12)
    assert np.isfinite(c.log_loss([1], [0.0]))


def test_ece_by_hand() -> None:
    true, probability = [0, 1, 1, 1], [0.1, 0.3, 0.6, 1.0]
    # width: (0.1, 0.3: mean 0.2, half true), (0.6, 1.0: mean 0.8, all true)
    assert c.ece(true, probability, bins=2) == pytest.approx((0.3 + 0.2) / 2, abs=1e-12)
    # mass, four bins of one row each
    expected = (0.1 + 0.7 + 0.4 + 0.0) / 4
    assert c.ece(true, probability, bins=4, kind="mass") == pytest.approx(expected, abs=1e-12)
    assert c.ece(true, probability, bins=1) == pytest.approx(abs(0.75 - 0.5), abs=1e-12)


def test_ece_is_small_where_calibrated_and_large_where_not() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(50_000)
    true = rng.random(50_000) < p
    for kind in ("width", "mass"):
        assert c.ece(true, p, kind=kind) < 0.015
        assert c.ece(true, p**3, kind=kind) > 0.15


def test_tied_probabilities_share_a_bin() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 100)
    one = c.ece(true, np.full(100, 0.3), kind="mass")
    assert one == pytest.approx(abs(true.mean() - 0.3), abs=1e-12)


def test_grouped_auc_equals_scikit_learn_on_every_resample() -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 12, 150)
    true, score = rng.integers(0, 2, 150), rng.integers(0, 20, 150) / 20  # with ties
    ours = c.grouped_auc(true, score, groups, draws=1000, seed=5)
    low, high = clustered(
        lambda w: roc_auc_score(true, score, sample_weight=w), groups, draws=1000, seed=5
    )
    assert ours.value == pytest.approx(roc_auc_score(true, score), abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-12)
    assert ours.low < ours.value < ours.high
    assert (ours.n_users, ours.n_rows) == (12, 150)


def test_resampling_users_is_wider_than_resampling_rows() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 30)
    taste = rng.normal(size=20)[groups]  # shared by all rows of a user
    true = rng.random(600) < 1 / (1 + np.exp(-2 * taste))
    score = taste + rng.normal(size=20)[groups]
    users = c.grouped_auc(true, score, groups, draws=1000)
    rows = c.grouped_auc(true, score, np.arange(600), draws=1000)
    assert users.value == rows.value
    assert users.high - users.low > 2 * (rows.high - rows.low)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: c.accuracy([1, 2], [0.1, 0.2]), "row 2: the truth is"),
        (lambda: c.accuracy([1, 0], [0.1, np.nan]), "row 2: the score is nan"),
        (lambda: c.accuracy([1], [0.1, 0.2]), "shape"),
        (lambda: c.log_loss([1, 0], [0.1, 1.2]), "row 2: the probability is 1.2"),
        (lambda: c.ece([1, 0], [0.1, 0.2], kind="other"), "kind 'other'"),  # type: ignore[arg-type]
        (lambda: c.grouped_auc([1, 1], [0.1, 0.2], [0, 1]), "one class"),
        (lambda: c.grouped_auc([1, 0], [0.1, 0.2], [0]), "1 groups stand beside 2 rows"),
        (lambda: c.grouped_auc([1, 0], [0.1, 0.2], ["a", "b"]), "resamples have no value"),
    ],
)
def test_wrong_input(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
