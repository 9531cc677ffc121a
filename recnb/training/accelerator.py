"""The place a training runs in: its own accelerate, its device, its share of the batches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any

from recnb.encoders.device import choose_device, choose_precision
from recnb.encoders.loading import need_text_extra
from recnb.errors import InputError
from recnb.optional import check_installed
from recnb.training.settings import Training


@contextmanager
def own_accelerator(settings: Training) -> Iterator[Any]:
    """An `accelerate.Accelerator` for one training.

    accelerate keeps its settings for the whole process and refuses others. They are put aside here and
    put back afterwards, so that trainings of different settings, and the caller's own use of
    accelerate, do not meet. A process group, once started, stays.

    Yields
    ------
    accelerate.Accelerator
        With its trackers started.
    """
    need_text_extra()
    from accelerate import Accelerator, DistributedDataParallelKwargs, PartialState
    from accelerate.state import AcceleratorState, GradientState
    from accelerate.utils import GradientAccumulationPlugin, parse_flag_from_env, patch_environment

    launched = "LOCAL_RANK" in os.environ
    device = None if settings.device == "auto" else choose_device(settings.device)
    if launched and device and ":" in device:
        raise InputError(
            f"device {device!r} with several processes", mend='use "auto"; each takes its own'
        )
    _need_trackers(settings)
    cpu = device == "cpu" or parse_flag_from_env("ACCELERATE_USE_CPU")
    named = (
        device and not cpu and not launched
    )  # several processes share the devices out themselves
    states = [s._shared_state for s in (PartialState, AcceleratorState, GradientState)]
    before = [dict(state) for state in states]
    for state in states:
        state.clear()
    accelerator = None
    try:
        with patch_environment(ACCELERATE_TORCH_DEVICE=device) if named else nullcontext():
            device = str(PartialState(cpu=cpu).device)
            precision = choose_precision(settings.precision, device)
            accelerator = Accelerator(
                cpu=cpu,
                mixed_precision="bf16" if precision == "bfloat16" else "no",
                log_with=list(settings.track) or None,
                project_dir=settings.logs,
                # the loop averages by itself; said here, since the environment would overrule a number
                gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
                kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
            )
        if settings.track:
            plain = {k: v for k, v in settings.to_dict().items() if not isinstance(v, list)}
            accelerator.init_trackers("recnb", config=plain)
        yield accelerator
    finally:
        for tracker in accelerator.trackers if accelerator else ():
            tracker.finish()
        for state, old in zip(states, before, strict=True):
            state.clear()
            state.update(old)


def _need_trackers(settings: Training) -> None:
    for name in settings.track:
        check_installed(f"track='{name}'", name)


class Share:
    """The batches of one epoch that fall to one process: the k-th goes to process k mod n.

    All processes take equally many steps: what remains after the last full round is left out (other
    batches every epoch, where the batches are shuffled).

    Parameters
    ----------
    batches : sequence, or iterable of known length
        Of a sequence only the own batches are touched.
    process, n_processes : int

    Examples
    --------
    >>> share = Share("abcdefg", process=1, n_processes=2)
    >>> len(share), list(share.after(1))
    (3, ['d', 'f'])
    """

    def __init__(self, batches: Any, process: int = 0, n_processes: int = 1) -> None:
        self.batches, self.process, self.n_processes = batches, process, n_processes
        try:
            self.n = len(batches) // n_processes
        except TypeError:
            raise InputError(
                f"batches of unknown number ({type(batches).__name__})",
                mend="return a sequence, or give the iterable a __len__",
            ) from None

    def __len__(self) -> int:
        return self.n

    def after(self, done: int) -> Iterator[Any]:
        """The own batches from number `done` on."""
        places = range(
            done * self.n_processes + self.process, self.n * self.n_processes, self.n_processes
        )
        if isinstance(self.batches, Sequence) or hasattr(self.batches, "__getitem__"):
            return (self.batches[place] for place in places)
        return islice(iter(self.batches), places.start, places.stop, places.step)


def share_of(batches: Callable[[int], Any], epoch: int, accelerator: Any) -> Share:
    """The own share of epoch `epoch`, counted from 0.

    Raises
    ------
    InputError
        The epoch has no batch, or fewer than processes.
    """
    n = accelerator.num_processes
    share = Share(batches(epoch), accelerator.process_index, n)
    if not len(share):
        raise InputError(
            f"epoch {epoch + 1} has {len(share.batches)} batches for {n} process{'es' * (n > 1)}",
            mend="give more rows, smaller batches or fewer processes",
        )
    return share
