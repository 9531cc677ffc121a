"""What prompts share is read once, and nothing changes: results are those of the plain loop."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pytest
import torch
import transformers

from recnb.encoders.decoder import Decoder
from recnb.encoders.decoder.packing import pack_sequence
from recnb.errors import InputError
from tests.unit.encoders.decoder.tiny import (
    ARCHITECTURES,
    CONTEXT,
    plain_log_likelihoods,
    write_decoder,
)

PREFIXES = [
    "The user likes green tea. would they like it? watch next:",
    "The user likes Alien, Aliens and Toy Story. next:",
    "The user likes A",
    "The user likes A",
    "Yes",
]
TITLES = [
    " The Thing.",
    " The Third Man!",
    " Toy Story (1995)?",
    " The Thing.",
    " Alien",
    " Aliens",
    " A",
]
LISTS = [TITLES, TITLES[:2], TITLES[::-1], [" Alien"], []]


def plain(decoder: Decoder, prefixes, lists) -> list[np.ndarray]:
    out = []
    for prefix, texts in zip(prefixes, lists):
        rows = decoder.tokens.endings(texts)
        (ids,) = decoder.tokens.beginnings([prefix])
        out.append(plain_log_likelihoods(decoder, ids, rows, [len(row) for row in rows]))
    return out


@pytest.mark.parametrize("batch_tokens", [2, 64, 4096])
@pytest.mark.parametrize("kind", [*ARCHITECTURES, "start"])
def test_likelihoods_equal_the_plain_loop(decoders, kind, batch_tokens):
    decoder = Decoder(str(decoders / kind), device="cpu", batch_tokens=batch_tokens)
    found = decoder.log_likelihoods(PREFIXES, LISTS)
    expected = plain(decoder, PREFIXES, LISTS)
    for sums, values in zip(expected, found):
        assert values.shape == (len(sums), 2) and values.dtype == np.float64
        np.testing.assert_allclose(values[:, 0], sums, atol=1e-4, rtol=0)
    assert np.ptp(expected[0]) > 1  # there is something to tell apart
    assert found[0][0].tolist() == found[0][3].tolist()  # titles that repeat


@pytest.mark.parametrize("kind", [*ARCHITECTURES, "start"])
def test_a_window_shorter_than_the_prompt_and_a_context_filled_to_its_end(decoders, kind):
    decoder = Decoder(str(decoders / kind), device="cpu")
    prefix = "Alien, " * 40
    (ids,) = decoder.tokens.beginnings([prefix])
    (end,) = decoder.tokens.endings([" The Thing"])
    while len(ids) + len(end) > CONTEXT:
        prefix = prefix[:-1]
        (ids,) = decoder.tokens.beginnings([prefix])
    prefix = prefix.rstrip()
    assert len(ids) > 60
    (found,) = decoder.log_likelihoods([prefix], [[" The Thing", " tea"]])
    (expected,) = plain(decoder, [prefix], [[" The Thing", " tea"]])
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_answers_equal_the_plain_loop(decoders, kind):
    decoder = Decoder(str(decoders / kind), device="cpu", batch_tokens=64)
    labels = ("Yes", "No", "Alien film")  # the last is several tokens
    suffixes = [[f"{title}\n" for title in TITLES], ["\n"], [" The Thing\n"], [], [" tea\n"]]
    found = decoder.label_log_probabilities(PREFIXES, suffixes, labels)
    answers = decoder.tokens.answers(labels)
    assert {len(answer) for answer in answers} > {1}
    for prefix, texts, values in zip(PREFIXES, suffixes, found):
        assert values.shape == (len(texts), 3)
        (ids,) = decoder.tokens.beginnings([prefix])
        for row, text in zip(values, decoder.tokens.endings(texts)):
            rows = [text + answer for answer in answers]
            expected = plain_log_likelihoods(decoder, ids, rows, [len(a) for a in answers])
            np.testing.assert_allclose(row, expected, atol=1e-4, rtol=0)


def test_spaces_before_an_answer_belong_to_it(llama):
    (ending,) = llama.label_log_probabilities(["a film: "], [[""]], ("Yes", "No"))
    (leading,) = llama.label_log_probabilities(["a film:"], [[""]], (" Yes", " No"))
    (between,) = llama.label_log_probabilities(["a "], [["film: "]], ("Yes", "No"))
    (glued,) = llama.label_log_probabilities(["a film:"], [[""]], ("Yes", "No"))
    np.testing.assert_allclose(ending, leading, atol=1e-5)
    np.testing.assert_allclose(between, leading, atol=1e-5)
    assert np.abs(glued - leading).max() > 0.01


def test_order_and_company_do_not_matter(llama):
    found = llama.log_likelihoods(PREFIXES, LISTS)
    turned = llama.log_likelihoods(PREFIXES[::-1], [texts[::-1] for texts in LISTS[::-1]])
    for a, b in zip(found, turned[::-1]):
        np.testing.assert_allclose(a, b[::-1], atol=1e-5)


def test_only_what_is_needed_is_read_and_goes_through_the_head(llama, monkeypatch):
    network, read, headed = llama.network, [], []
    base, head = network.base.forward, network.model.lm_head.forward

    def watched(**inputs):
        read.append(tuple(inputs["input_ids"].shape))
        return base(**inputs)

    def counted(states):
        headed.append(len(states))
        return head(states)

    monkeypatch.setattr(network.base, "forward", watched)
    monkeypatch.setattr(network.model.lm_head, "forward", counted)
    whole = Decoder(llama.model, device="cpu", batch_tokens=4096)
    beginnings = ["The user likes tea. next:", "The user likes Alien. next:"]
    whole.log_likelihoods(beginnings, [TITLES, TITLES])
    rows = whole.tokens.endings(TITLES)
    ids = whole.tokens.beginnings(beginnings)
    inner = {tuple(row[:k]) for row in rows for k in range(1, len(row))}
    root, rest, trees = read
    assert root == (1, next(k for k, (a, b) in enumerate(zip(*ids)) if a != b))
    assert rest == (2, max(len(row) - root[1] for row in ids))
    assert trees[0] * trees[1] <= 2 * (len(inner) + trees[1])
    assert sum(headed) == 2 * (len(inner) + 1)
    headed.clear()
    whole.label_log_probabilities(beginnings, [[f"{t}\n" for t in TITLES]] * 2, ("Y", "N"))
    assert sum(headed) == 2 * len(set(TITLES))  # one state a prompt


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_gradients_through_a_packed_prompt_are_those_of_each_prompt_alone(decoders, kind):
    decoder = Decoder(str(decoders / kind), device="cpu")
    network = decoder.network
    (prefix,) = decoder.tokens.beginnings(["The user likes Alien, Aliens. next:"])
    rows = decoder.tokens.endings(TITLES)
    one = pack_sequence(prefix, rows)
    weight = network.model.get_input_embeddings().weight
    try:
        weight.requires_grad_(True)
        ids, positions, seen = (
            torch.from_numpy(a)[None] for a in (one.input_ids, one.position_ids, one.mask)
        )
        states, _ = network.read(ids, positions, seen)
        log_p = network.log_probabilities(
            states[0], torch.from_numpy(one.rows), torch.from_numpy(one.targets)
        )
        pairs = torch.from_numpy(one.pairs)
        sums = torch.zeros(len(rows)).index_add(0, pairs[:, 0], log_p[pairs[:, 1]])
        factors = torch.linspace(0.5, 2, len(rows))
        (packed,) = torch.autograd.grad((sums * factors).sum(), weight)
        alone = torch.zeros_like(weight)
        for row, factor in zip(rows, factors):
            whole = torch.tensor([prefix + row])
            logits = network.model(input_ids=whole).logits[0, :-1].log_softmax(dim=-1)
            targets = logits.gather(1, whole[0, 1:, None])[len(prefix) - 1 :].sum()
            alone += torch.autograd.grad(targets * factor, weight)[0]
    finally:
        weight.requires_grad_(False)
    assert alone.abs().max() > 0.1
    torch.testing.assert_close(packed, alone, atol=1e-4, rtol=1e-4)


def test_prompts_longer_than_the_context_are_one_line(llama):
    with pytest.raises(
        InputError, match=r"row 2: a prompt of \d+ tokens; llama reads 96; keep"
    ) as e:
        llama.log_likelihoods(["a", "Alien " * 200], [[" tea"], [" tea"]])
    assert "\n" not in str(e.value)
    short = Decoder(llama.model, device="cpu", max_length=8)
    with pytest.raises(InputError, match="reads 8"):
        short.label_log_probabilities(["The user likes green tea, Alien and film"], [["\n"]])
    with pytest.raises(InputError, match="positions for 96"):
        Decoder(llama.model, device="cpu", max_length=97).log_likelihoods(["a"], [[" b"]])


@pytest.mark.parametrize(
    ("prefixes", "rests", "line"),
    [
        (["a"], [["b", ""]], "row 1: an empty continuation"),
        (["a"], [["b"], ["c"]], "1 prefixes and 2 lists"),
        ("a", [["b"]], "the prefixes are one string"),
        (["a"], ["b"], "row 1: what follows a prefix is one string"),
    ],
)
def test_malformed_lists(llama, prefixes, rests, line):
    with pytest.raises(InputError, match=line):
        llama.log_likelihoods(prefixes, rests)


def test_no_prompts(llama):
    assert llama.log_likelihoods([], []) == []
    (none,) = llama.label_log_probabilities(["a"], [[]])
    assert none.shape == (0, 2)
    assert llama.states([]).shape == (0, 32) and llama.generate([], 3) == []


def test_an_empty_prefix_is_the_start_of_a_text(llama):
    (found,) = llama.log_likelihoods([""], [["Alien"]])
    rows = llama.tokens.endings(["Alien"])
    (expected,) = plain_log_likelihoods(llama, [1], rows, [len(rows[0])])
    assert found[0].tolist() == pytest.approx([expected, len(rows[0])], abs=1e-4)


@pytest.mark.parametrize("kind", ["llama", "gemma2", "gpt2", "qwen2-window"])
def test_states_are_those_of_each_text_alone(decoders, kind):
    decoder = Decoder(str(decoders / kind), device="cpu", batch_tokens=16)
    texts = ["green tea", "Alien, Aliens; film", "", "green tea", "Toy Story (1995)? next watch"]
    for layer in (0, 1, -1):
        mean, last = (decoder.states(texts, how, layer) for how in ("mean", "last"))
        assert mean.dtype == np.float32 and not mean[2].any()
        for k in (0, 1, 4):
            ids = torch.tensor(decoder.tokens.beginnings([texts[k]]))
            with torch.no_grad():
                states = decoder.network.base(ids, output_hidden_states=True).hidden_states[layer][
                    0
                ]
            np.testing.assert_allclose(mean[k], states.mean(dim=0), atol=1e-4)
            np.testing.assert_allclose(last[k], states[-1], atol=1e-4)
    with pytest.raises(InputError, match="layer=9; use 0 to 3"):
        decoder.states(texts, layer=9)
    with pytest.raises(InputError, match="pooling='first'"):
        decoder.states(texts, pooling="first")


@pytest.mark.parametrize(("dtype", "most"), [("bfloat16", 0.5), ("int8", 0.5)])
def test_fewer_bits_stay_near(decoders, dtype, most):
    exact = Decoder(str(decoders / "llama"), device="cpu")
    rough = Decoder(str(decoders / "llama"), device="cpu", dtype=dtype)
    a, b = (np.concatenate(d.log_likelihoods(PREFIXES, LISTS))[:, 0] for d in (exact, rough))
    assert 0 < np.abs(a - b).max() < most < np.ptp(a) / 4


def test_settings_travel_without_the_network(llama):
    assert llama.network is Decoder(llama.model, device="cpu", batch_tokens=7).network
    again = pickle.loads(pickle.dumps(llama))
    assert again == llama and len(pickle.dumps(llama)) < 1000
    assert again.settings["checksum"] == llama.source.checksum
    assert llama.parameters == sum(w.numel() for w in llama.network.model.parameters())
    for wrong in ({"dtype": "fp4"}, {"max_length": 1}, {"batch_tokens": 0}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            Decoder(**wrong)


def test_a_model_that_masks_mean_something_else_to_is_refused(tmp_path, monkeypatch):
    folder = write_decoder(tmp_path / "deaf", "llama")
    forward = transformers.models.llama.modeling_llama.LlamaModel.forward

    @functools.wraps(forward)
    def deaf(self, *args, attention_mask=None, **kwargs):
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(transformers.models.llama.modeling_llama.LlamaModel, "forward", deaf)
    with pytest.raises(InputError, match="deaf does not read shared beginnings"):
        Decoder(str(folder), device="cpu").log_likelihoods(["a"], [[" b"]])


def test_logits_changed_behind_the_head_are_refused(tmp_path):
    import json

    folder = tmp_path / "cohere"
    write_decoder(folder, "llama")
    config = transformers.CohereConfig(
        vocab_size=360, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=48, logit_scale=0.1, pad_token_id=0, bos_token_id=1, eos_token_id=0,
        initializer_range=0.3,
    )  # fmt: skip
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["logit_scale"] == 0.1
    with pytest.raises(InputError, match="log-probabilities differ"):
        Decoder(str(folder), device="cpu").log_likelihoods(["a"], [[" b"]])


def test_layers_that_do_not_attend_are_refused(tmp_path):
    folder = write_decoder(tmp_path / "mixed", "qwen3")
    import json

    config = json.loads((folder / "config.json").read_text())
    config["layer_types"] = ["full_attention", "chunked_attention", "full_attention"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="mixed has layers of chunked_attention"):
        Decoder(str(folder), device="cpu").log_likelihoods(["a"], [[" b"]])
