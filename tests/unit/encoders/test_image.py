"""Vectors of images equal those of transformers called directly, and cost no more than they must."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recnb.encoders import ImageEncoder
from recnb.encoders.media import encoder as media
from recnb.errors import InputError

pytest.importorskip("transformers", reason="the extra recnb[text] is not installed")
Image = pytest.importorskip("PIL.Image", reason="the extra recnb[media] is not installed")
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
VISION = {**SMALL, "image_size": 32, "patch_size": 8}
WORDS = {
    **SMALL,
    "vocab_size": 50,
    "max_position_embeddings": 16,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SQUARE = {"height": 32, "width": 32}
CROP = {"size": {"shortest_edge": 36}, "crop_size": SQUARE}
KINDS = ("vit", "clip", "siglip", "dinov2", "resnet", "convnext")
DIMS = {"clip": 12}


def parts(kind: str) -> tuple[Any, Any]:
    """Settings of a model, and its image processor."""
    import transformers as hf

    def images(name: str) -> Any:  # Pillow's own class has a name of its own in recent versions
        return getattr(hf, f"{name}ImageProcessorPil", None) or getattr(hf, f"{name}ImageProcessor")

    makers = {
        "vit": lambda: (hf.ViTConfig(**VISION), images("ViT")(size=SQUARE)),
        "clip": lambda: (
            hf.CLIPConfig(text_config=WORDS, vision_config=VISION, projection_dim=12),
            images("CLIP")(**CROP),
        ),
        "siglip": lambda: (
            hf.SiglipConfig(text_config=WORDS, vision_config=VISION),
            images("Siglip")(size=SQUARE),
        ),
        "dinov2": lambda: (hf.Dinov2Config(**VISION), images("Bit")(**CROP)),
        "resnet": lambda: (
            hf.ResNetConfig(
                embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
            ),
            images("ConvNext")(size={"shortest_edge": 32}),
        ),
        "convnext": lambda: (
            hf.ConvNextConfig(hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1]),
            images("ConvNext")(size={"shortest_edge": 32}),
        ),
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


def write_images(folder: Path, n: int = 5) -> list[Path]:
    """Images of noise over a gradient, no two of one shape."""
    from PIL import Image

    rng = np.random.default_rng(0)
    files = []
    for row in range(n):
        noise = rng.integers(0, 128, (40 + 3 * row, 50, 3), dtype=np.uint8)
        noise[..., row % 3] += np.linspace(0, 127, 50).astype(np.uint8)
        files.append(folder / f"{row}.png")
        Image.fromarray(noise).save(files[-1])
    return files


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("image-models")
    for kind in KINDS:
        write_model(root / kind, kind)
    return root


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_images(tmp_path_factory.mktemp("images"))


def naive(folder: Path, files: list[Path]) -> np.ndarray:
    """Each image alone, length 1."""
    import torch
    from transformers import AutoImageProcessor, AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    processor = AutoImageProcessor.from_pretrained(folder)
    rows = []
    for file in files:
        inputs = processor(images=Image.open(file).convert("RGB"), return_tensors="pt")
        with torch.no_grad():
            if hasattr(model, "get_image_features"):
                output = model.get_image_features(**inputs)
                output = getattr(output, "pooler_output", output)
            else:
                output = model(**inputs).pooler_output
        rows.append(output.reshape(-1).numpy())
    result = np.stack(rows)
    return result / np.linalg.norm(result, axis=-1, keepdims=True)


def forbid(monkeypatch: pytest.MonkeyPatch, encoder: ImageEncoder) -> None:
    monkeypatch.setattr(media, "open_network", lambda *_: pytest.fail("the network was opened"))
    monkeypatch.setattr(encoder, "_prepare", lambda *_: pytest.fail("a file was decoded"))


@pytest.mark.parametrize("kind", KINDS)
def test_equals_transformers(folders: Path, files: list[Path], kind: str) -> None:
    encoder = ImageEncoder(folders / kind, device="cpu", cache=False, batch_size=2)
    assert encoder.dim == DIMS.get(kind, 16)
    assert "model" not in vars(encoder)  # the shapes tell
    vectors, expected = encoder.encode(files), naive(folders / kind, files)
    assert vectors.shape == (len(files), encoder.dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 1e-3  # the model does tell the images apart


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_the_side_of_the_text_is_left_out(folders: Path, files: list[Path], kind: str) -> None:
    encoder = ImageEncoder(folders / kind, device="cpu", cache=False)
    encoder.encode(files[:1])
    assert not [name for name, _ in encoder.model.named_children() if "text" in name]
    counted = sum(weights.numel() for weights in encoder.model.parameters())
    assert encoder.n_parameters == counted > 0


def test_without_a_trained_pooler_the_mean_over_tokens(
    folders: Path, files: list[Path], tmp_path: Path
) -> None:
    """A classifier's checkpoint has no pooler; transformers would draw one at random."""
    import torch
    import transformers as hf

    folder = tmp_path / "classifier"
    shutil.copytree(folders / "vit", folder)
    config = hf.AutoConfig.from_pretrained(folder)
    hf.ViTForImageClassification(config).save_pretrained(folder)
    encoder = ImageEncoder(folder, device="cpu", cache=False, normalise=False)
    vit = hf.ViTModel.from_pretrained(folder, add_pooling_layer=False).eval()
    inputs = hf.AutoImageProcessor.from_pretrained(folder)(
        images=[Image.open(file) for file in files], return_tensors="pt"
    )
    with torch.no_grad():
        expected = vit(**inputs).last_hidden_state.mean(dim=1).numpy()
    np.testing.assert_allclose(encoder.encode(files), expected, atol=1e-5)


