"""Vectors of sound equal those of transformers called directly, each clip alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recnb.data.media import open_audio
from recnb.encoders import AudioEncoder
from recnb.encoders.media import encoder as media
from recnb.errors import InputError

pytest.importorskip("transformers", reason="the extra recnb[text] is not installed")
pytest.importorskip("soundfile", reason="the extra recnb[media] is not installed")
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
WORDS = {
    **SMALL,
    "vocab_size": 50,
    "max_position_embeddings": 16,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
WAVES = {
    **SMALL,
    "conv_dim": (8, 8),
    "conv_stride": (5, 4),
    "conv_kernel": (10, 8),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
KINDS = ("ast", "whisper", "clap", "wav2vec2", "hubert")
DIMS, LIMITS = {"clap": 12}, {"whisper": 2.0, "clap": 2.0}


def parts(kind: str) -> tuple[Any, Any]:
    """Settings of a model, and its feature extractor."""
    import transformers as hf

    makers = {
        "ast": lambda: (
            hf.ASTConfig(**SMALL, max_length=64, num_mel_bins=32, patch_size=16),
            hf.ASTFeatureExtractor(max_length=64, num_mel_bins=32),
        ),
        "whisper": lambda: (
            hf.WhisperConfig(
                d_model=16,
                encoder_layers=2,
                encoder_attention_heads=2,
                encoder_ffn_dim=32,
                decoder_layers=1,
                decoder_attention_heads=2,
                decoder_ffn_dim=32,
                vocab_size=60,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=2,
                decoder_start_token_id=1,
                num_mel_bins=20,
                max_source_positions=100,
                max_target_positions=10,
            ),
            hf.WhisperFeatureExtractor(feature_size=20, chunk_length=2),
        ),
        "clap": lambda: (
            hf.ClapConfig(
                text_config=WORDS,
                audio_config={
                    "window_size": 8,
                    "num_mel_bins": 64,
                    "spec_size": 256,
                    "patch_embeds_hidden_size": 8,
                    "depths": [1, 1],
                    "num_attention_heads": [2, 2],
                    "hidden_size": 16,
                    "projection_dim": 12,
                },
                projection_dim=12,
            ),
            hf.ClapFeatureExtractor(max_length_s=2, truncation="rand_trunc"),
        ),
        "wav2vec2": lambda: (hf.Wav2Vec2Config(**WAVES), hf.Wav2Vec2FeatureExtractor()),
        "hubert": lambda: (hf.HubertConfig(**WAVES), hf.Wav2Vec2FeatureExtractor()),
    }
    return makers[kind]()


def write_model(folder: Path, kind: str) -> Path:
    """A model of `kind` with random weights, and what prepares its input."""
    import torch
    import transformers as hf

    config, processor = parts(kind)
    torch.manual_seed(0)
    hf.AutoModel.from_config(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def write_sounds(folder: Path) -> list[Path]:
    """Tones with noise, at 16,000 and 8,000 samples a second; the last but one of 1 ms."""
    import soundfile

    rng = np.random.default_rng(0)
    files = []
    for row, (n, rate) in enumerate(
        [(8000, 16000), (24000, 16000), (24000, 16000), (6000, 8000), (16, 16000), (64000, 16000)]
    ):
        wave = 0.3 * np.sin(np.arange(n) * 0.05 * (row + 1)) + 0.05 * rng.normal(size=n)
        files.append(folder / f"{row}.wav")
        soundfile.write(files[-1], wave, rate)
    return files


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound-models")
    for kind in KINDS:
        write_model(root / kind, kind)
    return root


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_sounds(tmp_path_factory.mktemp("sounds"))


def naive(folder: Path, files: list[Path], seconds: float) -> np.ndarray:
    """Each clip alone, length 1; silence after what is shorter than 0.1 s."""
    import torch
    from transformers import AutoFeatureExtractor, AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    extractor = AutoFeatureExtractor.from_pretrained(folder)
    rate = extractor.sampling_rate
    rows = []
    for file in files:
        wave = open_audio(file, rate, seconds)
        wave = np.pad(wave, (0, max(0, rate // 10 - len(wave))))
        inputs = extractor(wave, sampling_rate=rate, return_tensors="pt")
        with torch.no_grad():
            if hasattr(model, "get_audio_features"):
                output = model.get_audio_features(**inputs)
                output = getattr(output, "pooler_output", output)
            elif model.config.is_encoder_decoder:  # a state for 20 ms: those of the clip
                states = model.get_encoder()(**inputs).last_hidden_state
                output = states[:, : -(-len(wave) // 320)].mean(dim=1)
            else:
                output = model(**inputs)
                output = getattr(output, "pooler_output", output.last_hidden_state.mean(dim=1))
        rows.append(output.reshape(-1).numpy())
    result = np.stack(rows)
    return result / np.linalg.norm(result, axis=-1, keepdims=True)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_transformers(folders: Path, files: list[Path], kind: str) -> None:
    encoder = AudioEncoder(folders / kind, 3.0, device="cpu", cache=False, batch_size=2)
    assert encoder.dim == DIMS.get(kind, 16)
    assert "model" not in vars(encoder)  # the shapes tell
    assert encoder.seconds == LIMITS.get(kind, 3.0)
    vectors, expected = encoder.encode(files), naive(folders / kind, files, encoder.seconds)
    assert vectors.shape == (len(files), encoder.dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 1e-3  # the model does tell the clips apart


def test_clap_with_fusion(files: list[Path], tmp_path: Path) -> None:
    """Its steps depend on values, so that its shape is known from the network alone."""
    import transformers as hf

    folder = write_model(tmp_path / "clap", "clap")
    config, _ = parts("clap")
    config.audio_config.enable_fusion = True
    hf.ClapModel(config).save_pretrained(folder)
    hf.ClapFeatureExtractor(max_length_s=2, truncation="fusion").save_pretrained(folder)
    encoder = AudioEncoder(folder, device="cpu", cache=False)
    vectors = encoder.encode(files)
    np.testing.assert_allclose(vectors, naive(folder, files, 2.0), atol=1e-5)
    np.testing.assert_array_equal(encoder.encode(files), vectors)  # nothing is drawn


@pytest.mark.parametrize("kind", ["whisper", "clap"])
def test_only_the_side_of_the_sound(folders: Path, files: list[Path], kind: str) -> None:
    encoder = AudioEncoder(folders / kind, device="cpu", cache=False)
    encoder.encode(files[:1])
    assert not [n for n, _ in encoder.model.named_modules() if "text" in n or "decoder" in n]
    assert encoder.n_parameters == sum(w.numel() for w in encoder.model.parameters())


def test_only_the_first_seconds_are_read(folders: Path, files: list[Path], tmp_path: Path) -> None:
    import soundfile

    wave, rate = soundfile.read(files[-1])
    soundfile.write(tmp_path / "start.wav", wave[:rate], rate)
    encoder = AudioEncoder(folders / "wav2vec2", 1.0, device="cpu")
    long, short = encoder.encode([files[-1], tmp_path / "start.wav"])
    np.testing.assert_allclose(long, short, atol=1e-6)
    more = AudioEncoder(folders / "wav2vec2", 2.0, device="cpu").encode([files[-1]])
    assert np.abs(more - long).max() > 1e-4


@pytest.mark.parametrize("kind", ["wav2vec2", "whisper"])
def test_each_content_once_in_any_order_and_kept(
    folders: Path,
    files: list[Path],
    tmp_path: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = AudioEncoder(folders / kind, device="cpu", cache=False).encode(files)
    other = Path(shutil.copy(files[0], tmp_path / "another name.wav"))
    mixed = [other, *files[::-1], files[0]]
    first = AudioEncoder(folders / kind, device="cpu")
    done: list[tuple[int, int]] = []
    vectors = first.encode(mixed, lambda *now: done.append(now))
    np.testing.assert_array_equal(vectors, expected[[0, 5, 4, 3, 2, 1, 0, 0]])
    assert done[-1] == (6, 6)
    assert list((tmp_path / "cache" / "audio").glob("*.sqlite"))
    second = AudioEncoder(folders / kind, device="cpu")
    monkeypatch.setattr(media, "open_network", lambda *_: pytest.fail("the network was opened"))
    np.testing.assert_array_equal(second.encode(files), expected)


def test_many_lengths_wait_for_no_full_batch(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clips of as many lengths as there are files: each is read alone, few wait at a time."""
    import soundfile

    rng = np.random.default_rng(0)
    files = [tmp_path / f"{row}.wav" for row in range(12)]
    for row, file in enumerate(files):
        soundfile.write(file, rng.normal(size=2000 + 10 * row) * 0.1, 16000)
    monkeypatch.setattr(media, "WAITING", 2)
    encoder = AudioEncoder(folders / "wav2vec2", device="cpu", cache=False, batch_size=2)
    done: list[int] = []
    vectors = encoder.encode(files, lambda now, _: done.append(now))
    assert done == list(range(1, 13))
    np.testing.assert_allclose(vectors, naive(folders / "wav2vec2", files, 10.0), atol=1e-5)


def test_weights_that_pre_training_alone_uses_may_be_missing(
    folders: Path, files: list[Path], tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(folders / "wav2vec2", tmp_path / "wav2vec2")
    weights = load_file(folder / "model.safetensors")
    del weights["masked_spec_embed"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    expected = AudioEncoder(folders / "wav2vec2", device="cpu", cache=False).encode(files)
    vectors = AudioEncoder(folder, device="cpu", cache=False).encode(files)
    np.testing.assert_array_equal(vectors, expected)


def test_bad_input(folders: Path, bert: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\(bert\) reads no audio; name a model"):
        AudioEncoder(bert, device="cpu")
    bare = shutil.copytree(folders / "ast", tmp_path / "ast")
    (bare / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"no preprocessor_config\.json in this folder"):
        AudioEncoder(bare, device="cpu")
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="seconds is"):
            AudioEncoder(folders / "ast", seconds)
    encoder = AudioEncoder(folders / "ast", device="cpu")
    assert encoder.settings["seconds"] == 10.0
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    with pytest.raises(InputError, match=r"broken\.wav"):
        encoder.encode([tmp_path / "broken.wav"])
    with pytest.raises(InputError, match="cannot read this file"):
        encoder.encode([tmp_path])
