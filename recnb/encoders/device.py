"""The one place where a device and a number format are chosen."""

from __future__ import annotations

from recnb.encoders.loading import need_text_extra
from recnb.errors import InputError

PRECISIONS = ("float32", "bfloat16", "auto")


def choose_device(device: str = "auto") -> str:
    """The torch device to compute on.

    Parameters
    ----------
    device : str
        A torch device such as `"cpu"` or `"cuda:1"`; `"auto"` takes the GPU where there is one.

    Returns
    -------
    str

    Raises
    ------
    InputError
        The device does not exist here.

    Examples
    --------
    >>> choose_device("cpu")
    'cpu'
    """
    need_text_extra()
    import torch

    mps = torch.backends.mps.is_available()
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
    try:
        kind, index = torch.device(device).type, torch.device(device).index or 0
    except RuntimeError as error:
        raise InputError(
            f"unknown device {device!r}", mend='use "auto", "cpu" or "cuda"'
        ) from error
    there = {
        "cpu": True,
        "mps": mps,
        "cuda": torch.cuda.is_available() and index < torch.cuda.device_count(),
    }
    if not there.get(kind, False):
        raise InputError(f"device {device!r} is not available here", mend='use "auto" or "cpu"')
    return device


def choose_precision(precision: str = "auto", device: str = "cpu") -> str:
    """The number format to compute in, `"float32"` or `"bfloat16"`.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "auto"}
        `"auto"` is bfloat16 on an NVIDIA GPU of compute capability 8.0 or above, float32 elsewhere.
    device : str
        A device that `choose_device` returned.

    Returns
    -------
    str

    Raises
    ------
    InputError
        bfloat16 on a GPU that only emulates it (a T4, say), or an unknown name.

    Examples
    --------
    >>> choose_precision("auto", "cpu")
    'float32'
    """
    if precision not in PRECISIONS:
        raise InputError(
            f"unknown precision {precision!r}", mend=f"use one of {', '.join(PRECISIONS)}"
        )
    capable = device == "cpu"
    if device.startswith("cuda"):
        import torch

        capable = torch.cuda.get_device_capability(device) >= (8, 0)
        if precision == "auto":
            return "bfloat16" if capable else "float32"
    if precision == "bfloat16" and not capable:
        raise InputError(
            f"bfloat16 is only emulated on {device}; it needs compute capability 8.0",
            mend="use float32 or auto",
        )
    return "float32" if precision == "auto" else precision