def test_nothing_is_hidden_from_a_masked_autoencoder(files: list[Path], tmp_path: Path) -> None:
    import torch
    import transformers as hf

    torch.manual_seed(0)
    hf.ViTMAEModel(hf.ViTMAEConfig(**VISION, mask_ratio=0.75)).save_pretrained(tmp_path / "mae")
    parts("vit")[1].save_pretrained(tmp_path / "mae")
    encoder = ImageEncoder(tmp_path / "mae", device="cpu", cache=False)
    np.testing.assert_allclose(encoder.encode(files), encoder.encode(files), atol=1e-6)


def test_each_content_once_in_any_order(
    folders: Path, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = ImageEncoder(folders / "vit", device="cpu", cache=False, batch_size=2)
    expected = encoder.encode(files)
    other = shutil.copy(files[0], tmp_path / "another name.png")
    read: list[Path] = []
    inner = encoder._prepare
    monkeypatch.setattr(encoder, "_prepare", lambda file: read.append(file) or inner(file))
    calls: list[tuple[int, int]] = []
    vectors = encoder.encode(
        [str(other), *reversed(files), files[0]], lambda *done: calls.append(done)
    )
    np.testing.assert_array_equal(vectors, expected[[0, 4, 3, 2, 1, 0, 0]])
    assert len(read) == 5
    assert calls == [(2, 5), (4, 5), (5, 5)]


def test_a_second_encoder_finds_what_the_first_kept(
    folders: Path, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = ImageEncoder(folders / "clip", device="cpu").encode(files)
    assert list((tmp_path / "cache" / "image").glob("*.sqlite"))
    encoder = ImageEncoder(folders / "clip", device="cpu")
    forbid(monkeypatch, encoder)
    np.testing.assert_array_equal(encoder.encode(files[::-1]), expected[::-1])


@pytest.mark.parametrize("change", ["normalise", "precision", "processor", "content"])
def test_what_the_vectors_depend_on_is_computed_anew(
    folders: Path, files: list[Path], tmp_path: Path, change: str
) -> None:
    folder = shutil.copytree(folders / "vit", tmp_path / "vit")
    image = Path(shutil.copy(files[0], tmp_path / "a.png"))
    first = ImageEncoder(folder, device="cpu").encode([image])
    settings: dict[str, Any] = {
        "normalise": {"normalise": False},
        "precision": {"precision": "bfloat16"},
    }.get(change, {})
    if change == "processor":
        file = folder / "preprocessor_config.json"
        file.write_text(file.read_text().replace('"do_normalize": true', '"do_normalize": false'))
    if change == "content":
        shutil.copy(files[1], image)
    encoder = ImageEncoder(folder, device="cpu", **settings)
    second = encoder.encode([image])
    assert np.abs(first - second).max() > 1e-5
    assert "model" in vars(encoder)


def test_what_was_finished_outlives_a_break(
    folders: Path, files: list[Path], tmp_path: Path
) -> None:
    """A file that is no image ends the run; the images before it are kept, in order of digest."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    encoder = ImageEncoder(folders / "vit", device="cpu", batch_size=1)
    done: list[int] = []
    with pytest.raises(InputError, match=r"broken\.png"):
        encoder.encode([*files, broken], lambda now, _: done.append(now))
    left: list[tuple[int, int]] = []
    encoder.encode(files, lambda *now: left.append(now))
    assert len(done) + len(left) == len(files)


def test_a_damaged_cache_is_begun_anew(
    folders: Path, files: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = ImageEncoder(folders / "vit", device="cpu").encode(files)
    (kept,) = (tmp_path / "cache" / "image").glob("*.sqlite")
    kept.write_bytes(b"damage" * 1000)
    encoder = ImageEncoder(folders / "vit", device="cpu")
    np.testing.assert_array_equal(encoder.encode(files), expected)
    assert "set aside, begun anew" in caplog.text


def test_states_that_are_not_finite(
    folders: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    encoder = ImageEncoder(folders / "vit", device="cpu")
    monkeypatch.setattr(encoder, "_forward", lambda _: torch.full((1, 16), float("nan")))
    with pytest.raises(InputError, match="not finite in float32; use precision='float32'"):
        encoder.encode(files[:1])


def test_settings_and_sizes(folders: Path) -> None:
    encoder = ImageEncoder(folders / "vit", device="cpu")
    assert encoder.encode([]).shape == (0, 16)
    assert encoder.settings == {
        "name": "vit",
        "checksum": encoder.checksum,
        "precision": "float32",
        "normalise": True,
        "device": "cpu",
        "revision": None,
    }
    assert repr(encoder) == "ImageEncoder('vit', float32, cpu)"


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    assert "\n" not in str(error.value) and error.value.mend
    return str(error.value)


def test_wrong_models(folders: Path, bert: Path, tmp_path: Path) -> None:
    import transformers as hf

    with pytest.raises(InputError, match=r"\(bert\) reads no image; name a model") as error:
        ImageEncoder(bert, device="cpu")
    one_line(error)
    bare = tmp_path / "bare"
    hf.AutoModel.from_config(hf.AutoConfig.from_pretrained(folders / "vit")).save_pretrained(bare)
    with pytest.raises(InputError, match=r"no preprocessor_config\.json in this folder") as error:
        ImageEncoder(bare, device="cpu")
    one_line(error)
    sound = tmp_path / "sound"
    hf.ASTModel(hf.ASTConfig(**SMALL)).save_pretrained(sound)
    with pytest.raises(
        InputError, match=r"audio-spectrogram-transformer.* reads no image"
    ) as error:
        ImageEncoder(sound, device="cpu")
    one_line(error)
    (bare / "preprocessor_config.json").write_text('{"feature_extractor_type": "Nothing"}')
    with pytest.raises(InputError, match="cannot read this model") as error:
        (bare / "config.json").write_text('{"model_type": "nothing"}')
        ImageEncoder(bare, device="cpu")
    one_line(error)


def test_weights_with_gaps(folders: Path, files: list[Path], tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(folders / "vit", tmp_path / "vit")
    weights = load_file(folder / "model.safetensors")
    weights.pop(next(name for name in sorted(weights) if "bias" in name and "pooler" not in name))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="the weights lack 1 tensors") as error:
        ImageEncoder(folder, device="cpu").encode(files)
    one_line(error)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("a.png", "files is one path"),
        (["missing.png"], r"missing\.png, row 1: cannot read this file \(No such file"),
        ([None], "row 1: a file is None, no path"),
    ],
)
def test_wrong_files(folders: Path, wrong: Any, message: str) -> None:
    encoder = ImageEncoder(folders / "vit", device="cpu")
    with pytest.raises(InputError, match=message) as error:
        encoder.encode(wrong)
    one_line(error)


def test_wrong_settings(folders: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="batch_size is 0"):
        ImageEncoder(folders / "vit", batch_size=0)
    with pytest.raises(InputError, match="unknown precision"):
        ImageEncoder(folders / "vit", precision="half")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot keep vectors here"):
        ImageEncoder(folders / "vit", device="cpu", cache=tmp_path / "file").encode([])
