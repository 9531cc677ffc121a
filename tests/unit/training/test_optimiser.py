"""Groups of parameters, optimisers and the schedule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_training import Tiny

from recnb.errors import InputError
from recnb.training import Training
from recnb.training.optimiser import make_optimiser, parameter_groups, rate


def test_groups():
    groups = parameter_groups(Tiny(), Training(lr=0.1, lr_encoder=0.01, weight_decay=0.5))
    rows = [
        (g["name"], g["lr"], g["weight_decay"], sorted(p.ndim for p in g["params"])) for g in groups
    ]
    assert rows == [
        ("encoder", 0.01, 0.5, [2]),
        ("encoder", 0.01, 0.0, [1]),  # its bias
        ("tables", 0.1, 0.0, [2]),
        ("head", 0.1, 0.5, [2]),
        ("head", 0.1, 0.0, [1, 1, 1]),  # layer norm and bias
    ]


def test_a_group_may_overrule():
    module = Tiny()
    given = [{"name": "head", "params": module.parameters(), "lr": 7.0, "weight_decay": 0.25}]
    module.parameter_groups = lambda: given
    wide, flat = parameter_groups(module, Training())
    assert (wide["lr"], wide["weight_decay"], flat["weight_decay"]) == (7.0, 0.25, 0.0)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (lambda m: [{"name": "body", "params": m.parameters()}], "parameter group 'body'"),
        (lambda m: m.groups()[:-1], "4 trainable parameters are in no group.*norm.weight"),
        (lambda m: [*m.groups(), m.groups()[0]], "encoder.weight is in two groups"),
    ],
)
def test_wrong_groups(groups, message):
    module = Tiny()
    module.groups = module.parameter_groups
    module.parameter_groups = lambda: groups(module)
    with pytest.raises(InputError, match=message):
        parameter_groups(module, Training())


def test_nothing_to_train():
    with pytest.raises(InputError, match="no trainable parameter"):
        parameter_groups(Tiny().requires_grad_(False), Training())


def test_frozen_ones_are_left_out():
    module = Tiny()
    module.encoder.requires_grad_(False)
    assert {g["name"] for g in parameter_groups(module, Training())} == {"tables", "head"}


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adafactor", torch.optim.Adafactor)]
)
def test_optimisers(name, kind):
    assert type(make_optimiser(Tiny(), Training(optimizer=name))) is kind


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_schedules(schedule):
    settings = Training(schedule=schedule, warmup=0.25)
    moments = (np.arange(40) + 0.5) / 40
    rates = np.array([rate(p, settings) for p in moments])
    assert (rates > 0).all() and (rates <= 1).all()
    assert (np.diff(rates[:10]) > 0).all()
    rest = (moments[10:] - 0.25) / 0.75
    wanted = {
        "constant": np.ones(30),
        "linear": 1 - rest,
        "cosine": np.cos(np.pi * rest / 2) ** 2,
    }
    np.testing.assert_allclose(rates[10:], wanted[schedule], atol=1e-12)


def test_no_warmup():
    assert rate(1e-9, Training(warmup=0.0, schedule="constant")) == 1


def test_one_cycle_is_torchs():
    n = 40
    line = torch.nn.Linear(1, 1)
    optimiser = torch.optim.SGD(line.parameters(), lr=1.0)
    peer = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        max_lr=1.0,
        total_steps=n + 1,
        cycle_momentum=False,
        pct_start=(0.3 * n + 1) / (n + 1),
    )
    settings, at_edges = Training(schedule="one_cycle", warmup=0.0), []
    for k in range(n + 1):
        at_edges.append((rate(max(k / n, 1e-12), settings), optimiser.param_groups[0]["lr"]))
        optimiser.step()
        if k < n:
            peer.step()
    ours, theirs = np.array(at_edges).T
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_the_inverse_root_is_that_of_transformers():
    from transformers import get_inverse_sqrt_schedule

    n, warm = 50, 10
    optimiser = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=1.0)
    peer = get_inverse_sqrt_schedule(optimiser, num_warmup_steps=warm)
    settings = Training(schedule="inverse_sqrt", warmup=warm / n)
    for k in range(n):
        if k:
            assert rate(k / n, settings) == pytest.approx(optimiser.param_groups[0]["lr"])
        optimiser.step()
        peer.step()
    fresh = Training(schedule="inverse_sqrt", warmup=0.0)
    assert rate(0.001, fresh) == 1 and rate(0.04, fresh) == 0.5


def test_lower_layers_learn_slower():
    from transformers import BertConfig, BertModel

    class Holder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = BertModel(
                BertConfig(
                    vocab_size=9,
                    hidden_size=4,
                    num_hidden_layers=3,
                    num_attention_heads=1,
                    intermediate_size=4,
                )
            )

        def encoder_network(self):
            return self.bert

        def parameter_groups(self):
            return [{"name": "encoder", "params": self.bert.parameters()}]

    module = Holder()
    rates = {
        id(p): g["lr"]
        for g in parameter_groups(module, Training(lr_encoder=1.0, layer_decay=0.5))
        for p in g["params"]
    }
    bert = module.bert
    for part, wanted in (
        (bert.pooler, 1.0), (bert.encoder.layer[2], 1.0), (bert.encoder.layer[1], 0.5),
        (bert.encoder.layer[0], 0.25), (bert.embeddings, 0.125),
    ):  # fmt: skip
        assert {rates[id(p)] for p in part.parameters()} == {wanted}
    with pytest.raises(InputError, match="has no encoder_network"):
        parameter_groups(Tiny(), Training(layer_decay=0.5))
