"""Settings of an adaptation without labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from recnb.errors import InputError

METHODS = ("masked", "simcse", "together")


@dataclass(frozen=True)
class Adaptation:
    """How a language model is adapted to texts.

    Parameters
    ----------
    method : {"masked", "simcse", "together"}
        "masked": guess hidden words (Devlin et al. 2019, section 3.1). "simcse": a text read twice with other dropout
        is nearer to itself than to the others of its batch (Gao et al. 2021, equation 4). "together": items that the
        same people used are nearer to each other than to the others of their batch.
    n_epochs : int
        Passes over the texts.
    lr : float
        Of the language model's weights.
    batch_size : int
        Texts of a step; of the contrastive methods each other's negatives.
    max_tokens : int
        Tokens read of a text.
    n_layers : int, optional
        Train the highest so many layers; what lies below is computed once by the contrastive methods. None: all.
    temperature : float
        By which cosines are divided.
    masked : float
        Share of the words that are guessed: of ten, eight are hidden, one is another, one stays.
    anchor : float
        Weight of the mean squared distance to the vectors as they were pretrained, contrastive methods only.
    dropout : float
        In the language model while it is adapted.
    weight_decay : float
    seed : int
    device : str
    checkpoint : path, optional
        Folder from which a killed adaptation goes on.

    Raises
    ------
    InputError
        A setting out of its range.
    """

    method: str = "simcse"
    n_epochs: int = 1
    lr: float = 3e-5
    batch_size: int = 64
    max_tokens: int = 64
    n_layers: int | None = None
    temperature: float = 0.05
    masked: float = 0.15
    anchor: float = 0.0
    dropout: float = 0.1
    weight_decay: float = 0.01
    seed: int = 0
    device: str = "auto"
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"method={self.method!r}", mend=f"one of {', '.join(METHODS)}")
        if not self.batch_size >= 2:
            raise InputError(
                f"batch_size={self.batch_size!r}", mend="at least 2: texts are compared"
            )
        if self.n_layers is not None and not self.n_layers >= 1:
            raise InputError(f"n_layers={self.n_layers!r}", mend="at least 1, or None")
        if not self.temperature > 0:
            raise InputError(f"temperature={self.temperature!r}", mend="above 0")
        if not 0 < self.masked < 1:
            raise InputError(f"masked={self.masked!r}", mend="above 0 and below 1")
        if not self.anchor >= 0:
            raise InputError(f"anchor={self.anchor!r}", mend="at least 0")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for json."""
        return asdict(self)
