"""Sounds of items: headers are read at the door, samples when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from recnb.data.media.files import AGAIN, claims, start, unreadable
from recnb.data.media.folder import read_files
from recnb.data.media.media import Media
from recnb.errors import InputError
from recnb.optional import need

SOUNDS = ("wav", "flac", "ogg", "mp3")
MOST_CHANNELS = 16
MOST_HERTZ = 384_000
_BLOCK = 1 << 16  # samples read at once: a header's claim costs no memory


def read_audio(folder: str | Path, item_ids: Iterable[str]) -> Media:
    """Find the sounds of items: wav, flac, ogg and mp3 files, under the rules of :func:`read_images`.

    Every sound's header is read, no samples: see :func:`open_audio`.

    Raises
    ------
    InputError
        As for pictures; a header without samples, of more than 16 channels, or of a rate outside 1 to
        384,000 Hz.
    """
    return read_files("audio", SOUNDS, Path(folder), item_ids, lambda file: _sound(file).close())


def open_audio(file: str | Path, rate: int, seconds: float) -> np.ndarray:
    """Decode the beginning of a sound.

    Parameters
    ----------
    file : path
    rate : int
        Samples a second of the result; resampled by a polyphase filter where the file has another.
    seconds : float
        The most that is read.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        The mean of the channels.

    Raises
    ------
    InputError
        Damage, also such as the header did not show.
    """
    if not (rate >= 1 and seconds > 0):
        raise InputError(f"rate={rate}, seconds={seconds}", mend="give numbers above 0")
    file = Path(file)
    blocks: list[np.ndarray] = []
    with _sound(file) as sound:
        source = sound.samplerate
        left = wanted = math.ceil(min(seconds * source, sound.frames))
        try:
            # Not sound.blocks(), which fills up where the file ends early.
            while left and len(block := sound.read(min(left, _BLOCK), "float32", always_2d=True)):
                blocks.append(block.mean(axis=1))
                left -= len(block)
        except Exception as error:  # see _image
            raise unreadable("sound", file, error) from None
        # An mp3 without either word in its first frame has no count: `frames` is an estimate.
        head = start(file)[1] if sound.format == "MP3" else b"Info"
    if not blocks or (left and (b"Info" in head or b"Xing" in head)):
        raise InputError(
            f"the sound breaks off after {wanted - left:,} of {wanted:,} samples",
            file=str(file),
            mend="fetch or write it again",
        )
    samples = np.concatenate(blocks)
    if not np.isfinite(samples).all():
        raise InputError("a sample is not finite", file=str(file), mend="write it again")
    if source != rate:
        from scipy.signal import resample_poly

        samples = resample_poly(samples, int(rate), source)
    return samples.astype(np.float32)


def _sound(file: Path) -> Any:
    """An opened sound whose header makes sense."""
    soundfile = need("soundfile", "a sound")
    size, head = start(file)
    claimed = int.from_bytes(head[4:8], "little") + 8
    # libsndfile takes a short wav for a whole one. All ones: written to a pipe. A byte of padding may lack.
    if head[:4] == b"RIFF" and claimed > size + 1 and head[4:8] != b"\xff\xff\xff\xff":
        raise claims(file, claimed, size)
    if file.suffix.lower() == ".mp3" and head[:3] != b"ID3" and head[:2] < b"\xff\xe0":
        # libsndfile believes the ending, searches anything for a frame and prints what it meets.
        raise InputError("no readable sound (no mp3 frame)", file=str(file), mend=AGAIN)
    try:
        sound = soundfile.SoundFile(str(file))
    except Exception as error:  # see _image
        raise unreadable("sound", file, error) from None
    if not (
        1 <= sound.samplerate <= MOST_HERTZ
        and sound.frames >= 1
        and 1 <= sound.channels <= MOST_CHANNELS
    ):
        said = f"{sound.frames:,} samples, {sound.channels} channels, {sound.samplerate:,} Hz"
        sound.close()
        raise InputError(f"a header without sense: {said}", file=str(file), mend=AGAIN)
    return sound
