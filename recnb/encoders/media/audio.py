"""Sound to vectors with a pretrained network."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from recnb.data.media import open_audio
from recnb.encoders.media.encoder import Inputs, MediaEncoder, as_inputs
from recnb.errors import InputError

SHORTEST = 0.1  # seconds: silence follows a shorter clip, as convolutions need a few frames


class AudioEncoder(MediaEncoder):
    """A pretrained audio model as a function from sound files to vectors.

    Parameters
    ----------
    name : str or path
        Local folder or hub name of a model that `transformers.AutoModel` knows, with its feature
        extractor: CLAP, AST, Whisper (its encoder alone), wav2vec2, HuBERT and the like.
    seconds : float
        Read of each file from its start, at most, in seconds; less where the feature extractor
        takes less (AST 10.24, CLAP 10, Whisper 30).
    device, precision, cache, normalise, revision, batch_size
        As in `ImageEncoder`; vectors are kept under `cache.cache_folder() / "audio"`.

    Attributes
    ----------
    name, checksum, dim, n_parameters, device, precision
        As in `ImageEncoder`.
    seconds : float
        In effect; AST's extractor cuts on its own.
    rate : int
        Samples a second that the feature extractor wants; files are resampled to it.

    Raises
    ------
    InputError
        Settings that do not exist; a model that is missing, incomplete, without a feature extractor
        or reads no sound; or `recnb[text]` or `recnb[media]` not installed.

    Notes
    -----
    What of the network's output is the vector: see `media_network.media_vectors`. The network is
    opened at the first clip that is not in the cache.

    References
    ----------
    Y. Wu et al., Large-scale contrastive language-audio pretraining, 2023 (CLAP). Y. Gong et al.,
    AST: audio spectrogram transformer, 2021. A. Radford et al., Robust speech recognition via
    large-scale weak supervision, 2023 (Whisper).

    Examples
    --------
    >>> encoder = AudioEncoder("laion/clap-htsat-unfused")  # doctest: +SKIP
    >>> encoder.encode(["sound/rain.ogg", "sound/drum.wav"]).shape  # doctest: +SKIP
    (2, 512)
    """

    kind = "audio"

    def __init__(
        self,
        name: str | os.PathLike[str],
        seconds: float = 10.0,
        device: str = "auto",
        precision: str = "float32",
        cache: bool | str | os.PathLike[str] = True,
        normalise: bool = True,
        revision: str | None = None,
        batch_size: int = 16,
    ) -> None:
        if not (math.isfinite(seconds) and seconds > 0):
            raise InputError(f"seconds is {seconds}", mend="choose a length above 0, such as 10")
        super().__init__(name, device, precision, cache, normalise, revision, batch_size)
        self.rate = int(self.processor.sampling_rate)
        # beyond its limit CLAP's extractor would cut at random
        limits = [getattr(self.processor, key, None) for key in ("max_length_s", "chunk_length")]
        self.seconds = float(min([seconds, *(limit for limit in limits if limit)]))

    @property
    def settings(self) -> dict[str, Any]:
        """All that the vectors depend on, to be recorded with results."""
        return {**super().settings, "seconds": self.seconds}

    def _prepare(self, file: Path) -> Inputs:
        return self._extract(open_audio(file, self.rate, self.seconds))

    def _blank(self) -> Inputs:
        return self._extract(np.zeros(self.rate, dtype=np.float32))

    def _extract(self, wave: np.ndarray) -> Inputs:
        wave = wave[: int(self.seconds * self.rate)]
        wave = np.pad(wave, (0, max(0, math.ceil(SHORTEST * self.rate) - len(wave))))
        return as_inputs(
            self.processor(
                wave, sampling_rate=self.rate, return_attention_mask=True, return_tensors="np"
            )
        )
