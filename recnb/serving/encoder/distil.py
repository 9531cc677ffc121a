"""Fewer layers: some of a text encoder's kept, and taught to give the vectors of all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recnb.errors import InputError
from recnb.files import whole_folder
from recnb.progress import tell

TOKENIZER_FILES = ("tokenizer*", "vocab*", "special_tokens_map.json", "merges.txt", "*.model")


def fewer_layers(
    encoder: Any,
    n_layers: int,
    texts: Sequence[str],
    folder: str | Path,
    epochs: int = 3,
    lr: float = 1e-4,
    seed: int = 0,
) -> Any:
    """A text encoder of some of the layers, taught on texts to give the vectors of the whole one.

    Parameters
    ----------
    encoder : recnb.encoders.TextEncoder
        Of an architecture whose layers stand in ``encoder.layer`` (BERT and its kin).
    n_layers : int
        Layers kept, spread evenly over the depth, the last among them.
    texts : sequence of str
        What the encoder will read, such as the catalogue's texts.
    folder : path
        Where it is written, as `save_pretrained` does.
    epochs : int
        Passes over the texts; 0 only cuts.
    lr : float
    seed : int

    Returns
    -------
    TextEncoder
        Over the folder, with the settings of `encoder`.

    Raises
    ------
    InputError
        Another architecture, or not fewer layers.

    Notes
    -----
    Loss: one minus the cosine between the vectors of both, the mean over a batch of 64 texts; AdamW with a linear
    decay.

    References
    ----------
    Sanh et al. (2019), "DistilBERT, a distilled version of BERT", section 2 (initialised from every second layer);
    Reimers & Gurevych (2020), "Making monolingual sentence embeddings multilingual using knowledge distillation",
    equation 1 (vectors as targets).
    """
    import torch

    from recnb.encoders import TextEncoder
    from recnb.encoders.text.network import open_model, quiet

    student = open_model(encoder.source, "float32", encoder.device)
    layers = getattr(getattr(student, "encoder", None), "layer", None)
    if layers is None:
        raise InputError(
            f"the layers of {encoder.name} are not where BERT has them", mend="take a BERT"
        )
    if not 1 <= n_layers < len(layers):
        raise InputError(f"n_layers={n_layers} of {len(layers)}", mend="keep fewer, at least one")
    kept = np.unique(np.linspace(len(layers) - 1, 0, n_layers).round().astype(int))
    if n_layers == 1:
        kept = np.array([len(layers) - 1])
    student.encoder.layer = torch.nn.ModuleList([layers[int(at)] for at in kept])
    student.config.num_hidden_layers = n_layers
    teach(student, encoder, list(dict.fromkeys(texts)), epochs, lr, seed)
    with whole_folder(folder, ours="config.json") as part:
        with quiet():
            student.save_pretrained(part)
        copy_tokenizer(encoder, part)
    settings = {"pooling": encoder.pooling, "max_tokens": encoder.max_tokens}
    return TextEncoder(folder, device=encoder.device, normalise=encoder.normalise, **settings)


def copy_tokenizer(encoder: Any, folder: Path) -> None:
    """The tokenizer's files into a folder."""
    for pattern in TOKENIZER_FILES:
        for path in encoder.source.folder.glob(pattern):
            shutil.copyfile(path, folder / path.name)


def teach(student: Any, encoder: Any, texts: list[str], epochs: int, lr: float, seed: int) -> None:
    """Train a network until it gives the vectors of an encoder; see :func:`fewer_layers` for loss and settings."""
    import torch

    from recnb.encoders.text.batches import pad
    from recnb.encoders.text.pooling import pool

    targets = torch.from_numpy(encoder.encode(texts))
    rows, counts = encoder.tokens(texts)
    told = [at for at in range(len(texts)) if counts[at, 0] > 0]
    steps = epochs * -(-len(told) // 64)
    if not steps:
        return
    optimiser = torch.optim.AdamW(student.parameters(), lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, steps)
    rng, step = np.random.default_rng(seed), 0
    torch.manual_seed(seed)
    student.train()
    for _ in range(epochs):
        # batches of texts of like length, in random order
        order = sorted(rng.permutation(told).tolist(), key=lambda at: len(rows[at]))
        batches = [order[start : start + 64] for start in range(0, len(order), 64)]
        for number in rng.permutation(len(batches)):
            batch = batches[number]
            ids, mask = pad([rows[at] for at in batch], encoder.tokenizer.pad_token_id or 0)
            tokens = torch.from_numpy(ids).to(encoder.device)
            there = torch.from_numpy(mask).to(encoder.device)
            output = student(input_ids=tokens, attention_mask=there)
            vectors = pool(output.last_hidden_state, there, encoder.pooling)
            wanted = targets[batch].to(encoder.device)
            loss = 1 - torch.nn.functional.cosine_similarity(vectors, wanted).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            step += 1
            tell("teaching the smaller encoder", step - 1, steps)
    student.eval()
