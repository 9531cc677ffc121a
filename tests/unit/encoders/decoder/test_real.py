"""SmolLM2-135M-Instruct itself: pinned, equal to the plain loop, and a model that knows something."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.encoders.decoder import Decoder, loading
from tests.unit.encoders.decoder.tiny import plain_log_likelihoods

HISTORY = (
    "I watched these films and liked them:\n- Alien (1979)\n- Aliens (1986)\n- Blade Runner (1982)\n"
    "- The Terminator (1984)\n"
)
TITLES = ["Terminator 2 (1991)", "Toy Story (1995)", "The Thing (1982)", "The Thin Man (1934)"]


def test_the_weights_are_those_that_were_pinned(real: Decoder) -> None:
    assert real.source.origin == "package"
    assert loading.GGUF_CHECKSUM[:12] in real.source.folder.name
    assert sum(w.numel() for w in real.network.model.parameters()) == loading.DEFAULT_PARAMETERS
    assert real.context == 8192


def test_it_answers(real: Decoder) -> None:
    prompt = real.chat("What is the capital of France?", "Answer in one word.")
    assert prompt.endswith("<|im_start|>assistant\n") and "Answer in one word." in prompt
    assert "Paris" in real.generate([prompt], 8)[0]
    assert real.generate([prompt], 1, allowed=["Rome", "Paris", "Oslo"]) == ["Paris"]
    (values,) = real.log_likelihoods(["Paris is the capital of"], [[" France", " Italy"]])
    assert values[0, 0] > values[1, 0] + 1


def test_likelihoods_equal_the_plain_loop(real: Decoder) -> None:
    prefixes = [f"{HISTORY}Next I watch", "Films: "]
    texts = [f" {title}" for title in TITLES]
    found = real.log_likelihoods(prefixes, [texts, TITLES])
    for prefix, values in zip(prefixes, found):
        (ids,) = real.tokens.beginnings([prefix])
        rows = real.tokens.endings(texts)
        assert ids + rows[0] == real.tokens.tokenizer(f"{prefix.rstrip()}{texts[0]}")["input_ids"]
        expected = plain_log_likelihoods(real, ids, rows, [len(row) for row in rows])
        np.testing.assert_allclose(values[:, 0], expected, atol=1e-4, rtol=0)


def test_answers_equal_the_plain_loop(real: Decoder) -> None:
    prefix, suffix = real.chat(f"{HISTORY}Would I like @? Answer Yes or No.").split(" @")
    suffixes = [f" {title}{suffix}" for title in TITLES]
    (found,) = real.label_log_probabilities([prefix], [suffixes])
    (ids,) = real.tokens.beginnings([prefix])
    answers = real.tokens.answers(["Yes", "No"])
    assert [len(a) for a in answers] == [1, 1]
    rows = [row + a for row in real.tokens.endings(suffixes) for a in answers]
    expected = plain_log_likelihoods(real, ids, rows, [1] * len(rows))
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-4, rtol=0)


def test_what_bits_cost(real: Decoder) -> None:
    """Nats a token; the largest of 100 titles of films was 0.16 in bfloat16 and 0.27 in int8."""
    prefix, texts = f"{HISTORY}Next I watch", [f" {title}" for title in TITLES[:2]]
    (exact,) = real.log_likelihoods([prefix], [texts])
    for dtype, most in (("bfloat16", 0.2), ("int8", 0.5)):
        (rough,) = Decoder(device="cpu", dtype=dtype).log_likelihoods([prefix], [texts])
        off = np.abs(rough[:, 0] - exact[:, 0]) / exact[:, 1]
        assert 0 < off.max() < most


def test_orders_and_states(real: Decoder) -> None:
    prompt = real.chat(f"{HISTORY}Order these by how much I would like them: A, B, C, D.")
    assert sorted(real.rank_permutation(prompt, ["A", "B", "C", "D"]).tolist()) == [0, 1, 2, 3]
    states = real.states(["a cup of green tea", "black tea with milk", "usb cable for printers"])
    unit = states / np.linalg.norm(states, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2]
    assert pytest.approx(real.network.config.hidden_size) == states.shape[1]
