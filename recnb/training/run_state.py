"""How far a training is, taken to and from its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from recnb.training import checkpoint
from recnb.training.accelerator import Share
from recnb.training.randomness import random_states, set_random_states
from recnb.training.settings import Training


@dataclass
class RunState:
    """How far a training is, from the start or from its checkpoint."""

    epoch: int = 0
    batch: int = 0  # of the own ones, done in this epoch
    steps: int = 0  # of the optimiser, in all
    loss: float = 0.0  # summed over the batches of this epoch
    best: float | None = None
    n_epochs: int = 0
    waited: int = 0  # epochs since the best
    history: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[str, Any] | None = None  # of the best epoch
    finished: bool = False

    def open(self, module: Any, value: float) -> None:
        """Book what the weights are worth before the first step, as epoch 0."""
        self.history.append({"epoch": 0, "steps": 0, "loss": None, "value": value})
        self.best, self.weights = value, weights_of(module)

    def close_epoch(self, module: Any, settings: Training, steps: int, value: float | None) -> None:
        """Book an epoch: its history, whether it is the best, whether it is the last."""
        row = {"epoch": self.epoch + 1, "steps": steps, "loss": self.loss / self.batch}
        self.history.append({**row, "value": value})
        if value is None or self.best is None or value > self.best:
            self.best, self.n_epochs, self.waited = value, self.epoch + 1, 0
            self.weights = None if value is None else weights_of(module)
        else:
            self.waited += 1
        self.epoch, self.batch, self.loss = self.epoch + 1, 0, 0.0
        patient = settings.patience is None or self.waited < settings.patience
        self.finished = self.epoch == settings.last_epoch or not patient


class RunCheckpoint:
    """Writes and reads the checkpoint of one training; does nothing where none is asked for.

    Parameters
    ----------
    accelerator : accelerate.Accelerator
    module : torch.nn.Module
        With its weights from before the training.
    optimiser : torch.optim.Optimizer
    settings : Training
    first : Share
        The first epoch.
    data : str
    validated : bool
    """

    def __init__(
        self,
        accelerator: Any,
        module: Any,
        optimiser: Any,
        settings: Training,
        first: Share,
        data: str,
        validated: bool,
    ) -> None:
        self.accelerator, self.module, self.optimiser = accelerator, module, optimiser
        self.folder = settings.checkpoint
        self.identity: dict[str, Any] = {}
        if self.folder is not None:
            self.identity = checkpoint.identity_of(
                module, settings, accelerator, first, data, validated
            )

    def read(self) -> RunState:
        """Put everything back as it was; where there is no checkpoint, nothing is done yet."""
        state = None if self.folder is None else checkpoint.load(self.folder, self.identity)
        if state is None:
            return RunState()
        put(self.module, state["module"])
        if not state["now"]["finished"]:
            self.optimiser.load_state_dict(state["optimiser"])
        own = state["random"][self.accelerator.process_index]
        set_random_states(own, self.accelerator.device)
        return RunState(**state["now"])

    def write(self, now: RunState) -> None:
        """Keep everything; of a finished training only its result, the weights in the module."""
        if self.folder is None:
            return
        from accelerate.utils import gather_object

        state = {
            "identity": self.identity,
            "now": {**vars(now), "weights": None if now.finished else now.weights},
            "module": weights_of(self.module),
            "optimiser": None if now.finished else self.optimiser.state_dict(),
            "random": gather_object([random_states(self.accelerator.device)]),
        }
        if self.accelerator.is_main_process:
            checkpoint.save(self.folder, state)


def weights_of(module: Any) -> dict[str, Any]:
    """A copy, on the CPU, of all weights that training can change."""
    parameters = module.named_parameters(remove_duplicate=False)
    trained = {name for name, p in parameters if p.requires_grad}
    trained |= {name for name, _ in module.named_buffers(remove_duplicate=False)}
    # a quantised layer adds more to its state: how its frozen weights are to be read
    state = module.state_dict()
    return {n: t.detach().to("cpu", copy=True) for n, t in state.items() if n in trained}


def put(module: Any, weights: dict[str, Any]) -> None:
    """Set what :func:`weights_of` took."""
    module.load_state_dict(weights, strict=False)  # the frozen ones are not in it
