"""A decoder tuned on the answer word: the packed step is the plain one, it learns, stops, goes on and is saved."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from recnb.errors import InputError
from recnb.models import make
from recnb.models.common.histories import Histories
from recnb.models.language.answer import LMYes
from recnb.models.language.prompt import Prompts
from recnb.models.language.questions import Question, from_rows
from recnb.models.language.templates import Template, open_template
from recnb.models.language.tuned.network import (
    Steps,
    fit_answers,
    lessons,
    opened,
)
from recnb.models.language.tuned.recipe import Recipe
from recnb.recommender import load_model

from .conftest import FILMS

ALL = np.arange(12)[None]


@pytest.fixture(scope="module")
def asked(decoder, films) -> tuple[Prompts, list[Question]]:
    prompts = Prompts(decoder, open_template("terse", "answer"), FILMS, "film")
    return prompts, from_rows(Histories.of(films), films, n_history=4, targets=4, most=None)


@pytest.fixture(scope="module")
def small(tiny, films) -> tuple[Prompts, list[Question]]:
    from recnb.encoders.decoder import Decoder

    opened = Decoder(tiny, device="cpu")
    prompts = Prompts(opened, open_template("terse", "answer"), FILMS, "film")
    return prompts, from_rows(Histories.of(films), films, n_history=4, targets=4, most=None)


def apart(questions: list[Question]) -> list[Question]:
    """Every candidate a question of its own: the plain loop."""
    return [
        Question(q.user, q.told, q.items[k : k + 1], q.liked[k : k + 1])
        for q in questions
        for k in range(len(q.items))
    ]


def gradients(network, lessons) -> tuple[float, dict]:
    network.zero_grad()
    loss = network([one.parts() for one in lessons])
    loss.backward()
    found = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    return float(loss.detach()), found


def test_the_packed_step_has_the_gradients_of_the_plain_one(asked, decoder):
    import torch

    prompts, questions = asked
    network = opened(decoder, Recipe("lora", seed=3))
    with torch.no_grad():  # a start at which all parts get gradients
        for name, p in network.named_parameters():
            if "lora_B" in name:
                p.normal_(std=0.02, generator=torch.Generator().manual_seed(1))
    few = questions[:2]
    packed, plain = lessons(prompts, few), lessons(prompts, apart(few))
    assert sum(x.ids.numel() for x in packed) < 0.6 * sum(x.ids.numel() for x in plain)
    loss, own = gradients(network, packed)
    other_loss, other = gradients(network, plain)
    assert loss == pytest.approx(other_loss, rel=1e-5)
    assert own.keys() == other.keys() and all("lora" in name for name in own)
    for name, gradient in own.items():
        size = other[name].abs().max()
        assert size > 0 and (gradient - other[name]).abs().max() <= 1e-4 * size + 1e-7


@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen2", "gemma2"])
def test_so_has_every_architecture(kind, films, tmp_path):
    from recnb.encoders.decoder import Decoder
    from tests.unit.encoders.decoder.tiny import write_decoder

    write_decoder(tmp_path / kind, kind)
    tiny = Decoder(str(tmp_path / kind), device="cpu")
    short = Template.parse("---\n{liked}\n{item}\n", "answer", "short")
    prompts = Prompts(tiny, short, FILMS, "film")
    questions = from_rows(Histories.of(films), films, n_history=2, targets=3, most=6)
    network = opened(tiny, Recipe("full"))
    loss, own = gradients(network, lessons(prompts, questions))
    other_loss, other = gradients(network, lessons(prompts, apart(questions)))
    assert loss == pytest.approx(other_loss, rel=1e-5) and own.keys() == other.keys()
    for name, gradient in own.items():
        size = other[name].abs().max()
        assert (gradient - other[name]).abs().max() <= 1e-4 * size + 1e-6, name


def test_it_learns_its_answers_and_leaves_the_base_alone(asked, decoder):
    prompts, questions = asked
    before = decoder.label_log_probabilities(["Paris is"], [[" big?"]])[0]
    recipe = Recipe("lora", n_epochs=10, pairs_per_step=8, patience=None, lr=2e-3)
    network, trained = fit_answers(prompts, questions[:2], [], recipe)
    losses = [row["loss"] for row in trained.history]
    assert losses[-1] < 0.6 * losses[0]
    np.testing.assert_array_equal(
        before, decoder.label_log_probabilities(["Paris is"], [[" big?"]])[0]
    )
    trained_size, total = network.counts()
    assert (
        trained_size == 30 * 8 * ((576 + 576) + (576 + 192)) and total == 134_515_008 + trained_size
    )


def test_a_tuned_judge_by_name_stops_early_and_is_saved(halves, tiny, tmp_path):
    model = make(
        "lm_yes@lora",
        n_epochs=2,
        pairs_per_step=8,
        group=4,
        rows=24,
        template="terse",
        decoder=tiny,
        device="cpu",
        lr=1e-2,
        checkpoint=str(tmp_path / "kept"),
    )
    model.fit(*halves)
    assert model.seeded and [r["value"] is not None for r in model.learning_] == [True] * len(
        model.learning_
    )
    assert model.n_epochs_ == 1 + int(np.argmax([r["value"] for r in model.learning_]))
    assert model.chosen()["n_epochs"] == model.n_epochs_
    scores = model.score_candidates(np.array([1]), ALL)
    frozen = (
        LMYes(template="terse", decoder=tiny, device="cpu")
        .fit(halves[0])
        .score_candidates(np.array([1]), ALL)
    )
    assert np.abs(scores - frozen).max() > 0.01
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    np.testing.assert_allclose(again.score_candidates(np.array([1]), ALL), scores, atol=1e-5)
    assert again.parameters() == model.parameters() and model.parameters()[0] < 10**6
    clone(model).set_params(n_epochs=1, lr=2e-2).fit(*halves)  # a training of its own
    assert len(list((tmp_path / "kept").iterdir())) == 2


@pytest.mark.parametrize("change", ["shape", "name"])
def test_a_base_of_another_shape_is_one_line(change, small):
    from recnb.models.language.tuned.network import opened

    base, recipe = small[0].decoder, Recipe(method="lora", size=2)
    tuned = opened(base, recipe).tuned()
    name, value = next(iter(tuned.items()))
    other = {name: value[:, :-1]} if change == "shape" else {name.replace("layers.0", "h.0"): value}
    with pytest.raises(InputError, match=r"not the one that was tuned.*; name that"):
        opened(base, recipe, tuned | other)
    opened(base, recipe, tuned)


def test_a_killed_tuning_goes_on_as_if_nothing_had_been(small, tmp_path, monkeypatch):
    prompts, questions = small
    few = questions[:4]
    settings = {"method": "lora", "n_epochs": 2, "pairs_per_step": 4, "patience": None}
    whole, _ = fit_answers(prompts, few, [], Recipe(**settings))
    stopped = Recipe(**settings, checkpoint=str(tmp_path / "c"))
    steps = Steps.__getitem__

    def killed(self, index):
        if index == 1 and killed.calls == 2:
            raise KeyboardInterrupt
        killed.calls += index == 1
        return steps(self, index)

    killed.calls = 1
    monkeypatch.setattr(Steps, "__getitem__", killed)
    with pytest.raises(KeyboardInterrupt):
        fit_answers(prompts, few, [], stopped)
    monkeypatch.undo()
    assert (tmp_path / "c" / "checkpoint.pt").is_file()
    again, _ = fit_answers(prompts, few, [], stopped)
    for name, value in whole.tuned().items():
        np.testing.assert_array_equal(again.tuned()[name], value)


@pytest.mark.parametrize(
    "method",
    [
        "lora",
        "dora",
        "adalora",
        "ia3",
        "layer_norm",
        "full",
        "top_layers",
        "adapter_houlsby",
        "adapter_pfeiffer",
    ],
)
def test_every_method_that_fits_moves_the_answers(method, small):
    prompts, questions = small
    network, _ = fit_answers(
        prompts,
        questions[:2],
        [],
        Recipe(method, n_epochs=1, pairs_per_step=4, n_layers=2, lr=1e-2),
    )
    (lesson,) = lessons(prompts, questions[2:3])
    plain = opened(prompts.decoder, Recipe(method, n_layers=2))
    moved = network.log_odds(lesson.parts()) - plain.log_odds(lesson.parts())
    assert moved.abs().max() > 1e-3 and len(network.tuned())
    assert all("layers.0." not in name for name in network.tuned())  # the highest two of three


def test_the_base_in_8_bits(asked, decoder):
    pytest.importorskip("bitsandbytes")
    prompts, questions = asked
    recipe = Recipe("lora", n_epochs=1, pairs_per_step=4, quantise="int8")
    network, trained = fit_answers(prompts, questions[:2], [], recipe)
    assert all(value.dtype == np.float32 for value in network.tuned().values())
    assert (
        np.isfinite(trained.history[0]["loss"]) and network.network.config.num_hidden_layers == 30
    )


def test_wrong_recipes_are_one_line(small):
    prompts, questions = small
    for recipe, said in (
        (Recipe("prefix"), "method='prefix' tunes no judge"),
        (Recipe(quantise="nf4"), "quantise='nf4'"),
        (Recipe(pairs_per_step=0), "pairs_per_step=0"),
    ):
        with pytest.raises(InputError, match=said):
            fit_answers(prompts, questions[:1], [], recipe)
    with pytest.raises(InputError, match="no row to tune"):
        fit_answers(prompts, [], [], Recipe())
