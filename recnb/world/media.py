"""Pictures and sounds of a generated world, made from the same truth as its texts.

The text of an item tells its theme, mood, setting and lead and never its hidden traits. The picture shows
half of these, the sound lets hear the other half: what only they carry. Besides, both tell the theme, as far as
`redundancy` says: what the text carries too. Where, how turned and how loud things stand means nothing.
"""

from __future__ import annotations

import colorsys
import json
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import wavfile
from scipy.special import ndtr

from recnb.errors import InputError
from recnb.world.language import bank_of
from recnb.world.settings import DOMAINS
from recnb.world.world import World

SHOWN = ("brightness", "warmth", "size", "stripes")  # of a picture, one a hidden trait
HEARD = ("pitch", "drum", "flute", "hiss")  # of a sound, likewise
_STAGE = 6  # of the world's random streams: those before are taken
_CHORDS = list(combinations((1100, 1290, 1515, 1780, 2090, 2455, 2880), 2))  # Hz
_BLUE, _ORANGE = np.array([40.0, 90.0, 230.0]), np.array([240.0, 140.0, 30.0])


@dataclass(frozen=True)
class MediaSettings:
    """How much the pictures and sounds of a world say.

    Parameters
    ----------
    picture, sound : float in [0, 1]
        Share of the variance of its four hidden traits that a picture shows and a sound lets hear; the rest
        of what is seen and heard is noise.
    redundancy : float in [0, 1]
        Share of the items whose theme the picture and the sound tell, as the text does; the others
        show a theme drawn at random.
    pixels : int
        Width and height of a picture.
    seconds : float
        Length of a sound.
    rate : int
        Samples a second.
    """

    picture: float = 1.0
    sound: float = 1.0
    redundancy: float = 0.5
    pixels: int = 64
    seconds: float = 2.0
    rate: int = 8000

    def __post_init__(self) -> None:
        for name in ("picture", "sound", "redundancy"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"{name} = {value} is no share", mend="choose it between 0 and 1")
        for name, least in (("pixels", 16), ("seconds", 0.5), ("rate", 4000)):
            if not getattr(self, name) >= least:
                raise InputError(f"{name} = {getattr(self, name)}", mend=f"choose {least} or more")


@dataclass(frozen=True)
class MediaTruth:
    """What the pictures and sounds were made from, a row for each item in the order of the items table.

    Attributes
    ----------
    picture, sound : ndarray of shape (n_items, 4), float64 in [0, 1]
        Amount of each of :data:`SHOWN` and :data:`HEARD`.
    picture_theme, sound_theme : ndarray of shape (n_items,), int
        The theme told, which is the item's own for a share `redundancy`.
    """

    picture: np.ndarray
    sound: np.ndarray
    picture_theme: np.ndarray
    sound_theme: np.ndarray


def media_truth(world: World, settings: MediaSettings | None = None) -> MediaTruth:
    """Draw what the pictures and sounds of a world tell; same world and settings, same values."""
    settings = settings or MediaSettings()
    bank, truth = bank_of(world.domain), world.truth
    rng = np.random.default_rng([world.seed, list(DOMAINS).index(world.domain), _STAGE])
    hidden = truth.item_vectors[:, [d.startswith("hidden:") for d in truth.dimensions]]
    # a unit vector of eight coordinates: each has a variance of one eighth
    scale = np.sqrt(np.maximum(1 - world.settings.text_strength, 1e-12) / hidden.shape[1])
    amounts = []
    for part, share in ((hidden[:, :4], settings.picture), (hidden[:, 4:8], settings.sound)):
        noise = rng.standard_normal(part.shape)
        amounts.append(ndtr(np.sqrt(share) * part / scale + np.sqrt(1 - share) * noise))
    names = [theme.name for theme in bank.themes]
    own = truth.item_traits[bank.blocks[0]].map(names.index).to_numpy()
    # one draw an item, so that a larger share tells all that a smaller one told
    told = [
        np.where(
            rng.random(len(own)) < settings.redundancy, own, rng.integers(len(names), size=len(own))
        )
        for _ in range(2)
    ]
    return MediaTruth(amounts[0], amounts[1], told[0], told[1])


def draw_picture(
    amounts: np.ndarray, theme: int, n_themes: int, pixels: int, rng: np.random.Generator
) -> Any:
    """Draw a picture.

    Parameters
    ----------
    amounts : ndarray of shape (4,)
        See :data:`SHOWN`, from 0 to 1: how bright and how warm the ground is, how large the figures are and how
        strong the stripes.
    theme, n_themes : int
        Gives the figures their form and colour.
    pixels : int
    rng : numpy.random.Generator
        Where the figures stand and how they are turned.

    Returns
    -------
    PIL.Image.Image
        RGB, (pixels, pixels).
    """
    from PIL import Image, ImageDraw

    brightness, warmth, size, stripes = np.clip(amounts, 0, 1).tolist()
    ground = (0.25 + 0.75 * brightness) * ((1 - warmth) * _BLUE + warmth * _ORANGE)
    across, down = np.meshgrid(np.arange(pixels), np.arange(pixels))
    angle, phase = rng.random(2) * np.pi
    wave = np.sin((across * np.cos(angle) + down * np.sin(angle)) * 2 * np.pi / 8 + phase)
    canvas = ground * (1 + 0.9 * stripes * wave[..., None]) + rng.normal(0, 4, (pixels, pixels, 1))
    image = Image.fromarray(canvas.clip(0, 255).astype(np.uint8), "RGB")
    pen = ImageDraw.Draw(image)
    colour = tuple(int(255 * c) for c in colorsys.hsv_to_rgb(theme / n_themes, 0.85, 0.95))
    sides, star = 3 + theme % 4, theme // 4 % 2
    radius = pixels * (0.04 + 0.16 * size)
    for _ in range(6):
        x, y = (0.15 + 0.7 * rng.random(2)) * pixels
        turn = rng.random() * 2 * np.pi
        corners = np.arange(sides * (1 + star)) * 2 * np.pi / (sides * (1 + star)) + turn
        reach = np.where(np.arange(len(corners)) % 2, 0.4, 1.0) if star else np.ones(len(corners))
        points = np.column_stack(
            [x + radius * reach * np.cos(corners), y + radius * reach * np.sin(corners)]
        )
        pen.polygon([tuple(p) for p in points.tolist()], fill=colour, outline=(0, 0, 0))
    return image


