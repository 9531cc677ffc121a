"""What a notebook shows: words coloured by a number, and figures of many colours kept small."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from recnb.errors import InputError

WARM, COLD = "0,114,178", "213,94,0"  # above zero, below


@dataclass(frozen=True)
class Coloured:
    """Lines of words with a number each.

    Attributes
    ----------
    names : tuple of str
        What stands before each line.
    words : tuple of tuple of str
    values : tuple of tuple of float
        Blue above zero, orange below, the stronger the further from it.
    """

    names: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    values: tuple[tuple[float, ...], ...]

    def __repr__(self) -> str:
        lines = []
        for name, words, values in zip(self.names, self.words, self.values):
            said = " ".join(f"{word}({value:+.1f})" for word, value in zip(words, values))
            lines.append(f"{name}: {said}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        most = max((abs(v) for row in self.values for v in row), default=0) or 1.0
        lines = []
        for name, words, values in zip(self.names, self.words, self.values):
            cells = "".join(_word(word, value / most) for word, value in zip(words, values))
            lines.append(f'<p style="margin:2px 0"><small>{escape(name)}</small> {cells}</p>')
        return "".join(lines)


def coloured(
    names: Sequence[str], words: Sequence[Sequence[str]], values: Sequence[Sequence[float]]
) -> Coloured:
    """Show words by a number each, such as what a tagger says of every token.

    Parameters
    ----------
    names : sequence of str
        One a line.
    words : sequence of sequence of str
    values : sequence of sequence of float
        As many as words.

    Raises
    ------
    InputError
        Not as many names, lines or values as there are to be.

    Examples
    --------
    >>> coloured(["P"], [["red", "grapes"]], [[1.0, -0.25]])
    P: red(+1.0) grapes(-0.2)
    """
    numbers = tuple(tuple(np.asarray(row, dtype=float).tolist()) for row in values)
    out = Coloured(tuple(names), tuple(map(tuple, words)), numbers)
    if len({len(out.names), len(out.words), len(numbers)}) != 1 or any(
        len(row) != len(some) for row, some in zip(out.words, numbers)
    ):
        raise InputError(
            "lines of words do not fit their values",
            mend="give a name and as many values as words for each line",
        )
    return out


def _word(word: str, share: float) -> str:
    hue = WARM if share > 0 else COLD
    return (
        f'<span style="background:rgba({hue},{abs(share) * 0.7:.2f});padding:1px 3px">'
        f"{escape(word)}</span> "
    )


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
