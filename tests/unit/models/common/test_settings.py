"""A setting that counts something is a whole number, in every group of settings."""

from __future__ import annotations

from dataclasses import fields

import pytest

from recnb.errors import InputError
from recnb.models.generative.settings import GROUPS, WRITER_GROUPS
from recnb.models.language.joint.settings import JointSettings
from recnb.models.language.pair import PairSettings
from recnb.models.language.tagger import SlateSettings
from recnb.models.language.tuned.recipe import Recipe
from recnb.models.sequential.settings import GROUPS as OF_SEQUENCES
from recnb.models.sequential.settings import Attention
from recnb.models.two_tower.settings import GROUPS as OF_TOWERS

ALL = {
    *(*GROUPS, *WRITER_GROUPS, *OF_SEQUENCES, *OF_TOWERS),
    *(Attention, JointSettings, PairSettings, SlateSettings, Recipe),
}
LATE = ("patience", "alpha")  # the training refuses the first, the second is a scale
COUNTS = [
    (group, part.name)
    for group in sorted(ALL, key=lambda group: (group.__module__, group.__name__))
    for part in fields(group)
    if part.type in ("int", "int | None") and part.name not in LATE
]


@pytest.mark.parametrize(
    ("group", "name"), COUNTS, ids=lambda part: getattr(part, "__name__", part)
)
@pytest.mark.parametrize("value", [2.5, True, -1], ids=str)
def test_a_count_is_a_whole_number(group, name, value):
    with pytest.raises(InputError, match=rf"{name}={value}; a whole number of at least [01]"):
        group(**{name: value}).check()


def test_none_passes_where_it_is_the_default():
    with pytest.raises(InputError, match=r"size=0; a whole number of at least 1, or None$"):
        Recipe(size=0).check()
    Recipe(size=None).check()
    with pytest.raises(InputError, match=r"n_epochs=None; a whole number of at least 1$"):
        Recipe(n_epochs=None).check()