def make_sound(
    amounts: np.ndarray, theme: int, seconds: float, rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Synthesise a sound.

    Parameters
    ----------
    amounts : ndarray of shape (4,)
        See :data:`HEARD`, from 0 to 1: how high the tune is, and how loud, beside it, a drum, a flute and a hiss.
    theme : int
        Gives the two of seven bells that ring along.
    seconds : float
    rate : int
        Samples a second.
    rng : numpy.random.Generator
        The tune's steps, where it begins, how fast and how loud it is, and the hiss.

    Returns
    -------
    ndarray of shape (seconds * rate,), int16
    """
    pitch, drum, flute, hiss = np.clip(amounts, 0, 1).tolist()
    time = np.arange(round(seconds * rate)) / rate
    beat = (time + rng.random()) * rng.uniform(3, 4)  # notes a second
    steps = np.array([0, *rng.choice([-3, 4], 4)])
    note = steps[np.floor(beat).astype(int) % len(steps)]
    phase = 2 * np.pi * np.cumsum(250 * 2 ** (2 * pitch + note / 12)) / rate
    within = beat - np.floor(beat)
    struck = np.minimum(within / 0.03, 1)
    wave = sum(np.sin(k * phase) / k**2 for k in (1, 2)) * struck * np.exp(-2 * within)
    # 36 dB between the faintest and the loudest
    wave = wave + 0.016 * 63**drum * np.sin(2 * np.pi * 80 * time) * struck * np.exp(-8 * within)
    for bell in _CHORDS[theme]:
        wave = wave + 0.1 * np.sin(2 * np.pi * bell * time)
    wave = wave + 0.016 * 63**flute * np.sin(2 * np.pi * 3300 * time)
    wave = wave + 0.005 * 63**hiss * rng.standard_normal(len(time))
    loud = 0.5 + 0.4 * rng.random()
    return (32767 * loud * wave / np.abs(wave).max()).astype(np.int16)


def write_media(
    world: World, folder: str | Path, settings: MediaSettings | None = None
) -> MediaTruth:
    """Write ``images/ITEM.png`` and ``audio/ITEM.wav`` for every item of a world.

    Parameters
    ----------
    world : World
    folder : str or Path
        Made where it does not exist.
    settings : MediaSettings, optional

    Returns
    -------
    MediaTruth
    """
    settings = settings or MediaSettings()
    folder = Path(folder)
    for name in ("images", "audio"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    truth = media_truth(world, settings)
    n_themes = len(bank_of(world.domain).themes)
    stream = [world.seed, list(DOMAINS).index(world.domain), _STAGE + 1]
    for row, item in enumerate(world.items["item_id"]):
        rng = np.random.default_rng([*stream, row])
        picture = draw_picture(
            truth.picture[row], int(truth.picture_theme[row]), n_themes, settings.pixels, rng
        )
        picture.save(folder / "images" / f"{item}.png")
        sound = make_sound(
            truth.sound[row], int(truth.sound_theme[row]), settings.seconds, settings.rate, rng
        )
        wavfile.write(folder / "audio" / f"{item}.wav", settings.rate, sound)
    return truth


def write_world(world: World, folder: str | Path, **settings: Any) -> MediaTruth:
    """Write a world as a data folder with pictures and sounds, which :func:`recnb.load` reads.

    Parameters
    ----------
    world : World
    folder : str or Path
        Made where it does not exist; files of the same names are replaced.
    **settings
        Fields of `MediaSettings`.

    Returns
    -------
    MediaTruth

    Raises
    ------
    InputError
        A setting is unknown or out of its range.
    """
    known = [f.name for f in fields(MediaSettings)]
    for name in settings:
        if name not in known:
            raise InputError(f"unknown setting {name!r}", mend=f"choose from {', '.join(known)}")
    chosen = MediaSettings(**settings)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("interactions", "items", "users"):
        getattr(world, name).to_parquet(folder / f"{name}.parquet", index=False)
    declared = {
        "name": f"generated-{world.domain}",
        "feedback": world.feedback,
        "scale": world.scale,
        "duplicates": "keep",
    }
    (folder / "dataset.json").write_text(json.dumps(declared, indent=1) + "\n", encoding="utf-8")
    return write_media(world, folder, chosen)
