"""Figures of many colours, kept small in a notebook."""

from __future__ import annotations

import io
from typing import Any

import numpy as np


def as_jpeg(drawn: Any, quality: int = 60) -> Any:
    """Show a figure of photographs or pictures as a JPEG, a tenth of the size of a PNG.

    Parameters
    ----------
    drawn : Figure, Axes or ndarray of Axes
        Closed here, so that it is not shown twice.
    quality : int
        1 to 95.

    Returns
    -------
    IPython.display.Image
    """
    import matplotlib.pyplot as plt
    from IPython.display import Image

    first = drawn.flat[0] if isinstance(drawn, np.ndarray) else drawn
    figure = getattr(first, "figure", first)
    kept = io.BytesIO()
    figure.savefig(kept, format="jpeg", dpi=100, pil_kwargs={"quality": quality})
    plt.close(figure)
    return Image(kept.getvalue())
