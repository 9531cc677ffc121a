"""A tuned language model as a folder like any other: the adapter inside the weights, nothing beside them."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recnb.errors import InputError
from recnb.files import whole_folder
from recnb.tuning.methods import MERGEABLE, merged, tune

if TYPE_CHECKING:
    from recnb.tuning.bank import Adapter


def save_merged(encoder: Any, adapter: Adapter, folder: str | Path) -> Path:
    """Write a language model with an adapter added into its weights.

    What is written is opened by name (``TextEncoder(folder)``, ``make("text_dot", encoder=folder)``), also by other
    software: it is as large as the base and knows nothing of adapters.

    Parameters
    ----------
    encoder : TextEncoder
        The base that the adapter was trained on; it stays as it is.
    adapter : Adapter
        Of a method in :data:`recnb.tuning.methods.MERGEABLE`.
    folder : path
        Written whole or not at all; a language model that stood there is replaced.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        The adapter belongs to other weights, or its method cannot be written as other weights.
    """
    import torch

    if adapter.base["checksum"] != encoder.checksum:
        raise InputError(
            f"the adapter was trained on {adapter.base['name']} with weights {adapter.base['checksum'][:12]}, "
            f"here are {encoder.checksum[:12]}",
            mend="open the language model it was trained on",
        )
    if adapter.method not in MERGEABLE:
        raise InputError(
            f"'{adapter.method}' does not merge into the weights",
            mend=f"use {', '.join(MERGEABLE)}, or keep the adapter beside its base in an AdapterBank",
        )
    network = tune(copy.deepcopy(encoder.model), adapter.method, **adapter.settings)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.from_numpy(adapter.arrays[name].copy()))
    with whole_folder(folder, ours="config.json") as place, _without_bars():
        merged(network).save_pretrained(place)
        encoder.tokenizer.save_pretrained(place)
        length = Path(encoder.source.folder) / "sentence_bert_config.json"
        if length.is_file():  # how many tokens the base reads
            shutil.copy(length, place)
    return Path(folder)


@contextmanager
def _without_bars() -> Iterator[None]:
    """No progress bar for the second that a small model takes to write."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
