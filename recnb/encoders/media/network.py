"""A network that reads images or sound: opened, and what of its output is the vector."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recnb.encoders.loading import Source, need_text_extra
from recnb.encoders.text.network import quiet
from recnb.errors import InputError
from recnb.optional import install_line

if TYPE_CHECKING:
    import torch

READS = {"image": {"pixel_values"}, "audio": {"input_values", "input_features"}}
KNOWN = {
    "image": "CLIP, SigLIP, ViT, DINOv2, ResNet or ConvNeXt",
    "audio": "CLAP, AST, Whisper, wav2vec2 or HuBERT",
}
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
MASKS = ("mask_token", "masked_spec_embed")  # stand for what pre-training hides: never read here


def open_media_config(source: Source, kind: str) -> Any:
    """The settings in `source`, of a model that reads `kind`.

    Parameters
    ----------
    source : Source
    kind : {"image", "audio"}

    Returns
    -------
    transformers.PretrainedConfig

    Raises
    ------
    InputError
        transformers does not know the model, or it reads something else.
    """
    need_text_extra()
    from transformers import MODEL_MAPPING, AutoConfig

    try:
        with quiet():
            config = AutoConfig.from_pretrained(source.folder)
            network: Any = MODEL_MAPPING[type(config)]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"transformers cannot read this model ({_first_line(error)})",
            file=str(source.folder / "config.json"),
            mend="take a model that AutoModel knows, or a newer transformers",
        ) from error
    if not READS[kind] & set(inspect.signature(network.forward).parameters):
        raise InputError(
            f"{source.name} ({config.model_type}) reads no {kind}",
            file=str(source.folder),
            mend=f"name a model of the family of {KNOWN[kind]}",
        )
    if config.model_type == "vit_mae":
        config.mask_ratio = 0.0  # by itself it hides patches, drawn anew each time
    return config


def open_processor(source: Source, kind: str) -> Any:
    """What turns an image or a clip into the numbers that the network in `source` reads.

    Parameters
    ----------
    source : Source
    kind : {"image", "audio"}

    Returns
    -------
    transformers.BaseImageProcessor or transformers.SequenceFeatureExtractor
        Of images the one that computes with Pillow, also where torchvision is installed: the two
        round differently.

    Raises
    ------
    InputError
        `source` does not say how to prepare its input, or a package for it is missing.
    """
    need_text_extra()
    import transformers

    if not any((source.folder / name).is_file() for name in PROCESSORS):
        raise InputError(
            f"no {PROCESSORS[0]} in this folder, which says how an input is prepared",
            file=str(source.folder),
            mend="save the model's image processor or feature extractor there too",
        )
    how: dict[str, Any] = {}
    if kind == "image":
        recent = tuple(map(int, transformers.__version__.split(".")[:2])) >= (5, 10)
        how = {"backend": "pil"} if recent else {"use_fast": False}
    opener = (
        transformers.AutoImageProcessor if kind == "image" else transformers.AutoFeatureExtractor
    )
    try:
        with quiet():
            return opener.from_pretrained(source.folder, **how)
    except ImportError as error:
        raise InputError(
            f"a package that prepares the input is missing ({_first_line(error)})",
            mend=install_line("PIL", "soundfile"),
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"transformers cannot prepare {kind} input for this model ({_first_line(error)})",
            file=str(source.folder),
            mend=f"name a model of the family of {KNOWN[kind]}",
        ) from error


def open_network(
    source: Source, config: Any, kind: str, precision: str = "float32", device: str = "cpu"
) -> Any:
    """The network in `source` that reads `kind`, in evaluation mode.

    Parameters
    ----------
    source : Source
    config : transformers.PretrainedConfig
        As `open_media_config` returns it.
    kind : {"image", "audio"}
    precision : {"float32", "bfloat16"}
    device : str
        A torch device.

    Returns
    -------
    torch.nn.Module
        Without the side that reads text, without a decoder, and without a pooler that the weights
        do not hold.

    Raises
    ------
    InputError
        The weights do not cover the architecture. transformers would fill the gaps with random
        numbers.
    """
    import torch
    import transformers

    key = (  # renamed in 4.56
        "dtype"
        if tuple(map(int, transformers.__version__.split(".")[:2])) >= (4, 56)
        else "torch_dtype"
    )
    with quiet():
        model, found = transformers.AutoModel.from_pretrained(
            source.folder,
            config=config,
            output_loading_info=True,
            **{key: getattr(torch, precision)},
        )
    missing = [name for name in found["missing_keys"] if not name.endswith(MASKS)]
    poolers = [name for name in missing if "pooler." in name]
    gaps = [name for name in missing if name not in poolers and not name.startswith("text_")]
    gaps += [name for name, *_ in found.get("mismatched_keys", ())]
    if gaps:
        raise InputError(
            f"the weights lack {len(gaps)} tensors of the architecture, such as {sorted(gaps)[0]}",
            file=str(source.folder),
            mend="take a complete checkpoint",
        )
    for name in poolers:  # ViT tuned as a classifier has none: its tokens' mean is the vector
        owner = name.split("pooler.")[0].rstrip(".")
        model.get_submodule(owner).pooler = None
    return _one_side(model, kind).to(device).eval()


def outline(config: Any, kind: str) -> Any:
    """The network of `config` that reads `kind`, shapes alone: no weights are read or made."""
    import torch
    import transformers

    with torch.device("meta"), quiet():
        return _one_side(transformers.AutoModel.from_config(config), kind).eval()


def media_vectors(model: Any, inputs: Mapping[str, torch.Tensor], kind: str) -> torch.Tensor:
    """One vector an input.

    Parameters
    ----------
    model : torch.nn.Module
        As `open_network` returns it.
    inputs : mapping of str to Tensor of shape (n, …)
        What the processor gives. An `attention_mask` says which part of a clip is no padding.
    kind : {"image", "audio"}

    Returns
    -------
    Tensor of shape (n, dim), float32
        What `get_image_features` or `get_audio_features` returns where the model has it; else its
        pooled output where it has one; else its last hidden state. What is no vector yet becomes
        the mean over the tokens, the grid of an image, or the time of a clip without padding.

    Raises
    ------
    InputError
        The output has none of these.
    """
    import torch

    given = {name: value for name, value in inputs.items() if name != "attention_mask"}
    output = getattr(model, f"get_{kind}_features", model)(**given)
    states = output  # a tensor from `get_…_features` before transformers 5
    if not isinstance(output, torch.Tensor):
        states = getattr(output, "pooler_output", None)
        if states is None:
            states = getattr(output, "last_hidden_state", None)
    if not isinstance(states, torch.Tensor) or states.ndim not in (2, 3, 4):
        raise InputError(
            f"{type(model).__name__} gives no vector of its {kind} input",
            mend=f"name a model of the family of {KNOWN[kind]}",
        )
    states = states.float()
    if states.ndim == 2:
        return states
    if states.ndim == 4:  # convolutions pool to a grid of 1 x 1
        return states.mean(dim=(2, 3))
    mask = inputs.get("attention_mask")
    if mask is None:
        return states.mean(dim=1)
    # Whisper halves the time and pads every clip to 30 s: silence would outweigh a short clip
    filled = mask.long().sum(dim=1, keepdim=True) * states.shape[1]
    last = (filled + mask.shape[1] - 1) // mask.shape[1]
    here = (torch.arange(states.shape[1], device=states.device) < last).float()
    return torch.einsum("nt,ntd->nd", here, states) / here.sum(dim=1, keepdim=True)


def _one_side(model: Any, kind: str) -> Any:
    """Without what a text would pass through."""
    if hasattr(model, f"get_{kind}_features"):
        for name in [name for name, _ in model.named_children() if name.startswith("text_")]:
            delattr(model, name)
    elif model.config.is_encoder_decoder:
        model = model.get_encoder()
    return model


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
