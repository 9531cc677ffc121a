"""Language models, images and sound as vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

# Loaded at first use: torch only where something needs it.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "loading": ["DEFAULT_ENCODER", "cited"],
        "media.audio": ["AudioEncoder"],
        "media.image": ["ImageEncoder"],
        "text.encoder": ["TextEncoder"],
        "text.joint": ["JointTower", "Sequences"],
        "text.pooling": ["pool"],
        "text.tower": ["TextTower", "layer_list"],
        "text.vocabulary": ["Vocabulary"],
        "text.whitening": ["whiten"],
    },
)

if TYPE_CHECKING:
    from recnb.encoders.loading import DEFAULT_ENCODER as DEFAULT_ENCODER
    from recnb.encoders.loading import cited as cited
    from recnb.encoders.media.audio import AudioEncoder as AudioEncoder
    from recnb.encoders.media.image import ImageEncoder as ImageEncoder
    from recnb.encoders.text.encoder import TextEncoder as TextEncoder
    from recnb.encoders.text.joint import JointTower as JointTower
    from recnb.encoders.text.joint import Sequences as Sequences
    from recnb.encoders.text.pooling import pool as pool
    from recnb.encoders.text.tower import TextTower as TextTower
    from recnb.encoders.text.tower import layer_list as layer_list
    from recnb.encoders.text.vocabulary import Vocabulary as Vocabulary
    from recnb.encoders.text.whitening import whiten as whiten
