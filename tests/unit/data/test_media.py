"""Pictures, sounds and vectors: read by item id, refused with one line where they are damaged."""

from __future__ import annotations

import json
import pickle
import struct
import sys
import tracemalloc
import zlib
from itertools import pairwise
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image
from safetensors.numpy import save_file

from recnb import InputError
from recnb.data import Dataset, splits
from recnb.data.media import (
    Media,
    file_name,
    from_vectors,
    noise,
    open_audio,
    open_image,
    read_audio,
    read_images,
    read_vectors,
    shuffled,
    thinned,
)
from recnb.data.media.store import find

ITEMS = ["b", "a", "c/d", "e"]
VECTORS = np.arange(6, dtype=np.float32).reshape(3, 2)
RATE = 8000


def picture(file, shade=0, size=(64, 48)):
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(shade).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file)
    return file


def tone(file, seconds=0.5, rate=RATE, channels=1, hertz=440):
    file.parent.mkdir(parents=True, exist_ok=True)
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    soundfile.write(file, np.repeat(wave[:, None], channels, axis=1), rate)
    return file


def png_header(width, height):
    """A whole PNG with right checksums and hardly any pixels."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def npy_header(shape, dtype="<f4", body=b"\0" * 64):
    said = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    said = said.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(said)) + said.encode() + body


def wav_header(rate=RATE, channels=1, samples=100):
    data = b"\0\0" * channels * samples
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data))
    return b"RIFF" + struct.pack("<I", len(body) + len(data)) + body + data


def refused(call, *words):
    """The one line of the error; it names every word, and nothing large was allocated."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            call()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    said = str(caught.value)
    assert "\n" not in said and caught.value.file and caught.value.mend, said
    assert said.endswith(caught.value.mend) and said.startswith(str(caught.value.file)), said
    for word in words:
        assert word in said, said
    assert peak < 30e6, f"{peak / 1e6:.0f} MB"
    return said


# ---------------------------------------------------------------- what is found


def test_pictures_are_found_by_id(tmp_path):
    for name in ("a.png", "b.JPG", "c%2Fd.webp", "stranger.gif", "notes.txt", ".hidden.png"):
        if name.endswith("txt"):
            (tmp_path / name).write_text("no picture")
        else:
            picture(tmp_path / name)
    (tmp_path / "e.png").mkdir()
    media = read_images(tmp_path, ITEMS)
    assert (media.kind, media.ids.tolist(), len(media)) == ("image", ["a", "b", "c/d"], 3)
    assert [file.name for file in media.files] == ["a.png", "b.JPG", "c%2Fd.webp"]
    assert media.left_out == "2 files of other kinds, 1 files of unknown items, 1 hidden files"
    assert media.rows(["e", "c/d", "a", "a"]).tolist() == [-1, 2, 0, 0]
    assert media.rows([]).shape == (0,) and media.rows(ITEMS).dtype == np.int64
    assert repr(media) == "Media(image of 3 items)"
    with pytest.raises(InputError, match="encode it first"):
        media.table(ITEMS)


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "webp", "gif", "bmp"])
def test_every_kind_of_picture_opens(tmp_path, ending):
    image = open_image(picture(tmp_path / f"a.{ending}"))
    assert (image.mode, image.size) == ("RGB", (64, 48))
    assert read_images(tmp_path, ["a"]).ids.tolist() == ["a"]


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_every_kind_of_sound_opens(tmp_path, ending):
    tone(tmp_path / f"a.{ending}", channels=2)
    media = read_audio(tmp_path, ["a"])
    whole, part = (open_audio(media.files[0], RATE, seconds) for seconds in (9, 0.25))
    assert whole.dtype == np.float32 and (len(whole), len(part)) == (4000, 2000)
    np.testing.assert_array_equal(part, whole[:2000])
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4000) / RATE)
    assert np.corrcoef(whole[500:3500], wave[500:3500])[0, 1] > 0.95


