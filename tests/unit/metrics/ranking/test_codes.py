"""Codes of ids equal pyarrow's, whatever the ids."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recnb.metrics.ranking.codes import encode

SHORT = st.text(alphabet=st.sampled_from("ab\0\x7fé漢"), max_size=2)  # up to 6 bytes


@settings(max_examples=200, deadline=None)
@given(
    ids=st.lists(st.one_of(SHORT, st.text(max_size=7)), max_size=30),
    kind=st.sampled_from([pa.string(), pa.large_string()]),
    skip=st.integers(0, 3),
)
def test_equals_pyarrow(ids: list[str], kind: pa.DataType, skip: int) -> None:
    array = pa.array(ids, type=kind)[skip:]  # a slice starts inside its buffers
    distinct, codes = encode(array)
    expected = pc.dictionary_encode(array)
    assert distinct.type == kind
    assert distinct.to_pylist() == expected.dictionary.to_pylist()
    np.testing.assert_array_equal(codes, expected.indices.to_numpy())


@pytest.mark.parametrize("ids", [["abcdefg", "abcdefgh"], [3, 1, 3], [], ["", "\0", "\0\0", ""]])
def test_edges(ids: list) -> None:
    array = pa.array(ids, type=None if ids else pa.string())
    distinct, codes = encode(array)
    assert [distinct[int(c)].as_py() for c in codes] == ids
    assert len(distinct) == len(set(ids))
