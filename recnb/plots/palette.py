"""How a method looks: one fixed colour, marker and line style across the course.

Colours follow the palette of Okabe and Ito (Color Universal Design, 2008), which people with any colour vision can
tell apart. A family shares a hue; marker and line style tell its members apart in grey. The looks of names stand in
:mod:`recnb.models.table`. A filled marker reads text with a language model, a hollow one does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pandas as pd

from recnb.errors import InputError
from recnb.models.table import TABLE

GREY, BLUE, SKY, GREEN = "#5a5a5a", "#0072b2", "#2f93cc", "#00795a"
VERMILION, ORANGE, PURPLE, BLACK = "#d55e00", "#bd7a00", "#b0578d", "#1a1a1a"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d")
LINES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Style:
    """Colour, marker, line style, and whether the marker is filled."""

    colour: str
    marker: str
    line: str = "-"
    filled: bool = False

    def marks(self, size: float = 7) -> dict[str, Any]:
        """Keywords of `Axes.plot` for the marker."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "markersize": size,
            "markeredgewidth": 1.6,
            "markerfacecolor": self.colour if self.filled else "white",
        }


WAYS = {
    "stale": ("grey", "o", ":"),
    "finetune": ("vermilion", "D", "-"),
    "replay": ("purple", ">", "-."),
    "adapter": ("green", "P", "--"),
    "refit": ("black", "s", "-"),
}
"""Looks of the ways of keeping a model up (:class:`recnb.study.Way`), which are drawn in one figure."""

HUES = {
    "grey": GREY,
    "blue": BLUE,
    "sky": SKY,
    "green": GREEN,
    "vermilion": VERMILION,
    "orange": ORANGE,
    "purple": PURPLE,
    "black": BLACK,
}


def style(name: str, language: bool | None = None) -> Style:
    """The look of a method.

    A name of the table of models has its own, and so has a way of keeping a model up (:data:`WAYS`). A variant
    (``NAME@METHOD``, ``NAME[setting=value]``) keeps the hue, a blend and two stages have that of their last part, a
    model of one's own one from a hash of the name; their markers come from a hash too: the same in every figure, on
    every machine.

    Parameters
    ----------
    name : str
    language : bool, optional
        Whether a language model reads for it, which fills the marker; an evaluation's tables say so (`language`).
        None: what the model of this name says; a name that makes no model is drawn hollow.

    Examples
    --------
    >>> style("ease")
    Style(colour='#0072b2', marker='D', line='-', filled=False)
    >>> style("text_dot@lora").colour == style("text_dot").colour == style("ease+text_dot").colour
    True
    >>> style("my model") == style("my model")
    True
    """
    filled = reads_language(name) if language is None else bool(language)
    parts = [re.sub(r"\[.*\]", "", part).partition("@")[0].strip() for part in _parts(name)]
    entry = TABLE.get(parts[-1])
    look = entry.look if entry else WAYS.get(name, ())
    if look and name == parts[0]:
        return Style(HUES[look[0]], look[1], look[2], filled)
    number = int.from_bytes(sha256(name.encode()).digest()[:4], "big")
    markers = [m for m in MARKERS if not look or m != look[1]]
    marker, line = markers[number % len(markers)], LINES[number // 64 % len(LINES)]
    own = (VERMILION, ORANGE, PURPLE, BLACK) if filled else (BLUE, SKY, GREEN, BLACK)
    return Style(HUES[look[0]] if look else own[number // 4096 % len(own)], marker, line, filled)


def look_of(row: Any) -> Style:
    """The look of a row's `model`, filled as its `language` says where the frame has such a column."""
    if "language" not in row:
        return style(str(row["model"]))
    language = row["language"]
    return style(str(row["model"]), bool(language) if pd.notna(language) else False)


def reads_language(name: str) -> bool:
    """Whether the model that this name makes reads text with a language model; False where it makes none."""
    from recnb.models import make

    try:
        return make(name).reads().language
    except InputError:
        return False


def _parts(name: str) -> list[str]:
    """Parts of a blend or of two stages, at signs that stand in no brackets."""
    return re.split(r"[+>](?![^\[\]]*\])", name)
