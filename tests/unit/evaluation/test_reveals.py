"""Numbers that texts and columns reveal: what is not given is no number and no error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.evaluation.audit.reveals import numbers_in_text


@pytest.mark.parametrize("dtype", ["str", "object"])
def test_a_missing_text_is_no_number(dtype: str) -> None:
    column = pd.Series([f"a pen, rank: {k}" for k in range(40)] + [None, np.nan], dtype=dtype)
    ranks = numbers_in_text(column)["rank"]
    assert ranks[:40].tolist() == list(range(40)) and np.isnan(ranks[40:]).all()
