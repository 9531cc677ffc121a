"""How a decoder is tuned on the answer word."""

from __future__ import annotations

from dataclasses import dataclass

from recnb.errors import InputError
from recnb.models.common.settings import whole_numbers
from recnb.tuning.methods import method_of

# The others put vectors in front of the words, or read pooled states: not what packed prompts are.
METHODS_OF_ANSWERS = (
    *("lora", "dora", "adalora", "ia3", "full", "top_layers", "bitfit", "layer_norm"),
    *("adapter_houlsby", "adapter_pfeiffer"),
)


@dataclass(frozen=True)
class Recipe:
    """How a decoder is tuned.

    Parameters
    ----------
    method : str
        Of :data:`METHODS_OF_ANSWERS`.
    size, alpha, targets, n_layers
        As :func:`recnb.tuning.methods.tune` takes them.
    quantise : {"int8"}, optional
        Keep the frozen matrices in 8 bits.
    lr : float, optional
        By default what is usual for the method.
    n_epochs : int
        At most; the best one by the log loss of the validation part is kept.
    patience : int, optional
    pairs_per_step : int
        Candidates of an optimiser step, about.
    checkpoint : str, optional
        Folder from which the same call goes on after a kill.
    seed : int
    """

    method: str = "lora"
    size: int | None = None
    alpha: int | None = None
    targets: str | None = None
    n_layers: int | None = None
    quantise: str | None = None
    lr: float | None = None
    n_epochs: int = 5
    patience: int | None = 2
    pairs_per_step: int = 32
    checkpoint: str | None = None
    seed: int = 0

    def check(self) -> None:
        """Raise where a setting is none."""
        if self.method not in METHODS_OF_ANSWERS:
            raise InputError(
                f"method='{self.method}' tunes no judge",
                mend=f"one of {', '.join(METHODS_OF_ANSWERS)}",
            )
        if self.quantise not in (None, "int8"):
            raise InputError(f"quantise='{self.quantise}'", mend="int8, or leave it out")
        whole_numbers(self, "n_layers", "size", "n_epochs", "pairs_per_step")
        whole_numbers(self, "seed", least=0)

    @property
    def rate(self) -> float:
        """The learning rate in effect."""
        return method_of(self.method).lr if self.lr is None else self.lr