def test_pictures_of_odd_modes(tmp_path):
    file = tmp_path / "a.png"
    Image.new("RGBA", (2, 2), (0, 0, 0, 0)).save(file)
    assert open_image(file).getpixel((0, 0)) == (255, 255, 255), "transparent is white"
    Image.fromarray(np.full((2, 2), 256 * 100, np.uint16)).save(file)
    assert open_image(file).getpixel((0, 0)) == (100, 100, 100), "16 bits are not cut at 255"
    upside = Image.new("RGB", (3, 2))
    exif = upside.getexif()
    exif[0x0112] = 6
    upside.save(tmp_path / "a.jpg", exif=exif)
    assert open_image(tmp_path / "a.jpg").size == (2, 3), "upright"
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert open_image(tmp_path / "a.gif").getpixel((0, 0)) == (255, 0, 0), "the first frame"


def test_sounds_are_resampled_and_mixed(tmp_path):
    file = tmp_path / "a.wav"
    left = np.sin(2 * np.pi * 100 * np.arange(44100) / 44100)
    soundfile.write(file, np.stack([left, 0 * left], axis=1), 44100, subtype="FLOAT")
    sound = open_audio(file, 16000, 10)
    wave = 0.5 * np.sin(2 * np.pi * 100 * np.arange(16000) / 16000)
    assert len(sound) == 16000
    np.testing.assert_allclose(sound[100:-100], wave[100:-100], atol=2e-3)


@pytest.mark.parametrize("form", ["npy", "safetensors", "safetensors with a side file"])
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int16])
def test_vectors_are_found_by_id(tmp_path, form, dtype):
    ids, file = ["c/d", "x", "a"], tmp_path / f"clip.{form.split()[0]}"
    array = VECTORS.astype(dtype)
    if form == "safetensors":
        save_file({"any": array}, file, {"ids": json.dumps(ids)})
    else:
        np.save(file, np.asfortranarray(array)) if form == "npy" else save_file({"v": array}, file)
        (tmp_path / "clip.ids.txt").write_bytes(b"\xef\xbb\xbfc/d\r\nx\r\na\r\n")
    media = read_vectors(file, ITEMS)
    assert media.ids.tolist() == ["a", "c/d"] and media.left_out == "1 vectors of unknown items"
    assert media.vectors.dtype == np.float32 and media.vectors.tolist() == [[4, 5], [0, 1]]
    table, present = media.table(["e", "c/d"])
    assert table.dtype == np.float32 and table.tolist() == [[0, 0], [0, 1]]
    assert present.tolist() == [False, True]


def test_digest_is_of_what_is_in_it_and_not_of_where(tmp_path):
    first = read_images(picture(tmp_path / "1" / "a.png").parent, ITEMS)
    again = read_images(picture(tmp_path / "2" / "a.png").parent, ITEMS)
    other = read_images(picture(tmp_path / "3" / "a.png", shade=1).parent, ITEMS)
    moved = read_images(picture(tmp_path / "4" / "b.png").parent, ITEMS)
    assert first.digest == again.digest
    assert len({first.digest, other.digest, moved.digest}) == 3
    vectors = from_vectors(VECTORS, ["x", "y", "z"])
    assert vectors.digest == from_vectors(VECTORS[::-1], ["z", "y", "x"]).digest
    assert vectors.digest != from_vectors(VECTORS[::-1], ["x", "y", "z"]).digest


@pytest.mark.parametrize(
    "name", ["a/b", "..", ".a", "100%", "a%2Fb", 'q?*"', "a.", "été 3", "CON "]
)
def test_file_names_give_the_ids_back(name):
    written = file_name(name)
    assert unquote(written) == name and not set(written) & set('/\\:*?"<>|')
    assert not written.startswith(".") and written[-1] not in ". "


# ---------------------------------------------------------------- controls


@pytest.mark.parametrize("n", [1, 2, 3, 50])
def test_shuffled_leaves_nobody_their_own(n):
    media = from_vectors(np.arange(n, dtype=float)[:, None], [f"i{j:02}" for j in range(n)])
    for seed in range(20):
        other = shuffled(media, seed)
        assert sorted(other.vectors[:, 0]) == list(range(n)) and (other.ids == media.ids).all()
        assert n == 1 or (other.vectors != media.vectors).all()
    assert shuffled(media, 3).digest == shuffled(media, 3).digest
    files = Media("image", media.ids, tuple(range(n)))
    assert list(shuffled(files, 3).files) == shuffled(media, 3).vectors[:, 0].tolist()


