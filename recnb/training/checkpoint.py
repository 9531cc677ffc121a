"""The checkpoint of a training: one file, exchanged whole, for one training only.

The file is written beside the old one and takes its name when it is complete, so a kill at any moment
leaves the old or the new one. It holds tensors and plain values, and is read as such: nothing in it can run.
"""

from __future__ import annotations

import dataclasses
import os
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from recnb.errors import InputError
from recnb.files import leftovers, whole
from recnb.training.settings import Training

FILE = "checkpoint.pt"


def save(folder: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Write `state` to `folder`, in one move.

    Parameters
    ----------
    folder : path
        Made where it is not there.
    state : dict
        Tensors and plain values.
    """
    import torch

    with whole(Path(folder) / FILE) as part, open(part, "wb") as file:
        torch.save(state, file)


def load(folder: str | os.PathLike[str], identity: dict[str, Any]) -> dict[str, Any] | None:
    """The state in `folder`, None where there is none.

    Parameters
    ----------
    folder : path
    identity : dict
        As :func:`identity_of` gives it.

    Raises
    ------
    InputError
        The checkpoint belongs to another training, or cannot be read.
    """
    import torch

    path = Path(folder) / FILE
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        theirs = state["identity"]
    except Exception as error:
        raise InputError(
            f"no readable checkpoint ({type(error).__name__})",
            file=str(path),
            mend="delete it and start anew",
        ) from error
    differing = [
        f"{name} is {theirs.get(name, 'not there')!r} there and {identity.get(name, 'not there')!r} here"
        for name in {**identity, **theirs}
        if theirs.get(name, "not there") != identity.get(name, "not there")
    ]
    if differing:
        raise InputError(
            f"the checkpoint is of another training: {', '.join(differing)}",
            file=str(path),
            mend="repeat the same call, or name another folder",
        )
    return state


def forget(folder: str | os.PathLike[str]) -> None:
    """Remove the checkpoint in `folder`, once what was trained is kept elsewhere.

    A finished training leaves its result there, so that a kill before the caller has saved it costs nothing.

    Examples
    --------
    >>> forget("no/such/folder")
    """
    folder = Path(folder)
    (folder / FILE).unlink(missing_ok=True)
    for part in leftovers(folder / FILE):  # of a kill
        part.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def place_of(model: Any, train: Any, valid: Any = None) -> str | None:
    """The folder of one fit below `model.checkpoint`; None where the model has none.

    A search fits a model with many settings, and then again on more rows and without a validation part: each is a
    training of its own, and the same fit, repeated, finds what it left.

    Parameters
    ----------
    model : Recommender
        With a setting `checkpoint`.
    train : Dataset
    valid : Dataset, optional
    """
    if model.checkpoint is None:
        return None
    settings = model.get_params().items()
    told = [(name, value) for name, value in settings if not name.endswith("checkpoint")]
    seen = [type(model).__qualname__, sorted(told), None if valid is None else valid.digest]
    return str(Path(model.checkpoint) / f"{train.digest}-{fingerprint(seen)}")


def identity_of(
    module: Any, settings: Training, accelerator: Any, first: Any, data: str, validated: bool
) -> dict[str, Any]:
    """What the weights at the end depend on, by name.

    Parameters
    ----------
    module : torch.nn.Module
        With its weights from before the training.
    settings : Training
    accelerator : accelerate.Accelerator
    first : Share
        The first epoch; the number and the first of its batches stand for the data.
    data : str
        What the caller knows the data by.
    validated : bool
        Whether the best epoch is chosen.
    """
    state = module.state_dict()
    trained = {name: p.requires_grad for name, p in module.named_parameters()}
    shapes = [(n, tuple(t.shape), str(t.dtype), trained.get(n, False)) for n, t in state.items()]
    return {
        **settings.identity(),
        "track": None,
        "module": type(module).__qualname__,
        "layout of the weights": fingerprint(shapes),
        "first weights": fingerprint(state),
        "data": data,
        "batches": len(first.batches),
        "first batch": fingerprint(next(iter(first.after(0))))
        if accelerator.num_processes == 1
        else "",
        "validation": validated,
        "precision": accelerator.mixed_precision,
        "device": accelerator.device.type,
        "processes": accelerator.num_processes,
    }


def fingerprint(value: Any) -> str:
    """Sixteen hex digits that change with the numbers, texts and tensors inside `value`.

    Of objects that it does not know it takes the name of the type only.

    Examples
    --------
    >>> fingerprint({"a": [1, 2.0]}) == fingerprint({"a": [1, 2.0]}) != fingerprint({"a": [1, 3.0]})
    True
    """
    digest = blake2b(digest_size=8)

    def add(value: Any) -> None:
        if hasattr(value, "detach") and hasattr(value, "untyped_storage"):
            import torch

            value = value.detach().to("cpu").contiguous()
            digest.update(f"{tuple(value.shape)}{value.dtype}".encode())
            # as bytes, since numpy has no bfloat16
            digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
        elif isinstance(value, np.ndarray) and value.dtype != object:
            digest.update(f"{value.shape}{value.dtype}".encode())
            digest.update(np.ascontiguousarray(value).data)
        elif isinstance(value, dict):
            add(list(value.items()))
        elif isinstance(value, (list, tuple)):
            digest.update(f"[{len(value)}".encode())
            for part in value:
                add(part)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            add([(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)])
        elif value is None or isinstance(value, (str, bytes, bool, int, float, np.generic)):
            digest.update(f"{value!r};".encode())
        else:
            digest.update(f"{type(value).__qualname__};".encode())

    add(value)
    return digest.hexdigest()
