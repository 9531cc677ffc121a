"""A pretrained decoder that reads histories and writes the next item, both in new words for the items."""

from __future__ import annotations

from typing import Any

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.sequences import Sequences
from recnb.models.common.settings import flat, group_of
from recnb.models.common.validation import Validation
from recnb.models.generative.settings import METHODS_OF_WRITERS, WRITER_GROUPS, Writer
from recnb.models.generative.tiger import Tiger
from recnb.recommender import Reads
from recnb.tuning.methods import PEFT

_WORDS = 48  # of an item's text that are read before its id


@flat(*WRITER_GROUPS)
class LCRec(Tiger):
    """A language model whose vocabulary holds the tokens of the items' ids, tuned to write the next item's.

    Parameters
    ----------
    {settings}

    Notes
    -----
    The new words start at the mean of the old ones with a little noise and are trained whole; of the language model the
    method trains what it trains. A window of a history is read once, and every event in it is a target. Ids are made as
    for :class:`Tiger`, and generation keeps to those that exist. Every batch also holds items' texts, each followed by
    its id, so that the new words come to mean what the old ones say.

    References
    ----------
    B. Zheng et al. (2024), "Adapting large language models by integrating collaborative semantics for recommendation",
    ICDE, sections III.B and III.C (there with further tasks).
    """

    groups = WRITER_GROUPS
    block = 32
    methods = METHODS_OF_WRITERS

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "lr": ("log", 3e-4, 1e-2),
            "lr_encoder": ("log", 5e-5, 2e-3),
            "n_codes": ("choice", [64, 128, 256]),
        }

    @property
    def packages(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("torch", "transformers", *(("peft",) if self.method in PEFT else ()))

    @property
    def reads_text(self) -> bool:
        return self.ids == "text" or self.titles

    def reads(self) -> Reads:
        from recnb.encoders.decoder import cited_decoder
        from recnb.encoders.loading import cited

        ids = "none" if self.ids == "text" else "pairs"
        readers = (cited(self.encoder),) if self.ids == "text" else ()
        text = ("text",) if self.reads_text else ()
        return Reads(ids, text, (*readers, cited_decoder(self.decoder)))

    @property
    def _lr_encoder(self) -> float:
        return group_of(self, Writer).rate

    def _asked(self, train: Dataset, valid: Dataset) -> tuple[Validation, Sequences]:
        validation, sequences = super()._asked(train, valid)
        few = Validation.of(train, valid, self.valid_users)
        return (few if len(few.users) < len(validation.users) else validation), sequences

    def _learn_items(self, train: Dataset, sequences: Sequences) -> None:
        super()._learn_items(train, sequences)
        self._titles = self._sentences(self._in_rows(train.items)) if self.titles else []

    def _network_of(self, tokens: Any, sizes: tuple[int, ...], n_known: int) -> Any:
        from recnb.encoders.decoder import Decoder, open_network
        from recnb.models.generative.writer_network import WriterNetwork

        decoder = Decoder(self.decoder)
        network = open_network(decoder.source, "float32", decoder.place)
        longest = WriterNetwork.longest(network, self.length, len(sizes))
        if longest > network.context:
            raise InputError(
                f"length={self.length} events are {longest} tokens; {decoder.name} reads {network.context}",
                mend="lower length or n_levels",
            )
        self.n_decoder_parameters_ = sum(p.numel() for p in network.model.parameters())
        titles = self.__dict__.pop("_titles", [])[:n_known]  # of what has events; none once fitted
        ids = network.tokenizer(titles, add_special_tokens=False)["input_ids"] if titles else []
        words = [row[:_WORDS] for row in ids]
        how = group_of(self, Writer)
        return WriterNetwork(network, tokens, sizes, n_known, how, words, self.dropout)

    def _keep(self, network: Any) -> None:
        """The new words, and what the method trained."""
        self.weights_ = {
            name: value.detach().cpu().float().numpy()
            for name, value in network.named_parameters()
            if value.requires_grad
        }

    def parameters(self) -> tuple[int, int]:
        """Numbers that training changed, and all that the model holds, its language models among them."""
        trained = sum(value.size for value in self.weights_.values())
        whole = self.n_decoder_parameters_ + getattr(self, "n_parameters_", 0)
        old = 0 if self.method not in ("full", "top_layers", "bitfit", "layer_norm") else trained
        return trained, whole + trained - old

    def _memory(self, network: Any, batch: dict[str, Any]) -> Any:
        from recnb.models.generative.writer_network import Written

        return Written(network, batch)
