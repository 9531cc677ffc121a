"""Batches, pooling, whitening, devices and scripts, each alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recnb.encoders.device import choose_device, choose_precision
from recnb.encoders.text.batches import pad, token_batches
from recnb.encoders.text.pooling import pool
from recnb.encoders.text.scripts import spelled_out
from recnb.encoders.text.whitening import whiten
from recnb.errors import InputError


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 100))
def test_batches_cover_each_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    sizes = np.array(sorted(lengths, reverse=True), dtype=np.int64)
    batches = token_batches(sizes, budget)
    assert [row for batch in batches for row in batch] == list(range(len(sizes)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * sizes[batch].max() <= budget


def test_pad_keeps_order() -> None:
    ids, mask = pad([[1, 2, 3], [4], [5, 6]], filler=9)
    assert ids.tolist() == [[1, 2, 3], [4, 9, 9], [5, 6, 9]]
    assert mask.sum(axis=1).tolist() == [3, 1, 2]


@pytest.mark.parametrize("how", ["mean", "first", "last"])
def test_pooling_ignores_padding_on_either_side(how: str) -> None:
    torch = pytest.importorskip("torch", reason="the extra recnb[text] is not installed")
    states = torch.randn(1, 4, 3)
    junk = torch.full((1, 2, 3), 1e6)
    alone = pool(states, torch.ones(1, 4), how)
    right = pool(torch.cat([states, junk], 1), torch.tensor([[1, 1, 1, 1, 0, 0]]), how)
    left = pool(torch.cat([junk, states], 1), torch.tensor([[0, 0, 1, 1, 1, 1]]), how)
    torch.testing.assert_close(right, alone)
    torch.testing.assert_close(left, alone)
    assert pool(states.bfloat16(), torch.ones(1, 4), how).dtype == torch.float32
    with pytest.raises(ValueError, match="unknown pooling"):
        pool(states, torch.ones(1, 4), "max")


def test_whitened_vectors_have_unit_covariance() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6)) + 5).astype(np.float32)
    white = whiten(vectors)
    assert white.dtype == np.float32
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(white, rowvar=False, bias=True), np.eye(6), atol=1e-3)
    np.testing.assert_allclose(whiten(vectors, dim=2), white[:, :2], atol=1e-5)
    np.testing.assert_allclose(whiten(vectors[:7], fit_on=vectors), white[:7], atol=1e-5)


def test_whitening_agrees_with_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    vectors = np.random.default_rng(1).normal(size=(80, 5)) * [9, 5, 3, 2, 1]
    theirs = PCA(3, whiten=True).fit_transform(vectors) * np.sqrt(80 / 79)  # they divide by n - 1
    np.testing.assert_allclose(np.abs(whiten(vectors, dim=3)), np.abs(theirs), atol=1e-5)


def test_directions_without_variance_become_zero() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(4, 16)).astype(np.float32)  # 4 vectors span 3 directions
    white = whiten(vectors)
    assert not white[:, 3:].any() and np.isfinite(white).all()
    assert not whiten(np.ones((3, 2))).any()


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: whiten(np.ones((3, 2)), np.ones((3, 4))), "needs"),
        (lambda: whiten(np.ones((1, 2))), "two vectors"),
        (lambda: whiten(np.ones((3, 2)), dim=3), "choose 1 to 2"),
        (lambda: whiten(np.array([[1.0, np.nan], [1.0, 2.0]])), "NaN"),
    ],
)
def test_whitening_refuses(call, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        call()


@pytest.mark.parametrize(
    ("capability", "precision"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")]
)
def test_bfloat16_only_where_the_gpu_has_it(
    capability: tuple[int, int], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch", reason="the extra recnb[text] is not installed")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    assert choose_device() == "cuda"
    assert choose_precision("auto", "cuda") == precision
    assert choose_precision("float32", "cuda") == "float32"
    with pytest.raises(InputError, match="not available"):
        choose_device("cuda:1")
    if precision == "float32":
        with pytest.raises(InputError, match="only emulated"):
            choose_precision("bfloat16", "cuda")


def test_which_texts_are_spelled_out() -> None:
    texts = [
        "café au lait",
        "зелёный чай",
        "зелёный чай",
        "绿茶",
        "绿茶",
        "커피 머신",
        "TEA 茶",
        "",
    ]
    tokens = np.array([9, 11, 3, 2, 5, 9, 9, 0])
    assert spelled_out(texts, tokens).tolist() == [
        False,  # Latin
        True,  # letter by letter
        False,  # whole words
        False,  # a character a token
        True,  # in bytes
        True,  # in the parts of its syllables
        False,  # mostly Latin
        False,
    ]
