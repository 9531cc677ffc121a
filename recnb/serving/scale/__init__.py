"""Beyond one process: work spread by Ray, the service as a Ray Serve application, and the plan past these machines."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cluster": ["RayWorkers"],
        "encode": ["encode_catalogue"],
        "planning": ["Plan", "UnitCosts", "Wanted", "plan"],
    },
)
