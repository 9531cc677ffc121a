"""Images to vectors with a pretrained network."""

from __future__ import annotations

from pathlib import Path

from recnb.data.media import open_image
from recnb.encoders.media.encoder import Inputs, MediaEncoder, as_inputs


class ImageEncoder(MediaEncoder):
    """A pretrained vision model as a function from image files to vectors.

    Parameters
    ----------
    name : str or path
        Local folder or hub name of a model that `transformers.AutoModel` knows, with its image
        processor: CLIP, SigLIP, ViT, DINOv2, ResNet, ConvNeXt and the like.
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
    >>> encoder = ImageEncoder("openai/clip-vit-base-patch32")  # doctest: +SKIP
    >>> encoder.encode(["images/tea.jpg", "images/cable.jpg"]).shape  # doctest: +SKIP
    (2, 512)
    """

    kind = "image"

    def _prepare(self, file: Path) -> Inputs:
        return as_inputs(self.processor(images=open_image(file), return_tensors="np"))

    def _blank(self) -> Inputs:
        from PIL import Image

        return as_inputs(self.processor(images=Image.new("RGB", (64, 64)), return_tensors="np"))
