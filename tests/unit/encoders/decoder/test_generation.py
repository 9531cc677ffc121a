"""Writing: freely as the model does, and within what is allowed, whatever the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recnb.encoders.decoder import Decoder
from recnb.encoders.decoder.generation import END, Order, Trie
from recnb.errors import InputError

PROMPTS = ["The user likes green tea. next:", "Alien ", "Yes No A B C would they like it? "]


@pytest.mark.parametrize("kind", ["llama", "gemma2", "gpt2"])
def test_greedy_writing_is_the_likeliest_next_token(decoders, kind):
    decoder = Decoder(str(decoders / kind), device="cpu")
    found = decoder.generate(PROMPTS, 5)
    for prompt, text in zip(PROMPTS, found):
        ids = torch.tensor(decoder.tokens.beginnings([prompt]))
        n = ids.shape[1]
        for _ in range(5):
            with torch.no_grad():
                best = decoder.network.model(ids).logits[0, -1].argmax()
            ids = torch.cat([ids, best.view(1, 1)], dim=1)
        row = ids[0, n:].tolist()
        row = row[: row.index(0)] if 0 in row else row
        assert text == decoder.tokens.tokenizer.decode(row, skip_special_tokens=True)


@pytest.mark.parametrize("kind", ["llama", "gemma2", "gpt2"])
def test_only_what_is_allowed_is_written(decoders, kind):
    decoder = Decoder(str(decoders / kind), device="cpu")
    texts = ["The Thing", "The Third Man", "Toy Story", "The", "A"]
    assert set(decoder.generate(PROMPTS, 1, allowed=texts)) <= set(texts)
    trie = Trie(decoder.tokens.endings(texts))
    assert set(decoder.generate(PROMPTS, 1, allowed=trie)) <= set(texts)
    assert decoder.generate(PROMPTS, 1, allowed=["A"]) == ["A"] * 3


def test_an_allowed_text_is_followed_as_far_as_the_model_likes_it_best(llama):
    texts = ["Alien", "film", "green tea"]
    (found,) = llama.generate(["next:\n"], 1, allowed=texts)
    ids = llama.tokens.endings(texts)
    assert len({row[0] for row in ids}) == 3  # told apart by their first token
    (first,) = llama.label_log_probabilities(
        ["next:\n"], [[""]], [llama.tokens.tokenizer.decode(row[:1]) for row in ids]
    )
    assert found == texts[int(first[0].argmax())]


@pytest.mark.parametrize("kind", ["llama", "gemma2", "gpt2"])
@pytest.mark.parametrize(
    "labels",
    [["A", "B", "C"], ["1", "10", "A1", "Alien", "Aliens"], ["The Thing", "The Third Man"], ["A"]],
)
def test_orders_hold_each_label_once(decoders, kind, labels):
    decoder = Decoder(str(decoders / kind), device="cpu")
    for order in decoder.rank_permutations(PROMPTS, [labels] * 3):
        assert sorted(order.tolist()) == list(range(len(labels)))
    assert decoder.rank_permutation(PROMPTS[0], labels).shape == (len(labels),)


def test_the_first_of_an_order_is_the_likeliest_label(llama):
    labels = ["A", "B", "C"]
    assert [len(row) for row in llama.tokens.answers(labels)] == [1, 1, 1]
    for prompt in ("order:\n", "film?\n", "next\n"):
        (p,) = llama.label_log_probabilities([prompt], [[""]], labels)
        assert llama.rank_permutation(prompt, labels)[0] == p[0].argmax()


PIECES = st.lists(
    st.lists(st.integers(1, 3), min_size=1, max_size=3), min_size=1, max_size=5, unique_by=tuple
)


@given(PIECES, st.data())
def test_every_walk_that_is_allowed_ends_in_an_order(first, data):
    """Labels that begin alike, and later pieces that begin with a separator or look like the labels."""
    later = [[data.draw(st.sampled_from([1, 9])), *row] for row in first]
    order, ids = Order(first, later), []
    for _ in range(40):
        choices = order.after(ids)
        assert choices, ids
        token = data.draw(st.sampled_from(choices))
        if token == END:
            break
        ids.append(token)
    else:
        raise AssertionError("no end")
    assert sorted(order.read(ids).tolist()) == list(range(len(first)))


def test_every_order_can_be_written():
    first = [[1], [1, 2], [3]]
    later = [[9, *row] for row in first]
    order = Order(first, later)
    for wanted in ([0, 1, 2], [1, 0, 2], [2, 1, 0], [2, 0, 1]):
        ids: list[int] = []
        for place, label in enumerate(wanted[:2]):
            for token in (later if place else first)[label]:
                assert token in order.after(ids)
                ids.append(token)
        assert END in order.after(ids)
        np.testing.assert_array_equal(order.read(ids), wanted)


def test_bad_settings_are_one_line(llama):
    with pytest.raises(InputError, match="max_new_tokens=0"):
        llama.generate(["a"], 0)
    with pytest.raises(InputError, match="one string"):
        llama.generate("a", 3)
    with pytest.raises(InputError, match="no text is allowed"):
        llama.generate(["a"], 3, allowed=[])
    with pytest.raises(InputError, match="allowed text 2 has no token"):
        llama.generate(["a"], 3, allowed=["b", ""])
    with pytest.raises(InputError, match="no labels"):
        llama.rank_permutation("a", [])
    with pytest.raises(InputError, match="two or more different"):
        llama.rank_permutation("a", ["A", "A"])
    with pytest.raises(InputError, match="row 1: a prompt of"):
        llama.generate(["Alien " * 200], 3)
