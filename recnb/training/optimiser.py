"""Groups of parameters, the optimiser over them, and the learning rate at each moment."""

from __future__ import annotations

import math
from typing import Any

from recnb.errors import InputError
from recnb.training.settings import Training

GROUPS = ("encoder", "head", "tables")
# Of torch's OneCycleLR: the share of the rise, what `lr` is divided by at the start, and that once more at the end.
_ONE_CYCLE = {"rise": 0.3, "start": 25.0, "end": 1e4}
_SHORT = 0.01  # of the training, from which the root falls where there is no warm-up


def parameter_groups(module: Any, settings: Training) -> list[dict[str, Any]]:
    """The trainable parameters with the learning rate and the weight decay of each.

    Parameters
    ----------
    module : torch.nn.Module
        May have `parameter_groups()`, a list of dicts with `params`, `name` ("encoder", "head" or
        "tables") and, to overrule the settings, `lr` or `weight_decay`. Without it all are "head".
    settings : Training

    Returns
    -------
    list of dict
        For a torch optimiser. Biases and the parameters of layer norms, known by their single axis, are
        groups of their own without decay.

    Raises
    ------
    InputError
        Nothing to train; a group of another name; a trainable parameter in no group or in two.

    Examples
    --------
    >>> import torch
    >>> groups = parameter_groups(torch.nn.Linear(3, 2), Training(weight_decay=0.1))
    >>> [(g["name"], len(g["params"]), g["lr"], g["weight_decay"]) for g in groups]
    [('head', 1, 0.001, 0.1), ('head', 1, 0.001, 0.0)]
    """
    names = {id(p): name for name, p in module.named_parameters() if p.requires_grad}
    if not names:
        raise InputError("the module has no trainable parameter", mend="unfreeze a part of it")
    offered = getattr(module, "parameter_groups", None)
    given = offered() if offered else [{"name": "head", "params": module.parameters()}]
    out, seen = [], set()
    for group in given:
        name = group.get("name", "head")
        if name not in GROUPS:
            raise InputError(f"parameter group '{name}'", mend=f"use one of {', '.join(GROUPS)}")
        params = [p for p in group["params"] if p.requires_grad]
        ids = [id(p) for p in params]
        twice = [names.get(i, "?") for n, i in enumerate(ids) if i in seen or i in ids[:n]]
        if twice:
            raise InputError(f"parameter {twice[0]} is in two groups", mend="name it once")
        seen.update(ids)
        lr = group.get("lr", settings.lr_encoder if name == "encoder" else settings.lr)
        decay = 0.0 if name == "tables" else settings.weight_decay
        decay = group.get("weight_decay", decay)
        for share, layer in (
            _layers(module, params, settings) if name == "encoder" else [(1.0, params)]
        ):
            wide = [p for p in layer if p.ndim > 1]
            flat = [p for p in layer if p.ndim <= 1]
            for part, strength in ((wide, decay), (flat, 0.0)):
                if part:
                    values = {"lr": lr * share, "weight_decay": strength}
                    out.append({"name": name, "params": part, **values})
    missing = [name for i, name in names.items() if i not in seen]
    if missing:
        raise InputError(
            f"{len(missing)} trainable parameters are in no group, the first is {missing[0]}",
            mend="name them in parameter_groups() or freeze them",
        )
    return out


def _layers(module: Any, params: list[Any], settings: Training) -> list[tuple[float, list[Any]]]:
    """The language model's parameters by layer, the highest first, each with its share of the learning rate."""
    if settings.layer_decay == 1:
        return [(1.0, params)]
    from recnb.encoders import layer_list

    offered = getattr(module, "encoder_network", None)
    network: Any = offered() if offered else None
    if network is None:
        raise InputError(
            f"layer_decay={settings.layer_decay} and {type(module).__name__} has no encoder_network()",
            mend="set layer_decay=1",
        )
    stack = list(layer_list(network))
    depth = {id(p): k + 1 for k, layer in enumerate(stack) for p in layer.parameters()}
    words = {id(p) for p in network.get_input_embeddings().parameters()}
    places = {
        id(p) for name, p in network.named_parameters() if "embed" in name and id(p) not in depth
    }
    depth |= dict.fromkeys(words | places, 0)
    levels: dict[int, list[Any]] = {}
    for p in params:  # what is neither embedding nor layer lies above
        levels.setdefault(depth.get(id(p), len(stack)), []).append(p)
    return [
        (settings.layer_decay ** (len(stack) - level), levels[level])
        for level in sorted(levels, reverse=True)
    ]


def make_optimiser(module: Any, settings: Training) -> Any:
    """The optimiser that `settings` name, over :func:`parameter_groups`."""
    import torch

    groups = parameter_groups(module, settings)
    for group in groups:
        group["initial_lr"] = group["lr"]
    if settings.optimizer == "adafactor":
        return torch.optim.Adafactor(groups, lr=settings.lr)
    # one pass over the memory instead of several
    return torch.optim.AdamW(groups, lr=settings.lr, fused=True)


def rate(progress: float, settings: Training) -> float:
    """The factor of the learning rate at one moment of the training.

    A function of the moment and of nothing else: no state to keep, and epochs may have different
    numbers of steps.

    Parameters
    ----------
    progress : float
        Share of the whole training, in (0, 1). Step k of K in epoch e of E is at
        (e + (k + ½) / K) / E, counted from 0: its middle, so that no step has a rate of 0.

    Returns
    -------
    float
        In (0, 1].

    Examples
    --------
    >>> settings = Training(warmup=0.2, schedule="linear")
    >>> [round(rate(p, settings), 3) for p in (0.05, 0.2, 0.6, 0.95)]
    [0.25, 1.0, 0.5, 0.062]
    """
    warmup = settings.warmup
    if settings.schedule == "one_cycle":
        warmup = warmup or _ONE_CYCLE["rise"]
        if progress < warmup:
            return _along_cosine(1 / _ONE_CYCLE["start"], 1.0, progress / warmup)
        end = 1 / _ONE_CYCLE["start"] / _ONE_CYCLE["end"]
        return _along_cosine(1.0, end, (progress - warmup) / (1 - warmup))
    if progress < warmup:
        return progress / warmup
    rest = (progress - warmup) / (1 - warmup)
    if settings.schedule == "linear":
        return 1 - rest
    if settings.schedule == "cosine":
        return _along_cosine(1.0, 0.0, rest)
    if settings.schedule == "inverse_sqrt":
        return math.sqrt((warmup or _SHORT) / max(progress, warmup or _SHORT))
    return 1.0


def _along_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
