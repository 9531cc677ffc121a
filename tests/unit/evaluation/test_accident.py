"""The monotone curve of the audit is scikit-learn's isotonic regression, cross-validated, in a tenth of the time."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from recnb.evaluation.audit.accident import FOLDS, monotone


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("levels", [3, 20, 10**6])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_curve_is_that_of_scikit_learn(sign: int, levels: int, weighted: bool) -> None:
    rng = np.random.default_rng(levels)
    x = rng.integers(0, levels, 200).astype(float)
    y = rng.poisson(3, 200) + 5 * sign * x / levels
    weight = rng.uniform(0.5, 3, 200) if weighted else np.ones(200)
    fold = np.random.default_rng(0).permutation(200) % FOLDS
    expected = np.empty(200)
    for out in range(FOLDS):
        held = fold == out
        curve = IsotonicRegression(increasing=sign > 0, out_of_bounds="clip")
        expected[held] = curve.fit(x[~held], y[~held], weight[~held]).predict(x[held])
    np.testing.assert_allclose(monotone(x, y, weight if weighted else None), expected, atol=1e-12)
