"""Pictures, sounds and vectors of items: read from a data folder, checked at the door, found by item id."""

from __future__ import annotations

import json
import math
import re
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

from recnb.data.checks import cells as tables
from recnb.errors import InputError
from recnb.hashing import hash_ids, mix
from recnb.optional import need

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGES = ("png", "jpg", "jpeg", "webp", "gif", "bmp")
SOUNDS = ("wav", "flac", "ogg", "mp3")
_VECTORS, _IDS = (".npy", ".safetensors"), ".ids.txt"
FOLDERS = {"image": "images", "audio": "audio"}
FEATURES = "features"
RESERVED = ("image", "audio", "text", "id", "attributes")  # what a model calls its other inputs
MOST_PIXELS = 40_000_000
MOST_CHANNELS = 16
MOST_HERTZ = 384_000
_BLOCK = 1 << 16  # samples read at once: a header's claim costs no memory
_UNSAFE = re.compile(r'[%/\\:*?"<>|\x00-\x1f]|^\.|[. ]$')


@dataclass(frozen=True, eq=False)
class Media:
    """Pictures, sounds or vectors of items, found by item id.

    Since it is asked by id, one object serves a data set and all its parts. Make one with
    :func:`read_images`, :func:`read_audio`, :func:`read_vectors` or :func:`from_vectors`; the
    constructor itself checks nothing.

    Attributes
    ----------
    kind : {"image", "audio", "vectors"}
    ids : ndarray of shape (n,), str objects, sorted, distinct
        The items that have one.
    files : tuple of Path, length n
        Of images and sounds, in the order of `ids`.
    vectors : ndarray of shape (n, dim), float32, or None
    left_out : str
        What the reading left aside, in words; empty for nothing.

    Examples
    --------
    >>> media = from_vectors([[1.0, 2.0], [3.0, 4.0]], ids=["tea", "milk"])
    >>> media
    Media(vectors of 2 items, 2 numbers each)
    >>> media.rows(["bread", "milk"]).tolist()
    [-1, 0]
    >>> table, present = media.table(["bread", "milk", "tea"])
    >>> table.tolist(), present.tolist()
    ([[0.0, 0.0], [3.0, 4.0], [1.0, 2.0]], [False, True, True])
    """

    kind: str
    ids: np.ndarray
    files: tuple[Path, ...] = ()
    vectors: np.ndarray | None = None
    left_out: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        each = "" if self.vectors is None else f", {self.vectors.shape[1]:,} numbers each"
        return f"Media({self.kind} of {len(self):,} items{each})"

    def rows(self, item_ids: Iterable[str]) -> np.ndarray:
        """Where each item stands in `ids`: shape (len(item_ids),), int64; -1 where it has none."""
        wanted = pd.Index(list(item_ids), dtype=object)
        return pd.Index(self.ids, dtype=object).get_indexer(wanted).astype(np.int64)

    def table(self, item_ids: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """The vectors in the order of `item_ids`.

        Returns
        -------
        vectors : ndarray of shape (len(item_ids), dim), float32
            0 where an item has none.
        present : ndarray of shape (len(item_ids),), bool
        """
        vectors = _vectors_of(self)
        rows = self.rows(item_ids)
        present = rows >= 0
        out = np.zeros((len(rows), vectors.shape[1]), np.float32)
        out[present] = vectors[rows[present]]
        return out, present

    @cached_property
    def digests(self) -> list[bytes]:
        """What each item's file or vector is known by: sha256, in the order of `ids`."""
        if self.vectors is not None:
            rows = np.ascontiguousarray(self.vectors, dtype="<f4")
            return [sha256(row.tobytes()).digest() for row in rows]
        out = []
        for file in self.files:
            try:
                with file.open("rb") as stream:
                    out.append(file_digest(stream, "sha256").digest())
            except OSError as error:
                raise _unreadable("file", file, error) from None
        return out

    @cached_property
    def digest(self) -> str:
        """Identity of kind, ids and bytes, wherever the files lie: sha256, 16 hex digits."""
        h = sha256("\x00".join((self.kind, *self.ids)).encode())
        for item in self.digests:
            h.update(item)
        return h.hexdigest()[:16]


# ---------------------------------------------------------------- reading


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
    return _read_files("image", IMAGES, Path(folder), item_ids, lambda file: _image(file).close())


def read_audio(folder: str | Path, item_ids: Iterable[str]) -> Media:
    """Find the sounds of items: wav, flac, ogg and mp3 files, under the rules of :func:`read_images`.

    Every sound's header is read, no samples: see :func:`open_audio`.

    Raises
    ------
    InputError
        As for pictures; a header without samples, of more than 16 channels, or of a rate outside 1 to
        384,000 Hz.
    """
    return _read_files("audio", SOUNDS, Path(folder), item_ids, lambda file: _sound(file).close())


def read_vectors(file: str | Path, item_ids: Iterable[str]) -> Media:
    """Read precomputed vectors of items.

    Parameters
    ----------
    file : path
        `NAME.npy` with `NAME.ids.txt` beside it, one id a line, line n for row n; or
        `NAME.safetensors` with one tensor, and the ids in such a file or as a JSON list under `ids` in
        its metadata.
    item_ids : iterable of str
        The catalogue; vectors of other items are left out and counted in `left_out`.

    Raises
    ------
    InputError
        No such file, no array of numbers in two dimensions, a header that claims what the file does not
        hold, rows without ids, an id twice, a value that is not finite, or no vector of an item.
    """
    file = Path(file)
    if not file.is_file():
        raise InputError("no such file", file=str(file), mend="check the path")
    side = file.with_name(f"{file.stem}{_IDS}")
    ids = _ids_of(side) if side.is_file() else None
    if file.suffix == ".npy":
        array = _npy(file)
    elif file.suffix == ".safetensors":
        array, inside = _safetensors(file)
        if ids is not None and inside is not None and list(map(str, inside)) != ids:
            raise InputError(
                f"the ids in its metadata and in {side.name} differ",
                file=str(file),
                mend=f"delete {side.name} or mend it",
            )
        ids = inside if ids is None else ids
    else:
        raise InputError(
            f"'{file.suffix}' files are not read as vectors",
            file=str(file),
            mend="give a .npy or .safetensors file",
        )
    if ids is None:
        raise InputError(
            "no ids for its rows",
            file=str(file),
            mend=f"write {side.name} beside it, one item id a line",
        )
    media = _checked(array, ids, str(file), str(side) if side.is_file() else str(file))
    items = list(item_ids)
    ours = known(media, items)
    if not ours.any():
        raise _no_match(file, f"id '{ids[0]}'", items, "use the items' ids")
    unknown = int((~ours).sum())
    return replace(_part(media, ours), left_out=_counted({"vectors of unknown items": unknown}))


def from_vectors(vectors: Any, ids: Iterable[str]) -> Media:
    """Vectors that are in memory already.

    Parameters
    ----------
    vectors : array-like of shape (n, dim)
        Finite numbers; kept as float32.
    ids : iterable of str, length n, distinct

    Raises
    ------
    InputError
        Other shapes or types, a value that is not finite, an id that is blank or stands twice.
    """
    return _checked(np.asarray(vectors), list(ids), "vectors", "ids")


def open_image(file: str | Path) -> Image:
    """Decode a picture: RGB, upright, transparent parts on white, of an animation the first frame.

    Raises
    ------
    InputError
        Damage, also such as the header did not show.
    """
    return _image(Path(file), decode=True)


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
            raise _unreadable("sound", file, error) from None
        # An mp3 without either word in its first frame has no count: `frames` is an estimate.
        head = _start(file)[1] if sound.format == "MP3" else b"Info"
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


# ---------------------------------------------------------------- controls


def shuffled(media: Media, seed: int) -> Media:
    """Each item gets another item's picture, sound or vector: what is left is not about the item.

    Examples
    --------
    >>> media = from_vectors([[0.0], [1.0], [2.0]], ids=["a", "b", "c"])
    >>> bool((shuffled(media, seed=0).vectors == media.vectors).any())
    False
    """
    # One random cycle through all: nobody keeps their own.
    order = np.random.default_rng(seed).permutation(len(media))
    taken = np.empty(len(media), np.int64)
    taken[order] = np.roll(order, 1)
    return _part(media, taken, ids=media.ids)


def noise(media: Media, seed: int) -> Media:
    """Vectors of normal noise with each column's mean and standard deviation: as many numbers, no content."""
    vectors = _vectors_of(media).astype(float)
    drawn = np.random.default_rng(seed).normal(vectors.mean(0), vectors.std(0), vectors.shape)
    return replace(media, vectors=drawn.astype(np.float32))


def thinned(media: Media, share: float, seed: int) -> Media:
    """About this share of the items (0 to 1) lose theirs.

    Whether an item does hangs on its id and the seed alone, and what is lost at 0.2 is lost at 0.5 too.

    Examples
    --------
    >>> media = from_vectors(np.ones((100, 2)), ids=[f"i{n}" for n in range(100)])
    >>> half, fifth = thinned(media, 0.5, seed=0), thinned(media, 0.2, seed=0)
    >>> len(thinned(media, 0, seed=0)), len(fifth), len(half), set(half.ids) <= set(fifth.ids)
    (100, 79, 50, True)
    """
    if not 0 <= share <= 1:
        raise InputError(f"share={share}", mend="give a number from 0 to 1")
    # lots of its own: a split with the same seed draws its new items from the ids, too
    mixed = mix(hash_ids(media.ids), hash_ids(["thinned"]), seed=seed)
    lots = (mixed >> np.uint64(11)) * 2.0**-53  # in [0, 1)
    return _part(media, lots >= share)


# ---------------------------------------------------------------- a data folder


def known(media: Media, item_ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """Which of the items that have one are in this catalogue: shape (len(media),), bool."""
    return pd.Index(media.ids, dtype=object).isin(item_ids)


def find(folder: Path, item_ids: Iterable[str]) -> dict[str, Media]:
    """What lies in `images/`, `audio/` and `features/` of a data folder, by name."""
    readers = {"image": read_images, "audio": read_audio}
    found = {
        name: read(folder / FOLDERS[name], item_ids)
        for name, read in readers.items()
        if (folder / FOLDERS[name]).is_dir()
    }
    for file in _features(folder):
        check_name(file.stem, "vectors", str(file))
        if file.stem in found:
            raise InputError(
                f"{file.stem}.npy and {file.stem}.safetensors are both here",
                file=str(file.parent),
                mend="keep one",
            )
        found[file.stem] = read_vectors(file, item_ids)
    return found


def write(folder: Path, media: Mapping[str, Media], item_ids: np.ndarray) -> None:
    """Write what :func:`find` reads: files under their items' ids, vectors with the ids inside."""
    from safetensors.numpy import save_file

    for name, each in media.items():
        each = _part(each, known(each, item_ids))
        if not len(each):
            continue
        target = folder / FOLDERS.get(name, FEATURES)
        target.mkdir(parents=True, exist_ok=True)
        if each.vectors is not None:
            vectors = {"vectors": np.ascontiguousarray(each.vectors)}
            metadata = {"ids": json.dumps(list(each.ids))}
            save_file(vectors, target / f"{name}.safetensors", metadata)
        for item, file in zip(each.ids, each.files):
            shutil.copyfile(file, target / f"{file_name(item)}{file.suffix.lower()}")


def holds_media(folder: Path) -> bool:
    """Whether a data folder has pictures, sounds or vectors in it."""
    return any((folder / name).is_dir() for name in FOLDERS.values()) or bool(_features(folder))


def check_name(name: str, kind: str, file: str | None = None) -> None:
    """Raise unless this kind of media may bear the name."""
    if kind in FOLDERS:
        if name != kind:
            raise InputError(f"{kind} files under the name '{name}'", mend=f"name them '{kind}'")
    elif name in RESERVED:
        raise InputError(
            f"vectors under the name '{name}', which is reserved", file=file, mend="rename them"
        )
    elif not name or file_name(name) != name:
        raise InputError(
            f"vectors under the name '{name}', which no file can bear", mend="use plain letters"
        )


def file_name(item_id: str) -> str:
    """An id as a file name, without what some system forbids there; `unquote` gives the id back.

    Examples
    --------
    >>> file_name("shoes/12%"), file_name("été")
    ('shoes%2F12%25', 'été')
    """
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", item_id)


def _features(folder: Path) -> list[Path]:
    files = sorted((folder / FEATURES).glob("*")) if (folder / FEATURES).is_dir() else []
    for file in files:
        name = file.name.removesuffix(_IDS)
        if name != file.name and not any((file.parent / f"{name}{e}").exists() for e in _VECTORS):
            raise InputError(
                "ids without their array", file=str(file), mend=f"put {name}.npy beside it"
            )
    return [file for file in files if file.suffix in _VECTORS and not file.name.startswith(".")]


# ---------------------------------------------------------------- one file


def _read_files(
    kind: str,
    endings: tuple[str, ...],
    folder: Path,
    item_ids: Iterable[str],
    check: Callable[[Path], None],
) -> Media:
    if not folder.is_dir():
        raise InputError("no such folder", file=str(folder), mend="check the path")
    items, left = set(item_ids), Counter[str]()
    found: dict[str, Path] = {}
    stranger = None
    for file in sorted(folder.iterdir()):
        item = unquote(file.stem)
        if file.name.startswith("."):
            left["hidden files"] += 1
        elif file.suffix[1:].lower() not in endings or not file.is_file():
            left["files of other kinds"] += 1
        elif item not in items:
            left["files of unknown items"] += 1
            stranger = stranger or file
        elif item in found:
            raise InputError(
                f"{found[item].name} and {file.name} are both of item '{item}'",
                file=str(folder),
                mend="keep one",
            )
        else:
            found[item] = file
    if not found and stranger:
        raise _no_match(folder, stranger.name, items, "name the files after the items' ids")
    if not found:
        what = f"no {kind} file in it ({', '.join(endings)})"
        raise InputError(what, file=str(folder), mend="put some in or take the folder away")
    for file in found.values():
        check(file)
    ids = np.array(sorted(found), dtype=object)
    return Media(kind, ids, tuple(found[item] for item in ids), left_out=_counted(left))


def _image(file: Path, decode: bool = False) -> Image:
    """An opened picture whose header makes sense; decoded where asked."""
    pillow = need("PIL.Image", "a picture")
    size, _ = _start(file)
    formats = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own of many pixels, which we refuse
            image = pillow.open(file, formats=formats)
    except pillow.DecompressionBombError:
        raise _too_large(file, "") from None
    except pillow.UnidentifiedImageError:
        raise InputError(
            f"none of {', '.join(formats)}, in {size:,} bytes", file=str(file), mend=_AGAIN
        ) from None
    except Exception as error:  # a decoder that is fed damage may raise anything
        raise _unreadable("image", file, error) from None
    width, height = image.size
    if width * height > MOST_PIXELS:
        image.close()
        raise _too_large(file, f"{width:,} x {height:,} pixels, ")
    if not decode:
        return image
    try:
        with image, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            return _rgb(image)
    except Exception as error:
        raise _unreadable("image", file, error) from None


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


def _sound(file: Path) -> Any:
    """An opened sound whose header makes sense."""
    soundfile = need("soundfile", "a sound")
    size, head = _start(file)
    claimed = int.from_bytes(head[4:8], "little") + 8
    # libsndfile takes a short wav for a whole one. All ones: written to a pipe. A byte of padding may lack.
    if head[:4] == b"RIFF" and claimed > size + 1 and head[4:8] != b"\xff\xff\xff\xff":
        raise _claims(file, claimed, size)
    if file.suffix.lower() == ".mp3" and head[:3] != b"ID3" and head[:2] < b"\xff\xe0":
        # libsndfile believes the ending, searches anything for a frame and prints what it meets.
        raise InputError("no readable sound (no mp3 frame)", file=str(file), mend=_AGAIN)
    try:
        sound = soundfile.SoundFile(str(file))
    except Exception as error:  # see _image
        raise _unreadable("sound", file, error) from None
    if not (
        1 <= sound.samplerate <= MOST_HERTZ
        and sound.frames >= 1
        and 1 <= sound.channels <= MOST_CHANNELS
    ):
        said = f"{sound.frames:,} samples, {sound.channels} channels, {sound.samplerate:,} Hz"
        sound.close()
        raise InputError(f"a header without sense: {said}", file=str(file), mend=_AGAIN)
    return sound


def _npy(file: Path) -> np.ndarray:
    """The array, read only after its header has proved true."""
    size, _ = _start(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        with file.open("rb") as stream:
            shape, _, dtype = readers[np.lib.format.read_magic(stream)](stream)
            held = size - stream.tell()
    except Exception as error:
        raise _unreadable("array", file, error) from None
    _numbers(shape, dtype, str(file))
    if math.prod(shape) * dtype.itemsize != held:
        raise _claims(file, math.prod(shape) * dtype.itemsize, held)
    return np.load(file, allow_pickle=False)


def _safetensors(file: Path) -> tuple[np.ndarray, list[str] | None]:
    """The one tensor, and the ids where the metadata have them."""
    from safetensors import safe_open

    _start(file)
    try:
        # Opening compares the header with the file's size.
        with safe_open(file, "numpy") as opened:
            names, metadata = list(opened.keys()), opened.metadata() or {}
            shape = tuple(opened.get_slice(names[0]).get_shape()) if len(names) == 1 else ()
            if len(shape) == 2:
                array = opened.get_tensor(names[0])
    except Exception as error:
        raise _unreadable("array", file, error) from None
    if len(names) != 1:
        raise InputError(f"{len(names)} tensors", file=str(file), mend="write one, of 2 dimensions")
    if len(shape) != 2:
        raise _dimensions(shape, str(file))
    if "ids" not in metadata:
        return array, None
    try:
        ids = json.loads(metadata["ids"])
    except ValueError:
        ids = None
    if not isinstance(ids, list) or not all(isinstance(item, (str, int)) for item in ids):
        raise InputError(
            "the ids in its metadata are no JSON list", file=str(file), mend="write a list of text"
        )
    return array, ids


def _ids_of(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"byte {error.start} is not UTF-8", file=str(file), mend="save the file as UTF-8"
        ) from None


def _checked(array: np.ndarray, ids: list[str], file: str, ids_file: str) -> Media:
    """Vectors and their ids, if they fit."""
    _numbers(array.shape, array.dtype, file)
    if len(array) != len(ids):
        raise InputError(
            f"{len(array):,} rows for {len(ids):,} ids in {Path(ids_file).name}",
            file=file,
            mend="write one id a row, in the same order",
        )
    names = tables.ids(pd.Series(ids, dtype=object), ids_file, "")
    twice = names.duplicated().to_numpy()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise InputError(
            f"id '{names[row]}' stands here a second time",
            file=ids_file,
            row=row + 1,
            mend="keep one vector an item",
        )
    with np.errstate(over="ignore"):
        vectors = array.astype(np.float32)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        value = array[row][~np.isfinite(vectors[row])][0]
        raise InputError(
            f"{value} in the vector of '{names[row]}' is no finite float32",
            file=file,
            row=row + 1,
            mend="write numbers, and leave out items that have none",
        )
    distinct = names.to_numpy(dtype=object)
    order = np.argsort(distinct)
    return Media("vectors", distinct[order], vectors=vectors[order])


def _numbers(shape: tuple[int, ...], dtype: np.dtype, file: str) -> None:
    if dtype.kind not in "fiub":
        raise InputError(f"an array of {dtype}", file=file, mend="write float32")
    if len(shape) != 2 or min(shape) < 1:
        raise _dimensions(shape, file)


# ---------------------------------------------------------------- parts and words

_AGAIN = "replace the file or take it away"


def _part(media: Media, rows: np.ndarray, ids: np.ndarray | None = None) -> Media:
    """Some of the rows (mask or numbers), under their own ids or under these."""
    numbers = np.flatnonzero(rows) if rows.dtype == bool else rows
    return replace(
        media,
        ids=media.ids[numbers] if ids is None else ids,
        files=tuple(media.files[n] for n in numbers) if media.files else (),
        vectors=None if media.vectors is None else media.vectors[numbers],
    )


def _vectors_of(media: Media) -> np.ndarray:
    if media.vectors is None:
        raise InputError(f"{media} has no vectors", mend="encode it first")
    return media.vectors


def _start(file: Path) -> tuple[int, bytes]:
    """Number of bytes, and the first of them, of a file that is there and not empty."""
    if not file.is_file():
        raise InputError("no such file", file=str(file), mend="check the path")
    try:
        with file.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise _unreadable("file", file, error) from None
    if not head:
        raise InputError("the file is empty", file=str(file), mend=_AGAIN)
    return file.stat().st_size, head


def _counted(left: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {what}" for what, n in sorted(left.items()) if n)


def _no_match(place: Path, example: str, item_ids: Iterable[str], mend: str) -> InputError:
    item = next(iter(sorted(item_ids)), "")
    return InputError(
        f"nothing here belongs to an item: {example}, say, where an item is '{item}'",
        file=str(place),
        mend=mend,
    )


def _unreadable(what: str, file: Path, error: Exception) -> InputError:
    said = getattr(error, "error_string", str(error))  # libsndfile's own words, without the path
    reason = (said.splitlines() or [type(error).__name__])[0][:120]
    return InputError(f"no readable {what} ({reason})", file=str(file), mend=_AGAIN)


def _too_large(file: Path, said: str) -> InputError:
    return InputError(
        f"{said}more than {MOST_PIXELS // 10**6} million pixels",
        file=str(file),
        mend="make it smaller",
    )


def _claims(file: Path, claimed: int, held: int) -> InputError:
    return InputError(
        f"its header claims {claimed:,} bytes, and there are {held:,}", file=str(file), mend=_AGAIN
    )


def _dimensions(shape: tuple[int, ...], file: str) -> InputError:
    return InputError(
        f"an array of shape {shape}", file=file, mend="write two dimensions: a row an item"
    )
