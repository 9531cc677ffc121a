"""EfficientNet-Lite0 with its real weights: it recognises photographs, and its vectors stay what they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recnb.encoders import ImageEncoder
from recnb.encoders.media import lite
from recnb.errors import InputError

torch = pytest.importorskip("torch", reason="the extra recnb[text] is not installed")
pytest.importorskip(lite.WEIGHTS, reason="the extra recnb[media] is not installed")
Image = pytest.importorskip("PIL.Image", reason="the extra recnb[media] is not installed")
PALACE, DAISY = {663, 698, 832}, {985}  # classes of ImageNet: monastery, palace, stupa; daisy


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A Chinese palace and a flower, which scikit-learn carries."""
    from sklearn.datasets import load_sample_image

    folder = tmp_path_factory.mktemp("photographs")
    files = [folder / "china.png", folder / "flower.png"]
    for file in files:
        Image.fromarray(load_sample_image(f"{file.stem}.jpg")).save(file)
    return files


def test_photographs_are_recognised(photographs: list[Path]) -> None:
    encoder = ImageEncoder("efficientnet-lite0", device="cpu", cache=False, normalise=False)
    vectors = encoder.encode(photographs)
    assert vectors.shape == (2, encoder.dim) == (2, 1280)
    state = torch.load(encoder.source.folder / "efficientnet-lite0-57934424.pth", weights_only=True)
    logits = vectors @ state["_fc.weight"].numpy().T + state["_fc.bias"].numpy()
    best = np.argsort(-logits, axis=1)[:, :3]
    assert PALACE & set(best[0]), best[0]
    assert DAISY & set(best[1]), best[1]


def test_it_says_what_it_is(photographs: list[Path]) -> None:
    encoder = ImageEncoder("efficientnet-lite0", device="cpu", cache=False)
    assert encoder.checksum == lite.CHECKSUM
    assert encoder.n_parameters == 3_371_008  # without the classifier
    same = encoder.encode([photographs[1], photographs[0], photographs[1]])
    np.testing.assert_array_equal(same[0], same[2])
    np.testing.assert_allclose(np.linalg.norm(same, axis=1), 1, rtol=1e-5)


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lite, "CHECKSUM", "0" * 64)
    with pytest.raises(InputError, match="SHA-256"):
        ImageEncoder("efficientnet-lite0")
