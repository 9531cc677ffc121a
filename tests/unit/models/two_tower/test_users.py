"""The user's vector and its parts."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from recnb.models.two_tower.users import POOLINGS, HistoryPool, UserTower  # noqa: E402

WIDTH = 8
ITEMS = torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(0))
HISTORY = torch.tensor([[0, 1, 2], [0, 0, 4], [0, 0, 0]])
HERE = torch.tensor([[True, True, True], [False, True, True], [False, False, False]])
TARGETS = ITEMS[[3, 4, 5]]
every_pooling = pytest.mark.parametrize("how", POOLINGS)


def made(how: str) -> HistoryPool:
    torch.manual_seed(1)
    return HistoryPool(how, WIDTH)


@every_pooling
def test_shares_sum_to_one_where_there_is_history(how: str) -> None:
    shares = made(how).weights(ITEMS, HISTORY, HERE, TARGETS)
    torch.testing.assert_close(shares.sum(-1)[:, :2], torch.ones(shares.shape[0], 2))
    assert not shares[:, ~HERE].any()


@every_pooling
def test_no_history_gives_zero_and_sound_gradients(how: str) -> None:
    pool, items = made(how), ITEMS.clone().requires_grad_()
    out = pool(items, HISTORY, HERE, None, TARGETS)
    assert not out[2].any() and out[:2].any()
    out.sum().backward()
    assert torch.isfinite(items.grad).all()


@every_pooling
def test_the_sum_of_shares_times_items(how: str) -> None:
    pool = made(how)
    shares = pool.weights(ITEMS, HISTORY, HERE, TARGETS)
    slices = ITEMS.chunk(pool.n_heads, dim=1)
    expected = torch.cat(
        [torch.einsum("nl,nlw->nw", s, part[HISTORY]) for s, part in zip(shares, slices)], 1
    )
    torch.testing.assert_close(pool(ITEMS, HISTORY, HERE, None, TARGETS), expected)


@every_pooling
def test_values_scale(how: str) -> None:
    pool = made(how)
    once = pool(ITEMS, HISTORY, HERE, None, TARGETS)
    thrice = pool(ITEMS, HISTORY, HERE, torch.full(HISTORY.shape, -3.0), TARGETS)
    torch.testing.assert_close(thrice, -3 * once)


@every_pooling
def test_only_target_depends_on_the_target(how: str) -> None:
    pool = made(how)
    one = pool(ITEMS, HISTORY, HERE, None, TARGETS)
    other = pool(ITEMS, HISTORY, HERE, None, TARGETS.flip(0))
    assert torch.equal(one, other) == (how != "target")


def test_mean_is_the_mean() -> None:
    out = made("mean")(ITEMS, HISTORY, HERE)
    torch.testing.assert_close(out[:2], torch.stack([ITEMS[:3].mean(0), ITEMS[[0, 4]].mean(0)]))


def test_the_parts_add_up() -> None:
    side = UserTower(("id", "mean", "text"), 5, WIDTH, n_traits=2)
    torch.nn.init.normal_(side.traits.weight)
    users, texts, traits = torch.tensor([4, 0, 2]), ITEMS[:3], torch.eye(3)[:, :2]
    known = torch.tensor([True, False, True])
    out = side(users, ITEMS, (HISTORY, HERE, None), None, texts, traits, known)
    expected = side.table(users) * known[:, None] + side.pool(ITEMS, HISTORY, HERE)
    expected = expected + texts @ side.read.weight.T + traits @ side.traits.weight.T
    torch.testing.assert_close(out, expected)
