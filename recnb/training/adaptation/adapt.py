"""A language model adapted to texts, written as a folder that is used by name wherever an encoder is named."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recnb.encoders.text.batches import pad
from recnb.encoders.text.network import quiet
from recnb.encoders.weights import checksum, weight_files
from recnb.errors import InputError
from recnb.files import whole_folder, write_json
from recnb.training.adaptation.neighbours import Neighbours
from recnb.training.adaptation.settings import Adaptation
from recnb.training.settings import Training

_OURS = "adapted.json"


@dataclass(frozen=True)
class Adapted:
    """An adapted language model.

    Attributes
    ----------
    folder : Path
        ``text_frozen[encoder=FOLDER]``; weights, tokenizer and `adapted.json`: from what, with which settings.
    checksum : str
        SHA-256 of its weights.
    n_texts : int
        Distinct texts that it has read.
    history : tuple of dict
        `epoch` and `loss` of each pass.
    """

    folder: Path
    checksum: str
    n_texts: int
    history: tuple[dict[str, Any], ...]


def adapt(
    texts: Sequence[str],
    folder: str | Path,
    settings: Adaptation | None = None,
    encoder: str | None = None,
    neighbours: Neighbours | None = None,
) -> Adapted:
    """Adapt a language model to texts without labels.

    Parameters
    ----------
    texts : sequence of str
        Of the items, in the order of their codes; those without a word are left out.
    folder : path
        Written whole at the end; one that holds an adapted model is replaced.
    settings : Adaptation, optional
    encoder : str, optional
        Folder or name; None means the default encoder.
    neighbours : Neighbours, optional
        For "together", see :func:`recnb.training.adaptation.used_together`: of training rows alone.

    Raises
    ------
    InputError
        Fewer than two texts; "together" without neighbours or with those of another catalogue; "masked" with a
        language model that has no mask or reads forwards only; a folder that holds something else.

    Examples
    --------
    >>> found = adapt(["green tea", "usb cable"], "adapted", Adaptation("simcse"))  # doctest: +SKIP
    >>> make("text_frozen", encoder=str(found.folder))  # doctest: +SKIP
    """
    from recnb.encoders import DEFAULT_ENCODER, TextEncoder

    settings = settings or Adaptation()
    opened = TextEncoder(
        encoder or DEFAULT_ENCODER,
        max_tokens=settings.max_tokens,
        device=settings.device,
        normalise=False,
    )
    if len({text for text in texts if text.strip()}) < 2:
        raise InputError("fewer than two texts to adapt to", mend="give the catalogue's texts")
    with whole_folder(folder, ours=_OURS) as part:
        run = _masked if settings.method == "masked" else _contrastive
        network, n_texts, history = run(opened, list(texts), settings, neighbours)
        _copy_side_files(opened.source.folder, part)
        with quiet():
            network.save_pretrained(part)
            opened.tokenizer.save_pretrained(part)
        facts = {"from": opened.name, "from_checksum": opened.checksum, "n_texts": n_texts}
        write_json(part / _OURS, {**facts, "settings": settings.to_dict(), "history": history})
    return Adapted(Path(folder), checksum(Path(folder)), n_texts, tuple(history))


def _training(settings: Adaptation) -> Training:
    return Training(
        epochs=settings.n_epochs,
        lr=1e-3,  # of a new head
        lr_encoder=settings.lr,
        weight_decay=settings.weight_decay,
        warmup=0.1,
        schedule="linear",
        seed=settings.seed,
        device=settings.device,
        checkpoint=settings.checkpoint,
    )


def _contrastive(
    encoder: Any, texts: list[str], settings: Adaptation, neighbours: Neighbours | None
) -> tuple[Any, int, list[dict[str, Any]]]:
    """The network after the training, the number of texts, and the losses."""
    import torch

    from recnb.encoders import TextEncoder, TextTower
    from recnb.encoders.text.tower import put_tuned
    from recnb.training.adaptation.networks import Contrastive
    from recnb.training.batches import Batches
    from recnb.training.loop import train

    depth = encoder.n_layers if settings.n_layers is None else settings.n_layers
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        tower = TextTower(encoder, texts, trained=depth, dropout=settings.dropout)
        module = Contrastive(tower, settings.temperature, settings.anchor)
    place = tower.place.numpy().copy()
    with_words = np.array([bool(text.strip()) for text in texts])
    if settings.method == "together":
        if neighbours is None or neighbours.weights.shape[0] != len(texts):
            raise InputError(
                "method='together' without neighbours of these texts",
                mend="pass neighbours=used_together(train), and the texts of train's items",
            )
        items = neighbours.items[with_words[neighbours.items]]
    else:
        items = np.flatnonzero(with_words)
        items = items[np.unique(place[items], return_index=True)[1]]  # each text once
    n_steps = len(items) // settings.batch_size or 1

    def plan(epoch: int) -> list[tuple[int, np.ndarray]]:
        order = np.random.default_rng([settings.seed, epoch]).permutation(items)
        return [(0, rows) for rows in np.array_split(order, n_steps)]

    def batch(epoch: int, kind: int, rows: np.ndarray, number: int) -> dict[str, Any]:
        others = rows
        if settings.method == "together":
            assert neighbours is not None
            rng = np.random.default_rng([settings.seed, epoch, number, 3])
            others = neighbours.draw(rows, rng)
        same = place[rows][:, None] == place[others][None, :]
        if settings.method == "together":
            assert neighbours is not None
            both = np.concatenate([rows, others])
            same |= neighbours.are(both)[: len(rows), len(rows) :]
        np.fill_diagonal(same, False)
        told = {"left": place[rows], "right": place[others], "same": same}
        return {name: torch.from_numpy(value) for name, value in told.items()}

    def batches(epoch: int) -> Batches:
        return Batches(plan(epoch), partial(batch, epoch))

    done = train(module, batches, _training(settings), data=encoder.checksum)
    fresh = TextEncoder(str(encoder.source.folder), device=settings.device).model
    put_tuned(fresh, tower.tuned())
    return fresh, tower.n_texts, _losses(done)


def _masked(
    encoder: Any, texts: list[str], settings: Adaptation, neighbours: Neighbours | None
) -> tuple[Any, int, list[dict[str, Any]]]:
    import torch

    from recnb.encoders import Vocabulary, layer_list
    from recnb.training.adaptation.networks import Masked
    from recnb.training.batches import Batches
    from recnb.training.loop import train

    tokenizer, network = encoder.tokenizer, encoder.model
    if tokenizer.mask_token_id is None or getattr(network.config, "is_decoder", False):
        raise InputError(
            f"{encoder.name} has no word that hides another one",
            mend="use method='simcse', or an encoder with a mask token",
        )
    if settings.n_layers is not None:
        network.requires_grad_(False)
        for layer in list(layer_list(network))[-settings.n_layers :]:
            layer.requires_grad_(True)
    for name, parameter in network.named_parameters():
        if "pooler" in name:  # no guess passes it
            parameter.requires_grad_(False)
    for part in network.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = settings.dropout
    rows, counts = encoder.tokens(list(dict.fromkeys(texts)))
    rows = [ids for ids, count in zip(rows, counts[:, 0], strict=True) if count]
    words = network.get_input_embeddings().weight
    special = Vocabulary.of(tokenizer, words, n_near=0).special.to(encoder.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        module = Masked(network, special, int(tokenizer.mask_token_id), settings.masked)
    lengths = np.array([len(ids) for ids in rows])
    n_steps = len(rows) // settings.batch_size or 1

    def plan(epoch: int) -> list[tuple[int, np.ndarray]]:
        rng = np.random.default_rng([settings.seed, epoch])
        order = rng.permutation(len(rows))
        order = order[np.argsort(lengths[order], kind="stable")]  # like lengths together
        parts = np.array_split(order, n_steps)
        return [(0, parts[k]) for k in rng.permutation(len(parts))]

    def batch(epoch: int, kind: int, some: np.ndarray, number: int) -> dict[str, Any]:
        ids, seen = pad([np.asarray(rows[k]) for k in some], tokenizer.pad_token_id or 0)
        return {"ids": torch.from_numpy(ids), "seen": torch.from_numpy(seen)}

    def batches(epoch: int) -> Batches:
        return Batches(plan(epoch), partial(batch, epoch))

    done = train(module, batches, _training(settings), data=encoder.checksum)
    return network, len(rows), _losses(done)


def _losses(done: Any) -> list[dict[str, Any]]:
    return [{"epoch": row["epoch"], "loss": row["loss"]} for row in done.history]


def _copy_side_files(source: Path, target: Path) -> None:
    """What lies beside the weights: how many tokens a text has, how it is pooled."""
    weights = {file.name for file in weight_files(source)}
    for file in source.iterdir():
        if file.is_file() and file.suffix == ".json" and file.name not in weights:
            shutil.copyfile(file, target / file.name)
