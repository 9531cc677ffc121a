"""Rows of a tree: every continuation stands in them whole, and sees itself alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recnb.encoders.decoder.packing import pack, pack_sequence, shared_length, tree_mask
from recnb.errors import InputError

ROWS = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=6), min_size=1, max_size=12)


def branch(packed, mask, row: int, place: int) -> list[int]:
    """What a token sees, itself included: the tokens of its branch in order."""
    return packed.ids[row][mask[row, place]].tolist()


@given(ROWS, st.integers(1, 9), st.integers(1, 10), st.data())
def test_every_target_is_predicted_by_what_stands_before_it(rows, prefix, row_tokens, data):
    scored = [data.draw(st.integers(1, len(row))) for row in rows]
    packed = pack(rows, prefix, scored, row_tokens=row_tokens)
    mask, width = tree_mask(packed), packed.ids.shape[1]
    assert packed.counts.tolist() == scored
    for k, (ids, n) in enumerate(zip(rows, scored)):
        edges = packed.pairs[packed.pairs[:, 0] == k, 1]
        assert packed.targets[edges].tolist() == ids[len(ids) - n :]
        for edge, depth in zip(edges, range(len(ids) - n, len(ids))):
            source = packed.sources[edge]
            if depth == 0:
                assert source == -1
                continue
            row, place = divmod(source, width)
            assert branch(packed, mask, row, place) == ids[:depth]
            assert packed.positions[row, place] == prefix + depth - 1


@given(ROWS)
def test_one_row_reads_each_beginning_once(rows):
    packed = pack(rows, 1, row_tokens=None)
    inner = {tuple(row[:k]) for row in rows for k in range(1, len(row))}
    assert packed.n_tokens == len(inner)
    assert len(packed.targets) == len(
        {tuple(row[:k]) for row in rows for k in range(1, len(row) + 1)}
    )


@given(ROWS, st.integers(1, 10))
def test_rows_stay_within_their_tokens_unless_one_continuation_is_longer(rows, row_tokens):
    packed = pack(rows, 1, row_tokens=row_tokens)
    assert packed.ids.shape[1] <= max(row_tokens, *(len(row) - 1 for row in rows))


def test_padding_sees_nothing_and_is_seen_by_nothing():
    packed = pack([[1, 2, 3, 9], [4, 9], [5, 9]], 1, row_tokens=3)
    mask, there = tree_mask(packed), packed.ends > 0
    assert not there.all()
    assert not mask[~there].any() and not mask.transpose(0, 2, 1)[~there].any()


def test_the_sequence_of_a_step():
    one = pack_sequence([7, 8], [[1, 2, 3], [1, 4]], scored=[1, 1])
    assert one.targets.tolist() == [3, 4]
    assert one.input_ids[one.rows].tolist() == [2, 1]
    assert one.mask.sum(axis=1).tolist() == (one.position_ids + 1).tolist()
    alone = pack_sequence([7], [[1]])
    assert (alone.input_ids.tolist(), alone.rows.tolist(), alone.targets.tolist()) == (
        [7],
        [0],
        [1],
    )


@pytest.mark.parametrize(
    ("rows", "scored"), [([[]], None), ([[1], []], None), ([[1, 2]], [3]), ([[1, 2]], [0])]
)
def test_what_has_nothing_to_score_is_refused(rows, scored):
    with pytest.raises(InputError, match="at least one token"):
        pack(rows, 1, scored)
    with pytest.raises(InputError, match="empty prefix"):
        pack_sequence([], [[1]])


@given(ROWS)
def test_what_all_begin_with(rows):
    n = shared_length(rows)
    assert len({tuple(row[:n]) for row in rows}) == 1
    assert n == min(map(len, rows)) or len({tuple(row[: n + 1]) for row in rows}) > 1
    assert np.isscalar(n)
