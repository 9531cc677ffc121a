"""Decoders: likelihoods, answers, states and writing, with all that prompts share read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

# Loaded at first use: torch only where something needs it.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "decoder": ["Decoder"],
        "generation": ["Trie"],
        "loading": ["DEFAULT_DECODER", "cited_decoder", "decoder_packages", "locate_decoder"],
        "network": ["Network", "open_network"],
        "packing": ["pack", "pack_sequence"],
    },
)

if TYPE_CHECKING:
    from recnb.encoders.decoder.decoder import Decoder as Decoder
    from recnb.encoders.decoder.generation import Trie as Trie
    from recnb.encoders.decoder.loading import DEFAULT_DECODER as DEFAULT_DECODER
    from recnb.encoders.decoder.loading import cited_decoder as cited_decoder
    from recnb.encoders.decoder.loading import decoder_packages as decoder_packages
    from recnb.encoders.decoder.loading import locate_decoder as locate_decoder
    from recnb.encoders.decoder.network import Network as Network
    from recnb.encoders.decoder.network import open_network as open_network
    from recnb.encoders.decoder.packing import pack as pack
    from recnb.encoders.decoder.packing import pack_sequence as pack_sequence
