"""What a text encoder is given, checked: texts, layers, a limit of tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recnb.errors import InputError

SHIFTED = ("camembert", "mpnet", "longformer")  # positions counted from behind the padding's


def distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The distinct texts in order of appearance, and each text's place among them."""
    if isinstance(texts, str):
        raise InputError("texts is one string", mend="give a list of strings")
    place: dict[str, int] = {}
    places = np.empty(len(texts), dtype=np.int64)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(
                f"a text is {text!r}, no string", row=row + 1, mend="write '' where there is none"
            )
        places[row] = place.setdefault(text, len(place))
    for text, row in place.items():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"a text is no valid Unicode ({error.reason})",
                row=int(np.flatnonzero(places == row)[0]) + 1,
                mend="read the file with its own encoding",
            ) from error
    return list(place), places


def layer_numbers(layers: str | Sequence[int] | None, n_layers: int) -> tuple[int, ...]:
    """Layers counted from the embedding layer; () where none are chosen."""
    if layers is None:
        return ()
    if layers == "all":
        return tuple(range(n_layers + 1))
    chosen = [] if isinstance(layers, str) else [int(layer) for layer in layers]
    if not chosen or not all(-n_layers - 1 <= layer <= n_layers for layer in chosen):
        mend = f'use "all" or a list of numbers from 0 to {n_layers}'
        raise InputError(f"layers is {layers!r}", mend=mend)
    return tuple(layer % (n_layers + 1) for layer in chosen)


def token_limit(wanted: int | None, config: Any, folder: Path) -> int:
    """Tokens that an encoder reads of a text: what is wanted, if its positions allow it."""
    positions = int(getattr(config, "max_position_embeddings", None) or 512)
    if "roberta" in config.model_type or config.model_type in SHIFTED:
        positions -= (config.pad_token_id or 0) + 1
    if wanted is not None:
        if not 3 <= wanted <= positions:
            raise InputError(f"max_tokens is {wanted}", mend=f"choose 3 to {positions}")
        return int(wanted)
    tuned = folder / "sentence_bert_config.json"
    if tuned.is_file():
        length = json.loads(tuned.read_text(encoding="utf-8")).get("max_seq_length")
        if length:
            return min(int(length), positions)
    return min(positions, 512)
