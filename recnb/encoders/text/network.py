"""A language model opened: its settings, its tokenizer, its network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from recnb.encoders.loading import (
    DEFAULT_CHECKSUM,
    DEFAULT_PARAMETERS,
    Source,
    need_text_extra,
)
from recnb.errors import InputError


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from printing: its loading report and progress bar."""
    from transformers.utils import logging as chatter

    level, bars = chatter.get_verbosity(), chatter.is_progress_bar_enabled()
    chatter.set_verbosity_error()
    chatter.disable_progress_bar()
    try:
        yield
    finally:
        chatter.set_verbosity(level)
        if bars:
            chatter.enable_progress_bar()


def open_tokenizer(source: Source) -> Any:
    """The tokenizer in `source`."""
    need_text_extra()
    from transformers import AutoTokenizer

    with quiet():
        return AutoTokenizer.from_pretrained(source.folder)


def open_config(source: Source) -> Any:
    """The settings in `source`, of the text part where a model has several."""
    need_text_extra()
    from transformers import AutoConfig

    try:
        with quiet():
            return AutoConfig.from_pretrained(source.folder).get_text_config()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"transformers cannot read this model ({str(error).splitlines()[0]})",
            file=str(source.folder / "config.json"),
            mend="take a model that AutoModel knows, or a newer transformers",
        ) from error


def open_model(source: Source, precision: str = "float32", device: str = "cpu") -> Any:
    """The network in `source`, without a head, in evaluation mode.

    Parameters
    ----------
    source : Source
    precision : {"float32", "bfloat16"}
    device : str
        A torch device.

    Returns
    -------
    torch.nn.Module
        Of a model with an encoder and a decoder, the encoder.

    Raises
    ------
    InputError
        The weights do not cover the architecture. transformers would fill the gaps with random
        numbers.
    """
    need_text_extra()
    import torch
    import transformers

    # renamed in 4.56; set here, as a later .to() would also round the buffers of rotary positions
    key = (
        "dtype"
        if tuple(map(int, transformers.__version__.split(".")[:2])) >= (4, 56)
        else "torch_dtype"
    )
    with quiet():
        model, found = transformers.AutoModel.from_pretrained(
            source.folder, output_loading_info=True, **{key: getattr(torch, precision)}
        )
    gaps = [
        k for k in found["missing_keys"] if "pooler" not in k
    ]  # no vector here passes the pooler
    gaps += [k for k, *_ in found.get("mismatched_keys", ())]
    if gaps:
        raise InputError(
            f"the weights lack {len(gaps)} tensors of the architecture, such as {sorted(gaps)[0]}",
            file=str(source.folder),
            mend="take a complete checkpoint",
        )
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    model.config.use_cache = False
    return model.to(device).eval()


def count_parameters(source: Source) -> int:
    """Parameters of the network in `source`, without reading its weights."""
    if source.checksum == DEFAULT_CHECKSUM:
        return DEFAULT_PARAMETERS  # building the default network on no device takes seconds
    import torch
    import transformers

    with torch.device("meta"), quiet():
        model = transformers.AutoModel.from_config(open_config(source))
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
    return sum(weights.numel() for weights in model.parameters())
