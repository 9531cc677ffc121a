"""SASRec, HSTU and GRU4Rec: the next item from the order of events."""

from __future__ import annotations

from pathlib import Path

from recnb.data import Text
from recnb.models.common.reading.trained import check_heads, check_one_of
from recnb.models.sequential.learned import Learned


class _Attentive(Learned):
    """What the two models with attention have beside the settings of :class:`Learned`."""

    def __init__(
        self,
        n_heads: int = 2,
        positions: str = "rope",
        items: str = "free",
        start: str = "random",
        whitening: bool = True,
        text: Text | None = None,
        encoder: str | None = None,
        events: str = "liked",
        width: int = 64,
        n_layers: int = 2,
        length: int = 50,
        dropout: float = 0.3,
        loss: str = "auto",
        n_negatives: int = 1024,
        calibration: float = 0.75,
        lr: float = 1e-3,
        weight_decay: float = 0.01,
        batch_size: int = 256,
        n_epochs: int = 40,
        patience: int = 5,
        seed: int = 0,
        checkpoint: str | Path | None = None,
    ) -> None:
        super().__init__(
            items,
            start,
            whitening,
            text,
            encoder,
            events,
            width,
            n_layers,
            length,
            dropout,
            loss,
            n_negatives,
            calibration,
            lr,
            weight_decay,
            batch_size,
            n_epochs,
            patience,
            seed,
            checkpoint,
        )
        self.n_heads = n_heads
        self.positions = positions

    def _check(self) -> None:
        from recnb.models.common.reading.layers import POSITIONS

        super()._check()
        check_one_of(self, positions=POSITIONS)
        check_heads(self)


class SASRec(_Attentive):
    """Self-attention over a user's events predicts the next one.

        Parameters
        ----------
        n_heads : int
        positions : {"rope", "learned", "none"}
            How attention tells events apart by their place: by turning queries and keys, by learned vectors from the
            oldest event on, or not at all.
    {settings}

        References
        ----------
        W.-C. Kang & J. McAuley (2018), "Self-attentive sequential recommendation", ICDM; J. Su et al. (2021),
    "RoFormer".
    """

    reader = "attention"


class HSTU(_Attentive):
    """Gated pointwise attention over a user's events predicts the next one.

        Parameters
        ----------
        n_heads : int
        positions : {"rope", "learned", "none"}
            Beside the learned bias of distances that it always has.
    {settings}

        Notes
        -----
        The layer of the paper without its bias of times and without actions among the tokens.

        References
        ----------
        J. Zhai et al. (2024), "Actions speak louder than words: trillion-parameter sequential transducers for
        generative recommendations", ICML, section 3.
    """

    reader = "gated"


class GRU4Rec(Learned):
    """A recurrent network over a user's events predicts the next one.

        Parameters
        ----------
    {settings}

        References
        ----------
        B. Hidasi et al. (2016), "Session-based recommendations with recurrent neural networks", ICLR; A. Petrov & C.
        Macdonald (2022), "A systematic review and replicability study of BERT4Rec" (with a full softmax it is strong).
    """

    reader = "recurrent"


_shared = (Learned.__doc__ or "").partition("----------\n")[2].partition("\n\n")[0]
for _model in (SASRec, HSTU, GRU4Rec):
    _model.__doc__ = (_model.__doc__ or "").replace("{settings}", _shared.strip())