def test_noise_keeps_moments_alone():
    rng = np.random.default_rng(0)
    media = from_vectors(rng.normal([3, -50], [2, 0.1], (4000, 2)), map(str, range(4000)))
    other = noise(media, seed=1)
    np.testing.assert_allclose(other.vectors.mean(0), [3, -50], atol=0.15)
    np.testing.assert_allclose(other.vectors.std(0), [2, 0.1], rtol=0.05)
    assert abs(np.corrcoef(other.vectors[:, 0], media.vectors[:, 0])[0, 1]) < 0.06
    assert other.vectors.dtype == np.float32 and noise(media, 1).digest == other.digest
    with pytest.raises(InputError, match="encode it first"):
        noise(Media("image", media.ids), seed=0)


def test_thinned_is_nested_and_hangs_on_id_and_seed():
    ids = [f"i{n}" for n in range(4000)]
    media = from_vectors(np.ones((4000, 1)), ids)
    kept = [set(thinned(media, share, seed=5).ids) for share in (0, 0.2, 0.5, 0.9, 1)]
    assert all(more >= less for more, less in pairwise(kept))
    np.testing.assert_allclose([len(k) / 4000 for k in kept], [1, 0.8, 0.5, 0.1, 0], atol=0.03)
    half = from_vectors(np.ones((2000, 1)), ids[::2])
    assert set(thinned(half, 0.5, seed=5).ids) == kept[2] & set(half.ids)
    assert set(thinned(media, 0.5, seed=6).ids) != kept[2]
    with pytest.raises(InputError, match="from 0 to 1"):
        thinned(media, 20, seed=0)


def test_thinned_does_not_follow_a_split_of_the_same_seed():
    ids = [f"i{n}" for n in range(1000)]
    rows = pd.DataFrame({"user_id": ["a", "b"] * 500, "item_id": ids})
    ds = Dataset.from_frames(rows)
    new = ds.item_ids[splits.cold_item(ds, seed=0).candidates]
    left = thinned(from_vectors(np.ones((1000, 1)), ids), 0.5, seed=0)
    assert 0.4 < (left.rows(new) >= 0).mean() < 0.6


# ---------------------------------------------------------------- what is refused


def written(content):
    return lambda file: file.write_bytes(content)


def cut(make, share):
    def do(file):
        make(file)
        file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])

    return do


