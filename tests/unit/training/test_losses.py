"""Losses against their formulas, and the sampled softmax against the full one."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from recnb.training import losses  # noqa: E402

OWN = torch.tensor([0.3, -1.0, 2.0])
OTHERS = torch.tensor([[0.1, 1.0], [0.5, -0.5], [3.0, 0.0]])
OPEN = torch.tensor([[True, True], [False, True], [False, False]])


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def rows() -> list[tuple[float, list[float]]]:
    return [(float(o), [float(x) for x, k in zip(r, m) if k]) for o, r, m in zip(OWN, OTHERS, OPEN)]


def test_formulas() -> None:
    binary, bpr, soft = [], [], []
    for own, others in rows():
        zeros = np.mean([-np.log(1 - sigmoid(x)) for x in others]) if others else 0.0
        binary.append(-np.log(sigmoid(own)) + zeros)
        bpr.append(np.mean([-np.log(sigmoid(own - x)) for x in others]) if others else 0.0)
        soft.append(-np.log(np.exp(own) / np.sum(np.exp([own, *others]))))
    assert losses.binary(OWN, OTHERS, OPEN).item() == pytest.approx(np.mean(binary), abs=1e-6)
    assert losses.bpr(OWN, OTHERS, OPEN).item() == pytest.approx(np.mean(bpr), abs=1e-6)
    assert losses.softmax(OWN, OTHERS, OPEN).item() == pytest.approx(np.mean(soft), abs=1e-6)
    assert losses.squared(OWN, OWN + 2).item() == pytest.approx(4)


def test_closed_candidates_get_no_gradient() -> None:
    for loss in (losses.binary, losses.bpr, losses.softmax):
        others = OTHERS.clone().requires_grad_()
        loss(OWN, others, OPEN).backward()
        assert not others.grad[~OPEN].any() and (others.grad[OPEN] > 0).all()


def test_log_q_brings_the_sampled_softmax_to_the_full_one() -> None:
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.normal(size=200).astype(np.float32))
    chance = rng.uniform(0.1, 0.9, 200)
    scores += torch.from_numpy(np.log(chance / 0.5).astype(np.float32))  # popular items score more
    own, log_q = scores[:1], torch.from_numpy(np.log(chance).astype(np.float32))
    opened = torch.ones(1, 200, dtype=torch.bool)
    opened[0, 0] = False
    full = losses.softmax(own, scores[None], opened).item()
    with_q, without = [], []
    for _ in range(300):
        drawn = torch.from_numpy(np.flatnonzero(rng.random(200) < chance))
        part = scores[drawn][None], opened[:, drawn]
        # the row's own item is always there
        with_q.append(losses.softmax(own, *part, torch.zeros(1), log_q[drawn]).item())
        without.append(losses.softmax(own, *part).item())
    assert abs(np.mean(with_q) - full) < 0.02
    assert abs(np.mean(with_q) - full) < abs(np.mean(without) - full) / 5
