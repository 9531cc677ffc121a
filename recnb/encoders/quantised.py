"""A frozen transformer in 8 or 4 bits a weight, for small parts trained on top."""

from __future__ import annotations

from typing import Any

from recnb.errors import InputError
from recnb.optional import check_installed

KINDS = ("int8", "nf4")
BLOCK = 64  # weights that share a scale in nf4


def quantise(network: Any, kind: str) -> Any:
    """Store the matrices of a transformer's layers in fewer bits; they are frozen.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        Changed in place. Embeddings, biases and norms stay as they are.
    kind : {"int8", "nf4"}
        8 bits with a scale for each row (T. Dettmers et al., LLM.int8(), NeurIPS 2022), or 4 bits, the quantiles of
        a normal distribution with a scale for each block (T. Dettmers et al., QLoRA, NeurIPS 2023, section 3).
        In 4 bits go the matrices whose rows are whole blocks of 64, which those of nearly all models are; the others
        keep full precision: the kernel of bitsandbytes (0.50) for processors with AVX-512 takes their scales from
        wrong blocks.

    Returns
    -------
    torch.nn.Module
        `network`.

    Raises
    ------
    InputError
        `bitsandbytes` is not installed, it has no such kind, or no matrix can be stored so.
    """
    if kind not in KINDS:
        raise InputError(f"quantise={kind!r}", mend=f"one of {', '.join(KINDS)}")
    check_installed(f"quantise='{kind}'", "bitsandbytes")
    import torch
    from torch import nn

    from recnb.encoders.text.tower import layer_list

    network.requires_grad_(False)
    inner = [module for layer in layer_list(network) for module in layer.modules()]
    places = [(module, *child) for module in inner for child in module.named_children()]
    places = [place for place in places if type(place[2]) is nn.Linear]
    if kind == "nf4":
        places = [place for place in places if place[2].in_features % BLOCK == 0]
    if not places:
        raise InputError(
            f"{type(network).__name__} has no matrix that {kind} can store",
            mend="use another model, or leave quantise out",
        )
    for module, name, child in places:
        with torch.random.fork_rng(devices=[]):  # a new layer draws weights, then drops them
            setattr(module, name, _smaller(child, kind))
    # what peft asks to choose its layers
    setattr(network, "is_loaded_in_8bit" if kind == "int8" else "is_loaded_in_4bit", True)
    return network


def _smaller(linear: Any, kind: str) -> Any:
    import bitsandbytes as bnb
    from torch import nn

    shape = (linear.in_features, linear.out_features, linear.bias is not None)
    weight, device = linear.weight.detach().clone(), linear.weight.device
    out: Any
    if kind == "int8":
        out = bnb.nn.Linear8bitLt(*shape, has_fp16_weights=False, threshold=0.0)
        out.weight = bnb.nn.Int8Params(weight, requires_grad=False, has_fp16_weights=False)
    else:
        out = bnb.nn.Linear4bit(*shape, compute_dtype=weight.dtype, quant_type="nf4")
        out.weight = bnb.nn.Params4bit(
            weight, requires_grad=False, quant_type="nf4", blocksize=BLOCK
        )
        # never packed for processors with bfloat16: that form takes not every shape, and rounds otherwise
        out.support_avx512bf16_for_cpu = False
    if linear.bias is not None:
        out.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=False)
    return out.to(device)
