"""What a step costs: counted on a network of one layer, where every number is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

torch = pytest.importorskip("torch")

from recnb.training import RowScorer, gradients_of, labelled_rows, step_costs  # noqa: E402


class Layer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = torch.nn.Linear(3, 3)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.dense(hidden_states))


class Network(torch.nn.Module):
    """Two layers over blocks of five tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(num_hidden_layers=2)
        self.layers = torch.nn.ModuleList([Layer(), Layer()])

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            states = layer(hidden_states=states)
        return states.mean(dim=1)


def encode(network: torch.nn.Module, items: np.ndarray) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return network(torch.randn(10, 5, 3, generator=generator)[items])


@pytest.fixture
def model() -> RowScorer:
    torch.manual_seed(0)
    return RowScorer(Network(), 3, 4, encode, width=2)


@pytest.fixture
def batch() -> pd.DataFrame:
    return pd.DataFrame(
        {"user": [0, 1, 2, 3, 0], "item": [0, 1, 2, 3, 4], "label": [1, 0, 1, 0, 1]}
    )


def test_a_step_is_counted(model: RowScorer, batch: pd.DataFrame) -> None:
    costs = step_costs(model, torch.optim.AdamW(model.parameters()), [batch, batch])
    n_bytes = sum(p.nbytes for p in model.parameters())
    assert costs.tokens == 5
    assert (costs.weights, costs.gradients) == (n_bytes, n_bytes)
    n_tensors = len(list(model.parameters()))
    assert costs.optimiser == 2 * n_bytes + 4 * n_tensors
    assert costs.kept >= 2 * 5 * 5 * 3 * 4  # what each tanh gives: rows, tokens, numbers
    assert costs.memory == costs.weights + costs.gradients + costs.optimiser + costs.kept


def test_what_is_frozen_has_no_gradient(model: RowScorer, batch: pd.DataFrame) -> None:
    model.network.requires_grad_(False)
    learning = [p for p in model.parameters() if p.requires_grad]
    costs = step_costs(model, torch.optim.AdamW(learning), [batch])
    assert costs.gradients == sum(p.nbytes for p in learning) < costs.weights


def test_parts_keep_less_and_give_the_same_gradient(model: RowScorer, batch: pd.DataFrame) -> None:
    whole, parts = gradients_of(model, batch), gradients_of(model, batch, parts=2)
    assert whole.keys() == parts.keys() == dict(model.named_parameters()).keys()
    for name in whole:
        torch.testing.assert_close(whole[name], parts[name])
    assert any(gradient.abs().max() > 1e-3 for gradient in whole.values())
    optimiser = torch.optim.SGD(model.parameters(), lr=0.0)
    kept = [step_costs(model, optimiser, [batch], parts=n).kept for n in (1, 5)]
    assert kept[1] < kept[0] / 3


def test_rows_are_half_taken_and_half_not() -> None:
    taken = csr_matrix(np.array([[1, 0, 0], [1, 1, 1], [0, 1, 0]]))
    rows = labelled_rows(taken, 100)
    assert rows["label"].tolist().count(1) == rows["label"].tolist().count(0) == 2
    assert 1 not in set(rows["user"]), "who took everything has no item that was not taken"
    labels = np.asarray(taken[rows["user"], rows["item"]]).ravel()
    assert (labels == rows["label"]).all()
