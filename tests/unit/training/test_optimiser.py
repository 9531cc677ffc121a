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
