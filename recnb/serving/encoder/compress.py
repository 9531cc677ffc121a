"""Smaller encoders: to ONNX, to 16- and 8-bit weights, to shorter vectors; by the tools of torch and onnxruntime."""

from __future__ import annotations

import io
import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from recnb.encoders.cache import cache_folder
from recnb.errors import InputError
from recnb.files import whole, write_json
from recnb.optional import check_installed, need
from recnb.serving.encoder.onnx import MODEL, SETTINGS, TOKENIZER, EncoderSettings, OnnxEncoder

PRECISIONS = ("float32", "float16", "int8", "int8_static")
_TEXTS = 256  # that static quantisation is calibrated on, at most
_BLOCK = 16
_OPSET = 18


def save_encoder(
    encoder: Any,
    folder: Path,
    precision: str = "float32",
    texts: Sequence[str] = (),
    dim: int | None = None,
) -> EncoderSettings:
    """Write a text encoder as ONNX, with its tokenizer and settings.

    Parameters
    ----------
    encoder : recnb.encoders.TextEncoder
        Its last layer, pooled as its settings say, scaled to length 1.
    folder : Path
        Made where it is not there.
    precision : {"float32", "float16", "int8", "int8_static"}
        16-bit floats, which a GPU is fast with and a processor is not: there it is said in the log. 8-bit weights with
        activations quantised as they come, or with ranges measured on `texts`.
    texts : sequence of str
        What the encoder will read, such as the catalogue's texts.
    dim : int, optional
        Keep the first so many numbers of a vector, scaled to length 1 again. Default: all.

    Returns
    -------
    EncoderSettings

    Raises
    ------
    InputError
        Unknown precision, no texts to calibrate on, more numbers than there are, or a package is missing.
    """
    check_installed("an ONNX encoder", "torch", "onnx", "onnxscript", "onnxruntime")
    if precision not in PRECISIONS:
        raise InputError(f"precision='{precision}'", mend=f"one of {', '.join(PRECISIONS)}")
    if precision == "int8_static" and not texts:
        raise InputError("no texts to calibrate on", mend="pass the catalogue's texts")
    if dim is not None and not 1 <= dim <= encoder.dim:
        raise InputError(f"dim={dim}", mend=f"keep 1 to {encoder.dim} numbers")
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = encoder.tokenizer
    tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
    unknown = tokenizer.unk_token_id
    if unknown in (tokenizer.eos_token_id, tokenizer.bos_token_id):
        unknown = None
    settings = EncoderSettings(
        encoder.name,
        encoder.checksum,
        dim or encoder.dim,
        encoder.max_tokens,
        tokenizer.pad_token_id or 0,
        unknown,
        int(tokenizer.num_special_tokens_to_add()),
        precision,
    )
    write_json(folder / SETTINGS, settings.to_json())
    full = folder / MODEL if precision == "float32" else folder / "full.onnx"
    kept = cache_folder() / "onnx" / f"{encoder.checksum}-{encoder.pooling}-{_OPSET}.onnx"
    if not kept.is_file():  # the export takes far longer than a copy
        with whole(kept) as part:
            _export(encoder, part)
    shutil.copyfile(kept, full)
    if precision == "float16":
        _halve(full, folder / MODEL)
        full.unlink()
    elif precision != "float32":
        _quantise(full, folder, settings, list(texts)[:_TEXTS], precision == "int8_static")
        full.unlink()
    return settings


def _export(encoder: Any, path: Path) -> None:
    import torch

    from recnb.encoders.text.pooling import pool

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = encoder.model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            output = self.network(input_ids=input_ids, attention_mask=attention_mask)
            pooled = pool(output.last_hidden_state, attention_mask, encoder.pooling)
            return torch.nn.functional.normalize(pooled, dim=-1)

    # sizes that are not 1 and not alike: the exporter takes a size of 1 for fixed
    ids = torch.full((2, 7), int(encoder.tokenizer.pad_token_id or 0))
    texts, tokens = torch.export.Dim("texts"), torch.export.Dim("tokens", max=encoder.max_tokens)
    axes = {0: texts, 1: tokens}
    with _quiet():
        torch.onnx.export(
            Pooled().eval(),
            (ids, torch.ones_like(ids)),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["vectors"],
            dynamo=True,
            dynamic_shapes={"input_ids": axes, "attention_mask": axes},
            opset_version=_OPSET,
            external_data=False,
        )


def _halve(full: Path, to: Path) -> None:
    """16-bit weights and products; ids come and vectors go as they did."""
    onnx, convert = need("onnx", "16-bit weights"), need("onnxruntime.transformers.float16", "them")
    with _quiet():
        half = convert.convert_float_to_float16(onnx.load(full), keep_io_types=True)
    onnx.save(half, to)


def _quantise(
    full: Path, folder: Path, settings: EncoderSettings, texts: list[str], static: bool
) -> None:
    quantization = need("onnxruntime.quantization", "8-bit weights")
    prepared = folder / "prepared.onnx"
    with _quiet():
        need("onnxruntime.quantization.shape_inference", "8-bit weights").quant_pre_process(
            str(full), str(prepared), skip_symbolic_shape=True
        )
        kinds = {"op_types_to_quantize": ["MatMul", "Gemm", "Gather"], "per_channel": True}
        if static:
            shutil.copyfile(full, folder / MODEL)  # what reads the texts to calibrate on
            reader = _Calibration(OnnxEncoder(folder, settings), texts)
            quantization.quantize_static(
                str(prepared),
                str(folder / MODEL),
                reader,
                quant_format=quantization.QuantFormat.QDQ,
                weight_type=quantization.QuantType.QInt8,
                activation_type=quantization.QuantType.QUInt8,
                calibrate_method=quantization.CalibrationMethod.MinMax,
                **kinds,
            )
        else:
            quantization.quantize_dynamic(
                str(prepared),
                str(folder / MODEL),
                weight_type=quantization.QuantType.QInt8,
                **kinds,
            )
    prepared.unlink()


class _Calibration:
    """Batches of token ids, as onnxruntime's calibration asks for them."""

    def __init__(self, encoder: OnnxEncoder, texts: list[str]) -> None:
        self._batches = self._read(encoder, texts)

    @staticmethod
    def _read(encoder: OnnxEncoder, texts: list[str]) -> Iterator[dict[str, np.ndarray]]:
        for start in range(0, len(texts), _BLOCK):
            yield encoder.inputs(texts[start : start + _BLOCK])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' reports on the terminal."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logging.disable(level)
