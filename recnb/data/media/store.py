"""Media read from a data folder and written to one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from recnb.data.media.folder import FOLDERS, check_name, file_name
from recnb.data.media.images import read_images
from recnb.data.media.media import Media, known, part
from recnb.data.media.sounds import read_audio
from recnb.data.media.vectors import ENDINGS, IDS_ENDING, read_vectors
from recnb.errors import InputError

FEATURES = "features"


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
        each = part(each, known(each, item_ids))
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


def _features(folder: Path) -> list[Path]:
    files = sorted((folder / FEATURES).glob("*")) if (folder / FEATURES).is_dir() else []
    for file in files:
        name = file.name.removesuffix(IDS_ENDING)
        if name != file.name and not any((file.parent / f"{name}{e}").exists() for e in ENDINGS):
            raise InputError(
                "ids without their array", file=str(file), mend=f"put {name}.npy beside it"
            )
    return [file for file in files if file.suffix in ENDINGS and not file.name.startswith(".")]
