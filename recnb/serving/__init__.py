"""Serving: a saved model as a checked artefact, and the service that answers from it."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "artefact": ["Artefact", "open_artefact"],
        "export": ["export"],
        "index": ["ItemIndex"],
    },
)
