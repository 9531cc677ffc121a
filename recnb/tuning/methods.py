"""Ways to tune a language model, by name: which of its weights move, and what is added to it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from recnb.errors import InputError


@dataclass(frozen=True)
class Method:
    """What is usual for a method.

    Attributes
    ----------
    lr : float
        Learning rate of what it trains in the language model.
    size : int
        Rank (lora, dora, adalora), width (adapters) or virtual tokens (prefix, prompt, p_tuning); 0: it has none.
    depth : {"none", "some", "any", "all"}
        Layers that it trains: none; the highest two unless told otherwise; all unless told otherwise; always all.
    says : str
        In one line.
    """

    lr: float
    size: int
    depth: str
    says: str


METHODS: dict[str, Method] = {
    "head_only": Method(0.0, 0, "none", "nothing of the language model"),
    "top_layers": Method(1e-4, 0, "some", "all weights of its highest layers"),
    "full": Method(1e-4, 0, "any", "all its weights"),
    "bitfit": Method(1e-3, 0, "any", "its biases (Ben Zaken et al. 2022)"),
    "layer_norm": Method(1e-3, 0, "any", "scales and shifts of its layer norms"),
    "lora": Method(1e-3, 8, "any", "low-rank updates of attention matrices (Hu et al. 2022)"),
    "dora": Method(1e-3, 8, "any", "LoRA on directions, sizes apart (Liu et al. 2024)"),
    "adalora": Method(2e-3, 4, "any", "LoRA whose ranks are allocated (Zhang et al. 2023)"),
    "ia3": Method(
        5e-3, 0, "any", "factors on keys (on Qwen2 queries), values and outputs (Liu et al. 2022)"
    ),
    "prefix": Method(5e-3, 8, "all", "keys and values in front of each layer (Li, Liang 2021)"),
    "prompt": Method(5e-3, 8, "all", "vectors in front of the words (Lester et al. 2021)"),
    "p_tuning": Method(1e-3, 8, "all", "the same from a small network (Liu et al. 2021)"),
    "adapter_houlsby": Method(1e-3, 16, "any", "two bottlenecks a layer (Houlsby et al. 2019)"),
    "adapter_pfeiffer": Method(1e-3, 16, "any", "one bottleneck a layer (Pfeiffer et al. 2021)"),
    "side_adapter": Method(0.0, 48, "none", "a small network beside its cached states"),
}
PEFT = ("lora", "dora", "adalora", "ia3", "prefix", "prompt", "p_tuning")
MERGEABLE = ("lora", "dora", "adalora", "ia3")
_UNUSED = ".*pooler.*"  # no vector here passes it: "all-linear" leaves it out


def method_of(name: str) -> Method:
    """A method by name.

    Raises
    ------
    InputError
        There is none of that name.
    """
    if name not in METHODS:
        raise InputError(f"method={name!r}", mend=f"one of {', '.join(METHODS)}")
    return METHODS[name]


def depth_of(name: str, n_layers: int, asked: int | None = None) -> int:
    """How many of the highest layers a method trains.

    Raises
    ------
    InputError
        Fewer were asked of a method that needs all.

    Examples
    --------
    >>> depth_of("top_layers", 6), depth_of("lora", 6), depth_of("lora", 6, 2), depth_of("side_adapter", 6)
    (2, 6, 2, 0)
    """
    kind = method_of(name).depth
    if kind == "none":
        return 0
    if kind == "all" and asked is not None and asked < n_layers:
        raise InputError(
            f"'{name}' reaches all {n_layers} layers, {asked} were asked for",
            mend="leave n_layers out",
        )
    return min(asked or (2 if kind == "some" else n_layers), n_layers)


def tune(
    network: Any,
    method: str,
    size: int | None = None,
    alpha: int | None = None,
    targets: str | None = None,
    n_layers: int | None = None,
) -> Any:
    """Apply a method to a transformer: freeze what it freezes, add what it adds.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        Changed in place.
    method : str
        Of :data:`METHODS`.
    size : int, optional
        See :attr:`Method.size`; of adalora the mean rank at the end, it starts with one and a half times that.
    alpha : int, optional
        LoRA's update is scaled by ``alpha / rank``; by default 2.
    targets : str, optional
        Names of the matrices for lora, dora, adalora and ia3, joined by "+", or "all-linear"; by default those
        that `peft` has for the architecture: query and value.
    n_layers : int, optional
        Touch the highest so many layers only.

    Returns
    -------
    torch.nn.Module
        `network`, or `peft`'s model around it. What is trained has ``requires_grad``.

    Raises
    ------
    InputError
        The method or a target does not exist, or does not fit the architecture.
    """
    from recnb.encoders.text.tower import layer_list
    from recnb.tuning.adapters import add_bottlenecks

    usual = method_of(method)
    size = usual.size if size is None else size
    if usual.size and size < 1:
        raise InputError(f"size={size} for {method}", mend="at least 1")
    total = int(network.config.num_hidden_layers)
    depth = depth_of(method, total, n_layers)
    first = total - depth
    network.requires_grad_(False)
    if depth == 0:
        return network
    stack = layer_list(network)
    if method == "full" and depth == total:
        network.requires_grad_(True)
    elif method in ("full", "top_layers"):
        stack[first:].requires_grad_(True)
    elif method in ("bitfit", "layer_norm"):
        whole = network if depth == total else stack[first:]
        chosen = list((_biases if method == "bitfit" else _norms)(whole))
        if not chosen:
            what = "biases" if method == "bitfit" else "layer norms"
            raise InputError(f"{type(network).__name__} has no {what}", mend="use lora")
        for parameter in chosen:
            parameter.requires_grad_(True)
    elif method.startswith("adapter_"):
        add_bottlenecks(network, size, method == "adapter_houlsby", range(first, total))
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(".bottleneck." in name)
    else:
        network = _with_peft(network, method, size, alpha, targets, range(first, total))
    for name, parameter in network.named_parameters():
        if "pooler" in name:  # no vector here passes it
            parameter.requires_grad_(False)
    return network


def _biases(network: Any) -> Iterator[Any]:
    yield from (p for n, p in network.named_parameters() if n.endswith("bias"))


def _norms(network: Any) -> Iterator[Any]:
    for module in network.modules():
        if "norm" in type(module).__name__.lower():
            yield from module.parameters(recurse=False)


def _with_peft(
    network: Any,
    method: str,
    size: int,
    alpha: int | None,
    targets: str | None,
    layers: range,
) -> Any:
    import peft

    task: dict[str, Any] = {"task_type": peft.TaskType.FEATURE_EXTRACTION}
    if method in ("prefix", "prompt", "p_tuning"):
        if targets:
            raise InputError(f"'{method}' has no targets", mend="leave them out")
        task["num_virtual_tokens"] = size
        if method == "p_tuning":
            task["encoder_hidden_size"] = 128
        kinds = {
            "prefix": peft.PrefixTuningConfig,
            "prompt": peft.PromptTuningConfig,
            "p_tuning": peft.PromptEncoderConfig,
        }
        return peft.get_peft_model(network, kinds[method](**task))
    if targets:
        task["target_modules"] = targets if targets == "all-linear" else targets.split("+")
    if len(layers) < int(network.config.num_hidden_layers):
        if method == "ia3":  # which has no setting for this
            task["target_modules"], task["feedforward_modules"] = _ia3_names(
                network, layers, targets
            )
        elif _at_the_root(network) and targets != "all-linear":
            task["target_modules"] = _lora_names(network, layers, method, targets)
        else:
            task["layers_to_transform"] = list(layers)
    scale = 2.0 if alpha is None else alpha / size
    if method == "ia3":
        if targets and "feedforward_modules" not in task:
            task["feedforward_modules"] = []
        config: Any = peft.IA3Config(**task)
    elif method == "adalora":
        start = max(size + 1, round(1.5 * size))
        config = peft.AdaLoraConfig(
            **task,
            target_r=size,
            init_r=start,
            lora_alpha=round(scale * start),
            total_step=1000,  # until it is laid out: RankBudget.lay_out
            exclude_modules=_UNUSED,
        )
    else:
        config = peft.LoraConfig(
            **task,
            r=size,
            lora_alpha=round(scale * size),
            use_dora=method == "dora",
            exclude_modules=_UNUSED,
        )
    try:
        with (
            warnings.catch_warnings()
        ):  # of names that transformers has given up, and of what peft sets itself
            warnings.simplefilter("ignore")
            return peft.get_peft_model(network, config)
    except ValueError as error:
        raise InputError(
            f"{method} on {type(network).__name__}: {str(error).splitlines()[0]}",
            mend="name its matrices in targets, or 'all-linear'",
        ) from error


def _at_the_root(network: Any) -> bool:
    """Whether the layers are an attribute of the network itself: there `peft` finds no number of a layer."""
    from recnb.encoders.text.tower import layer_list

    stack = layer_list(network)
    return any(child is stack for child in network.children())


def _lora_names(network: Any, layers: range, method: str, targets: str | None) -> list[str]:
    """Full names of the matrices that low-rank updates change in some layers."""
    from peft.utils import constants

    kind = "ADALORA" if method == "adalora" else "LORA"
    known = getattr(constants, f"TRANSFORMERS_MODELS_TO_{kind}_TARGET_MODULES_MAPPING")
    return _named_in(
        network, layers, targets.split("+") if targets else known.get(network.config.model_type, [])
    )


def _named_in(network: Any, layers: range, wanted: list[str]) -> list[str]:
    """Full names of modules with weights in some layers, by the ends of their names."""
    from recnb.encoders.text.tower import layer_list

    inside = {id(m) for number in layers for m in layer_list(network)[number].modules()}
    names = [n for n, m in network.named_modules() if id(m) in inside and hasattr(m, "weight")]
    return [n for n in names if any(n == w or n.endswith(f".{w}") for w in wanted)]


def _ia3_names(network: Any, layers: range, targets: str | None) -> tuple[list[str], list[str]]:
    """Full names of IA3's matrices in some layers, and of those among them whose input is scaled."""
    from peft.utils.constants import (
        TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING as FORWARD,
    )
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as TARGETS

    kind = network.config.model_type
    if targets:
        return _named_in(network, layers, targets.split("+")), []
    own, forward = (_named_in(network, layers, names.get(kind, [])) for names in (TARGETS, FORWARD))
    return own, forward


def budget_of(network: Any) -> Any:
    """The :class:`recnb.tuning.adapters.RankBudget` of a network under adalora; None for any other."""
    from recnb.tuning.adapters import RankBudget

    inner = getattr(network, "base_model", None)
    return RankBudget(inner) if hasattr(inner, "rankallocator") else None


def merged(network: Any) -> Any:
    """The network with its low-rank updates and factors added into its own weights.

    Raises
    ------
    InputError
        What was added cannot be written as other weights.
    """
    if not hasattr(network, "merge_and_unload"):
        raise InputError(
            "there is nothing that merges into the weights", mend=f"use {', '.join(MERGEABLE)}"
        )
    return network.merge_and_unload()


def counts(network: Any) -> tuple[int, int]:
    """Numbers that are trained, and numbers in all, each shared one once.

    Examples
    --------
    >>> import torch
    >>> counts(torch.nn.Linear(3, 2))
    (8, 8)
    """
    every = {id(p): p for p in network.parameters()}.values()
    return sum(p.numel() for p in every if p.requires_grad), sum(p.numel() for p in every)
