"""What a two tower does against overfitting: by name, where it enters, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from recnb.encoders import TextEncoder  # noqa: E402
from recnb.encoders.text.views import WordNoise  # noqa: E402
from recnb.errors import InputError  # noqa: E402
from recnb.models import make  # noqa: E402
from recnb.models.two_tower.language import other_readings  # noqa: E402
from recnb.recommender import load_model  # noqa: E402
from recnb.training.regularisation import divergence, smoothed_loss  # noqa: E402
from recnb.training.regularisation.objective import Objective, Scores  # noqa: E402
from tests.unit.models.two_tower.test_two_tower import small, texts, weights, world  # noqa: E402

pytestmark = pytest.mark.usefixtures("with_tiny_bert")

FROZEN = (
    {"word_dropout": 0.3},
    {"synonyms": 0.5},
    {"adversarial": "fgm"},
    {"adversarial": "pgd"},
    {"r_drop": 1.0},
    {"label_smoothing": 0.2},
    {"average": "ema"},
    {"average": "swa"},
)


def row_batch(**more) -> dict:
    """Two rows with three candidates, one of which is not open."""
    open_ = torch.tensor([[True, True, False], [True, True, True]])
    return {"open": open_, **more}


def test_soft_labels_and_two_passes_are_those_of_the_classes():
    own_, others = torch.tensor([0.3, -1.0]), torch.tensor([[1.0, 0.2, 9.0], [0.1, 0.0, -2.0]])
    again = Scores(own_ + torch.tensor([0.5, -0.5]), others + 0.1 * others**2)
    batch, scores = row_batch(), Scores(own_, others)
    rows = [torch.tensor([0.3, 1.0, 0.2]), torch.tensor([-1.0, 0.1, 0.0, -2.0])]
    wanted = [smoothed_loss(row[None], torch.tensor([0]), 0.3) for row in rows]
    objective = Objective("softmax", smoothing=0.3)
    torch.testing.assert_close(objective.value(scores, batch), torch.stack(wanted).mean())
    moved = [
        torch.tensor([0.8, *again.others[0, :2]]),
        torch.tensor([-1.5, *again.others[1]]),
    ]
    apart = [divergence(a[None], b[None]) for a, b in zip(rows, moved, strict=True)]
    torch.testing.assert_close(objective.apart(scores, again, batch), torch.stack(apart).mean())


@pytest.mark.parametrize("loss", ["bce", "bpr"])
def test_soft_labels_of_two_classes(loss):
    scores = Scores(torch.tensor([0.3]), torch.tensor([[1.0]]))
    batch = {"open": torch.ones(1, 1, dtype=torch.bool)}
    logits, labels = (
        (torch.tensor([0.3, 1.0]), torch.tensor([1.0, 0.0]))
        if loss == "bce"
        else (torch.tensor([0.3 - 1.0]), torch.tensor([1.0]))
    )
    wanted = smoothed_loss(logits, labels, 0.3) * len(logits)
    torch.testing.assert_close(Objective(loss, smoothing=0.3).value(scores, batch), wanted)
    other = Scores(torch.tensor([0.9]), torch.tensor([[0.2]]))
    moved = torch.tensor([0.9, 0.2]) if loss == "bce" else torch.tensor([0.7])
    apart = divergence(logits, moved) * len(logits)
    torch.testing.assert_close(Objective(loss).apart(scores, other, batch), apart)


@pytest.mark.parametrize("settings", FROZEN, ids=str)
def test_each_is_reached_by_name_and_changes_what_is_learned(settings, tmp_path):
    ds = world()
    plain = small(start="pretrained", width=None, dropout=0.2).fit(ds)
    told = ",".join(f"{name}={value}" for name, value in settings.items())
    model = make(f"text_dot[{told}]", **plain.get_params() | settings).fit(ds)
    assert np.abs(weights(model) - weights(plain)).max() > 1e-4
    model.save(tmp_path / "model")
    users = np.arange(ds.n_users)
    np.testing.assert_array_equal(load_model(tmp_path / "model").score(users), model.score(users))


def test_other_readings_are_drawn_in_training_alone(tiny_bert):
    model = small(word_dropout=0.5, n_views=2, n_epochs=0)
    encoder = TextEncoder(tiny_bert, max_tokens=32, normalise=False)
    told = list(dict.fromkeys(texts()))
    readings = other_readings(encoder, model.settings, told, (2,))
    assert readings.shape == (2, len(told), 1, 16)
    by_hand = encoder.encode_layers(told, noise=WordNoise(0.5, 0.0, 1))[:, [2]]
    np.testing.assert_array_equal(readings[1], by_hand)
    assert (readings[0] != readings[1]).any() and not np.allclose(
        readings[0][:, 0], encoder.encode_layers(told)[:, 2]
    )
    network = model.fit(world()).network
    network.views = torch.from_numpy(readings)
    codes = torch.arange(30)
    as_it_is = network.vectors(codes)
    torch.testing.assert_close(network.vectors(codes), as_it_is, rtol=0, atol=0)
    network.train()
    network.dropout.p = 0.0
    drawn = torch.stack([network.vectors(codes) for _ in range(40)])
    kinds = [len({tuple(v.tolist()) for v in drawn[:, item].round(decimals=5)}) for item in codes]
    assert max(kinds) == 3


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_tuned_language_model_reads_other_words_in_each_step(method):
    """Words, their vectors and averaged weights, where the table of states follows the weights."""
    ds = world()
    settings = {"method": method, "lr_encoder": 1e-2, "n_epochs": 2}
    plain = small(**settings).fit(ds)
    noise = {"word_dropout": 0.2, "synonyms": 0.2, "adversarial": "fgm", "average": "ema"}
    model = small(**settings, **noise).fit(ds)
    assert np.abs(weights(model)[: len(weights(plain))] - weights(plain)).max() > 1e-4
    network = model.network
    torch.testing.assert_close(network.states, network.tower.all_states(), atol=1e-5, rtol=0)


def test_the_adversary_enters_behind_layers_that_are_kept():
    ds = world()
    settings = {"method": "top_layers", "n_layers": 1, "lr_encoder": 1e-2, "n_epochs": 1}
    plain = small(**settings).fit(ds)
    model = small(**settings, adversarial="fgm", epsilon=0.3).fit(ds)
    assert np.abs(weights(model) - weights(plain)).max() > 1e-4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"word_dropout": 0.1, "method": "top_layers", "n_layers": 1}, "lower 1 layers have read"),
        ({"back_translation": "a,b", "method": "lora"}, "method='head_only'"),
        ({"label_smoothing": 0.1, "loss": "mse"}, "a rating has none"),
        ({"back_translation": "a"}, "two models joined by a comma"),
        ({"r_drop": -1.0}, "r_drop=-1.0"),
        ({"n_views": 0}, "n_views=0"),
    ],
)
def test_what_cannot_be_is_one_line(settings, message):
    with pytest.raises(InputError, match=message):
        small(**settings).fit(world())
