"""Heads against their written formulas."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from recnb.models.two_tower.heads import MLP, Dot, WeightedSum, make_head  # noqa: E402

N, M, LAYERS, DIM = 4, 5, 3, 6


def states(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, LAYERS, DIM, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("elementwise", [False, True])
def test_weighted_sum(elementwise: bool) -> None:
    head = WeightedSum(LAYERS, DIM, elementwise)
    u, v = states(N, 1), states(N, 2)
    mean = (u * v).sum(-1).mean(1)
    torch.testing.assert_close(head.pairs(head.items(u), head.items(v)), mean)
    torch.nn.init.normal_(head.weights)
    expected = []
    for row in range(N):
        total = 0.0
        for i in range(LAYERS):
            if elementwise:
                total += (head.weights[i] * (u[row, i] * v[row, i])).sum()
            else:
                total += head.weights[i, 0] * torch.dot(u[row, i], v[row, i])
        expected.append(total)
    torch.testing.assert_close(head.pairs(head.items(u), head.items(v)), torch.stack(expected))


def test_dot() -> None:
    head = Dot(LAYERS, DIM, width=4, temperature=0.5)
    u, v = states(N, 1), states(N, 2)
    matrix = head.project.weight
    expected = ((u.flatten(1) @ matrix.T) * (v.flatten(1) @ matrix.T)).sum(1) / 0.5
    torch.testing.assert_close(head.pairs(head.items(u), head.items(v)), expected)
    plain = Dot(LAYERS, DIM, width=None)
    assert torch.equal(plain.items(u), u.flatten(1))


def test_mlp_is_one_matrix_over_the_four_parts() -> None:
    head = MLP(LAYERS, DIM, width=4, hidden=7).eval()
    u, v = head.items(states(N, 1)), head.items(states(N, 2))
    matrix = torch.cat([head.left.weight, head.right.weight, head.both.weight], dim=1)
    inside = torch.cat([u, v, u * v, (u - v).abs()], dim=1) @ matrix.T + head.left.bias
    top = head.top[2]
    expected = (torch.nn.functional.gelu(inside) @ top.weight.T + top.bias)[:, 0]
    torch.testing.assert_close(head.pairs(u, v), expected)


@pytest.mark.parametrize("name", ["weighted_sum", "dot", "mlp"])
def test_grid_is_all_pairs(name: str) -> None:
    head = make_head(name, LAYERS, DIM).eval()
    if name == "weighted_sum":
        torch.nn.init.normal_(head.weights)
    u, v = head.items(states(N, 1)), head.items(states(M, 2))
    grid = head.grid(u, v)
    assert grid.shape == (N, M) and u.shape[1] == head.width
    for column in range(M):
        pairs = head.pairs(u, v[column].expand(N, -1))
        torch.testing.assert_close(grid[:, column], pairs, atol=1e-5, rtol=1e-4)
