"""Settings in groups that are flat by name: scikit-learn's, the registry's and the saved model's."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, fields

import pytest
from sklearn.base import clone

from recnb.models import TwoTower, make
from recnb.models.two_tower.settings import GROUPS, Settings


def test_names_are_flat_and_stand_in_one_group_each():
    names = [part.name for group in GROUPS for part in fields(group)]
    assert len(set(names)) == len(names)
    assert set(TwoTower().get_params()) == set(names)
    assert set(inspect.signature(TwoTower).parameters) == set(names)
    assert (
        all(f"{name}" in TwoTower.__doc__ for name in names)
        and "{settings}" not in TwoTower.__doc__
    )


def test_groups_follow_what_is_set():
    model = make("text_dot[width=64]", method="lora", size=4).set_params(l2=0.5)
    settings = model.settings
    assert (settings.scoring.width, settings.tuning.size, settings.optimisation.l2) == (64, 4, 0.5)
    assert clone(model).settings == settings != TwoTower().settings
    assert TwoTower().settings == Settings()
    with pytest.raises(FrozenInstanceError):
        settings.tuning.size = 3


def test_an_unknown_setting_is_refused():
    with pytest.raises(TypeError, match="TwoTower has no setting 'widht'"):
        TwoTower(widht=3)
