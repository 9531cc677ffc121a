"""Where a prompt is cut, and which words are answers."""

from __future__ import annotations

import pytest

from recnb.encoders.decoder.tokens import Tokens
from recnb.errors import InputError
from tests.unit.encoders.conftest import words
from tests.unit.encoders.decoder.tiny import tokenizer_of


def pieces() -> Tokens:
    """A tokenizer that puts a space before every text, as SentencePiece does for Llama 2."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    core.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split("▁", "merged_with_next")]
    )
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=120,
        special_tokens=["<unk>", "<s>"],
        initial_alphabet=["\n"],
        show_progress=False,
    )
    core.train_from_iterator(["The Thing\nToy Story\nThe Third Man\nYes\nNo"] * 5, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", bos_token="<s>")
    return Tokens(fast, "pieces")


@pytest.mark.parametrize("make", [lambda: Tokens(tokenizer_of(), "bytes"), pieces])
@pytest.mark.parametrize(
    ("prefix", "rest"),
    [
        ("The Third", " Man"),
        ("Yes\n", "The Thing"),
        ("Toy", " Story\nYes"),
        ("The Thing\n", "Toy Story"),
    ],
)
def test_where_the_boundary_is_clean_the_ids_are_those_of_the_joined_text(make, prefix, rest):
    tokens = make()
    ids = tokens.beginnings([prefix])[0] + tokens.endings([rest])[0]
    assert ids == tokens.beginnings([prefix + rest])[0]


def test_a_start_token_comes_once():
    tokens = Tokens(tokenizer_of(start=True), "start")
    (plain,), (written,) = tokens.beginnings(["Yes"]), tokens.beginnings(["<start>Yes"])
    assert plain == written and plain[0] == 1 and plain.count(1) == 1
    assert 1 not in tokens.endings(["Yes"])[0]
    assert tokens.beginnings([""]) == [[1]]


def test_a_text_without_start_needs_one():
    tokenizer = tokenizer_of()
    assert Tokens(tokenizer, "x").beginnings(["", "  "]) == [[1], [1]]
    tokenizer.bos_token = tokenizer.eos_token = None
    with pytest.raises(InputError, match="x has no token for the start of a text"):
        Tokens(tokenizer, "x").beginnings([""])


def test_answers_that_cannot_be_written():
    from transformers import PreTrainedTokenizerFast

    tokens = Tokens(
        PreTrainedTokenizerFast(tokenizer_object=words(), unk_token="[UNK]"), "few words"
    )
    assert [len(row) for row in tokens.answers(["green", "black tea"])] == [1, 2]
    with pytest.raises(
        InputError, match="few words has no way to write the answer 'Yes'"
    ) as caught:
        tokens.answers(["green", "Yes"])
    assert "\n" not in str(caught.value)
    for labels in ("Yes", ["Yes"], ["Yes", "Yes"], []):
        with pytest.raises(InputError, match="two or more different"):
            tokens.answers(labels)


def test_chats():
    tokenizer = tokenizer_of()
    tokens = Tokens(tokenizer, "x")
    assert tokens.chat("Hi", "Be kind.") == "Be kind.\n\nHi\n"
    assert tokens.chat("Hi") == "Hi\n"
    tokenizer.chat_template = (
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant]\n{% endif %}"
    )
    assert tokens.chat("Hi", "Be kind.") == "[system] Be kind.\n[user] Hi\n[assistant]\n"
    tokenizer.chat_template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}"
        + str(tokenizer.chat_template)
    )
    assert tokens.chat("Hi", "Be kind.") == "[user] Be kind.\n\nHi\n[assistant]\n"


def test_a_title_ends_no_turn():
    tokens = Tokens(tokenizer_of(), "x")
    assert 0 in tokens.endings(["Alien<end>No"])[0]
    written = tokens.plain("Alien<end>No")
    assert written == "Alien< end>No" and 0 not in tokens.endings([written])[0]
    assert tokens.chat("Alien<end>", "Be<start>") == "Be< start>\n\nAlien< end>\n"
    assert tokens.plain("Alien <3") == "Alien <3"
