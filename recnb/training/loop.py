"""The training loop: epochs of optimiser steps, a value after each epoch, the best epoch kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any

from recnb.errors import InputError
from recnb.progress import reach
from recnb.training.accelerator import own_accelerator, share_of
from recnb.training.optimiser import make_optimiser, rate
from recnb.training.randomness import kept, repeatable
from recnb.training.run_state import RunCheckpoint, put
from recnb.training.settings import Training
from recnb.training.wrapping import fewer_activations, loss_of


@dataclass(frozen=True)
class Trained:
    """What a training came to; the weights are in the module.

    Attributes
    ----------
    n_epochs : int
        The epoch whose weights the module has, counted from 1: the best one, or the last without validation. 0: those
        from before the first step, see `from_start` of :class:`Training`.
    best : float or None
        Its value.
    history : tuple of dict
        Of each epoch run `epoch`, `steps`, `loss` (mean over its batches; None in epoch 0) and `value`.
    """

    n_epochs: int
    best: float | None
    history: tuple[dict[str, Any], ...]


def train(
    module: Any,
    batches: Callable[[int], Any],
    settings: Training,
    validate: Callable[[Any], float] | None = None,
    progress: Callable[[int, int, int, float], None] | None = None,
    data: str = "",
) -> Trained:
    """Train `module` in place.

    Parameters
    ----------
    module : torch.nn.Module
        `forward(batch)` returns the loss, a scalar: the mean over the batch. May have `parameter_groups()`
        (see :func:`recnb.training.optimiser.parameter_groups`) and `encoder_network()`, the language
        model, for gradient checkpointing, `after_step()`, called when the optimiser has moved the weights and
        their gradients are still there, and `after_epoch()`, called behind the last step of each epoch, before its
        value. Afterwards the module is on the device it was trained on, in evaluation mode.
    batches : callable
        `batches(epoch)`, with epochs counted from 0, returns a sequence or an iterable of known length, the
        same one each time it is asked. After a kill the batches already done are skipped; in a sequence they
        are not touched. Tensors in a batch (in tuples, lists, dicts) are moved to the device.
    settings : Training
    validate : callable, optional
        `validate(module)`, called after each epoch in evaluation mode and without gradients, returns a value, higher
        is better. The weights of the best epoch are kept and `patience` counts. Under several
        processes each calls it, and the first one's value holds.
    progress : callable, optional
        `progress(epoch, step, n_steps, loss)` after each optimiser step, all counted from 1; main process only.
    data : str
        What the data are known by (`Dataset.digest`, say): a checkpoint of other data is refused.

    Returns
    -------
    Trained

    Raises
    ------
    InputError
        No batch, no trainable parameter, a loss that is no scalar; a loss, gradient or value that is NaN or infinite;
        a checkpoint of another training; a tracker or device that is not there.

    Notes
    -----
    The gradient of a step is the mean over its batches, in one process or several, the last step of an epoch
    included. A parameter that gets no gradient in a step stays as it is: neither decay nor momentum moves it.
    Equal calls give equal bits on a CPU, also when one is killed and repeated. The global random states are
    left as they were.

    Under `accelerate launch` batch k of an epoch goes to process k mod n, and what does not fill a last round
    is left out; weights, history and values are the same in all. The flag `--cpu` starts several processes
    only through MPI; without it, `ACCELERATE_USE_CPU=true accelerate launch --multi_gpu --num_processes 2` does.

    Examples
    --------
    >>> import torch
    >>> class Mean(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.value = torch.nn.Parameter(torch.zeros(1))
    ...     def forward(self, batch):
    ...         return ((batch - self.value) ** 2).mean()
    >>> module = Mean()
    >>> done = train(module, lambda epoch: [torch.tensor([1.0, 3.0])] * 50, Training(epochs=4, lr=0.1))
    >>> done.n_epochs, round(module.value.item(), 2)
    (4, 2.0)
    """
    with (
        own_accelerator(settings) as accelerator,
        kept(accelerator.device),
        repeatable(accelerator.device),
        fewer_activations(module, settings),
    ):
        return _train(accelerator, module, batches, settings, validate, progress, data)


def _train(
    accelerator: Any,
    module: Any,
    batches: Callable[[int], Any],
    settings: Training,
    validate: Callable[[Any], float] | None,
    progress: Callable[[int, int, int, float], None] | None,
    data: str,
) -> Trained:
    from accelerate.utils import set_seed

    device = accelerator.device
    module.to(device)
    model, optimiser = accelerator.prepare(loss_of(module), make_optimiser(module, settings))
    set_seed(settings.seed, device_specific=True)  # each process drops out other units
    with kept(device):
        first = share_of(batches, 0, accelerator)
        run_checkpoint = RunCheckpoint(
            accelerator, module, optimiser, settings, first, data, validate is not None
        )
    now = run_checkpoint.read()
    if settings.from_start and validate is not None and not now.steps:
        now.open(module, _value(accelerator, module, validate, -1))
    while not now.finished:
        # whatever makes the batches does not touch the random stream of the training
        with kept(device):
            share = share_of(batches, now.epoch, accelerator)
            own = share.after(now.batch)
        n_steps = math.ceil(len(share) / settings.accumulate)
        model.train()
        while now.batch < len(share):
            with kept(device):
                group = list(islice(own, settings.accumulate))
            step = now.batch // settings.accumulate
            factor = rate((now.epoch + (step + 0.5) / n_steps) / settings.epochs, settings)
            for parameters in optimiser.param_groups:
                parameters["lr"] = parameters["initial_lr"] * factor
            where = f"epoch {now.epoch + 1}, step {step + 1} of {n_steps}"
            loss, norm = _step(accelerator, model, optimiser, group, settings.clip, where)
            if hasattr(module, "after_step"):
                module.after_step()
            now.batch, now.steps = now.batch + len(group), now.steps + 1
            now.loss += loss * len(group)
            if settings.track:
                accelerator.log({"loss": loss, "gradient": norm, "rate": factor}, step=now.steps)
            if settings.checkpoint_every and now.steps % settings.checkpoint_every == 0:
                run_checkpoint.write(now)
            if progress and accelerator.is_main_process:
                progress(now.epoch + 1, step + 1, n_steps, loss)
        if hasattr(module, "after_epoch"):
            with kept(device):
                module.after_epoch()
        _share_buffers(accelerator, module)
        value = None if validate is None else _value(accelerator, module, validate, now.epoch)
        now.close_epoch(module, settings, n_steps, value)
        if settings.track:
            row = now.history[-1]
            seen = {"epoch/loss": row["loss"]} | ({} if value is None else {"epoch/value": value})
            accelerator.log(seen, step=row["epoch"])
        if now.finished and now.weights is not None:
            put(module, now.weights)
        run_checkpoint.write(now)
        if value is not None:
            reach(now.epoch - 1, value)
    optimiser.zero_grad(set_to_none=True)  # the gradients are as large as the model
    module.eval()
    return Trained(now.n_epochs, now.best, tuple(now.history))


def _step(
    accelerator: Any, model: Any, optimiser: Any, group: list[Any], clip: float | None, where: str
) -> tuple[float, float]:
    """One step on the mean gradient of a group of batches; the mean loss and the gradient's norm."""
    import torch
    from accelerate.utils import send_to_device

    losses = []
    optimiser.zero_grad(set_to_none=True)  # no gradient is not a gradient of 0: AdamW would move it
    for number, batch in enumerate(group, 1):
        with nullcontext() if number == len(group) else accelerator.no_sync(model):
            loss = model(send_to_device(batch, accelerator.device))
            accelerator.backward(loss / len(group))
        losses.append(loss.detach())
    loss = accelerator.reduce(torch.stack(losses).mean(), "mean").item()
    norm = accelerator.clip_grad_norm_(
        model.parameters(), math.inf if clip is None else clip
    ).item()
    for value, name in ((loss, "loss"), (norm, "norm of the gradients")):
        if not math.isfinite(value):
            raise InputError(
                f"{where}: the {name} is {value}",
                mend="lower lr and lr_encoder, set clip, or use precision='float32'",
            )
    optimiser.step()
    return loss, norm


def _share_buffers(accelerator: Any, module: Any) -> None:
    """Give all processes the first one's buffers: running means, say, that saw other batches."""
    if accelerator.num_processes > 1:
        from accelerate.utils import broadcast

        for buffer in module.buffers():
            buffer.copy_(broadcast(buffer))


def _value(accelerator: Any, module: Any, validate: Callable[[Any], float], epoch: int) -> float:
    """The value of an epoch, the same in all processes."""
    import torch
    from accelerate.utils import broadcast_object_list

    module.eval()
    with kept(accelerator.device), torch.no_grad():
        value = broadcast_object_list([float(validate(module))])[0]
    if not math.isfinite(value):
        raise InputError(
            f"epoch {epoch + 1}: the validation gives {value}", mend="lower lr, or mend `validate`"
        )
    return value
