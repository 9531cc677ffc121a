"""Files to vectors with a pretrained network, each distinct content once."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recnb.encoders.cache import Keeper, VectorCache, open_cache
from recnb.encoders.device import choose_device, choose_precision
from recnb.encoders.inputs import distinct
from recnb.encoders.loading import Source, locate
from recnb.encoders.media.network import (
    PROCESSORS,
    media_vectors,
    open_media_config,
    open_network,
    open_processor,
    outline,
)
from recnb.errors import InputError

log = logging.getLogger(__name__)

WAITING = 8  # batches' worth of prepared inputs in memory, where their shapes differ

Inputs = dict[str, np.ndarray]
Progress = Callable[[int, int], None]


class MediaEncoder:
    """What `ImageEncoder` and `AudioEncoder` share; they say how a file is read.

    Inputs of one shape make a batch, so that none is padded for another's sake. Files are taken in
    the order of their contents' digests: batches, and so the last bits of a vector, depend neither
    on names nor on order.
    """

    kind: str  # "image" or "audio"

    def __init__(
        self,
        name: str | os.PathLike[str],
        device: str = "auto",
        precision: str = "float32",
        cache: bool | str | os.PathLike[str] = True,
        normalise: bool = True,
        revision: str | None = None,
        batch_size: int = 16,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}", mend="choose 1 or more")
        self.source = self._find(name, revision)
        self.name, self.checksum = self.source.name, self.source.checksum
        self._read_settings()
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self.normalise, self.batch_size = bool(normalise), int(batch_size)
        self._cache = cache

    def encode(
        self, files: Sequence[str | os.PathLike[str]], progress: Progress | None = None
    ) -> np.ndarray:
        """One vector a file.

        Parameters
        ----------
        files : sequence of str or path
            In any order; the same content under several names is read once.
        progress : callable, optional
            Called with (files done, files to do) after each batch; both count distinct contents
            that were not in the cache.

        Returns
        -------
        ndarray of shape (len(files), dim), float32

        Raises
        ------
        InputError
            A file that is missing or cannot be read, or a vector that is not finite.
        """
        digests, paths = _digests(files)
        unique, places = distinct(digests)
        where = dict(zip(digests, paths))
        cache = self._open_cache()
        if cache is None:
            found = np.zeros(len(unique), dtype=bool)
            vectors = np.zeros((len(unique), self.dim), dtype=np.float32)
            counts = np.zeros((len(unique), 2), dtype=np.int64)
        else:
            found, vectors, counts = cache.get(unique)
        todo = sorted(np.flatnonzero(~found).tolist(), key=lambda row: unique[row])
        keep = Keeper(cache, unique, vectors, counts)
        done = 0
        try:
            for batch in self._batches([(row, where[unique[row]]) for row in todo]):
                rows = np.array([row for row, _ in batch])
                vectors[rows] = self._embed([inputs for _, inputs in batch])
                keep.add(rows)
                done += len(rows)
                if progress is not None:
                    progress(done, len(todo))
        finally:
            keep.save()
        return vectors[places]

    @cached_property
    def dim(self) -> int:
        """Length of a vector, from the shapes alone where the network allows it."""
        import torch

        blank = {name: torch.from_numpy(value) for name, value in self._blank().items()}
        with torch.inference_mode():
            try:
                away = {name: value.to("meta") for name, value in blank.items()}
                return int(media_vectors(self._outline, away, self.kind).shape[1])
            except (NotImplementedError, RuntimeError):  # its steps depend on values
                return int(self._forward(blank).shape[1])

    @property
    def n_parameters(self) -> int:
        """Parameters of the part of the network that reads the files."""
        return sum(weights.numel() for weights in self._outline.parameters())

    @property
    def settings(self) -> dict[str, Any]:
        """All that the vectors depend on, to be recorded with results."""
        names = ("name", "checksum", "precision", "normalise", "device")
        return {name: getattr(self, name) for name in names} | {"revision": self.source.revision}

    @cached_property
    def model(self) -> Any:
        """The network, on its device and in its precision; opened at first use."""
        return self._open()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.precision}, {self.device})"

    def _find(self, name: str | os.PathLike[str], revision: str | None) -> Source:
        return locate(name, revision)

    def _read_settings(self) -> None:
        self.config = open_media_config(self.source, self.kind)
        self.processor = open_processor(self.source, self.kind)

    def _open(self) -> Any:
        return open_network(self.source, self.config, self.kind, self.precision, self.device)

    def _shapes(self) -> Any:
        """The network without numbers."""
        return outline(self.config, self.kind)

    def _prepare(self, file: Path) -> Inputs:
        """One file as the network reads it, each array with a first axis of length 1."""
        raise NotImplementedError

    def _blank(self) -> Inputs:
        """What `_prepare` would give for a file in which there is nothing."""
        raise NotImplementedError

    def _batches(self, files: list[tuple[int, Path]]) -> Iterator[list[tuple[int, Inputs]]]:
        waiting: dict[Any, list[tuple[int, Inputs]]] = {}
        for row, file in files:
            inputs = self._prepare(file)
            shape = tuple((name, inputs[name].shape) for name in sorted(inputs))
            group = waiting.setdefault(shape, [])
            group.append((row, inputs))
            if len(group) == self.batch_size:
                yield waiting.pop(shape)
            elif sum(map(len, waiting.values())) == WAITING * self.batch_size:
                yield waiting.pop(max(waiting, key=lambda one: len(waiting[one])))
        yield from waiting.values()

    def _embed(self, rows: list[Inputs]) -> np.ndarray:
        """Vectors of one batch, (n_files, dim)."""
        import torch

        with torch.inference_mode():
            states = self._forward(
                {
                    name: torch.from_numpy(np.concatenate([row[name] for row in rows]))
                    for name in rows[0]
                }
            )
            if self.normalise:
                states = torch.nn.functional.normalize(states, dim=-1)
            vectors = states.cpu().numpy()
        if not np.isfinite(vectors).all():
            raise InputError(
                f"{self.name} gives states that are not finite in {self.precision}",
                mend="use precision='float32'",
            )
        return vectors

    def _forward(self, inputs: dict[str, Any]) -> Any:
        kept = {
            name: value.to(self.device, self.model.dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }
        return media_vectors(self.model, kept, self.kind)

    @cached_property
    def _outline(self) -> Any:
        try:
            return self._shapes()
        except (NotImplementedError, RuntimeError, TypeError):  # Hiera computes while it is built
            return self.model

    def _open_cache(self) -> VectorCache | None:
        # the same vectors on every device, and under every name of the same weights
        settings = {
            k: v for k, v in self.settings.items() if k not in ("name", "device", "revision")
        }
        settings["sides"] = [
            hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
            for file in (self.source.folder / name for name in ("config.json", *PROCESSORS))
        ]
        return open_cache(self._cache, self.kind, settings, (self.dim,))


def as_inputs(prepared: Any) -> Inputs:
    """What a processor gives, as arrays; numbers with a point in float32."""
    arrays = {name: np.asarray(value) for name, value in prepared.items()}
    return {
        name: value.astype(np.float32) if value.dtype.kind == "f" else value
        for name, value in arrays.items()
    }


def _digests(files: Sequence[str | os.PathLike[str]]) -> tuple[list[str], list[Path]]:
    """SHA-256 of each file's content, and its path."""
    if isinstance(files, (str, bytes, os.PathLike)):
        raise InputError("files is one path", mend="give a list of paths")
    known: dict[Path, str] = {}
    paths = []
    for row, file in enumerate(files):
        if not isinstance(file, (str, os.PathLike)):
            raise InputError(
                f"a file is {file!r}, no path", row=row + 1, mend="leave out items without a file"
            )
        path = Path(file).expanduser()
        paths.append(path)
        if path in known:
            continue
        try:
            with path.open("rb") as stream:
                known[path] = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise InputError(
                f"cannot read this file ({error.strerror or error})",
                file=str(path),
                row=row + 1,
                mend="correct the path",
            ) from error
    return [known[path] for path in paths], paths
