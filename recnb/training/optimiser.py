"""Groups of parameters, the optimiser over them, and the learning rate at each moment."""

from __future__ import annotations

import math
from typing import Any

from recnb.errors import InputError
from recnb.training.settings import Training

GROUPS = ("encoder", "head", "tables")


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
        wide = [p for p in params if p.ndim > 1]
        flat = [p for p in params if p.ndim <= 1]
        for part, strength in ((wide, decay), (flat, 0.0)):
            if part:
                out.append({"name": name, "params": part, "lr": lr, "weight_decay": strength})
    missing = [name for i, name in names.items() if i not in seen]
    if missing:
        raise InputError(
            f"{len(missing)} trainable parameters are in no group, the first is {missing[0]}",
            mend="name them in parameter_groups() or freeze them",
        )
    return out


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
    if progress < settings.warmup:
        return progress / settings.warmup
    if settings.schedule == "constant":
        return 1.0
    rest = (progress - settings.warmup) / (1 - settings.warmup)
    return 1 - rest if settings.schedule == "linear" else (1 + math.cos(math.pi * rest)) / 2
