"""A text encoder as ONNX: read with onnxruntime and tokenizers alone, without torch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from recnb.errors import InputError
from recnb.optional import need

log = logging.getLogger(__name__)
MODEL, TOKENIZER, SETTINGS = "model.onnx", "tokenizer.json", "encoder.json"
_BATCH_TOKENS = 4096  # padded tokens of one pass


@dataclass(frozen=True)
class EncoderSettings:
    """What reading a text with the network needs beside its two files.

    Attributes
    ----------
    name, checksum : str
        What results cite: the model's name and the SHA-256 of the weights that it was made from.
    dim, max_tokens, pad_id : int
        `dim` may be less than the network's: then its first numbers are kept.
    unknown_id : int or None
        None where the tokenizer knows every sign.
    n_special : int
        Special tokens of a text.
    precision : str
        Of the weights: "float32", "float16", "int8" (dynamic) or "int8_static".
    """

    name: str
    checksum: str
    dim: int
    max_tokens: int
    pad_id: int
    unknown_id: int | None
    n_special: int
    precision: str

    @classmethod
    def from_json(cls, values: Any, file: str) -> EncoderSettings:
        """Checked values of `encoder.json`."""
        kinds = {name: kind for name, kind in cls.__annotations__.items()}
        allowed = {"str": (str,), "int": (int,), "int | None": (int, type(None))}
        if not isinstance(values, dict) or set(values) != set(kinds):
            raise InputError(
                "its fields are not those of an encoder", file=file, mend="export again"
            )
        for name, kind in kinds.items():
            if not isinstance(values[name], allowed[kind]) or isinstance(values[name], bool):
                raise InputError(f"'{name}' is no {kind}", file=file, mend="export again")
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class OnnxEncoder:
    """Text to unit vectors, as :class:`recnb.encoders.TextEncoder` gives them.

    Parameters
    ----------
    folder : Path
        With `model.onnx`, `tokenizer.json` and `encoder.json`.
    settings : EncoderSettings
    threads : int
        Of one pass; 0 lets onnxruntime decide.

    Raises
    ------
    InputError
        A file cannot be read.
    """

    def __init__(self, folder: Path, settings: EncoderSettings, threads: int = 1) -> None:
        ort, tokenizers = need("onnxruntime", "the encoder"), need("tokenizers", "the encoder")
        self.settings, half = settings, settings.precision == "float16"
        gpu = "CUDAExecutionProvider" in ort.get_available_providers()
        if half and not gpu:
            log.warning("no GPU for the 16-bit encoder: the processor computes it in 32 bits")
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER))
            self._session = ort.InferenceSession(
                str(folder / MODEL),
                options,
                providers=["CUDAExecutionProvider"] * (half and gpu) + ["CPUExecutionProvider"],
            )
        except Exception as error:  # neither package has an error class of its own for this
            reason = str(error).splitlines()[0][:120]
            raise InputError(
                f"the encoder cannot be read ({reason})", file=str(folder), mend="export again"
            ) from None
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(settings.max_tokens)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """One unit vector a text: ndarray of shape (len(texts), dim), float32; zero for a text without tokens."""
        return self.encode_counted(texts)[0]

    def encode_counted(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`encode`, and of each text its tokens and the unknown ones: int64, shape (len(texts), 2)."""
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        special, unknown = self.settings.n_special, self.settings.unknown_id
        counts = np.array(
            [(len(r) - special, 0 if unknown is None else r.count(unknown)) for r in rows],
            dtype=np.int64,
        ).reshape(len(rows), 2)
        out = np.zeros((len(rows), self.settings.dim), np.float32)
        filled = [at for at in range(len(rows)) if counts[at, 0] > 0]
        filled.sort(key=lambda at: -len(rows[at]))
        while filled:
            n = max(1, _BATCH_TOKENS // len(rows[filled[0]]))
            batch, filled = filled[:n], filled[n:]
            out[batch] = self._pass([rows[at] for at in batch])
        return out, counts

    def inputs(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """What the network is given for one batch of texts."""
        return self._padded(
            [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        )

    def _pass(self, rows: list[list[int]]) -> np.ndarray:
        (vectors,) = self._session.run(None, self._padded(rows))
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.shape[1] == self.settings.dim:
            return vectors
        short = vectors[:, : self.settings.dim]
        return short / np.maximum(np.linalg.norm(short, axis=1, keepdims=True), 1e-9)

    def _padded(self, rows: list[list[int]]) -> dict[str, np.ndarray]:
        ids = np.full((len(rows), max(map(len, rows))), self.settings.pad_id, np.int64)
        mask = np.zeros_like(ids)
        for at, row in enumerate(rows):
            ids[at, : len(row)], mask[at, : len(row)] = row, 1
        return {"input_ids": ids, "attention_mask": mask}


class Replaced(InputError):
    """The files of an encoder are others than those that were checked: a newer artefact has their place."""


class LateEncoder:
    """An encoder that is read on a thread of its own, when that is asked for or when the first text comes.

    Parameters
    ----------
    folder, settings, threads
        As of :class:`OnnxEncoder`.
    """

    def __init__(self, folder: Path, settings: EncoderSettings, threads: int = 1) -> None:
        self.settings = settings
        self._folder, self._threads = folder, threads
        self._files = self._identity()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read encoder")
        self._lock = Lock()
        self._encoder: Future[OnnxEncoder] | None = None

    @property
    def ready(self) -> bool:
        """Whether it has been read."""
        encoder = self._encoder
        return encoder is not None and encoder.done() and encoder.exception() is None

    def read(self) -> Future[OnnxEncoder]:
        """The encoder, once it is read; fails as :class:`OnnxEncoder`, or with :class:`Replaced`."""
        with self._lock:
            if self._encoder is None:
                self._encoder = self._thread.submit(self._read)
                self._thread.shutdown(wait=False)
            return self._encoder

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """As :meth:`OnnxEncoder.encode`."""
        return self.read().result().encode(texts)

    def encode_counted(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`OnnxEncoder.encode_counted`."""
        return self.read().result().encode_counted(texts)

    def _read(self) -> OnnxEncoder:
        try:
            return OnnxEncoder(self._folder, self.settings, self._threads)
        finally:
            if self._identity() != self._files:
                raise Replaced(
                    "the artefact was replaced while its encoder was read",
                    file=str(self._folder),
                    mend="ask again",
                ) from None

    def _identity(self) -> list[tuple[int, int, int] | None]:
        """Which files they are."""
        kept: list[tuple[int, int, int] | None] = []
        for name in (TOKENIZER, MODEL):
            try:
                file = (self._folder / name).stat()
                kept.append((file.st_ino, file.st_size, file.st_mtime_ns))
            except FileNotFoundError:
                kept.append(None)
        return kept
