"""Serving: a saved model as a checked artefact, and the service that answers from it."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "artefact": ["Artefact", "open_artefact"],
        "encoder.compress": ["save_encoder"],
        "encoder.distil": ["fewer_layers"],
        "encoder.heads": ["NarrowEncoder", "fewer_heads"],
        "encoder.onnx": ["EncoderSettings", "OnnxEncoder"],
        "engine": ["Ask", "Engine", "Listed"],
        "explore": ["Explorer"],
        "export": ["export"],
        "index": ["ItemIndex", "build_index"],
        "records": ["FeedbackLog", "read_feedback"],
        "running": ["Running"],
        "watch.drift": ["Drift", "Shares"],
    },
)
