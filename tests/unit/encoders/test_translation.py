"""Texts as they come back from another language: two tiny random models that write nonsense, but write."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from recnb.encoders.text.translation import BackTranslation  # noqa: E402
from recnb.errors import InputError  # noqa: E402
from tests.unit.encoders.conftest import write_tokenizer  # noqa: E402

TEXTS = ["green tea", "", "usb cable for the home", "green tea"]


def translator(folder: Path, seed: int) -> Path:
    """A seq2seq model of two layers."""
    import transformers as hf

    size = write_tokenizer(folder, "t5", "right")
    torch.manual_seed(seed)
    hf.T5ForConditionalGeneration(
        hf.T5Config(
            vocab_size=size, d_model=16, d_ff=32, d_kv=8, num_layers=2, num_heads=2,
            decoder_start_token_id=0, pad_token_id=0, eos_token_id=3,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


def test_paraphrases_keep_their_places_and_are_kept(tmp_path, monkeypatch):
    pair = [str(translator(tmp_path / name, seed)) for seed, name in enumerate(("there", "back"))]
    made = BackTranslation(*pair, max_tokens=8, device="cpu", cache=tmp_path / "kept")
    views = made.paraphrases(TEXTS, 3, seed=1)
    assert [len(view) for view in views] == [4, 4, 4]
    for view in views:
        assert view[1] == "" and view[0] == view[3] and view[0].strip() and view[2].strip()
    assert any(view[2] != TEXTS[2] for view in views) and len({view[2] for view in views}) > 1
    monkeypatch.setattr(BackTranslation, "_all", lambda *a: pytest.fail("translated twice"))
    assert made.paraphrases(TEXTS, 3, seed=1) == views


def test_an_encoder_alone_does_not_translate(bert):
    with pytest.raises(InputError, match="seq2seq"):
        BackTranslation(str(bert), str(bert), cache=False).paraphrases(["tea"], 1)
