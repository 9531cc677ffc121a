"""Settings of the generative models in groups, each checked alone."""

from __future__ import annotations

from dataclasses import dataclass

from recnb.errors import InputError
from recnb.models.common.reading.settings import Fitting, Reading, check_heads
from recnb.models.common.settings import one_of, whole_numbers
from recnb.tuning.methods import method_of

METHODS_OF_WRITERS = (
    *("lora", "dora", "ia3", "full", "top_layers", "bitfit", "layer_norm"),
    *("adapter_houlsby", "adapter_pfeiffer"),
)
IDS = ("text", "interactions", "random")


@dataclass(frozen=True)
class Ids:
    """What an item's id is made of.

    Parameters
    ----------
    ids : {"text", "interactions", "random"}
        Vectors of its text, factors of the training pairs, or nothing. The last two are controls: what they score is
        owed to the way of generating, not to the text.
    quantiser : {"kmeans", "rqvae"}
        Of vectors: residual k-means, or a residual-quantised autoencoder.
    n_codes, n_levels : int
        Tokens of a level, at least 2 (k-means makes no more than there are different vectors), and levels before the
        one that tells items of one code apart. A catalogue of one item is served without a question.
    """

    ids: str = "text"
    quantiser: str = "kmeans"
    n_codes: int = 256
    n_levels: int = 3

    def check(self) -> None:
        from recnb.models.generative.identifiers import QUANTISERS

        one_of(self, "ids", IDS)
        one_of(self, "quantiser", QUANTISERS)
        whole_numbers(self, "n_levels", "n_codes")
        if self.n_codes < 2:
            raise InputError(
                f"n_codes={self.n_codes!r}: all items would have one code", mend="at least 2"
            )


@dataclass(frozen=True)
class Generator:
    """The network that reads a history and writes an id.

    Parameters
    ----------
    width, n_heads, n_layers, n_decoder_layers : int
    n_beams : int
        Ids that are generated; an item that is not among them stands below all that are.
    """

    width: int = 128
    n_heads: int = 4
    n_layers: int = 2
    n_decoder_layers: int = 2
    n_beams: int = 50

    def check(self) -> None:
        whole_numbers(self, "width", "n_heads", "n_layers", "n_decoder_layers", "n_beams")
        check_heads(self.width, self.n_heads)


@dataclass(frozen=True)
class IdFitting(Fitting):
    __doc__ = Fitting.__doc__

    length: int = 20
    dropout: float = 0.2
    weight_decay: float = 0.05
    n_epochs: int = 60


@dataclass(frozen=True)
class Dense:
    """How dense scores stand beside generated ids.

    Parameters
    ----------
    weight : float, optional
        Of the generated ids, from 0 to 1, against the dense scores; None: the one of a grid in tenths with the highest
        NDCG@10 on the validation part, a half without one.
    """

    weight: float | None = None

    def check(self) -> None:
        if self.weight is not None and not 0 <= self.weight <= 1:
            raise InputError(f"weight={self.weight!r}", mend="from 0 to 1, or None")


@dataclass(frozen=True)
class Writer:
    """The pretrained decoder that reads and writes ids, and how it is tuned.

    Parameters
    ----------
    decoder : str
        As :class:`recnb.encoders.decoder.Decoder` takes it.
    method : str
        "lora", "full", … of :data:`recnb.tuning.methods.METHODS`, without those that read pooled states or put vectors
        in front of the words.
    size, alpha, targets, tuned_layers
        Of the method, see :func:`recnb.tuning.methods.tune`; None: what is usual.
    lr_encoder : float, optional
        Of the decoder; None: what is usual for the method. `lr` is that of the new words.
    titles : bool
        Whether it also learns to write an item's id after the item's text, as many in a step as there are windows.
    n_beams : int
        Ids that are generated.
    valid_users : int
        Users of the validation part who choose the epoch.
    """

    decoder: str = "smollm2-135m-instruct"
    method: str = "lora"
    size: int | None = None
    alpha: int | None = None
    targets: str | None = None
    tuned_layers: int | None = None
    lr_encoder: float | None = None
    titles: bool = True
    n_beams: int = 20
    valid_users: int = 200

    @property
    def rate(self) -> float:
        """The learning rate of the decoder in effect."""
        usual = method_of(self.method).lr or 1e-4
        return usual if self.lr_encoder is None else self.lr_encoder

    def check(self) -> None:
        one_of(self, "method", METHODS_OF_WRITERS)
        whole_numbers(self, "size", "tuned_layers", "n_beams", "valid_users")


@dataclass(frozen=True)
class WriterFitting(Fitting):
    __doc__ = Fitting.__doc__

    length: int = 20
    dropout: float = 0.1
    batch_size: int = 8
    n_epochs: int = 4
    patience: int = 2


GROUPS = (Ids, Reading, Generator, IdFitting)
WRITER_GROUPS = (Ids, Reading, Writer, WriterFitting)
