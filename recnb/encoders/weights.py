"""The files of a language model and their identity."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from math import prod
from pathlib import Path

from recnb.errors import InputError

WEIGHTS = ("model.safetensors", "model-*.safetensors", "pytorch_model.bin", "pytorch_model-*.bin")
SIDE_FILES = (
    "config.json",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "*.model",
)


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights: safetensors where there are any, else pickles."""
    for pattern in WEIGHTS:
        found = sorted(folder.glob(pattern))
        if found:
            return found
    return []


def checksum(folder: Path) -> str:
    """SHA-256 of a model's weights, as 64 hexadecimal digits.

    Parameters
    ----------
    folder : Path
        A model's folder.

    Returns
    -------
    str
        The digest of the one weights file; of several files, the digest of their digests in the
        order of their names.

    Raises
    ------
    InputError
        The folder has no weights.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "model.safetensors").write_bytes(b"abc")
    >>> checksum(folder)[:8]
    'ba7816bf'
    """
    files = weight_files(folder)
    if not files:
        raise InputError(
            "no weights (model.safetensors or pytorch_model.bin) in this folder",
            file=str(folder),
            mend="name a folder that save_pretrained wrote",
        )
    digests = [_digest(file, *_state(file)) for file in files]
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _state(file: Path) -> tuple[int, int, int]:
    """What changes when a file is written again."""
    stat = file.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=64)
def _digest(file: Path, inode: int, size: int, changed: int) -> str:
    """SHA-256 of a file, read once in a process while its state is the same: weights are large."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def side_checksum(folder: Path) -> str:
    """SHA-256 of settings and tokenizer: equal weights may go with another way to split text."""
    digest = hashlib.sha256()
    for file in sorted({file for pattern in SIDE_FILES for file in folder.glob(pattern)}):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def count_parameters(folder: Path) -> int | None:
    """How many numbers the weights of a folder hold, from the heads of its safetensors; None without such files."""
    files = [path for path in weight_files(folder) if path.suffix == ".safetensors"]
    total = 0
    for path in files:
        with path.open("rb") as file:
            head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        total += sum(prod(t["shape"]) for name, t in head.items() if name != "__metadata__")
    return total if files else None