HEADERS = {
    "no bytes": ("a.png", written(b""), "empty"),
    "no picture": ("a.png", written(b"<html>not found</html>"), "none of PNG, JPEG"),
    "a picture of another kind": ("a.png", lambda f: Image.new("L", (2, 2)).save(f, "TIFF"), "PNG"),
    "a header cut off": ("a.png", cut(picture, 0.001), "none of PNG"),
    "a JPEG header cut off": ("a.jpg", cut(picture, 0.02), "Truncated"),
    "a bomb": ("a.png", written(png_header(60_000, 60_000)), "40 million"),
    "a bomb of which Pillow would warn": ("a.png", written(png_header(12_000, 12_000)), "12,000 x"),
    "a bomb that Pillow lets pass": ("a.png", written(png_header(8_000, 5_001)), "8,000 x 5,001"),
    "no sound bytes": ("a.wav", written(b""), "empty"),
    "no sound": ("a.flac", written(b"<html>not found</html>" * 99), "not recognised"),
    "no mp3": ("a.mp3", written(b"<html>not found</html>" * 99), "no mp3 frame"),
    "0 Hz": ("a.wav", written(wav_header(rate=0)), ""),
    "a billion Hz": ("a.wav", written(wav_header(rate=10**9)), "1,000,000,000 Hz"),
    "no samples": ("a.wav", written(wav_header(samples=0)), "0 samples"),
    "17 channels": ("a.wav", written(wav_header(channels=17)), "17 channels"),
    "a sound cut off": ("a.wav", cut(tone, 0.5), "its header claims"),
}
BODIES = {
    **{f"{end} cut off": (f"a.{end}", cut(picture, 0.6)) for end in ("png", "jpg", "gif", "bmp")},
    "flac cut off": ("a.flac", cut(tone, 0.6)),
    "mp3 cut off": ("a.mp3", cut(tone, 0.6)),
    "NaN": ("a.wav", lambda f: soundfile.write(f, np.full(9, np.nan), RATE, subtype="FLOAT")),
}
PICKLED = pickle.dumps(np.ones((2, 2)))
ARRAYS = {
    "no bytes": (b"", "empty"),
    "no array": (b"0.1,0.2\n", "no readable array"),
    "a pickle": (PICKLED, "no readable array"),
    "a header cut off": (npy_header((2, 3))[:50], "no readable array"),
    "a version to come": (b"\x93NUMPY\x09\x00" + b"\0" * 99, "no readable array"),
    "more than there is": (npy_header((2**20, 2**20)), "claims 4,398,046,511,104 bytes"),
    "more than a number holds": (npy_header((2**33, 2**33)), "and there are 64"),
    "less than there is": (npy_header((2, 3)), "claims 24 bytes"),
    "objects": (npy_header((2, 4), "|O"), "an array of object"),
    "text": (npy_header((2, 4), "<U2"), "an array of <U2"),
    "complex numbers": (npy_header((2, 4), "<c8"), "an array of complex64"),
    "one dimension": (npy_header((16,)), "two dimensions"),
    "three dimensions": (npy_header((2, 4, 2)), "two dimensions"),
    "no rows": (npy_header((0, 4)), "two dimensions"),
    "rows below zero": (npy_header((-2, -8)), "two dimensions"),
}
IDS = {
    "an id too few": ("a\n", "2 rows for 1 ids in clip.ids.txt"),
    "an id twice": ("a\na\n", "row 2: id 'a' stands here a second time"),
    "an empty line": ("a\n\n", "row 2: a blank id"),
    "other items": ("q\nr\n", "id 'q', say, where an item is 'a'"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_without_sense_is_refused_at_the_door(tmp_path, name):
    file, make, word = HEADERS[name]
    make(tmp_path / file)
    sound = file[2:] in ("wav", "flac", "mp3")
    refused(lambda: (read_audio if sound else read_images)(tmp_path, ITEMS), file, word)
    if sound:
        refused(lambda: open_audio(tmp_path / file, RATE, 1), file, word)
    else:
        refused(lambda: open_image(tmp_path / file), file, word)


@pytest.mark.parametrize("name", BODIES)
def test_damage_behind_a_good_header_is_refused_on_opening(tmp_path, name):
    file, make = BODIES[name]
    make(tmp_path / file)
    if file[2:] in ("wav", "flac", "mp3"):
        read_audio(tmp_path, ITEMS)
        refused(lambda: open_audio(tmp_path / file, RATE, 10), file)
    else:
        read_images(tmp_path, ITEMS)
        refused(lambda: open_image(tmp_path / file), file, "no readable image")


@pytest.mark.parametrize("name", ARRAYS)
def test_no_array_of_vectors(tmp_path, name):
    content, word = ARRAYS[name]
    (tmp_path / "clip.npy").write_bytes(content)
    (tmp_path / "clip.ids.txt").write_text("a\nb\n")
    refused(lambda: read_vectors(tmp_path / "clip.npy", ITEMS), "clip.npy", word)


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("inside", [False, True])
def test_ids_that_do_not_fit(tmp_path, name, inside):
    ids, word = IDS[name]
    if inside:
        file = tmp_path / "clip.safetensors"
        save_file({"v": VECTORS[:2]}, file, {"ids": json.dumps(ids[:-1].split("\n"))})
        word = word.replace("clip.ids.txt", "clip.safetensors")
    else:
        file = tmp_path / "clip.npy"
        np.save(file, VECTORS[:2])
        (tmp_path / "clip.ids.txt").write_text(ids)
    refused(lambda: read_vectors(file, ITEMS), "clip", word)


def test_ids_whose_array_is_gone(tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "clip.ids.txt").write_text("a\n")
    refused(lambda: find(tmp_path, ITEMS), "clip.ids.txt", "without their array", "clip.npy")


def test_damaged_safetensors(tmp_path):
    file = tmp_path / "clip.safetensors"
    ids = {"ids": '["a", "b", "e"]'}
    save_file({"v": VECTORS}, file, ids)
    whole = file.read_bytes()
    for content in (b"", whole[:5], whole[:-3], b"\xff" * 8 + whole[8:], b"no" * 50):
        file.write_bytes(content)
        refused(lambda: read_vectors(file, ITEMS), "clip.safetensors")
    for tensors, metadata, word in (
        ({"v": VECTORS}, None, "write clip.ids.txt beside it"),
        ({"v": VECTORS}, {"ids": "a, b"}, "no JSON list"),
        ({"v": VECTORS}, {"ids": '[["a"], 1, 2]'}, "no JSON list"),
        ({"v": VECTORS, "w": VECTORS}, ids, "2 tensors"),
        ({}, ids, "0 tensors"),
        ({"v": VECTORS[0]}, ids, "two dimensions"),
        ({"v": VECTORS.astype(np.complex64)}, ids, "complex"),
    ):
        save_file(tensors, file, metadata)
        refused(lambda: read_vectors(file, ITEMS), "clip.safetensors", word)
    save_file({"v": VECTORS}, file, ids)
    (tmp_path / "clip.ids.txt").write_text("a\ne\nb\n")
    refused(lambda: read_vectors(file, ITEMS), "differ")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_values_that_are_not_finite(tmp_path, value):
    array = VECTORS.astype(float)
    array[1, 1] = value
    np.save(tmp_path / "clip.npy", array)
    (tmp_path / "clip.ids.txt").write_text("e\nb\na\n")
    said = refused(lambda: read_vectors(tmp_path / "clip.npy", ITEMS), "row 2", "of 'b'")
    assert str(value) in said
    with pytest.raises(InputError, match=r"vectors, row 2.*'y'"):
        from_vectors(array, ["x", "y", "z"])


def test_folders_that_are_none_or_not_of_these_items(tmp_path):
    for read in (read_images, read_audio):
        refused(lambda read=read: read(tmp_path / "nowhere", ITEMS), "nowhere", "check the path")
        refused(lambda read=read: read(tmp_path, ITEMS), "no ", "put some in")
    refused(lambda: read_vectors(tmp_path / "x.npy", ITEMS), "x.npy", "check the path")
    refused(lambda: open_image(tmp_path / "x.png"), "x.png", "check the path")
    refused(lambda: open_audio(tmp_path / "x.wav", RATE, 1), "x.wav", "check the path")
    (tmp_path / "x.csv").write_text("1,2\n")
    refused(lambda: read_vectors(tmp_path / "x.csv", ITEMS), "'.csv'", ".npy")
    np.save(tmp_path / "clip.npy", VECTORS)
    refused(lambda: read_vectors(tmp_path / "clip.npy", ITEMS), "clip.ids.txt")
    picture(tmp_path / "shoe.png")
    refused(lambda: read_images(tmp_path, ITEMS), "shoe.png", "'a'", "name the files")
    picture(tmp_path / "a.png"), picture(tmp_path / "a.gif")
    refused(lambda: read_images(tmp_path, ITEMS), "a.gif and a.png", "item 'a'", "keep one")


@pytest.mark.parametrize(
    ("module", "package", "read"),
    [("PIL.Image", "pillow", read_images), ("soundfile", "soundfile", read_audio)],
)
def test_a_missing_package_is_named(tmp_path, module, package, read, monkeypatch):
    picture(tmp_path / "a.png"), tone(tmp_path / "a.wav")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=f"pip install {package}"):
        read(tmp_path, ITEMS)


# ---------------------------------------------------------------- in a data set


@pytest.fixture
def folder(tmp_path):
    rows = pd.DataFrame({"user_id": list("uuvvw"), "item_id": ["a", "b", "a", "c/d", "e"]})
    folder = tmp_path / "own"
    Dataset.from_frames(rows, feedback="implicit").save(folder)
    picture(folder / "images" / "a.png"), picture(folder / "images" / "c%2Fd.JPG", 1)
    picture(folder / "images" / "stranger.png")
    tone(folder / "audio" / "e.flac")
    (folder / "features").mkdir()
    np.save(folder / "features" / "clip.npy", VECTORS)
    (folder / "features" / "clip.ids.txt").write_text("e\na\nb\n")
    return folder


def test_a_folder_is_read_and_written_back(folder, tmp_path):
    ds = Dataset.from_folder(folder)
    assert list(ds.media) == ["image", "audio", "clip"]
    assert ds.notes[-3:] == (
        "image: 2 of 4 items; left out: 1 files of unknown items",
        "audio: 1 of 4 items",
        "clip: 3 of 4 items",
    )
    assert repr(ds).endswith("5 interactions, 2 with image, 1 with audio, 3 with clip)")
    ds.save(tmp_path / "copy")
    back = Dataset.from_folder(tmp_path / "copy")
    assert back.digest == ds.digest and back.identity == ds.identity
    assert {n: m.digest for n, m in back.media.items()} == {
        n: m.digest for n, m in ds.media.items()
    }
    assert sorted(p.name for p in (tmp_path / "copy" / "images").iterdir()) == [
        "a.png",
        "c%2Fd.jpg",
    ]
    refused(lambda: ds.save(folder), "own", "name a new folder")


def test_parts_keep_the_media(folder, tmp_path):
    ds = Dataset.from_folder(folder)
    part = ds.keep(items=np.isin(ds.item_ids, ["a", "b"]))
    assert part.media is ds.media and "1 with image, 0 with audio, 2 with clip" in repr(part)
    assert ds.rows(np.arange(3)).media is ds.media
    part.save(tmp_path / "part")
    back = Dataset.from_folder(tmp_path / "part")
    assert back.digest == part.digest and list(back.media) == ["image", "clip"]


def test_digest_includes_media_only_where_there_are_any(folder):
    ds = Dataset.from_folder(folder)
    bare = ds.with_media(image=None, audio=None, clip=None)
    plain = Dataset.from_frames(
        pd.DataFrame({"user_id": list("uuvvw"), "item_id": ["a", "b", "a", "c/d", "e"]})
    )
    assert bare.digest == plain.digest and not bare.media and "with" not in repr(bare)
    digests = {
        ds.digest,
        bare.digest,
        ds.with_media(image=None).digest,
        ds.with_media(image=shuffled(ds.media["image"], 0)).digest,
        ds.with_media(clip=None, clop=ds.media["clip"]).digest,
        ds.with_media(clip=thinned(ds.media["clip"], 1.0, seed=0)).digest,
    }
    assert len(digests) == 6
    nobody = ds.with_media(clip=thinned(ds.media["clip"], 1.0, seed=0))
    assert nobody.digest == ds.with_media(clip=None).digest


def test_with_media_replaces_drops_and_refuses(folder):
    ds = Dataset.from_folder(folder)
    one = from_vectors(VECTORS[:1], ["b"])
    other = ds.with_media(
        clip=thinned(ds.media["clip"], 0.5, seed=0),
        audio=None,
        mine=one,
    )
    assert list(other.media) == ["image", "clip", "mine"] and list(ds.media)[1] == "audio"
    assert [n.partition(":")[0] for n in other.notes if " of 4 items" in n] == [
        "image",
        "clip",
        "mine",
    ]
    with pytest.raises(InputError, match="none of the 1 items of 'mine' is here, 'q'"):
        ds.with_media(mine=from_vectors([[1.0]], ["q"]))
    for name in ("image", "audio", "text", "id", "a/b", ".a"):
        with pytest.raises(InputError, match="under the name"):
            ds.with_media(**{name: ds.media["clip"]})
    with pytest.raises(InputError, match="name them 'image'"):
        ds.with_media(cover=ds.media["image"])


@pytest.mark.parametrize("name", ["image", "audio", "text", "id"])
def test_reserved_names_of_features(folder, name):
    np.save(folder / "features" / f"{name}.npy", VECTORS)
    refused(lambda: Dataset.from_folder(folder), f"{name}.npy", "reserved", "rename")


def test_features_of_one_name(folder):
    save_file({"v": VECTORS}, folder / "features" / "clip.safetensors", {"ids": '["a", "b", "e"]'})
    refused(lambda: Dataset.from_folder(folder), "both here", "keep one")
