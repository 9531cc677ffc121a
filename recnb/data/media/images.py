"""Pictures of items: headers are read at the door, pixels when they are asked for."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from recnb.data.media.files import AGAIN, start, unreadable
from recnb.data.media.folder import read_files
from recnb.data.media.media import Media
from recnb.errors import InputError
from recnb.optional import need

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGES = ("png", "jpg", "jpeg", "webp", "gif", "bmp")
MOST_PIXELS = 40_000_000


def read_images(folder: str | Path, item_ids: Iterable[str]) -> Media:
    """Find the pictures of items: files named after the items' ids.

    Every picture's header is read, no pixels: see :func:`open_image`.

    Parameters
    ----------
    folder : path
        Of png, jpg, jpeg, webp, gif and bmp files. The name without its ending is the item's id,
        percent-decoded: `a%2Fb.png` belongs to item `a/b`.
    item_ids : iterable of str
        The catalogue. Files of other items, hidden files and files of other endings are left out and
        counted in `left_out`.

    Raises
    ------
    InputError
        No such folder, no picture in it, none of an item, two of one item, a file that is no
        picture, one of more than 40 million pixels, or Pillow is not installed.
    """
    return read_files("image", IMAGES, Path(folder), item_ids, lambda file: _image(file).close())


def open_image(file: str | Path) -> Image:
    """Decode a picture: RGB, upright, transparent parts on white, of an animation the first frame.

    Raises
    ------
    InputError
        Damage, also such as the header did not show.
    """
    return _image(Path(file), decode=True)


def _image(file: Path, decode: bool = False) -> Image:
    """An opened picture whose header makes sense; decoded where asked."""
    pillow = need("PIL.Image", "a picture")
    size, _ = start(file)
    formats = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own of many pixels, which we refuse
            image = pillow.open(file, formats=formats)
    except pillow.DecompressionBombError:
        raise too_large(file, "") from None
    except pillow.UnidentifiedImageError:
        raise InputError(
            f"none of {', '.join(formats)}, in {size:,} bytes", file=str(file), mend=AGAIN
        ) from None
    except Exception as error:  # a decoder that is fed damage may raise anything
        raise unreadable("image", file, error) from None
    width, height = image.size
    if width * height > MOST_PIXELS:
        image.close()
        raise too_large(file, f"{width:,} x {height:,} pixels, ")
    if not decode:
        return image
    try:
        with image, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            return _rgb(image)
    except Exception as error:
        raise unreadable("image", file, error) from None


def _rgb(image: Image) -> Image:
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16 bits a pixel, which `convert` would cut at 255
        upright = upright.point(lambda value: value * (1 / 256)).convert("L")
    if upright.has_transparency_data:
        # What lies under the transparent parts is chance, often black.
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    return upright.convert("RGB")


def too_large(file: Path, said: str) -> InputError:
    return InputError(
        f"{said}more than {MOST_PIXELS // 10**6} million pixels",
        file=str(file),
        mend="make it smaller",
    )
