"""Sensitivity: to wordings, to orders, to places; each measure sees what is there and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.errors import InputError
from recnb.models.common.histories import Told
from recnb.models.language.answer import LMYes
from recnb.models.language.listwise import LMList
from recnb.models.language.questions import Question
from recnb.models.language.sensitivity import order, position_bias, sensitivity, wording

QUESTIONS = [
    Question(u, Told((u % 5, 6), (True, False)), np.arange(1, 11), np.arange(1, 11) < 6)
    for u in range(12)
]


class Places(LMList):
    """Writes the candidates in the order of the prompt, whoever they are."""

    def written(self, asked):
        return [np.arange(len(codes)) for _, codes in asked]


class Codes(LMList):
    """Writes them by their codes, wherever they stand."""

    def written(self, asked):
        return [np.argsort(codes) for _, codes in asked]


def test_a_judge_of_places_is_seen(films, tiny):
    bias = position_bias(Places(window=5, decoder=tiny, device="cpu").fit(films), QUESTIONS)
    places = bias[bias["measure"] == "place"]["value"].tolist()
    assert places == [1, 0.75, 0.5, 0.25, 0]
    assert bias["value"].iloc[-1] == pytest.approx(1.0)
    assert (
        order(Places(window=5, decoder=tiny, device="cpu").fit(films), QUESTIONS)["value"][0] < 0.6
    )


def test_a_judge_of_items_has_no_bias(films, tiny):
    model = Codes(window=5, decoder=tiny, device="cpu").fit(films)
    bias = position_bias(model, QUESTIONS, turns=40)
    assert np.abs(bias["value"].iloc[:5] - 0.5).max() < 0.08 and abs(bias["value"].iloc[-1]) < 0.08
    whole = Codes(window=10, orders=1, decoder=tiny, device="cpu").fit(films)
    assert order(whole, QUESTIONS)["value"][0] == pytest.approx(1.0)


def test_one_table_for_a_judge(films, tiny):
    model = LMYes(decoder=tiny, device="cpu").fit(films)
    few = QUESTIONS[:6]
    table = sensitivity(model, few, draws=1000)
    assert set(table["study"]) == {"wording", "order"}
    values = table[table["measure"] == "auc"]
    assert len(values) >= 8 and values["value"].nunique() > 4 and (values["n_users"] == 6).all()
    own = table[(table["measure"] == "kendall") & (table["template"] == model.template)]
    assert own["value"].item() == pytest.approx(1.0)
    others = table[(table["measure"] == "kendall") & (table["study"] == "wording")]["value"]
    assert others.min() < 0.95
    assert (
        table[table["study"] == "order"]["value"].item() > 0.99
    )  # candidates are asked about alone


def test_too_few_candidates_are_one_line(films, tiny):
    with pytest.raises(InputError, match="no question has 11 candidates"):
        position_bias(Codes(window=11, decoder=tiny, device="cpu").fit(films), QUESTIONS)
    with pytest.raises(InputError, match="no question"):
        wording(LMYes(decoder=tiny, device="cpu").fit(films), [])
