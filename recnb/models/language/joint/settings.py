"""The settings that the pair model and the tagger share."""

from __future__ import annotations

from dataclasses import dataclass

from recnb.data.text import Text
from recnb.models.common.settings import one_of, whole_numbers
from recnb.models.language.joint.drawing import NEGATIVES
from recnb.tuning.methods import METHODS

# vectors in front of the words, and a network that reads each text alone: neither reads two texts together
UNFIT = ("prefix", "prompt", "p_tuning", "side_adapter")
JOINT_METHODS = tuple(name for name in METHODS if name not in UNFIT)


@dataclass(frozen=True)
class JointSettings:
    """What a joint reader reads, how it is tuned and trained.

    Parameters
    ----------
    negatives : {"popularity", "uniform"}
        How items that did not come are drawn: as often as they are liked, so that popularity is no merit, or all alike.
    n_layers : int
        The highest so many layers read history and candidates together, and are tuned; below, each text is read alone
        and once.
    method : str
        How these layers are tuned: of :data:`recnb.models.language.joint.settings.JOINT_METHODS`.
    size : int, optional
        Of the method, a rank for instance.
    max_history : int
        The most recent items told of a user: those liked, or for ratings all, with what was thought of them.
    item_tokens : int
        Tokens read of a candidate's text.
    text : Text, optional
        A candidate's sentence; by default the usual columns that the table has. Histories tell titles.
    encoder : str, optional
        Folder or name; None means the default encoder.
    users_per_epoch, batch_users : int
        Histories of an epoch, each at a moment drawn anew, and of a step.
    n_epochs, patience : int
        At most so many epochs; `patience` epochs without a better validation value end it.
    lr, lr_encoder, weight_decay, dropout
        `lr` of the head; `lr_encoder` of the tuned layers, None: what is usual for the method.
    checkpoint : str, optional
        Folder from which a killed training goes on; each fit of the model has one of its own in it.
    seed : int
    """

    negatives: str = "popularity"
    n_layers: int = 2
    method: str = "lora"
    size: int | None = None
    max_history: int = 10
    item_tokens: int = 24
    text: Text | None = None
    encoder: str | None = None
    users_per_epoch: int = 400
    batch_users: int = 8
    n_epochs: int = 5
    patience: int | None = 2
    lr: float = 1e-3
    lr_encoder: float | None = None
    weight_decay: float = 0.01
    dropout: float = 0.1
    checkpoint: str | None = None
    seed: int = 0

    def check(self) -> None:
        """Refuse what is out of range."""
        whole_numbers(self, "n_layers", "size", "max_history", "item_tokens")
        whole_numbers(self, "users_per_epoch", "batch_users", "n_epochs")
        whole_numbers(self, "seed", least=0)
        one_of(self, "method", JOINT_METHODS)
        one_of(self, "negatives", NEGATIVES)
