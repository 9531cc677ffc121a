"""The text tower: the same states and gradients as the whole network, at a part of its cost."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from recnb.encoders import TextEncoder  # noqa: E402
from recnb.encoders.text import tower  # noqa: E402
from recnb.encoders.text.tower import TextTower  # noqa: E402
from recnb.errors import InputError  # noqa: E402
from tests.unit.encoders.conftest import write_model  # noqa: E402

KINDS = ("bert", "roberta", "gpt2-right", "llama-right", "qwen2-right")
TEXTS = ["green tea", "usb cable for the home", "", "green tea", "strong black coffee " * 9, "mild"]
every_kind = pytest.mark.parametrize("kind", KINDS)


def open_encoder(models: Path, kind: str) -> TextEncoder:
    return TextEncoder(models / kind, max_tokens=12, normalise=False)


def gradients(of: TextTower, rows: torch.Tensor, seed: int = 0) -> dict[str, torch.Tensor]:
    """Gradients of a fixed linear function of the states."""
    of.zero_grad()
    states = of(rows)
    weights = torch.randn(states.shape, generator=torch.Generator().manual_seed(seed))
    (states * weights).sum().backward()
    return {n: p.grad.clone() for n, p in of.network.named_parameters() if p.grad is not None}


@every_kind
@pytest.mark.parametrize("trained", [0, 1, 2])
def test_states_are_the_encoders(models: Path, kind: str, trained: int) -> None:
    expected = open_encoder(models, kind).encode_layers(TEXTS)
    made = TextTower(open_encoder(models, kind), TEXTS, (0, 1, 2), trained)
    found = made.all_states()[made.place].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert made.n_texts == 5
    assert not found[2].any()
    assert np.abs(found[[0, 1, 4, 5]]).max(axis=(1, 2)).min() > 0.1


@every_kind
@pytest.mark.parametrize("trained", [1, 2])
def test_rows_in_any_order_and_alone(models: Path, kind: str, trained: int) -> None:
    made = TextTower(open_encoder(models, kind), TEXTS, (1, 2), trained, batch_tokens=16)
    made.eval()
    full = made.all_states()
    order = torch.tensor([4, 2, 0, 3, 1])
    torch.testing.assert_close(made(order), full[order], atol=1e-5, rtol=0)
    for row in range(made.n_texts):
        torch.testing.assert_close(made(torch.tensor([row]))[0], full[row], atol=1e-5, rtol=0)


@every_kind
def test_gradients_with_kept_states_are_those_of_the_whole(models: Path, kind: str) -> None:
    rows = torch.tensor([3, 0, 2, 1, 4])
    kept = TextTower(open_encoder(models, kind), TEXTS, (2,), 1).eval()
    whole = TextTower(open_encoder(models, kind), TEXTS, (2,), 2).eval()
    found, expected = gradients(kept, rows), gradients(whole, rows)
    names = {n for n, p in kept.network.named_parameters() if p.requires_grad and "pooler" not in n}
    assert set(found) == names and len(names) >= 8
    for name in names:
        torch.testing.assert_close(found[name], expected[name], atol=1e-5, rtol=1e-4)
    assert max(float(found[n].abs().max()) for n in names) > 1e-3


@every_kind
def test_cut_vocabulary_changes_nothing(models: Path, kind: str) -> None:
    encoder = open_encoder(models, kind)
    network = copy.deepcopy(encoder.model).eval()
    text = TEXTS[1]
    ids = torch.tensor([list(encoder.tokens([text])[0][0])])
    made = TextTower(encoder, [text], (2,), 2).eval()
    assert len(made.vocabulary) < network.get_input_embeddings().weight.shape[0]
    found = gradients(made, torch.tensor([0]))
    mask = torch.ones_like(ids)
    states = network(input_ids=ids, attention_mask=mask).last_hidden_state
    pooled = tower.pool(states, mask, made.pooling)
    torch.testing.assert_close(made(torch.tensor([0]))[:, 0], pooled, atol=1e-5, rtol=0)
    weights = torch.randn(1, 1, 16, generator=torch.Generator().manual_seed(0))
    (pooled[:, None] * weights).sum().backward()
    words = network.get_input_embeddings().weight.grad
    own = next(n for n, p in made.network.named_parameters() if p.shape[0] == len(made.vocabulary))
    torch.testing.assert_close(found[own], words[made.vocabulary], atol=1e-5, rtol=1e-4)
    others = np.setdiff1d(np.arange(len(words)), made.vocabulary)
    assert not words[others].any()


def test_an_empty_text_gives_no_gradient(models: Path) -> None:
    made = TextTower(open_encoder(models, "bert"), TEXTS, (2,), 1)
    assert not made(torch.tensor([2])).requires_grad
    assert made(torch.tensor([0, 2])).requires_grad


@every_kind
@pytest.mark.parametrize("trained", [1, 2])
def test_tuned_weights_over_other_texts(models: Path, kind: str, trained: int) -> None:
    first = TextTower(open_encoder(models, kind), TEXTS[:2], (2,), trained).eval()
    plain = first.all_states().clone()
    with torch.no_grad():
        for p in first.trained_parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    again = TextTower(
        open_encoder(models, kind),
        ["organic coffee of a", TEXTS[1], TEXTS[0]],
        (2,),
        trained,
        tuned=first.tuned(),
    ).eval()
    expected = first.all_states()
    assert (expected - plain).abs().max() > 1e-3
    torch.testing.assert_close(again.all_states()[[2, 1]], expected, atol=1e-5, rtol=0)


def test_half_precision_above_the_limit(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = TextTower(open_encoder(models, "bert"), TEXTS, (2,), 1).all_states()
    monkeypatch.setattr(tower, "HALF_ABOVE", 0)
    made = TextTower(open_encoder(models, "bert"), TEXTS, (2,), 1)
    assert made._kept is not None and made._kept.dtype == torch.float16
    half = made.all_states()
    assert 0 < (half - full).abs().max() < 5e-3


@every_kind
def test_gradient_checkpointing_gives_equal_gradients(models: Path, kind: str) -> None:
    rows = torch.tensor([0, 1, 3])
    plain = TextTower(open_encoder(models, kind), TEXTS, (2,), 1).train()
    saving = TextTower(open_encoder(models, kind), TEXTS, (2,), 1).train()
    saving.network.gradient_checkpointing_enable(
        gradient_checkpointing_kwargs={"use_reentrant": False}
    )
    expected, found = gradients(plain, rows), gradients(saving, rows)
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-4)


def test_dropout_only_in_training(models: Path) -> None:
    made = TextTower(open_encoder(models, "bert"), TEXTS, (2,), 1, dropout=0.5)
    rows = torch.arange(made.n_texts)
    made.train()
    assert not torch.equal(made(rows), made(rows))
    torch.testing.assert_close(made.all_states(), made.all_states(), atol=0, rtol=0)
    assert made.training
    made.eval()
    torch.testing.assert_close(made(rows), made(rows), atol=0, rtol=0)


def test_more_layers_than_there_are(models: Path) -> None:
    with pytest.raises(InputError, match="3 trained layers"):
        TextTower(open_encoder(models, "bert"), TEXTS, trained=3)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama", "qwen2"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_packed_texts_have_the_states_and_gradients_of_padded_ones(
    kind: str, side: str, tmp_path: Path
) -> None:
    network = TextEncoder(write_model(tmp_path / kind, kind, side)).model.double()
    tokens = torch.randint(4, 18, (4, 7), generator=torch.Generator().manual_seed(0))
    seen = torch.zeros(4, 7, dtype=torch.long)
    for row, n in enumerate((7, 3, 1, 5)):
        seen[row, slice(0, n) if side == "right" else slice(7 - n, 7)] = 1
    position = (seen.cumsum(dim=1) - 1).clamp(min=0)
    found = []
    for states in (
        tower.watch(network, tokens, seen, (0, 1, 2), position_ids=position),
        tower.packed(network, tokens, seen, (0, 1, 2)),
    ):
        network.zero_grad()
        kept = [s * seen[..., None] for s in states]
        sum(((k + 1) * s).pow(2).sum() for k, s in enumerate(kept)).backward()
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        found.append([*(s.detach() for s in kept), *gradients])
    assert len(found[0]) == len(found[1]) > 10
    for one, other in zip(*found):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_a_pass_is_packed_only_where_that_saves(tmp_path: Path) -> None:
    made = TextTower(TextEncoder(write_model(tmp_path / "bert", "bert")), ["tea"], trained=2)
    even, uneven = np.ones((4, 6)), np.tril(np.ones((6, 6)))
    assert not made._packs(even) and made._packs(uneven)
    assert not made._packs(np.tril(np.ones((600, 600))))
